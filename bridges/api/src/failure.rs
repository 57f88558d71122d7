//! Failures say what to do.

use std::time::Duration;

use thiserror::Error;

/// Why a command did not succeed, in terms of what the caller can do about it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Failure {
    /// Not now; the same command may succeed later.
    #[error("{reason}")]
    Transient {
        /// How long to wait, when the network said so.
        retry_after: Option<Duration>,
        /// In words, for the user.
        reason: String,
    },
    /// The network said no, and will say so again.
    #[error("{reason}")]
    Permanent {
        /// Which kind of no.
        refusal: Refusal,
        /// In words, for the user: the network's own where it gave some.
        reason: String,
    },
    /// It may have arrived. Never send it again blindly.
    #[error("{reason}")]
    Uncertain {
        /// In words, for the user.
        reason: String,
    },
    /// There is no connection to the network for this user.
    #[error("{reason}")]
    NotLoggedIn {
        /// In words, for the user.
        reason: String,
    },
    /// The network has no such thing.
    #[error("{feature} is not possible on this network")]
    Unsupported {
        /// What it has not, in words.
        feature: &'static str,
    },
}

/// The kinds of no. The core has one table that turns them into stanza error conditions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Refusal {
    /// There is no such person, room or server.
    NotFound,
    /// The user lacks the right.
    Forbidden,
    /// Nobody may do this here, or not to this target.
    NotAllowed,
    /// The name is taken.
    Conflict,
    /// What was sent cannot be taken as it is (a bad name, too long, empty).
    NotAcceptable,
    /// The credentials or the room's key are wrong or missing.
    NotAuthorized,
    /// Only invited people or members may enter.
    MembersOnly,
    /// The user is banned.
    Banned,
    /// No more people fit in.
    Full,
    /// Too fast or too much: what was refused may be tried again, more slowly.
    Throttled,
    /// The user is not in the room.
    NotInRoom,
    /// The person is not there and nothing is kept for them.
    Offline,
    /// The server cannot be reached, or not securely.
    Unreachable,
}

impl Failure {
    /// A permanent refusal with its reason.
    pub fn refused(refusal: Refusal, reason: impl Into<String>) -> Self {
        Self::Permanent {
            refusal,
            reason: reason.into(),
        }
    }

    /// A transient failure with its reason.
    pub fn transient(reason: impl Into<String>) -> Self {
        Self::Transient {
            retry_after: None,
            reason: reason.into(),
        }
    }
}
