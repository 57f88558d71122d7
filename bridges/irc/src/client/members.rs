//! People who come, go and change: JOIN, PART, QUIT, NICK, KICK, MODE, TOPIC, AWAY, INVITE (RFC 2812 §3.1-3.2, and
//! IRCv3 away-notify, chghost and invite-notify).

use std::time::Instant;

use viaduct_bridge::{Departure, Name, PersonEvent, Rank, RoomEvent, RoomId, ServerEvent};

use crate::address::is_channel_name;
use crate::proto::format;
use crate::proto::message::{Message, Source};
use crate::proto::modes::{changes, rank_change};

use super::pending::What;
use super::snapshot::member;
use super::{Client, Now, is_sane, messages};

impl Client {
    pub(super) fn on_join(&mut self, now: Now, message: &Message<'_>) {
        let Some(source) = message.source else {
            return;
        };
        for name in message.param(0).split(',') {
            if self.is_me(source.nick) {
                self.learn_own_host(source);
                self.on_own_join(now, name);
                continue;
            }
            let fold = self.isupport.casemapping;
            let mut new = member(source.nick, Rank::NONE, fold);
            new.away = self.who.knows_away(&new.person);
            self.watch.noted(&new.person, true);
            let folded = self.fold(name);
            let Some(room) = self.rooms.get_mut(&folded) else {
                continue;
            };
            let (id, is_in) = (room.id.clone(), room.is_in());
            if let Some(snapshot) = room.snapshot() {
                snapshot.add(new.clone());
            }
            if is_in {
                self.tell_room(id, RoomEvent::MemberJoined(new));
            }
        }
    }

    pub(super) fn on_part(&mut self, message: &Message<'_>) {
        let reason = words(message, 1);
        for name in message.param(0).split(',') {
            let folded = self.fold(name);
            if self.is_me(message.nick()) {
                self.on_own_leave(&folded, Departure::Left, reason.clone());
            } else {
                let person = self.fold(message.nick());
                self.member_left(&folded, person, Departure::Left, reason.clone());
            }
        }
    }

    pub(super) fn on_kick(&mut self, now: Now, message: &Message<'_>) {
        let room = self.fold(message.param(0));
        let victim = message.param(1);
        let person = self.fold(victim);
        let by = message.nick();
        let reason = words(message, 2).filter(|reason| reason.as_str() != by);
        let how = if self.was_banned(&room, by, victim, &person, now.at) {
            Departure::Banned { by: named(by) }
        } else {
            Departure::Kicked { by: named(by) }
        };
        if self.is_me(by) {
            self.seen_done(&What::Kick, &room, &person);
        }
        if person == self.me {
            self.on_own_leave(&room, how, reason);
        } else {
            self.member_left(&room, person, how, reason);
        }
    }

    /// What the user asked for has happened: that is told before what came of it (XEP-0045 §8.2).
    fn seen_done(&mut self, what: &What, room: &str, person: &str) {
        let done = self
            .book
            .oldest(|p| p.what == *what && p.target.as_str() == room && p.person.as_deref() == Some(person));
        if let Some(part) = done {
            self.book.accept(part, &mut self.events);
        }
    }

    fn was_banned(&self, room: &str, by: &str, nick: &str, person: &str, now: Instant) -> bool {
        let userhost = self.people.userhost(person);
        self.recent_bans
            .explains(room, &self.fold(by), nick, userhost, now)
    }

    fn member_left(&mut self, room: &str, person: Name, how: Departure, reason: Option<Name>) {
        let Some(room) = self.rooms.get_mut(room) else {
            return;
        };
        let (id, is_in) = (room.id.clone(), room.is_in());
        if let Some(snapshot) = room.snapshot() {
            snapshot.remove(&person);
        }
        if is_in {
            self.tell_room(id, RoomEvent::MemberLeft { person, how, reason });
        }
    }

    pub(super) fn on_quit(&mut self, message: &Message<'_>) {
        if self.is_me(message.nick()) {
            return;
        }
        let person = self.fold(message.nick());
        for snapshot in self.rooms.snapshots() {
            snapshot.remove(&person);
        }
        self.people.forget(&person);
        self.who.forget(&person);
        self.watch.noted(&person, false);
        let reason = words(message, 0);
        self.tell_person(person, PersonEvent::Gone { reason });
    }

    pub(super) fn on_nick(&mut self, message: &Message<'_>) {
        // InspIRCd 3 writes the new nickname already where it answers a label.
        let own = self.label.is_some() || self.is_me(message.nick());
        let from = if own {
            self.me.clone()
        } else {
            self.fold(message.nick())
        };
        let nick = Name::from(message.param(0));
        if !is_sane(&nick) {
            return;
        }
        let to = self.isupport.casemapping.fold_name(&nick);
        for snapshot in self.rooms.snapshots() {
            snapshot.rename(&from, &to, &nick);
        }
        self.people.forget(&from);
        self.who.rename(&from, &to);
        if from != to {
            self.watch.noted(&from, false);
            self.watch.noted(&to, true);
        }
        if own {
            self.nick = nick.clone();
            self.me = to.clone();
        }
        let renamed = PersonEvent::Renamed { to: to.clone(), nick };
        self.tell_person(from, renamed);
        if own {
            let done = self
                .label
                .or_else(|| self.book.oldest(|p| p.what == What::Nick && p.target == to));
            if let Some(part) = done {
                self.wish = self.nick.clone();
                self.book.accept(part, &mut self.events);
            }
        }
    }

    pub(super) fn on_mode(&mut self, now: Now, message: &Message<'_>) {
        let folded = self.fold(message.param(0));
        let by = named(message.nick());
        let by_folded = self.fold(message.nick());
        let Some(room) = self.rooms.get_mut(&folded) else {
            return;
        };
        let (id, is_in) = (room.id.clone(), room.is_in());
        let before = room.modes.flags();
        let params = message.params().get(2..).unwrap_or_default();
        let mut told = Vec::new();
        for change in changes(&self.isupport, message.param(1), params) {
            if let Some((grant, revoke)) = rank_change(&self.isupport, change) {
                let Some(nick) = change.param else {
                    continue;
                };
                let person = self.isupport.casemapping.fold(nick);
                if let Some(snapshot) = room.snapshot() {
                    snapshot.rank(&person, grant, revoke);
                }
                told.push(RoomEvent::RankChanged {
                    person,
                    grant,
                    revoke,
                    by: by.clone(),
                });
                continue;
            }
            match (change.mode, change.param) {
                ('b', Some(mask)) if change.set => {
                    self.recent_bans
                        .note(folded.clone(), by_folded.clone(), mask, now.at);
                }
                ('k', key) => room.set_key(key.filter(|_| change.set)),
                _ => {}
            }
            room.modes.apply(change);
        }
        let flags = room.modes.flags();
        if flags != before {
            told.push(RoomEvent::FlagsChanged(flags));
        }
        if is_in {
            let own = self.is_me(message.nick());
            for event in merged(told) {
                if let (true, RoomEvent::RankChanged { person, .. }) = (own, &event) {
                    self.seen_done(&What::Rank, &folded, person);
                }
                self.tell_room(id.clone(), event);
            }
        }
    }

    pub(super) fn on_topic(&mut self, now: Now, message: &Message<'_>) {
        let folded = self.fold(message.param(0));
        let Some(room) = self.rooms.get_mut(&folded) else {
            return;
        };
        let (id, is_in) = (room.id.clone(), room.is_in());
        let mut topic = messages::topic(message.param(1));
        topic.by = named(message.nick());
        topic.at = Some(now.clock);
        if let Some(snapshot) = room.snapshot() {
            snapshot.topic(Some(topic.clone()));
        }
        if is_in {
            self.tell_room(id, RoomEvent::TopicChanged(topic));
        }
    }

    /// AWAY of somebody (away-notify).
    pub(super) fn on_away(&mut self, message: &Message<'_>) {
        let person = self.fold(message.nick());
        self.is_away(person, words(message, 0));
    }

    /// Somebody is away, or back.
    pub(super) fn is_away(&mut self, person: Name, text: Option<Name>) {
        for snapshot in self.rooms.snapshots() {
            snapshot.away(&person, text.is_some());
        }
        self.who_noted(&person, text.is_some());
        self.watch.noted_away(&person, text.is_some());
        self.tell_person(person, PersonEvent::Away { text });
    }

    pub(super) fn on_invite(&mut self, message: &Message<'_>) {
        if !self.is_me(message.param(0)) || !self.is_room(message.param(1)) {
            return;
        }
        let room = RoomId {
            server: self.server.clone(),
            room: self.fold(message.param(1)),
        };
        let by = Name::from(message.nick());
        let person = self.fold(&by);
        self.tell_server(ServerEvent::Invited { room, by, person });
    }

    /// RPL_INVITING: `nick #channel`.
    pub(super) fn on_inviting(&mut self, message: &Message<'_>) {
        let (person, room) = (self.fold(message.param(1)), self.fold(message.param(2)));
        self.seen_done(&What::Invite, &room, &person);
    }

    fn is_room(&self, name: &str) -> bool {
        self.isupport.is_channel(name) && is_channel_name(name)
    }

    /// CHGHOST (IRCv3 chghost): new user and host names.
    pub(super) fn on_chghost(&mut self, message: &Message<'_>) {
        let source = Source {
            nick: message.nick(),
            user: Some(message.param(0)),
            host: Some(message.param(1)),
        };
        if self.is_me(source.nick) {
            self.learn_own_host(source);
        } else {
            let person = self.fold(source.nick);
            self.people.forget(&person);
        }
    }

    /// The server has shown how it writes the user.
    fn learn_own_host(&mut self, source: Source<'_>) {
        if let (Some(user), Some(host)) = (source.user, source.host) {
            self.own_userhost = Some(user.len() + 1 + host.len());
        }
    }
}

/// A parameter as words for people, if there are any.
fn words(message: &Message<'_>, index: usize) -> Option<Name> {
    let text = message.param(index);
    (!text.is_empty()).then(|| format::to_text(text).plain)
}

fn named(nick: &str) -> Option<Name> {
    (!nick.is_empty()).then(|| Name::from(nick))
}

/// Puts what happened to the same person in one line together.
fn merged(events: Vec<RoomEvent>) -> Vec<RoomEvent> {
    let mut out: Vec<RoomEvent> = Vec::with_capacity(events.len());
    for event in events {
        if let RoomEvent::RankChanged {
            person,
            grant,
            revoke,
            ..
        } = &event
            && let Some(RoomEvent::RankChanged {
                person: last,
                grant: given,
                revoke: taken,
                ..
            }) = out.last_mut()
            && person == last
        {
            *given = given.without(*revoke).with(*grant);
            *taken = taken.without(*grant).with(*revoke);
            continue;
        }
        out.push(event);
    }
    out
}
