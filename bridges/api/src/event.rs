//! What happened on the network.

use std::time::Duration;

use crate::failure::Failure;
use crate::ids::{MessageId, Name, PersonId, RoomId, ServerId, Timestamp, TransactionId};
use crate::question::Reply;
use crate::relation::{Reaction, Relation, Relations, Retraction, Typing};
use crate::signup::SignUpRules;
use crate::text::Content;

/// Something that happened on the network, as one login sees it. Events come in the network's own order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RemoteEvent {
    /// The connection to a server.
    Server {
        /// Which one.
        server: ServerId,
        /// What happened to it.
        event: ServerEvent,
    },
    /// In a room.
    Room {
        /// Which one.
        room: RoomId,
        /// What happened there.
        event: RoomEvent,
    },
    /// With a person, wherever they are.
    Person {
        /// Who.
        person: PersonId,
        /// What happened.
        event: PersonEvent,
    },
    /// The end of a command.
    Outcome {
        /// Which one.
        txn: TransactionId,
        /// How it ended.
        outcome: Outcome,
    },
}

/// The connection to one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerEvent {
    /// An attempt begins.
    Connecting,
    /// The user is logged in. Told again when what the network knows of names has changed, so that
    /// [`Bridge::parse`](crate::Bridge::parse) reads some localparts in another way than before.
    Online {
        /// The nickname that the user has there, as the server writes it.
        nick: Name,
        /// The same, folded.
        me: Name,
        /// What the user should be told about this connection (that it is not encrypted, say). Said with every connection
        /// for which it is true; the core says it to the user once.
        warning: Option<Name>,
    },
    /// The connection was lost, or an attempt failed; the bridge tries again by itself.
    Offline {
        /// Why, in words.
        reason: Name,
        /// In how long the next attempt begins.
        retry_in: Duration,
    },
    /// The server will not have the user, or cannot be reached at the first attempt; the bridge has given up.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The user left the server, as asked.
    Closed,
    /// What messages can be referred to with here, where servers differ: told once the user is logged in, and whenever
    /// it changes.
    Relations(Relations),
    /// Whether and how accounts can be registered here ([`Command::SignUp`](crate::Command::SignUp)): told once the user
    /// is logged in, where they can, and whenever it changes.
    SignUp(Option<SignUpRules>),
    /// The server says something to the user (a notice, an answer that belongs to nothing else).
    Notice {
        /// What it says.
        text: Name,
    },
    /// The network says that the user's nickname belongs to an account, and the user is not logged in to that.
    NickOwned {
        /// The nickname.
        nick: Name,
    },
    /// Somebody invites the user into a room.
    Invited {
        /// Into which one.
        room: RoomId,
        /// Who, as the network writes it.
        by: Name,
        /// The same, folded.
        person: Name,
    },
}

/// What happened in a room that the user is in, or wants to be in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RoomEvent {
    /// The user is in: everything about the room as it is now.
    Joined {
        /// The user's folded name; one of the members.
        me: Name,
        /// Everybody in the room.
        members: Vec<Member>,
        /// The subject, where one is set.
        topic: Option<Topic>,
        /// How the room is.
        flags: RoomFlags,
    },
    /// The user cannot enter.
    Refused {
        /// Why.
        failure: Failure,
    },
    /// The user is no longer in the room.
    Left {
        /// How it came.
        how: Departure,
        /// Why, in words.
        reason: Option<Name>,
    },
    /// The room has another name from now on, under which the user is in it. Everything else about it is told when it is
    /// entered under that name.
    Moved {
        /// What it is called now.
        to: RoomId,
        /// Why, in words.
        reason: Option<Name>,
    },
    /// Somebody came.
    MemberJoined(Member),
    /// Somebody else left this room (for leaving the server see [`PersonEvent::Gone`]).
    MemberLeft {
        /// Who, folded.
        person: Name,
        /// How it came.
        how: Departure,
        /// Why, in words.
        reason: Option<Name>,
    },
    /// What somebody may do here changed.
    RankChanged {
        /// Whose, folded.
        person: Name,
        /// What was given.
        grant: Rank,
        /// What was taken.
        revoke: Rank,
        /// Who did it, as the network writes it.
        by: Option<Name>,
    },
    /// The room changed.
    FlagsChanged(RoomFlags),
    /// The subject changed.
    TopicChanged(Topic),
    /// Somebody said something.
    Message(Message),
    /// Somebody (not this session) reacted to a message.
    Reaction(Reaction),
    /// A message was taken back, not by this session.
    Retraction(Retraction),
    /// Somebody else is typing, or no longer is.
    Typing {
        /// Who, folded.
        person: Name,
        /// Whether.
        state: Typing,
    },
    /// The user has read the room up to here, with another client of the network. Only ever grows.
    Read {
        /// When the newest message was said that was read.
        upto: Timestamp,
    },
}

/// What happened with a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PersonEvent {
    /// They said something to the user alone, or (as an echo) the user to them.
    Message(Message),
    /// They (or the user, elsewhere) reacted to a message.
    Reaction(Reaction),
    /// They (or the user, elsewhere) took back a message.
    Retraction(Retraction),
    /// They are typing to the user, or no longer are.
    Typing(Typing),
    /// They have a new name, everywhere at once.
    Renamed {
        /// The folded new name.
        to: Name,
        /// The same for display.
        nick: Name,
    },
    /// They left the network.
    Gone {
        /// Why, in words.
        reason: Option<Name>,
    },
    /// They are watched, and they are on the network.
    Online {
        /// The name for display.
        nick: Name,
    },
    /// They are watched, and they are not on the network. Of somebody in a room that the user is in, [`Self::Gone`] is
    /// told as well.
    Offline,
    /// They are away, or back (`None`).
    Away {
        /// Why, in words; empty where the network does not say why.
        text: Option<Name>,
    },
    /// They are a program, as it says of itself. Told as often as the network tells it.
    Bot,
    /// Under which account they are known to the network. Told as often as the network tells it, changed or not.
    Account {
        /// The folded name of the account; `None` if they are logged in to none.
        account: Option<Name>,
    },
}

/// Somebody in a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The folded name.
    pub person: Name,
    /// The name for display.
    pub nick: Name,
    /// What they may do.
    pub rank: Rank,
    /// Whether they are away, and why.
    pub away: bool,
    /// The folded name of the account to which they are logged in; `None` if there is none, or nobody has told yet
    /// (see [`PersonEvent::Account`]). Who has the same account is the same person, whatever their name.
    pub account: Option<Name>,
}

/// A set of rights in a room, as flags that can be given and taken one by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub struct Rank(u8);

impl Rank {
    /// No special right.
    pub const NONE: Self = Self(0);
    /// May speak where not everybody may.
    pub const VOICE: Self = Self(1);
    /// May remove people, but not configure the room.
    pub const HALF_OPERATOR: Self = Self(2);
    /// May remove, ban and configure.
    pub const OPERATOR: Self = Self(4);
    /// An operator whom ordinary operators cannot touch.
    pub const ADMIN: Self = Self(8);
    /// Owns the room.
    pub const OWNER: Self = Self(16);

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of the other set are in this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags as a number, for storage.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set that [`Rank::bits`] came from.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 31)
    }
}

/// How somebody left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Departure {
    /// By their own will.
    Left,
    /// They were removed by somebody, named as the network writes it.
    Kicked {
        /// By whom.
        by: Option<Name>,
    },
    /// They were banned by somebody.
    Banned {
        /// By whom.
        by: Option<Name>,
    },
    /// The connection to the network was lost; the user is brought back when it is there again.
    Lost,
}

/// A room's subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// The text; empty when it was actively cleared.
    pub text: Name,
    /// Who set it, as the network writes it.
    pub by: Option<Name>,
    /// When.
    pub at: Option<Timestamp>,
}

/// How a room is. What a network does not have stays at its default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent property of a room"
)]
pub struct RoomFlags {
    /// Only those with voice may speak.
    pub moderated: bool,
    /// Only invited people may enter.
    pub invite_only: bool,
    /// A password is asked for.
    pub password: bool,
    /// The room is in no public list.
    pub hidden: bool,
    /// Only operators may change the subject.
    pub topic_locked: bool,
    /// How many people may be in it.
    pub limit: Option<u32>,
}

/// Something that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The network's ids of it: none where the network has none, several where it was carried in parts.
    pub ids: Vec<MessageId>,
    /// Set when this is the echo of the user's own command.
    pub txn: Option<TransactionId>,
    /// Who said it, folded.
    pub sender: Name,
    /// Who said it, for display.
    pub nick: Name,
    /// When, by the network's clock where it tells, else when it arrived.
    pub at: Timestamp,
    /// What was said.
    pub content: Content,
    /// The older message that it refers to.
    pub relation: Option<Relation<MessageId>>,
    /// Whether it was said while the user was not there, and fetched now. It may be known already.
    pub missed: bool,
}

/// How a command ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The network took it.
    Accepted {
        /// The network's ids of it, where it gave some.
        ids: Vec<MessageId>,
        /// When, where the network tells.
        at: Option<Timestamp>,
    },
    /// What was asked.
    Answered(Box<Reply>),
    /// It was not done, or nobody can tell.
    Failed(Failure),
}
