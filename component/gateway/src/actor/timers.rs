//! The timers of one login: few, so a plain list.

use std::time::Duration;

use tokio::time::Instant;
use viaduct_core::effect::Timer;

#[derive(Default)]
pub(super) struct Timers(Vec<(Instant, Timer)>);

impl Timers {
    /// Sets a timer; one of the same name is replaced.
    pub(super) fn set(&mut self, timer: Timer, after: Duration) {
        self.0.retain(|(_, other)| *other != timer);
        self.0.push((Instant::now() + after, timer));
    }

    /// When the next one runs out.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(at, _)| *at).min()
    }

    /// Takes out one that has run out, the earliest first.
    pub(super) fn due(&mut self, now: Instant) -> Option<Timer> {
        let (index, _) = self
            .0
            .iter()
            .enumerate()
            .min_by_key(|(_, (at, _))| *at)
            .filter(|(_, (at, _))| *at <= now)?;
        Some(self.0.swap_remove(index).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use viaduct_core::effect::Timer;

    use super::Timers;

    #[test]
    fn the_second_of_a_name_replaces_the_first() {
        let mut timers = Timers::default();
        timers.set(Timer::Commands, Duration::from_secs(1));
        timers.set(Timer::Linger("a".into()), Duration::from_secs(5));
        timers.set(Timer::Commands, Duration::from_secs(9));
        let later = Instant::now() + Duration::from_secs(6);
        assert_eq!(timers.due(later), Some(Timer::Linger("a".into())));
        assert_eq!(timers.due(later), None);
        assert!(timers.next().expect("one is left") > later && !timers.is_empty());
    }
}
