//! People of the network, played by a test.

use super::address::fold;
use super::network::LoopbackServer;
use super::server::{Ears, Server};
use crate::command::Recipient;
use crate::event::{Message, Rank, RemoteEvent, RoomFlags};
use crate::failure::Failure;
use crate::ids::{Name, PersonId};
use crate::relation::{Relation, Target};
use crate::secret::Secret;
use crate::text::Content;

/// Somebody of the network who is no user of the gateway.
///
/// What they do follows the rules of the network, which may refuse it; so most of what they can do has a result,
/// and can be chained: `bob.join("#tea")?.say("#tea", "hello")?`. Under the nickname of a session one acts as its
/// user elsewhere.
#[derive(Debug)]
pub struct LoopbackPerson {
    server: LoopbackServer,
    nick: Name,
}

/// What a person may do, if the network lets them.
type Done<'a> = Result<&'a LoopbackPerson, Failure>;

impl LoopbackPerson {
    pub(super) fn new(server: LoopbackServer, nick: &str) -> Self {
        let nick = Name::from(nick);
        Self { server, nick }
    }

    /// How sessions name this person.
    #[must_use]
    pub fn id(&self) -> PersonId {
        PersonId {
            server: self.server.id().clone(),
            person: fold(&self.nick),
        }
    }

    /// Connects, and does nothing else.
    ///
    /// # Errors
    /// When the nickname is impossible.
    pub fn connect(&self) -> Done<'_> {
        self.act(|_, _| Ok(()))
    }

    /// Enters a room.
    ///
    /// # Errors
    /// When it is closed to this person.
    pub fn join(&self, room: &str) -> Done<'_> {
        self.act(|server, me| server.enter(me, &fold(room), None))
    }

    /// Enters a room that has a password.
    ///
    /// # Errors
    /// When it is closed to this person.
    pub fn join_with(&self, room: &str, key: &str) -> Done<'_> {
        self.act(|server, me| server.enter(me, &fold(room), Some(key)))
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// When they are not in it.
    pub fn part(&self, room: &str, reason: &str) -> Done<'_> {
        self.act(|server, me| server.leave(me, &fold(room), Some(reason.into())))
    }

    /// Leaves the server. Somebody who has a session is thrown out of it, and will be back.
    pub fn quit(&self, reason: &str) {
        let (me, reason) = (fold(&self.nick), Name::from(reason));
        self.server
            .with(|server| match server.people.get(&me).map(|me| &me.ears) {
                Some(Ears::Session(session)) => {
                    let session = *session;
                    server.lose(session, &reason);
                }
                Some(Ears::Own(_)) | None => server.depart(&me, Some(reason)),
            });
    }

    /// Says something in a room.
    ///
    /// # Errors
    /// When they may not speak there.
    pub fn say(&self, room: &str, text: &str) -> Done<'_> {
        self.post(room, Content::plain(text))?;
        Ok(self)
    }

    /// Says something of any kind in a room. Returns it as the room heard it.
    ///
    /// # Errors
    /// When they may not speak there.
    pub fn post(&self, room: &str, content: Content) -> Result<Message, Failure> {
        self.attempt(|server, me| server.say(me, &fold(room), content, None))
    }

    /// Says something to somebody alone. Returns it as they heard it.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn tell(&self, nick: &str, content: Content) -> Result<Message, Failure> {
        self.attempt(|server, me| server.whisper(me, &fold(nick), content, None))
    }

    /// Says something in a room that refers to an older message. Returns it as the room heard it.
    ///
    /// # Errors
    /// When they may not speak there, or there is no such message.
    pub fn post_related(
        &self,
        room: &str,
        content: Content,
        relation: Relation<Target>,
    ) -> Result<Message, Failure> {
        self.attempt(|server, me| {
            let to = Recipient::Room(server.room_id(&fold(room)));
            server.say_to(me, &to, content, Some(relation))
        })
    }

    /// Reacts to a message of a room or of a person, and takes reactions back.
    ///
    /// # Errors
    /// When there is no such message.
    pub fn react(&self, to: &Recipient, target: &Target, add: &[&str], remove: &[&str]) -> Done<'_> {
        let names = |texts: &[&str]| texts.iter().map(|text| Name::from(*text)).collect();
        let marks = (names(add), names(remove));
        self.act(|server, me| server.react(me, to, target, marks))
    }

    /// Takes back a message.
    ///
    /// # Errors
    /// When they may not, or there is no such message.
    pub fn retract(&self, to: &Recipient, target: &Target, reason: Option<&str>) -> Done<'_> {
        self.act(|server, me| server.retract(me, to, target, reason.map(Name::from)))
    }

    /// Takes another nickname.
    ///
    /// # Errors
    /// When it is taken or impossible.
    pub fn rename(&mut self, nick: &str) -> Result<&Self, Failure> {
        let to = Name::from(nick);
        self.attempt(|server, me| server.rename(me, &to))?;
        self.nick = to;
        Ok(self)
    }

    /// Is away, or with `None` back.
    ///
    /// # Errors
    /// When the nickname is impossible.
    pub fn away(&self, text: Option<&str>) -> Done<'_> {
        self.act(|server, me| {
            server.set_away(me, text.map(Name::from));
            Ok(())
        })
    }

    /// Changes the subject of a room.
    ///
    /// # Errors
    /// When they may not.
    pub fn set_topic(&self, room: &str, text: &str) -> Done<'_> {
        self.act(|server, me| server.set_topic(me, &fold(room), text.into()))
    }

    /// Removes somebody from a room.
    ///
    /// # Errors
    /// When they may not.
    pub fn kick(&self, room: &str, nick: &str, reason: &str) -> Done<'_> {
        self.act(|server, me| server.kick(me, &fold(room), &fold(nick), Some(reason.into())))
    }

    /// Bans somebody from a room, or lifts the ban.
    ///
    /// # Errors
    /// When they may not.
    pub fn ban(&self, room: &str, nick: &str, banned: bool) -> Done<'_> {
        self.act(|server, me| server.ban(me, &fold(room), &fold(nick), banned, None))
    }

    /// Gives and takes rights.
    ///
    /// # Errors
    /// When they may not.
    pub fn promote(&self, room: &str, nick: &str, grant: Rank, revoke: Rank) -> Done<'_> {
        self.act(|server, me| server.promote(me, &fold(room), &fold(nick), grant, revoke))
    }

    /// Invites somebody into a room.
    ///
    /// # Errors
    /// When they may not, or there is no such person.
    pub fn invite(&self, room: &str, nick: &str) -> Done<'_> {
        self.act(|server, me| server.invite(me, &fold(room), &fold(nick)))
    }

    /// Changes how a room is.
    ///
    /// # Errors
    /// When they may not.
    pub fn configure(&self, room: &str, change: impl FnOnce(&mut RoomFlags)) -> Done<'_> {
        self.act(|server, me| server.configure(me, &fold(room), change))
    }

    /// Gives a room a password, or takes it away.
    ///
    /// # Errors
    /// When they may not, or the network has no passwords.
    pub fn set_key(&self, room: &str, key: Option<&Secret>) -> Done<'_> {
        let new = key.map(|key| Name::from(key.reveal()));
        self.act(|server, me| server.set_key(me, &fold(room), new))
    }

    /// What this person may do in a room.
    #[must_use]
    pub fn rank(&self, room: &str) -> Rank {
        let me = fold(&self.nick);
        self.server.with(|server| server.rank(&me, &fold(room)))
    }

    /// What has reached this person since the last time, in the same words in which sessions are told. A person
    /// remembers the last 1,024 things.
    #[must_use]
    pub fn heard(&self) -> Vec<RemoteEvent> {
        let me = fold(&self.nick);
        self.server
            .with(|server| match server.people.get_mut(&me).map(|me| &mut me.ears) {
                Some(Ears::Own(memory)) => memory.drain(..).collect(),
                Some(Ears::Session(_)) | None => Vec::new(),
            })
    }

    fn act(&self, deed: impl FnOnce(&mut Server, &Name) -> Result<(), Failure>) -> Done<'_> {
        self.attempt(deed)?;
        Ok(self)
    }

    fn attempt<T>(&self, deed: impl FnOnce(&mut Server, &Name) -> Result<T, Failure>) -> Result<T, Failure> {
        self.server.with(|server| {
            let me = server.arrive(&self.nick)?;
            deed(server, &me)
        })
    }
}
