//! Running loopback sessions without a runtime, for tests that have none.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::task::noop_waker;

use super::bridge::Spawn;
use crate::BoxFuture;
use crate::bridge::{Closed, EventSink};
use crate::event::RemoteEvent;

/// An executor that runs when it is told to, and stops when there is nothing left to do.
#[derive(Default)]
pub struct Driver {
    spawned: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Driver {
    /// What to give to [`LoopbackBridge::new`](super::LoopbackBridge::new), so that this driver runs its sessions.
    #[must_use]
    pub fn spawner(&self) -> Spawn {
        let spawned = Arc::clone(&self.spawned);
        Box::new(move |future| lock(&spawned).push(future))
    }

    /// Delivers everything that can be delivered now.
    pub fn run(&mut self) {
        let waker = noop_waker();
        let mut context = Context::from_waker(&waker);
        loop {
            self.running.extend(lock(&self.spawned).drain(..));
            match self.running.poll_next_unpin(&mut context) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) | Poll::Pending if lock(&self.spawned).is_empty() => return,
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// A sink that keeps what it is given.
#[derive(Default, Debug)]
pub struct Collected(Mutex<Vec<RemoteEvent>>);

impl Collected {
    /// Everything since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<RemoteEvent> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl EventSink for Collected {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        lock(&self.0).extend(events);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
