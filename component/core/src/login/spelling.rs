//! Several spellings of one address. A network may tell only once the user is connected which names are the same (on
//! IRC by ISUPPORT `CASEMAPPING`, after the first room was asked for). A room and a direct chat keep the JID under which
//! they were first seen; the other spellings of a room answer with a redirect to it.

use viaduct_bridge::{Address, Name, PersonId, RoomId, ServerId};

use super::Login;
use crate::effect::Effects;
use crate::portal::presence::status;
use crate::portal::{Place, Room};
use crate::stanza::{Incoming, Kind, Problem};

impl Login {
    /// What a room's localpart means as far as is known now.
    pub(super) fn room_now(&self, local: &str, before: RoomId) -> RoomId {
        match self.ctx.bridge.parse(local) {
            Ok(Address::Room(now)) => now,
            _ => before,
        }
    }

    /// The same of a person.
    pub(super) fn person_now(&self, local: &str, before: PersonId) -> PersonId {
        match self.ctx.bridge.parse(local) {
            Ok(Address::Person(now)) => now,
            _ => before,
        }
    }

    /// Whether a stanza is for a room that has another JID. A room that nobody has been in has none of its own yet.
    pub(super) fn is_elsewhere(&mut self, id: &RoomId, stanza: &Incoming) -> bool {
        let local = stanza.to.node().map_or("", |node| node.as_str());
        let Some(room) = self.rooms.get(id).filter(|room| *room.local != *local) else {
            return false;
        };
        if !room.recorded && room.is_unused() && room.place == Place::Outside {
            self.rooms.remove(id);
            return false;
        }
        true
    }

    /// Tells where the room is (RFC 6120 §8.3.3.14).
    pub(super) fn redirect(&self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let Some(room) = self.rooms.get(id) else { return };
        let problem = Problem::redirect(&room.jid);
        match (stanza.kind, stanza.ty()) {
            (Kind::Presence, "") => out.send(Room::presence_error(
                stanza.to.as_str(),
                stanza.from.as_str(),
                stanza.id.as_deref(),
                &problem,
            )),
            // Whoever leaves, or asks how somebody is, was never there.
            (Kind::Presence, _) => {}
            _ => out.send_opt(stanza.error(&problem)),
        }
    }

    /// Names on a server may mean something else than before: what they mean now is what is asked for from now on.
    pub(super) fn respell(&mut self, server: &ServerId, out: &mut Effects) {
        let mut moved: Vec<(RoomId, RoomId)> = Vec::new();
        for room in self.rooms.values().filter(|room| room.room.server == *server) {
            let now = self.room_now(&room.local, room.room.clone());
            if now != room.room {
                moved.push((room.room.clone(), now));
            }
        }
        for (before, now) in moved {
            if let Some(mut room) = self.rooms.remove(&before) {
                room.room = now.clone();
                match self.rooms.remove(&now) {
                    Some(other) => self.unite(room, other, out),
                    None => drop(self.rooms.insert(now, room)),
                }
            }
        }
        let mut moved: Vec<(PersonId, PersonId)> = Vec::new();
        for (person, chat) in self.chats.iter().filter(|(person, _)| person.server == *server) {
            let now = self.person_now(chat.local(), person.clone());
            if now != *person {
                moved.push((person.clone(), now));
            }
        }
        for (before, now) in moved {
            let Some(chat) = self.chats.remove(&before) else {
                continue;
            };
            // The one that has a history is the one that goes on.
            if chat.is_recorded() || !self.chats.contains_key(&now) {
                self.chats.insert(now, chat);
            }
        }
    }

    /// What seemed to be two rooms is one. The one that somebody is in, or was in first, keeps its JID; whoever asked
    /// for the other is sent there.
    fn unite(&mut self, one: Box<Room>, other: Box<Room>, out: &mut Effects) {
        let rank = |room: &Room| (!room.joined.is_empty(), room.recorded, -room.id.0);
        let (mut room, mut lost) = if rank(&one) >= rank(&other) {
            (one, other)
        } else {
            (other, one)
        };
        let problem = Problem::redirect(&room.jid);
        for waiting in std::mem::take(&mut lost.waiting) {
            out.send(Room::presence_error(
                &waiting.asked,
                &waiting.jid,
                waiting.id.as_deref(),
                &problem,
            ));
        }
        let reason: Option<Name> = problem.text.map(Name::from);
        if lost.kept {
            lost.let_go(out);
            room.keep(out);
        }
        lost.expel(&self.ctx, &[status::TECHNICAL], reason.as_deref(), out);
        self.rooms.insert(room.room.clone(), room);
    }
}
