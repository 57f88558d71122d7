//! What refers to older messages, from the user's clients: which message they mean, and what becomes of it.

use std::sync::Arc;

use viaduct_bridge::{
    Command, Level, Name, PersonId, Recipient, Relation, Relations, RoomId, ServerId, Target, Timestamp,
};

use super::Login;
use super::pending::{Act, Pending, Request};
use crate::effect::Effects;
use crate::ns;
use crate::payload;
use crate::portal::Place;
use crate::records::{OutboxRecord, PortalId, Write};
use crate::refer::{AliasRecord, Found, ME, ReactionsRecord};
use crate::relation::{self, Asked, Wish};
use crate::stanza::{Condition, Incoming, Problem};

impl Login {
    /// What messages can be referred to with on a server.
    pub(crate) fn relations(&self, server: &ServerId) -> Relations {
        let told = self.servers.get(server).and_then(|server| server.relations);
        told.unwrap_or_else(|| self.ctx.bridge.capabilities().relations.certain())
    }

    /// Does what a message of a client wants of an older one, if that is all that it wants. False if the message is to be
    /// said, with or without a relation.
    pub(super) fn act_on(&mut self, to: &Recipient, stanza: &Incoming, out: &mut Effects) -> bool {
        let Some(asked) = relation::asked(stanza) else {
            return false;
        };
        let done = match asked.what {
            Wish::React => self.react(to, &asked, stanza, out),
            Wish::Retract => self.retract(to, &asked, stanza, out),
            Wish::Read => {
                self.mark_read(to, out);
                Ok(())
            }
            Wish::Reply | Wish::Correct | Wish::Moderate => return false,
        };
        if let Err(problem) = done {
            out.send_opt(stanza.error(&problem));
        }
        true
    }

    fn react(
        &mut self,
        to: &Recipient,
        asked: &Asked,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        offered(self.relations(to.server()).reactions, "Reactions")?;
        let wanted = relation::reactions(stanza)?;
        let found = self.known(to, asked)?;
        let missing = |from: &[Name], of: &[Name]| -> Vec<Name> {
            of.iter().filter(|text| !from.contains(text)).cloned().collect()
        };
        let (add, remove) = (
            missing(&found.reactions, &wanted),
            missing(&wanted, &found.reactions),
        );
        let sender = match to {
            Recipient::Room(id) => self
                .rooms
                .get(id)
                .map(|room| room.occupant_id(&self.ctx, &room.me, room.myself())),
            Recipient::Person(_) => None,
        };
        let kept = match to {
            Recipient::Room(id) => self.chosen_in(id).history,
            Recipient::Person(_) => true,
        };
        let reactions = self.portal_of(to).filter(|_| kept).map(|portal| ReactionsRecord {
            portal,
            known: found.known.clone(),
            sender: sender.unwrap_or_else(|| ME.into()),
            texts: wanted,
        });
        let unchanged = add.is_empty() && remove.is_empty();
        let target = Box::new(target(&found));
        let (record, act) = (self.outbox_record(to, stanza)?, Act::React(reactions));
        if unchanged {
            // The network has nothing to do; the room still answers.
            let at = Timestamp(0);
            self.accepted(&record, (false, act), (at, Vec::new()), out);
            return Ok(());
        }
        let (txn, to) = (record.txn, to.clone());
        self.begin(record, act, stanza, out);
        self.submit(
            Command::React {
                txn,
                to,
                target,
                add,
                remove,
            },
            out,
        );
        Ok(())
    }

    fn retract(
        &mut self,
        to: &Recipient,
        asked: &Asked,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        offered(self.relations(to.server()).retractions, "Retractions")?;
        let found = self.known(to, asked)?;
        let mine = match (to, &found.message) {
            (Recipient::Room(id), Some(message)) => self
                .rooms
                .get(id)
                .is_some_and(|room| room.is_mine(&self.ctx, message)),
            _ => found.mine,
        };
        if !mine {
            let text = "Only the author of a message can take it back. Moderators moderate it instead.";
            return Err(Problem::because(Condition::Forbidden, text));
        }
        let target = Box::new(target(&found));
        let record = self.outbox_record(to, stanza)?;
        let (txn, to) = (record.txn, to.clone());
        self.begin(record, Act::Retract(Box::new(found)), stanza, out);
        self.submit(
            Command::Retract {
                txn,
                to,
                target,
                reason: None,
            },
            out,
        );
        Ok(())
    }

    /// A moderator takes back what somebody said (XEP-0425 §3).
    pub(super) fn moderate_iq(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        if let Err(problem) = self.moderate(id, stanza, out) {
            out.send_opt(stanza.error(&problem));
        }
    }

    fn moderate(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) -> Result<(), Problem> {
        let outside = || Problem::because(Condition::Forbidden, "Only people in the room may do this.");
        let room = self.rooms.get(id).ok_or_else(outside)?;
        room.joined(&stanza.resource()).ok_or_else(outside)?;
        if room.place != Place::Inside {
            let text = format!("There is no connection to {} at the moment.", id.server);
            return Err(Problem::because(Condition::RemoteServerTimeout, text));
        }
        if room.myself().is_none_or(|me| me.role(true) != "moderator") {
            let text = "Only moderators may take back what others said.";
            return Err(Problem::because(Condition::Forbidden, text));
        }
        offered(self.relations(&id.server).moderation, "Moderation of messages")?;
        let payload = stanza
            .payload()
            .filter(|payload| payload.has_child("retract", ns::RETRACT) && stanza.ty() == "set");
        let (Some(payload), Some(asked)) = (payload, relation::asked(stanza)) else {
            return Err(Problem::new(Condition::BadRequest));
        };
        let found = self.known(&Recipient::Room(id.clone()), &asked)?;
        self.pending.room_for(1, self.ctx.most_pending)?;
        let reason = payload
            .get_child("reason", ns::MODERATE)
            .map(|reason| Name::from(reason.text().trim()))
            .filter(|reason| !reason.is_empty());
        let txn = self.ctx.ids.txn();
        let target = Box::new(target(&found));
        self.pending.insert(
            txn,
            Pending::Moderation {
                request: Request::of(stanza),
                room: id.clone(),
                found: Box::new(found),
                reason: reason.clone(),
            },
        );
        let to = Recipient::Room(id.clone());
        self.submit(
            Command::Retract {
                txn,
                to,
                target,
                reason,
            },
            out,
        );
        Ok(())
    }

    /// The message that is meant, with at least one id of the network.
    fn known(&mut self, to: &Recipient, asked: &Asked) -> Result<Found, Problem> {
        let Some(found) = self.found.take() else {
            let waits = self.pending.iter().any(|pending| {
                matches!(pending, Pending::Message { record, .. }
                    if record.to == *to && record.client_id.as_ref() == Some(&asked.id))
            });
            return Err(if waits {
                let text = "The network has not confirmed that message yet. Try again in a moment.";
                Problem::because(Condition::ResourceConstraint, text)
            } else {
                Problem::because(Condition::ItemNotFound, "There is no such message here.")
            });
        };
        let taken_back = found
            .message
            .as_ref()
            .is_some_and(|message| relation::is_tombstone(&message.said.payload));
        if taken_back {
            return Err(Problem::because(
                Condition::ItemNotFound,
                "That message was taken back.",
            ));
        }
        if found.ids.is_empty() {
            let text = "The network has no name for that message, so nothing can refer to it.";
            return Err(Problem::because(Condition::NotAcceptable, text));
        }
        Ok(found)
    }

    /// How a message that is said refers to an older one, as far as the network can carry it.
    pub(super) fn relation_of(&mut self, to: &Recipient, stanza: &Incoming) -> Option<Relation<Target>> {
        let asked = relation::asked(stanza)?;
        let able = self.relations(to.server());
        let (level, make): (Level, fn(Target) -> Relation<Target>) = match asked.what {
            Wish::Reply => (able.replies, Relation::Reply),
            Wish::Correct => (able.corrections, Relation::Correction),
            Wish::React | Wish::Retract | Wish::Moderate | Wish::Read => return None,
        };
        if level < Level::Partial {
            return None;
        }
        // What is not known or has no name on the network is said with the words that stand in for the relation.
        let found = self.known(to, &asked).ok()?;
        Some(make(target(&found)))
    }

    fn portal_of(&self, to: &Recipient) -> Option<PortalId> {
        match to {
            Recipient::Room(id) => self.rooms.get(id).map(|room| room.id),
            Recipient::Person(person) => self.chats.get(person).map(|chat| chat.id),
        }
    }

    /// What is on record of a relation that says nothing, until the network has answered.
    fn outbox_record(&self, to: &Recipient, stanza: &Incoming) -> Result<OutboxRecord, Problem> {
        self.pending.room_for(1, self.ctx.most_pending)?;
        Ok(OutboxRecord {
            txn: self.ctx.ids.txn(),
            login: self.id,
            to: to.clone(),
            resource: stanza.resource(),
            addressed: stanza.to.as_str().into(),
            client_id: stanza.id.as_deref().map(Name::from),
            payload: payload::reflected(&stanza.element).into(),
            content: viaduct_bridge::Content::plain(""),
        })
    }

    fn begin(&mut self, record: OutboxRecord, act: Act, stanza: &Incoming, out: &mut Effects) {
        self.ensure_recorded(out);
        let record = Arc::new(record);
        out.write(Write::Outbox(Arc::clone(&record)));
        let receipt = stanza.element.has_child("request", ns::RECEIPTS);
        self.pending
            .insert(record.txn, Pending::Message { record, receipt, act });
    }

    /// Remembers the network's ids of a message of a direct chat, where anything could refer to it.
    pub(super) fn note_ids(
        &self,
        (person, portal): (&PersonId, PortalId),
        known: &Name,
        (ids, at): (&[viaduct_bridge::MessageId], Timestamp),
        mine: bool,
        out: &mut Effects,
    ) {
        if ids.is_empty() || self.relations(&person.server) == Relations::NONE {
            return;
        }
        for (part, id) in (0..).zip(ids) {
            out.write(Write::Alias(Box::new(AliasRecord {
                portal,
                remote: id.clone(),
                known: known.clone(),
                part,
                at,
                mine,
            })));
        }
    }
}

fn target(found: &Found) -> Target {
    Target {
        ids: found.ids.clone(),
        at: found.at,
    }
}

fn offered(level: Level, what: &str) -> Result<(), Problem> {
    if level >= Level::Partial {
        return Ok(());
    }
    let text = format!("{what} cannot be carried to this server.");
    Err(Problem::because(Condition::NotAcceptable, text))
}
