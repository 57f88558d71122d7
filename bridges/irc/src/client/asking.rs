//! Questions: what the user asks of the server or of somebody on it, and what comes back.
//!
//! LIST is RFC 2812 §3.2.6. Its answer comes line by line between all other lines and takes as long as the server
//! makes it take; it is collected here and told in one piece. Servers that announce SAFELIST pace it themselves, the
//! others send it at once. Filters (ELIST) are not used: the whole list serves every later page and search.
//!
//! WHOIS is RFC 2812 §3.6.2; what is not in its text has become custom (330, 338, 671). Somebody's program is asked by
//! CTCP, whose answers are notices of that person.
//!
//! Questions go when nothing else waits, as far as lines can be spared. Every question has a time by which it is
//! answered or given up.

use viaduct_bridge::{
    Failure, ListedRoom, Outcome, PersonId, Probe, Question, Refusal, Reply, RoomId, TransactionId,
};

use crate::proto::clock::read_clock;
use crate::proto::ctcp::{self, Ctcp};
use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::asks::{Ask, SoFar};
use super::book::PartId;
use super::growing::Growing;
use super::pending::outcome;
use super::queue::Queued;
use super::{Client, Now, refusal, whois};

/// The most questions that are open at a time.
const MOST: usize = 16;
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
        let (so_far, line) = match question {
            Question::Rooms(_) => {
                let Some(rooms) = Growing::new() else {
                    return self.too_many_lists(txn);
                };
                (SoFar::Rooms(Box::new(rooms)), Line::command("LIST"))
            }
            Question::Bans(RoomId { room, .. }) => {
                let line = Line::command("MODE").arg(&room).arg("+b");
                let (room, bans) = (self.fold(&room), Vec::new());
                (SoFar::Bans { room, bans }, line)
            }
            Question::Profile(PersonId { person, .. }) => {
                // Named twice, so that the server of the person answers, who knows how long they have been idle.
                let line = Line::command("WHOIS").arg(&person).arg(&person);
                let person = self.fold(&person);
                let found = Box::default();
                (SoFar::Profile { person, found }, line)
            }
            Question::Program {
                person: PersonId { person, .. },
                what,
            } => {
                let request = match what {
                    Probe::Version => ctcp::request("VERSION", ""),
                    Probe::Ping => ctcp::request("PING", &txn.0.to_string()),
                    Probe::Time => ctcp::request("TIME", ""),
                };
                let line = Line::command("PRIVMSG").arg(&person).trailing(&request);
                let person = self.fold(&person);
                (SoFar::Program { person, what }, line)
            }
        };
        let waits = self.pace.wait_for(self.queue.len() + self.questions.len());
        self.asks.0.push(Ask::new(txn, so_far, now.at + waits));
        self.questions.push(Queued::Ask { txn, line });
    }

    /// RPL_LIST: `#channel count :topic`.
    pub(super) fn on_listed(&mut self, now: Now, message: &Message<'_>) {
        let name = message.param(1);
        let Some(ask) = self.asks.oldest(SoFar::is_rooms) else {
            return;
        };
        ask.more_came(now.at);
        let SoFar::Rooms(rooms) = &mut ask.so_far else {
            return;
        };
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
        if let SoFar::Rooms(rooms) = ask.so_far {
            match rooms.finish() {
                Some(rooms) => self.answered(ask.txn, Reply::Rooms(rooms)),
                None => self.too_many_lists(ask.txn),
            }
        }
    }

    fn too_many_lists(&mut self, txn: TransactionId) {
        let words = "Too many people are listing rooms at once. Try again in a minute.";
        let failure = Failure::refused(Refusal::Throttled, words);
        self.events.push(outcome(txn, Outcome::Failed(failure)));
    }

    /// A line of the answer to WHOIS.
    pub(super) fn on_whois(&mut self, now: Now, code: u16, message: &Message<'_>) {
        let folded = self.fold(message.param(1));
        let about = |so_far: &SoFar| matches!(so_far, SoFar::Profile { person, .. } if *person == folded);
        if code == 318 {
            let Some(ask) = self.asks.take(about) else { return };
            if let SoFar::Profile { found, .. } = ask.so_far {
                match found.nick {
                    Some(_) => self.answered(ask.txn, Reply::Profile(*found)),
                    None => self.nobody(ask.txn, message.param(1)),
                }
            }
            return;
        }
        let Some(ask) = self.asks.oldest(about) else {
            return;
        };
        ask.more_came(now.at);
        if let SoFar::Profile { found, .. } = &mut ask.so_far {
            whois::note(found, code, message);
        }
    }

    /// A notice of somebody that is a CTCP message: the answer to a question, or nothing.
    pub(super) fn on_ctcp_answer(&mut self, now: Now, nick: &str, ctcp: Ctcp<'_>) {
        let folded = self.fold(nick);
        let answers = |ask: &Ask| {
            let SoFar::Program { person, what } = &ask.so_far else {
                return false;
            };
            let verb = match what {
                Probe::Version => "VERSION",
                Probe::Time => "TIME",
                // The token is ours, so the answer is to this very question.
                Probe::Ping if ctcp.text.trim() != ask.txn.0.to_string() => return false,
                Probe::Ping => "PING",
            };
            *person == folded && ctcp.command.eq_ignore_ascii_case(verb)
        };
        let Some(at) = self.asks.0.iter().position(answers) else {
            return;
        };
        let ask = self.asks.0.remove(at);
        let SoFar::Program { what, .. } = ask.so_far else {
            return;
        };
        let text = format::to_text(ctcp.text).plain;
        match what {
            Probe::Version => self.answered(ask.txn, Reply::Version(text)),
            Probe::Ping => self.answered(ask.txn, Reply::Pong),
            Probe::Time => match read_clock(&text, now.clock) {
                Some((at, offset)) => self.answered(ask.txn, Reply::Clock { at, offset }),
                None => {
                    let words = format!("The clock of {nick} says '{text}'.");
                    let failure = Failure::refused(Refusal::NotAcceptable, words);
                    self.events.push(outcome(ask.txn, Outcome::Failed(failure)));
                }
            },
        }
    }

    fn nobody(&mut self, txn: TransactionId, nick: &str) {
        let failure = Failure::refused(
            Refusal::NotFound,
            format!("There is no {nick} on {}.", self.server),
        );
        self.events.push(outcome(txn, Outcome::Failed(failure)));
    }

    pub(super) fn answered(&mut self, txn: TransactionId, reply: Reply) {
        self.events.push(outcome(txn, Outcome::Answered(Box::new(reply))));
    }

    /// An error that answers a question, unless it answers an older command. False if it is about something else.
    pub(super) fn question_refused(
        &mut self,
        code: u16,
        message: &Message<'_>,
        command: Option<PartId>,
    ) -> bool {
        if self.asks.0.is_empty() || self.label.is_some() {
            return false;
        }
        let (subject, folded) = (message.param(1), self.fold(message.param(1)));
        let about = |ask: &Ask| {
            let settled = ask.fence.is_some_and(|fence| self.book.is_back(fence));
            !settled && ask.is_before(command) && ask.so_far.is_refused_by(code, subject, &folded)
        };
        let Some(at) = self.asks.0.iter().position(about) else {
            return false;
        };
        let ask = self.asks.0.remove(at);
        if matches!(code, 401 | 402 | 406) {
            self.nobody(ask.txn, subject);
            return true;
        }
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
