//! The link to the XMPP server comes and goes, and confirms what it took.

use viaduct_bridge::{RoomId, Timestamp, TransactionId};

use super::Login;
use crate::effect::{Effects, Mark};
use crate::portal::Place;
use crate::records::Write;

impl Login {
    pub(super) fn link_up(&mut self, now: Timestamp, out: &mut Effects) {
        self.attached = true;
        if self.shut_out().is_some() {
            let rooms: Vec<RoomId> = self.rooms.keys().cloned().collect();
            for room in rooms {
                self.turn_out(&room, out);
            }
        }
        for room in self.rooms.values_mut() {
            match room.place {
                Place::Inside => {
                    room.resync(&self.ctx, out);
                    room.enter_again(&self.ctx, now, out);
                    room.admit(&self.ctx, now, out);
                }
                Place::Entering | Place::Outside => {}
            }
        }
        for chat in self.chats.values_mut() {
            chat.catch_up(&self.bare, out);
        }
        let failed: Vec<TransactionId> = self.failed.keys().copied().collect();
        for txn in failed {
            self.tell_failure(txn, out);
        }
        if self.rooms.values().any(|room| !room.is_unused()) {
            self.tell_aftermath(out);
        }
        self.say_warnings(out);
        self.look_for_user(out);
        self.show_contacts(out);
    }

    /// Says once that what was sent lately may be lost, if the process before this one ended without taking leave.
    pub(super) fn tell_aftermath(&mut self, out: &mut Effects) {
        let recent = self.ctx.aftermath.is_some_and(|until| self.now < until);
        if std::mem::take(&mut self.aftermath) && recent && self.shut_out().is_none() {
            let text = "The gateway stopped without warning and is back now. What you sent just before, and of which \
                        you do not see that it was delivered, may not have arrived.";
            self.say(text, out);
        }
    }

    pub(super) fn link_down(&mut self) {
        self.attached = false;
        for room in self.rooms.values_mut() {
            room.detach();
        }
        for chat in self.chats.values_mut() {
            chat.live = false;
        }
        self.forget_shown_contacts();
    }

    pub(super) fn confirmed(&mut self, marks: Vec<Mark>, out: &mut Effects) {
        let attached = self.attached;
        for mark in marks {
            match mark {
                Mark::Cursor {
                    portal,
                    resource,
                    position,
                } if resource.is_empty() => {
                    if let Some(chat) = self.chats.values_mut().find(|chat| chat.id == portal) {
                        chat.confirmed(&self.bare, position, attached, out);
                    }
                }
                Mark::Cursor {
                    portal,
                    resource,
                    position,
                } => {
                    if let Some(room) = self.rooms.values_mut().find(|room| room.id == portal) {
                        room.confirmed_cursor(&resource, position, attached, out);
                    }
                }
                Mark::Shown { portal, change } => {
                    if let Some(room) = self.rooms.values_mut().find(|room| room.id == portal) {
                        room.confirmed_change(change, out);
                    }
                }
                Mark::Entered { portal, resource } => {
                    if let Some(room) = self.rooms.values_mut().find(|room| room.id == portal) {
                        room.confirmed_entry(&resource);
                    }
                }
                Mark::Failure { txn } => {
                    if self.failed.remove(&txn).is_some() {
                        out.write(Write::Settled { login: self.id, txn });
                    }
                }
            }
        }
    }
}
