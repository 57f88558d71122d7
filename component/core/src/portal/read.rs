//! What the user has read of a room with another client of the network: the user's clients are shown it as a marker of
//! the user's own occupant (XEP-0333 §4.2, with the stanza-id of the room). Never archived.

use viaduct_bridge::Timestamp;

use super::Room;
use crate::context::Context;
use crate::effect::Effects;
use crate::ns;
use crate::records::archive_id;
use crate::refer::Found;
use crate::xml::Xml;

impl Room {
    /// The user has read everything up to here, of which this is the newest message.
    pub fn read_elsewhere(
        &mut self,
        ctx: &Context,
        upto: Timestamp,
        newest: Option<&Found>,
        out: &mut Effects,
    ) {
        if upto <= self.read_upto {
            return;
        }
        self.read_upto = upto;
        let Some(message) = newest.and_then(|found| found.message.as_ref()) else {
            return;
        };
        if !self.is_in_step() {
            return;
        }
        let (from, id) = (self.occupant_jid(&self.my_nick()), archive_id(message));
        for joined in self.joined.iter().filter(|joined| joined.live) {
            let mut xml = Xml::stanza("message", &from, &joined.jid);
            xml.attr("type", "groupchat").attr("id", &ctx.token());
            xml.start_ns("displayed", ns::MARKERS).attr("id", &id).end();
            xml.empty("no-store", ns::HINTS);
            out.send(xml.finish());
        }
    }
}
