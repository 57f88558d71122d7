//! What a user wants done on the network.

use crate::event::Rank;
use crate::ids::{Name, PersonId, RoomId, ServerId, Timestamp, TransactionId};
use crate::question::Question;
use crate::relation::{Relation, Target, Typing};
use crate::secret::Secret;
use crate::settings::{Scope, Settings};
use crate::signup::SignUp;
use crate::text::Content;

/// One thing to do on the network. Commands of one session are done in the order in which they were submitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Connect to a server, and keep connected until [`Command::Disconnect`]. Answered by server events.
    Connect {
        /// Which one.
        server: ServerId,
        /// The nickname to ask for.
        nick: Name,
    },
    /// Leave a server.
    Disconnect {
        /// Which one.
        server: ServerId,
        /// Parting words.
        reason: Option<Name>,
    },
    /// Enter a room, connecting to its server first where that is needed. Answered by
    /// [`RoomEvent::Joined`](crate::RoomEvent::Joined) or [`RoomEvent::Refused`](crate::RoomEvent::Refused), also
    /// when the user is in the room already (then with everything as it is now).
    Join {
        /// Which one.
        room: RoomId,
        /// The nickname to ask for if there is no connection to the server yet.
        nick: Name,
        /// The room's password.
        key: Option<Secret>,
        /// When the newest message was said that is known. Where the network keeps what is said, what came after it (or,
        /// where nothing is known, some of the newest) is told right after the join, each as `missed`.
        since: Option<Timestamp>,
    },
    /// Leave a room. Answered by [`RoomEvent::Left`](crate::RoomEvent::Left).
    Leave {
        /// Which one.
        room: RoomId,
        /// Parting words.
        reason: Option<Name>,
    },
    /// Say something.
    Send {
        /// Comes back with the outcome or the echo.
        txn: TransactionId,
        /// To whom.
        to: Recipient,
        /// What.
        content: Content,
        /// The nickname to ask for if there is no connection to the server yet.
        nick: Name,
        /// The older message that it refers to.
        relation: Option<Box<Relation<Target>>>,
    },
    /// React to a message, and take reactions back. Done whole or not at all, as far as the network permits.
    React {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Where the message was said.
        to: Recipient,
        /// The message.
        target: Box<Target>,
        /// The reactions that are new.
        add: Vec<Name>,
        /// The reactions that are taken back.
        remove: Vec<Name>,
    },
    /// Take back a message: the user's own, or (as a moderator) somebody else's.
    Retract {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Where the message was said.
        to: Recipient,
        /// The message.
        target: Box<Target>,
        /// Why.
        reason: Option<Name>,
    },
    /// Tell others that the user is typing, or no longer is. Has no outcome: what does not get there at once is not worth
    /// sending later.
    Typing {
        /// To whom.
        to: Recipient,
        /// Whether.
        state: Typing,
    },
    /// The user has read a conversation up to here: tell the user's other clients. Has no outcome, and only the newest counts.
    MarkRead {
        /// Which conversation.
        to: Recipient,
        /// When the newest message was said that was read.
        upto: Timestamp,
    },
    /// Change the subject of a room.
    SetTopic {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// The new subject; empty clears it.
        text: Name,
    },
    /// Change the user's nickname on a server.
    SetNick {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Where.
        server: ServerId,
        /// The new one.
        nick: Name,
    },
    /// Change what somebody may do in a room.
    SetRank {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// Whose.
        person: Name,
        /// What to give.
        grant: Rank,
        /// What to take.
        revoke: Rank,
    },
    /// Remove somebody from a room.
    Kick {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// Whom.
        person: Name,
        /// Why.
        reason: Option<Name>,
    },
    /// Set or lift a ban.
    SetBan {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// Whom.
        person: Name,
        /// Whether the person is banned from now on.
        banned: bool,
        /// Why.
        reason: Option<Name>,
    },
    /// What the user has set for a server or a room, or for everything, from now on. A session is told before its
    /// first other command. What concerns making a connection counts from the next one.
    Configure {
        /// What it is about.
        scope: Scope,
        /// All that is set there.
        settings: Settings,
    },
    /// Say something to a server in the network's own language.
    Raw {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which server.
        server: ServerId,
        /// What.
        line: Name,
    },
    /// Register an account with a server that offers it ([`ServerEvent::SignUp`](crate::ServerEvent::SignUp)).
    SignUp {
        /// Comes back with [`Reply::SignedUp`](crate::Reply::SignedUp), or with the failure.
        txn: TransactionId,
        /// Which server.
        server: ServerId,
        /// Which step.
        step: SignUp,
    },
    /// Change how a room is.
    SetRoom {
        /// Comes back with the outcome. What of it the network refused shows in the room's flags, as always.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// What to change.
        change: RoomChange,
    },
    /// Invite somebody into a room.
    Invite {
        /// Comes back with the outcome.
        txn: TransactionId,
        /// Which room.
        room: RoomId,
        /// Whom, folded.
        person: Name,
    },
    /// Ask something.
    Ask {
        /// Comes back with the answer, or with the failure to get one. There always is one of them, in bounded time.
        txn: TransactionId,
        /// What.
        question: Question,
        /// The nickname to ask for if there is no connection to the server yet; `None`: then do not connect, and fail.
        nick: Option<Name>,
    },
    /// Tell the other people of all connected servers that the user is away (or, with `None`, back).
    SetAway {
        /// Why, or `None` when back.
        text: Option<Name>,
    },
    /// Tell whether somebody is on the network, now and whenever that changes, by [`PersonEvent::Online`],
    /// [`PersonEvent::Offline`] and [`PersonEvent::Away`](crate::PersonEvent::Away). Makes no connection, and holds
    /// as long as the one that there is. How soon changes are told, and of how many people, is the network's matter.
    ///
    /// [`PersonEvent::Online`]: crate::PersonEvent::Online
    /// [`PersonEvent::Offline`]: crate::PersonEvent::Offline
    Watch {
        /// Whom.
        person: PersonId,
    },
    /// Tell no longer.
    Unwatch {
        /// Of whom.
        person: PersonId,
    },
}

/// What to change about a room: what is `None` stays as it is. See [`RoomFlags`](crate::RoomFlags).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomChange {
    /// Only those with voice may speak.
    pub moderated: Option<bool>,
    /// Only invited people may enter.
    pub invite_only: Option<bool>,
    /// The room is in no public list.
    pub hidden: Option<bool>,
    /// Only operators may change the subject.
    pub topic_locked: Option<bool>,
    /// A password, or none any more.
    pub password: Option<Option<Secret>>,
    /// How many people may be in it, or as many as like.
    pub limit: Option<Option<u32>>,
}

/// To whom something is said.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Recipient {
    /// Everybody in a room.
    Room(RoomId),
    /// One person.
    Person(PersonId),
}

impl Recipient {
    /// The server on which the recipient is.
    #[must_use]
    pub fn server(&self) -> &ServerId {
        match self {
            Self::Room(room) => &room.server,
            Self::Person(person) => &person.server,
        }
    }
}

impl Command {
    /// The id under which the outcome is reported, where the command has one.
    #[must_use]
    pub fn txn(&self) -> Option<TransactionId> {
        match self {
            Self::Send { txn, .. }
            | Self::React { txn, .. }
            | Self::Retract { txn, .. }
            | Self::SetTopic { txn, .. }
            | Self::SetNick { txn, .. }
            | Self::SetRank { txn, .. }
            | Self::Kick { txn, .. }
            | Self::SetBan { txn, .. }
            | Self::Raw { txn, .. }
            | Self::SignUp { txn, .. }
            | Self::SetRoom { txn, .. }
            | Self::Invite { txn, .. }
            | Self::Ask { txn, .. } => Some(*txn),
            Self::Connect { .. }
            | Self::Disconnect { .. }
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Configure { .. }
            | Self::SetAway { .. }
            | Self::Typing { .. }
            | Self::MarkRead { .. }
            | Self::Watch { .. }
            | Self::Unwatch { .. } => None,
        }
    }
}
