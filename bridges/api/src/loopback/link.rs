//! The connection of one session to one server: made, lost, made again, ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::address::fold;
use super::commands::refusal;
use super::outbox::Outbox;
use super::server::{Ears, Server, Somebody};
use super::world::Seat;
use crate::command::Command;
use crate::event::{Departure, Outcome, PersonEvent, RemoteEvent, RoomEvent, ServerEvent};
use crate::failure::{Failure, Refusal};
use crate::ids::{Name, TransactionId};
use crate::login::Account;
use crate::secret::Secret;

/// Names a session of the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct SessionId(pub(super) u64);

/// The connection of one session to one server.
pub(super) struct Link {
    pub(super) user: Name,
    pub(super) account: Option<Account>,
    outbox: Arc<Outbox>,
    /// The nickname to ask for.
    pub(super) nick: Name,
    pub(super) away: Option<Name>,
    pub(super) state: State,
    /// The rooms to come back to.
    pub(super) rooms: BTreeMap<Name, Place>,
    /// Of whom it wants to know whether they are there.
    pub(super) watched: BTreeSet<Name>,
    /// Commands that have been handed over and not been looked at.
    pub(super) taken: VecDeque<Command>,
    /// Commands that have been done, and the answers that are withheld.
    pub(super) unanswered: VecDeque<(TransactionId, Vec<RemoteEvent>)>,
    /// What has not been delivered since the server froze.
    withheld: Vec<RemoteEvent>,
}

/// How a link is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum State {
    /// On its way for the first time.
    New,
    /// There, under this folded name.
    Online(Name),
    /// It was there, and will be again.
    Lost,
}

/// A room to come back to.
#[derive(Default)]
pub(super) struct Place {
    pub(super) key: Option<Secret>,
    /// How much had been said when the connection was lost.
    seen: Option<usize>,
}

impl Place {
    pub(super) fn with_key(key: Option<Secret>) -> Self {
        Self { key, seen: None }
    }
}

impl Link {
    pub(super) fn new(seat: &Seat, nick: Name) -> Self {
        Self {
            user: seat.user.clone(),
            account: seat.account.clone(),
            outbox: Arc::clone(&seat.outbox),
            nick,
            away: seat.away.clone(),
            state: State::New,
            rooms: BTreeMap::new(),
            watched: BTreeSet::new(),
            taken: VecDeque::new(),
            unanswered: VecDeque::new(),
            withheld: Vec::new(),
        }
    }

    /// The session is told something by the network, now or when the server thaws.
    pub(super) fn hear(&mut self, event: RemoteEvent, frozen: bool) {
        if frozen {
            self.withheld.push(event);
        } else {
            self.outbox.push(event);
        }
    }

    /// The session finds out something by itself.
    pub(super) fn notice(&self, event: RemoteEvent) {
        self.outbox.push(event);
    }

    /// Delivers what was withheld.
    pub(super) fn thaw(&mut self) {
        for event in self.withheld.drain(..) {
            self.outbox.push(event);
        }
    }

    /// Answers everything that is unanswered, as the connection is no more. What was handed over to it may have
    /// arrived; what waited for it has not.
    fn give_up(&mut self, connected: bool, reason: &Name) {
        self.withheld.clear();
        let taken: Vec<_> = self.taken.iter().filter_map(Command::txn).collect();
        let done = std::mem::take(&mut self.unanswered);
        for txn in done.into_iter().map(|(txn, _)| txn).chain(taken) {
            let failure = if connected {
                let reason = format!("it may not have arrived: {reason}");
                Failure::Uncertain { reason }
            } else {
                Failure::transient(format!("there is no connection: {reason}"))
            };
            self.outbox.push(failed(txn, failure));
        }
    }
}

impl Server {
    /// Tells a session something about its connection.
    pub(super) fn report(&self, session: SessionId, event: ServerEvent) {
        if let Some(link) = self.links.get(&session) {
            let server = self.id.clone();
            link.notice(RemoteEvent::Server { server, event });
        }
    }

    /// Tries to get a lost connection back, unless the server is frozen.
    pub(super) fn reconnect(&mut self, session: SessionId) {
        let lost = self
            .links
            .get(&session)
            .is_some_and(|link| link.state == State::Lost);
        if lost && !self.faults.frozen {
            self.report(session, ServerEvent::Connecting);
            self.connect(session);
        }
    }

    /// Tries to connect. Whether it worked is in the link's state; one that failed for good is gone.
    pub(super) fn connect(&mut self, session: SessionId) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        if let Some(failure) = self.wrong_password(link) {
            self.fail(session, &failure);
        } else if let Some(failure) = self.faults.refuses.clone() {
            if link.state == State::Lost {
                self.report_offline(session, &Name::from(failure.to_string()));
            } else {
                self.fail(session, &failure);
            }
        } else {
            self.welcome(session);
        }
    }

    fn wrong_password(&self, link: &Link) -> Option<Failure> {
        let account = link.account.as_ref()?;
        let wanted = self.passwords.get(&fold(&account.name))?;
        let given = account.secrets.get(super::login::PASSWORD);
        (given != Some(wanted)).then(super::login::wrong_password)
    }

    /// The session is on the server, and in the rooms in which it was before.
    fn welcome(&mut self, session: SessionId) {
        let Some(link) = self.links.get(&session) else {
            return;
        };
        let nick = self.free_nick(link);
        let (me, away) = (fold(&nick), link.away.clone());
        let somebody = Somebody {
            nick: nick.clone(),
            away,
            ears: Ears::Session(session),
        };
        self.people.insert(me.clone(), somebody);
        self.tell_watchers(&me, false, &PersonEvent::Online { nick: nick.clone() });
        let Some(link) = self.links.get_mut(&session) else {
            return;
        };
        link.state = State::Online(me.clone());
        let rooms = std::mem::take(&mut link.rooms);
        let online = ServerEvent::Online {
            nick,
            me: me.clone(),
            warning: None,
        };
        self.report(session, online);
        for (room, place) in rooms {
            self.join(session, &me, &room, place);
        }
    }

    /// Enters a room, or says why not.
    pub(super) fn join(&mut self, session: SessionId, me: &Name, room: &Name, place: Place) {
        if let Err(failure) = self.enter(me, room, place.key.as_ref().map(Secret::reveal)) {
            self.tell_of_room(me, room, RoomEvent::Refused { failure });
            return;
        }
        if let (true, Some(seen)) = (self.settings.replay, place.seen) {
            let history = self.rooms.get(room).map(|room| &room.history);
            let missed = history.into_iter().flat_map(|history| history.iter().skip(seen));
            // Of what was taken back meanwhile nothing is left.
            let missed = missed.filter(|message| !message.content.text.plain.is_empty());
            for message in missed.cloned().collect::<Vec<_>>() {
                let missed = crate::event::Message {
                    missed: true,
                    ..message
                };
                self.tell_of_room(me, room, RoomEvent::Message(missed));
            }
        }
        if let Some(link) = self.links.get_mut(&session) {
            let seen = None;
            link.rooms.insert(room.clone(), Place { seen, ..place });
        }
    }

    /// The nickname asked for, or the first one like it that is free.
    fn free_nick(&self, link: &Link) -> Name {
        let own = link.account.as_ref().map(|account| fold(&account.name));
        let is_free = |nick: &str| {
            let name = fold(nick);
            let others = self.passwords.contains_key(&name) && own.as_ref() != Some(&name);
            !others && !self.people.contains_key(&name)
        };
        let most = self.settings.capabilities.max_nick_bytes;
        let mut tail = String::new();
        loop {
            let nick = format!("{}{tail}", shorten(&link.nick, most.saturating_sub(tail.len())));
            if is_free(&nick) {
                return Name::from(nick);
            }
            tail.push('_');
        }
    }

    /// The connection breaks. Everybody finds out, and the session will be back.
    pub(super) fn lose(&mut self, session: SessionId, reason: &Name) {
        let Some(link) = self.links.get_mut(&session) else {
            return;
        };
        if link.state == State::Lost {
            return;
        }
        let me = match std::mem::replace(&mut link.state, State::Lost) {
            State::Online(me) => Some(me),
            State::New | State::Lost => None,
        };
        link.give_up(me.is_some(), reason);
        link.watched.clear();
        for (room, place) in &mut link.rooms {
            place.seen = self.rooms.get(room).map(|room| room.history.len());
            let left = RoomEvent::Left {
                how: Departure::Lost,
                reason: Some(reason.clone()),
            };
            let (server, room) = (self.id.clone(), room.clone());
            link.outbox.push(RemoteEvent::Room {
                room: crate::ids::RoomId { server, room },
                event: left,
            });
        }
        let taken = std::mem::take(&mut link.taken);
        if let Some(me) = me {
            self.depart(&me, Some(reason.clone()));
        }
        self.report_offline(session, reason);
        for command in taken {
            if command.txn().is_none() && !matches!(command, Command::Connect { .. }) {
                self.remember(session, command);
            }
        }
    }

    fn report_offline(&self, session: SessionId, reason: &Name) {
        let offline = ServerEvent::Offline {
            reason: reason.clone(),
            retry_in: self.settings.retry_in,
        };
        self.report(session, offline);
    }

    /// The server will not have the session: whatever it wanted there is refused.
    pub(super) fn fail(&mut self, session: SessionId, failure: &Failure) {
        let Some(link) = self.links.remove(&session) else {
            return;
        };
        for answer in link
            .taken
            .into_iter()
            .filter_map(|command| refusal(command, failure))
        {
            link.outbox.push(answer);
        }
        let failure = failure.clone();
        link.outbox.push(RemoteEvent::Server {
            server: self.id.clone(),
            event: ServerEvent::Failed { failure },
        });
    }

    /// The session leaves the server, as asked.
    pub(super) fn disconnect(&mut self, session: SessionId, reason: Option<Name>) {
        let Some(mut link) = self.links.remove(&session) else {
            return;
        };
        let me = match &link.state {
            State::Online(me) => Some(me.clone()),
            State::New | State::Lost => None,
        };
        link.give_up(me.is_some(), &Name::from("you have left the network"));
        if let Some(me) = me {
            self.depart(&me, reason);
        }
        let (server, event) = (self.id.clone(), ServerEvent::Closed);
        link.notice(RemoteEvent::Server { server, event });
    }
}

/// The failure of one command.
pub(super) fn failed(txn: TransactionId, failure: Failure) -> RemoteEvent {
    let outcome = Outcome::Failed(failure);
    RemoteEvent::Outcome { txn, outcome }
}

/// As much of a text as fits into so many bytes.
pub(super) fn shorten(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// There is no connection.
pub(super) fn not_connected(server: &str) -> Failure {
    Failure::NotLoggedIn {
        reason: format!("you are not connected to {server}"),
    }
}

/// There is no such server.
pub(super) fn no_such_server(server: &str) -> Failure {
    Failure::refused(Refusal::Unreachable, format!("there is no server {server}"))
}
