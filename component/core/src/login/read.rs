//! What the user has read (XEP-0333 §4.2): the user's own clients tell it, and the network tells the user's other clients
//! there. Nobody else ever learns it, and it is no reason for an error or a connection.

use viaduct_bridge::{Command, Level, Recipient, ServerId};

use super::Login;
use crate::effect::Effects;

impl Login {
    /// Whether clients are to tell what was read of conversations on a server.
    pub(super) fn wants_markers(&self, server: &ServerId) -> bool {
        self.relations(server).read >= Level::Partial
    }

    /// A client has shown everything up to the message that was looked up.
    pub(super) fn mark_read(&mut self, to: &Recipient, out: &mut Effects) {
        let Some(upto) = self.found.take().map(|found| found.at) else {
            return;
        };
        if !self.session || !self.wants_markers(to.server()) {
            return;
        }
        let known = match to {
            Recipient::Room(id) => self.rooms.get_mut(id).map(|room| &mut room.read_upto),
            Recipient::Person(person) => self.chats.get_mut(person).map(|chat| &mut chat.read_upto),
        };
        let Some(known) = known.filter(|known| **known < upto) else {
            return;
        };
        *known = upto;
        let to = to.clone();
        self.submit(Command::MarkRead { to, upto }, out);
    }
}
