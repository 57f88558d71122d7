//! A load: numbered messages at full speed, at most a window of them in flight, timed and priced.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::timeout;

use crate::process::Cpu;
use crate::world::World;

/// How long nothing may arrive before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);
/// The length of a message body.
const BODY: usize = 80;

/// How much is sent, and how fast.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Messages at most.
    pub(crate) messages: u64,
    /// Time after which no more are sent.
    pub(crate) time: Duration,
    /// Messages in flight at most.
    pub(crate) window: u64,
    /// Users who are shown each message.
    pub(crate) fanout: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Messages sent.
    pub(crate) sent: u64,
    /// Messages that the gateway refused.
    pub(crate) refused: u64,
    /// Messages that came out of order or twice.
    pub(crate) disordered: u64,
    /// Seconds from the first sent to the last arrived.
    pub(crate) wall: f64,
    /// CPU seconds of the program.
    pub(crate) cpu: f64,
    /// The share of that time in which the drivers themselves were busy: near 1, they are what limits the rate.
    pub(crate) driver: f64,
}

/// Which way the messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// XMPP to IRC and back to the room; a message is through when both have it.
    Out,
    /// IRC to XMPP.
    In,
    /// XMPP to the echo component and back.
    Echo,
}

impl Load {
    /// Sends it with `send(number)`, and waits for the last message.
    pub(crate) async fn run(&self, world: &World, way: Way, mut send: impl FnMut(u64)) -> Result<Outcome> {
        let (link, irc) = (&world.link, &world.irc);
        let before = world.rest().await?;
        link.reset(self.fanout == 1 || way == Way::In);
        irc.arrived.set(0);
        let through = || {
            let shown = link.delivered.get() / self.fanout;
            let refused = link.refused.get();
            match way {
                Way::Out => shown.min(irc.arrived.get()) + refused,
                Way::In | Way::Echo => shown + refused,
            }
        };
        let own = Cpu::own()?;
        let start = Instant::now();
        let (mut sent, mut open) = (0, true);
        let quiet = Cell::new((through(), Instant::now()));
        while open || through() < sent {
            open = open && sent < self.messages && start.elapsed() < self.time;
            while open && sent < self.messages && sent - through() < self.window {
                sent += 1;
                send(sent);
            }
            link.check()?;
            // A ring while the window was being filled is kept, so none is missed.
            let _ = timeout(Duration::from_millis(200), world.progress().notified()).await;
            let (seen, since) = quiet.get();
            if through() != seen {
                quiet.set((through(), Instant::now()));
            } else if since.elapsed() > PATIENCE {
                bail!(
                    "{way:?}: of {sent} messages, each for {}, {} were shown, {} reached IRC, {} were refused; \
                     last error {:?}",
                    self.fanout,
                    link.delivered.get(),
                    irc.arrived.get(),
                    link.refused.get(),
                    link.error.borrow(),
                );
            }
        }
        let end = if way == Way::Out {
            link.last.get().max(irc.last.get())
        } else {
            link.last.get()
        };
        let wall = end.duration_since(start).as_secs_f64();
        let driver = Cpu::own()?.since(&own) / wall;
        let after = world.rest().await?;
        Ok(Outcome {
            sent,
            refused: link.refused.get(),
            disordered: link.disordered.get(),
            wall,
            driver,
            cpu: after.since(&before),
        })
    }
}

impl Outcome {
    /// CPU seconds for 10,000 messages.
    pub(crate) fn cpu_per_10_000(&self) -> f64 {
        self.cpu / self.sent as f64 * 10_000.0
    }

    /// Messages a second.
    pub(crate) fn rate(&self) -> f64 {
        self.sent as f64 / self.wall
    }
}

/// A rendered message with gaps for its number.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    gaps: Vec<usize>,
}

impl Template {
    /// What a user says in a channel.
    pub(crate) fn stanza(user: &str, room: &str) -> Self {
        Self::new(&format!(
            "<message from='{user}' to='{room}' type='groupchat' id='m#########'><body>{}</body></message>",
            body()
        ))
    }

    /// What somebody on IRC says.
    pub(crate) fn text() -> Self {
        Self::new(&body())
    }

    fn new(text: &str) -> Self {
        let gaps = text.match_indices("m#########").map(|(at, _)| at + 1).collect();
        Self {
            bytes: text.as_bytes().to_vec(),
            gaps,
        }
    }

    /// The bytes of message `number`.
    pub(crate) fn render(&mut self, number: u64) -> &[u8] {
        let mut digits = [b'0'; 9];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        for gap in &self.gaps {
            self.bytes[*gap..*gap + 9].copy_from_slice(&digits);
        }
        &self.bytes
    }
}

fn body() -> String {
    let text = "m######### the quick brown fox jumps over the lazy dog, and again, and once more it does so";
    text[..BODY].to_owned()
}
