//! The loopback network as a subject.

use std::collections::VecDeque;

use viaduct_bridge::loopback::{LoopbackBridge, LoopbackNetwork, LoopbackPerson, LoopbackServer, Settings};
use viaduct_bridge::{
    Account, Address, Answers, Bridge, Content, Failure, MessageKind, PersonEvent, PersonId, Rank,
    RemoteEvent, RoomEvent, RoomId, Secret, ServerId,
};

use crate::finding::{Found, broken};
use crate::subject::{Door, Fault, Foreigner, Heard, Logins, Step, Subject};

/// A loopback network, and a bridge to it.
pub struct Loopback {
    network: LoopbackNetwork,
    bridge: Box<dyn Bridge>,
}

impl Loopback {
    /// A new network with these settings. Its sessions run on the runtime of the caller.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::behind(settings, |bridge| bridge)
    }

    /// The same, with something between the suite and the bridge.
    #[must_use]
    pub fn behind(settings: Settings, wrap: impl FnOnce(Box<dyn Bridge>) -> Box<dyn Bridge>) -> Self {
        let network = LoopbackNetwork::new(settings);
        network.server("loop.example").set_password("owned", "secret");
        let spawn = |future| drop(tokio::spawn(future));
        let bridge = LoopbackBridge::new(network.clone(), Box::new(spawn));
        Self {
            network,
            bridge: wrap(Box::new(bridge)),
        }
    }

    fn home(&self) -> LoopbackServer {
        self.network.server("loop.example")
    }
}

impl Subject for Loopback {
    fn bridge(&self) -> &dyn Bridge {
        &*self.bridge
    }

    fn server(&self) -> ServerId {
        self.network.home()
    }

    fn unknown_server(&self) -> ServerId {
        ServerId("nowhere.example".into())
    }

    fn account(&self, user: &str) -> Option<Account> {
        Some(Account {
            name: user.into(),
            ..Account::default()
        })
    }

    fn room(&self, label: &str) -> RoomId {
        let room = self.missing_room(label);
        self.home().make_room(&room.room);
        room
    }

    fn missing_room(&self, label: &str) -> RoomId {
        self.network.room(&format!("#{label}"))
    }

    fn person(&self, nick: &str) -> PersonId {
        self.network.person(nick).id()
    }

    fn arrive<'a>(&'a self, nick: &'a str) -> Step<'a, Box<dyn Foreigner>> {
        Box::pin(async move {
            let person = self.network.person(nick);
            taken(person.connect())?;
            let server = self.home();
            let heard = VecDeque::new();
            let somebody: Box<dyn Foreigner> = Box::new(Somebody {
                person,
                server,
                heard,
            });
            Ok(somebody)
        })
    }

    fn switch(&self, fault: Fault, on: bool) -> Option<Step<'_>> {
        let server = self.home();
        match (fault, on) {
            (Fault::Lost, true) => server.lose_connections("the cable was cut"),
            (Fault::Lost, false) => server.restore(),
            (Fault::Frozen, true) => server.freeze(),
            (Fault::Frozen, false) => server.thaw(),
        }
        Some(Box::pin(std::future::ready(Ok(()))))
    }

    fn odd_addresses(&self) -> Vec<Address> {
        let server = self.server();
        let room = |name: &str| {
            let (server, room) = (server.clone(), name.into());
            Address::Room(RoomId { server, room })
        };
        let person = |name: &str| {
            let (server, person) = (server.clone(), name.into());
            Address::Person(PersonId { server, person })
        };
        vec![
            Address::Server(server.clone()),
            room("#tea"),
            room("##"),
            room("#tea & \"cake\" <now>"),
            room("#100%"),
            room("#50%loop.example"),
            room("#日本"),
            room("#straße"),
            room("#e\u{301}"),
            person("bob\u{200b}"),
            person("bob"),
            person("d'artagnan"),
            person("me@home/work"),
            person(r"c:\net"),
            person(r"a\20b"),
            person(r"\5c20"),
            person("%"),
        ]
    }

    fn typed(&self) -> Vec<(String, Address)> {
        let server = self.server();
        let room = |name: &str| Address::Room(self.missing_room(name));
        let person = |name: &str| Address::Person(self.person(name));
        vec![
            ("#tea%loop.example".into(), room("tea")),
            (" #Tea@Loop.Example ".into(), room("tea")),
            ("#tea time@loop.example".into(), room("tea time")),
            ("Bob%loop.example".into(), person("bob")),
            ("BOB@LOOP.EXAMPLE".into(), person("bob")),
            (" loop.example".into(), Address::Server(server)),
        ]
    }

    fn logins(&self) -> Option<Logins> {
        let answers = |password: &str| -> Answers {
            let answers = [("nick", "owned"), ("password", password)];
            answers.map(|(field, value)| (field.into(), value.into())).into()
        };
        Some(Logins {
            good: answers("secret"),
            bad: answers("a guess"),
        })
    }
}

/// Somebody of the loopback network.
struct Somebody {
    person: LoopbackPerson,
    server: LoopbackServer,
    heard: VecDeque<Heard>,
}

/// A step that the network must take.
fn taken<T>(done: Result<T, Failure>) -> Found {
    done.map_or_else(
        |failure| broken(format!("the network refused: {failure:?}")),
        |_| Ok(()),
    )
}

fn at_once<'a, T>(done: Result<T, Failure>) -> Step<'a> {
    Box::pin(std::future::ready(taken(done)))
}

impl Foreigner for Somebody {
    fn join<'a>(&'a mut self, room: &'a RoomId) -> Step<'a> {
        at_once(self.person.join(&room.room))
    }

    fn part<'a>(&'a mut self, room: &'a RoomId, reason: &'a str) -> Step<'a> {
        at_once(self.person.part(&room.room, reason))
    }

    fn quit<'a>(&'a mut self, reason: &'a str) -> Step<'a> {
        self.person.quit(reason);
        at_once(Ok(()))
    }

    fn say<'a>(&'a mut self, room: &'a RoomId, kind: MessageKind, text: &'a str) -> Step<'a> {
        let content = Content {
            kind,
            ..Content::plain(text)
        };
        at_once(self.person.post(&room.room, content))
    }

    fn tell<'a>(&'a mut self, nick: &'a str, text: &'a str) -> Step<'a> {
        at_once(self.person.tell(nick, Content::plain(text)))
    }

    fn rename<'a>(&'a mut self, nick: &'a str) -> Step<'a> {
        at_once(self.person.rename(nick))
    }

    fn set_topic<'a>(&'a mut self, room: &'a RoomId, text: &'a str) -> Step<'a> {
        at_once(self.person.set_topic(&room.room, text))
    }

    fn kick<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, reason: &'a str) -> Step<'a> {
        at_once(self.person.kick(&room.room, nick, reason))
    }

    fn promote<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, rank: Rank, give: bool) -> Step<'a> {
        let (grant, revoke) = if give {
            (rank, Rank::NONE)
        } else {
            (Rank::NONE, rank)
        };
        at_once(self.person.promote(&room.room, nick, grant, revoke))
    }

    fn ban<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a> {
        at_once(self.person.ban(&room.room, nick, true))
    }

    fn invite<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a> {
        at_once(self.person.invite(&room.room, nick))
    }

    fn set_door<'a>(&'a mut self, room: &'a RoomId, door: Door) -> Step<'a> {
        let room = &room.room;
        at_once(match door {
            Door::Key(key) => self.person.set_key(room, Some(&Secret::new(key))),
            Door::InviteOnly => self.person.configure(room, |flags| flags.invite_only = true),
            Door::Limit(limit) => self.person.configure(room, |flags| flags.limit = Some(limit)),
            Door::Moderated => self.person.configure(room, |flags| flags.moderated = true),
            Door::TopicLocked => self.person.configure(room, |flags| flags.topic_locked = true),
        })
    }

    fn heard(&mut self) -> Step<'_, Heard> {
        self.heard
            .extend(self.person.heard().into_iter().filter_map(heard));
        let next = self.heard.pop_front();
        let next = next.map_or_else(|| broken("nobody said anything"), Ok);
        Box::pin(std::future::ready(next))
    }

    fn sees_away<'a>(&'a mut self, nick: &'a str) -> Step<'a, bool> {
        Box::pin(std::future::ready(Ok(self.server.is_away(nick))))
    }
}

fn heard(event: RemoteEvent) -> Option<Heard> {
    let (room, message) = match event {
        RemoteEvent::Room {
            room,
            event: RoomEvent::Message(message),
        } => (Some(room), message),
        RemoteEvent::Person {
            event: PersonEvent::Message(message),
            ..
        } => (None, message),
        _ => return None,
    };
    Some(Heard {
        nick: message.nick.to_string(),
        room,
        kind: message.content.kind,
        text: message.content.text.plain.to_string(),
    })
}
