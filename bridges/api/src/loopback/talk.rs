//! What people say to each other, and what they are called.

use std::collections::VecDeque;

use super::address::{fold, is_person};
use super::link::State;
use super::relations::Whispered;
use super::rooms::nobody;
use super::server::{Ears, Receipt, Server, Somebody};
use crate::capability::Level;
use crate::event::{Message, PersonEvent, Rank, RemoteEvent, RoomEvent, ServerEvent};
use crate::failure::{Failure, Refusal};
use crate::ids::{MessageId, Name, Timestamp};
use crate::relation::Relation;
use crate::text::{Content, MessageKind};

impl Server {
    /// Says something to everybody else in a room.
    pub(super) fn say(
        &mut self,
        who: &Name,
        room: &Name,
        content: Content,
        relation: Option<Relation<MessageId>>,
    ) -> Result<Message, Failure> {
        let content = self.carried(who, content)?;
        let (place, rank) = self.membership(who, room)?;
        if place.flags.moderated && rank.is_empty() {
            return Err(Failure::refused(
                Refusal::Forbidden,
                "only those with voice may speak here",
            ));
        }
        let message = self.message(who, content, relation);
        self.tell_room(room, Some(who), &RoomEvent::Message(message.clone()));
        if let Some(place) = self.rooms.get_mut(room) {
            place.history.push(message.clone());
        }
        Ok(message)
    }

    /// Says something to one person.
    pub(super) fn whisper(
        &mut self,
        who: &Name,
        whom: &Name,
        content: Content,
        relation: Option<Relation<MessageId>>,
    ) -> Result<Message, Failure> {
        let content = self.carried(who, content)?;
        if !self.people.contains_key(whom) {
            return Err(nobody(whom));
        }
        self.may_whisper(who, whom)?;
        let message = self.message(who, content, relation);
        self.whispers.extend(message.ids.iter().map(|id| Whispered {
            id: id.clone(),
            by: who.clone(),
            to: whom.clone(),
        }));
        self.tell_of_person(whom, who, PersonEvent::Message(message.clone()));
        Ok(message)
    }

    /// Whether the network has this kind of conversation: with strangers, or at least within a room.
    fn may_whisper(&self, who: &Name, whom: &Name) -> Result<(), Failure> {
        let capabilities = &self.settings.capabilities;
        let together = || {
            let mut rooms = self.rooms.values().map(|room| &room.members);
            rooms.any(|members| members.contains_key(who) && members.contains_key(whom))
        };
        if capabilities.direct_messages != Level::Rejected
            || (capabilities.private_messages != Level::Rejected && together())
        {
            return Ok(());
        }
        Err(Failure::Unsupported {
            feature: "a direct message",
        })
    }

    /// The content as this network can carry it.
    fn carried(&self, who: &Name, mut content: Content) -> Result<Content, Failure> {
        let capabilities = &self.settings.capabilities;
        let size = content.text.plain.len();
        if size == 0 {
            return Err(Failure::refused(Refusal::NotAcceptable, "there is nothing in it"));
        }
        if size > capabilities.max_message_bytes {
            let most = capabilities.max_message_bytes;
            let reason = format!("{size} bytes are too long: {most} are the most");
            return Err(Failure::refused(Refusal::NotAcceptable, reason));
        }
        match capabilities.styling {
            Level::Full | Level::Partial => {}
            Level::Fallback => content.text.spans.clear(),
            Level::Rejected if content.text.spans.is_empty() => {}
            Level::Rejected => {
                return Err(Failure::Unsupported {
                    feature: "styled text",
                });
            }
        }
        if content.kind == MessageKind::Emote {
            match capabilities.emotes {
                Level::Full | Level::Partial => {}
                Level::Fallback => {
                    content = Content::plain(format!("* {} {}", self.nick(who), content.text.plain));
                }
                Level::Rejected => return Err(Failure::Unsupported { feature: "an action" }),
            }
        }
        Ok(content)
    }

    fn message(&mut self, who: &Name, content: Content, relation: Option<Relation<MessageId>>) -> Message {
        self.said += 1;
        Message {
            ids: vec![MessageId(Name::from(format!("{}/{}", self.id, self.said)))],
            txn: None,
            sender: who.clone(),
            nick: self.nick(who),
            at: self.tick(),
            content,
            relation,
            missed: false,
        }
    }

    /// The time, a millisecond later than the last time.
    pub(super) fn tick(&mut self) -> Timestamp {
        self.clock.0 += 1000;
        self.clock
    }

    /// Lets somebody onto the server whom a test plays, unless they are there.
    pub(super) fn arrive(&mut self, nick: &Name) -> Result<Name, Failure> {
        let who = fold(nick);
        if !is_person(nick) {
            return Err(bad_nick(nick));
        }
        if !self.people.contains_key(&who) {
            let somebody = Somebody {
                nick: nick.clone(),
                away: None,
                ears: Ears::Own(VecDeque::new()),
            };
            self.people.insert(who.clone(), somebody);
            self.tell_watchers(&who, false, &PersonEvent::Online { nick: nick.clone() });
        }
        Ok(who)
    }

    /// Gives somebody a new name, told once to everybody who shares a room, and to themselves.
    pub(super) fn rename(&mut self, who: &Name, nick: &Name) -> Result<Name, Failure> {
        if !is_person(nick) || nick.len() > self.settings.capabilities.max_nick_bytes {
            return Err(bad_nick(nick));
        }
        let to = fold(nick);
        if to != *who && (self.people.contains_key(&to) || self.passwords.contains_key(&to)) {
            return Err(Failure::refused(Refusal::Conflict, format!("{nick} is taken")));
        }
        let renamed = PersonEvent::Renamed {
            to: to.clone(),
            nick: nick.clone(),
        };
        self.tell_acquaintances(who, &renamed);
        self.tell_of_person(who, who, renamed);
        let mut somebody = self.people.remove(who).ok_or_else(|| nobody(who))?;
        somebody.nick = nick.clone();
        if let Ears::Session(session) = &somebody.ears
            && let Some(link) = self.links.get_mut(session)
        {
            link.state = State::Online(to.clone());
            link.nick = nick.clone();
        }
        self.people.insert(to.clone(), somebody);
        for room in self.rooms.values_mut() {
            if let Some(rank) = room.members.remove(who) {
                room.members.insert(to.clone(), rank);
            }
        }
        if to != *who {
            self.tell_watchers(who, false, &PersonEvent::Offline);
            self.tell_watchers(&to, false, &PersonEvent::Online { nick: nick.clone() });
        }
        Ok(to)
    }

    /// Tells everybody who shares a room that somebody is away, or back.
    pub(super) fn set_away(&mut self, who: &Name, text: Option<Name>) {
        if self.settings.capabilities.away == Level::Rejected {
            return;
        }
        if let Some(somebody) = self.people.get_mut(who) {
            somebody.away.clone_from(&text);
            let event = PersonEvent::Away { text };
            self.tell_acquaintances(who, &event);
            self.tell_watchers(who, true, &event);
        }
    }

    pub(super) fn tell_of_invitation(&mut self, whom: &Name, room: &Name, by: &Name) {
        let event = RemoteEvent::Server {
            server: self.id.clone(),
            event: ServerEvent::Invited {
                room: self.room_id(room),
                by: self.nick(by),
                person: by.clone(),
            },
        };
        self.tell(whom, event);
    }

    /// What somebody may do in a room; nothing if they are not in it.
    pub(super) fn rank(&self, who: &Name, room: &Name) -> Rank {
        let place = self.rooms.get(room);
        place
            .and_then(|place| place.members.get(who).copied())
            .unwrap_or_default()
    }
}

impl From<&Message> for Receipt {
    fn from(message: &Message) -> Self {
        Self {
            ids: message.ids.clone(),
            at: message.at,
        }
    }
}

fn bad_nick(nick: &Name) -> Failure {
    Failure::refused(Refusal::NotAcceptable, format!("'{nick}' cannot be a nickname"))
}
