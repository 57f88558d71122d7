//! A user of the bridge, and what they do and are told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use viaduct_bridge::{
    Account, Bridge as _, Command, Content, Departure, Failure, Name, Outcome, Rank, Recipient, Refusal,
    RemoteEvent, RoomEvent, ServerEvent, Session, SessionContext, TransactionId,
};
use viaduct_irc::IrcBridge;

use crate::support::{Sink, name, person_id, room_id, server_id};

/// One user of the bridge.
pub(crate) struct User {
    session: Box<dyn Session>,
    events: mpsc::Receiver<RemoteEvent>,
    nick: Name,
    next: i64,
}

impl User {
    pub(crate) fn new(bridge: &IrcBridge, nick: &str) -> Self {
        Self::with(bridge, nick, None)
    }

    pub(crate) fn with(bridge: &IrcBridge, nick: &str, account: Option<Account>) -> Self {
        let (sender, events) = mpsc::channel(10_000);
        let session = bridge.open(SessionContext {
            user: Name::from(format!("{nick}@example.org")),
            account,
            sink: Arc::new(Sink(sender)),
        });
        Self {
            session,
            events,
            nick: Name::from(nick),
            next: 0,
        }
    }

    pub(crate) fn submit(&self, command: Command) {
        self.session.submit(vec![command]);
    }

    pub(crate) fn txn(&mut self) -> TransactionId {
        self.next += 1;
        TransactionId(self.next)
    }

    pub(crate) fn join(&self, room: &str, key: Option<&str>) {
        self.submit(Command::Join {
            room: room_id(room),
            nick: self.nick.clone(),
            key: key.map(viaduct_bridge::Secret::new),
            since: None,
        });
    }

    pub(crate) fn say(&mut self, to: &str, text: &str) -> TransactionId {
        self.send(to, Content::plain(text))
    }

    pub(crate) fn send(&mut self, to: &str, content: Content) -> TransactionId {
        let txn = self.txn();
        let to = if to.starts_with('#') {
            Recipient::Room(room_id(to))
        } else {
            Recipient::Person(person_id(to))
        };
        let nick = self.nick.clone();
        self.submit(Command::Send {
            txn,
            to,
            content,
            nick,
            relation: None,
        });
        txn
    }

    /// The next event that fits; others are let pass.
    pub(crate) async fn expect<T>(&mut self, what: &str, fits: impl Fn(&RemoteEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the session lives");
                if let Some(found) = fits(&event) {
                    return found;
                }
                seen.push(event);
            }
        };
        let found = timeout(Duration::from_secs(20), search).await;
        match found {
            Ok(found) => found,
            Err(_) => panic!("{}: no {what}; instead {seen:#?}", self.nick),
        }
    }

    /// Joins a room and gives what it is like.
    pub(crate) async fn enter(&mut self, room: &str) -> RoomEvent {
        self.join(room, None);
        self.joined(room).await
    }

    pub(crate) async fn joined(&mut self, room: &str) -> RoomEvent {
        self.room_event(room, "snapshot", |event| {
            matches!(event, RoomEvent::Joined { .. })
        })
        .await
    }

    pub(crate) async fn room_event(
        &mut self,
        room: &str,
        what: &str,
        fits: impl Fn(&RoomEvent) -> bool,
    ) -> RoomEvent {
        let id = room_id(room);
        self.expect(what, |event| match event {
            RemoteEvent::Room { room, event } if *room == id && fits(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn server_event(
        &mut self,
        what: &str,
        fits: impl Fn(&ServerEvent) -> bool,
    ) -> ServerEvent {
        self.expect(what, |event| match event {
            RemoteEvent::Server { event, .. } if fits(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn outcome(&mut self, txn: TransactionId) -> Outcome {
        self.expect("outcome", |event| match event {
            RemoteEvent::Outcome { txn: t, outcome } if *t == txn => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Outcome of a command whose success may also be its echo.
    pub(crate) async fn settled(&mut self, txn: TransactionId) -> bool {
        self.expect("outcome or echo", |event| match event {
            RemoteEvent::Outcome { txn: t, outcome } if *t == txn => {
                Some(matches!(outcome, Outcome::Accepted { .. }))
            }
            RemoteEvent::Room {
                event: RoomEvent::Message(m),
                ..
            } if m.txn == Some(txn) => Some(true),
            RemoteEvent::Person {
                event: viaduct_bridge::PersonEvent::Message(m),
                ..
            } if m.txn == Some(txn) => Some(true),
            _ => None,
        })
        .await
    }

    /// Changes the subject of a room.
    pub(crate) fn set_topic(&mut self, room: &str, text: &str) -> TransactionId {
        let (room, text) = (room_id(room), name(text));
        self.ask(|txn| Command::SetTopic { txn, room, text })
    }

    /// Changes the nickname.
    pub(crate) fn set_nick(&mut self, nick: &str) -> TransactionId {
        let (server, nick) = (server_id(), name(nick));
        self.ask(|txn| Command::SetNick { txn, server, nick })
    }

    /// Gives somebody a rank, and takes one.
    pub(crate) fn set_rank(&mut self, room: &str, person: &str, grant: Rank, revoke: Rank) -> TransactionId {
        let (room, person) = (room_id(room), name(person));
        self.ask(|txn| Command::SetRank {
            txn,
            room,
            person,
            grant,
            revoke,
        })
    }

    /// Removes somebody.
    pub(crate) fn kick(&mut self, room: &str, person: &str, reason: Option<&str>) -> TransactionId {
        let (room, person, reason) = (room_id(room), name(person), reason.map(name));
        self.ask(|txn| Command::Kick {
            txn,
            room,
            person,
            reason,
        })
    }

    /// Bans somebody, or lifts the ban.
    pub(crate) fn set_ban(
        &mut self,
        room: &str,
        person: &str,
        banned: bool,
        reason: Option<&str>,
    ) -> TransactionId {
        let (room, person, reason) = (room_id(room), name(person), reason.map(name));
        self.ask(|txn| Command::SetBan {
            txn,
            room,
            person,
            banned,
            reason,
        })
    }

    fn ask(&mut self, command: impl FnOnce(TransactionId) -> Command) -> TransactionId {
        let txn = self.txn();
        self.submit(command(txn));
        txn
    }

    /// A command is refused for this reason.
    pub(crate) async fn refused(&mut self, txn: TransactionId, wanted: Refusal) {
        let outcome = self.outcome(txn).await;
        assert!(
            matches!(&outcome, Outcome::Failed(Failure::Permanent { refusal, .. }) if *refusal == wanted),
            "{wanted:?} wanted: {outcome:?}"
        );
    }

    /// The user is out of a room: how it came, and the words.
    pub(crate) async fn left(&mut self, room: &str) -> (Departure, Option<String>) {
        let left = self.room_event(room, "leave", |e| matches!(e, RoomEvent::Left { .. }));
        let RoomEvent::Left { how, reason } = left.await else {
            unreachable!("only leaves fit")
        };
        (how, reason.map(|reason| reason.to_string()))
    }

    pub(crate) async fn message(&mut self, room: &str) -> (String, String) {
        let event = self
            .room_event(room, "message", |event| matches!(event, RoomEvent::Message(_)))
            .await;
        match event {
            RoomEvent::Message(m) => (m.nick.to_string(), m.content.text.plain.to_string()),
            _ => unreachable!("only messages fit"),
        }
    }

    pub(crate) async fn close(self) {
        self.session.close(Some(Name::from("bye"))).await;
    }
}
