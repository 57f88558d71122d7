//! What the configuration comes to: addresses are valid, secrets are read, every gateway has its network.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jid::BareJid;
use viaduct_bridge::Secret;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_core::access::Access;
use viaduct_store::StoreConfig;

use super::{Config, ConfigError, GatewayConfig, Registration};
use crate::link::{Limits, Target};

/// The configuration, made sense of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What comes in may be this large.
    pub limits: Limits,
    /// Where things are remembered.
    pub store: StoreConfig,
    /// Where connections made on a user's word may go.
    pub outgoing: OutgoingPolicy,
    /// The gateways.
    pub gateways: Vec<GatewaySettings>,
}

/// One component domain.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The operator's name for it.
    pub name: String,
    /// Where and as whom it connects to the XMPP server.
    pub target: Target,
    /// Who may use it.
    pub access: Access,
    /// Whether users must register before anything else, and whether they can.
    pub registration: Registration,
    /// Whether users may unregister by themselves.
    pub allow_unregister: bool,
    /// How many messages of history a join gets unasked.
    pub history: u32,
    /// How long a user's place in a room is kept after the last of their clients there was lost.
    pub grace: Duration,
    /// The network.
    pub network: NetworkSettings,
}

/// The network behind a gateway.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NetworkSettings {
    /// IRC.
    #[cfg(feature = "irc")]
    Irc(Box<viaduct_irc::IrcConfig>),
}

/// The networks that this binary was built with.
const NETWORKS: &[&str] = &[
    #[cfg(feature = "irc")]
    "irc",
];

impl Settings {
    /// Makes sense of a configuration.
    ///
    /// # Errors
    /// When it makes none; with everything that is wrong with it.
    pub fn resolve(config: Config) -> Result<Self, ConfigError> {
        let mut wrong = Vec::new();
        let outgoing = OutgoingPolicy::new(&config.outgoing.allow_private).unwrap_or_else(|error| {
            wrong.push(format!("outgoing.allow_private: {error}"));
            OutgoingPolicy::default()
        });
        let server = &config.xmpp.server;
        let has_port = server
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port {
            wrong.push(format!(
                "xmpp.server = \"{server}\" is not a host and a port, such as 127.0.0.1:5347"
            ));
        }
        if config.xmpp.max_stanza < 10_000 {
            wrong.push(
                "xmpp.max_stanza is less than the 10000 bytes that every XMPP entity must take".to_owned(),
            );
        }
        let mut domains = Vec::new();
        let mut gateways = Vec::new();
        for (name, gateway) in &config.gateway {
            match resolve_gateway(name, gateway, &config) {
                Ok(settings) if domains.contains(&settings.target.domain) => wrong.push(format!(
                    "gateway.{name}.domain = \"{}\" is the domain of another gateway too",
                    settings.target.domain
                )),
                Ok(settings) => {
                    domains.push(settings.target.domain.clone());
                    gateways.push(settings);
                }
                Err(more) => wrong.extend(more),
            }
        }
        if config.gateway.is_empty() {
            wrong.push(
                "there is no gateway: the configuration needs at least one table such as [gateway.irc]"
                    .to_owned(),
            );
        }
        if !wrong.is_empty() {
            return Err(ConfigError::Wrong(wrong.join("\n")));
        }
        let limits = Limits {
            stanza: config.xmpp.max_stanza,
            ..Limits::default()
        };
        Ok(Self {
            limits,
            store: config.store,
            outgoing,
            gateways,
        })
    }
}

fn resolve_gateway(
    name: &str,
    gateway: &GatewayConfig,
    config: &Config,
) -> Result<GatewaySettings, Vec<String>> {
    let mut wrong = Vec::new();
    let mut collect = |result: Result<Secret, String>| result.map_err(|words| wrong.push(words)).ok();
    let secret = collect(secret(name, gateway));
    let domain = match domain(&gateway.domain) {
        Some(domain) => domain,
        None => {
            wrong.push(format!(
                "gateway.{name}.domain = \"{}\" is not a domain",
                gateway.domain
            ));
            return Err(wrong);
        }
    };
    let access = access(&domain, config).unwrap_or_else(|words| {
        wrong.extend(words);
        Access::default()
    });
    let network = match gateway.network.as_str() {
        #[cfg(feature = "irc")]
        "irc" => Some(NetworkSettings::Irc(Box::new(
            gateway.irc.clone().unwrap_or_default(),
        ))),
        other => {
            let known = NETWORKS
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(" or ");
            wrong.push(format!(
                "gateway.{name}.network = \"{other}\" is no network of this viaduct; it knows {known}"
            ));
            None
        }
    };
    match (secret, network) {
        (Some(secret), Some(network)) if wrong.is_empty() => Ok(GatewaySettings {
            name: name.to_owned(),
            target: Target {
                server: config.xmpp.server.clone(),
                allow_plain: config.xmpp.allow_plain,
                domain: domain.as_str().to_owned(),
                secret,
            },
            access,
            registration: gateway.registration,
            allow_unregister: gateway.allow_unregister,
            history: gateway.history,
            grace: Duration::from_secs(gateway.grace.into()),
            network,
        }),
        _ => Err(wrong),
    }
}

fn secret(name: &str, gateway: &GatewayConfig) -> Result<Secret, String> {
    match (&gateway.secret, &gateway.secret_file) {
        (Some(_), Some(_)) => Err(format!(
            "gateway.{name} has both secret and secret_file; leave one of them out"
        )),
        (None, None) => Err(format!(
            "gateway.{name} has no secret: set secret or secret_file to the secret that the XMPP server has for {}",
            gateway.domain
        )),
        (Some(secret), None) if secret.0.is_empty() => Err(format!("gateway.{name}.secret is empty")),
        (Some(secret), None) => Ok(secret.0.clone()),
        (None, Some(path)) => read_secret(name, path),
    }
}

fn read_secret(name: &str, path: &Path) -> Result<Secret, String> {
    let text = fs::read_to_string(path).map_err(|error| {
        format!(
            "gateway.{name}.secret_file = \"{}\" cannot be read: {error}",
            path.display()
        )
    })?;
    let secret = Secret::new(text.trim_end_matches(['\r', '\n']));
    if secret.is_empty() {
        return Err(format!(
            "gateway.{name}.secret_file = \"{}\" is empty",
            path.display()
        ));
    }
    Ok(secret)
}

fn domain(text: &str) -> Option<BareJid> {
    BareJid::new(text).ok().filter(|jid| jid.node().is_none())
}

/// Who may use a gateway. Without a word of the operator: the users of the domain above it.
fn access(gateway: &BareJid, config: &Config) -> Result<Access, Vec<String>> {
    let mut wrong = Vec::new();
    let mut read = |list: &[String], key: &str, need_node: bool| -> Vec<BareJid> {
        let mut jids = Vec::new();
        for text in list {
            match BareJid::new(text)
                .ok()
                .filter(|jid| !need_node || jid.node().is_some())
            {
                Some(jid) => jids.push(jid),
                None if need_node => wrong.push(format!(
                    "access.{key}: \"{text}\" is not a JID such as me@example.org"
                )),
                None => wrong.push(format!(
                    "access.{key}: \"{text}\" is neither a domain nor a JID such as me@example.org"
                )),
            }
        }
        jids
    };
    let admins = read(&config.access.admins, "admins", true);
    let allow = match &config.access.allow {
        Some(list) => read(list, "allow", false),
        None => gateway
            .as_str()
            .split_once('.')
            .and_then(|(_, parent)| domain(parent))
            .into_iter()
            .collect(),
    };
    let raw = read(&config.access.raw, "raw", false);
    if wrong.is_empty() {
        Ok(Access::new(allow, admins).with_raw(raw))
    } else {
        Err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use jid::BareJid;

    use super::Settings;
    use crate::config::Config;

    fn resolve(text: &str) -> Result<Settings, String> {
        let config: Config = toml::from_str(text).expect("valid");
        Settings::resolve(config).map_err(|error| error.to_string())
    }

    const GOOD: &str = "[gateway.irc]\ndomain = 'IRC.Example.org'\nsecret = 's'\nnetwork = 'irc'\n";

    fn allows(settings: &Settings, user: &str) -> bool {
        settings.gateways[0]
            .access
            .allows(&BareJid::new(user).expect("a JID"))
    }

    #[test]
    fn the_parent_domain_may_use_the_gateway_by_default() {
        let settings = resolve(GOOD).expect("valid");
        assert_eq!(settings.gateways[0].target.domain, "irc.example.org");
        assert!(allows(&settings, "me@example.org"));
        assert!(!allows(&settings, "me@irc.example.org") && !allows(&settings, "me@org"));
        let settings = resolve(&format!(
            "[access]\nallow = ['other.org']\nadmins = ['root@far.org']\n{GOOD}"
        ));
        let settings = settings.expect("valid");
        assert!(allows(&settings, "me@other.org") && allows(&settings, "root@far.org"));
        assert!(!allows(&settings, "me@example.org"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let text = "[xmpp]\nserver = 'localhost'\n[outgoing]\nallow_private = ['x/y']\n[access]\nadmins = ['org']\n\
                    [gateway.a]\ndomain = 'a@b'\nsecret = 's'\nnetwork = 'irc'\n\
                    [gateway.b]\ndomain = 'b.org'\nnetwork = 'icq'\n";
        let wrong = resolve(text).expect_err("wrong");
        for part in [
            "xmpp.server = \"localhost\" is not a host and a port",
            "outgoing.allow_private: 'x/y' is not an address range",
            "access.admins: \"org\" is not a JID",
            "gateway.a.domain = \"a@b\" is not a domain",
            "gateway.b has no secret",
            "gateway.b.network = \"icq\" is no network of this viaduct",
        ] {
            assert!(wrong.contains(part), "{part} is not in:\n{wrong}");
        }
        assert!(resolve("").expect_err("nothing").contains("[gateway.irc]"));
        let twice = format!("{GOOD}{}", GOOD.replace("gateway.irc", "gateway.two"));
        assert!(
            resolve(&twice)
                .expect_err("twice")
                .contains("is the domain of another gateway too")
        );
    }

    #[test]
    fn a_secret_can_be_in_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "hush\n").expect("written");
        let text = GOOD.replace(
            "secret = 's'",
            &format!("secret_file = '{}'", file.path().display()),
        );
        assert_eq!(
            resolve(&text).expect("valid").gateways[0].target.secret.reveal(),
            "hush"
        );
        assert!(
            resolve(&format!("{text}secret = 'x'"))
                .expect_err("both")
                .contains("both secret and secret_file")
        );
    }
}
