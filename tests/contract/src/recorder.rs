//! The sink of a session under test: it writes down what was asked and what was told, in one order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use viaduct_bridge::{BoxFuture, Closed, EventSink, RemoteEvent, TransactionId};

use crate::finding::{Found, broken};

/// A line of the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// A command with this id was handed over.
    Asked(TransactionId),
    /// The session told something.
    Told(RemoteEvent),
}

/// The record of one session.
pub(crate) struct Recorder {
    entries: Mutex<Vec<Entry>>,
    news: Notify,
    open: watch::Sender<bool>,
    /// How long to wait for something that ought to happen.
    patience: Duration,
}

impl Recorder {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            entries: Mutex::default(),
            news: Notify::new(),
            open: watch::Sender::new(true),
            patience,
        }
    }

    pub(crate) fn asked(&self, txn: TransactionId) {
        self.lock().push(Entry::Asked(txn));
    }

    /// Takes events, or lets the session wait.
    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Waits for an event that `pick` picks, from a place in the record on. Gives the place after it too.
    pub(crate) async fn wait<T>(
        &self,
        from: usize,
        what: &str,
        mut pick: impl FnMut(&RemoteEvent) -> Option<T>,
    ) -> Found<(usize, T)> {
        let mut at = from;
        let search = async {
            loop {
                let news = self.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                while let Some(entry) = self.entry(at) {
                    at += 1;
                    if let Entry::Told(event) = entry
                        && let Some(picked) = pick(&event)
                    {
                        return (at, picked);
                    }
                }
                news.await;
            }
        };
        match tokio::time::timeout(self.patience, search).await {
            Ok(found) => Ok(found),
            Err(_) => broken(format!("no {what} came; the last that came is\n{}", self.tail())),
        }
    }

    fn entry(&self, at: usize) -> Option<Entry> {
        self.lock().get(at).cloned()
    }

    /// The last few entries, a line each.
    fn tail(&self) -> String {
        let entries = self.lock();
        let tail = entries.iter().skip(entries.len().saturating_sub(10));
        tail.map(|entry| format!("    {entry:?}\n")).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventSink for Recorder {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        Box::pin(async move {
            let mut open = self.open.subscribe();
            open.wait_for(|open| *open).await.map_err(|_| Closed)?;
            self.lock().extend(events.into_iter().map(Entry::Told));
            self.news.notify_waiters();
            Ok(())
        })
    }
}
