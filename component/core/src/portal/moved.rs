//! A room has another name on the network: clients are told where it is now (XEP-0045 §10.9), and its archive goes on there.

use viaduct_bridge::{Name, RoomId};

use super::occupants::Occupants;
use super::{Place, Room};
use crate::effect::Effects;

impl Room {
    /// Tells everybody who is in that the room is to be found under another JID, and takes them out.
    pub fn moved(&mut self, new: &str, reason: Option<&str>, out: &mut Effects) {
        self.place = Place::Outside;
        self.destroyed(Some(new), reason, out);
        self.typists.clear();
        self.occupants = Occupants::default();
    }

    /// The room goes on under another name, with all that was said in it.
    pub fn renamed_to(&mut self, to: RoomId, jid: Name, out: &mut Effects) {
        self.local = jid.split('@').next().unwrap_or_default().into();
        self.jid = jid;
        self.room = to;
        if self.recorded {
            out.write(self.record());
        }
    }
}
