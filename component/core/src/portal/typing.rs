//! Who is typing in a room (XEP-0085 §5.5). It is shown to who is there now, has a deadline, and is never archived or
//! replayed.

use std::time::Duration;

use viaduct_bridge::{Name, Timestamp, Typing};

use super::Room;
use crate::effect::{Effect, Effects, Timer};
use crate::ns;
use crate::xml::Xml;

/// The most people in a room in which typing is shown: beyond that, somebody always types.
const MOST_OCCUPANTS: usize = 300;
/// The most people who are shown typing at a time.
const MOST_TYPISTS: usize = 32;

/// How long a state is believed in (IRCv3 `+typing`; the user's own network may forget earlier).
#[must_use]
pub fn lasts(state: Typing) -> Duration {
    match state {
        Typing::Active => Duration::from_secs(6),
        Typing::Paused => Duration::from_secs(30),
        Typing::Done => Duration::ZERO,
    }
}

/// The chat state (XEP-0085) of somebody who is typing or not.
#[must_use]
pub fn chat_state(state: Typing) -> &'static str {
    match state {
        Typing::Active => "composing",
        Typing::Paused => "paused",
        Typing::Done => "active",
    }
}

/// The moment so much later.
#[must_use]
pub fn after(now: Timestamp, time: Duration) -> Timestamp {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(micros))
}

/// The time until a moment.
#[must_use]
pub fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(then.0.saturating_sub(now.0)).unwrap_or(0))
}

impl Room {
    /// Somebody is typing, or no longer is.
    pub fn typing(&mut self, now: Timestamp, person: &Name, state: Typing, out: &mut Effects) {
        if *person == self.me || self.occupants.len() > MOST_OCCUPANTS || self.occupants.get(person).is_none()
        {
            return;
        }
        let then = after(now, lasts(state));
        let known = self.typists.iter().position(|(name, ..)| name == person);
        let shown = known.map(|at| self.typists[at].1);
        match (known, state) {
            (Some(at), Typing::Done) => {
                self.typists.swap_remove(at);
            }
            (Some(at), _) => (self.typists[at].1, self.typists[at].2) = (state, then),
            (None, Typing::Done) => return,
            (None, _) if self.typists.len() >= MOST_TYPISTS => return,
            (None, _) => self.typists.push((person.clone(), state, then)),
        }
        if shown != Some(state) {
            self.show_typing(person, state, out);
        }
        self.await_typists(now, out);
    }

    /// Somebody has said something or is gone: nobody needs to be told that they stopped typing.
    pub fn typed(&mut self, person: &Name) {
        if !self.typists.is_empty() {
            self.typists.retain(|(name, ..)| name != person);
        }
    }

    /// Those who have not been heard of in time have stopped.
    pub fn typing_over(&mut self, now: Timestamp, out: &mut Effects) {
        let over = |(_, _, then): &&(Name, Typing, Timestamp)| *then <= now;
        let gone: Vec<Name> = self
            .typists
            .iter()
            .filter(over)
            .map(|(name, ..)| name.clone())
            .collect();
        for person in gone {
            self.typed(&person);
            self.show_typing(&person, Typing::Done, out);
        }
        self.await_typists(now, out);
    }

    fn await_typists(&self, now: Timestamp, out: &mut Effects) {
        if let Some(first) = self.typists.iter().map(|(_, _, then)| *then).min() {
            out.push(Effect::SetTimer {
                timer: Timer::Typing(self.id),
                after: until(now, first),
            });
        }
    }

    fn show_typing(&self, person: &Name, state: Typing, out: &mut Effects) {
        let Some(occupant) = self.occupants.get(person).filter(|_| self.is_in_step()) else {
            return;
        };
        let from = self.occupant_jid(&occupant.nick);
        for joined in self.joined.iter().filter(|joined| joined.live) {
            let mut xml = Xml::stanza("message", &from, &joined.jid);
            xml.attr("type", "groupchat")
                .empty(chat_state(state), ns::CHAT_STATES)
                .empty("no-store", ns::HINTS);
            out.send(xml.finish());
        }
    }
}
