//! Who is typing (IRCv3 client tag `+typing`). On IRC it is said again and again while it lasts; the seam tells it once.

use std::time::{Duration, Instant};

use viaduct_bridge::{Level, Name, PersonEvent, Recipient, RoomEvent, Typing};

use crate::proto::line::Line;
use crate::proto::message::{Message, Source};

use super::relations::name_of;
use super::{Client, Now};

/// No notification to a target comes sooner than this after another.
const THROTTLE: Duration = Duration::from_secs(3);
/// How often `active` is said while it lasts: receivers forget it after six seconds.
const AGAIN: Duration = Duration::from_secs(5);
/// How long it lasts without another word of the user.
const LASTS: Duration = Duration::from_secs(30);
/// The most conversations in which the user types at a time.
const MOST: usize = 8;

/// The conversations in which the user is typing, or lately was.
#[derive(Default)]
pub(super) struct Typists(Vec<Conversation>);

struct Conversation {
    /// As it is written, and folded.
    name: Name,
    folded: Name,
    state: Typing,
    said: Instant,
    until: Instant,
}

impl Typists {
    /// When `active` is to be said again, or something can be forgotten.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(Conversation::due).min()
    }
}

impl Conversation {
    fn due(&self) -> Instant {
        match self.state {
            Typing::Active => (self.said + AGAIN).min(self.until),
            Typing::Paused | Typing::Done => self.said + THROTTLE,
        }
    }
}

impl Client {
    /// The user is typing, or no longer is.
    pub(super) fn typing(&mut self, now: Now, to: &Recipient, state: Typing) {
        if self.relations().typing < Level::Partial {
            return;
        }
        let name = name_of(to).clone();
        let folded = self.fold(&name);
        let until = now.at + LASTS;
        let known = self
            .modern
            .typists
            .0
            .iter_mut()
            .find(|known| known.folded == folded);
        let Some(known) = known else {
            if state == Typing::Active && self.modern.typists.0.len() < MOST {
                self.say_typing(now, &name, state);
                self.modern.typists.0.push(Conversation {
                    name,
                    folded,
                    state,
                    said: now.at,
                    until,
                });
            }
            return;
        };
        known.until = until;
        let changed = std::mem::replace(&mut known.state, state) != state;
        if changed && now.at >= known.said + THROTTLE {
            known.said = now.at;
            self.say_typing(now, &name, state);
        }
        // What comes too soon is left out. Receivers forget by themselves.
    }

    /// The user has said something: that ends the typing without a word.
    pub(super) fn typed(&mut self, folded: &str) {
        self.modern
            .typists
            .0
            .retain(|known| known.folded.as_str() != folded);
    }

    /// Says again what lasts, and forgets what is over.
    pub(super) fn typing_tick(&mut self, now: Now) {
        if self.modern.typists.0.is_empty() {
            return;
        }
        self.modern.typists.0.retain(|known| match known.state {
            Typing::Active => now.at < known.until,
            Typing::Paused | Typing::Done => now.at < known.said + THROTTLE,
        });
        let mut again = Vec::new();
        for known in &mut self.modern.typists.0 {
            if known.state == Typing::Active && now.at >= known.said + AGAIN {
                known.said = now.at;
                again.push(known.name.clone());
            }
        }
        for name in again {
            self.say_typing(now, &name, Typing::Active);
        }
    }

    /// Only while nothing of more worth waits, and as far as lines can be spared.
    fn say_typing(&mut self, now: Now, name: &str, state: Typing) {
        if self.is_online() && self.queue.is_empty() && self.pace.take_spare(now.at) {
            let word = match state {
                Typing::Active => "active",
                Typing::Paused => "paused",
                Typing::Done => "done",
            };
            let line = Line::command("TAGMSG").arg(name).with_client_tag("typing", word);
            self.urgent.push(line);
        }
    }

    /// Somebody else is typing, or no longer is.
    pub(super) fn on_typing(&mut self, now: Now, message: &Message<'_>, source: Source<'_>, target: &Name) {
        let word = message
            .tags
            .get("+typing")
            .or_else(|| message.tags.get("+draft/typing"));
        let state = match word.as_deref() {
            Some("active") => Typing::Active,
            Some("paused") => Typing::Paused,
            Some("done") => Typing::Done,
            _ => return,
        };
        let person = self.fold(source.nick);
        if person == self.me {
            return;
        }
        let in_room = RoomEvent::Typing {
            person: person.clone(),
            state,
        };
        self.tell_addressed(now, target, &person, in_room, PersonEvent::Typing(state));
    }
}
