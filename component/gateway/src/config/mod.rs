//! The configuration: what the operator writes, read as it is ([`Config`]), and what it comes to ([`Settings`]).
//!
//! The keys are a promise: they may grow, and must not change their meaning.

mod load;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};
use viaduct_bridge::Secret;
use viaduct_store::StoreConfig;

pub use load::{ConfigError, load};
pub use resolve::{GatewaySettings, NetworkSettings, Settings};

/// The configuration as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The XMPP server.
    pub xmpp: XmppConfig,
    /// Where things are remembered.
    pub store: StoreConfig,
    /// Who may use the gateways.
    pub access: AccessConfig,
    /// Connections made on a user's word.
    pub outgoing: OutgoingConfig,
    /// The gateways, by the operator's own names.
    pub gateway: BTreeMap<String, GatewayConfig>,
}

/// `[xmpp]`: the component listener of the XMPP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct XmppConfig {
    /// Its host and port.
    pub server: String,
    /// Whether it may be on another machine although the connection is not encrypted.
    pub allow_plain: bool,
    /// The largest stanza that is taken, in bytes.
    pub max_stanza: usize,
}

impl Default for XmppConfig {
    fn default() -> Self {
        Self {
            server: "127.0.0.1:5347".to_owned(),
            allow_plain: false,
            max_stanza: 512 * 1024,
        }
    }
}

/// `[access]`: who may use the gateways, and who runs them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// Whole domains and bare JIDs. Default: for each gateway, the parent of its domain.
    pub allow: Option<Vec<String>>,
    /// The bare JIDs of administrators.
    pub admins: Vec<String>,
    /// Who, beside administrators, may send raw lines to servers of the network: whole domains and bare JIDs.
    pub raw: Vec<String>,
}

/// `[outgoing]`: connections made on a user's word.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutgoingConfig {
    /// Loopback and private ranges that may be reached all the same.
    pub allow_private: Vec<String>,
}

/// `[gateway.NAME]`: one component domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The component domain.
    pub domain: String,
    /// The secret that the XMPP server knows for it.
    pub secret: Option<Password>,
    /// The file that holds that secret instead.
    pub secret_file: Option<PathBuf>,
    /// The kind of network: `irc`.
    pub network: String,
    /// Whether users must register before anything else, and whether they can.
    #[serde(default)]
    pub registration: Registration,
    /// Whether users may unregister by themselves.
    #[serde(default = "yes")]
    pub allow_unregister: bool,
    /// How many messages of history a client gets that joins a room and does not say.
    #[serde(default = "default_history")]
    pub history: u32,
    /// How many seconds a user's place in a room is kept after the last of their clients there was lost.
    #[serde(default = "default_grace")]
    pub grace: u32,
    /// What the IRC bridge adds.
    #[cfg(feature = "irc")]
    pub irc: Option<viaduct_irc::IrcConfig>,
}

fn default_history() -> u32 {
    20
}

fn yes() -> bool {
    true
}

fn default_grace() -> u32 {
    600
}

/// Whether users must register before anything else, and whether they can.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Who joins a room without it is a guest, where the network has guests.
    #[default]
    Optional,
    /// Nothing works without it.
    Required,
    /// The same, and nobody new is registered.
    Closed,
}

impl From<Registration> for viaduct_core::access::Registration {
    fn from(registration: Registration) -> Self {
        match registration {
            Registration::Optional => Self::Optional,
            Registration::Required => Self::Required,
            Registration::Closed => Self::Closed,
        }
    }
}

/// A secret in the configuration, hidden from `Debug`.
#[derive(Clone)]
pub struct Password(pub Secret);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Secret::new(String::deserialize(deserializer)?)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
