//! Presenting users to a server that trusts the gateway (IRCv3 WebIRC), as the configuration says it.

use serde::Deserialize;

use super::{AddressPool, ServerPassword};

/// What a server that trusts this gateway is told of each user. Where users really come from is not known here, and so
/// not told: each has an address, and a host name if one is configured, that stands for them and stays the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebircConfig {
    /// The password that was agreed with the server.
    pub password: ServerPassword,
    /// The name of this gateway for the server. Default: `viaduct`.
    #[serde(default = "own_name")]
    pub gateway: String,
    /// Where the addresses of users are from: best a range that belongs to you and is used for nothing else.
    pub addresses: AddressPool,
    /// The host name of a user, with `{id}` in the place of what stands for them, such as `{id}.users.example.org`.
    /// Without it the address is told as the name too.
    pub host: Option<String>,
}

/// Where the user's id goes.
const PLACE: &str = "{id}";

fn own_name() -> String {
    "viaduct".to_owned()
}

impl WebircConfig {
    /// What is wrong, in words.
    pub(super) fn problem(&self) -> Option<&'static str> {
        let word = |text: &str| {
            !text.is_empty() && !text.starts_with(':') && text.bytes().all(|b| b > b' ' && b != 0x7f)
        };
        if !word(self.password.0.reveal()) {
            return Some("password is one word that does not begin with a colon");
        }
        if !word(&self.gateway) {
            return Some("gateway is one word");
        }
        let name = |host: &str| {
            let labels = host.split('.');
            let is_label = |label: &str| {
                !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            };
            host.contains('.') && host.len() <= 60 && labels.into_iter().all(is_label)
        };
        match &self.host {
            Some(host) if host.matches(PLACE).count() != 1 || !name(&host.replace(PLACE, "a")) => Some(
                "host is a name of at most 60 characters with {id} in it, such as {id}.users.example.org",
            ),
            _ => None,
        }
    }

    /// The host name of a user.
    pub(crate) fn host(&self, id: &str) -> Option<String> {
        self.host.as_ref().map(|host| host.replace(PLACE, id))
    }
}
