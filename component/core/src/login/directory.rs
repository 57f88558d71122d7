//! A user's own rooms and those of a server as one list (XEP-0030 §4), of which pages are cut (XEP-0059).

use viaduct_bridge::{Address, ListedRoom, Name, RoomId, RoomList, ServerId};

use super::Login;
use crate::records::PagePlace;

/// The user's own rooms, and then those of a server without them, as one list.
pub(super) struct Directory<'a> {
    login: &'a Login,
    own: &'a [(&'a RoomId, &'a str)],
    listed: Option<(&'a ServerId, &'a RoomList)>,
    /// Where in the server's list own rooms are; ascending.
    doubles: Vec<usize>,
}

/// What stands before the JIDs of the user's own rooms in the keys of pages: a room that is left between two pages
/// is still where it was.
const OWN: &str = "own ";

/// A room as disco#items shows it.
pub(super) struct Item {
    /// Its place, for the next page.
    pub(super) key: String,
    pub(super) jid: String,
    pub(super) name: String,
}

impl<'a> Directory<'a> {
    pub(super) fn new(
        login: &'a Login,
        own: &'a [(&'a RoomId, &'a str)],
        listed: Option<(&'a ServerId, &'a RoomList)>,
    ) -> Self {
        let mut doubles = Vec::new();
        if let Some((server, rooms)) = listed {
            let here = own.iter().filter(|(room, _)| room.server == *server);
            doubles.extend(here.filter_map(|(room, _)| rooms.find(&room.room).ok()));
            doubles.sort_unstable();
        }
        Self {
            login,
            own,
            listed,
            doubles,
        }
    }

    pub(super) fn len(&self) -> usize {
        let listed = self.listed.map_or(0, |(_, rooms)| rooms.len());
        self.own.len() + listed - self.doubles.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<Item> {
        if let Some((room, jid)) = self.own.get(at) {
            return Some(Item {
                key: format!("{OWN}{jid}"),
                jid: (*jid).to_owned(),
                name: room.room.to_string(),
            });
        }
        let (server, rooms) = self.listed?;
        let mut index = at - self.own.len();
        for double in &self.doubles {
            index += usize::from(*double <= index);
        }
        let room = rooms.get(index)?;
        let jid = self.login.room_jid(server, room.name);
        Some(Item {
            key: jid.clone(),
            jid,
            name: title(&room),
        })
    }

    /// Where the room with this key is, or would be: after how many others, and whether it is there itself.
    fn find(&self, key: &str) -> (usize, bool) {
        if let Some(jid) = key.strip_prefix(OWN) {
            return match self.own.binary_search_by(|(_, own)| (*own).cmp(jid)) {
                Ok(at) => (at, true),
                Err(at) => (at, false),
            };
        }
        let Some(((_, rooms), name)) = self.listed.zip(self.login.room_of_jid(key)) else {
            return (self.own.len(), false);
        };
        let (at, there) = match rooms.find(&name) {
            Ok(at) => (at, true),
            Err(at) => (at, false),
        };
        let doubles = self.doubles.partition_point(|double| *double < at);
        (self.own.len() + at - doubles, there)
    }

    /// The page that is wanted: from where, to before where.
    pub(super) fn range(&self, max: usize, place: &PagePlace, index: Option<usize>) -> (usize, usize) {
        let all = self.len();
        let forwards = |from: usize| (from.min(all), from.saturating_add(max).min(all));
        if let Some(index) = index {
            return forwards(index);
        }
        match place {
            PagePlace::First => forwards(0),
            PagePlace::Last => (all.saturating_sub(max), all),
            PagePlace::After(key) => {
                let (at, there) = self.find(key);
                forwards(at + usize::from(there))
            }
            PagePlace::Before(key) => {
                let (to, _) = self.find(key);
                (to.saturating_sub(max), to)
            }
        }
    }
}

/// A room's name for people: `#tea (12): Green and black`.
fn title(room: &ListedRoom<'_>) -> String {
    let ListedRoom {
        shown,
        people,
        subject,
        ..
    } = room;
    let colon = if subject.trim().is_empty() { "" } else { ": " };
    format!("{shown} ({people}){colon}{}", subject.trim())
}

impl Login {
    /// The JID of a room of a server, by its folded name.
    pub(super) fn room_jid(&self, server: &ServerId, room: &str) -> String {
        let address = Address::Room(RoomId {
            server: server.clone(),
            room: room.into(),
        });
        self.ctx.jid(&address).to_string()
    }

    /// The folded name of the room that a JID is of.
    fn room_of_jid(&self, jid: &str) -> Option<Name> {
        let local = jid.split('@').next()?;
        match self.ctx.bridge.parse(local) {
            Ok(Address::Room(room)) => Some(room.room),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ListedRoom, title};

    #[test]
    fn titles() {
        let room = |subject| ListedRoom {
            name: "#tea",
            shown: "#Tea",
            people: 12,
            subject,
        };
        assert_eq!(title(&room(" ")), "#Tea (12)");
        assert_eq!(title(&room("Green ")), "#Tea (12): Green");
    }
}
