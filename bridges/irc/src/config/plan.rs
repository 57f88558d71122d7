//! What the configuration comes to for one server.

use encoding_rs::Encoding;
use viaduct_bridge::Secret;

use super::{Flood, IrcConfig, ServerConfig, WebircConfig};
use crate::address::server_name;
use crate::conn::tls::Trust;
use crate::proto::charset;

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
    /// The encoding of what is written, where it is not UTF-8.
    pub(crate) charset_out: Option<&'static Encoding>,
    /// Whether a user's own ports or trust are in it: what is learnt from such a connection is true for that user alone.
    pub(crate) personal: bool,
    /// Whether the operator leaves it to users which certificates they trust.
    pub(crate) trust_is_users: bool,
    /// Which certificates the user trusts, where that is not what everybody does.
    pub(crate) trust: Option<Trust>,
    /// The password of the server.
    pub(crate) password: Option<Secret>,
    /// How users are presented.
    pub(crate) webirc: Option<WebircConfig>,
}

impl ServerPlan {
    /// Whether no port is in it that a user has named.
    pub(crate) fn has_usual_ports(&self) -> bool {
        let usual = |ports: &[u16], usual| ports.iter().all(|port| *port == usual);
        !self.by_default || usual(&self.tls_ports, TLS_PORT) && usual(&self.plain_ports, PLAIN_PORT)
    }
}

const TLS_PORT: u16 = 6697;
const PLAIN_PORT: u16 = 6667;

impl IrcConfig {
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
        // What the operator keeps secret is not told to everybody on the way because a port is closed.
        let has_secret = config.password.is_some() || config.webirc.is_some();
        let tls = config.tls.or(fixed.map(|fixed| fixed.tls));
        let (tls_ports, plain_ports, plain_is_fallback) = match tls {
            Some(true) => (ports_or(TLS_PORT), Vec::new(), false),
            Some(false) => (Vec::new(), ports_or(PLAIN_PORT), false),
            None if self.allow_plain && !own_ports && !has_secret => (vec![TLS_PORT], vec![PLAIN_PORT], true),
            None => (ports_or(TLS_PORT), Vec::new(), false),
        };
        let label = config.charset.as_deref().unwrap_or(&self.charset);
        ServerPlan {
            host: config.host.clone().unwrap_or_else(|| server.to_owned()),
            by_operator: own.is_some() || fixed.is_some(),
            tls_ports,
            plain_ports,
            // Who could choose where a secret of the operator's goes, could have it.
            by_default: tls.is_none() && !own_ports && !has_secret,
            plain_is_fallback,
            flood: config.flood.unwrap_or(self.flood),
            charset: charset::named(label).unwrap_or(encoding_rs::WINDOWS_1252),
            charset_out: None,
            trust_is_users: !config.trusts_specially() && !has_secret,
            personal: false,
            trust: None,
            password: config.password.as_ref().map(|secret| secret.0.clone()),
            webirc: config.webirc.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Flood, IrcConfig};

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
        for secret in [
            "password = 'x'",
            "webirc = { password = 'x', addresses = '192.0.2.0/24' }",
        ] {
            let plan = read(&format!(
                "allow_plain = true\n[servers.\"irc.example\"]\n{secret}"
            ))
            .plan("irc.example");
            assert_eq!(
                (plan.tls_ports, plan.plain_ports),
                (vec![6697], vec![]),
                "{secret}"
            );
        }
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
    fn ports_of_users_are_known() {
        let config = read("allow_plain = true\n[servers.\"irc.lan\"]\nhost = \"10.0.0.1\"");
        let mut plan = config.plan("irc.lan");
        assert!(plan.by_operator && plan.has_usual_ports());
        plan.tls_ports = vec![22];
        assert!(!plan.has_usual_ports());
        plan = config.plan("irc.lan");
        plan.plain_ports = vec![6667, 80];
        assert!(!plan.has_usual_ports());
        // The operator's own are the operator's, whatever they are.
        let config = read("[servers.\"irc.lan\"]\nports = [22]");
        assert!(config.plan("irc.lan").has_usual_ports());
    }

    #[test]
    fn the_fixed_form() {
        let plan = read("server = { host = \"irc.libera.chat\", port = 7000 }").plan("irc.libera.chat");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![7000], vec![]));
        assert!(plan.by_operator);
        let plan = read("server = { host = \"localhost\", tls = false }").plan("localhost");
        assert_eq!((plan.tls_ports, plan.plain_ports), (vec![], vec![6667]));
    }
}
