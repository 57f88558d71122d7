//! What a user sets for the whole gateway, for one server, or for one room of the network.
//!
//! The bridge alone knows what its settings mean: it gives the form ([`Bridge::settings_form`]), reads the answers
//! ([`Bridge::read_settings`]), and a session is told what holds ([`Command::Configure`]) before any other command.
//!
//! [`Bridge::settings_form`]: crate::Bridge::settings_form
//! [`Bridge::read_settings`]: crate::Bridge::read_settings
//! [`Command::Configure`]: crate::Command::Configure

use std::collections::BTreeMap;

use crate::ids::{RoomId, ServerId};
use crate::secret::Secret;

/// What a setting is about. What is not set for a room counts as set for its server, then for everything.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// All that the user does on this gateway.
    Everything,
    /// One server.
    Server(ServerId),
    /// One room.
    Room(RoomId),
}

/// What a user has set within one scope. Whatever is missing is at its default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// By field name.
    pub values: BTreeMap<String, String>,
    /// Secrets, by field name. Sealed at rest.
    pub secrets: BTreeMap<String, Secret>,
}

impl Settings {
    /// Whether everything is at its default.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.secrets.is_empty()
    }

    /// A setting, where it is set.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets a value; an empty one goes back to the default.
    pub fn set(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.values.remove(name);
        } else {
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// An answer that cannot be taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct BadSetting {
    /// The name of the field.
    pub field: &'static str,
    /// Why, in words.
    pub reason: String,
}
