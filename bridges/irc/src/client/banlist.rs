//! The list of bans of a channel (RPL_BANLIST), read for a question, or to lift the ban of somebody.

use viaduct_bridge::{Ban, Name};

use crate::proto::message::Message;

use super::bans::{MOST_LIFTED, mask_hits};
use super::book::PartId;
use super::pending::What;
use super::{Client, Now};

/// The most bans of a list that is shown.
const MOST_SHOWN: usize = 1000;

impl Client {
    /// RPL_BANLIST: `#channel mask by at`.
    pub(super) fn on_ban_listed(&mut self, now: Now, message: &Message<'_>) {
        let (room, mask) = (self.fold(message.param(1)), message.param(2));
        let unban = self.unban_of(&room);
        if self.asks.bans(&room, unban, now.at).is_some() {
            let person = self.banned_person(&room, mask);
            if let Some(bans) = self.asks.bans(&room, unban, now.at)
                && bans.len() < MOST_SHOWN
            {
                bans.push(Ban {
                    mask: mask.into(),
                    person,
                });
            }
            return;
        }
        let Some((seq, _)) = unban else {
            return;
        };
        let Self {
            book,
            people,
            own_bans,
            ..
        } = self;
        let Some(pending) = book.get_mut(seq) else {
            return;
        };
        let person = pending.person.clone().unwrap_or_else(|| Name::from(""));
        if let What::Unban { masks, .. } = &mut pending.what
            && masks.len() < MOST_LIFTED
            && (own_bans.person(&room, mask).is_some_and(|own| *own == person)
                || mask_hits(mask, &person, people.userhost(&person)))
        {
            masks.push(mask.to_owned());
        }
    }

    /// RPL_ENDOFBANLIST.
    pub(super) fn on_ban_list_end(&mut self, message: &Message<'_>) {
        let room = self.fold(message.param(1));
        let unban = self.unban_of(&room);
        if let Some((txn, bans)) = self.asks.take_bans(&room, unban) {
            self.answered(txn, viaduct_bridge::Reply::Bans(bans));
        } else if let Some((seq, _)) = unban {
            self.lift(seq);
        }
    }

    fn unban_of(&self, room: &str) -> Option<PartId> {
        self.book
            .oldest(|p| p.target.as_str() == room && matches!(p.what, What::Unban { listing: true, .. }))
    }

    /// The one person whom a mask bans: it names a nickname and nothing else, it was set for them here, or it is of
    /// the host of somebody who was seen lately.
    fn banned_person(&self, room: &str, mask: &str) -> Option<Name> {
        if let Some(person) = self.own_bans.person(room, mask) {
            return Some(person.clone());
        }
        let (nick, rest) = mask.split_once('!')?;
        let is_open = |text: &str| text.bytes().all(|b| matches!(b, b'*' | b'@'));
        if is_open(rest) && !nick.is_empty() && !nick.contains(['*', '?']) {
            return Some(self.fold(nick));
        }
        let host = mask.strip_prefix("*!*@")?;
        self.people.at_host(host).cloned()
    }
}
