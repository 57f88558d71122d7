//! What a session's commands do, and how each is answered.

use super::address::fold;
use super::link::{Link, Place, SessionId, State, failed, not_connected};
use super::server::{Receipt, Server};
use super::settings::Echo;
use super::world::Seat;
use crate::capability::Level;
use crate::command::{Command, Recipient};
use crate::event::{Departure, Message, Outcome, PersonEvent, RemoteEvent, RoomEvent, ServerEvent};
use crate::failure::Failure;
use crate::ids::{Name, PersonId, RoomId, TransactionId};
use crate::relation::{Relation, Target};
use crate::text::Content;

impl Server {
    /// Takes a command from a session.
    pub(super) fn take(&mut self, session: SessionId, seat: &Seat, command: Command) {
        match self.links.get_mut(&session) {
            None => return self.take_first(session, seat, command),
            Some(link) if link.state == State::Lost => return self.remember(session, command),
            Some(link) => link.taken.push_back(command),
        }
        self.work(session);
    }

    /// Takes a command from a session that is not connected: some ask for a connection, others come too early.
    fn take_first(&mut self, session: SessionId, seat: &Seat, command: Command) {
        let (Command::Connect { nick, .. }
        | Command::Join { nick, .. }
        | Command::Send { nick, .. }
        | Command::Ask { nick: Some(nick), .. }) = &command
        else {
            return self.take_unconnected(seat, command);
        };
        let mut link = Link::new(seat, nick.clone());
        if !matches!(command, Command::Connect { .. }) {
            link.taken.push_back(command);
        }
        self.links.insert(session, link);
        self.report(session, ServerEvent::Connecting);
        self.work(session);
    }

    /// What is asked of a server that the session is not connected to.
    fn take_unconnected(&self, seat: &Seat, command: Command) {
        let failure = not_connected(self.id.as_str());
        if let Some(answer) = refusal(command, &failure) {
            seat.outbox.push(answer);
        }
    }

    /// Does everything that has been taken, unless the server is frozen.
    pub(super) fn work(&mut self, session: SessionId) {
        if self.faults.frozen {
            return;
        }
        if self
            .links
            .get(&session)
            .is_some_and(|link| link.state == State::New)
        {
            self.connect(session);
        }
        while let Some(command) = self
            .links
            .get_mut(&session)
            .and_then(|link| link.taken.pop_front())
        {
            self.run(session, command);
        }
    }

    /// What is asked while the connection is lost: kept where it is a wish for later, refused where it is not.
    pub(super) fn remember(&mut self, session: SessionId, command: Command) {
        let Some(link) = self.links.get_mut(&session) else {
            return;
        };
        match command {
            Command::Connect { .. } => self.reconnect(session),
            Command::Disconnect { reason, .. } => self.disconnect(session, reason),
            Command::SetAway { text } => link.away = text,
            Command::Join { room, key, .. } => {
                let place = link.rooms.entry(room.room).or_default();
                place.key = key.or(place.key.take());
            }
            Command::Leave { room, .. } => {
                link.rooms.remove(&room.room);
                link.notice(left(room));
            }
            other => {
                let failure = Failure::Transient {
                    retry_after: Some(self.settings.retry_in),
                    reason: format!("the connection to {} is lost", self.id),
                };
                if let Some(answer) = refusal(other, &failure) {
                    link.notice(answer);
                }
            }
        }
    }

    /// Does one command of a session that is online.
    fn run(&mut self, session: SessionId, command: Command) {
        let Some(State::Online(me)) = self.links.get(&session).map(|link| link.state.clone()) else {
            return;
        };
        if let Some(failure) = self.objection(&command) {
            if let Some(answer) = refusal(command, &failure) {
                self.tell(&me, answer);
            }
            return;
        }
        match command {
            Command::Connect { .. } => {
                let (nick, warning) = (self.nick(&me), None);
                self.report(session, ServerEvent::Online { nick, me, warning });
            }
            Command::Disconnect { reason, .. } => self.disconnect(session, reason),
            Command::Join { room, key, .. } => {
                let place = Place::with_key(key);
                self.join(session, &me, &room.room, place);
            }
            Command::Leave { room, reason } => {
                if self.leave(&me, &room.room, reason).is_err() {
                    self.tell(&me, left(room));
                }
            }
            Command::Send {
                txn,
                to,
                content,
                relation,
                ..
            } => self.send(session, &me, txn, to, (content, relation)),
            Command::React {
                txn,
                to,
                target,
                add,
                remove,
            } => {
                let done = self.react(&me, &to, &target, (add, remove));
                self.settle(session, txn, done);
            }
            Command::Retract {
                txn,
                to,
                target,
                reason,
            } => {
                let done = self.retract(&me, &to, &target, reason);
                self.settle(session, txn, done);
            }
            // Nobody has a second client there.
            Command::MarkRead { .. } => {}
            Command::Typing { to, state } => self.typing(&me, &to, state),
            Command::SetTopic { txn, room, text } => {
                let done = self.set_topic(&me, &room.room, text);
                self.settle(session, txn, done);
            }
            Command::SetNick { txn, nick, .. } => {
                let done = self.rename(&me, &nick).map(|_| ());
                self.settle(session, txn, done);
            }
            Command::SetRank {
                txn,
                room,
                person,
                grant,
                revoke,
            } => {
                let done = self.promote(&me, &room.room, &fold(&person), grant, revoke);
                self.settle(session, txn, done);
            }
            Command::Kick {
                txn,
                room,
                person,
                reason,
            } => {
                let done = self.kick(&me, &room.room, &fold(&person), reason);
                self.settle(session, txn, done);
            }
            Command::SetBan {
                txn,
                room,
                person,
                banned,
                reason,
            } => {
                let done = self.ban(&me, &room.room, &fold(&person), banned, reason);
                self.settle(session, txn, done);
            }
            // Nothing can be set here, and the objection to the others was raised above.
            Command::Configure { .. } | Command::Raw { .. } | Command::SignUp { .. } => {}
            Command::SetRoom { txn, room, change } => {
                let done = self.change(&me, &room.room, &change);
                self.settle(session, txn, done);
            }
            Command::Invite { txn, room, person } => {
                let done = self.invite(&me, &room.room, &fold(&person));
                self.settle(session, txn, done);
            }
            Command::Ask { txn, question, .. } => {
                let outcome = match self.reply(&me, &question) {
                    Ok(reply) => Outcome::Answered(Box::new(reply)),
                    Err(failure) => Outcome::Failed(failure),
                };
                self.answer(session, txn, vec![RemoteEvent::Outcome { txn, outcome }]);
            }
            Command::SetAway { text } => {
                if let Some(link) = self.links.get_mut(&session) {
                    link.away.clone_from(&text);
                }
                self.set_away(&me, text);
            }
            Command::Watch { person } => self.watch(session, &me, &person.person),
            Command::Unwatch { person } => {
                if let Some(link) = self.links.get_mut(&session) {
                    link.watched.remove(&person.person);
                }
            }
        }
    }

    /// Why a command is not even tried: a fault was switched on, or this network has no such thing.
    fn objection(&mut self, command: &Command) -> Option<Failure> {
        if (command.txn().is_some() || matches!(command, Command::Join { .. }))
            && let Some(failure) = self.faults.next.pop_front()
        {
            return Some(failure);
        }
        let capabilities = &self.settings.capabilities;
        let (level, feature) = match command {
            Command::SetTopic { .. } => (capabilities.subject, "a subject"),
            Command::SetNick { .. } => (capabilities.nick_change, "a change of nickname"),
            Command::SetRank { .. } => (capabilities.ranks, "a change of rights"),
            Command::Kick { .. } => (capabilities.kick, "removing somebody"),
            Command::SetBan { .. } => (capabilities.ban, "a ban"),
            Command::Raw { .. } => (capabilities.raw, "a language of its own"),
            Command::SignUp { .. } => (Level::Rejected, "registering an account"),
            _ => return None,
        };
        (level == Level::Rejected).then_some(Failure::Unsupported { feature })
    }

    /// Says something, once: where a network remembers transaction ids, the same one again changes nothing.
    fn send(
        &mut self,
        session: SessionId,
        me: &Name,
        txn: TransactionId,
        to: Recipient,
        (content, relation): (Content, Option<Box<Relation<Target>>>),
    ) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        let memory = (link.user.clone(), txn);
        if let Some(receipt) = self.receipts.get(&memory) {
            let answer = vec![accepted(txn, receipt.clone())];
            return self.answer(session, txn, answer);
        }
        match self.say_to(me, &to, content, relation.map(|relation| *relation)) {
            Ok(message) => {
                if self.settings.capabilities.resubmit {
                    self.receipts.insert(memory, Receipt::from(&message));
                }
                let answer = self.acknowledgement(txn, to, message);
                self.answer(session, txn, answer);
            }
            Err(failure) => self.answer(session, txn, vec![failed(txn, failure)]),
        }
    }

    /// How the sender of a message is told that it was taken.
    fn acknowledgement(&mut self, txn: TransactionId, to: Recipient, message: Message) -> Vec<RemoteEvent> {
        let outcome = accepted(txn, Receipt::from(&message));
        let txn = Some(txn);
        let echo = echo(to, Message { txn, ..message });
        let mut answer = match self.settings.echo {
            Echo::Never => return vec![outcome],
            Echo::Alone => vec![echo.clone()],
            Echo::BeforeOutcome => vec![echo.clone(), outcome],
            Echo::AfterOutcome => vec![outcome, echo.clone()],
        };
        if self.faults.echoes_to_drop > 0 {
            self.faults.echoes_to_drop -= 1;
            answer.retain(|event| *event != echo);
        }
        answer
    }

    /// Tells how a command without an echo ended.
    fn settle(&mut self, session: SessionId, txn: TransactionId, done: Result<(), Failure>) {
        let outcome = match done {
            Ok(()) => Outcome::Accepted {
                ids: Vec::new(),
                at: None,
            },
            Err(failure) => Outcome::Failed(failure),
        };
        self.answer(session, txn, vec![RemoteEvent::Outcome { txn, outcome }]);
    }

    /// Answers a command, unless answers are withheld.
    fn answer(&mut self, session: SessionId, txn: TransactionId, answer: Vec<RemoteEvent>) {
        let Some(link) = self.links.get_mut(&session) else {
            return;
        };
        if self.faults.holding || answer.is_empty() {
            link.unanswered.push_back((txn, answer));
            return;
        }
        for event in answer {
            link.hear(event, self.faults.frozen);
        }
    }
}

fn echo(to: Recipient, message: Message) -> RemoteEvent {
    match to {
        Recipient::Room(room) => RemoteEvent::Room {
            room,
            event: RoomEvent::Message(message),
        },
        Recipient::Person(PersonId { server, person }) => RemoteEvent::Person {
            person: PersonId { server, person },
            event: PersonEvent::Message(message),
        },
    }
}

fn accepted(txn: TransactionId, receipt: Receipt) -> RemoteEvent {
    let outcome = Outcome::Accepted {
        ids: receipt.ids,
        at: Some(receipt.at),
    };
    RemoteEvent::Outcome { txn, outcome }
}

fn left(room: RoomId) -> RemoteEvent {
    let event = RoomEvent::Left {
        how: Departure::Left,
        reason: None,
    };
    RemoteEvent::Room { room, event }
}

/// The answer to a command that is not done, for those that have one. To leave always works.
pub(super) fn refusal(command: Command, failure: &Failure) -> Option<RemoteEvent> {
    if let Some(txn) = command.txn() {
        return Some(failed(txn, failure.clone()));
    }
    match command {
        Command::Join { room, .. } => Some(RemoteEvent::Room {
            room,
            event: RoomEvent::Refused {
                failure: failure.clone(),
            },
        }),
        Command::Leave { room, .. } => Some(left(room)),
        Command::Disconnect { server, .. } => Some(RemoteEvent::Server {
            server,
            event: ServerEvent::Closed,
        }),
        _ => None,
    }
}
