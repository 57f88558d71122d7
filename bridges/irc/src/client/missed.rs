//! What was said in a channel while the user was not there (draft/chathistory, batch type `chathistory`).
//!
//! It is fetched when the user has entered, page by page from the newest message that is known, while what is said
//! meanwhile is held; the room is described when the last page is there. What overlaps is asked for on purpose: clocks
//! are never quite right, and what is known already is recognised by its id, above the seam.

use std::collections::HashSet;

use viaduct_bridge::{Content, Message as Said, MessageId, MessageKind, Name, Relation, Timestamp};

use crate::proto::caps::Cap;
use crate::proto::ctcp::Ctcp;
use crate::proto::line::Line;
use crate::proto::message::Message;
use crate::proto::{format, time};

use super::messages::message_time;
use super::relations::{message_id, reply_of};
use super::{Client, Now, is_sane};

/// The most messages that are asked for at a time.
const PAGE: usize = 100;
/// The most pages for one channel.
const MOST_PAGES: usize = 50;
/// How far back what is known is asked for again, in microseconds.
const OVERLAP: i64 = 60_000_000;
/// The most batches that are open at a time.
const MOST_OPEN: usize = 16;

/// What is being fetched for one channel.
pub(super) struct Missed {
    /// The newest time that is known; `None` where nothing is.
    since: Option<Timestamp>,
    found: Vec<Said>,
    /// How many messages the present page has, and how many were asked for.
    on_page: usize,
    asked: usize,
    pages: usize,
}

/// A batch that is open: its reference, and the folded channel.
pub(super) type OpenPage = (Box<str>, Name);

impl Missed {
    pub(super) fn new(since: Option<Timestamp>) -> Self {
        Self {
            since,
            found: Vec::new(),
            on_page: 0,
            asked: 0,
            pages: 0,
        }
    }

    fn add(&mut self, said: Said) {
        self.on_page += 1;
        // Without an id nothing but the time can tell whether it is known.
        let known = said.ids.is_empty() && self.since.is_some_and(|since| said.at <= since);
        let again = said.ids.first().is_some_and(|id| {
            // A server that repeats itself does so at once.
            self.found
                .iter()
                .rev()
                .take(PAGE)
                .any(|other| other.ids.contains(id))
        });
        if !known && !again {
            self.found.push(said);
        }
    }

    fn take_back(&mut self, id: &MessageId) {
        self.found.retain(|said| !said.ids.contains(id));
    }

    /// What was found, without what was also heard meanwhile.
    pub(super) fn without<'a>(self, heard: impl Iterator<Item = &'a Said>) -> Vec<Said> {
        let (mut ids, mut nameless) = (HashSet::new(), HashSet::new());
        for said in heard {
            ids.extend(said.ids.iter());
            if said.ids.is_empty() {
                nameless.insert((said.at, &said.sender, &said.content));
            }
        }
        let was_heard = |said: &Said| {
            let nameless = || nameless.contains(&(said.at, &said.sender, &said.content));
            said.ids.iter().any(|id| ids.contains(id)) || said.ids.is_empty() && nameless()
        };
        let mut found = self.found;
        found.retain(|said| !was_heard(said));
        found
    }
}

impl Client {
    /// Whether the server keeps what was said.
    fn keeps_history(&self) -> bool {
        [Cap::ChatHistory, Cap::Batch, Cap::ServerTime, Cap::MessageTags]
            .into_iter()
            .all(|cap| self.caps.has(cap))
    }

    /// Begins to fetch what was missed in a channel that was just entered.
    pub(super) fn fetch_missed(&mut self, folded: &str) {
        if !self.keeps_history() {
            return;
        }
        if let Some(room) = self.rooms.get_mut(folded) {
            let since = room.newest;
            if let Some(snapshot) = room.snapshot() {
                snapshot.missed = Some(Missed::new(since));
            }
        }
        self.ask_page(folded);
    }

    /// Asks for the next page.
    fn ask_page(&mut self, folded: &str) {
        let most = match self.isupport.chat_history {
            Some(0) | None => PAGE,
            Some(most) => most.min(PAGE),
        };
        let (by_time, by_id) = (
            self.isupport.refers_by("timestamp"),
            self.isupport.refers_by("msgid"),
        );
        let Some(room) = self.rooms.get_mut(folded) else {
            return;
        };
        let name = room.id.room.clone();
        let Some(missed) = room.snapshot().and_then(|snapshot| snapshot.missed.as_mut()) else {
            return;
        };
        missed.pages += 1;
        missed.on_page = 0;
        missed.asked = most;
        let stamp = |at: Timestamp| format!("timestamp={}", time::format_millis(at));
        let last = missed.found.last().filter(|_| missed.pages > 1);
        let after = match last {
            Some(last) => match last.ids.first().filter(|_| by_id) {
                Some(id) => Some(format!("msgid={}", id.0)),
                None => by_time.then(|| stamp(last.at)),
            },
            None => missed
                .since
                .filter(|_| by_time)
                .map(|since| stamp(Timestamp(since.0.saturating_sub(OVERLAP)))),
        };
        let line = Line::command("CHATHISTORY");
        let line = match &after {
            Some(after) => line.arg("AFTER").arg(&name).arg(after),
            None => line.arg("LATEST").arg(&name).arg("*"),
        };
        if after.is_none() {
            // The newest page is all that can be asked for.
            missed.pages = MOST_PAGES;
        }
        self.questions.push_provoked(line.arg(&most.to_string()));
    }

    /// BATCH of the type `chathistory`. True if it was one.
    pub(super) fn on_history_batch(&mut self, now: Now, message: &Message<'_>) -> bool {
        let reference = message.param(0);
        if let Some(opened) = reference.strip_prefix('+') {
            if message.param(1) != "chathistory" {
                return false;
            }
            let folded = self.fold(message.param(2));
            if self.modern.pages.len() < MOST_OPEN {
                self.modern.pages.push((opened.into(), folded));
            }
            return true;
        }
        let closed = reference.strip_prefix('-');
        let Some(at) =
            closed.and_then(|closed| self.modern.pages.iter().position(|(open, _)| **open == *closed))
        else {
            return false;
        };
        let (_, folded) = self.modern.pages.swap_remove(at);
        let more = self.rooms.get_mut(&folded).and_then(|room| {
            let missed = room.snapshot()?.missed.as_ref()?;
            Some(missed.on_page >= missed.asked && missed.pages < MOST_PAGES && !missed.found.is_empty())
        });
        match more {
            Some(true) => self.ask_page(&folded),
            Some(false) => self.missed_done(now, &folded),
            None => {}
        }
        true
    }

    /// A line within such a batch. True if it was one: it happened long ago, and must not be taken for news.
    pub(super) fn on_history_line(&mut self, now: Now, message: &Message<'_>) -> bool {
        if self.modern.pages.is_empty() {
            return false;
        }
        let Some(batch) = message.tags.get("batch") else {
            return false;
        };
        let Some(folded) = self
            .modern
            .pages
            .iter()
            .find(|(open, _)| **open == *batch)
            .map(|(_, folded)| folded.clone())
        else {
            return false;
        };
        let said = match message.command {
            "PRIVMSG" => self.read_missed(now, message, MessageKind::Text),
            "NOTICE" => self.read_missed(now, message, MessageKind::Notice),
            _ => None,
        };
        let snapshot = self.rooms.get_mut(&folded).and_then(|room| room.snapshot());
        let Some(snapshot) = snapshot else { return true };
        snapshot.wait_longer(now.at);
        if let Some(missed) = &mut snapshot.missed {
            match (said, message.command) {
                (Some(said), _) => missed.add(said),
                (None, "REDACT") => {
                    if let Some(id) = message_id(message.param(1)) {
                        missed.take_back(&id);
                    }
                }
                // It counts for the length of the page, whatever it was.
                (None, _) => missed.on_page += 1,
            }
        }
        true
    }

    fn read_missed(&mut self, now: Now, message: &Message<'_>, kind: MessageKind) -> Option<Said> {
        let (source, text) = (message.source?, message.params().get(1)?);
        if !is_sane(source.nick) {
            return None;
        }
        let (kind, body) = match Ctcp::parse(text) {
            Some(ctcp) if ctcp.is_action() => (MessageKind::Emote, ctcp.text),
            Some(_) => return None,
            None => (kind, *text),
        };
        let (nick, sender) = self.people.names(source, self.isupport.casemapping);
        if sender == self.me && !self.caps.has(Cap::EchoMessage) {
            // Without echoes what the user said here has no id, and would come twice.
            return None;
        }
        let id = message.tags.get("msgid").and_then(|id| message_id(&id));
        Some(Said {
            ids: id.into_iter().collect(),
            txn: None,
            sender,
            nick,
            at: message_time(now, message),
            content: Content {
                kind,
                text: format::to_text(body),
            },
            relation: reply_of(message).map(Relation::Reply),
            missed: true,
        })
    }

    /// FAIL CHATHISTORY: there is nothing to be had.
    pub(super) fn history_failed(&mut self, now: Now, message: &Message<'_>) {
        let named = message.params().iter().skip(2).map(|name| self.fold(name));
        for folded in named.collect::<Vec<_>>() {
            self.missed_done(now, &folded);
        }
    }

    /// All pages are there.
    fn missed_done(&mut self, now: Now, folded: &str) {
        let snapshot = self.rooms.get_mut(folded).and_then(|room| room.snapshot());
        if let Some(snapshot) = snapshot {
            snapshot.missed_done();
            self.describe(folded, now);
        }
    }
}
