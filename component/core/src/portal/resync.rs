//! Coming back after a link was lost: on the XMPP side, on the network's side, or by a restart of the gateway.
//!
//! While the clients cannot be told of changes, [`Room::shown`] keeps what they believe; afterwards only the
//! differences are sent, and then the messages that they missed.

use viaduct_bridge::Name;

use super::Room;
use super::occupants::{Occupant, Occupants};
use super::presence::{Parting, status};
use crate::context::Context;
use crate::effect::{Effect, Effects, Mark, ReplayRequest};
use crate::ns;
use crate::records::{JoinedRecord, Position, Write};
use crate::xml::Xml;

/// The most messages that are replayed before the server has confirmed them.
const REPLAY_PAGE: u32 = 200;

impl Room {
    /// From now on the clients are not told of changes. What was sent but not confirmed may not have been seen:
    /// those people are shown again later.
    pub fn fall_out_of_step(&mut self) {
        if self.shown.is_some() || self.joined.is_empty() {
            return;
        }
        let mut shown = self.occupants.clone();
        for (_, person, _) in std::mem::take(&mut self.unconfirmed) {
            if self.occupants.get(&person).is_some() {
                shown.remove(&person);
            } else {
                let occupant = Occupant {
                    nick: person.clone(),
                    rank: viaduct_bridge::Rank::NONE,
                    away: None,
                    identity: None,
                    account: None,
                    bot: false,
                };
                shown.insert(person, occupant);
            }
        }
        self.shown = Some(shown);
    }

    /// The link to the XMPP server is gone: nobody gets anything until it is back.
    pub fn detach(&mut self) {
        self.fall_out_of_step();
        for joined in &mut self.joined {
            joined.live = false;
        }
    }

    /// Brings the clients back in step with the room.
    pub fn resync(&mut self, ctx: &Context, out: &mut Effects) {
        let Some(shown) = self.shown.take() else { return };
        self.unconfirmed.clear();
        if self.joined.is_empty() {
            return;
        }
        self.store_snapshot(out);
        self.resync_self(ctx, &shown, out);
        let mut gone: Vec<(Name, Occupant)> = Vec::new();
        for (person, occupant) in shown.iter().filter(|(person, _)| **person != self.me) {
            let still = self
                .occupants
                .get(person)
                .is_some_and(|now| now.nick == occupant.nick);
            let was_me = self.joined.iter().any(|joined| joined.nick == occupant.nick);
            if !still && !was_me {
                gone.push((person.clone(), occupant.clone()));
            }
        }
        for (person, occupant) in gone {
            self.show_gone(ctx, &person, &occupant, &Parting::default(), out);
        }
        let changed: Vec<Name> = self
            .occupants
            .iter()
            .filter(|(person, occupant)| **person != self.me && shown.get(person) != Some(*occupant))
            .map(|(person, _)| person.clone())
            .collect();
        for person in changed {
            self.show(ctx, &person, &[], out);
        }
        if std::mem::take(&mut self.topic_stale) {
            for joined in &self.joined {
                out.send(self.subject_stanza(ctx, &joined.jid));
            }
        }
        for at in 0..self.joined.len() {
            self.catch_up(at, out);
        }
    }

    /// The user's own presence, where it changed while nobody could be told.
    fn resync_self(&mut self, ctx: &Context, shown: &Occupants, out: &mut Effects) {
        let Some(me) = self.myself().cloned() else { return };
        for at in 0..self.joined.len() {
            let joined = &self.joined[at];
            if joined.nick != me.nick {
                let old = Occupant {
                    nick: joined.nick.clone(),
                    ..me.clone()
                };
                let parting = Parting {
                    codes: vec![status::NICK_CHANGE],
                    new_nick: Some(me.nick.clone()),
                    ..Parting::default()
                };
                out.send(self.unavailable(ctx, (&self.me, &old), &joined.jid, true, &parting));
                let codes = [status::SELF, status::NICK_ASSIGNED];
                out.send(self.available(ctx, &self.me, &me, &joined.jid, &codes));
                let joined = &mut self.joined[at];
                joined.nick = me.nick.clone();
                out.write(Write::Joined(Box::new(JoinedRecord {
                    portal: self.id,
                    resource: joined.resource.clone(),
                    nick: me.nick.clone(),
                    cursor: joined.cursor,
                })));
            } else if shown.get(&self.me) != Some(&me) {
                out.send(self.available(ctx, &self.me, &me, &joined.jid, &[status::SELF]));
            }
        }
    }

    /// Sends a resource what it missed, or asks its server whether it is still there.
    pub fn catch_up(&mut self, at: usize, out: &mut Effects) {
        let (id, last, room) = (self.id, self.last, self.jid.clone());
        let joined = &mut self.joined[at];
        if joined.cursor < last {
            joined.live = false;
            out.push(Effect::Replay(Box::new(ReplayRequest {
                portal: id,
                from: room,
                to: joined.jid.clone(),
                resource: joined.resource.clone(),
                after: joined.cursor,
                upto: last,
                limit: REPLAY_PAGE,
            })));
        } else {
            joined.live = true;
            // Nothing to show; but a server that has lost the client answers this with an error.
            let mut xml = Xml::stanza("message", &room, &joined.jid);
            xml.attr("type", "groupchat")
                .empty("no-store", ns::HINTS)
                .empty("no-copy", ns::HINTS);
            out.send(xml.finish());
        }
    }

    /// The server has processed messages up to here for a resource.
    pub fn confirmed_cursor(
        &mut self,
        resource: &str,
        position: Position,
        attached: bool,
        out: &mut Effects,
    ) {
        let Some(at) = self
            .joined
            .iter()
            .position(|joined| joined.resource.as_str() == resource)
        else {
            return;
        };
        let joined = &mut self.joined[at];
        if position > joined.cursor {
            joined.cursor = position;
            out.write(Write::Cursor {
                portal: self.id,
                resource: joined.resource.clone(),
                position,
            });
            self.forget_seen(out);
        }
        let joined = &self.joined[at];
        if !joined.live && attached && self.shown.is_none() {
            if joined.cursor < self.last {
                self.catch_up(at, out);
            } else {
                self.joined[at].live = true;
            }
        }
    }

    /// The server has processed changes of occupants up to here: those who left need not be remembered any more.
    pub fn confirmed_change(&mut self, change: u64, out: &mut Effects) {
        while self.unconfirmed.front().is_some_and(|(at, _, _)| *at <= change) {
            let Some((_, person, gone)) = self.unconfirmed.pop_front() else {
                break;
            };
            if gone && self.occupants.get(&person).is_none() {
                // What is stored now comes after what was shown last, and must not take its place.
                self.changes += 1;
                self.store_change(&person, out);
            }
        }
    }

    /// What is confirmed when a message has been processed.
    #[must_use]
    pub fn mark(&self, resource: &Name, position: Position) -> Mark {
        Mark::Cursor {
            portal: self.id,
            resource: resource.clone(),
            position,
        }
    }
}
