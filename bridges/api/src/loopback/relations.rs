//! What refers to a message that was said before.

use super::server::Server;
use crate::capability::Level;
use crate::command::Recipient;
use crate::event::{Message, PersonEvent, Rank, RoomEvent};
use crate::failure::{Failure, Refusal};
use crate::ids::{MessageId, Name};
use crate::relation::{Reaction, Relation, Retraction, Target, Typing};
use crate::text::Content;

/// A message between two people. The network remembers who said it to whom.
pub(super) struct Whispered {
    pub(super) id: MessageId,
    pub(super) by: Name,
    pub(super) to: Name,
}

/// The feature where it is refused.
fn offered(level: Level, feature: &'static str) -> Result<(), Failure> {
    match level {
        Level::Full | Level::Partial => Ok(()),
        Level::Fallback | Level::Rejected => Err(Failure::Unsupported { feature }),
    }
}

impl Server {
    /// Says something that may refer to an older message.
    pub(super) fn say_to(
        &mut self,
        who: &Name,
        to: &Recipient,
        content: Content,
        relation: Option<Relation<Target>>,
    ) -> Result<Message, Failure> {
        let relation = self.related(who, to, relation)?;
        match to {
            Recipient::Room(room) => self.say(who, &room.room, content, relation),
            Recipient::Person(person) => self.whisper(who, &person.person, content, relation),
        }
    }

    /// The relation as this network carries it.
    fn related(
        &self,
        who: &Name,
        to: &Recipient,
        relation: Option<Relation<Target>>,
    ) -> Result<Option<Relation<MessageId>>, Failure> {
        let declared = self.settings.capabilities.relations;
        let Some(relation) = relation else {
            return Ok(None);
        };
        let (author, id) = self.known(who, to, relation.target())?;
        match relation {
            Relation::Reply(_) => {
                offered(declared.replies, "a reply")?;
                Ok(Some(Relation::Reply(id)))
            }
            Relation::Correction(_) => {
                offered(declared.corrections, "a correction")?;
                if author != *who {
                    return Err(not_yours());
                }
                Ok(Some(Relation::Correction(id)))
            }
        }
    }

    /// The author and the id of a message that somebody can see.
    fn known(&self, who: &Name, to: &Recipient, target: &Target) -> Result<(Name, MessageId), Failure> {
        let unknown = || Failure::refused(Refusal::NotFound, "there is no such message");
        let id = target.ids.first().ok_or_else(unknown)?;
        let author = match to {
            Recipient::Room(room) => {
                let place = self.rooms.get(&room.room).ok_or_else(unknown)?;
                if !place.members.contains_key(who) {
                    return Err(unknown());
                }
                let said = place.history.iter().find(|message| message.ids.contains(id));
                said.map(|message| message.sender.clone())
            }
            Recipient::Person(person) => {
                let between = |said: &&Whispered| {
                    said.id == *id
                        && ((said.by == *who && said.to == person.person)
                            || (said.to == *who && said.by == person.person))
                };
                let said = self.whispers.iter().find(between);
                said.map(|said| said.by.clone())
            }
        };
        author.map(|author| (author, id.clone())).ok_or_else(unknown)
    }

    /// Reacts to a message, and takes reactions back.
    pub(super) fn react(
        &mut self,
        who: &Name,
        to: &Recipient,
        target: &Target,
        (add, remove): (Vec<Name>, Vec<Name>),
    ) -> Result<(), Failure> {
        offered(self.settings.capabilities.relations.reactions, "a reaction")?;
        let (_, of) = self.known(who, to, target)?;
        let reaction = Reaction {
            sender: who.clone(),
            nick: self.nick(who),
            at: self.tick(),
            of,
            add,
            remove,
        };
        match to {
            Recipient::Room(room) => {
                self.tell_room(&room.room, Some(who), &RoomEvent::Reaction(reaction));
            }
            Recipient::Person(person) => {
                self.tell_of_person(&person.person, who, PersonEvent::Reaction(reaction));
            }
        }
        Ok(())
    }

    /// Tells those concerned whether somebody is typing.
    pub(super) fn typing(&mut self, who: &Name, to: &Recipient, state: Typing) {
        if self.settings.capabilities.relations.typing < Level::Partial {
            return;
        }
        match to {
            Recipient::Room(room) if self.membership(who, &room.room).is_ok() => {
                let person = who.clone();
                self.tell_room(&room.room, Some(who), &RoomEvent::Typing { person, state });
            }
            Recipient::Room(_) => {}
            Recipient::Person(person) => {
                self.tell_of_person(&person.person, who, PersonEvent::Typing(state));
            }
        }
    }

    /// Takes back a message: one's own, or as an operator somebody else's. Nothing of it is left.
    pub(super) fn retract(
        &mut self,
        who: &Name,
        to: &Recipient,
        target: &Target,
        reason: Option<Name>,
    ) -> Result<(), Failure> {
        let declared = self.settings.capabilities.relations;
        let (author, of) = self.known(who, to, target)?;
        if author == *who {
            offered(declared.retractions, "taking a message back")?;
        } else {
            offered(declared.moderation, "taking back what others said")?;
            let rank = match to {
                Recipient::Room(room) => self.rank(who, &room.room),
                Recipient::Person(_) => Rank::NONE,
            };
            if !rank.contains(Rank::OPERATOR) {
                return Err(not_yours());
            }
        }
        let retraction = Retraction {
            by: who.clone(),
            nick: self.nick(who),
            at: self.tick(),
            of: of.clone(),
            reason,
        };
        match to {
            Recipient::Room(room) => {
                if let Some(place) = self.rooms.get_mut(&room.room) {
                    for message in place.history.iter_mut().filter(|said| said.ids.contains(&of)) {
                        message.content = Content::plain("");
                    }
                }
                self.tell_room(&room.room, Some(who), &RoomEvent::Retraction(retraction));
            }
            Recipient::Person(person) => {
                self.whispers.retain(|said| said.id != of);
                self.tell_of_person(&person.person, who, PersonEvent::Retraction(retraction));
            }
        }
        Ok(())
    }
}

fn not_yours() -> Failure {
    Failure::refused(Refusal::Forbidden, "this is not your message")
}
