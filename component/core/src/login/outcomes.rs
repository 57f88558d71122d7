//! How commands ended, and who is told.

use std::sync::Arc;

use viaduct_bridge::{Message, Outcome, Recipient, Reply, RoomId, Secret, Timestamp, TransactionId};

use super::Login;
use super::owner::new_key;
use super::pending::{Act, Awaiting, Pending};
use super::settings::OwnSettings;
use crate::effect::{Effects, Mark};
use crate::ns;
use crate::portal::message::Placing;
use crate::records::{OutboxRecord, Write};
use crate::stanza::{Kind, Problem, error};
use crate::xml::Xml;

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
                out.send_opt(request.done());
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
                    whom,
                    rest,
                    key,
                    then,
                },
                outcome,
            ) => {
                if let (Some((room, key)), Outcome::Accepted { .. }) = (key, &outcome) {
                    self.remember_key(&room, key, out);
                }
                if self.part_done(whom, &rest, &outcome, out)
                    && let Some(own) = then
                {
                    self.set_own(&own, out);
                }
            }
            (
                Pending::SignUp {
                    asker,
                    server,
                    password,
                },
                outcome,
            ) => match outcome {
                Outcome::Answered(reply) => {
                    if let Reply::SignedUp(reply) = *reply {
                        self.signed_up((&server, asker), password, reply, out);
                    }
                }
                Outcome::Failed(failure) => self.answer_command(asker, Err(failure.to_string()), out),
                Outcome::Accepted { .. } => {}
            },
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

    /// One of several commands of one request is done. It is answered once: by the first failure, or, if it is an IQ, at
    /// the end. Whether this was the end, and all is done.
    fn part_done(
        &mut self,
        whom: Awaiting,
        rest: &[TransactionId],
        outcome: &Outcome,
        out: &mut Effects,
    ) -> bool {
        match outcome {
            Outcome::Failed(failure) => {
                for other in rest {
                    self.pending.remove(other);
                }
                self.tell_refused(whom, &Problem::from(failure), out);
                false
            }
            Outcome::Accepted { .. } | Outcome::Answered(_) => {
                let all = !rest.iter().any(|other| self.pending.contains(other));
                if all {
                    match whom {
                        Awaiting::Stanza(request) => out.send_opt(request.done()),
                        Awaiting::Command { asker, done } => self.answer_command(asker, Ok(done), out),
                    }
                }
                all
            }
        }
    }

    /// What somebody waits for cannot be done.
    pub(super) fn tell_refused(&mut self, whom: Awaiting, problem: &Problem, out: &mut Effects) {
        match whom {
            Awaiting::Stanza(request) => out.send(request.refuse(problem)),
            Awaiting::Command { asker, .. } => {
                let text = problem.text.clone().unwrap_or_default();
                self.answer_command(asker, Err(text), out);
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

    /// Gives the network all commands of one request, if so many may wait for it. Whichever of them fails first, the
    /// request is refused once. `then` is set when all are done.
    pub(super) fn await_all(
        &mut self,
        whom: &Awaiting,
        commands: Vec<viaduct_bridge::Command>,
        then: Option<OwnSettings>,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        self.pending.room_for(commands.len(), self.ctx.most_pending)?;
        let then = then.map(Arc::new);
        let all: Vec<TransactionId> = commands.iter().filter_map(viaduct_bridge::Command::txn).collect();
        for command in &commands {
            let Some(txn) = &command.txn() else { continue };
            let rest = all.iter().copied().filter(|other| other != txn).collect();
            self.pending.insert(
                *txn,
                Pending::Part {
                    whom: whom.clone(),
                    rest,
                    key: new_key(command),
                    then: then.clone(),
                },
            );
        }
        for command in commands {
            self.submit(command, out);
        }
        Ok(())
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
