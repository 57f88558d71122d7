//! How often a transaction is tried again, and with which pauses.

use std::time::{Duration, Instant};

/// The pause after the second try; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest: a database that is back is not kept waiting for long.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The tries of one transaction.
#[derive(Debug)]
pub(crate) struct Patience {
    until: Instant,
    tries: u32,
}

impl Patience {
    /// Begins with the first try.
    pub(crate) fn new(now: Instant, within: Duration) -> Self {
        Self {
            until: now + within,
            tries: 1,
        }
    }

    /// How many tries there were.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }

    /// How long to wait before the next try; `None` when there have been enough. There are two in any case, and no pause
    /// between them: a connection that was lost by itself (a firewall, a server that was restarted long ago) is simply
    /// made anew.
    pub(crate) fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.tries += 1;
        if self.tries == 2 {
            return Some(Duration::ZERO);
        }
        let left = self.until.saturating_duration_since(now);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (self.tries - 3).min(10))
            .min(LONGEST_PAUSE)
            .min(left);
        (!left.is_zero()).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Patience;

    #[test]
    fn pauses_grow_and_end() {
        let begun = Instant::now();
        let mut patience = Patience::new(begun, Duration::from_secs(60));
        let (mut waited, mut longest) = (Duration::ZERO, Duration::ZERO);
        while let Some(pause) = patience.pause(begun + waited) {
            longest = longest.max(pause);
            waited += pause;
        }
        assert_eq!(
            (waited, longest),
            (Duration::from_secs(60), Duration::from_secs(1))
        );
        assert!((60..75).contains(&patience.tries()), "{}", patience.tries());

        let mut none = Patience::new(begun, Duration::ZERO);
        assert_eq!(none.pause(begun), Some(Duration::ZERO));
        assert_eq!(none.pause(begun), None);
    }
}
