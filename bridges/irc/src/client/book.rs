//! The book of commands that are not settled yet: which lines carry them, and how each line's fate becomes known.
//!
//! IRC acknowledges nothing by itself. A line's fate is learnt from, whichever comes first: the answer to its label
//! (IRCv3 labeled-response), its echo (echo-message), an error that fits it, or the *fence*: one PING behind each
//! batch of lines. Servers do things in order, so what was written before the PING and drew no error by its PONG was
//! taken.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use viaduct_bridge::{
    Content, Failure, Message, MessageId, Name, Outcome, PersonEvent, Recipient, Refusal, RemoteEvent,
    RoomEvent, ServerId, Timestamp, TransactionId,
};

use crate::proto::line::Line;

/// How long an answer to a label or an echo is waited for before a fence asks.
const ECHO_PATIENCE: Duration = Duration::from_secs(10);
/// How long a fence may stay out while the server still says other things. Servers that throttle are slow.
const FENCE_PATIENCE: Duration = Duration::from_secs(300);

/// What a command is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Say {
        to: Recipient,
        notice: bool,
        /// What was said, kept where an echo is to come.
        content: Option<Box<Content>>,
    },
    Topic,
    Nick,
    Rank,
    Kick,
    Ban,
    /// The masks on the list that fit so far; the list is asked for first.
    Unban {
        masks: Vec<String>,
        asked: bool,
    },
}

impl What {
    /// The IRC command that carries it.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Say { notice: false, .. } => "PRIVMSG",
            Self::Say { notice: true, .. } => "NOTICE",
            Self::Topic => "TOPIC",
            Self::Nick => "NICK",
            Self::Rank | Self::Ban | Self::Unban { .. } => "MODE",
            Self::Kick => "KICK",
        }
    }
}

/// How far a line has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Queued,
    /// Written; this fence is the first behind it.
    Written {
        fence: u64,
    },
    Accepted,
    Refused,
}

struct Part {
    line: Line,
    state: State,
    /// A refusal of this line does not matter to the command (the kick behind a ban).
    optional: bool,
}

/// One command on its way.
pub(super) struct Pending {
    pub(super) seq: u64,
    pub(super) txn: TransactionId,
    pub(super) what: What,
    /// The folded room, or the folded person where there is no room.
    pub(super) target: Name,
    /// The folded person that it is about, where it names one in a room.
    pub(super) person: Option<Name>,
    parts: Vec<Part>,
    refusal: Option<Failure>,
    ids: Vec<MessageId>,
    at: Option<Timestamp>,
    echoes: usize,
    /// What the echo of a single line said, where the server changed it.
    altered: Option<Content>,
}

impl Pending {
    /// It cannot be done.
    pub(super) fn refuse(&mut self, failure: Failure) {
        self.refusal.get_or_insert(failure);
        for part in &mut self.parts {
            if matches!(part.state, State::Written { .. }) {
                part.state = State::Refused;
            }
        }
    }

    fn is_settled(&self) -> bool {
        let unfinished_unban = matches!(self.what, What::Unban { asked: true, .. }) && self.refusal.is_none();
        !unfinished_unban
            && self
                .parts
                .iter()
                .all(|p| matches!(p.state, State::Accepted | State::Refused))
    }
}

/// The echo of something that the user said.
pub(super) struct Echo<'a> {
    pub(super) text: &'a str,
    pub(super) id: Option<MessageId>,
    pub(super) at: Timestamp,
    pub(super) content: Content,
    /// The user's own names, for the message.
    pub(super) nick: Name,
    pub(super) me: Name,
}

/// All commands that are not settled.
#[derive(Default)]
pub(super) struct Book {
    pending: VecDeque<Pending>,
    next: u64,
    /// The fences that were sent and that came back, by number.
    sent: u64,
    back: u64,
    sent_at: Option<Instant>,
    /// Since when lines wait for a fence, and for an echo or an answer to a label.
    unfenced: bool,
    unechoed: Option<Instant>,
}

impl Book {
    /// Whether nothing is pending.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Enters a command; gives its number. Each of its lines is to be queued.
    pub(super) fn enter(
        &mut self,
        txn: TransactionId,
        what: What,
        target: Name,
        person: Option<Name>,
        lines: Vec<Line>,
    ) -> u64 {
        let seq = self.next;
        self.next += 1;
        let parts = lines.into_iter().map(|line| Part {
            line,
            state: State::Queued,
            optional: false,
        });
        self.pending.push_back(Pending {
            seq,
            txn,
            what,
            target,
            person,
            parts: parts.collect(),
            refusal: None,
            ids: Vec::new(),
            at: None,
            echoes: 0,
            altered: None,
        });
        seq
    }

    /// Adds lines to a command; gives the index of the first.
    pub(super) fn extend(&mut self, seq: u64, lines: Vec<Line>, optional: bool) -> u16 {
        let Some(pending) = self.get_mut(seq) else {
            return 0;
        };
        let first = pending.parts.len();
        pending.parts.extend(lines.into_iter().map(|line| Part {
            line,
            state: State::Queued,
            optional,
        }));
        u16::try_from(first).unwrap_or(u16::MAX)
    }

    /// Appends a line of a command. With labels its answer is recognised by itself; with an echo no fence is needed
    /// at first.
    pub(super) fn write(
        &mut self,
        seq: u64,
        part: u16,
        labels: bool,
        echo: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) {
        let fence = self.sent + 1;
        let Some(pending) = self.get_mut(seq) else {
            return;
        };
        let echoed = labels || echo && matches!(pending.what, What::Say { .. });
        let Some(part_of) = pending.parts.get_mut(usize::from(part)) else {
            return;
        };
        if labels {
            part_of.line.write_labelled(format_args!("{seq}.{part}"), out);
        } else {
            part_of.line.write(out);
        }
        part_of.state = State::Written { fence };
        if echoed {
            self.unechoed.get_or_insert(now);
        } else {
            self.unfenced = true;
        }
    }

    /// Whether a fence is to be written. `tight`: lines of our own should be few, so one at a time.
    pub(super) fn fence_is_due(&self, now: Instant, tight: bool) -> bool {
        let overdue = self.unechoed.is_some_and(|since| now >= since + ECHO_PATIENCE);
        (self.unfenced && !(tight && self.sent > self.back)) || overdue
    }

    pub(super) fn write_fence(&mut self, now: Instant, out: &mut Vec<u8>) {
        use std::io::Write as _;
        self.sent += 1;
        self.sent_at.get_or_insert(now);
        self.unfenced = false;
        self.unechoed = None;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "PING :fence{}\r\n", self.sent);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let echo = self.unechoed.map(|since| since + ECHO_PATIENCE);
        let fence = self.sent_at.map(|at| at + FENCE_PATIENCE);
        match (echo, fence) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the server has let a fence lie.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.sent_at.is_some_and(|at| now >= at + FENCE_PATIENCE)
    }

    /// A PONG came. Everything written before its fence was taken.
    pub(super) fn pong(&mut self, token: &str, now: Instant, events: &mut Vec<RemoteEvent>) {
        let Some(number) = token.strip_prefix("fence").and_then(|n| n.parse::<u64>().ok()) else {
            return;
        };
        if number > self.sent {
            return;
        }
        self.back = self.back.max(number);
        self.sent_at = (self.sent > self.back).then_some(now);
        for pending in &mut self.pending {
            if pending
                .parts
                .first()
                .is_some_and(|part| part.state == State::Queued)
            {
                // Lines are written in order: nothing behind this one has been written.
                break;
            }
            for part in &mut pending.parts {
                if matches!(part.state, State::Written { fence } if fence <= number) {
                    part.state = State::Accepted;
                }
            }
            if let What::Unban { asked, .. } = &mut pending.what
                && *asked
                && pending.parts.iter().all(|part| part.state == State::Accepted)
            {
                *asked = false;
                let words = "the server does not show the list of bans";
                pending.refusal = Some(Failure::refused(Refusal::NotAllowed, words));
            }
        }
        let mut at = 0;
        while at < self.pending.len() {
            at += usize::from(!self.settle_at(at, events));
        }
        self.tidy();
    }

    /// The answer to a label has ended without an error.
    pub(super) fn accept(&mut self, label: (u64, u16), events: &mut Vec<RemoteEvent>) {
        self.decide(label, None, events);
    }

    /// A line was refused.
    pub(super) fn refuse(&mut self, label: (u64, u16), failure: Failure, events: &mut Vec<RemoteEvent>) {
        self.decide(label, Some(failure), events);
    }

    fn decide(&mut self, (seq, part): (u64, u16), failure: Option<Failure>, events: &mut Vec<RemoteEvent>) {
        let Some(pending) = self.get_mut(seq) else {
            return;
        };
        let Some(part) = pending.parts.get_mut(usize::from(part)) else {
            return;
        };
        if !matches!(part.state, State::Written { .. }) {
            return;
        }
        match failure {
            None => part.state = State::Accepted,
            Some(_) if part.optional => part.state = State::Accepted,
            Some(failure) => {
                part.state = State::Refused;
                pending.refusal.get_or_insert(failure);
            }
        }
        self.settle(seq, events);
    }

    /// The oldest waiting command that fits, and which of its lines waits first.
    pub(super) fn oldest(&self, fits: impl Fn(&Pending) -> bool) -> Option<(u64, u16)> {
        self.pending.iter().find_map(|pending| {
            let part = pending
                .parts
                .iter()
                .position(|p| matches!(p.state, State::Written { .. }))?;
            let part = u16::try_from(part).ok()?;
            fits(pending).then_some((pending.seq, part))
        })
    }

    /// A command, by its number.
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Pending> {
        let at = self.pending.binary_search_by_key(&seq, |p| p.seq).ok()?;
        self.pending.get_mut(at)
    }

    /// An echo came: by label, else the oldest message to this target with this text, else the oldest to this target
    /// (a server may change texts). Gives it back if it is nobody's.
    pub(super) fn echo<'a>(
        &mut self,
        label: Option<(u64, u16)>,
        target: &str,
        notice: bool,
        echo: Echo<'a>,
        events: &mut Vec<RemoteEvent>,
    ) -> Option<Echo<'a>> {
        let Some((seq, part)) = label.or_else(|| self.find_echo(target, notice, echo.text)) else {
            return Some(echo);
        };
        let Some(pending) = self.get_mut(seq) else {
            return Some(echo);
        };
        let single = pending.parts.len() == 1;
        let Some(part) = pending.parts.get_mut(usize::from(part)) else {
            return Some(echo);
        };
        if part.line.text() != echo.text && single {
            pending.altered = Some(echo.content);
        }
        part.state = State::Accepted;
        pending.ids.extend(echo.id);
        pending.at = Some(echo.at);
        pending.echoes += 1;
        if pending.is_settled() && pending.refusal.is_none() {
            let at = self.pending.binary_search_by_key(&seq, |p| p.seq);
            if let Some(done) = at.ok().and_then(|at| self.pending.remove(at)) {
                events.push(done.echoed(echo.nick, echo.me));
            }
            self.tidy();
        } else {
            self.settle(seq, events);
        }
        None
    }

    fn find_echo(&self, target: &str, notice: bool, text: &str) -> Option<(u64, u16)> {
        let waiting = |same_text: bool| {
            self.pending.iter().find_map(|pending| {
                let says = matches!(pending.what, What::Say { notice: n, .. } if n == notice);
                if !says || pending.target.as_str() != target {
                    return None;
                }
                let part = pending.parts.iter().position(|p| {
                    matches!(p.state, State::Written { .. }) && (!same_text || p.line.text() == text)
                })?;
                Some((pending.seq, u16::try_from(part).ok()?))
            })
        };
        waiting(true).or_else(|| waiting(false))
    }

    /// The connection is gone: what was written may have arrived, the rest has not.
    pub(super) fn lost(&mut self, server: &ServerId, events: &mut Vec<RemoteEvent>) {
        self.drop_unwritten(server, events);
        for pending in self.pending.drain(..) {
            let what = if matches!(pending.what, What::Say { .. }) {
                "The message"
            } else {
                "The change"
            };
            let reason = format!(
                "{what} may not have arrived: the connection to {server} was lost before it confirmed."
            );
            let failure = Failure::Uncertain { reason };
            events.push(outcome(pending.txn, Outcome::Failed(failure)));
        }
        *self = Self {
            next: self.next,
            ..Self::default()
        };
    }

    /// Answers the commands of which nothing was written.
    pub(super) fn drop_unwritten(&mut self, server: &ServerId, events: &mut Vec<RemoteEvent>) {
        self.pending.retain(|pending| {
            let untouched = pending.parts.iter().all(|p| p.state == State::Queued);
            if untouched {
                let failure = Failure::transient(format!(
                    "The connection to {server} was lost before this was sent."
                ));
                events.push(outcome(pending.txn, Outcome::Failed(failure)));
            }
            !untouched
        });
    }

    /// Reports and removes a command if it is settled.
    pub(super) fn settle(&mut self, seq: u64, events: &mut Vec<RemoteEvent>) {
        if let Ok(at) = self.pending.binary_search_by_key(&seq, |p| p.seq) {
            self.settle_at(at, events);
            self.tidy();
        }
    }

    fn settle_at(&mut self, at: usize, events: &mut Vec<RemoteEvent>) -> bool {
        if !self.pending.get(at).is_some_and(Pending::is_settled) {
            return false;
        }
        events.extend(self.pending.remove(at).map(Pending::finished));
        true
    }

    fn tidy(&mut self) {
        if self.pending.is_empty() {
            self.unfenced = false;
            self.unechoed = None;
            if self.pending.capacity() > 4 {
                self.pending = VecDeque::new();
            }
        }
    }
}

impl Pending {
    /// The end of a command.
    fn finished(self) -> RemoteEvent {
        let Some(failure) = self.refusal else {
            return outcome(
                self.txn,
                Outcome::Accepted {
                    ids: self.ids,
                    at: self.at,
                },
            );
        };
        let all = self.parts.len();
        let arrived = self.parts.iter().filter(|p| p.state == State::Accepted).count();
        let failure = match failure {
            Failure::Permanent { refusal, reason }
                if arrived > 0 && matches!(self.what, What::Say { .. }) =>
            {
                Failure::refused(refusal, format!("{reason} ({arrived} of {all} lines arrived)"))
            }
            failure => failure,
        };
        outcome(self.txn, Outcome::Failed(failure))
    }

    /// The message that the user sent, as its echo shows it.
    fn echoed(self, nick: Name, me: Name) -> RemoteEvent {
        let What::Say {
            to,
            content: Some(content),
            ..
        } = self.what
        else {
            return outcome(
                self.txn,
                Outcome::Accepted {
                    ids: self.ids,
                    at: self.at,
                },
            );
        };
        let message = Message {
            ids: self.ids,
            txn: Some(self.txn),
            sender: me,
            nick,
            at: self.at.unwrap_or_default(),
            content: self.altered.unwrap_or(*content),
        };
        match to {
            Recipient::Room(room) => RemoteEvent::Room {
                room,
                event: RoomEvent::Message(message),
            },
            Recipient::Person(person) => RemoteEvent::Person {
                person,
                event: PersonEvent::Message(message),
            },
        }
    }
}

pub(super) fn outcome(txn: TransactionId, outcome: Outcome) -> RemoteEvent {
    RemoteEvent::Outcome { txn, outcome }
}
