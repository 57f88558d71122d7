//! The user's own real name, changed while connected (IRCv3 setname,
//! <https://ircv3.net/specs/extensions/setname>). That others change theirs is told to nobody: it shows on their cards
//! when somebody looks.

use viaduct_bridge::Settings;

use crate::proto::caps::Cap;
use crate::proto::line::Line;
use crate::settings::Personal;

use super::queue::Queued;
use super::{Client, Identity};

/// What the server takes the user's real name to be.
pub(super) struct RealName {
    told: String,
    /// The name where the user has set none for this server.
    otherwise: String,
}

impl RealName {
    /// The name with which the user registers.
    pub(super) fn of(identity: &Identity) -> Self {
        Self {
            told: identity.realname.clone(),
            otherwise: identity.realname_otherwise.clone(),
        }
    }
}

impl Client {
    /// The user has set something for this server. All else counts from the next connection on, as does the real name
    /// where the server cannot change it.
    pub(super) fn settings_changed(&mut self, settings: &Settings) {
        let wanted = Personal::of(settings).realname;
        let wanted = wanted.unwrap_or_else(|| self.real_name.otherwise.clone());
        if wanted == self.real_name.told || wanted.is_empty() || !self.caps.has(Cap::Setname) {
            return;
        }
        self.queue
            .push(Queued::Line(Line::command("SETNAME").trailing(&wanted)));
        self.real_name.told = wanted;
    }
}
