//! The questions of a connection that are open, how far their answers have come, and when they are given up.

use std::time::{Duration, Instant};

use viaduct_bridge::{Ban, Failure, Name, Outcome, Probe, Profile, RemoteEvent, ServerId, TransactionId};

use super::book::PartId;
use super::growing::Growing;
use super::pending::outcome;

/// How long the next line of an answer is waited for, and a person's program.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the next line of a list of channels is waited for: servers at their limit send it in bursts.
const LIST_PATIENCE: Duration = Duration::from_secs(60);
/// How long a whole answer may take.
const MOST_TIME: Duration = Duration::from_secs(600);

/// The questions that are open, oldest first.
#[derive(Default)]
pub(super) struct Asks(pub(super) Vec<Ask>);

/// One question.
pub(super) struct Ask {
    pub(super) txn: TransactionId,
    /// What has come of the answer so far.
    pub(super) so_far: SoFar,
    /// The commands that had been written before it are those with lower numbers; unset until it is written.
    after: Option<u64>,
    /// The fence that was written right behind it. Once that is back no error is about the question any more: somebody's
    /// program may never answer, and what is said to them meanwhile draws errors of the same words.
    pub(super) fence: Option<u64>,
    /// When it is given up if nothing more comes, and whatever comes.
    until: Instant,
    at_last: Instant,
}

/// As much of an answer as has come.
pub(super) enum SoFar {
    Rooms(Box<Growing>),
    Bans {
        /// Folded.
        room: Name,
        bans: Vec<Ban>,
    },
    Profile {
        /// Folded.
        person: Name,
        found: Box<Profile>,
    },
    Program {
        /// Folded.
        person: Name,
        what: Probe,
    },
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

    /// The line of a question is about to be written, behind all commands up to this number. False if nobody waits for
    /// the answer any more.
    pub(super) fn write(&mut self, txn: TransactionId, now: Instant, next: u64) -> bool {
        let Some(ask) = self.0.iter_mut().find(|ask| ask.txn == txn) else {
            return false;
        };
        ask.after = Some(next);
        ask.at_last = now + MOST_TIME;
        ask.more_came(now);
        true
    }

    /// The list of bans of a room that comes in, if it is for a question and not for an older command.
    pub(super) fn bans(
        &mut self,
        room: &str,
        command: Option<PartId>,
        now: Instant,
    ) -> Option<&mut Vec<Ban>> {
        let at = self.bans_at(room, command)?;
        let ask = self.0.get_mut(at)?;
        ask.more_came(now);
        match &mut ask.so_far {
            SoFar::Bans { bans, .. } => Some(bans),
            _ => None,
        }
    }

    /// The same, as it has come to its end.
    pub(super) fn take_bans(
        &mut self,
        room: &str,
        command: Option<PartId>,
    ) -> Option<(TransactionId, Vec<Ban>)> {
        let ask = self.0.remove(self.bans_at(room, command)?);
        match ask.so_far {
            SoFar::Bans { bans, .. } => Some((ask.txn, bans)),
            _ => None,
        }
    }

    fn bans_at(&self, room: &str, command: Option<PartId>) -> Option<usize> {
        let is_it = |ask: &Ask| {
            let about = matches!(&ask.so_far, SoFar::Bans { room: asked, .. } if asked.as_str() == room);
            about && ask.is_before(command)
        };
        self.0.iter().position(is_it)
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
    pub(super) fn oldest(&mut self, is: impl Fn(&SoFar) -> bool) -> Option<&mut Ask> {
        self.0.iter_mut().find(|ask| is(&ask.so_far))
    }

    /// A question that somebody's program is to answer.
    pub(super) fn program(&mut self, txn: TransactionId) -> Option<&mut Ask> {
        let is_it = |ask: &&mut Ask| ask.txn == txn && matches!(ask.so_far, SoFar::Program { .. });
        self.0.iter_mut().find(is_it)
    }

    /// Takes out the oldest question of a kind, which has been answered.
    pub(super) fn take(&mut self, is: impl Fn(&SoFar) -> bool) -> Option<Ask> {
        let at = self.0.iter().position(|ask| is(&ask.so_far))?;
        Some(self.0.remove(at))
    }
}

impl Ask {
    /// A question that is written after so long, at most.
    pub(super) fn new(txn: TransactionId, so_far: SoFar, written: Instant) -> Self {
        Self {
            txn,
            until: written + so_far.patience(),
            at_last: written + MOST_TIME,
            so_far,
            after: None,
            fence: None,
        }
    }

    /// Whether it was written, and before this command.
    pub(super) fn is_before(&self, command: Option<PartId>) -> bool {
        match (self.after, command) {
            (Some(after), Some((seq, _))) => seq >= after,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Something of the answer has come.
    pub(super) fn more_came(&mut self, now: Instant) {
        self.until = self.at_last.min(now + self.so_far.patience());
    }
}

impl SoFar {
    pub(super) fn is_rooms(&self) -> bool {
        matches!(self, Self::Rooms(_))
    }

    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Rooms(_) => LIST_PATIENCE,
            Self::Bans { .. } | Self::Profile { .. } | Self::Program { .. } => PATIENCE,
        }
    }

    /// Whether this error is about the question: by what it names, a person or a command.
    pub(super) fn is_refused_by(&self, code: u16, subject: &str, folded: &str) -> bool {
        match self {
            Self::Rooms(_) => subject.eq_ignore_ascii_case("LIST"),
            Self::Profile { person, .. } => {
                subject.eq_ignore_ascii_case("WHOIS")
                    || matches!(code, 401 | 402 | 406) && person.as_str() == folded
            }
            Self::Bans { room, .. } => room.as_str() == folded,
            Self::Program { person, .. } => code == 401 && person.as_str() == folded,
        }
    }
}
