//! A room has another name on the network: clients are told where it is now (XEP-0045 §10.9), and its archive goes on there.

use viaduct_bridge::{Name, RoomId};

use super::occupants::Occupants;
use super::{Place, Room};
use crate::effect::Effects;
use crate::ns;
use crate::records::Write;
use crate::xml::Xml;

impl Room {
    /// Tells everybody who is in that the room is to be found under another JID, and takes them out.
    pub fn destroyed(&mut self, new: &str, reason: Option<&str>, out: &mut Effects) {
        self.place = Place::Outside;
        for joined in std::mem::take(&mut self.joined) {
            out.write(Write::Left {
                portal: self.id,
                resource: joined.resource.clone(),
            });
            let mut xml = Xml::stanza("presence", &self.occupant_jid(&joined.nick), &joined.jid);
            xml.attr("type", "unavailable").start_ns("x", ns::MUC_USER);
            xml.start("item")
                .attr("affiliation", "none")
                .attr("role", "none")
                .end();
            xml.start("destroy").attr("jid", new);
            if let Some(reason) = reason {
                xml.leaf("reason", reason);
            }
            xml.end();
            xml.start("status")
                .attr("code", super::presence::status::SELF)
                .end();
            out.send(xml.finish());
        }
        self.shown = None;
        self.unconfirmed.clear();
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
