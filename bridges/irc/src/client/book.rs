//! The book of commands that are not settled yet, and how the fate of their lines becomes known.
//!
//! IRC acknowledges nothing by itself. A line's fate is learnt from, whichever comes first: the answer to its label
//! (IRCv3 labeled-response), its echo (echo-message), an error that fits it, or the *fence*: one PING behind each
//! batch of lines. Servers do things in order, so what was written before the PING and drew no error by its PONG was
//! taken.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use viaduct_bridge::{
    Content, Failure, MessageId, Name, Outcome, Refusal, RemoteEvent, ServerId, Timestamp, TransactionId,
};

use crate::proto::line::Line;

use super::pending::{Part, Pending, Piece, State, What, outcome};

/// How long an answer to a label or an echo is waited for before a fence asks.
const ECHO_PATIENCE: Duration = Duration::from_secs(10);
/// How long a fence may stay out while the server still says other things. Servers that throttle are slow.
const FENCE_PATIENCE: Duration = Duration::from_secs(300);

/// Names one line of one command.
pub(super) type PartId = (u64, u16);

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
    /// Whether lines wait for a fence to be written.
    unfenced: bool,
    /// Since when lines wait for an echo or the answer to a label.
    unechoed: Option<Instant>,
}

impl Book {
    /// Whether nothing is pending.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The number of the next command: all that are entered have lower ones.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Enters a command; gives its number. Each of its lines is to be queued.
    pub(super) fn enter(
        &mut self,
        txn: TransactionId,
        what: What,
        target: Name,
        person: Option<Name>,
        lines: Vec<impl Into<Piece>>,
    ) -> u64 {
        let seq = self.next;
        self.next += 1;
        self.pending
            .push_back(Pending::new(seq, txn, what, target, person, lines));
        seq
    }

    /// Adds lines to a command; gives the index of the first.
    pub(super) fn extend(&mut self, seq: u64, lines: Vec<Line>, optional: bool) -> u16 {
        let Some(pending) = self.get_mut(seq) else {
            return 0;
        };
        let first = pending.parts.len();
        pending
            .parts
            .extend(lines.into_iter().map(|line| Part::new(line, optional)));
        u16::try_from(first).unwrap_or(u16::MAX)
    }

    /// Appends a line of a command, unless it was given up; gives how many lines a server counts. With labels its answer is recognised by itself; with an
    /// echo no fence is needed at first.
    pub(super) fn write(
        &mut self,
        (seq, part): PartId,
        labels: bool,
        echo: bool,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> usize {
        let fence = self.sent + 1;
        let Some(pending) = self.get_mut(seq) else {
            return 0;
        };
        let echoed = labels || echo && pending.what.says();
        let Some(line) = pending.parts.get_mut(usize::from(part)) else {
            return 0;
        };
        if line.state != State::Queued {
            return 0;
        }
        line.state = State::Written { fence };
        if labels {
            line.line.write(Some(format_args!("{seq}.{part}")), out);
        } else {
            line.line.write(None, out);
        }
        let weight = line.line.weight();
        if echoed {
            self.unechoed.get_or_insert(now);
        } else {
            self.unfenced = true;
        }
        weight
    }

    /// Whether a fence is to be written. `tight`: lines of our own should be few, so one at a time.
    pub(super) fn fence_is_due(&self, now: Instant, tight: bool) -> bool {
        let overdue = self.unechoed.is_some_and(|since| now >= since + ECHO_PATIENCE);
        overdue || self.unfenced && !(tight && self.sent > self.back)
    }

    /// Appends a fence; gives its number.
    pub(super) fn write_fence(&mut self, now: Instant, out: &mut Vec<u8>) -> u64 {
        use std::io::Write as _;
        self.sent += 1;
        self.sent_at.get_or_insert(now);
        self.unfenced = false;
        self.unechoed = None;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "PING :fence{}\r\n", self.sent);
        self.sent
    }

    /// Whether this fence has come back.
    pub(super) fn is_back(&self, fence: u64) -> bool {
        fence <= self.back
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let echo = self.unechoed.map(|since| since + ECHO_PATIENCE);
        let fence = self.sent_at.map(|at| at + FENCE_PATIENCE);
        echo.into_iter().chain(fence).min()
    }

    /// Whether the server has let a fence lie.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.sent_at.is_some_and(|at| now >= at + FENCE_PATIENCE)
    }

    /// A PONG came. Everything written before its fence was taken.
    pub(super) fn pong(&mut self, token: &str, now: Instant, events: &mut Vec<RemoteEvent>) {
        let number = token.strip_prefix("fence").and_then(|n| n.parse::<u64>().ok());
        let Some(number) = number.filter(|number| *number <= self.sent) else {
            return;
        };
        self.back = self.back.max(number);
        self.sent_at = (self.sent > self.back).then_some(now);
        for pending in &mut self.pending {
            if pending.is_untouched() {
                // Lines are written in order: nothing behind this one has been written.
                break;
            }
            pending.pass_fence(number);
            // The end of the list would have come before the fence.
            let is_over = pending.parts.iter().all(|part| part.state == State::Accepted);
            if is_over && matches!(pending.what, What::Unban { listing: true, .. }) {
                let words = "the server does not show the list of bans";
                pending.refuse(Failure::refused(Refusal::NotAllowed, words));
            }
        }
        let mut at = 0;
        while at < self.pending.len() {
            at += usize::from(!self.settle_at(at, events));
        }
        self.tidy();
    }

    /// The answer to a line has ended without an error.
    pub(super) fn accept(&mut self, part: PartId, events: &mut Vec<RemoteEvent>) {
        self.decide(part, None, events);
    }

    /// A line was refused.
    pub(super) fn refuse(&mut self, part: PartId, failure: Failure, events: &mut Vec<RemoteEvent>) {
        self.decide(part, Some(failure), events);
    }

    fn decide(&mut self, (seq, part): PartId, failure: Option<Failure>, events: &mut Vec<RemoteEvent>) {
        if let Some(pending) = self.get_mut(seq) {
            pending.decide(part, failure);
            self.settle(seq, events);
        }
    }

    /// The oldest command that fits and has a line that waits for its fate, and the first such line.
    pub(super) fn oldest(&self, fits: impl Fn(&Pending) -> bool) -> Option<PartId> {
        self.pending.iter().find_map(|pending| {
            let part = pending.parts.iter().position(|part| part.state.is_waiting())?;
            let part = u16::try_from(part).ok()?;
            fits(pending).then_some((pending.seq, part))
        })
    }

    /// The first line that waits for its fate and fits, by its command and its place in it.
    pub(super) fn find_part(&self, fits: impl Fn(&Pending, usize) -> bool) -> Option<PartId> {
        self.pending.iter().find_map(|pending| {
            let parts = pending.parts.iter().enumerate();
            let mut waiting = parts.filter(|(_, part)| part.state.is_waiting());
            let (at, _) = waiting.find(|(at, _)| fits(pending, *at))?;
            Some((pending.seq, u16::try_from(at).ok()?))
        })
    }

    /// The line of a command that an error about a person who is not there means: the kick, not the ban.
    pub(super) fn about_person(&self, (seq, part): PartId) -> PartId {
        let pending = self.position(seq).and_then(|at| self.pending.get(at));
        let kick = pending.and_then(|pending| {
            pending
                .parts
                .iter()
                .position(|part| part.optional && part.state.is_waiting())
        });
        let kick = kick.and_then(|kick| u16::try_from(kick).ok());
        (seq, kick.unwrap_or(part))
    }

    /// A command, by its number.
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Pending> {
        let at = self.position(seq)?;
        self.pending.get_mut(at)
    }

    /// An echo came: by label, else the oldest message to this target with this text, else the oldest to this target
    /// (a server may change texts). Gives it back if it is nobody's.
    pub(super) fn echo<'a>(
        &mut self,
        label: Option<PartId>,
        target: &str,
        notice: bool,
        echo: Echo<'a>,
        events: &mut Vec<RemoteEvent>,
    ) -> Option<Echo<'a>> {
        let mut echo = Some(echo);
        let text = echo.as_ref().map_or("", |echo| echo.text);
        let (seq, part) = match label.or_else(|| self.find_echo(target, notice, text)) {
            Some(found) => found,
            None => return echo,
        };
        let Some(at) = self.position(seq) else {
            return echo;
        };
        match self
            .pending
            .get_mut(at)
            .and_then(|pending| pending.echoed(part, &mut echo))
        {
            Some(event) => {
                events.push(event);
                self.pending.remove(at);
                self.tidy();
            }
            None => self.settle(seq, events),
        }
        echo
    }

    fn find_echo(&self, target: &str, notice: bool, text: &str) -> Option<PartId> {
        let waiting = |same_text: bool| {
            self.pending.iter().find_map(|pending| {
                let says = matches!(pending.what, What::Say { notice: n, .. } if n == notice);
                if !says || pending.target.as_str() != target {
                    return None;
                }
                let part = pending
                    .parts
                    .iter()
                    .position(|part| part.state.is_waiting() && (!same_text || part.line.text() == text))?;
                Some((pending.seq, u16::try_from(part).ok()?))
            })
        };
        waiting(true).or_else(|| waiting(false))
    }

    /// The connection is gone: what was written may have arrived, the rest has not.
    pub(super) fn lost(&mut self, server: &ServerId, events: &mut Vec<RemoteEvent>) {
        self.drop_unwritten(server, events);
        for pending in self.pending.drain(..) {
            let what = if pending.what.says() {
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
            if !pending.is_untouched() {
                return true;
            }
            let words = format!("The connection to {server} was lost before this was sent.");
            events.push(outcome(pending.txn, Outcome::Failed(Failure::transient(words))));
            false
        });
    }

    /// Reports and removes a command if it is settled.
    pub(super) fn settle(&mut self, seq: u64, events: &mut Vec<RemoteEvent>) {
        if let Some(at) = self.position(seq) {
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

    fn position(&self, seq: u64) -> Option<usize> {
        self.pending
            .binary_search_by_key(&seq, |pending| pending.seq)
            .ok()
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
