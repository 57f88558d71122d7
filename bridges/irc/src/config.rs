//! The bridge's own table of the configuration, `[gateway.NAME.irc]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use encoding_rs::Encoding;
use serde::Deserialize;
use thiserror::Error;
use viaduct_bridge::Secret;

use crate::address::server_name;
use crate::proto::charset;

/// What the operator can set for an IRC gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IrcConfig {
    /// The network's name for people. Default: `IRC`, or the name of the fixed server.
    pub title: Option<String>,
    /// Whether a server whose TLS port is closed may be reached unencrypted on 6667. Users are told, and once TLS has
    /// worked with a server, it is never left again; nor is it while the server asks for it (IRCv3 sts).
    pub allow_plain: bool,
    /// The fixed form: this one server, and addresses without `%server`.
    pub server: Option<FixedServer>,
    /// Overrides for single servers, by name.
    pub servers: BTreeMap<String, ServerConfig>,
    /// How lines that are not UTF-8 are read: a label of the WHATWG Encoding standard.
    pub charset: String,
    /// What others read when a user leaves without parting words of their own.
    pub quit_message: String,
    /// The real name of users who set none. Default: their nickname.
    pub realname: Option<String>,
    /// How fast lines of users are sent.
    pub flood: Flood,
}

impl Default for IrcConfig {
    fn default() -> Self {
        Self {
            title: None,
            allow_plain: false,
            server: None,
            servers: BTreeMap::new(),
            charset: "windows-1252".to_owned(),
            quit_message: "viaduct".to_owned(),
            realname: None,
            flood: Flood::default(),
        }
    }
}

/// The one server of the fixed form.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedServer {
    /// Its host name.
    pub host: String,
    /// Its port. Default: 6697 with TLS, 6667 without.
    pub port: Option<u16>,
    /// Whether TLS is spoken on that port.
    #[serde(default = "yes")]
    pub tls: bool,
}

fn yes() -> bool {
    true
}

/// What differs for one server. A server that has a table here may be reached wherever it is, private ranges
/// included: the operator has named it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The host name or address to connect to instead of the server's name. Certificates are checked for the name.
    pub host: Option<String>,
    /// The ports to try, in this order. Default: 6697 with TLS, 6667 without.
    pub ports: Option<Vec<u16>>,
    /// Whether TLS is spoken on these ports. Without it: TLS, or plain text as `allow_plain` says. With `false`,
    /// users' SASL passwords for this server travel unencrypted too, and what the server itself says about TLS (IRCv3
    /// sts) counts for nothing.
    pub tls: Option<bool>,
    /// A PEM file with the certificates that sign this server's, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The SHA-256 fingerprint of the server's certificate, in hexadecimal: this one is trusted and no other.
    pub fingerprint: Option<String>,
    /// Whether any certificate is accepted. This gives up all protection against somebody in the middle.
    pub accept_invalid: bool,
    /// How fast lines of users are sent to this server.
    pub flood: Option<Flood>,
    /// How lines of this server that are not UTF-8 are read.
    pub charset: Option<String>,
    /// The password of the server (`PASS`), for all users.
    pub password: Option<ServerPassword>,
}

/// A secret in the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct ServerPassword(pub Secret);

impl From<String> for ServerPassword {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// How fast lines of a user are sent: a burst at once, then so many per second. Servers cut off who is faster than
/// they like; the default suits ngircd, InspIRCd, UnrealIRCd and Libera Chat as they ship.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FloodForm")]
pub enum Flood {
    /// No pacing: for servers that exempt this gateway.
    Off,
    /// A token bucket.
    Rate {
        /// So many lines at once after a pause.
        burst: u32,
        /// So many lines per second from then on.
        per_second: f64,
    },
}

impl Default for Flood {
    fn default() -> Self {
        Self::Rate {
            burst: 8,
            per_second: 0.5,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FloodForm {
    Word(String),
    Rate(FloodRate),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FloodRate {
    burst: u32,
    per_second: f64,
}

impl TryFrom<FloodForm> for Flood {
    type Error = &'static str;

    fn try_from(form: FloodForm) -> Result<Self, Self::Error> {
        match form {
            FloodForm::Word(word) if word == "off" => Ok(Self::Off),
            FloodForm::Rate(FloodRate { burst, per_second })
                if burst > 0 && per_second > 0.0 && per_second.is_finite() =>
            {
                Ok(Self::Rate { burst, per_second })
            }
            _ => Err("flood is \"off\" or { burst = 8, per_second = 0.5 }, both above zero"),
        }
    }
}

/// A configuration that makes no sense.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A server's name.
    #[error("'{0}' is not the name of a server")]
    Server(String),
    /// A charset.
    #[error("'{0}' is not the name of a character encoding that can be a fallback, such as windows-1252")]
    Charset(String),
    /// A fingerprint.
    #[error("the fingerprint of {server} is not a SHA-256 fingerprint (64 hexadecimal digits)")]
    Fingerprint {
        /// Whose.
        server: String,
    },
    /// No port at all.
    #[error("servers.\"{server}\".ports is empty: name a port or leave it out")]
    NoPorts {
        /// Whose.
        server: String,
    },
    /// A file of certificates.
    #[error("servers.\"{server}\".ca_file: {problem}")]
    CaFile {
        /// Whose.
        server: String,
        /// What is wrong.
        problem: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// What the configuration says about one server, with all defaults applied.
#[derive(Clone, Debug)]
pub(crate) struct ServerPlan {
    /// Where to connect to.
    pub(crate) host: String,
    /// Whether the operator named the server, so that private ranges are open.
    pub(crate) by_operator: bool,
    /// The ports to try with TLS.
    pub(crate) tls_ports: Vec<u16>,
    /// The ports to try without TLS.
    pub(crate) plain_ports: Vec<u16>,
    /// Whether neither the ports nor TLS are the operator's word.
    pub(crate) by_default: bool,
    /// Whether the plain ports are tried only where the TLS ports are closed.
    pub(crate) plain_is_fallback: bool,
    /// The pace.
    pub(crate) flood: Flood,
    /// The fallback encoding.
    pub(crate) charset: &'static Encoding,
    /// The password of the server.
    pub(crate) password: Option<Secret>,
}

const TLS_PORT: u16 = 6697;
const PLAIN_PORT: u16 = 6667;

impl IrcConfig {
    /// Checks what serde cannot.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let encoding = |label: &str| {
            charset::named(label)
                .map(|_| ())
                .ok_or_else(|| ConfigError::Charset(label.to_owned()))
        };
        encoding(&self.charset)?;
        if let Some(fixed) = &self.server {
            server_name(&fixed.host).ok_or_else(|| ConfigError::Server(fixed.host.clone()))?;
        }
        for (name, server) in &self.servers {
            server_name(name).ok_or_else(|| ConfigError::Server(name.clone()))?;
            if let Some(label) = &server.charset {
                encoding(label)?;
            }
            if server.ports.as_ref().is_some_and(Vec::is_empty) {
                return Err(ConfigError::NoPorts { server: name.clone() });
            }
        }
        Ok(())
    }

    /// The override for a server, by its canonical name.
    pub(crate) fn override_for(&self, server: &str) -> Option<&ServerConfig> {
        self.servers
            .iter()
            .find(|(name, _)| server_name(name).as_deref() == Some(server))
            .map(|(_, config)| config)
    }

    /// Everything about one server.
    pub(crate) fn plan(&self, server: &str) -> ServerPlan {
        let none = ServerConfig::default();
        let own = self.override_for(server);
        let config = own.unwrap_or(&none);
        let fixed = self
            .server
            .as_ref()
            .filter(|fixed| server_name(&fixed.host).as_deref() == Some(server));
        let ports = config
            .ports
            .clone()
            .or_else(|| fixed.and_then(|fixed| fixed.port).map(|port| vec![port]));
        let own_ports = ports.is_some();
        let ports_or = |default| ports.clone().unwrap_or_else(|| vec![default]);
        let tls = config.tls.or(fixed.map(|fixed| fixed.tls));
        let (tls_ports, plain_ports, plain_is_fallback) = match tls {
            Some(true) => (ports_or(TLS_PORT), Vec::new(), false),
            Some(false) => (Vec::new(), ports_or(PLAIN_PORT), false),
            None if self.allow_plain && !own_ports => (vec![TLS_PORT], vec![PLAIN_PORT], true),
            None => (ports_or(TLS_PORT), Vec::new(), false),
        };
        let label = config.charset.as_deref().unwrap_or(&self.charset);
        ServerPlan {
            host: config.host.clone().unwrap_or_else(|| server.to_owned()),
            by_operator: own.is_some() || fixed.is_some(),
            tls_ports,
            plain_ports,
            by_default: tls.is_none() && !own_ports,
            plain_is_fallback,
            flood: config.flood.unwrap_or(self.flood),
            charset: charset::named(label).unwrap_or(encoding_rs::WINDOWS_1252),
            password: config.password.as_ref().map(|secret| secret.0.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flood, IrcConfig};

    fn read(text: &str) -> IrcConfig {
        toml::from_str(text).expect("a valid table")
    }

    #[test]
    fn defaults_are_safe() {
        let config = read("");
        config.check().expect("the default is valid");
        let plan = config.plan("irc.libera.chat");
        assert_eq!(plan.host, "irc.libera.chat");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![6697], vec![]));
        assert!(!plan.by_operator);
    }

    #[test]
    fn plain_text_only_where_allowed() {
        let plan = read("allow_plain = true").plan("irc.example");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![6697], vec![6667]));
        assert!(plan.plain_is_fallback);
        let config = read(
            "allow_plain = true\n[servers.\"IRC.test\"]\nhost = \"127.0.0.1\"\nports = [34567]\ntls = false\nflood = \"off\"",
        );
        let plan = config.plan("irc.test");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![], vec![34567]));
        assert_eq!(plan.host, "127.0.0.1");
        assert!(plan.by_operator && !plan.plain_is_fallback);
        assert_eq!(plan.flood, Flood::Off);
    }

    #[test]
    fn the_fixed_form() {
        let plan = read("server = { host = \"irc.libera.chat\", port = 7000 }").plan("irc.libera.chat");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![7000], vec![]));
        assert!(plan.by_operator);
        let plan = read("server = { host = \"localhost\", tls = false }").plan("localhost");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![], vec![6667]));
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text| {
            toml::from_str::<IrcConfig>(text)
                .expect_err("invalid")
                .to_string()
        };
        assert!(wrong("alow_plain = true").contains("alow_plain"));
        assert!(wrong("flood = \"fast\"").contains("flood is"));
        assert!(wrong("flood = { burst = 0, per_second = 1.0 }").contains("flood is"));
        for text in [
            "charset = \"klingon\"",
            "[servers.\"a b\"]",
            "[servers.x]\nports = []",
        ] {
            read(text).check().expect_err("invalid");
        }
    }

    #[test]
    fn passwords_do_not_show() {
        let config = read("[servers.x]\npassword = \"hunter2\"");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
