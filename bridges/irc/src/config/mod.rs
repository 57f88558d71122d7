//! The bridge's own table of the configuration, `[gateway.NAME.irc]`.

mod flood;
mod plan;
mod pool;
mod webirc;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use thiserror::Error;
use viaduct_bridge::Secret;

use crate::address::server_name;
use crate::proto::charset;

pub use flood::Flood;
pub(crate) use plan::ServerPlan;
pub use pool::AddressPool;
pub use webirc::WebircConfig;

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
    /// Where connections to IRC servers come from: each user has an address of their own out of these, and always the
    /// same, for each kind (IPv4, IPv6) that is here. A range must be routed to this machine; its addresses need not
    /// be those of an interface. Default: the system chooses, and all users share an address.
    pub outgoing_addresses: Option<AddressPool>,
    /// Answering servers that ask whose a connection is. Without it nobody listens.
    pub ident: Option<IdentConfig>,
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
            outgoing_addresses: None,
            ident: None,
        }
    }
}

/// The answers to servers that ask whose a connection is (RFC 1413).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentConfig {
    /// Where to listen, such as `[::]:113`. Servers ask at port 113 of the address that a connection comes from.
    pub listen: SocketAddr,
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
    /// The password of the server (`PASS`), for all users. A server with a password here is reached unencrypted only
    /// if `tls` says so.
    pub password: Option<ServerPassword>,
    /// Telling users apart to a server that trusts this gateway (`WEBIRC`). As with `password`, nothing of it is said
    /// unencrypted unless `tls` says so.
    pub webirc: Option<WebircConfig>,
}

impl ServerConfig {
    /// Whether it is said here which certificates are trusted.
    pub(crate) fn trusts_specially(&self) -> bool {
        self.accept_invalid || self.fingerprint.is_some() || self.ca_file.is_some()
    }
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
    /// How users are presented.
    #[error("servers.\"{server}\".webirc: {problem}")]
    Webirc {
        /// To whom.
        server: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

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
            if let Some(problem) = server.webirc.as_ref().and_then(WebircConfig::problem) {
                let server = name.clone();
                return Err(ConfigError::Webirc { server, problem });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::IrcConfig;

    fn read(text: &str) -> IrcConfig {
        toml::from_str(text).expect("a valid table")
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
        assert!(wrong("outgoing_addresses = []").contains("at least one"));
        assert!(wrong("outgoing_addresses = ['192.0.2.1/24']").contains("'192.0.2.1/24'"));
        assert!(wrong("[servers.x]\nwebirc = { password = 'a' }").contains("addresses"));
        assert!(wrong("[servers.x]\nwebirc = { password = 'a', addresses = '::1/64' }").contains("'::1/64'"));
        assert!(wrong("flood = { burst = 0, per_second = 1.0 }").contains("flood is"));
        for text in [
            "charset = \"klingon\"",
            "[servers.\"a b\"]",
            "[servers.x]\nports = []",
            "[servers.x]\nwebirc = { password = 'a b', addresses = '2001:db8::/64' }",
            "[servers.x]\nwebirc = { password = 'a', gateway = '', addresses = '2001:db8::/64' }",
            "[servers.x]\nwebirc = { password = 'a', addresses = '2001:db8::/64', host = 'a.example.org' }",
            "[servers.x]\nwebirc = { password = 'a', addresses = '2001:db8::/64', host = '{id} x.org' }",
        ] {
            read(text).check().expect_err("invalid");
        }
    }

    #[test]
    fn passwords_do_not_show() {
        let config = read(
            "[servers.x]\npassword = 'hunter2'\nwebirc = { password = 'hunter2', addresses = '192.0.2.0/24' }",
        );
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
