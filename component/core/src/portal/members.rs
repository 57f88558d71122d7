//! What the network tells about who is in the room and what they may do.

use viaduct_bridge::{Departure, Member, Name, Rank, RoomFlags, Timestamp, Topic};

use super::occupants::{Occupant, Occupants};
use super::presence::{Parting, status};
use super::{Place, Room};
use crate::context::Context;
use crate::effect::Effects;

impl Room {
    /// The user is in: everything as it is now.
    pub fn arrived(
        &mut self,
        ctx: &Context,
        now: Timestamp,
        snapshot: (Name, &[Member], Option<Topic>, RoomFlags),
        attached: bool,
        out: &mut Effects,
    ) {
        let (me, members, topic, flags) = snapshot;
        if !self.joined.is_empty() {
            self.fall_out_of_step();
        }
        let before = self.shown.clone().unwrap_or_default();
        self.place = Place::Inside;
        self.told_upto = self.last_at;
        self.unseen = false;
        self.refusals = 0;
        if self.chosen.persistent && self.recorded {
            self.keep(out);
        }
        self.me = me;
        self.occupants = Occupants::of(members, &before);
        self.flags = flags;
        // A topic that is told without a time is the one that is known, if its text is the same.
        let same = |old: &Topic, new: &Topic| old.text == new.text && new.at.is_none();
        let changed = match (&self.topic, &topic) {
            (Some(old), Some(new)) => old.text != new.text,
            (None, None) => false,
            (Some(old), None) => !old.text.is_empty(),
            (None, Some(_)) => true,
        };
        if !matches!((&self.topic, &topic), (Some(old), Some(new)) if same(old, new)) {
            self.topic = topic;
        }
        self.topic_stale |= changed;
        if attached && !self.joined.is_empty() {
            self.resync(ctx, out);
        }
        if attached {
            self.admit(ctx, now, out);
        }
    }

    /// Somebody came.
    pub fn member_joined(&mut self, ctx: &Context, member: &Member, out: &mut Effects) {
        self.occupants.insert(member.person.clone(), Occupant::of(member));
        if self.is_in_step() {
            self.show(ctx, &member.person, &[], out);
        }
    }

    /// Somebody else left.
    pub fn member_left(
        &mut self,
        ctx: &Context,
        person: &Name,
        how: &Departure,
        reason: Option<Name>,
        out: &mut Effects,
    ) {
        self.typed(person);
        let Some(occupant) = self.occupants.remove(person) else {
            return;
        };
        if !self.is_in_step() {
            return;
        }
        let (codes, actor) = match how {
            Departure::Left | Departure::Lost => (vec![], None),
            Departure::Kicked { by } => (vec![status::KICKED], by.clone()),
            Departure::Banned { by } => (vec![status::BANNED], by.clone()),
        };
        self.show_gone(
            ctx,
            person,
            &occupant,
            &Parting {
                codes,
                reason,
                actor,
                new_nick: None,
            },
            out,
        );
    }

    /// What somebody may do changed.
    pub fn rank_changed(
        &mut self,
        ctx: &Context,
        person: &Name,
        grant: Rank,
        revoke: Rank,
        out: &mut Effects,
    ) {
        let Some(occupant) = self.occupants.get_mut(person) else {
            return;
        };
        let rank = occupant.rank.without(revoke).with(grant);
        if rank == occupant.rank {
            return;
        }
        occupant.rank = rank;
        if self.is_in_step() {
            self.show(ctx, person, &[], out);
        }
    }

    /// Somebody is away, or back.
    pub fn away_changed(&mut self, ctx: &Context, person: &Name, away: Option<Name>, out: &mut Effects) {
        let Some(occupant) = self.occupants.get_mut(person) else {
            return;
        };
        // Who is away without a word why may be away with the word that is known.
        let known = occupant.away.is_some() && away.as_deref() == Some("");
        if known || occupant.away == away {
            return;
        }
        occupant.away = away;
        if self.is_in_step() {
            self.show(ctx, person, &[], out);
        }
    }

    /// Somebody is a program.
    pub fn is_bot(&mut self, ctx: &Context, person: &Name, out: &mut Effects) {
        let Some(occupant) = self.occupants.get_mut(person) else {
            return;
        };
        if !std::mem::replace(&mut occupant.bot, true) && self.is_in_step() {
            self.show(ctx, person, &[], out);
        }
    }

    /// The network tells to which account somebody is logged in. Who they are changes with that, so it is shown.
    pub fn account_told(&mut self, ctx: &Context, person: &Name, account: Option<Name>, out: &mut Effects) {
        let Some(occupant) = self.occupants.get_mut(person) else {
            return;
        };
        if occupant.account == account {
            return;
        }
        occupant.account = account;
        if self.is_in_step() {
            self.show(ctx, person, &[], out);
        }
    }

    /// The room itself changed. In a room that becomes moderated, those without voice become visitors.
    pub fn flags_changed(&mut self, ctx: &Context, flags: RoomFlags, out: &mut Effects) {
        let before = std::mem::replace(&mut self.flags, flags);
        if before == flags {
            return;
        }
        if before.moderated != flags.moderated && self.is_in_step() {
            let changed: Vec<Name> = self
                .occupants
                .iter()
                .filter(|(_, occupant)| occupant.role(before.moderated) != occupant.role(flags.moderated))
                .map(|(person, _)| person.clone())
                .collect();
            for person in changed {
                self.show(ctx, &person, &[], out);
            }
        }
        if self.is_in_step() {
            self.announce_configuration(out);
        }
    }
}
