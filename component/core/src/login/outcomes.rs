//! How commands ended, and who is told.

use std::sync::Arc;

use viaduct_bridge::{Message, Name, Outcome, Recipient, RoomId, Secret, Timestamp, TransactionId};

use super::Login;
use super::asking::Inquiry;
use super::owner::new_key;
use super::register::Asker;
use super::settings::OwnSettings;
use crate::effect::{Effects, Mark};
use crate::ns;
use crate::portal::Room;
use crate::portal::message::Placing;
use crate::records::{OutboxRecord, Write};
use crate::refer::{Found, ReactionsRecord};
use crate::stanza::{Incoming, Kind, Problem, error};
use crate::xml::{Stanza, Xml};

/// A command for which the network has not answered yet.
#[derive(Debug)]
pub(crate) enum Pending {
    /// A message.
    Message {
        /// What is on record of it.
        record: Arc<OutboxRecord>,
        /// Whether the client asked for a receipt (XEP-0184).
        receipt: bool,
        /// What it is.
        act: Act,
    },
    /// A moderator takes back what somebody said.
    Moderation {
        /// The IQ.
        request: Request,
        /// Where.
        room: RoomId,
        /// What was said.
        found: Box<Found>,
        /// Why.
        reason: Option<Name>,
    },
    /// A question, and who waits for the answer.
    Question(Box<Inquiry>),
    /// A change of nickname.
    Nick {
        /// What was asked for.
        wish: Name,
        /// The presence that asked.
        request: Request,
    },
    /// A message that is no message: a change of subject.
    Stanza(Request),
    /// What a command of the user (XEP-0050, or in the chat) asked for.
    Asked {
        /// Who waits.
        asker: Asker,
        /// What they are told when it is done.
        done: String,
    },
    /// One of the commands of one stanza.
    Part {
        /// The stanza.
        request: Request,
        /// Its other commands that are not done yet.
        rest: Vec<TransactionId>,
        /// The password of a room that this command sets or takes away.
        key: Option<(RoomId, Option<Secret>)>,
        /// What the user sets beside it, when all is done.
        then: Option<Arc<OwnSettings>>,
    },
}

/// What a message of a client does.
#[derive(Debug)]
pub(crate) enum Act {
    /// It says something.
    Say,
    /// It reacts: what the reactions are then.
    React(Option<ReactionsRecord>),
    /// It takes this back.
    Retract(Box<Found>),
}

/// As much of a stanza as its answer needs.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: Kind,
    from: Name,
    to: Name,
    id: Option<String>,
}

impl Request {
    pub(super) fn of(stanza: &Incoming) -> Self {
        Self {
            kind: stanza.kind,
            from: stanza.from.as_str().into(),
            to: stanza.to.as_str().into(),
            id: stanza.id.clone(),
        }
    }

    pub(super) fn refuse(&self, problem: &Problem) -> Stanza {
        match self.kind {
            Kind::Presence => Room::presence_error(&self.to, &self.from, self.id.as_deref(), problem),
            kind => error(kind, &self.to, &self.from, self.id.as_deref(), problem),
        }
    }

    /// Begins the result of an IQ.
    pub(super) fn result(&self) -> Xml {
        let mut xml = Xml::stanza("iq", &self.to, &self.from);
        xml.attr("type", "result")
            .attr("id", self.id.as_deref().unwrap_or_default());
        xml
    }

    fn done(&self) -> Stanza {
        self.result().finish()
    }
}

impl Login {
    pub(super) fn outcome(
        &mut self,
        now: Timestamp,
        txn: TransactionId,
        outcome: Outcome,
        out: &mut Effects,
    ) {
        let Some(pending) = self.pending.remove(&txn) else {
            return;
        };
        match (pending, outcome) {
            (Pending::Message { record, receipt, act }, Outcome::Accepted { ids, at }) => {
                self.accepted(&record, (receipt, act), (at.unwrap_or(now), ids), out);
            }
            (Pending::Message { record, .. }, Outcome::Failed(failure)) => {
                self.failed.insert(txn, (record, failure));
                self.tell_failure(txn, out);
            }
            (
                Pending::Moderation {
                    request,
                    room,
                    found,
                    reason,
                },
                Outcome::Accepted { at, .. },
            ) => {
                if let (Some(room), Some(older)) = (self.rooms.get_mut(&room), &found.message) {
                    let me = room.occupant_id(&self.ctx, &room.me, room.myself());
                    let nick = room.my_nick();
                    room.moderated(older, (&nick, &me), at.unwrap_or(now), reason.as_deref(), out);
                }
                out.send(request.done());
            }
            (Pending::Moderation { request, .. }, Outcome::Failed(failure)) => {
                out.send(request.refuse(&Problem::from(&failure)));
            }
            (Pending::Nick { .. } | Pending::Stanza(_), Outcome::Accepted { .. }) => {}
            (Pending::Nick { request, .. } | Pending::Stanza(request), Outcome::Failed(failure)) => {
                out.send(request.refuse(&Problem::from(&failure)));
            }
            (Pending::Asked { asker, done }, outcome) => {
                let result = match outcome {
                    Outcome::Accepted { .. } | Outcome::Answered(_) => Ok(done),
                    Outcome::Failed(failure) => Err(failure.to_string()),
                };
                self.answer_command(asker, result, out);
            }
            (
                Pending::Part {
                    request,
                    rest,
                    key,
                    then,
                },
                outcome,
            ) => {
                if let (Some((room, key)), Outcome::Accepted { .. }) = (key, &outcome) {
                    self.remember_key(&room, key, out);
                }
                if self.part_done(&request, &rest, &outcome, out)
                    && let Some(own) = then
                {
                    self.set_own(&own, out);
                }
            }
            (Pending::Question(inquiry), outcome) => self.answered(now, *inquiry, outcome, out),
            (
                Pending::Message { .. }
                | Pending::Moderation { .. }
                | Pending::Nick { .. }
                | Pending::Stanza(_),
                Outcome::Answered(_),
            ) => {}
        }
    }

    /// One of several commands of one stanza is done. It is answered once: by the first failure, or, if it is an IQ, at
    /// the end. Whether this was the end, and all is done.
    fn part_done(
        &mut self,
        request: &Request,
        rest: &[TransactionId],
        outcome: &Outcome,
        out: &mut Effects,
    ) -> bool {
        match outcome {
            Outcome::Failed(failure) => {
                for other in rest {
                    self.pending.remove(other);
                }
                out.send(request.refuse(&Problem::from(failure)));
                false
            }
            Outcome::Accepted { .. } | Outcome::Answered(_) => {
                let all = !rest.iter().any(|other| self.pending.contains_key(other));
                // Of a message that was done nothing is said.
                if all && request.kind == Kind::Iq {
                    out.send(request.done());
                }
                all
            }
        }
    }

    /// The room has another password: the next join needs it.
    fn remember_key(&mut self, room: &RoomId, key: Option<Secret>, out: &mut Effects) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.key = key;
            if room.recorded {
                out.write(room.record());
            }
        }
    }

    /// Waits for all commands of one stanza. `then` is set when all are done.
    pub(super) fn await_all(
        &mut self,
        stanza: &Incoming,
        commands: Vec<viaduct_bridge::Command>,
        then: Option<OwnSettings>,
        out: &mut Effects,
    ) {
        let then = then.map(Arc::new);
        let all: Vec<TransactionId> = commands.iter().filter_map(viaduct_bridge::Command::txn).collect();
        for command in &commands {
            let Some(txn) = &command.txn() else { continue };
            let rest = all.iter().copied().filter(|other| other != txn).collect();
            self.pending.insert(
                *txn,
                Pending::Part {
                    request: Request::of(stanza),
                    rest,
                    key: new_key(command),
                    then: then.clone(),
                },
            );
        }
        for command in commands {
            self.submit(command, out);
        }
    }

    /// The network shows the user's own message: that is its acceptance, and its place.
    pub(super) fn echoed(&mut self, txn: TransactionId, message: &Message, out: &mut Effects) {
        if let Some(Pending::Message { record, receipt, act }) = self.pending.remove(&txn) {
            self.accepted(&record, (receipt, act), (message.at, message.ids.clone()), out);
        }
    }

    pub(super) fn accepted(
        &mut self,
        record: &OutboxRecord,
        (receipt, act): (bool, Act),
        (at, ids): (Timestamp, Vec<viaduct_bridge::MessageId>),
        out: &mut Effects,
    ) {
        if let Act::React(Some(reactions)) = &act {
            out.write(Write::Reactions(Box::new(reactions.clone())));
        }
        match &record.to {
            Recipient::Room(id) => {
                if let Some(room) = self.rooms.get_mut(id) {
                    let placing = Placing {
                        at,
                        sender: room.me.clone(),
                        nick: room.my_nick(),
                        payload: record.payload.clone(),
                        ids,
                        client_id: record.client_id.clone(),
                        late: false,
                    };
                    let placed = room.place(&self.ctx, placing, out);
                    if let Act::Retract(found) = &act
                        && let Some(older) = &found.message
                    {
                        room.bury(older, &placed, None, out);
                    }
                }
            }
            Recipient::Person(person) if matches!(act, Act::Say) => {
                self.said_to(person, record, (&ids, at), out);
                if receipt {
                    self.send_receipt(record, out);
                }
            }
            Recipient::Person(_) if receipt => self.send_receipt(record, out),
            Recipient::Person(_) => {}
        }
        out.write(Write::Settled {
            login: self.id,
            txn: record.txn,
        });
    }

    fn send_receipt(&self, record: &OutboxRecord, out: &mut Effects) {
        let to = format!("{}/{}", self.bare, record.resource);
        let mut xml = Xml::stanza("message", &record.addressed, &to);
        xml.attr("id", &self.ctx.token());
        xml.start_ns("received", ns::RECEIPTS)
            .attr_opt("id", record.client_id.as_deref());
        out.send(xml.finish());
    }

    /// Tells the sender of a message that it was not carried. It stays on record until the sender's server has
    /// processed that.
    pub(super) fn tell_failure(&self, txn: TransactionId, out: &mut Effects) {
        if !self.attached {
            return;
        }
        let Some((record, failure)) = self.failed.get(&txn) else {
            return;
        };
        let to = format!("{}/{}", self.bare, record.resource);
        let problem = Problem::from(failure);
        let stanza = error(
            Kind::Message,
            &record.addressed,
            &to,
            record.client_id.as_deref(),
            &problem,
        );
        out.send_marked(stanza, Mark::Failure { txn });
    }
}
