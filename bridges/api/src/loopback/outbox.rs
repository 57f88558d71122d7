//! The events of one session on their way to its sink.
//!
//! What happens on the network is decided at once and under one lock; telling a session of it takes as long as its
//! sink likes. The outbox lies between: [`Outbox::push`] never waits, [`pump`] does. It has no bound, as nothing in
//! an in-memory network could be slowed down by one; a real bridge stops reading from its connection instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::task::AtomicWaker;

use crate::bridge::EventSink;
use crate::event::RemoteEvent;

/// The queue between the network and one sink.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    events: Vec<RemoteEvent>,
    ended: bool,
}

impl Outbox {
    /// Adds an event, unless the outbox has been ended.
    pub(super) fn push(&self, event: RemoteEvent) {
        let mut queue = self.lock();
        if !queue.ended {
            queue.events.push(event);
            drop(queue);
            self.waker.wake();
        }
    }

    /// Takes no more events; those that are in it are still delivered.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.waker.wake();
    }

    /// All that has come since the last time; `None` after the end.
    async fn next(&self) -> Option<Vec<RemoteEvent>> {
        std::future::poll_fn(|context| {
            self.waker.register(context.waker());
            let mut queue = self.lock();
            if !queue.events.is_empty() {
                Poll::Ready(Some(std::mem::take(&mut queue.events)))
            } else if queue.ended {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries events from the outbox to the sink until one of them ends.
pub(super) async fn pump(outbox: Arc<Outbox>, sink: Arc<dyn EventSink>) {
    while let Some(events) = outbox.next().await {
        if sink.send(events).await.is_err() {
            outbox.end();
            return;
        }
    }
}
