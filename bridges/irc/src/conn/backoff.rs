//! How long to wait before the next attempt: from a second to five minutes, each a little different.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// A connection that lasted this long was a good one: the next loss begins anew.
const GOOD: Duration = Duration::from_secs(60);

/// Delays that double.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// A connection has ended that began then.
    pub(crate) fn lasted(&mut self, since: Instant) {
        if since.elapsed() >= GOOD {
            self.next = FIRST;
        }
    }

    /// The next delay: between three and five quarters of the nominal one, so that a thousand users of a server that
    /// comes back do not all come at once.
    pub(crate) fn delay(&mut self) -> Duration {
        let nominal = self.next;
        self.next = (self.next * 2).min(LONGEST);
        // The hasher's keys are random, which is all that is needed here.
        let random = u32::try_from(RandomState::new().hash_one(0_u8) % 1024).unwrap_or(0);
        nominal - nominal / 4 + nominal / 2048 * random
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;
    use std::time::Duration;

    #[test]
    fn delays_double_up_to_five_minutes() {
        let mut backoff = Backoff::new();
        let mut nominal = 1.0_f64;
        for _ in 0..12 {
            let delay = backoff.delay().as_secs_f64();
            assert!(
                delay >= nominal * 0.74 && delay <= nominal * 1.26,
                "{delay} for {nominal}"
            );
            nominal = (nominal * 2.0).min(300.0);
        }
        assert!(backoff.delay() <= Duration::from_secs(375));
    }
}
