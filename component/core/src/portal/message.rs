//! Messages to everybody in the room (XEP-0045 §7.4), in both directions.

use std::sync::Arc;

use viaduct_bridge::{MessageId, Name, Timestamp};

use super::Room;
use crate::context::Context;
use crate::effect::Effects;
use crate::payload;
use crate::records::{MessageRecord, Said, Write, archive_id};
use crate::refer::{AliasRecord, Found};
use crate::relation;
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
    /// The network's ids: several where it was carried in parts.
    pub ids: Vec<MessageId>,
    /// The `id` that the user's client gave it.
    pub client_id: Option<Name>,
    /// Whether it was said some time ago, and clients are to see when.
    pub late: bool,
}

impl Room {
    /// Gives a message its place, and reflects it to everybody who is there.
    pub fn place(&mut self, ctx: &Context, placing: Placing, out: &mut Effects) -> MessageRecord {
        self.typed(&placing.sender);
        let occupant = self.occupants.get(&placing.sender);
        let said = Said {
            occupant: self.occupant_id(ctx, &placing.sender, occupant),
            nick: placing.nick,
            payload: placing.payload,
        };
        let when = if placing.late {
            render::When::Delayed
        } else {
            render::When::Live
        };
        self.place_said(placing.at, said, (placing.ids, placing.client_id), when, out)
    }

    /// As [`Room::place`], with everything that is shown given.
    pub(super) fn place_said(
        &mut self,
        at: Timestamp,
        said: Said,
        (ids, client_id): (Vec<MessageId>, Option<Name>),
        when: render::When,
        out: &mut Effects,
    ) -> MessageRecord {
        self.last = self.last.next();
        self.last_at = self.last_at.max(at);
        let mut ids = ids.into_iter();
        let record = MessageRecord {
            portal: self.id,
            position: self.last,
            at: self.last_at,
            said: Arc::new(said),
            remote: ids.next(),
            client_id,
        };
        out.write(Write::Message(Box::new(record.clone())));
        // Where no archive is wanted, nothing of the message stays that could be referred to.
        let parts = (1..).zip(ids).filter(|_| self.chosen.history);
        for (part, remote) in parts {
            out.write(Write::Alias(Box::new(AliasRecord {
                portal: self.id,
                remote,
                known: archive_id(&record),
                part,
                at: record.at,
                mine: false,
            })));
        }
        if self.joined.is_empty() {
            self.forget_seen(out);
        }
        if self.shown.is_some() {
            return record;
        }
        for joined in self.joined.iter().filter(|joined| joined.live) {
            let stanza = render::groupchat(&record, &self.jid, &joined.jid, when);
            out.send_marked(stanza, self.mark(&joined.resource, self.last));
        }
        record
    }

    /// Whether what was said then must be taken as told: where no archive is kept, its time is all that there is to
    /// know it by. What was said before the room was known is none of what was missed then.
    fn was_told(&self, at: Timestamp) -> bool {
        !self.chosen.history && (self.told_upto.0 == 0 || at <= self.told_upto)
    }

    /// Somebody on the network said something. Clients may be asked to tell when it was read.
    pub fn said(
        &mut self,
        ctx: &Context,
        message: &viaduct_bridge::Message,
        (found, markable): (Option<&Found>, bool),
        out: &mut Effects,
    ) {
        if !self.recorded || message.missed && (found.is_some() || self.was_told(message.at)) {
            return;
        }
        // The message that was looked up for a missed one would have been itself.
        let mut payload = payload::from_network(&message.content);
        if message.relation.is_some() {
            payload += &self.relation_payload(ctx, message, found);
        }
        if markable && message.sender != self.me {
            payload += &relation::markable();
        }
        let placing = Placing {
            at: message.at,
            sender: message.sender.clone(),
            nick: message.nick.clone(),
            payload: payload.into(),
            ids: message.ids.clone(),
            client_id: None,
            late: message.missed,
        };
        self.place(ctx, placing, out);
    }
}
