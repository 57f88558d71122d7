//! How long a test waits for something that ought to happen.
//!
//! One number, generous because the machine may be busy, and changeable from outside for a slower one.

use std::sync::OnceLock;
use std::time::Duration;

/// The deadline of a single expectation: 10 seconds, or the whole seconds in `VIADUCT_TEST_PATIENCE`.
pub fn patience() -> Duration {
    static PATIENCE: OnceLock<Duration> = OnceLock::new();
    *PATIENCE.get_or_init(|| {
        let seconds = std::env::var("VIADUCT_TEST_PATIENCE")
            .ok()
            .and_then(|text| text.parse().ok());
        Duration::from_secs(seconds.unwrap_or(10))
    })
}

/// The deadline for a server to start: six times [`patience`].
pub fn start_patience() -> Duration {
    patience() * 6
}
