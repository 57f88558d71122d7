//! Whether the other end is alive: PING after silence, death after more of it.

use std::time::{Duration, Instant};

const SILENCE: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(60);

/// When the server was last heard and last asked.
pub(super) struct Pulse {
    heard: Instant,
    asked: Option<Instant>,
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: now,
            asked: None,
        }
    }

    /// Something came. Anything shows that the server is there.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = None;
    }

    /// A PING was written.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked.get_or_insert(now);
    }

    pub(super) fn should_ask(&self, now: Instant) -> bool {
        self.asked.is_none() && now >= self.heard + SILENCE
    }

    pub(super) fn is_dead(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now >= asked + PATIENCE)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.asked.map_or(self.heard + SILENCE, |asked| asked + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::Pulse;
    use std::time::{Duration, Instant};

    #[test]
    fn silence_then_a_question_then_death() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(start);
        assert!(!pulse.should_ask(at(119)) && pulse.should_ask(at(120)));
        assert_eq!(pulse.deadline(), at(120));
        pulse.asked(at(120));
        assert!(!pulse.should_ask(at(121)) && !pulse.is_dead(at(179)) && pulse.is_dead(at(180)));
        pulse.heard(at(150));
        assert!(!pulse.is_dead(at(200)));
        assert_eq!(pulse.deadline(), at(270));
    }
}
