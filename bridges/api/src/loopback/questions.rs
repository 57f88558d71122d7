//! What the network answers when it is asked.

use super::server::{Room, Server};
use crate::failure::Failure;
use crate::ids::Name;
use crate::question::{ListedRoom, Question, Reply};

impl Server {
    /// The answer to a question of somebody who is here.
    pub(super) fn reply(&self, me: &Name, question: &Question) -> Result<Reply, Failure> {
        match question {
            Question::Rooms(_) => Ok(Reply::Rooms(self.listed_for(me).collect())),
        }
    }

    /// The rooms that somebody may know of: those with people in them, and hidden ones only from inside.
    fn listed_for<'a>(&'a self, me: &'a Name) -> impl Iterator<Item = ListedRoom<'a>> {
        let may_know = |room: &Room| !room.flags.hidden || room.members.contains_key(me);
        let rooms = self.rooms.iter();
        let known = rooms.filter(move |(_, room)| !room.members.is_empty() && may_know(room));
        known.map(|(name, room)| ListedRoom {
            name,
            shown: name,
            people: u32::try_from(room.members.len()).unwrap_or(u32::MAX),
            subject: room.topic.as_ref().map_or("", |topic| &topic.text),
        })
    }
}
