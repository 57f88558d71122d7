//! A user of the gateway in a case: asks, and waits to be told.

use std::cell::Cell;
use std::sync::Arc;

use viaduct_bridge::{
    Command, Content, Failure, Member, Message, MessageKind, Name, Outcome, PersonEvent, PersonId, Recipient,
    RemoteEvent, RoomEvent, RoomFlags, RoomId, Secret, ServerEvent, Session, Topic, TransactionId,
};

use crate::finding::{Found, broken, ensure};
use crate::recorder::{Entry, Recorder};
use crate::rules;
use crate::subject::Subject;

/// A user of the gateway: a session of the bridge under test, and its record.
pub(crate) struct User<'a> {
    subject: &'a dyn Subject,
    pub(crate) nick: Name,
    pub(crate) session: Arc<dyn Session>,
    pub(crate) record: Arc<Recorder>,
    /// Up to where the record has been read by [`User::saw`].
    seen: Cell<usize>,
    asked: Cell<i64>,
}

/// A room as one enters it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) me: Name,
    pub(crate) members: Vec<Member>,
    pub(crate) topic: Option<Topic>,
    pub(crate) flags: RoomFlags,
}

impl View {
    /// Somebody in the room.
    pub(crate) fn member(&self, person: &Name) -> Found<&Member> {
        let found = self.members.iter().find(|member| member.person == *person);
        found.map_or_else(|| broken(format!("{person} is not among {:?}", self.members)), Ok)
    }
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It was done: the outcome, or the echo.
    Done,
    /// It was not done.
    Failed(Failure),
}

impl<'a> User<'a> {
    pub(crate) fn new(
        subject: &'a dyn Subject,
        nick: &str,
        session: Arc<dyn Session>,
        record: Arc<Recorder>,
    ) -> Self {
        Self {
            subject,
            nick: Name::from(nick),
            session,
            record,
            seen: Cell::new(0),
            asked: Cell::new(0),
        }
    }

    /// The folded name of somebody.
    pub(crate) fn folded(&self, nick: &str) -> Name {
        self.subject.person(nick).person
    }

    /// The next id for a command.
    pub(crate) fn txn(&self) -> TransactionId {
        self.asked.set(self.asked.get() + 1);
        TransactionId(self.asked.get())
    }

    /// Hands over commands.
    pub(crate) fn submit(&self, commands: Vec<Command>) {
        for txn in commands.iter().filter_map(Command::txn) {
            self.record.asked(txn);
        }
        self.session.submit(commands);
    }

    /// Hands over a command that has an id, made from it.
    pub(crate) fn ask(&self, make: impl FnOnce(TransactionId) -> Command) -> TransactionId {
        let txn = self.txn();
        self.submit(vec![make(txn)]);
        txn
    }

    /// The command to say something.
    pub(crate) fn saying(&self, txn: TransactionId, to: Recipient, content: Content) -> Command {
        let nick = self.nick.clone();
        Command::Send {
            txn,
            to,
            content,
            nick,
            relation: None,
        }
    }

    /// Says something in a room.
    pub(crate) fn say(&self, room: &RoomId, text: &str) -> TransactionId {
        self.say_as(room, MessageKind::Text, text)
    }

    /// Says something in a room in some way.
    pub(crate) fn say_as(&self, room: &RoomId, kind: MessageKind, text: &str) -> TransactionId {
        let content = Content {
            kind,
            ..Content::plain(text)
        };
        self.ask(|txn| self.saying(txn, Recipient::Room(room.clone()), content))
    }

    /// Says something to one person.
    pub(crate) fn tell(&self, person: PersonId, text: &str) -> TransactionId {
        self.ask(|txn| self.saying(txn, Recipient::Person(person), Content::plain(text)))
    }

    /// Asks to enter a room.
    pub(crate) fn knock(&self, room: &RoomId, key: Option<&str>) {
        self.submit(vec![Command::Join {
            room: room.clone(),
            nick: self.nick.clone(),
            key: key.map(Secret::new),
            since: None,
        }]);
    }

    /// Enters a room.
    pub(crate) async fn enter(&self, room: &RoomId) -> Found<View> {
        self.enter_with(room, None).await
    }

    /// Enters a room with a password.
    pub(crate) async fn enter_with(&self, room: &RoomId, key: Option<&str>) -> Found<View> {
        self.knock(room, key);
        self.entered(room).await
    }

    /// Waits until the user is in a room.
    pub(crate) async fn entered(&self, room: &RoomId) -> Found<View> {
        match self.let_in(room).await? {
            Ok(view) => Ok(view),
            Err(failure) => broken(format!("{} may not enter {room:?}: {failure:?}", self.nick)),
        }
    }

    /// Waits until the user is in a room, or is told why not.
    pub(crate) async fn let_in(&self, room: &RoomId) -> Found<Result<View, Failure>> {
        self.saw_in(room, "answer to a join", |event| match event {
            RoomEvent::Joined {
                me,
                members,
                topic,
                flags,
            } => Some(Ok(View {
                me: me.clone(),
                members: members.clone(),
                topic: topic.clone(),
                flags: *flags,
            })),
            RoomEvent::Refused { failure } => Some(Err(failure.clone())),
            _ => None,
        })
        .await
    }

    /// Asks to enter a room, and waits to be told why not.
    pub(crate) async fn kept_out(&self, room: &RoomId, key: Option<&str>) -> Found<Failure> {
        self.knock(room, key);
        match self.let_in(room).await? {
            Err(failure) => Ok(failure),
            Ok(_) => broken(format!("{} was let into {room:?}", self.nick)),
        }
    }

    /// Waits for the next event of some kind.
    pub(crate) async fn saw<T>(&self, what: &str, pick: impl FnMut(&RemoteEvent) -> Option<T>) -> Found<T> {
        let what = format!("{what} for {}", self.nick);
        let (seen, picked) = self.record.wait(self.seen.get(), &what, pick).await?;
        self.seen.set(seen);
        Ok(picked)
    }

    /// Waits for the next event of some kind in a room.
    pub(crate) async fn saw_in<T>(
        &self,
        room: &RoomId,
        what: &str,
        mut pick: impl FnMut(&RoomEvent) -> Option<T>,
    ) -> Found<T> {
        let pick = |event: &RemoteEvent| match event {
            RemoteEvent::Room { room: place, event } if place == room => pick(event),
            _ => None,
        };
        self.saw(what, pick).await
    }

    /// Waits for the next event of some kind with a person.
    pub(crate) async fn saw_of<T>(
        &self,
        nick: &str,
        what: &str,
        mut pick: impl FnMut(&PersonEvent) -> Option<T>,
    ) -> Found<T> {
        let wanted = self.subject.person(nick);
        let pick = |event: &RemoteEvent| match event {
            RemoteEvent::Person { person, event } if *person == wanted => pick(event),
            _ => None,
        };
        self.saw(&format!("{what} of {nick}"), pick).await
    }

    /// Waits for the next event of some kind with the server.
    pub(crate) async fn saw_server<T>(
        &self,
        what: &str,
        mut pick: impl FnMut(&ServerEvent) -> Option<T>,
    ) -> Found<T> {
        let pick = |event: &RemoteEvent| match event {
            RemoteEvent::Server { event, .. } => pick(event),
            _ => None,
        };
        self.saw(what, pick).await
    }

    /// Waits until somebody else has said this in a room.
    pub(crate) async fn heard(&self, room: &RoomId, text: &str) -> Found<Message> {
        let wanted = |event: &RoomEvent| match event {
            RoomEvent::Message(message) if message.txn.is_none() && *message.content.text.plain == *text => {
                Some(message.clone())
            }
            _ => None,
        };
        self.saw_in(room, &format!("message '{text}'"), wanted).await
    }

    /// How many events of some kind have come, from the beginning.
    pub(crate) fn count(&self, pick: impl Fn(&RemoteEvent) -> bool) -> usize {
        let entries = self.record.entries();
        let told = |entry: &&Entry| matches!(entry, Entry::Told(event) if pick(event));
        entries.iter().filter(told).count()
    }

    /// The commands that have been answered, in the order of their first answer.
    pub(crate) fn answered(&self) -> Vec<TransactionId> {
        let mut order = Vec::new();
        for entry in self.record.entries() {
            if let Entry::Told(event) = entry
                && let Some(txn) = rules::answer_to(&event)
                && !order.contains(&txn)
            {
                order.push(txn);
            }
        }
        order
    }

    /// Waits for the end of a command, wherever it is in the record.
    pub(crate) async fn ending(&self, txn: TransactionId) -> Found<Ending> {
        ending(&self.record, txn).await
    }

    /// Waits until a command has been done.
    pub(crate) async fn done(&self, txn: TransactionId) -> Found {
        match self.ending(txn).await? {
            Ending::Done => Ok(()),
            Ending::Failed(failure) => {
                broken(format!("command {} of {} failed: {failure:?}", txn.0, self.nick))
            }
        }
    }

    /// Waits until a command has failed.
    pub(crate) async fn failed(&self, txn: TransactionId) -> Found<Failure> {
        match self.ending(txn).await? {
            Ending::Done => broken(format!("command {} of {} did not fail", txn.0, self.nick)),
            Ending::Failed(failure) => Ok(failure),
        }
    }

    /// Waits until a command has failed for a reason that `fits`.
    pub(crate) async fn failed_as(&self, txn: TransactionId, fits: impl FnOnce(&Failure) -> bool) -> Found {
        let failure = self.failed(txn).await?;
        ensure!(
            fits(&failure),
            "command {} failed in another way: {failure:?}",
            txn.0
        );
        Ok(())
    }
}

/// Waits for the end of a command, wherever it is in the record.
pub(crate) async fn ending(record: &Recorder, txn: TransactionId) -> Found<Ending> {
    let what = format!("outcome or echo of command {}", txn.0);
    let (_, ending) = record.wait(0, &what, |event| end_of(event, txn)).await?;
    Ok(ending)
}

fn end_of(event: &RemoteEvent, wanted: TransactionId) -> Option<Ending> {
    match event {
        RemoteEvent::Outcome { txn, outcome } if *txn == wanted => Some(match outcome {
            Outcome::Accepted { .. } | Outcome::Answered(_) => Ending::Done,
            Outcome::Failed(failure) => Ending::Failed(failure.clone()),
        }),
        RemoteEvent::Room {
            event: RoomEvent::Message(message),
            ..
        }
        | RemoteEvent::Person {
            event: PersonEvent::Message(message),
            ..
        } if message.txn == Some(wanted) => Some(Ending::Done),
        _ => None,
    }
}
