//! What refers to older messages of a direct chat. Its archive is the user's server's, so nothing is buried here: clients
//! and that server do it, when they are told.

use viaduct_bridge::{MessageId, PersonId, Reaction, Relation, Retraction, Timestamp};

use super::Login;
use super::chats::Heard;
use crate::effect::Effects;
use crate::payload;
use crate::records::{OutboxRecord, Write};
use crate::refer::{Found, ME, ReactionsRecord, THEM};
use crate::relation;

impl Login {
    /// To which message something refers that a person said.
    pub(super) fn chat_relation(
        &self,
        person: &PersonId,
        relation: &Relation<MessageId>,
        found: &Found,
    ) -> String {
        match relation {
            Relation::Reply(_) => {
                let jid = self.chats.get(person).map(|chat| chat.jid.clone());
                let author = if found.mine { Some(self.bare.clone()) } else { jid };
                author.map_or_else(String::new, |author| relation::reply(&author, &found.known))
            }
            // Nobody corrects what the user said.
            Relation::Correction(_) if found.mine => String::new(),
            Relation::Correction(_) => relation::replace(&found.known),
        }
    }

    /// A person (or the user, elsewhere) reacted to a message.
    pub(super) fn chat_reacted(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        reaction: &Reaction,
        out: &mut Effects,
    ) {
        let (Some(found), Some(portal)) = (self.found.take(), self.chats.get(person).map(|chat| chat.id))
        else {
            return;
        };
        let theirs = reaction.sender == person.person;
        let (texts, words) = relation::reacted(&found.reactions, reaction);
        let mut payloads = Vec::new();
        if texts != found.reactions {
            payloads.push(relation::reactions_payload(&found.known, &texts));
            out.write(Write::Reactions(Box::new(ReactionsRecord {
                portal,
                known: found.known.clone(),
                sender: if theirs { THEM } else { ME }.into(),
                texts,
            })));
        }
        // What is no emoji cannot be shown as a reaction (XEP-0444 §3.1), so it is said.
        for text in words {
            let said = payload::from_network(&viaduct_bridge::Content::plain(text.clone()));
            let of = Relation::Reply(reaction.of.clone());
            payloads.push(said + &self.chat_relation(person, &of, &found));
        }
        // What the user did elsewhere is not told as if the other had done it.
        for payload in payloads.into_iter().filter(|_| theirs) {
            let heard = Heard {
                nick: &reaction.nick,
                at: reaction.at,
                payload,
                ids: &[],
            };
            self.chat_heard(now, person, &heard, out);
        }
    }

    /// A person took back what they had said.
    pub(super) fn chat_retracted(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        retraction: &Retraction,
        out: &mut Effects,
    ) {
        let theirs = |found: &Found| !found.mine && retraction.by == person.person;
        let Some(found) = self.found.take().filter(theirs) else {
            return;
        };
        let heard = Heard {
            nick: &retraction.nick,
            at: retraction.at,
            payload: relation::retract(&found.known, None),
            ids: &[],
        };
        self.chat_heard(now, person, &heard, out);
    }

    /// The network took what the user said to a person: its ids are kept, so that either can refer to it.
    pub(super) fn said_to(
        &mut self,
        person: &PersonId,
        record: &OutboxRecord,
        (ids, at): (&[MessageId], Timestamp),
        out: &mut Effects,
    ) {
        let Some(known) = record.client_id.as_ref().filter(|_| !ids.is_empty()) else {
            return;
        };
        if self.relations(&person.server) == viaduct_bridge::Relations::NONE {
            return;
        }
        let portal = self.recorded_chat(person, out).id;
        self.note_ids((person, portal), known, (ids, at), true, out);
    }
}
