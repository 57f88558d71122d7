//! Direct chats with people of the network. A person is `localpart@gateway`; what they say goes to the user's bare
//! JID (or, to those who spoke to them as an occupant of a room, comes back from the occupant).

use std::sync::Arc;

use viaduct_bridge::{Address, Message, MessageId, Name, PersonId, Recipient, ServerId, Timestamp, Typing};

use super::Login;
use super::pending::{Pending, Request};
use crate::context::Context;
use crate::effect::{Effect, Effects, Mark, ReplayRequest};
use crate::ns;
use crate::payload;
use crate::records::{
    JoinedRecord, LoadedPortal, MessageRecord, PortalId, PortalRecord, Position, Said, Write,
};
use crate::render;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::Xml;

/// The most messages that are replayed before the server has confirmed them.
const REPLAY_PAGE: u32 = 200;

/// What was said longer ago than this was kept by somebody on the way, and comes with its time (XEP-0203).
const LATE_MICROS: i64 = 10_000_000;

/// A direct chat.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) id: PortalId,
    /// The puppet's JID.
    pub(super) jid: Name,
    /// The puppet's localpart.
    local: Name,
    /// The room as whose occupant the person was last addressed.
    pub(super) via: Option<Name>,
    last: Position,
    last_at: Timestamp,
    cursor: Position,
    /// Whether messages go out as they come.
    pub(super) live: bool,
    recorded: bool,
    /// Until when the other is believed to be typing, or to have paused.
    pub(super) typing: Option<(Typing, Timestamp)>,
    /// Up to when the user has read it, as far as the network was told.
    pub(super) read_upto: Timestamp,
}

impl Chat {
    fn new(ctx: &Context, person: &PersonId) -> Self {
        let jid = ctx.jid(&Address::Person(person.clone()));
        let local: Name = jid.split('@').next().unwrap_or_default().into();
        Self {
            id: ctx.ids.portal(),
            jid,
            local,
            via: None,
            last: Position(0),
            last_at: Timestamp(0),
            cursor: Position(0),
            live: true,
            recorded: false,
            typing: None,
            read_upto: Timestamp(0),
        }
    }

    /// The address by which the user speaks to the person, as long as nothing was said: that one it keeps.
    fn addressed(&mut self, ctx: &Context, local: &str) {
        if !self.recorded && *self.local != *local {
            self.local = local.into();
            self.jid = format!("{local}@{}", ctx.domain).into();
        }
    }

    pub(super) fn restore(ctx: &Context, person: &PersonId, loaded: LoadedPortal) -> Self {
        let cursor = loaded.joined.first().map_or(loaded.last, |joined| joined.cursor);
        Self {
            id: loaded.portal.id,
            last: loaded.last.max(cursor),
            last_at: loaded.last_at,
            cursor,
            live: false,
            recorded: true,
            jid: format!("{}@{}", loaded.portal.local, ctx.domain).into(),
            local: loaded.portal.local,
            ..Self::new(ctx, person)
        }
    }

    /// The localpart of the puppet, as it was first seen.
    pub(super) fn local(&self) -> &Name {
        &self.local
    }

    /// Whether it is on record.
    pub(super) fn is_recorded(&self) -> bool {
        self.recorded
    }

    /// Sends what was not confirmed, after the link was lost.
    pub(super) fn catch_up(&mut self, bare: &Name, out: &mut Effects) {
        if self.cursor >= self.last {
            self.live = true;
            return;
        }
        self.live = false;
        out.push(Effect::Replay(Box::new(ReplayRequest {
            portal: self.id,
            from: self.jid.clone(),
            to: bare.clone(),
            resource: "".into(),
            after: self.cursor,
            upto: self.last,
            limit: REPLAY_PAGE,
        })));
    }

    pub(super) fn confirmed(&mut self, bare: &Name, position: Position, attached: bool, out: &mut Effects) {
        if position > self.cursor {
            self.cursor = position;
            // The user's server keeps what it has processed; we need not.
            out.write(Write::Cursor {
                portal: self.id,
                resource: "".into(),
                position,
            });
            out.write(Write::Prune {
                portal: self.id,
                upto: position,
            });
        }
        if !self.live && attached {
            self.catch_up(bare, out);
        }
    }
}

/// Something that came from a person.
pub(super) struct Heard<'a> {
    /// Who, for display.
    pub(super) nick: &'a Name,
    /// When.
    pub(super) at: Timestamp,
    /// What is shown of it.
    pub(super) payload: String,
    /// The network's ids of it.
    pub(super) ids: &'a [MessageId],
}

impl Login {
    fn chat(&mut self, person: &PersonId) -> &mut Chat {
        let ctx = &self.ctx;
        self.chats
            .entry(person.clone())
            .or_insert_with(|| Chat::new(ctx, person))
    }

    /// The user speaks to a person as an occupant of a room, or (`None`) to the puppet: answers come from there.
    pub(super) fn address_chat(&mut self, person: &PersonId, via: Option<Name>) {
        self.chat(person).via = via;
    }

    /// A person goes on under another name.
    pub(super) fn follow_chat(&self, mut chat: Chat, person: &PersonId, out: &mut Effects) -> Chat {
        let fresh = Chat::new(&self.ctx, person);
        chat.jid = fresh.jid;
        chat.local = fresh.local;
        if chat.recorded {
            out.write(self.chat_record(&chat, person));
        }
        chat
    }

    fn chat_record(&self, chat: &Chat, person: &PersonId) -> Write {
        Write::Portal(Box::new(PortalRecord {
            id: chat.id,
            login: self.id,
            with: Recipient::Person(person.clone()),
            local: chat.local.clone(),
            nick: "".into(),
            key: None,
            topic: None,
            kept: false,
        }))
    }

    /// A message of one of the user's clients to a person.
    pub(super) fn person_message(&mut self, person: &PersonId, stanza: &Incoming, out: &mut Effects) {
        if stanza.is_error() {
            return;
        }
        if stanza.ty() == "groupchat" {
            let problem = Problem::because(
                Condition::BadRequest,
                "This is the address of a person, not of a room.",
            );
            return out.send_opt(stanza.error(&problem));
        }
        if let Some(problem) = self.shut_out() {
            return out.send_opt(stanza.error(&problem));
        }
        if self.direct_invitation(person, stanza, out)
            || self.act_on(&Recipient::Person(person.clone()), stanza, out)
        {
            return;
        }
        let Some(body) = stanza.text_of("body").filter(|body| !body.is_empty()) else {
            // What else is left is nothing that the network has: receipts.
            return self.tell_typing(Recipient::Person(person.clone()), stanza, out);
        };
        self.address_chat(person, None);
        if let (Some(node), ctx) = (stanza.to.node(), self.ctx.clone()) {
            self.chat(person).addressed(&ctx, node.as_str());
        }
        self.say_to(Recipient::Person(person.clone()), &body, stanza, out);
    }

    /// A message to a server itself: a line in the network's own language, from those who may speak it. Nobody reads
    /// what others write there.
    pub(super) fn server_message(&mut self, server: &ServerId, stanza: &Incoming, out: &mut Effects) {
        let Some(body) = stanza.text_of("body").filter(|_| !stanza.is_error()) else {
            return;
        };
        if !self.may_speak_raw() {
            let text =
                format!("Nobody reads messages to {server} itself. Write to a room or a person there.");
            return out.send_opt(stanza.error(&Problem::because(Condition::ServiceUnavailable, text)));
        }
        let pending = Pending::Stanza(Request::of(stanza));
        if let Err(problem) = self.speak_raw(server, body.trim().into(), pending, out) {
            out.send_opt(stanza.error(&problem));
        }
    }

    /// Somebody said something to the user alone.
    pub(super) fn chat_said(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        message: &Message,
        out: &mut Effects,
    ) {
        let mut payload = payload::from_network(&message.content);
        if let (Some(relation), Some(found)) = (&message.relation, self.found.take()) {
            payload += &self.chat_relation(person, relation, &found);
        }
        if self.wants_markers(&person.server) && message.sender == person.person {
            payload += &crate::relation::markable();
        }
        let heard = Heard {
            nick: &message.nick,
            at: message.at,
            payload,
            ids: &message.ids,
        };
        self.chat_heard(now, person, &heard, out);
    }

    /// Gives something that came from a person its place, and shows it.
    pub(super) fn chat_heard(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        heard: &Heard<'_>,
        out: &mut Effects,
    ) {
        self.ensure_recorded(out);
        let (bare, attached) = (self.bare.clone(), self.attached);
        self.server(&person.server).spoke = true;
        let via = self.chats.get(person).and_then(|chat| chat.via.clone());
        let room = via.and_then(|via| {
            self.rooms
                .values()
                .find(|room| room.jid == via && !room.joined.is_empty())
        });
        let from_occupant = room.map(|room| {
            let nick = room
                .occupants
                .get(&person.person)
                .map_or(heard.nick, |occupant| &occupant.nick);
            let to: Vec<Name> = room.joined.iter().map(|joined| joined.jid.clone()).collect();
            (room.occupant_jid(nick), to)
        });
        let chat = self.recorded_chat(person, out);
        chat.typing = None;
        chat.last = chat.last.next();
        chat.last_at = chat.last_at.max(heard.at);
        let record = MessageRecord {
            portal: chat.id,
            position: chat.last,
            at: chat.last_at,
            said: Arc::new(Said {
                nick: chat.local.clone(),
                occupant: "".into(),
                payload: heard.payload.as_str().into(),
            }),
            remote: heard.ids.first().cloned(),
            client_id: None,
        };
        let (live, jid) = (chat.live, chat.jid.clone());
        out.write(Write::Message(Box::new(record.clone())));
        let known = crate::records::archive_id(&record);
        self.note_ids(
            (person, record.portal),
            &known,
            (heard.ids, record.at),
            false,
            out,
        );
        if !attached || !live {
            return;
        }
        let mark = Mark::Cursor {
            portal: record.portal,
            resource: "".into(),
            position: record.position,
        };
        match from_occupant {
            Some((from, resources)) => {
                for to in resources {
                    let mut xml = Xml::stanza("message", &from, &to);
                    xml.attr("type", "chat").attr("id", &known);
                    xml.raw(&record.said.payload).empty("x", ns::MUC_USER);
                    out.send_marked(xml.finish(), mark.clone());
                }
            }
            None => {
                let late = now.0.saturating_sub(record.at.0) > LATE_MICROS;
                let when = if late {
                    render::When::Delayed
                } else {
                    render::When::Live
                };
                out.send_marked(render::chat(&record, &jid, &bare, when), mark);
            }
        }
    }

    /// The chat with a person, which is on record from now on.
    pub(super) fn recorded_chat(&mut self, person: &PersonId, out: &mut Effects) -> &mut Chat {
        let (login, ctx) = (self.id, self.ctx.clone());
        let chat = self
            .chats
            .entry(person.clone())
            .or_insert_with(|| Chat::new(&ctx, person));
        if !std::mem::replace(&mut chat.recorded, true) {
            out.write(Write::Portal(Box::new(PortalRecord {
                id: chat.id,
                login,
                with: Recipient::Person(person.clone()),
                local: chat.local.clone(),
                nick: "".into(),
                key: None,
                topic: None,
                kept: false,
            })));
            let cursor = chat.cursor;
            out.write(Write::Joined(Box::new(JoinedRecord {
                portal: chat.id,
                resource: "".into(),
                nick: "".into(),
                cursor,
            })));
        }
        chat
    }
}
