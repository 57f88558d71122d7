//! How a loopback network is: what it can do, how it acknowledges, what time it is.

use std::time::Duration;

use crate::capability::{Capabilities, Level};
use crate::ids::Timestamp;
use crate::relation::Relations;

/// How a loopback network is. Its behaviour follows what is declared here: a feature that is
/// [`Level::Rejected`] is refused, a longer message than [`Capabilities::max_message_bytes`] is not carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// What the network can do, and what the bridge declares.
    pub capabilities: Capabilities,
    /// How it tells a sender that a message was taken.
    pub echo: Echo,
    /// The time at which its clock starts. Every message moves the clock on by a millisecond.
    pub start: Timestamp,
    /// What a session that lost its connection is told about the next attempt. Nothing waits for that long: the
    /// next attempt begins when the test says so (see [`LoopbackServer::restore`](super::LoopbackServer::restore)).
    pub retry_in: Duration,
    /// Whether a session that comes back into a room after a loss is given what was said there meanwhile, right
    /// after [`RoomEvent::Joined`](crate::RoomEvent::Joined).
    pub replay: bool,
}

/// How a network tells the sender of a message that it was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Echo {
    /// With an outcome alone, as IRC without `echo-message`.
    Never,
    /// With the message itself alone, as IRC with `echo-message`.
    Alone,
    /// With both, the message first, as Matrix when the sync is quicker.
    BeforeOutcome,
    /// With both, the outcome first, as Matrix when the answer to the request is quicker.
    AfterOutcome,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            capabilities: full(),
            echo: Echo::Never,
            start: Timestamp(1_700_000_000_000_000),
            retry_in: Duration::from_secs(5),
            replay: false,
        }
    }
}

/// Everything that the seam has a command for.
fn full() -> Capabilities {
    Capabilities {
        direct_messages: Level::Full,
        private_messages: Level::Full,
        emotes: Level::Full,
        styling: Level::Full,
        subject: Level::Full,
        nick_change: Level::Full,
        kick: Level::Full,
        ban: Level::Full,
        ranks: Level::Full,
        create_rooms: Level::Full,
        room_passwords: Level::Full,
        away: Level::Full,
        raw: Level::Rejected,
        watch: Level::Full,
        relations: Relations {
            corrections: Level::Full,
            replies: Level::Full,
            reactions: Level::Full,
            retractions: Level::Full,
            moderation: Level::Full,
            typing: Level::Full,
            read: Level::Rejected,
        },
        resubmit: true,
        guests: true,
        max_message_bytes: 4096,
        max_nick_bytes: 32,
    }
}
