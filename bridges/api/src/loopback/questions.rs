//! What the network answers when it is asked.

use super::rooms::nobody;
use super::server::{Room, Server, Somebody};
use crate::failure::{Failure, Refusal};
use crate::ids::Name;
use crate::question::{Ban, ListedRoom, Probe, Profile, Question, Reply};

/// What everybody here uses.
const PROGRAM: &str = "loopback 1.0";

impl Server {
    /// The answer to a question of somebody who is here.
    pub(super) fn reply(&self, me: &Name, question: &Question) -> Result<Reply, Failure> {
        match question {
            Question::Rooms(_) => Ok(Reply::Rooms(self.listed_for(me).collect())),
            Question::Bans(room) => {
                let outside =
                    || Failure::refused(Refusal::NotInRoom, format!("you are not in {}", room.room));
                let place = self.rooms.get(&room.room).ok_or_else(outside)?;
                let inside = place.members.contains_key(me);
                let bans = place.banned.iter().map(|person| Ban {
                    mask: person.clone(),
                    person: Some(person.clone()),
                });
                inside.then(|| Reply::Bans(bans.collect())).ok_or_else(outside)
            }
            Question::Profile(person) => Ok(Reply::Profile(self.profile(&person.person)?)),
            Question::Program { person, what } => {
                self.somebody(&person.person)?;
                Ok(match what {
                    Probe::Version => Reply::Version(PROGRAM.into()),
                    Probe::Ping => Reply::Pong,
                    Probe::Time => Reply::Clock {
                        at: self.clock,
                        offset: 0,
                    },
                })
            }
        }
    }

    fn somebody(&self, who: &Name) -> Result<&Somebody, Failure> {
        self.people.get(who).ok_or_else(|| nobody(who))
    }

    fn profile(&self, who: &Name) -> Result<Profile, Failure> {
        let somebody = self.somebody(who)?;
        Ok(Profile {
            nick: Some(somebody.nick.clone()),
            server: Some(self.id.0.clone()),
            away: somebody.away.clone(),
            ..Profile::default()
        })
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
