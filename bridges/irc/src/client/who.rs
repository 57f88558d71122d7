//! Who is away in the rooms, and who has which account: asked by WHO (RFC 2812 §3.6.1; WHOX, <https://ircv3.net/specs/extensions/whox>), because
//! NAMES does not tell. Once after each room was entered; where the server does not tell of changes (IRCv3
//! away-notify), again from time to time.
//!
//! One question is out at a time, and only for rooms of moderate size: the answer has a line for each person. A room
//! is asked about less often the larger it is, so that it costs no more than one line in [`PER_PERSON`].

use std::time::{Duration, Instant};

use viaduct_bridge::{Name, PersonEvent};

use crate::proto::caps::Cap;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::rooms::{Room, State};
use super::{Client, Now};

/// Nobody asks about a room with more people.
const MOST_PEOPLE: usize = 300;
/// How long after a room was entered, and after the answer about another one, the next question waits: what the user
/// does goes first.
const SETTLE: Duration = Duration::from_secs(2);
/// How long after an answer a room may be asked about again.
const PAUSE: Duration = Duration::from_secs(20);
/// How often a room is asked about again, at most.
const AGAIN: Duration = Duration::from_secs(180);
/// What one person in a room adds to that.
const PER_PERSON: Duration = Duration::from_secs(6);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Marks our answers among those to WHOX.
const TOKEN: &str = "42";
/// The most people of whom it is remembered that they are away.
const MOST_AWAY: usize = 4096;

/// The question that is out, and when the next one is due.
#[derive(Default)]
pub(super) struct Who {
    /// The room that was asked about, how many people were told so far, and until when the answer may take.
    asked: Option<(Name, usize, Instant)>,
    /// When the rooms are to be looked through for the next question.
    next: Option<Instant>,
    /// Who is away, sorted by folded name, where the server does not tell of changes.
    away: Vec<Name>,
    /// The server has no such command.
    useless: bool,
}

/// What is planned for a room.
#[derive(Clone, Copy, Default)]
pub(super) struct Plan {
    /// When it is to be asked about.
    due: Option<Instant>,
    /// Whether it ever was.
    done: bool,
}

impl Who {
    /// When something is to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.asked {
            Some((_, _, until)) => Some(*until),
            None => self.next,
        }
    }

    /// Whether somebody is known to be away, where the server does not tell of changes.
    pub(super) fn knows_away(&self, person: &str) -> bool {
        self.find(person).is_ok()
    }

    fn find(&self, person: &str) -> Result<usize, usize> {
        self.away.binary_search_by(|name| name.as_str().cmp(person))
    }

    /// Somebody is away or not. Whether that is news.
    fn note(&mut self, person: &Name, away: bool) -> bool {
        match (self.find(person), away) {
            (Err(at), true) if self.away.len() < MOST_AWAY => {
                self.away.insert(at, person.clone());
                true
            }
            (Ok(at), false) => {
                self.away.remove(at);
                true
            }
            (Err(_), true) => true,
            (Ok(_), true) | (Err(_), false) => false,
        }
    }

    /// Somebody left the server, or has another name.
    pub(super) fn forget(&mut self, person: &str) -> bool {
        let found = self.find(person);
        if let Ok(at) = found {
            self.away.remove(at);
        }
        found.is_ok()
    }

    /// Somebody has another name.
    pub(super) fn rename(&mut self, from: &str, to: &Name) {
        if self.forget(from) {
            self.note(to, true);
        }
    }

    fn wake(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

impl Client {
    /// A room has been described: soon it is asked who is away there.
    pub(super) fn who_entered(&mut self, folded: &str, people: usize, now: Instant) {
        if people <= MOST_PEOPLE
            && !self.who.useless
            && let Some(room) = self.rooms.get_mut(folded)
        {
            room.who = Plan {
                due: Some(now + SETTLE),
                done: false,
            };
            self.who.wake(now + SETTLE);
        }
    }

    /// Somebody is away or back, as the server tells without being asked by WHO.
    pub(super) fn who_noted(&mut self, person: &Name, away: bool) {
        if !self.caps.has(Cap::AwayNotify) {
            self.who.note(person, away);
        }
    }

    /// Asks the question that is due, if one is.
    pub(super) fn who_tick(&mut self, now: Now) {
        let now = now.at;
        if let Some((_, _, until)) = &mut self.who.asked {
            if *until > now {
                return;
            }
            if !self.questions.is_empty() {
                // The question itself may still wait for its turn.
                *until = now + PATIENCE;
                return;
            }
            self.who_over(now);
        }
        if self.who.next.is_none_or(|next| next > now) {
            return;
        }
        self.who.next = None;
        let due = |room: &Room| {
            let asks = matches!(room.state, State::In) && !room.leaving;
            room.who.due.filter(|_| asks)
        };
        let rooms = self.rooms.all.iter();
        let first = rooms
            .filter_map(|(folded, room)| due(room).map(|at| (at, folded, room)))
            .min_by_key(|(at, folded, _)| (*at, *folded));
        match first {
            Some((at, ..)) if at > now => self.who.next = Some(at),
            // What else is asked about rooms goes first.
            Some(_) if !self.questions.is_empty() => self.who.next = Some(now + SETTLE),
            Some((_, folded, room)) => {
                let line = Line::command("WHO").arg(&room.id.room);
                let line = if self.isupport.whox {
                    line.arg(&format!("%tcnfa,{TOKEN}"))
                } else {
                    line
                };
                self.who.asked = Some((folded.clone(), 0, now + PATIENCE));
                self.questions.push_provoked(line);
            }
            None => {}
        }
    }

    /// One person of the answer: numeric 352, or 354 to WHOX. `H` is here, `G` is gone.
    pub(super) fn on_who(&mut self, code: u16, message: &Message<'_>) {
        let (nick, flags) = match code {
            354 if message.param(1) == TOKEN => (message.param(3), message.param(4)),
            352 => (message.param(5), message.param(6)),
            _ => return,
        };
        let Some((folded, count, _)) = &mut self.who.asked else {
            return;
        };
        *count += 1;
        let first = !self.rooms.all.get(&*folded).is_some_and(|room| room.who.done);
        let away = match flags.chars().next() {
            Some('G') => true,
            Some('H') => false,
            _ => return,
        };
        if self.is_me(nick) {
            return;
        }
        let person = self.fold(nick);
        if code == 354 && first {
            self.account_of_who(&person, message.params().get(5));
        }
        if first && self.isupport.bot.is_some_and(|bot| flags.contains(bot)) {
            self.tell_person(person.clone(), PersonEvent::Bot);
        }
        let news = if self.caps.has(Cap::AwayNotify) {
            away
        } else {
            self.who.note(&person, away) || away && first
        };
        if news {
            for snapshot in self.rooms.snapshots() {
                snapshot.away(&person, away);
            }
            // Why is not told here.
            let text = away.then(|| Name::from(""));
            self.tell_person(person, PersonEvent::Away { text });
        }
    }

    /// The end of the answer: numeric 315.
    pub(super) fn on_who_end(&mut self, now: Now) {
        self.who_over(now.at);
    }

    /// An error that answers the question. True if it was one.
    pub(super) fn who_refused(&mut self, now: Now, code: u16, message: &Message<'_>) -> bool {
        if self.who.asked.is_none() || !message.param(1).eq_ignore_ascii_case("WHO") {
            return false;
        }
        self.who.useless = code == 421;
        self.who_over(now.at);
        true
    }

    fn who_over(&mut self, now: Instant) {
        let Some((folded, people, _)) = self.who.asked.take() else {
            return;
        };
        let polls = !self.caps.has(Cap::AwayNotify) && !self.who.useless && people <= MOST_PEOPLE;
        if let Some(room) = self.rooms.get_mut(&folded) {
            let people = u32::try_from(people).unwrap_or(u32::MAX);
            let interval = AGAIN.max(PER_PERSON.saturating_mul(people));
            room.who = Plan {
                due: polls.then(|| now + interval),
                done: true,
            };
        }
        // Rooms that were never asked about follow soon, the others at leisure.
        let waits = |room: &Room| room.who.due.is_some();
        let fresh = |room: &Room| waits(room) && !room.who.done;
        self.who.next = if self.rooms.all.values().any(fresh) {
            Some(now + SETTLE)
        } else if self.rooms.all.values().any(waits) {
            Some(now + PAUSE)
        } else {
            None
        };
        if self.who.useless {
            self.who.next = None;
        }
    }
}
