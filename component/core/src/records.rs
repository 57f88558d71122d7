//! What is remembered: the rows that the core writes and gets back after a restart. The store keeps them; this file
//! says what they mean.

use std::sync::Arc;

use viaduct_bridge::{
    Account, Content, MessageId, Name, Recipient, Scope, Secret, ServerId, Settings, Timestamp, Topic,
    TransactionId,
};

use crate::options::Options;
use crate::refer::{AliasRecord, ReactionsRecord};

/// Names a login for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct LoginId(pub i64);

/// Names a portal for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct PortalId(pub i64);

/// A place in a portal's archive. Live messages count up from 1 without a gap; older history, fetched later, counts
/// down from 0. Order by position is the network's order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub struct Position(pub i64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One thing to remember or forget. Writes of one batch are committed together.
#[derive(Clone, PartialEq, Debug)]
pub enum Write {
    /// A login, as it is now.
    Login(Box<LoginRecord>),
    /// Forget a login and everything that belongs to it.
    ForgetLogin(LoginId),
    /// What a user has set within a scope, as it is now; nothing is on record where all is at its default.
    Settings(Box<SettingsRecord>),
    /// A user has subscribed to the presence of a person.
    Contact {
        /// Whose contact.
        login: LoginId,
        /// The localpart of the person's JID.
        local: Name,
    },
    /// A user has ended that.
    ForgetContact {
        /// Whose contact.
        login: LoginId,
        /// The localpart of the person's JID.
        local: Name,
    },
    /// A portal, as it is now.
    Portal(Box<PortalRecord>),
    /// What was taken over from another gateway within a scope, as far as it has come.
    Imported(Box<ImportedRecord>),
    /// A resource is in a room (also when its nickname or its cursor is set anew).
    Joined(Box<JoinedRecord>),
    /// A resource is no longer in a room.
    Left {
        /// The room.
        portal: PortalId,
        /// The resource.
        resource: Name,
    },
    /// Everything up to this position has been processed by the user's server.
    Cursor {
        /// The portal.
        portal: PortalId,
        /// The resource; empty for a direct chat, which goes to the bare JID.
        resource: Name,
        /// The position.
        position: Position,
    },
    /// What the joined resources have been shown of a room's occupants, replacing what was recorded before.
    Shown {
        /// The room.
        portal: PortalId,
        /// An opaque snapshot.
        data: Arc<[u8]>,
    },
    /// A change to what they have been shown since the snapshot.
    ShownChange {
        /// The room.
        portal: PortalId,
        /// Counts up within the portal.
        seq: i64,
        /// An opaque change.
        data: Arc<[u8]>,
    },
    /// A message has its place.
    Message(Box<MessageRecord>),
    /// A message is about to be handed to the network.
    Outbox(Arc<OutboxRecord>),
    /// The network has answered for this command, or will not.
    Settled {
        /// Whose.
        login: LoginId,
        /// Which.
        txn: TransactionId,
    },
    /// A network id of a message, beside the one in its row.
    Alias(Box<AliasRecord>),
    /// Somebody's reactions to a message are these now.
    Reactions(Box<ReactionsRecord>),
    /// A message was taken back: the row in this place holds this from now on, and what it held is erased.
    Retracted(Box<MessageRecord>),
    /// What the user was told about the connection to a server.
    Warned {
        /// Who.
        login: LoginId,
        /// About which server.
        server: ServerId,
        /// In which words; `None` when there is no reason to warn any more.
        words: Option<Name>,
    },
    /// Messages up to here need not be kept (a direct chat's archive is the user's server's).
    Prune {
        /// The portal.
        portal: PortalId,
        /// The last to go.
        upto: Position,
    },
}

/// A user of one gateway.
#[derive(Clone, PartialEq, Debug)]
pub struct LoginRecord {
    /// Its id.
    pub id: LoginId,
    /// The gateway's domain.
    pub gateway: Name,
    /// The user's bare JID.
    pub user: Name,
    /// What the user registered with; `None` for a guest. Sealed at rest.
    pub account: Option<Account>,
    /// What the user chose.
    pub preferences: Preferences,
}

/// What a user chose.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Preferences {
    /// Stay on the network when the last client goes offline.
    pub stay_connected: bool,
}

/// What a user has set within one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsRecord {
    /// Whose.
    pub login: LoginId,
    /// What it is about.
    pub scope: Scope,
    /// What concerns the gateway itself.
    pub options: Options,
    /// What concerns the network. Sealed at rest.
    pub network: Settings,
}

/// What was taken over from another gateway for one user within a scope. It is there as soon as the settings of the scope
/// are, and with it they are never taken again; the lines of a room follow from the newest to the oldest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedRecord {
    /// Whose.
    pub login: LoginId,
    /// What it is about.
    pub scope: Scope,
    /// The other gateway's numbers of the newest and the oldest line that were taken.
    pub lines: Option<(i64, i64)>,
}

/// A mirrored conversation, as one user sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct PortalRecord {
    /// Its id.
    pub id: PortalId,
    /// Whose view it is.
    pub login: LoginId,
    /// With whom or where.
    pub with: Recipient,
    /// The localpart under which it was first seen.
    pub local: Name,
    /// In a room, the nickname that the user asked for.
    pub nick: Name,
    /// The room's password, where one was given. Sealed at rest.
    pub key: Option<Secret>,
    /// The subject last shown.
    pub topic: Option<Topic>,
    /// Whether the user stays in the room without any client.
    pub kept: bool,
}

/// A resource of the user that is in a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JoinedRecord {
    /// The room.
    pub portal: PortalId,
    /// The resource.
    pub resource: Name,
    /// The nickname under which it knows itself.
    pub nick: Name,
    /// Everything up to here has been processed by the user's server.
    pub cursor: Position,
}

/// What the same message has in common for everybody who sees it. Immutable; stored once for many views.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Said {
    /// The sender's nickname in the room (or, in a direct chat, the puppet's localpart).
    pub nick: Name,
    /// The sender's occupant-id (XEP-0421); empty in a direct chat.
    pub occupant: Name,
    /// The payload: well-formed XML, ready to stand inside a message.
    pub payload: Name,
}

/// A message in its place.
#[derive(Clone, PartialEq, Debug)]
pub struct MessageRecord {
    /// The portal.
    pub portal: PortalId,
    /// The place.
    pub position: Position,
    /// When it was said. Never decreases along positions that count up.
    pub at: Timestamp,
    /// What was said, by whom.
    pub said: Arc<Said>,
    /// The network's id, where it has one. The first, where it was carried in parts.
    pub remote: Option<MessageId>,
    /// The `id` that the user's client gave it.
    pub client_id: Option<Name>,
}

/// A message of the user for which the network has not answered yet.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxRecord {
    /// Its transaction.
    pub txn: TransactionId,
    /// Whose.
    pub login: LoginId,
    /// To whom.
    pub to: Recipient,
    /// The resource that sent it.
    pub resource: Name,
    /// The JID to which the client addressed it.
    pub addressed: Name,
    /// The `id` of the client's stanza.
    pub client_id: Option<Name>,
    /// What the reflection will carry.
    pub payload: Name,
    /// What is said.
    pub content: Content,
}

/// Everything about one login, as after a restart.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadedLogin {
    /// The login itself.
    pub login: LoginRecord,
    /// What the user has set.
    pub settings: Vec<SettingsRecord>,
    /// Its portals.
    pub portals: Vec<LoadedPortal>,
    /// Messages that the network had not answered for, by transaction.
    pub outbox: Vec<OutboxRecord>,
    /// What the user was told about connections, by server.
    pub warned: Vec<(ServerId, Name)>,
    /// The localparts of the people whose presence the user has subscribed to.
    pub contacts: Vec<Name>,
}

/// A portal, as after a restart.
#[derive(Clone, PartialEq, Debug)]
pub struct LoadedPortal {
    /// The portal itself.
    pub portal: PortalRecord,
    /// The resources that are in it. For a direct chat, at most one with an empty resource: its cursor.
    pub joined: Vec<JoinedRecord>,
    /// What the joined resources were shown: the snapshot, then the changes in order.
    pub shown: Vec<Arc<[u8]>>,
    /// The newest position, 0 when nothing was ever said.
    pub last: Position,
    /// The time of the newest message.
    pub last_at: Timestamp,
    /// Whether there are messages from before the first live one.
    pub older: bool,
}

/// Which part of an archive is wanted (XEP-0313, XEP-0059).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveQuery {
    /// The archive.
    pub portal: PortalId,
    /// Nothing newer than this: what was there when the question was asked.
    pub upto: Position,
    /// Not older than this.
    pub start: Option<Timestamp>,
    /// Not newer than this.
    pub end: Option<Timestamp>,
    /// Only after the message with this archive id (`after-id` of the form).
    pub after_id: Option<Name>,
    /// Only before the message with this archive id (`before-id` of the form).
    pub before_id: Option<Name>,
    /// Only the messages with these archive ids.
    pub ids: Option<Vec<Name>>,
    /// Only what this nickname said.
    pub with_nick: Option<Name>,
    /// Which page.
    pub page: PageRequest,
}

/// Which page of a result set (XEP-0059).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageRequest {
    /// The most messages; 0 asks for the count alone.
    pub max: u32,
    /// Where the page begins or ends.
    pub place: PagePlace,
}

/// Where a page is in its result set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PagePlace {
    /// At the beginning.
    First,
    /// At the end (an empty `<before/>`).
    Last,
    /// Just after the message with this archive id.
    After(Name),
    /// Just before the message with this archive id.
    Before(Name),
}

/// One page of an archive, in the order of positions.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ArchivePage {
    /// The messages.
    pub messages: Vec<MessageRecord>,
    /// Whether nothing comes after (or, paging backwards, before) this page.
    pub complete: bool,
    /// How many messages the whole result set has.
    pub count: u64,
    /// The place of the first message of the page in the result set, counted from 0.
    pub first_index: u64,
}

/// A query could not be answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An archive id in the query names nothing (XEP-0313: `item-not-found`).
    #[error("there is no such message in this archive")]
    NoSuchMessage,
}

/// The archive id (and stanza-id, XEP-0359) of a message: the network's own id, or one made of its place.
#[must_use]
pub fn archive_id(message: &MessageRecord) -> Name {
    match &message.remote {
        Some(id) => id.0.clone(),
        None => placed_id(message.portal, message.position),
    }
}

/// The archive id of a message for which the network has no id of its own.
#[must_use]
pub fn placed_id(portal: PortalId, position: Position) -> Name {
    format!("v{:x}.{:x}", portal.0, position.0).into()
}

/// Reads [`placed_id`] back.
#[must_use]
pub fn parse_placed_id(id: &str) -> Option<(PortalId, Position)> {
    let (portal, position) = id.strip_prefix('v')?.split_once('.')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok().map(u64::cast_signed);
    let parsed = (PortalId(number(portal)?), Position(number(position)?));
    (placed_id(parsed.0, parsed.1).as_str() == id).then_some(parsed)
}
