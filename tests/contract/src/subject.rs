//! What the suite must know about a bridge to try it.

use std::time::Duration;

use futures::future::LocalBoxFuture;
use viaduct_bridge::{Account, Address, Answers, Bridge, MessageKind, PersonId, Rank, RoomId, ServerId};

use crate::finding::Found;

/// A step that may take time.
pub type Step<'a, T = ()> = LocalBoxFuture<'a, Found<T>>;

/// A bridge under test, connected to a network on which nothing has happened yet.
pub trait Subject {
    /// The bridge.
    fn bridge(&self) -> &dyn Bridge;

    /// A server that is there.
    fn server(&self) -> ServerId;

    /// A server that is not.
    fn unknown_server(&self) -> ServerId;

    /// What a user of this name is registered with, if users must be.
    fn account(&self, _user: &str) -> Option<Account> {
        None
    }

    /// A room that everybody can enter, and whose first member is its operator. It has these letters in its name.
    fn room(&self, label: &str) -> RoomId;

    /// A room that does not exist, as [`Subject::room`].
    fn missing_room(&self, label: &str) -> RoomId;

    /// How the bridge names the person with this nickname.
    fn person(&self, nick: &str) -> PersonId;

    /// Somebody connects to the server by other means than the bridge.
    fn arrive<'a>(&'a self, nick: &'a str) -> Step<'a, Box<dyn Foreigner>>;

    /// Switches a fault on or off. `None` if the subject has no switch for it.
    fn switch(&self, _fault: Fault, _on: bool) -> Option<Step<'_>> {
        None
    }

    /// Addresses with odd names that this network has all the same.
    fn odd_addresses(&self) -> Vec<Address>;

    /// What people type, and what they mean.
    fn typed(&self) -> Vec<(String, Address)>;

    /// Answers to the registration form that are right, and others with a wrong password. `None` if this network
    /// has no passwords.
    fn logins(&self) -> Option<Logins> {
        None
    }

    /// The most bytes of a nickname on the server, if that is less than the bridge declares.
    fn nick_limit(&self) -> Option<usize> {
        None
    }

    /// How long to wait for something that ought to happen.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// Somebody who is connected to the network by other means than the bridge. Every step is over when the network has
/// taken it; one that the network refuses is an error.
pub trait Foreigner {
    /// Enters a room.
    fn join<'a>(&'a mut self, room: &'a RoomId) -> Step<'a>;
    /// Leaves a room.
    fn part<'a>(&'a mut self, room: &'a RoomId, reason: &'a str) -> Step<'a>;
    /// Leaves the network.
    fn quit<'a>(&'a mut self, reason: &'a str) -> Step<'a>;
    /// Says something in a room.
    fn say<'a>(&'a mut self, room: &'a RoomId, kind: MessageKind, text: &'a str) -> Step<'a>;
    /// Says something to one person.
    fn tell<'a>(&'a mut self, nick: &'a str, text: &'a str) -> Step<'a>;
    /// Takes another nickname.
    fn rename<'a>(&'a mut self, nick: &'a str) -> Step<'a>;
    /// Changes the subject of a room.
    fn set_topic<'a>(&'a mut self, room: &'a RoomId, text: &'a str) -> Step<'a>;
    /// Removes somebody from a room.
    fn kick<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, reason: &'a str) -> Step<'a>;
    /// Gives (or takes) rights in a room.
    fn promote<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, rank: Rank, give: bool) -> Step<'a>;
    /// Bans somebody from a room; whether that removes them is the network's business.
    fn ban<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a>;
    /// Invites somebody into a room.
    fn invite<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a>;
    /// Changes how a room is.
    fn set_door<'a>(&'a mut self, room: &'a RoomId, door: Door) -> Step<'a>;
    /// The next thing that somebody said, to a room or to this person.
    fn heard(&mut self) -> Step<'_, Heard>;
    /// Whether the network says of somebody that they are away.
    fn sees_away<'a>(&'a mut self, nick: &'a str) -> Step<'a, bool>;
}

/// How a room can be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Door {
    /// It has a password.
    Key(&'static str),
    /// Only invited people may enter.
    InviteOnly,
    /// So many people may be in it.
    Limit(u32),
    /// Only those with voice may speak.
    Moderated,
    /// Only operators may change the subject.
    TopicLocked,
}

/// Something that was said, as somebody of the network heard it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Who said it.
    pub nick: String,
    /// In which room, if not to one person.
    pub room: Option<RoomId>,
    /// How.
    pub kind: MessageKind,
    /// What. Styles may be left in it in the network's own way.
    pub text: String,
}

/// What can go wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// All connections are lost and none can be made.
    Lost,
    /// Connections are there and nothing gets through.
    Frozen,
}

/// Answers to the registration form.
#[derive(Clone, Debug)]
pub struct Logins {
    /// Those that work.
    pub good: Answers,
    /// Those that the network refuses.
    pub bad: Answers,
}
