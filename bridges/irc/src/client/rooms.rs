//! The channels that the user is in or wants to be in. How they are entered is in `entering`.

use std::collections::HashMap;
use std::time::Instant;

use viaduct_bridge::{Name, RoomId, Secret, Timestamp};

use crate::proto::casemap::Casemapping;
use crate::proto::modes::ChannelModes;

use super::snapshot::Snapshot;
use super::who::Plan;

/// Where the user is on the way into a channel.
pub(super) enum State {
    /// To be entered at the next opportunity.
    Wanted,
    /// JOIN waits or was sent.
    Asked { until: Option<Instant> },
    /// In; the answers that describe the channel come in.
    Collecting(Box<Snapshot>),
    /// In.
    In,
    /// In, and described once more.
    Refreshing(Box<Snapshot>),
}

/// One channel.
pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) modes: ChannelModes,
    pub(super) key: Option<Secret>,
    pub(super) state: State,
    /// Whether a command of the user waits for the answer.
    pub(super) awaited: bool,
    /// Whether the user was in when the connection was lost.
    pub(super) lost: bool,
    /// PART waits or was sent.
    pub(super) leaving: bool,
    /// To be entered again once it is left.
    pub(super) then_join: bool,
    /// When the newest message was said that the core has been told of.
    pub(super) newest: Option<Timestamp>,
    /// When it is asked who is away.
    pub(super) who: Plan,
}

impl Room {
    pub(super) fn new(id: RoomId, key: Option<Secret>) -> Self {
        Self {
            id,
            modes: ChannelModes::default(),
            key,
            state: State::Wanted,
            awaited: false,
            lost: false,
            leaving: false,
            then_join: false,
            newest: None,
            who: Plan::default(),
        }
    }

    /// What is being collected about it.
    pub(super) fn snapshot(&mut self) -> Option<&mut Snapshot> {
        match &mut self.state {
            State::Collecting(snapshot) | State::Refreshing(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// What waits until the room has been described.
    pub(super) fn holds(&mut self) -> Option<&mut Snapshot> {
        match &mut self.state {
            State::Collecting(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// Whether the core has been told that the user is in.
    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::In | State::Refreshing(_))
    }

    /// Whether the user is in.
    pub(super) fn is_entered(&self) -> bool {
        self.is_in() || matches!(self.state, State::Collecting(_))
    }

    /// A key was set or taken away; the next JOIN will need it. Some servers show a star instead of it.
    pub(super) fn set_key(&mut self, key: Option<&str>) {
        if key != Some("*") {
            self.key = key.map(Secret::new);
        }
    }

    fn name(&self) -> &Name {
        &self.id.room
    }
}

/// All channels of a connection, by folded name. They outlive the connection.
#[derive(Default)]
pub(crate) struct Rooms {
    pub(super) all: HashMap<Name, Room>,
    /// How many are being described, so that nobody looks where nothing is.
    pub(super) collecting: usize,
    /// Channels that the server may put the user into without being asked (forwards), to be left again.
    pub(super) unwanted: Vec<Name>,
}

impl Rooms {
    /// The room of this folded name.
    pub(super) fn get_mut(&mut self, folded: &str) -> Option<&mut Room> {
        self.all.get_mut(folded)
    }

    /// The rooms that are being described.
    pub(super) fn snapshots(&mut self) -> impl Iterator<Item = &mut Snapshot> {
        let rooms = (self.collecting > 0).then(|| self.all.values_mut());
        rooms.into_iter().flatten().filter_map(Room::snapshot)
    }

    /// Names are folded anew: what is the same room now is one, and is called by that name.
    pub(super) fn rekey(&mut self, fold: Casemapping) {
        for (_, mut room) in std::mem::take(&mut self.all) {
            let folded = fold.fold_name(room.name());
            room.id.room = folded.clone();
            if let Some(other) = self.all.remove(&folded) {
                room.awaited |= other.awaited;
                room.lost |= other.lost;
                room.key = room.key.or(other.key);
            }
            self.all.insert(folded, room);
        }
    }

    /// When something about a room is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let rooms = (self.collecting > 0).then(|| self.all.values());
        rooms
            .into_iter()
            .flatten()
            .filter_map(|room| match &room.state {
                State::Asked { until } => *until,
                State::Collecting(snapshot) | State::Refreshing(snapshot) => Some(snapshot.deadline()),
                State::Wanted | State::In => None,
            })
            .min()
    }

    /// The connection is gone. All rooms are to be entered again; gives those that the user was in, and whether they
    /// were leaving it.
    pub(super) fn lose(&mut self) -> Vec<(RoomId, bool)> {
        let (mut left, mut gone) = (Vec::new(), Vec::new());
        for (folded, room) in &mut self.all {
            if room.is_in() || room.leaving {
                left.push((room.id.clone(), room.leaving));
                room.lost = true;
            }
            room.state = State::Wanted;
            room.modes = ChannelModes::default();
            room.who = Plan::default();
            if std::mem::take(&mut room.leaving) && !std::mem::take(&mut room.then_join) {
                gone.push(folded.clone());
            }
        }
        for folded in gone {
            self.all.remove(&folded);
        }
        self.collecting = 0;
        self.unwanted.clear();
        left.sort();
        left
    }

    /// Notes a room that the user wants to enter while there is no connection.
    pub(crate) fn want(
        &mut self,
        id: RoomId,
        key: Option<Secret>,
        since: Option<Timestamp>,
        fold: Casemapping,
    ) {
        let folded = fold.fold_name(&id.room);
        let room = self.all.entry(folded).or_insert_with(|| Room::new(id, None));
        if key.is_some() {
            room.key = key;
        }
        room.newest = room.newest.max(since);
        room.awaited = true;
    }

    /// The user no longer wants to be in a room. The id under which it was known.
    pub(crate) fn unwant(&mut self, room: &str, fold: Casemapping) -> Option<RoomId> {
        let folded = fold.fold(room);
        self.remove(&folded).map(|room| room.id)
    }

    /// No connection came about: gives the rooms that a command waits for, and forgets those of them that the user
    /// was not in before.
    pub(crate) fn take_awaited(&mut self) -> Vec<RoomId> {
        let mut ids = Vec::new();
        self.all.retain(|_, room| {
            if std::mem::take(&mut room.awaited) {
                ids.push(room.id.clone());
                return room.lost;
            }
            true
        });
        ids.sort();
        ids
    }

    /// Forgets a room.
    pub(super) fn remove(&mut self, folded: &str) -> Option<Room> {
        let mut room = self.all.remove(folded)?;
        if room.snapshot().is_some() || matches!(room.state, State::Asked { .. }) {
            self.collecting -= 1;
        }
        Some(room)
    }
}
