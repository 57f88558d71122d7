//! What can be asked of a network, and what it answers.
//!
//! A question changes nothing and shows nothing to anybody but the asker. It is a
//! [`Command::Ask`](crate::Command::Ask); its answer is [`Outcome::Answered`](crate::Outcome::Answered).

use std::time::Duration;

use crate::ids::{Name, PersonId, RoomId, ServerId, Timestamp};
use crate::signup::SignedUp;

/// A question.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Question {
    /// Which rooms a server has, as far as it shows them to this user. Answered by [`Reply::Rooms`].
    Rooms(ServerId),
    /// Who is banned from a room. Answered by [`Reply::Bans`].
    Bans(RoomId),
    /// Who somebody is. Answered by [`Reply::Profile`].
    Profile(PersonId),
    /// What somebody's program says of itself. The question reaches the person, who may see it.
    Program {
        /// Whose.
        person: PersonId,
        /// What.
        what: Probe,
    },
}

/// What can be asked of somebody's program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Probe {
    /// Its name and version. Answered by [`Reply::Version`].
    Version,
    /// Whether it is there. Answered by [`Reply::Pong`].
    Ping,
    /// What time it is there. Answered by [`Reply::Clock`].
    Time,
}

impl Question {
    /// The server that is asked.
    #[must_use]
    pub fn server(&self) -> &ServerId {
        match self {
            Self::Rooms(server) => server,
            Self::Bans(room) => &room.server,
            Self::Profile(person) | Self::Program { person, .. } => &person.server,
        }
    }
}

/// What a network answers to a [`Question`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The rooms of a server.
    Rooms(RoomList),
    /// Who is banned from a room.
    Bans(Vec<Ban>),
    /// Who somebody is.
    Profile(Profile),
    /// The name and version of a program, in its own words.
    Version(Name),
    /// How far the registration of an account has come.
    SignedUp(SignedUp),
    /// The program is there.
    Pong,
    /// What time it is where somebody is.
    Clock {
        /// The time.
        at: Timestamp,
        /// How many minutes the clock there is ahead of UTC.
        offset: i32,
    },
}

/// A ban.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ban {
    /// Whom it is about, as the network writes it: a name, or a mask that may fit many.
    pub mask: Name,
    /// The one person whom it is about, folded, where it is about one.
    pub person: Option<Name>,
}

/// Who somebody is, as far as the network tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// The name for display.
    pub nick: Option<Name>,
    /// What the person calls themselves.
    pub real_name: Option<Name>,
    /// Where they come from, in the network's own form (`user@host`).
    pub address: Option<Name>,
    /// The server that they are connected to.
    pub server: Option<Name>,
    /// The account that they are logged in to.
    pub account: Option<Name>,
    /// For how long they have said nothing.
    pub idle: Option<Duration>,
    /// When they came.
    pub since: Option<Timestamp>,
    /// Why they are away, if they are.
    pub away: Option<Name>,
    /// Rooms that they are in, as the network writes them.
    pub rooms: Vec<Name>,
    /// What else the network says of them.
    pub notes: Vec<Name>,
}

/// The rooms that a server shows, sorted by their folded names, none twice.
///
/// Some servers have fifty thousand of them, so their names are in one text and not in an allocation each, and there
/// is a bound to all of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoomList {
    text: String,
    rooms: Vec<Entry>,
    cut: bool,
}

/// Where a room is in the text: the folded name, the name for display, the subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    at: u32,
    name: u16,
    shown: u16,
    subject: u16,
    people: u32,
}

/// A room of a [`RoomList`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListedRoom<'a> {
    /// The folded name.
    pub name: &'a str,
    /// The name for display.
    pub shown: &'a str,
    /// How many people are in it, as far as the server counts.
    pub people: u32,
    /// The subject, cut where it is long.
    pub subject: &'a str,
}

impl RoomList {
    /// The most rooms.
    pub const MOST: usize = 100_000;
    /// The most bytes of names and subjects.
    const MOST_TEXT: usize = 16 * 1024 * 1024;
    /// The most bytes of a name.
    const MOST_NAME: usize = 512;
    /// The most bytes of a subject.
    const MOST_SUBJECT: usize = 160;

    /// Adds a room. What does not fit any more is left out, and [`RoomList::is_cut`] says so.
    pub fn push(&mut self, room: ListedRoom<'_>) {
        let subject = &room.subject[..room.subject.floor_char_boundary(Self::MOST_SUBJECT)];
        let more = room.name.len() + room.shown.len() + subject.len();
        let lengths = (
            u16::try_from(room.name.len()),
            u16::try_from(room.shown.len()),
            u16::try_from(subject.len()),
            u32::try_from(self.text.len()),
        );
        let fits = self.rooms.len() < Self::MOST
            && self.text.len() + more <= Self::MOST_TEXT
            && room.name.len().max(room.shown.len()) <= Self::MOST_NAME;
        let (true, (Ok(name), Ok(shown), Ok(subject_len), Ok(at))) = (fits, lengths) else {
            self.cut = true;
            return;
        };
        self.text.push_str(room.name);
        self.text.push_str(room.shown);
        self.text.push_str(subject);
        self.rooms.push(Entry {
            at,
            name,
            shown,
            subject: subject_len,
            people: room.people,
        });
    }

    /// Sorts the rooms, after the last of them has been added.
    pub fn finish(&mut self) {
        let Self { text, rooms, .. } = self;
        rooms.sort_by(|a, b| a.read(text).name.cmp(b.read(text).name));
        rooms.dedup_by(|a, b| a.read(text).name == b.read(text).name);
        rooms.shrink_to_fit();
        text.shrink_to_fit();
    }

    /// How many rooms there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Whether the server has more than are in the list.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// How many bytes of memory it takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.capacity() + self.rooms.capacity() * size_of::<Entry>()
    }

    /// The room at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ListedRoom<'_>> {
        Some(self.rooms.get(index)?.read(&self.text))
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ListedRoom<'_>> {
        self.rooms.iter().map(|room| room.read(&self.text))
    }

    /// Where the room of this folded name is, or (as an error) where it would be.
    ///
    /// # Errors
    /// When there is no such room in the list.
    pub fn find(&self, name: &str) -> Result<usize, usize> {
        self.rooms
            .binary_search_by(|room| room.read(&self.text).name.cmp(name))
    }
}

impl Entry {
    fn read(self, text: &str) -> ListedRoom<'_> {
        let at = self.at as usize;
        let shown = at + usize::from(self.name);
        let subject = shown + usize::from(self.shown);
        let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        ListedRoom {
            name: piece(at, shown),
            shown: piece(shown, subject),
            people: self.people,
            subject: piece(subject, subject + usize::from(self.subject)),
        }
    }
}

impl<'a> FromIterator<ListedRoom<'a>> for RoomList {
    fn from_iter<T: IntoIterator<Item = ListedRoom<'a>>>(rooms: T) -> Self {
        let mut list = Self::default();
        for room in rooms {
            list.push(room);
        }
        list.finish();
        list
    }
}

#[cfg(test)]
mod tests {
    use super::{ListedRoom, RoomList};

    fn room(name: &str) -> ListedRoom<'_> {
        ListedRoom {
            name,
            shown: name,
            people: 3,
            subject: "tea",
        }
    }

    #[test]
    fn rooms_are_sorted_and_none_is_twice() {
        let list: RoomList = ["#b", "#a", "#b", "#ä"].into_iter().map(room).collect();
        let names: Vec<&str> = list.iter().map(|room| room.name).collect();
        assert_eq!(names, ["#a", "#b", "#ä"]);
        assert_eq!(list.get(1), Some(room("#b")));
        assert_eq!((list.find("#b"), list.find("#aa")), (Ok(1), Err(1)));
        assert!(!list.is_cut() && list.size() > 0);
    }

    #[test]
    fn there_is_a_bound_to_everything() {
        let (long, subject) = ("#".repeat(RoomList::MOST_NAME + 1), "ä".repeat(200));
        let mut list = RoomList::default();
        list.push(room(&long));
        assert!(list.is_empty() && list.is_cut());
        list.push(ListedRoom {
            subject: &subject,
            ..room("#a")
        });
        let cut = list.get(0).expect("it is in").subject;
        assert_eq!(
            (cut.len(), cut.chars().all(|c| c == 'ä')),
            (RoomList::MOST_SUBJECT, true)
        );
        for n in 0..RoomList::MOST + 10 {
            list.push(room(&format!("#{n}")));
        }
        assert_eq!(list.len(), RoomList::MOST);
    }
}
