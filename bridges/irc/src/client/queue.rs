//! Lines that wait for their turn, and the pace at which they go (RFC 1459 §8.10, flood control).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use viaduct_bridge::{Name, TransactionId};

use crate::config::Flood;
use crate::proto::line::Line;

/// The most lines that wait.
pub(super) const MOST_QUEUED: usize = 200;
/// The most lines that wait because of what the server did.
const MOST_PROVOKED: usize = 500;

/// Something that waits to be written.
pub(super) enum Queued {
    /// A line that nothing waits for.
    Line(Line),
    /// Whether the user is away, of which only the last word counts.
    Away(Line),
    /// One line of a command in the book.
    Part { seq: u64, part: u16 },
    /// The line of a question, unless it is given up.
    Ask { txn: TransactionId, line: Line },
    /// Channels to enter, with as few lines as possible.
    Joins(Vec<Name>),
}

/// Lines that wait, first come first served.
#[derive(Default)]
pub(super) struct Queue(VecDeque<Queued>);

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST_QUEUED
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, item: Queued) {
        self.0.push_back(item);
    }

    /// Adds whether the user is away: in the place of an older word, if one waits.
    pub(super) fn push_away(&mut self, line: Line) {
        let waiting = self.0.iter_mut().find_map(|queued| match queued {
            Queued::Away(waiting) => Some(waiting),
            _ => None,
        });
        match waiting {
            Some(waiting) => *waiting = line,
            None => self.0.push_back(Queued::Away(line)),
        }
    }

    /// Adds a line that the server has provoked, unless it provokes too many.
    pub(super) fn push_provoked(&mut self, line: Line) {
        if self.0.len() < MOST_PROVOKED {
            self.0.push_back(Queued::Line(line));
        }
    }

    /// Adds a channel to enter: to those that wait already, if nothing came between.
    pub(super) fn push_join(&mut self, room: Name) {
        if let Some(Queued::Joins(rooms)) = self.0.back_mut() {
            rooms.push(room);
        } else {
            self.0.push_back(Queued::Joins(vec![room]));
        }
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Queued> {
        self.0.front_mut()
    }

    pub(super) fn pop(&mut self) {
        self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > 16 {
            self.0 = VecDeque::new();
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A token bucket.
pub(super) struct Bucket {
    flood: Flood,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(flood: Flood, now: Instant) -> Self {
        let tokens = match flood {
            Flood::Off => 0.0,
            Flood::Rate { burst, .. } => f64::from(burst),
        };
        Self {
            flood,
            tokens,
            filled: now,
        }
    }

    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.take_above(0.0, now)
    }

    /// Takes tokens that are perhaps not there yet: for what goes out in one piece. The next has to wait for them.
    pub(super) fn owe(&mut self, tokens: usize) {
        if matches!(self.flood, Flood::Rate { .. }) {
            self.tokens -= f64::from(u32::try_from(tokens).unwrap_or(u32::MAX));
        }
    }

    /// Takes one token, if enough others are left for what the user may want next.
    pub(super) fn take_spare(&mut self, now: Instant) -> bool {
        self.take_above(self.reserve(), now)
    }

    fn take_above(&mut self, reserve: f64, now: Instant) -> bool {
        let Flood::Rate { burst, per_second } = self.flood else {
            return true;
        };
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min(f64::from(burst));
        self.filled = now;
        if self.tokens >= 1.0 + reserve {
            self.tokens -= 1.0;
            return true;
        }
        false
    }

    /// When the next token is there.
    pub(super) fn ready_at(&self) -> Instant {
        self.above_at(0.0)
    }

    /// When the next token is there that can be spared.
    pub(super) fn spare_at(&self) -> Instant {
        self.above_at(self.reserve())
    }

    fn above_at(&self, reserve: f64) -> Instant {
        match self.flood {
            Flood::Rate { per_second, .. } if self.tokens < 1.0 + reserve => {
                self.filled + seconds((1.0 + reserve - self.tokens) / per_second)
            }
            _ => self.filled,
        }
    }

    fn reserve(&self) -> f64 {
        match self.flood {
            Flood::Off => 0.0,
            Flood::Rate { burst, .. } => f64::from(burst.saturating_mul(3) / 8),
        }
    }

    /// How long so many lines will take.
    pub(super) fn wait_for(&self, lines: usize) -> Duration {
        match self.flood {
            Flood::Off => Duration::ZERO,
            #[expect(clippy::cast_precision_loss, reason = "a queue has a few hundred lines")]
            Flood::Rate { per_second, .. } => seconds((lines as f64 - self.tokens).max(0.0) / per_second),
        }
    }

    /// Whether less than half of the burst is left, so that lines of our own should be few.
    pub(super) fn is_tight(&self, now: Instant) -> bool {
        let Flood::Rate { burst, per_second } = self.flood else {
            return false;
        };
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens + since * per_second < f64::from(burst) / 2.0
    }
}

/// Rounded up, so that what waits for a token finds it.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.min(86_400.0)).unwrap_or(Duration::ZERO) + Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use crate::config::Flood;
    use std::time::{Duration, Instant};

    #[test]
    fn a_burst_then_a_pace() {
        let start = Instant::now();
        let rate = Flood::Rate {
            burst: 3,
            per_second: 0.5,
        };
        let mut bucket = Bucket::new(rate, start);
        assert!((0..3).all(|_| bucket.take(start)) && !bucket.take(start));
        let next = bucket.ready_at();
        assert!(next > start + Duration::from_millis(1999) && next < start + Duration::from_millis(2100));
        assert!(bucket.take(next) && !bucket.take(next));
        assert!(bucket.is_tight(next) && !bucket.is_tight(next + Duration::from_secs(10)));
        let later = bucket.spare_at();
        assert!(!bucket.take_spare(later - Duration::from_millis(10)) && bucket.take_spare(later));
        let mut open = Bucket::new(Flood::Off, start);
        assert!((0..1000).all(|_| open.take(start)));
    }
}
