//! What a network can do, as data. Discovery, early refusals and fallbacks all derive from it.

use crate::relation::Relations;

/// How well a network carries a feature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Refused with a reason.
    Rejected,
    /// Carried as readable text.
    Fallback,
    /// Carried, with limits that depend on the server or room.
    Partial,
    /// Carried.
    Full,
}

/// What one network can do. What a bridge declares here, the contract suite checks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// Direct messages between two people.
    pub direct_messages: Level,
    /// Messages to one occupant of a room.
    pub private_messages: Level,
    /// `/me` (XEP-0245).
    pub emotes: Level,
    /// Styled text (XEP-0393).
    pub styling: Level,
    /// Changing the subject of a room.
    pub subject: Level,
    /// Changing one's own nickname.
    pub nick_change: Level,
    /// Removing people from rooms.
    pub kick: Level,
    /// Banning people from rooms.
    pub ban: Level,
    /// Giving and taking voice and moderator status.
    pub ranks: Level,
    /// Joining a room that nobody is in creates it.
    pub create_rooms: Level,
    /// Rooms with a password.
    pub room_passwords: Level,
    /// Telling others that the user is away.
    pub away: Level,
    /// Saying something to a server in the network's own language.
    pub raw: Level,
    /// Telling whether somebody is on the network, rooms or not ([`Command::Watch`](crate::Command::Watch)). Where it
    /// is partial, changes may be told late.
    pub watch: Level,
    /// Referring to messages that were said before. Partial where servers differ: then each connection tells what it
    /// can do ([`ServerEvent::Relations`](crate::ServerEvent::Relations)).
    pub relations: Relations,
    /// Whether a command that may have arrived can be sent again with the same transaction id without harm.
    pub resubmit: bool,
    /// Whether users may be let in without registering first.
    pub guests: bool,
    /// The most bytes of text that one message of a user may have.
    pub max_message_bytes: usize,
    /// The most bytes that a nickname may have, where nothing more is known.
    pub max_nick_bytes: usize,
}
