//! What people say: PRIVMSG and NOTICE (RFC 2812 §3.3), with the tags, CTCP and formatting around it.

use viaduct_bridge::{
    Content, Message as Said, MessageKind, Name, PersonEvent, PersonId, Relation, RemoteEvent, RoomEvent,
    ServerEvent, Timestamp, Topic,
};

use crate::proto::ctcp::Ctcp;
use crate::proto::line::Line;
use crate::proto::message::{Message, Source};
use crate::proto::{format, services, time};

use super::book::Echo;
use super::queue::Queued;
use super::relations::{message_id, reply_of};
use super::{Client, Now};

/// While more lines than this wait, nobody's CTCP request is answered.
const BUSY: usize = 10;
/// How far a server's clock may be ahead of ours, in microseconds: nothing is said in the future.
const MOST_AHEAD: i64 = 600_000_000;

/// When a line was said: by the server's clock where it tells (IRCv3 server-time), else now.
pub(super) fn message_time(now: Now, message: &Message<'_>) -> Timestamp {
    let stamp = message.tags.get("time");
    stamp
        .and_then(|stamp| time::parse_server_time(&stamp))
        .filter(|at| at.0 <= now.clock.0.saturating_add(MOST_AHEAD))
        .unwrap_or(now.clock)
}

/// A topic without who set it.
pub(super) fn topic(text: &str) -> Topic {
    Topic {
        text: format::to_text(text).plain,
        by: None,
        at: None,
    }
}

impl Client {
    /// PRIVMSG or NOTICE.
    pub(super) fn on_message(&mut self, now: Now, message: &Message<'_>, notice: bool) {
        let (Some(source), [target, text, ..]) = (message.source, message.params()) else {
            if notice {
                self.server_says(message.last());
            }
            return;
        };
        let kind = match (Ctcp::parse(text), notice) {
            (Some(ctcp), _) if ctcp.is_action() => MessageKind::Emote,
            (Some(ctcp), notice) => {
                if notice {
                    self.on_ctcp_answer(now, source.nick, ctcp);
                } else if self.is_me(target) && !self.is_me(source.nick) {
                    self.answer_ctcp(now, source, ctcp);
                }
                return;
            }
            (None, true) => MessageKind::Notice,
            (None, false) => MessageKind::Text,
        };
        let target = self.isupport.without_status(target);
        let is_channel = self.isupport.is_channel(target);
        if !is_channel && source.is_server() {
            self.server_says(text);
            return;
        }
        if !is_channel && !self.is_me(target) && !self.is_me(source.nick) {
            // To everybody on the network, by its staff.
            self.server_says(text);
            return;
        }
        let body = match kind {
            MessageKind::Emote => Ctcp::parse(text).map_or("", |ctcp| ctcp.text),
            _ => text,
        };
        let content = Content {
            kind,
            text: format::to_text(body),
        };
        if notice && !is_channel && services::claims_nick(source.nick, text) {
            let nick = self.nick.clone();
            self.tell_server(ServerEvent::NickOwned { nick });
        }
        let (nick, sender) = self.people.names(source, self.isupport.casemapping);
        self.account_of_message(&sender, message);
        if sender != self.me && message.tags.get("bot").is_some() {
            self.tell_person(sender.clone(), PersonEvent::Bot);
        }
        let said = Said {
            ids: message
                .tags
                .get("msgid")
                .and_then(|id| message_id(&id))
                .into_iter()
                .collect(),
            txn: None,
            sender,
            nick,
            at: message_time(now, message),
            content,
            relation: reply_of(message).map(Relation::Reply),
            missed: false,
        };
        let mut folded = std::mem::take(&mut self.folded);
        self.isupport.casemapping.fold_into(target, &mut folded);
        let said = if said.sender == self.me {
            self.own(&folded, notice, text, said)
        } else {
            Some(said)
        };
        if let Some(said) = said {
            if is_channel {
                self.tell_in_room(now, &folded, RoomEvent::Message(said));
            } else {
                // An own message that nobody here sent is the user's own from elsewhere (a bouncer), to the target.
                let other = if said.sender == self.me {
                    Name::from(folded.as_str())
                } else {
                    said.sender.clone()
                };
                self.tell_person(other, PersonEvent::Message(said));
            }
        }
        self.folded = folded;
    }

    /// Something that the user said. Gives it back if no command waits for it.
    fn own(&mut self, target: &str, notice: bool, text: &str, said: Said) -> Option<Said> {
        if self.book.is_empty() {
            return Some(said);
        }
        let echo = Echo {
            text,
            id: said.ids.first().cloned(),
            at: said.at,
            content: said.content.clone(),
            nick: said.nick.clone(),
            me: said.sender.clone(),
        };
        self.book
            .echo(self.label, target, notice, echo, &mut self.events)
            .is_some()
            .then_some(said)
    }

    /// Something happened in a room that waits until the room has been described.
    pub(super) fn tell_in_room(&mut self, now: Now, folded: &str, event: RoomEvent) {
        let Some(room) = self.rooms.get_mut(folded) else {
            return;
        };
        let (id, is_in) = (room.id.clone(), room.is_in());
        if is_in && let RoomEvent::Message(said) = &event {
            room.newest = room.newest.max(Some(said.at));
        }
        let event = RemoteEvent::Room { room: id, event };
        let Some(snapshot) = room.holds() else {
            if is_in {
                self.events.push(event);
            }
            return;
        };
        if snapshot.hold(event) {
            self.describe(folded, now);
        }
    }

    /// Something happened with a person.
    pub(super) fn tell_person(&mut self, person: Name, event: PersonEvent) {
        self.events.push(RemoteEvent::Person {
            person: PersonId {
                server: self.server.clone(),
                person,
            },
            event,
        });
    }

    /// The server itself says something to the user.
    pub(super) fn server_says(&mut self, text: &str) {
        self.notice(format::to_text(text).plain);
    }

    fn answer_ctcp(&mut self, now: Now, source: Source<'_>, ctcp: Ctcp<'_>) {
        if source.is_server() || self.queue.len() > BUSY || !self.is_online() {
            return;
        }
        let Some(answer) = ctcp.answer(&time::format_utc(now.clock)) else {
            return;
        };
        if self.ctcp.take(now.at) {
            let line = Line::command("NOTICE").arg(source.nick).trailing(&answer);
            self.queue.push(Queued::Line(line));
        }
    }
}
