//! What the user has read (draft/read-marker, <https://ircv3.net/specs/extensions/read-marker>): MARKREAD tells it to the
//! user's other clients, and comes from them. Markers only go forward, and only the newest of a conversation counts.

use std::time::{Duration, Instant};

use viaduct_bridge::{Level, Name, Recipient, RoomEvent, Timestamp};

use crate::proto::line::Line;
use crate::proto::message::Message;
use crate::proto::time;

use super::relations::name_of;
use super::{Client, Now};

/// How long after a marker the next one of the same conversation waits: who reads on has the newer one then.
const PAUSE: Duration = Duration::from_secs(3);
/// The most conversations whose markers are remembered.
const MOST: usize = 500;

/// The conversations of which a marker is known.
#[derive(Default)]
pub(super) struct Marks(Vec<Mark>);

struct Mark {
    /// As it is written, and folded.
    name: Name,
    folded: Name,
    /// What the server knows.
    known: Option<Timestamp>,
    /// What it is to be told, and when.
    wanted: Option<Timestamp>,
    due: Option<Instant>,
}

impl Marks {
    /// When the server is to be told something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waiting = self.0.iter().filter(|mark| mark.wanted.is_some());
        waiting.filter_map(|mark| mark.due).min()
    }

    /// That of a conversation.
    fn of(&mut self, name: &Name, folded: Name) -> &mut Mark {
        let at = match self.0.iter().position(|mark| mark.folded == folded) {
            Some(at) => at,
            None => {
                if self.0.len() >= MOST {
                    // The oldest: at worst the server is told again what it knows.
                    self.0.remove(0);
                }
                self.0.push(Mark {
                    name: name.clone(),
                    folded,
                    known: None,
                    wanted: None,
                    due: None,
                });
                self.0.len() - 1
            }
        };
        &mut self.0[at]
    }
}

impl Client {
    /// The user has read a conversation up to here.
    pub(super) fn mark_read(&mut self, now: Now, to: &Recipient, upto: Timestamp) {
        if self.relations().read < Level::Partial {
            return;
        }
        // The server's times have no more than milliseconds.
        let upto = Timestamp(upto.0 - upto.0.rem_euclid(1000));
        let name = name_of(to).clone();
        let folded = self.fold(&name);
        let mark = self.modern.marks.of(&name, folded);
        if mark.known.max(mark.wanted) < Some(upto) {
            mark.wanted = Some(upto);
            mark.due.get_or_insert(now.at);
            self.read_tick(now);
        }
    }

    /// Tells what is due, while nothing of more worth waits and as far as lines can be spared.
    pub(super) fn read_tick(&mut self, now: Now) {
        if self.modern.marks.deadline().is_none_or(|due| due > now.at) {
            return;
        }
        let may_speak = self.is_online() && self.queue.is_empty();
        for mark in &mut self.modern.marks.0 {
            let Some(upto) = mark.wanted.filter(|_| mark.due.is_some_and(|due| due <= now.at)) else {
                continue;
            };
            mark.due = Some(now.at + PAUSE);
            if may_speak && self.pace.take_spare(now.at) {
                mark.known = mark.wanted.take();
                let stamp = format!("timestamp={}", time::format_millis(upto));
                self.urgent
                    .push(Line::command("MARKREAD").arg(&mark.name).arg(&stamp));
            }
        }
    }

    /// MARKREAD: what the server knows, after JOIN and whenever a client of the user has told it something new.
    pub(super) fn on_mark_read(&mut self, now: Now, message: &Message<'_>) {
        let stamp = message.param(1).strip_prefix("timestamp=");
        let Some(upto) = stamp.and_then(time::parse_server_time) else {
            return;
        };
        let name = Name::from(message.param(0));
        let folded = self.fold(&name);
        let is_room = self.isupport.is_channel(&folded);
        if is_room && self.rooms.get_mut(&folded).is_none() {
            return;
        }
        let mark = self.modern.marks.of(&name, folded.clone());
        if mark.known >= Some(upto) {
            return;
        }
        mark.known = Some(upto);
        mark.wanted.take_if(|wanted| *wanted <= upto);
        // What the user has read of a direct chat only the user's own server could show to the user's clients.
        if is_room {
            self.tell_in_room(now, &folded, RoomEvent::Read { upto });
        }
    }
}
