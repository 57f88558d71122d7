//! Which older message something refers to: what the host looks up before the core handles it. Always in a conversation of
//! this very user.

use viaduct_bridge::{Address, Name, PersonEvent, PersonId, RemoteEvent, RoomEvent, RoomId, Timestamp};

use super::Login;
use crate::refer::{Lookup, ME, THEM, Which};
use crate::relation::{self, Asked, Wish};
use crate::stanza::{Incoming, Kind};

/// Something that may refer to an older message.
#[derive(Clone, Copy, Debug)]
pub enum Referring<'a> {
    /// A stanza.
    Stanza(&'a Incoming),
    /// What the network tells.
    Remote(&'a RemoteEvent),
}

impl Login {
    /// What must be looked up before this is handled, if it refers to an older message that this user may know.
    #[must_use]
    pub fn refers(&self, to: Referring<'_>) -> Option<Lookup> {
        match to {
            Referring::Stanza(stanza) if stanza.kind == Kind::Presence => None,
            Referring::Stanza(stanza) => self.stanza_refers(stanza, &relation::asked(stanza)?),
            Referring::Remote(RemoteEvent::Room { room, event }) => self.room_refers(room, event),
            Referring::Remote(RemoteEvent::Person { person, event }) => self.person_refers(person, event),
            Referring::Remote(_) => None,
        }
    }

    fn stanza_refers(&self, stanza: &Incoming, asked: &Asked) -> Option<Lookup> {
        let address = self.ctx.bridge.parse(stanza.to.node()?.as_str()).ok()?;
        let to_occupant = stanza.to.resource().map(|resource| resource.as_str());
        match address {
            Address::Room(id) => {
                let room = self.rooms.get(&id).filter(|room| room.recorded)?;
                room.joined(&stanza.resource())?;
                if let Some(nick) = to_occupant {
                    let (person, _) = room.occupants.by_resource(nick)?;
                    let person = PersonId {
                        server: id.server.clone(),
                        person: person.clone(),
                    };
                    return self.chat_lookup(&person, asked);
                }
                let which = match asked.what {
                    Wish::Correct => Which::Client(asked.id.clone()),
                    _ => Which::Known(asked.id.clone()),
                };
                let reactions_of =
                    (asked.what == Wish::React).then(|| room.occupant_id(&self.ctx, &room.me, room.myself()));
                Some(Lookup {
                    portal: room.id,
                    which,
                    reactions_of,
                })
            }
            Address::Person(person) => self.chat_lookup(&person, asked),
            Address::Server(_) => None,
        }
    }

    fn chat_lookup(&self, person: &PersonId, asked: &Asked) -> Option<Lookup> {
        Some(Lookup {
            portal: self.chats.get(person)?.id,
            which: Which::Known(asked.id.clone()),
            reactions_of: (asked.what == Wish::React).then(|| ME.into()),
        })
    }

    fn room_refers(&self, id: &RoomId, event: &RoomEvent) -> Option<Lookup> {
        // Most of what comes refers to nothing: that is seen first.
        if let RoomEvent::Read { upto } = event {
            // The network's times may be coarser than ours.
            let upto = Timestamp(upto.0.saturating_add(999));
            return Some(Lookup {
                portal: self.rooms.get(id).filter(|room| room.recorded)?.id,
                which: Which::Upto(upto),
                reactions_of: None,
            });
        }
        let (of, sender) = match event {
            // What was missed may be in the archive already: then it is the message itself that is found.
            RoomEvent::Message(message) if message.missed => (message.ids.first()?, None),
            RoomEvent::Message(message) if message.txn.is_none() => {
                (message.relation.as_ref()?.target(), None)
            }
            RoomEvent::Reaction(reaction) => (&reaction.of, Some(&reaction.sender)),
            RoomEvent::Retraction(retraction) => (&retraction.of, None),
            _ => return None,
        };
        let room = self.rooms.get(id).filter(|room| room.recorded)?;
        let reactions_of =
            sender.map(|sender| room.occupant_id(&self.ctx, sender, room.occupants.get(sender)));
        Some(Lookup {
            portal: room.id,
            which: Which::Remote(of.clone()),
            reactions_of,
        })
    }

    fn person_refers(&self, person: &PersonId, event: &PersonEvent) -> Option<Lookup> {
        let (of, reacts) = match event {
            PersonEvent::Message(message) if message.txn.is_none() => {
                (message.relation.as_ref()?.target(), None)
            }
            PersonEvent::Reaction(reaction) => {
                let them = reaction.sender == person.person;
                (&reaction.of, Some(if them { THEM } else { ME }))
            }
            PersonEvent::Retraction(retraction) => (&retraction.of, None),
            _ => return None,
        };
        Some(Lookup {
            portal: self.chats.get(person)?.id,
            which: Which::Remote(of.clone()),
            reactions_of: reacts.map(Name::from),
        })
    }
}
