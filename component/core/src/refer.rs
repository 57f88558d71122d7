//! What refers to an older message, and what it refers to.
//!
//! A relation is resolved when its turn comes, before the core sees it: the host asks [`Login::refers`], looks that up in
//! the store once everything before it is committed, and hands both in as [`Input::Related`]. So the core needs no
//! database, what has no relation pays nothing, and a relation sees all that came before it. A [`Lookup`] always names a
//! portal of the very login that asks: nothing else can be found.
//!
//! [`Login::refers`]: crate::login::Login::refers
//! [`Input::Related`]: crate::effect::Input::Related

use viaduct_bridge::{MessageId, Name, Timestamp};

use crate::records::{MessageRecord, PortalId};

/// The most reactions of one person to one message that are kept.
pub const MOST_REACTIONS: usize = 32;

/// What is to be looked up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// In which conversation.
    pub portal: PortalId,
    /// Which message.
    pub which: Which,
    /// Whose reactions to it are asked for.
    pub reactions_of: Option<Name>,
}

/// How a message is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// By the id by which clients know it: in a room the stanza-id (XEP-0359), in a direct chat the `id`.
    Known(Name),
    /// By the `id` that the user's client gave it in a room (XEP-0308 refers to that).
    Client(Name),
    /// By one of the network's ids.
    Remote(MessageId),
    /// By time: the newest message of a room that was said then or before.
    Upto(Timestamp),
}

/// A message that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The id by which clients know it.
    pub known: Name,
    /// The network's ids of it; empty where the network has none.
    pub ids: Vec<MessageId>,
    /// When it was said.
    pub at: Timestamp,
    /// In a direct chat: whether the user said it.
    pub mine: bool,
    /// In a room: the message.
    pub message: Option<MessageRecord>,
    /// The reactions that were asked for.
    pub reactions: Vec<Name>,
}

/// A network id of a message that its archive row does not hold: of its further parts and, in a direct chat, whose
/// archive is the user's server's, of all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AliasRecord {
    /// The conversation.
    pub portal: PortalId,
    /// The network's id.
    pub remote: MessageId,
    /// The id by which clients know the message.
    pub known: Name,
    /// Counts the ids of one message.
    pub part: i64,
    /// When it was said.
    pub at: Timestamp,
    /// In a direct chat: whether the user said it.
    pub mine: bool,
}

/// The reactions of one person to one message, as they are now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReactionsRecord {
    /// The conversation.
    pub portal: PortalId,
    /// The id by which clients know the message.
    pub known: Name,
    /// Who: an occupant-id; in a direct chat [`ME`] or [`THEM`].
    pub sender: Name,
    /// The reactions; none takes the row away.
    pub texts: Vec<Name>,
}

/// Who reacted in a direct chat: the user.
pub const ME: &str = "me";
/// Who reacted in a direct chat: the other.
pub const THEM: &str = "them";
