//! One server of the loopback network: who and what is on it, and how its news get to the people concerned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::faults::Faults;
use super::link::{Link, SessionId};
use super::relations::Whispered;
use super::settings::Settings;
use crate::event::{Member, Message, PersonEvent, Rank, RemoteEvent, RoomEvent, RoomFlags, Topic};
use crate::failure::{Failure, Refusal};
use crate::ids::{MessageId, Name, PersonId, RoomId, ServerId, Timestamp, TransactionId};
use crate::secret::Secret;

/// How many events somebody without a session remembers.
const MEMORY: usize = 1024;

/// One server.
pub(super) struct Server {
    pub(super) id: ServerId,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Timestamp,
    /// How many messages were said.
    pub(super) said: u64,
    /// Everybody who is connected, by folded name.
    pub(super) people: BTreeMap<Name, Somebody>,
    pub(super) rooms: BTreeMap<Name, Room>,
    /// The sessions that are, or want to be, connected.
    pub(super) links: BTreeMap<SessionId, Link>,
    /// Nicknames that have an owner, by folded name.
    pub(super) passwords: BTreeMap<Name, Secret>,
    /// What was said under which transaction id of which user, where the network remembers that.
    pub(super) receipts: BTreeMap<(Name, TransactionId), Receipt>,
    /// What people said to each other alone, as far as it can be referred to.
    pub(super) whispers: Vec<Whispered>,
    pub(super) faults: Faults,
}

/// Somebody who is connected to the server.
pub(super) struct Somebody {
    pub(super) nick: Name,
    pub(super) away: Option<Name>,
    pub(super) ears: Ears,
}

/// Where the news for somebody go.
pub(super) enum Ears {
    /// To a session.
    Session(SessionId),
    /// Into the memory of a person whom a test plays.
    Own(VecDeque<RemoteEvent>),
}

/// A room. It stays when everybody has left it; who enters an empty room is its operator.
#[derive(Default)]
pub(super) struct Room {
    pub(super) members: BTreeMap<Name, Rank>,
    pub(super) topic: Option<Topic>,
    pub(super) flags: RoomFlags,
    pub(super) key: Option<Name>,
    pub(super) banned: BTreeSet<Name>,
    pub(super) invited: BTreeSet<Name>,
    pub(super) history: Vec<Message>,
}

/// What the network tells of a message that it took.
#[derive(Clone)]
pub(super) struct Receipt {
    pub(super) ids: Vec<MessageId>,
    pub(super) at: Timestamp,
}

impl Server {
    pub(super) fn new(id: ServerId, settings: Arc<Settings>) -> Self {
        Self {
            id,
            clock: settings.start,
            settings,
            said: 0,
            people: BTreeMap::new(),
            rooms: BTreeMap::new(),
            links: BTreeMap::new(),
            passwords: BTreeMap::new(),
            receipts: BTreeMap::new(),
            whispers: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// Tells one person something.
    pub(super) fn tell(&mut self, who: &Name, event: RemoteEvent) {
        match self.people.get_mut(who).map(|somebody| &mut somebody.ears) {
            Some(Ears::Session(session)) => {
                if let Some(link) = self.links.get_mut(session) {
                    link.hear(event, self.faults.frozen);
                }
            }
            Some(Ears::Own(memory)) => {
                if memory.len() == MEMORY {
                    memory.pop_front();
                }
                memory.push_back(event);
            }
            None => {}
        }
    }

    /// Tells one person what happened in a room.
    pub(super) fn tell_of_room(&mut self, who: &Name, room: &Name, event: RoomEvent) {
        let room = self.room_id(room);
        self.tell(who, RemoteEvent::Room { room, event });
    }

    /// Tells everybody in a room, but one.
    pub(super) fn tell_room(&mut self, room: &Name, but: Option<&Name>, event: &RoomEvent) {
        let Some(members) = self.rooms.get(room).map(|room| &room.members) else {
            return;
        };
        let audience: Vec<Name> = members.keys().filter(|who| Some(*who) != but).cloned().collect();
        for who in &audience {
            self.tell_of_room(who, room, event.clone());
        }
    }

    /// Tells everybody who shares a room with a person, each once, what happened with that person.
    pub(super) fn tell_acquaintances(&mut self, of: &Name, event: &PersonEvent) {
        let audience: BTreeSet<Name> = self
            .rooms
            .values()
            .filter(|room| room.members.contains_key(of))
            .flat_map(|room| room.members.keys())
            .filter(|who| *who != of)
            .cloned()
            .collect();
        for who in &audience {
            self.tell_of_person(who, of, event.clone());
        }
    }

    /// Tells one person what happened with another.
    pub(super) fn tell_of_person(&mut self, who: &Name, of: &Name, event: PersonEvent) {
        let person = PersonId {
            server: self.id.clone(),
            person: of.clone(),
        };
        self.tell(who, RemoteEvent::Person { person, event });
    }

    /// The link of somebody who has a session.
    pub(super) fn link_of(&mut self, who: &Name) -> Option<&mut Link> {
        match self.people.get(who)?.ears {
            Ears::Session(session) => self.links.get_mut(&session),
            Ears::Own(_) => None,
        }
    }

    pub(super) fn room_id(&self, room: &Name) -> RoomId {
        RoomId {
            server: self.id.clone(),
            room: room.clone(),
        }
    }

    /// The name of somebody for display.
    pub(super) fn nick(&self, who: &Name) -> Name {
        self.people
            .get(who)
            .map_or_else(|| who.clone(), |somebody| somebody.nick.clone())
    }

    /// Somebody as a member of a room.
    pub(super) fn member(&self, who: &Name, rank: Rank) -> Member {
        Member {
            account: None,
            person: who.clone(),
            nick: self.nick(who),
            rank,
            away: self
                .people
                .get(who)
                .is_some_and(|somebody| somebody.away.is_some()),
        }
    }

    /// The rooms that somebody is in.
    pub(super) fn rooms_of(&self, who: &Name) -> Vec<Name> {
        let is_in = |room: &Room| room.members.contains_key(who);
        self.rooms
            .iter()
            .filter(|(_, room)| is_in(room))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// A room that somebody is in, and what they may do there.
    pub(super) fn membership(&mut self, who: &Name, room: &Name) -> Result<(&mut Room, Rank), Failure> {
        let outside = || Failure::refused(Refusal::NotInRoom, format!("you are not in {room}"));
        let place = self.rooms.get_mut(room).ok_or_else(outside)?;
        let rank = *place.members.get(who).ok_or_else(outside)?;
        Ok((place, rank))
    }
}
