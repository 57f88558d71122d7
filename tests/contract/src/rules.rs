//! What holds for every session in every case, whatever it is about.
//!
//! - A command is answered once for each time that it is handed over: by an outcome, by an echo, or by both; and
//!   never before. An outcome and an echo do not contradict each other.
//! - A room's events make sense one after the other: nobody leaves who is not there, nothing is heard from a room
//!   that the user is not in, and who enters is among the members.
//! - A connection is announced before it is there.

use std::collections::{BTreeMap, BTreeSet};

use viaduct_bridge::{
    Departure, Failure, Message, MessageId, Name, Outcome, PersonEvent, PersonId, RemoteEvent, RoomEvent,
    RoomId, ServerEvent, ServerId, TransactionId,
};

use crate::finding::{Found, broken, ensure};
use crate::recorder::Entry;

/// Checks a record.
pub(crate) fn check(entries: &[Entry]) -> Found {
    let mut commands = BTreeMap::new();
    let mut view = View::default();
    for entry in entries {
        match entry {
            Entry::Asked(txn) => {
                let command: &mut Command = commands.entry(*txn).or_default();
                command.asked += 1;
            }
            Entry::Told(event) => {
                answered(&mut commands, event)?;
                view.follow(event)?;
            }
        }
    }
    commands.iter().try_for_each(|(txn, command)| command.check(*txn))
}

/// What became of one command.
#[derive(Default)]
struct Command {
    asked: usize,
    outcomes: Vec<Outcome>,
    echoes: Vec<Message>,
}

impl Command {
    fn check(&self, txn: TransactionId) -> Found {
        let (txn, times) = (txn.0, self.asked);
        let (outcomes, echoes) = (self.outcomes.len(), self.echoes.len());
        ensure!(outcomes + echoes > 0, "command {txn} was never answered");
        ensure!(
            outcomes <= times && echoes <= times,
            "command {txn} was handed over {times} times and had {outcomes} outcomes and {echoes} echoes"
        );
        let refused = self.outcomes.iter().any(|outcome| match outcome {
            Outcome::Failed(failure) => !matches!(failure, Failure::Uncertain { .. }),
            Outcome::Accepted { .. } | Outcome::Answered(_) => false,
        });
        ensure!(
            times > 1 || !refused || echoes == 0,
            "command {txn} failed, and yet there is its echo: {:?}",
            self.outcomes
        );
        let told: BTreeSet<&[MessageId]> = self
            .outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Accepted { ids, .. } => Some(ids.as_slice()),
                Outcome::Answered(_) | Outcome::Failed(_) => None,
            })
            .chain(self.echoes.iter().map(|echo| echo.ids.as_slice()))
            .filter(|ids| !ids.is_empty())
            .collect();
        ensure!(
            told.len() <= times.max(1),
            "command {txn} became a message with several ids: {told:?}"
        );
        Ok(())
    }
}

/// Writes down an answer, which must be one to a question.
fn answered(commands: &mut BTreeMap<TransactionId, Command>, event: &RemoteEvent) -> Found {
    let Some(txn) = answer_to(event) else {
        return Ok(());
    };
    let Some(command) = commands.get_mut(&txn) else {
        return broken(format!(
            "an answer to command {}, which was not handed over: {event:?}",
            txn.0
        ));
    };
    if let RemoteEvent::Outcome { outcome, .. } = event {
        command.outcomes.push(outcome.clone());
    } else if let Some(message) = message(event) {
        command.echoes.push(message.clone());
    }
    Ok(())
}

/// The command that an event answers, as its outcome or as its echo.
pub(crate) fn answer_to(event: &RemoteEvent) -> Option<TransactionId> {
    match event {
        RemoteEvent::Outcome { txn, .. } => Some(*txn),
        event => message(event)?.txn,
    }
}

fn message(event: &RemoteEvent) -> Option<&Message> {
    match event {
        RemoteEvent::Room {
            event: RoomEvent::Message(message),
            ..
        }
        | RemoteEvent::Person {
            event: PersonEvent::Message(message),
            ..
        } => Some(message),
        _ => None,
    }
}

/// The network as a listener must believe it to be.
#[derive(Default)]
struct View {
    rooms: BTreeMap<RoomId, Room>,
    servers: BTreeMap<ServerId, Connection>,
}

#[derive(Default)]
struct Room {
    me: Option<Name>,
    members: BTreeSet<Name>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Connection {
    Coming,
    Online(Name),
    /// Lost. Rooms may still be reported as left for that reason.
    Away,
}

impl View {
    fn follow(&mut self, event: &RemoteEvent) -> Found {
        match event {
            RemoteEvent::Server { server, event } => self.server(server, event),
            RemoteEvent::Room { room, event } => self.room(room, event),
            RemoteEvent::Person { person, event } => self.person(person, event),
            RemoteEvent::Outcome { .. } => Ok(()),
        }
    }

    fn server(&mut self, server: &ServerId, event: &ServerEvent) -> Found {
        let old = self.servers.get(server);
        match event {
            ServerEvent::Connecting => {
                let free = !matches!(old, Some(Connection::Online(_)));
                ensure!(free, "{server} is connected to while it is connected");
                self.servers.insert(server.clone(), Connection::Coming);
            }
            ServerEvent::Online { me, .. } => {
                ensure!(old.is_some(), "{server} is online, and no attempt had begun");
                ensure!(
                    old != Some(&Connection::Away),
                    "{server} is back, and no attempt had begun"
                );
                self.servers
                    .insert(server.clone(), Connection::Online(me.clone()));
            }
            ServerEvent::Offline { .. } => {
                self.rooms.retain(|room, _| room.server != *server);
                self.servers.insert(server.clone(), Connection::Away);
            }
            ServerEvent::Failed { .. } | ServerEvent::Closed => {
                self.rooms.retain(|room, _| room.server != *server);
                self.servers.remove(server);
            }
            ServerEvent::Notice { .. }
            | ServerEvent::NickOwned { .. }
            | ServerEvent::Invited { .. }
            | ServerEvent::Relations(_)
            | ServerEvent::SignUp(_) => {}
        }
        Ok(())
    }

    fn room(&mut self, id: &RoomId, event: &RoomEvent) -> Found {
        match event {
            RoomEvent::Joined { me, members, .. } => {
                let known: BTreeSet<Name> = members.iter().map(|member| member.person.clone()).collect();
                ensure!(
                    known.len() == members.len(),
                    "somebody is in {id:?} twice: {members:?}"
                );
                ensure!(
                    known.contains(me),
                    "{me} entered {id:?} and is not among {known:?}"
                );
                let connection = self.servers.get(&id.server);
                let online = Connection::Online(me.clone());
                ensure!(
                    connection == Some(&online),
                    "{me} entered {id:?}, but the connection is {connection:?}"
                );
                let (me, members) = (Some(me.clone()), known);
                self.rooms.insert(id.clone(), Room { me, members });
                return Ok(());
            }
            RoomEvent::Refused { .. } => return Ok(()),
            RoomEvent::Moved { .. } => {
                let known = self.rooms.remove(id).is_some();
                ensure!(known, "{id:?} was moved without the user being there");
                return Ok(());
            }
            RoomEvent::Left { how, .. } => {
                // To leave is answered in any case, and a loss may be told of the room or of the server first.
                let known = self.rooms.remove(id).is_some();
                let unasked = !matches!(how, Departure::Left | Departure::Lost);
                ensure!(
                    known || !unasked,
                    "the user was removed from {id:?} without being there"
                );
                return Ok(());
            }
            _ => {}
        }
        let Some(room) = self.rooms.get_mut(id) else {
            return broken(format!("the user is not in {id:?}, and hears of {event:?}"));
        };
        match event {
            RoomEvent::MemberJoined(member) => {
                let new = room.members.insert(member.person.clone());
                ensure!(new, "{} entered {id:?} without having left", member.person);
            }
            RoomEvent::MemberLeft { person, .. } => {
                ensure!(
                    room.me.as_ref() != Some(person),
                    "the user left {id:?} like somebody else"
                );
                ensure!(
                    room.members.remove(person),
                    "{person} left {id:?} without being there"
                );
            }
            RoomEvent::RankChanged { person, .. } => {
                ensure!(
                    room.members.contains(person),
                    "{person} is not in {id:?}, but has a new rank"
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn person(&mut self, id: &PersonId, event: &PersonEvent) -> Found {
        let rooms = self.rooms.iter_mut().filter(|(room, _)| room.server == id.server);
        match event {
            PersonEvent::Renamed { to, .. } => {
                for (name, room) in rooms {
                    if room.members.remove(&id.person) {
                        let free = room.members.insert(to.clone());
                        ensure!(free, "{} became {to}, who is in {name:?} already", id.person);
                    }
                    if room.me.as_ref() == Some(&id.person) {
                        room.me = Some(to.clone());
                    }
                }
                let own = Connection::Online(id.person.clone());
                if self.servers.get(&id.server) == Some(&own) {
                    self.servers
                        .insert(id.server.clone(), Connection::Online(to.clone()));
                }
            }
            PersonEvent::Gone { .. } => {
                let left = rooms
                    .filter_map(|(_, room)| room.members.take(&id.person))
                    .count();
                ensure!(left > 0, "{} is gone, but was nowhere", id.person);
            }
            PersonEvent::Message(_)
            | PersonEvent::Reaction(_)
            | PersonEvent::Retraction(_)
            | PersonEvent::Typing(_)
            | PersonEvent::Away { .. }
            | PersonEvent::Account { .. }
            | PersonEvent::Bot
            | PersonEvent::Online { .. }
            | PersonEvent::Offline => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::recorder::Entry;
    use viaduct_bridge::{Failure, Outcome, RemoteEvent, TransactionId};

    fn outcome(txn: i64, outcome: Outcome) -> Entry {
        let txn = TransactionId(txn);
        Entry::Told(RemoteEvent::Outcome { txn, outcome })
    }

    fn accepted(txn: i64) -> Entry {
        let ids = Vec::new();
        outcome(txn, Outcome::Accepted { ids, at: None })
    }

    #[test]
    fn one_outcome_is_right() {
        let asked = Entry::Asked(TransactionId(1));
        assert!(check(&[asked.clone(), accepted(1)]).is_ok());
        assert!(check(std::slice::from_ref(&asked)).is_err(), "none");
        assert!(check(&[asked.clone(), accepted(1), accepted(1)]).is_err(), "two");
        assert!(check(&[accepted(1), asked.clone()]).is_err(), "too early");
        let failed = outcome(1, Outcome::Failed(Failure::transient("later")));
        assert!(
            check(&[asked.clone(), failed, asked, accepted(1)]).is_ok(),
            "once for each time"
        );
    }
}
