//! Messages to everybody in the room (XEP-0045 §7.4), in both directions.

use std::sync::Arc;

use viaduct_bridge::{MessageId, Name, Timestamp};

use super::Room;
use crate::context::Context;
use crate::effect::Effects;
use crate::payload;
use crate::records::{MessageRecord, Said, Write};
use crate::render;

/// A message that is to get its place.
#[derive(Clone, Debug)]
pub struct Placing {
    /// When it was said.
    pub at: Timestamp,
    /// Who said it, folded.
    pub sender: Name,
    /// Who said it, for display.
    pub nick: Name,
    /// The payload.
    pub payload: Name,
    /// The network's id.
    pub remote: Option<MessageId>,
    /// The `id` that the user's client gave it.
    pub client_id: Option<Name>,
}

impl Room {
    /// Gives a message its place, and reflects it to everybody who is there.
    pub fn place(&mut self, ctx: &Context, placing: Placing, out: &mut Effects) {
        let occupant = self.occupants.get(&placing.sender);
        let occupant_id = self.occupant_id(ctx, &placing.sender, occupant);
        self.last = self.last.next();
        self.last_at = self.last_at.max(placing.at);
        let record = MessageRecord {
            portal: self.id,
            position: self.last,
            at: self.last_at,
            said: Arc::new(Said {
                nick: placing.nick,
                occupant: occupant_id,
                payload: placing.payload,
            }),
            remote: placing.remote,
            client_id: placing.client_id,
        };
        out.write(Write::Message(Box::new(record.clone())));
        if self.joined.is_empty() {
            self.forget_seen(out);
        }
        if self.shown.is_some() {
            return;
        }
        for joined in self.joined.iter().filter(|joined| joined.live) {
            let stanza = render::groupchat(&record, &self.jid, &joined.jid, render::When::Live);
            out.send_marked(stanza, self.mark(&joined.resource, self.last));
        }
    }

    /// Somebody on the network said something.
    pub fn said(&mut self, ctx: &Context, message: &viaduct_bridge::Message, out: &mut Effects) {
        if !self.recorded {
            return;
        }
        let placing = Placing {
            at: message.at,
            sender: message.sender.clone(),
            nick: message.nick.clone(),
            payload: payload::from_network(&message.content).into(),
            remote: message.ids.first().cloned(),
            client_id: None,
        };
        self.place(ctx, placing, out);
    }
}
