//! Questions: what the user asks of the server or of somebody on it, and what comes back.
//!
//! LIST is RFC 2812 §3.2.6. Its answer comes line by line between all other lines and takes as long as the server
//! makes it take; it is collected here and told in one piece. Servers that announce SAFELIST pace it themselves, the
//! others send it at once. Filters (ELIST) are not used: the whole list serves every later page and search.
//!
//! Every question has a time by which it is answered or given up.

use std::time::{Duration, Instant};

use viaduct_bridge::{
    Failure, ListedRoom, Outcome, Question, Refusal, RemoteEvent, Reply, RoomList, ServerId, TransactionId,
};

use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::pending::outcome;
use super::queue::Queued;
use super::{Client, Now, refusal};

/// The most questions that are open at a time.
const MOST: usize = 16;
/// How long the next line of a list of channels is waited for: servers at their limit send it in bursts.
const LIST_PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole answer may take.
const MOST_TIME: Duration = Duration::from_secs(600);

/// The questions that are open, oldest first.
#[derive(Default)]
pub(super) struct Asks(Vec<Ask>);

/// One question.
struct Ask {
    txn: TransactionId,
    /// What has come of the answer so far.
    so_far: SoFar,
    /// When it is given up if nothing more comes, and whatever comes.
    until: Instant,
    at_last: Instant,
}

/// As much of an answer as has come.
enum SoFar {
    Rooms(Box<RoomList>),
}

impl Asks {
    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|ask| ask.until).min()
    }

    /// Gives up what has waited too long.
    pub(super) fn expire(&mut self, server: &ServerId, now: Instant, events: &mut Vec<RemoteEvent>) {
        if self.deadline().is_some_and(|first| first <= now) {
            let late = Failure::transient(format!("{server} did not answer in time."));
            self.fail(|ask| ask.until <= now, &late, events);
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self, server: &ServerId, events: &mut Vec<RemoteEvent>) {
        let lost = Failure::transient(format!("The connection to {server} was lost before it answered."));
        self.fail(|_| true, &lost, events);
    }

    fn fail(&mut self, which: impl Fn(&Ask) -> bool, failure: &Failure, events: &mut Vec<RemoteEvent>) {
        let (over, open) = std::mem::take(&mut self.0).into_iter().partition(which);
        self.0 = open;
        let over: Vec<Ask> = over;
        events.extend(
            over.into_iter()
                .map(|ask| outcome(ask.txn, Outcome::Failed(failure.clone()))),
        );
    }

    /// The oldest question of a kind.
    fn oldest(&mut self, is: impl Fn(&SoFar) -> bool) -> Option<&mut Ask> {
        self.0.iter_mut().find(|ask| is(&ask.so_far))
    }

    /// Takes out the oldest question of a kind, which has been answered.
    fn take(&mut self, is: impl Fn(&SoFar) -> bool) -> Option<Ask> {
        let at = self.0.iter().position(|ask| is(&ask.so_far))?;
        Some(self.0.remove(at))
    }
}

impl Ask {
    /// Something of the answer has come.
    fn more_came(&mut self, now: Instant, patience: Duration) {
        self.until = self.at_last.min(now + patience);
    }
}

impl SoFar {
    fn is_rooms(&self) -> bool {
        matches!(self, Self::Rooms(_))
    }
}

impl Client {
    /// Asks the server something.
    pub(super) fn ask(&mut self, now: Now, txn: TransactionId, question: Question) {
        if self.asks.0.len() >= MOST {
            let words = format!("{} has not answered your last questions yet.", self.server);
            self.events.push(outcome(
                txn,
                Outcome::Failed(Failure::refused(Refusal::Throttled, words)),
            ));
            return;
        }
        let (so_far, patience) = match question {
            Question::Rooms(_) => {
                self.questions.push(Queued::Line(Line::command("LIST")));
                (SoFar::Rooms(Box::default()), LIST_PATIENCE)
            }
        };
        let waits = self.pace.wait_for(self.queue.len() + self.questions.len());
        self.asks.0.push(Ask {
            txn,
            so_far,
            until: now.at + waits + patience,
            at_last: now.at + waits + MOST_TIME,
        });
    }

    /// RPL_LIST: `#channel count :topic`.
    pub(super) fn on_listed(&mut self, now: Now, message: &Message<'_>) {
        let name = message.param(1);
        let Some(ask) = self.asks.oldest(SoFar::is_rooms) else {
            return;
        };
        ask.more_came(now.at, LIST_PATIENCE);
        let SoFar::Rooms(rooms) = &mut ask.so_far;
        // Some servers count channels that they do not show, under the name of a star.
        if !self.isupport.is_channel(name) {
            return;
        }
        self.isupport.casemapping.fold_into(name, &mut self.folded);
        let subject = format::to_text(without_modes(message.param(3))).plain;
        rooms.push(ListedRoom {
            name: &self.folded,
            shown: name,
            people: message.param(2).parse().unwrap_or(0),
            subject: &subject,
        });
    }

    /// RPL_LISTEND.
    pub(super) fn on_list_end(&mut self) {
        let Some(ask) = self.asks.take(SoFar::is_rooms) else {
            return;
        };
        let SoFar::Rooms(mut rooms) = ask.so_far;
        rooms.finish();
        self.answered(ask.txn, Reply::Rooms(*rooms));
    }

    fn answered(&mut self, txn: TransactionId, reply: Reply) {
        self.events.push(outcome(txn, Outcome::Answered(Box::new(reply))));
    }

    /// An error that answers a question. False if it is about something else.
    pub(super) fn question_refused(&mut self, code: u16, message: &Message<'_>) -> bool {
        if self.asks.0.is_empty() || self.label.is_some() {
            return false;
        }
        let verb = message.param(1);
        let about = |so_far: &SoFar| match so_far {
            SoFar::Rooms(_) => verb.eq_ignore_ascii_case("LIST"),
        };
        let Some(ask) = self.asks.take(about) else {
            return false;
        };
        let failure = refusal::of_command(code, message.last());
        self.events.push(outcome(ask.txn, Outcome::Failed(failure)));
        true
    }
}

/// A topic as LIST shows it, without the modes that some servers put before it (`[+nt] tea`).
fn without_modes(topic: &str) -> &str {
    topic
        .strip_prefix("[+")
        .and_then(|rest| rest.split_once(']'))
        .filter(|(modes, _)| !modes.is_empty() && modes.len() < 40)
        .map_or(topic, |(_, rest)| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::without_modes;

    #[test]
    fn modes_before_topics() {
        for (topic, bare) in [
            ("[+nt] tea", "tea"),
            ("[+ntk secret] tea", "tea"),
            ("[+] tea", "[+] tea"),
            ("[tea] [+nt]", "[tea] [+nt]"),
            ("", ""),
        ] {
            assert_eq!(without_modes(topic), bare);
        }
    }
}
