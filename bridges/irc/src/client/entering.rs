//! Entering and leaving channels (RFC 2812 §3.2.1 and 3.2.2), and the answers that describe them.

use std::time::Duration;

use viaduct_bridge::{Departure, Failure, Name, Refusal, RoomEvent, RoomId, Secret, Timestamp};

use crate::address::is_channel_name;
use crate::proto::line::Line;
use crate::proto::message::Message;
use crate::proto::modes::{ChannelModes, changes};
use crate::proto::time;

use super::queue::Queued;
use super::rooms::{Room, State};
use super::snapshot::Snapshot;
use super::{Client, Now, Phase, refusal};

/// The most rooms that a server can put a user into.
const MOST_ROOMS: usize = 1000;
/// The most people of all rooms that are being described at a time.
const MOST_PEOPLE: usize = 100_000;
/// How long a server may take to answer JOIN.
const PATIENCE: Duration = Duration::from_secs(30);

impl Client {
    /// The user wants to enter a room.
    pub(super) fn join(&mut self, now: Now, id: RoomId, key: Option<Secret>, since: Option<Timestamp>) {
        let folded = self.fold(&id.room);
        let id = RoomId {
            room: folded.clone(),
            ..id
        };
        self.rooms.unwanted.retain(|name| *name != folded);
        let room = self
            .rooms
            .all
            .entry(folded.clone())
            .or_insert_with(|| Room::new(id, None));
        if key.is_some() {
            room.key = key;
        }
        room.newest = room.newest.max(since);
        room.awaited = true;
        if room.leaving {
            // The server will say that the user has left; that is when to come back.
            room.then_join = true;
            return;
        }
        match &room.state {
            State::Wanted => {
                room.state = State::Asked { until: None };
                self.rooms.collecting += 1;
                self.queue.push_join(folded);
            }
            State::In => {
                room.state = State::Refreshing(Box::new(Snapshot::new(now.at)));
                self.rooms.collecting += 1;
                for verb in ["TOPIC", "NAMES", "MODE"] {
                    let line = Line::command(verb).arg(&room.id.room);
                    self.queue.push(Queued::Line(line));
                }
            }
            // The answer is on its way.
            State::Asked { .. } | State::Collecting(_) | State::Refreshing(_) => {}
        }
    }

    /// Enters all rooms that were wanted before the connection was there.
    pub(super) fn rejoin(&mut self) {
        let mut names: Vec<Name> = Vec::new();
        for (folded, room) in &mut self.rooms.all {
            if matches!(room.state, State::Wanted) {
                room.state = State::Asked { until: None };
                names.push(folded.clone());
            }
        }
        names.sort();
        self.rooms.collecting += names.len();
        for name in names {
            self.queue.push_join(name);
        }
    }

    /// One JOIN for as many of these rooms as fit, which are taken off the list.
    pub(super) fn write_joins(&mut self, now: Now, names: &mut Vec<Name>, out: &mut Vec<u8>) {
        let most = self.isupport.join_targets.unwrap_or(10).min(10);
        // Rooms with a key come first: keys are matched to rooms in order.
        let (mut keyed, mut open) = (Vec::new(), Vec::new());
        let (mut bytes, mut taken) = (0, 0);
        for name in names.iter() {
            if let Some(room) = self.rooms.all.get_mut(name)
                && let State::Asked { until } = &mut room.state
            {
                let key = room
                    .key
                    .as_ref()
                    .filter(|key| !key.is_empty() && !key.reveal().contains(','));
                let more = room.id.room.len() + key.map_or(0, |key| key.reveal().len()) + 2;
                if bytes > 0 && (bytes + more > 400 || keyed.len() + open.len() >= most) {
                    break;
                }
                bytes += more;
                *until = Some(now.at + PATIENCE);
                match key {
                    Some(key) => keyed.push((room.id.room.clone(), key.clone())),
                    None => open.push(room.id.room.clone()),
                }
            }
            taken += 1;
        }
        if bytes > 0 {
            let rooms: Vec<&str> = keyed
                .iter()
                .map(|(room, _)| room)
                .chain(&open)
                .map(Name::as_str)
                .collect();
            let mut line = Line::command("JOIN").arg(&rooms.join(","));
            if !keyed.is_empty() {
                let keys: Vec<&str> = keyed.iter().map(|(_, key)| key.reveal()).collect();
                line = line.arg(&keys.join(","));
            }
            line.write_and_wipe(out);
        }
        names.drain(..taken);
    }

    /// The user is in a channel now.
    pub(super) fn on_own_join(&mut self, now: Now, name: &str) {
        let folded = self.fold(name);
        if let Some(at) = self
            .rooms
            .unwanted
            .iter()
            .position(|unwanted| *unwanted == folded)
        {
            self.rooms.unwanted.swap_remove(at);
            self.queue.push_provoked(Line::command("PART").arg(name));
            return;
        }
        let known = self.rooms.all.contains_key(&folded);
        if !known && (self.rooms.all.len() >= MOST_ROOMS || !is_channel_name(name)) {
            return;
        }
        let id = RoomId {
            server: self.server.clone(),
            room: folded.clone(),
        };
        let counted = self
            .rooms
            .all
            .get_mut(&folded)
            .is_some_and(|room| room.snapshot().is_some() || matches!(room.state, State::Asked { .. }));
        let room = self
            .rooms
            .all
            .entry(folded.clone())
            .or_insert_with(|| Room::new(id, None));
        room.state = State::Collecting(Box::new(Snapshot::new(now.at)));
        self.rooms.collecting += usize::from(!counted);
        self.questions.push_provoked(Line::command("MODE").arg(name));
        self.fetch_missed(&folded);
    }

    /// The user is no longer in a channel.
    pub(super) fn on_own_leave(&mut self, folded: &str, how: Departure, reason: Option<Name>) {
        if let Some(room) = self.rooms.remove(folded) {
            self.tell_room(room.id.clone(), RoomEvent::Left { how, reason });
            self.come_back(folded, room);
        }
    }

    /// Enters a room again that the user wanted to enter while they were still leaving it.
    fn come_back(&mut self, folded: &str, room: Room) {
        if room.then_join {
            let mut again = Room::new(room.id, room.key);
            again.awaited = true;
            again.state = State::Asked { until: None };
            self.rooms.collecting += 1;
            let folded = Name::from(folded);
            self.rooms.all.insert(folded.clone(), again);
            self.queue.push_join(folded);
        }
    }

    /// The user wants to leave a room.
    pub(super) fn leave(&mut self, id: RoomId, reason: Option<&str>) {
        let folded = self.fold(&id.room);
        let room = self.rooms.get_mut(&folded);
        match room.map(|room| {
            room.leaving = true;
            room.then_join = false;
            matches!(room.state, State::Wanted)
        }) {
            Some(false) => {
                let line = Line::command("PART").arg(&id.room);
                let line = match reason {
                    Some(reason) => line.trailing(reason),
                    None => line,
                };
                self.queue.push(Queued::Line(line));
            }
            Some(true) => self.on_own_leave(&folded, Departure::Left, reason.map(Name::from)),
            None => {
                let (how, reason) = (Departure::Left, None);
                self.tell_room(id, RoomEvent::Left { how, reason });
            }
        }
    }

    /// An error that answers a JOIN, a PART or the questions about a room. True if it was one of these.
    pub(super) fn room_refused(&mut self, now: Now, code: u16, message: &Message<'_>) -> bool {
        let folded = self.fold(message.param(1));
        let Some(room) = self.rooms.get_mut(&folded) else {
            // The answer to a PART of a room that the user was not in after all.
            return matches!(code, 403 | 442) && self.isupport.is_channel(&folded);
        };
        match &mut room.state {
            State::Asked { .. } if code != 404 => {
                let failure = if code == 470 {
                    let to = message.param(2);
                    let words = format!("{} leads to another channel now: {to}", room.id.room);
                    let forwarded = self.fold(to);
                    if self.rooms.get_mut(&forwarded).is_none() {
                        self.rooms.unwanted.push(forwarded);
                    }
                    Failure::refused(Refusal::NotAllowed, words)
                } else {
                    refusal::of_join(code, message.last())
                };
                self.refuse_room(&folded, failure);
                true
            }
            // 403 and 442 to a PART: the user is not in, which is what was wanted.
            State::In | State::Refreshing(_) if code == 442 => {
                self.on_own_leave(&folded, Departure::Left, None);
                true
            }
            State::Collecting(snapshot) | State::Refreshing(snapshot) if snapshot.awaits_modes() => {
                snapshot.modes_end();
                self.describe(&folded, now);
                true
            }
            _ => false,
        }
    }

    /// The user cannot enter a room.
    pub(super) fn refuse_room(&mut self, folded: &str, failure: Failure) {
        if let Some(room) = self.rooms.remove(folded) {
            self.tell_room(room.id.clone(), RoomEvent::Refused { failure });
            if room.leaving {
                let (how, reason) = (Departure::Left, None);
                self.tell_room(room.id.clone(), RoomEvent::Left { how, reason });
            }
            self.come_back(folded, room);
        }
    }

    /// Numerics that describe a channel. True if the line was one of them.
    pub(super) fn on_description(&mut self, now: Now, code: u16, message: &Message<'_>) -> bool {
        // 353 has the kind of channel before its name.
        let name = message.param(if code == 353 { 2 } else { 1 });
        let mut folded = std::mem::take(&mut self.folded);
        self.isupport.casemapping.fold_into(name, &mut folded);
        let crowded = code == 353 && self.rooms.snapshots().map(|s| s.len()).sum::<usize>() >= MOST_PEOPLE;
        if !crowded && let Some(room) = self.rooms.all.get_mut(folded.as_str()) {
            match code {
                324 => {
                    let before = room.modes.flags();
                    room.modes = ChannelModes::default();
                    let params = message.params().get(3..).unwrap_or_default();
                    for change in changes(&self.isupport, message.param(2), params) {
                        room.modes.apply(change);
                    }
                    let flags = room.modes.flags();
                    match room.snapshot() {
                        Some(snapshot) => snapshot.modes_end(),
                        None if flags != before => {
                            let id = room.id.clone();
                            self.tell_room(id, RoomEvent::FlagsChanged(flags));
                        }
                        None => {}
                    }
                }
                _ => {
                    if let Some(snapshot) = room.snapshot() {
                        match code {
                            331 => snapshot.topic(None),
                            332 => snapshot.topic(Some(super::messages::topic(message.param(2)))),
                            333 => snapshot.topic_by(message.param(2), time::parse_seconds(message.param(3))),
                            353 => snapshot.names(message.last(), &self.isupport, now.at),
                            _ => snapshot.names_end(now.at),
                        }
                    }
                }
            }
            if matches!(code, 324 | 366) {
                self.describe(&folded, now);
            }
        }
        self.folded = folded;
        true
    }

    /// Tells how a room is, if all is known.
    pub(super) fn describe(&mut self, folded: &str, now: Now) {
        let Some(room) = self.rooms.all.get_mut(folded) else {
            return;
        };
        if !room.snapshot().is_some_and(|snapshot| snapshot.is_ready(now.at)) {
            return;
        }
        let (State::Collecting(snapshot) | State::Refreshing(snapshot)) =
            std::mem::replace(&mut room.state, State::In)
        else {
            return;
        };
        room.awaited = false;
        room.lost = false;
        let id = room.id.clone();
        let flags = room.modes.flags();
        self.rooms.collecting -= 1;
        let people = snapshot.len();
        let is_away = |person: &str| self.who.knows_away(person);
        let (joined, missed, held) = snapshot.finish(&self.me, &self.nick, flags, is_away);
        let said = held.iter().filter_map(super::snapshot::said).chain(&missed);
        room.newest = room.newest.max(said.map(|said| said.at).max());
        self.tell_room(id.clone(), joined);
        self.who_entered(folded, people, now.at);
        for said in missed {
            self.tell_room(id.clone(), RoomEvent::Message(said));
        }
        self.events.extend(held);
    }

    /// Ends what has waited too long.
    pub(super) fn rooms_tick(&mut self, now: Now) {
        if !matches!(self.phase, Phase::Online) || self.rooms.deadline().is_none_or(|at| at > now.at) {
            return;
        }
        let due: Vec<(Name, bool)> = self
            .rooms
            .all
            .iter()
            .filter_map(|(name, room)| match &room.state {
                State::Asked { until: Some(until) } if *until <= now.at => Some((name.clone(), false)),
                State::Collecting(s) | State::Refreshing(s) if s.deadline() <= now.at => {
                    Some((name.clone(), true))
                }
                _ => None,
            })
            .collect();
        for (name, entered) in due {
            if entered {
                self.describe(&name, now);
            } else {
                let words = format!("{} did not answer", self.server);
                self.refuse_room(&name, Failure::transient(words));
            }
        }
    }
}
