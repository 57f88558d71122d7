//! The steward: carries what administrators want of the process as a whole from their logins to the main loop.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use viaduct_bridge::{BoxFuture, Name};
use viaduct_core::errand::{Errand, Order, Reach};

use super::gateway::Running;
use crate::actor;

/// How many orders may wait for the main loop.
const MOST_WAITING: usize = 8;
/// How long the logins may take to put everybody out.
const CLOSING: Duration = Duration::from_secs(3);
/// How long the logins may take to tell everybody something.
const TELLING: Duration = Duration::from_secs(10);

/// What became of an order, in words.
pub(super) type Obeyed = Result<String, String>;

/// An order, and who waits for what becomes of it.
pub(super) type Ordered = (Order, oneshot::Sender<Obeyed>);

/// Where the logins leave their orders.
pub(super) struct Steward(mpsc::Sender<Ordered>);

impl Steward {
    /// A steward, and where its orders come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Ordered>) {
        let (orders, ordered) = mpsc::channel(MOST_WAITING);
        (Self(orders), ordered)
    }
}

impl actor::Steward for Steward {
    fn obey(&self, order: Order) -> BoxFuture<'static, Obeyed> {
        let (done, obeyed) = oneshot::channel();
        let taken = self.0.try_send((order, done));
        Box::pin(async move {
            if taken.is_err() {
                return Err("The gateway is busy with other orders. Please try again later.".to_owned());
            }
            let gone = |_| Err("The gateway is about to stop.".to_owned());
            obeyed.await.unwrap_or_else(gone)
        })
    }
}

/// An end that was announced.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    at: Instant,
    words: Name,
    /// Whether whoever looks after the process is to start it again.
    pub(super) again: bool,
}

impl Ending {
    /// Announces an end to everybody on all gateways. A later order replaces it.
    pub(super) fn announce(gateways: &[Running], again: bool, after: Duration, words: Name) -> Self {
        for gateway in gateways {
            let (router, words) = (gateway.router.clone(), words.clone());
            tokio::spawn(async move { router.reach(everybody(Errand::Announce(words)), TELLING).await });
        }
        let at = Instant::now() + after;
        Self { at, words, again }
    }

    /// What the administrator is told.
    pub(super) fn in_words(&self) -> String {
        let what = if self.again { "restarts" } else { "stops" };
        match self
            .at
            .saturating_duration_since(Instant::now())
            .as_secs_f32()
            .round()
        {
            0.0 => format!("The gateway {what} now."),
            seconds => format!("The gateway {what} in {seconds} seconds."),
        }
    }

    /// Takes everybody out of their rooms, and waits until that is done.
    pub(super) async fn put_everybody_out(&self, gateways: &[Running]) {
        let out = gateways.iter().map(|gateway| {
            let close = everybody(Errand::Close(self.words.clone()));
            gateway.router.reach(close, CLOSING)
        });
        futures::future::join_all(out).await;
    }
}

/// Resolves when it is time for an end that was announced; never, if none was.
pub(super) async fn due(ending: Option<&Ending>) {
    match ending {
        Some(ending) => sleep_until(ending.at).await,
        None => std::future::pending().await,
    }
}

fn everybody(errand: Errand) -> Reach {
    Reach::Everybody { errand, most: 0 }
}
