//! What refers to older messages of a room: how it is shown, and what becomes of those messages in the archive.

use std::sync::Arc;

use viaduct_bridge::{Name, Reaction, Relation, Retraction, Timestamp};

use super::Room;
use super::message::Placing;
use crate::context::Context;
use crate::effect::Effects;
use crate::payload;
use crate::records::{MessageRecord, Said, Write, archive_id};
use crate::refer::{Found, ReactionsRecord};
use crate::relation::{self, Moderated};
use crate::render::When;

impl Room {
    /// Whether the user said this.
    #[must_use]
    pub fn is_mine(&self, ctx: &Context, message: &MessageRecord) -> bool {
        message.client_id.is_some() || message.said.occupant == self.occupant_id(ctx, &self.me, self.myself())
    }

    /// The elements that say to which message a new one refers; nothing where that one is not known.
    pub(super) fn relation_payload(
        &self,
        ctx: &Context,
        message: &viaduct_bridge::Message,
        found: Option<&Found>,
    ) -> String {
        let (Some(relation), Some(older)) =
            (&message.relation, found.and_then(|found| found.message.as_ref()))
        else {
            return String::new();
        };
        match relation {
            Relation::Reply(_) => {
                let author = relation::occupant_jid(&self.jid, &older.said.nick);
                relation::reply(&author, &archive_id(older))
            }
            Relation::Correction(_) => {
                let author = self.occupant_id(ctx, &message.sender, self.occupants.get(&message.sender));
                if older.said.occupant != author {
                    return String::new();
                }
                // Corrections refer to the id of the stanza, not to that of the archive (XEP-0308 §3).
                relation::replace(&older.client_id.clone().unwrap_or_else(|| archive_id(older)))
            }
        }
    }

    /// Somebody reacted to a message, or took a reaction back.
    pub fn reacted(&mut self, ctx: &Context, reaction: &Reaction, found: Option<&Found>, out: &mut Effects) {
        let Some(found) = found.filter(|_| self.recorded) else {
            return;
        };
        let gone = |message: &MessageRecord| relation::is_tombstone(&message.said.payload);
        if found.message.as_ref().is_none_or(gone) {
            return;
        }
        let (texts, words) = relation::reacted(&found.reactions, reaction);
        if texts != found.reactions {
            let payload = relation::reactions_payload(&found.known, &texts);
            let sender = self.occupant_id(ctx, &reaction.sender, self.occupants.get(&reaction.sender));
            if self.chosen.history {
                out.write(Write::Reactions(Box::new(ReactionsRecord {
                    portal: self.id,
                    known: found.known.clone(),
                    sender,
                    texts,
                })));
            }
            self.place(ctx, placing(reaction, payload), out);
        }
        // What is no emoji cannot be shown as a reaction (XEP-0444 §3.1), so it is said.
        for text in words {
            let content = viaduct_bridge::Content::plain(text.clone());
            let mut payload = payload::from_network(&content);
            if let Some(older) = &found.message {
                let author = relation::occupant_jid(&self.jid, &older.said.nick);
                payload += &relation::reply(&author, &found.known);
            }
            self.place(ctx, placing(reaction, payload), out);
        }
    }

    /// Somebody on the network took back a message: their own, or as a moderator somebody else's.
    pub fn retracted(
        &mut self,
        ctx: &Context,
        retraction: &Retraction,
        found: Option<&Found>,
        out: &mut Effects,
    ) {
        let Some(older) = found.and_then(|found| found.message.as_ref()) else {
            return;
        };
        if !self.recorded || relation::is_tombstone(&older.said.payload) {
            return;
        }
        let by = self.occupant_id(ctx, &retraction.by, self.occupants.get(&retraction.by));
        if older.said.occupant == by {
            let placing = Placing {
                at: retraction.at,
                sender: retraction.by.clone(),
                nick: retraction.nick.clone(),
                payload: relation::retract(&archive_id(older), None).into(),
                ids: Vec::new(),
                client_id: None,
                late: false,
            };
            let placed = self.place(ctx, placing, out);
            self.bury(older, &placed, None, out);
        } else {
            let who = (&retraction.nick, &by);
            self.moderated(older, who, retraction.at, retraction.reason.as_deref(), out);
        }
    }

    /// A moderator took back what somebody said: the room itself tells (XEP-0425 §3.1).
    pub fn moderated(
        &mut self,
        older: &MessageRecord,
        (nick, occupant): (&Name, &Name),
        at: Timestamp,
        reason: Option<&str>,
        out: &mut Effects,
    ) {
        let by = relation::occupant_jid(&self.jid, nick);
        let moderated = Moderated {
            by: &by,
            occupant,
            reason,
        };
        let said = Said {
            nick: "".into(),
            occupant: "".into(),
            payload: relation::retract(&archive_id(older), Some(moderated)).into(),
        };
        let placed = self.place_said(at, said, (Vec::new(), None), When::Live, out);
        self.bury(older, &placed, Some(moderated), out);
    }

    /// Leaves nothing of a message but that it was there.
    pub fn bury(
        &self,
        older: &MessageRecord,
        retraction: &MessageRecord,
        moderated: Option<Moderated<'_>>,
        out: &mut Effects,
    ) {
        let id = retraction
            .client_id
            .clone()
            .unwrap_or_else(|| archive_id(retraction));
        let said = Said {
            payload: relation::tombstone(retraction.at, &id, moderated).into(),
            ..(*older.said).clone()
        };
        out.write(Write::Retracted(Box::new(MessageRecord {
            said: Arc::new(said),
            ..older.clone()
        })));
    }
}

fn placing(reaction: &Reaction, payload: String) -> Placing {
    Placing {
        at: reaction.at,
        sender: reaction.sender.clone(),
        nick: reaction.nick.clone(),
        payload: payload.into(),
        ids: Vec::new(),
        client_id: None,
        late: false,
    }
}
