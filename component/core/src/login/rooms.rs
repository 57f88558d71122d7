//! What the network tells about rooms and the people in them.

use viaduct_bridge::{Name, PersonEvent, PersonId, RoomEvent, RoomId, Timestamp};

use super::Login;
use super::pending::Pending;
use crate::effect::{Effect, Effects, Timer};
use crate::portal::Place;
use crate::records::PortalId;

impl Login {
    pub(super) fn room_event(&mut self, now: Timestamp, id: &RoomId, event: RoomEvent, out: &mut Effects) {
        let attached = self.attached;
        let markable = matches!(event, RoomEvent::Message(_)) && self.wants_markers(&id.server);
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let ctx = &self.ctx;
        match event {
            RoomEvent::Joined {
                me,
                members,
                topic,
                flags,
            } => {
                if room.place == Place::Outside {
                    return;
                }
                room.arrived(ctx, now, (me, &members, topic, flags), attached, out);
            }
            RoomEvent::Refused { failure } => {
                room.refuse(ctx, &failure, out);
                self.release(&id.server, out);
            }
            RoomEvent::Left { how, reason } => {
                room.removed(ctx, &how, reason, out);
                if room.is_unused() {
                    self.release(&id.server, out);
                }
            }
            RoomEvent::Moved { to, reason } => self.room_moved(id, to, reason.as_deref(), out),
            RoomEvent::MemberJoined(member) => room.member_joined(ctx, &member, out),
            RoomEvent::MemberLeft { person, how, reason } => {
                room.member_left(ctx, &person, &how, reason, out)
            }
            RoomEvent::RankChanged {
                person,
                grant,
                revoke,
                by: _,
            } => {
                room.rank_changed(ctx, &person, grant, revoke, out);
            }
            RoomEvent::FlagsChanged(flags) => room.flags_changed(ctx, flags, out),
            RoomEvent::TopicChanged(topic) => room.topic_changed(ctx, topic, out),
            RoomEvent::Message(message) => match message.txn {
                Some(txn) if self.pending.contains(&txn) => self.echoed(txn, &message, out),
                _ => room.said(ctx, &message, (self.found.as_ref(), markable), out),
            },
            RoomEvent::Read { upto } => room.read_elsewhere(ctx, upto, self.found.as_ref(), out),
            RoomEvent::Typing { person, state } => room.typing(now, &person, state, out),
            RoomEvent::Reaction(reaction) => room.reacted(ctx, &reaction, self.found.as_ref(), out),
            RoomEvent::Retraction(retraction) => {
                room.retracted(ctx, &retraction, self.found.as_ref(), out);
            }
        }
    }

    pub(super) fn person_event(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        event: PersonEvent,
        out: &mut Effects,
    ) {
        match event {
            PersonEvent::Message(message) => match message.txn {
                Some(txn) if self.pending.contains(&txn) => self.echoed(txn, &message, out),
                _ => self.chat_said(now, person, &message, out),
            },
            PersonEvent::Typing(state) => self.chat_typing(now, person, state, out),
            PersonEvent::Reaction(reaction) => self.chat_reacted(now, person, &reaction, out),
            PersonEvent::Retraction(retraction) => self.chat_retracted(now, person, &retraction, out),
            PersonEvent::Renamed { to, nick } => self.renamed(person, &to, &nick, out),
            PersonEvent::Gone { reason } => {
                for room in self
                    .rooms
                    .values_mut()
                    .filter(|room| room.room.server == person.server)
                {
                    let how = viaduct_bridge::Departure::Left;
                    room.member_left(&self.ctx, &person.person, &how, reason.clone(), out);
                }
            }
            // Those who are watched are contacts, and that is all.
            PersonEvent::Online { .. } | PersonEvent::Offline => {}
            PersonEvent::Away { text } => {
                for room in self
                    .rooms
                    .values_mut()
                    .filter(|room| room.room.server == person.server)
                {
                    if person.person != room.me {
                        room.away_changed(&self.ctx, &person.person, text.clone(), out);
                    }
                }
            }
            PersonEvent::Bot => {
                for room in self
                    .rooms
                    .values_mut()
                    .filter(|room| room.room.server == person.server && room.me != person.person)
                {
                    room.is_bot(&self.ctx, &person.person, out);
                }
            }
            PersonEvent::Account { account } => {
                for room in self
                    .rooms
                    .values_mut()
                    .filter(|room| room.room.server == person.server && room.me != person.person)
                {
                    room.account_told(&self.ctx, &person.person, account.clone(), out);
                }
            }
        }
    }

    fn renamed(&mut self, person: &PersonId, to: &Name, nick: &Name, out: &mut Effects) {
        let wished = self
            .pending
            .iter()
            .any(|pending| matches!(pending, Pending::Nick { wish, .. } if wish == nick));
        let wishing = self
            .pending
            .iter()
            .any(|pending| matches!(pending, Pending::Nick { .. }));
        for room in self
            .rooms
            .values_mut()
            .filter(|room| room.room.server == person.server)
        {
            room.renamed(&self.ctx, &person.person, (to, nick), wishing && !wished, out);
        }
        let mine = self
            .servers
            .get_mut(&person.server)
            .map(|server| &mut server.link);
        if let Some(super::servers::Link::Online { nick: known, .. }) = mine
            && self
                .rooms
                .values()
                .any(|room| room.room.server == person.server && room.me == *to)
        {
            *known = nick.clone();
        }
        if let Some(chat) = self.chats.remove(person) {
            // Who was spoken with under the old name is spoken with under the new one.
            let renamed = PersonId {
                server: person.server.clone(),
                person: to.clone(),
            };
            let chat = self.follow_chat(chat, &renamed, out);
            self.chats.entry(renamed).or_insert(chat);
        }
    }

    /// A room has another name: its clients are sent there, and the user's place is kept until one of them comes.
    fn room_moved(&mut self, id: &RoomId, to: RoomId, reason: Option<&str>, out: &mut Effects) {
        let jid = self.ctx.jid(&viaduct_bridge::Address::Room(to.clone()));
        let Some(mut room) = self.rooms.remove(id) else {
            return;
        };
        room.moved(&jid, reason, out);
        let portal = if let Some(known) = self.rooms.get_mut(&to) {
            // The user has been in a room of the new name before: each keeps its own archive.
            known.unseen = true;
            let portal = known.id;
            self.rooms.insert(id.clone(), room);
            portal
        } else {
            room.renamed_to(to.clone(), jid, out);
            room.unseen = true;
            let portal = room.id;
            self.rooms.insert(to, room);
            portal
        };
        self.begin_grace(portal, out);
    }

    /// Waits for a client that was lost, and then leaves the room.
    pub(super) fn begin_grace(&self, portal: PortalId, out: &mut Effects) {
        out.push(Effect::SetTimer {
            timer: Timer::Grace(portal),
            after: self.ctx.rules().grace,
        });
    }

    pub(super) fn grace_over(&mut self, portal: PortalId, out: &mut Effects) {
        let Some(room) = self
            .rooms
            .values_mut()
            .find(|room| room.id == portal && room.is_unused())
        else {
            return;
        };
        let server = room.room.server.clone();
        let here = std::mem::take(&mut room.unseen).then(|| viaduct_bridge::Command::Leave {
            room: room.room.clone(),
            reason: None,
        });
        if let Some(command) = room.depart(None).or(here) {
            self.submit(command, out);
        }
        self.release(&server, out);
    }
}
