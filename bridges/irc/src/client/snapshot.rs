//! A channel as it is, while the answers that describe it come in (numerics 324, 332, 333, 353, 366). Afterwards the
//! core has it and the bridge forgets it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use viaduct_bridge::{Member, Message, Name, Rank, RemoteEvent, RoomEvent, RoomFlags, Timestamp, Topic};

use crate::proto::casemap::Casemapping;
use crate::proto::isupport::Isupport;

use super::missed::Missed;
use super::{MODES_PATIENCE, is_sane};

/// How long the next part of the answers is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most messages that wait for the snapshot.
const MOST_HELD: usize = 500;

/// What is known so far.
pub(super) struct Snapshot {
    members: Vec<Member>,
    topic: Option<Topic>,
    names_done: bool,
    modes_done: bool,
    deadline: Instant,
    /// What was said meanwhile: nothing comes before [`RoomEvent::Joined`].
    held: Vec<RemoteEvent>,
    /// What was said while the user was not there, where that is being fetched.
    pub(super) missed: Option<Missed>,
    missed_done: bool,
}

impl Snapshot {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            members: Vec::new(),
            topic: None,
            names_done: false,
            modes_done: false,
            deadline: now + PATIENCE,
            held: Vec::new(),
            missed: None,
            missed_done: false,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many people are in it so far.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Keeps something that was said meanwhile. True if no more can be kept.
    pub(super) fn hold(&mut self, event: RemoteEvent) -> bool {
        self.held.push(event);
        self.held.len() >= MOST_HELD
    }

    /// Whether all answers are there, or the rest is not worth waiting for.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        let fetched = self.missed.is_none() || self.missed_done;
        self.names_done && self.modes_done && fetched || now >= self.deadline || self.held.len() >= MOST_HELD
    }

    /// Numeric 353.
    pub(super) fn names(&mut self, list: &str, isupport: &Isupport, now: Instant) {
        self.deadline = now + PATIENCE;
        for entry in list.split_ascii_whitespace() {
            let mut rank = Rank::NONE;
            let mut rest = entry;
            while let Some(sign) = rest.chars().next()
                && let Some(given) = isupport.rank_of_sign(sign)
            {
                rank = rank.with(given);
                rest = &rest[sign.len_utf8()..];
            }
            let nick = rest.split('!').next().unwrap_or(rest);
            if is_sane(nick) {
                self.members.push(member(nick, rank, isupport.casemapping));
            }
        }
    }

    /// Numeric 366.
    pub(super) fn names_end(&mut self, now: Instant) {
        self.names_done = true;
        if !self.modes_done && self.missed.is_none() {
            self.deadline = now + MODES_PATIENCE;
        }
    }

    /// Numeric 324, or an error instead of it.
    pub(super) fn modes_end(&mut self) {
        self.modes_done = true;
    }

    /// More of the answers came, and more is to come.
    pub(super) fn wait_longer(&mut self, now: Instant) {
        self.deadline = now + PATIENCE;
    }

    /// What was missed is there.
    pub(super) fn missed_done(&mut self) {
        self.missed_done = true;
    }

    /// Whether the answer to MODE is still to come.
    pub(super) fn awaits_modes(&self) -> bool {
        !self.modes_done
    }

    /// Numerics 331 and 332, and TOPIC.
    pub(super) fn topic(&mut self, topic: Option<Topic>) {
        self.topic = topic;
    }

    /// Numeric 333.
    pub(super) fn topic_by(&mut self, by: &str, at: Option<Timestamp>) {
        if let Some(topic) = &mut self.topic {
            let nick = by.split('!').next().unwrap_or(by);
            topic.by = Some(Name::from(nick));
            topic.at = at;
        }
    }

    /// Somebody came.
    pub(super) fn add(&mut self, new: Member) {
        self.remove(&new.person);
        self.members.push(new);
    }

    /// Somebody left.
    pub(super) fn remove(&mut self, person: &str) {
        self.members.retain(|m| m.person.as_str() != person);
    }

    /// Somebody has a new name.
    pub(super) fn rename(&mut self, person: &str, to: &Name, nick: &Name) {
        if let Some(member) = self.find(person) {
            member.person = to.clone();
            member.nick = nick.clone();
        }
    }

    /// Somebody has a new rank.
    pub(super) fn rank(&mut self, person: &str, grant: Rank, revoke: Rank) {
        if let Some(member) = self.find(person) {
            member.rank = member.rank.with(grant).without(revoke);
        }
    }

    /// Somebody is away, or back.
    pub(super) fn away(&mut self, person: &str, away: bool) {
        if let Some(member) = self.find(person) {
            member.away = away;
        }
    }

    /// Somebody's account is told.
    pub(super) fn account(&mut self, person: &str, account: Option<&Name>) {
        if let Some(member) = self.find(person) {
            member.account = account.cloned();
        }
    }

    fn find(&mut self, person: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.person.as_str() == person)
    }

    /// The event, what was said before it, and what waited for it. The user is one of the members even where the server hides them.
    pub(super) fn finish(
        mut self,
        me: &Name,
        nick: &Name,
        flags: RoomFlags,
        is_away: impl Fn(&str) -> bool,
    ) -> (RoomEvent, Vec<Message>, Vec<RemoteEvent>) {
        let mut seen: HashSet<Name> = HashSet::with_capacity(self.members.len());
        self.members.retain(|m| seen.insert(m.person.clone()));
        for member in &mut self.members {
            member.away |= is_away(&member.person);
        }
        if !seen.contains(me) {
            self.members.push(Member {
                person: me.clone(),
                nick: nick.clone(),
                rank: Rank::NONE,
                away: false,
                account: None,
            });
        }
        let joined = RoomEvent::Joined {
            me: me.clone(),
            members: self.members,
            topic: self.topic,
            flags,
        };
        let missed = self
            .missed
            .map(|missed| missed.without(self.held.iter().filter_map(said)));
        (joined, missed.unwrap_or_default(), self.held)
    }
}

/// The message in an event, if it is one.
pub(super) fn said(event: &RemoteEvent) -> Option<&Message> {
    match event {
        RemoteEvent::Room {
            event: RoomEvent::Message(message),
            ..
        } => Some(message),
        _ => None,
    }
}

/// Somebody, by the name that the server writes.
pub(super) fn member(nick: &str, rank: Rank, fold: Casemapping) -> Member {
    let nick = Name::from(nick);
    Member {
        person: fold.fold_name(&nick),
        nick,
        rank,
        away: false,
        account: None,
    }
}
