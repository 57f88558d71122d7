//! The link to the XMPP server: one component stream (XEP-0114) for each gateway domain.
//!
//! A supervisor connects, for ever, and runs a reader and a writer while there is a stream. What the rest of the
//! program holds is a [`Link`]: a queue that takes stanzas, tells what the server has processed, and whether there is
//! a stream.

mod connect;
mod guard;
mod head;
mod limits;
mod queue;
mod reader;
#[cfg(test)]
mod tests;
mod wire;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use self::connect::{Connected, connect};
use self::reader::End;

pub use self::connect::{ConnectError, Patience, Target};
pub use self::guard::Guard;
pub use self::head::Head;
pub use self::limits::{Dropped, Limits, Offence};
pub use self::queue::{Link, Listener, Outgoing, Refused, Room};
pub use self::reader::Upward;

/// The first wait between two attempts.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest. A server that was away is missed by all its users when it is back, so it is not long.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The first wait when only the operator can help.
const FIRST_OPERATOR_WAIT: Duration = Duration::from_secs(10);
/// The longest then.
const LONGEST_OPERATOR_WAIT: Duration = Duration::from_secs(60);
/// A stream that lasted this long was a success.
const LASTED: Duration = Duration::from_secs(10);
/// How long the server may take to end the stream after we did.
const PARTING: Duration = Duration::from_secs(1);

/// Keeps a stream to the XMPP server, until [`Link::close`].
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// Where and as whom.
    pub target: Target,
    /// What comes in may be this large.
    pub limits: Limits,
    /// How long things may take.
    pub patience: Patience,
    /// A factor on all waits between attempts, for tests.
    pub hurry: f64,
}

impl Supervisor {
    /// The usual one.
    #[must_use]
    pub fn new(target: Target, limits: Limits) -> Self {
        Self {
            target,
            limits,
            patience: Patience::default(),
            hurry: 1.0,
        }
    }

    /// Connects, and connects again. Ends after [`Link::close`].
    pub async fn run(self, link: Arc<Link>, upward: Arc<dyn Upward>) {
        let mut pace = Pace::default();
        let mut last_words = String::new();
        while !link.is_closing() {
            match connect(&self.target, self.limits, &self.patience).await {
                Ok(connected) => {
                    last_words.clear();
                    tracing::info!(gateway = %self.target.domain, "connected to the XMPP server");
                    let begun = Instant::now();
                    let end = self.converse(connected, &link, &*upward).await;
                    if begun.elapsed() > LASTED {
                        pace = Pace::default();
                    }
                    match end {
                        None => tracing::info!(gateway = %self.target.domain, "the stream is closed"),
                        Some(End::Error(error)) => {
                            pace.slow = error.is_misconfigured();
                            tracing::warn!(gateway = %self.target.domain, "{error}");
                        }
                        Some(end) => tracing::warn!(gateway = %self.target.domain, "{end}"),
                    }
                }
                Err(error) => {
                    pace.slow = error.is_misconfigured();
                    let words = error.to_string();
                    // Said once: the same words every minute would bury everything else.
                    if words == last_words {
                        tracing::debug!(gateway = %self.target.domain, "{words}");
                    } else if error.is_misconfigured() {
                        tracing::error!(gateway = %self.target.domain, "{words}");
                    } else {
                        tracing::warn!(gateway = %self.target.domain, "{words}");
                    }
                    last_words = words;
                }
            }
            tokio::select! {
                () = link.closed() => {}
                () = sleep(pace.next().mul_f64(self.hurry)) => {}
            }
        }
    }

    /// Runs one stream to its end. `None` when it was ours.
    async fn converse(&self, connected: Connected, link: &Link, upward: &dyn Upward) -> Option<End> {
        let Connected {
            mut stream,
            ends,
            mut writer,
        } = connected;
        link.stream_begins(token());
        upward.link_changed();
        let end = {
            let mut reading = Box::pin(reader::read(&mut stream, &ends, link, upward));
            tokio::select! {
                end = &mut reading => Some(end),
                written = writer::write(link, &mut writer, self.patience.confirm) => match written {
                    // Until the server has heard it too: what it sent meanwhile is still to be read.
                    Ok(()) => {
                        let _ = timeout(PARTING, &mut reading).await;
                        None
                    }
                    Err(error) => Some(End::Broken(error.to_string())),
                },
            }
        };
        link.stream_ends();
        upward.link_changed();
        end
    }
}

/// Connects and shakes hands once, and goes again: whether it would work.
///
/// # Errors
/// Why it would not.
pub async fn try_out(target: &Target) -> Result<(), ConnectError> {
    use tokio::io::AsyncWriteExt as _;
    let connected = connect(target, Limits::default(), &Patience::default()).await?;
    let Connected {
        stream, mut writer, ..
    } = connected;
    let _ = writer.write_all(b"</stream:stream>").await;
    let _ = writer.shutdown().await;
    drop(stream);
    Ok(())
}

/// How long to wait between attempts.
#[derive(Default)]
struct Pace {
    attempts: u32,
    /// Whether only the operator can help.
    slow: bool,
}

impl Pace {
    /// The next wait: twice the last one at most, and random by half, so that many gateways do not come back at the
    /// same moment.
    fn next(&mut self) -> Duration {
        let (first, longest) = match self.slow {
            true => (FIRST_OPERATOR_WAIT, LONGEST_OPERATOR_WAIT),
            false => (FIRST_WAIT, LONGEST_WAIT),
        };
        let wait = first.saturating_mul(1 << self.attempts.min(10)).min(longest);
        self.attempts += 1;
        let random = getrandom::u32().unwrap_or(u32::MAX);
        wait.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
    }
}

fn token() -> String {
    format!("{:016x}", getrandom::u64().unwrap_or_default())
}
