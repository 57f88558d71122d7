//! What refers to a message that was said before: replies, corrections, reactions, retractions. And what goes before one:
//! somebody is typing.
//!
//! On the seam a message is named by the network's own ids. Which message a client means, and whether the user may see
//! it at all, is settled above the seam; which ids belong to a message is remembered there as well, because one message
//! may have been carried in several parts.

use crate::capability::Level;
use crate::ids::{MessageId, Name, Timestamp};

/// How well messages can be referred to, and what is known of those to come: by the kind of network, or on one connection to it, where servers differ.
///
/// [`Level::Fallback`] means that it is to be said as readable text instead: a correction as a new message, a reply with
/// the words that it answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Relations {
    /// Correcting what one has said (XEP-0308).
    pub corrections: Level,
    /// Answering one certain message (XEP-0461).
    pub replies: Level,
    /// Reactions (XEP-0444).
    pub reactions: Level,
    /// Taking back what one has said (XEP-0424).
    pub retractions: Level,
    /// Taking back what others have said, for those with the right to it (XEP-0425).
    pub moderation: Level,
    /// Telling that one is typing (XEP-0085).
    pub typing: Level,
    /// Telling the user's other clients what the user has read (XEP-0333).
    pub read: Level,
}

impl Default for Relations {
    fn default() -> Self {
        Self::NONE
    }
}

impl Relations {
    /// Nothing of all this; replies and corrections are said as text.
    pub const NONE: Self = Self {
        corrections: Level::Fallback,
        replies: Level::Fallback,
        reactions: Level::Rejected,
        retractions: Level::Rejected,
        moderation: Level::Rejected,
        typing: Level::Rejected,
        read: Level::Rejected,
    };

    /// What is certain while a server has not said what it can do: all that does not depend on the server.
    #[must_use]
    pub fn certain(self) -> Self {
        let certain = |level, otherwise| if level == Level::Partial { otherwise } else { level };
        Self {
            corrections: certain(self.corrections, Level::Fallback),
            replies: certain(self.replies, Level::Fallback),
            reactions: certain(self.reactions, Level::Rejected),
            retractions: certain(self.retractions, Level::Rejected),
            moderation: certain(self.moderation, Level::Rejected),
            typing: certain(self.typing, Level::Rejected),
            read: certain(self.read, Level::Rejected),
        }
    }
}

/// A message that was said before, with what a bridge may need to name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The network's ids of it, at least one: several where it was carried in parts.
    pub ids: Vec<MessageId>,
    /// When it was said.
    pub at: Timestamp,
}

/// How a new message refers to an older one. `T` is a [`Target`] on the way to the network, and a [`MessageId`] on the way
/// from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Relation<T> {
    /// It answers that message.
    Reply(T),
    /// It replaces that message, which is by the same author.
    Correction(T),
}

impl<T> Relation<T> {
    /// The older message.
    pub fn target(&self) -> &T {
        match self {
            Self::Reply(target) | Self::Correction(target) => target,
        }
    }
}

/// Whether somebody is typing. It lasts for some seconds only, and is worth nothing afterwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Typing {
    /// They are.
    Active,
    /// They pause, in the middle of a message.
    Paused,
    /// They are not, or no more.
    Done,
}

/// Somebody reacted to a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reaction {
    /// Who, folded.
    pub sender: Name,
    /// Who, for display.
    pub nick: Name,
    /// When.
    pub at: Timestamp,
    /// The message: one of its ids.
    pub of: MessageId,
    /// The reactions that are new.
    pub add: Vec<Name>,
    /// The reactions that are taken back.
    pub remove: Vec<Name>,
}

/// A message was taken back, by its author or by somebody with the right to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retraction {
    /// Who did it, folded.
    pub by: Name,
    /// Who did it, for display.
    pub nick: Name,
    /// When.
    pub at: Timestamp,
    /// The message: one of its ids.
    pub of: MessageId,
    /// Why.
    pub reason: Option<Name>,
}
