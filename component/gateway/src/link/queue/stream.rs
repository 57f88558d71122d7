//! The other side of the queue: what the supervisor, the writer and the reader of a stream do with it.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{ANSWER_AGE, FENCE_ID, Link};

impl Link {
    /// A stream begins. What was not confirmed of the answers on the last one is sent again first.
    pub(in crate::link) fn stream_begins(&self, token: String) {
        let mut shared = self.lock();
        let shared = &mut *shared;
        shared.bytes.clear();
        shared.writing = 0;
        shared.token = token;
        shared.up = true;
        shared.fence_due = None;
        shared.last_fence = None;
        let now = Instant::now();
        while shared
            .answers
            .front()
            .is_some_and(|answer| now - answer.at > ANSWER_AGE)
        {
            if let Some(old) = shared.answers.pop_front() {
                shared.answer_bytes -= old.stanza.as_str().len();
            }
        }
        for answer in &mut shared.answers {
            answer.generation = shared.generation;
            shared.bytes.extend_from_slice(answer.stanza.as_str().as_bytes());
        }
        // At once, so that a server that does not return fences is found out at once.
        shared.put_fence(&self.domain);
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    /// The stream has ended. What was not confirmed never will be.
    pub(in crate::link) fn stream_ends(&self) {
        let mut shared = self.lock();
        shared.up = false;
        shared.bytes = Vec::new();
        shared.writing = 0;
        shared.fences.clear();
        shared.waiting.clear();
        shared.fence_due = None;
        shared.open = false;
        shared.generation += 1;
        // Whoever was blocked learns of the end with everybody else.
        shared.blocked.clear();
        self.era.fetch_add(1, Ordering::AcqRel);
    }

    /// What the writer is to write now: everything, in `out`. Tells the room that this makes.
    pub(in crate::link) fn take(&self, out: &mut Vec<u8>) -> Taken {
        let mut shared = self.lock();
        if shared.fence_due.is_some_and(|due| due <= Instant::now()) {
            shared.put_fence(&self.domain);
        }
        std::mem::swap(&mut shared.bytes, out);
        shared.writing = out.len();
        let unblocked = if shared.backlog() < self.room.soft / 4 {
            std::mem::take(&mut shared.blocked)
        } else {
            Vec::new()
        };
        let taken = Taken {
            fence_due: shared.fence_due,
            oldest_fence: shared.fences.front().map(|fence| fence.sent),
            closing: shared.closing,
        };
        drop(shared);
        for listener in unblocked {
            listener.wake();
        }
        taken
    }

    /// Sends a fence now, to see whether the server is there.
    pub(in crate::link) fn probe(&self) {
        self.lock().put_fence(&self.domain);
        self.ring.notify_one();
    }

    /// A stanza of our own domain came back with this id. Whether it was a fence of the present stream.
    pub(in crate::link) fn fence_returned(&self, id: &str) -> bool {
        let mut shared = self.lock();
        let number = id
            .strip_prefix(FENCE_ID)
            .and_then(|rest| rest.strip_prefix(shared.token.as_str()))
            .and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
        let Some(generation) = number.filter(|number| *number < shared.generation && shared.up) else {
            return false;
        };
        let mut wake = Vec::new();
        while shared
            .fences
            .front()
            .is_some_and(|fence| fence.generation <= generation)
        {
            wake.extend(shared.fences.pop_front().map(|fence| fence.waiting));
        }
        while shared
            .answers
            .front()
            .is_some_and(|answer| answer.generation <= generation)
        {
            if let Some(done) = shared.answers.pop_front() {
                shared.answer_bytes -= done.stanza.as_str().len();
            }
        }
        self.confirmed.fetch_max(generation, Ordering::AcqRel);
        shared.plan_fence();
        let due = shared.fence_due.is_some();
        drop(shared);
        if due {
            self.ring.notify_one();
        }
        for listener in wake.into_iter().flatten() {
            listener.wake();
        }
        true
    }

    /// Nothing more will be sent: the writer writes what there is, and ends the stream.
    pub fn close(&self) {
        self.lock().closing = true;
        self.ring.notify_one();
        self.closed.notify_waiters();
    }

    /// Whether [`Link::close`] has been called.
    pub(in crate::link) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Resolves after [`Link::close`].
    pub(in crate::link) async fn closed(&self) {
        let notified = self.closed.notified();
        if !self.is_closing() {
            notified.await;
        }
    }
}

/// What the writer learns beside the bytes.
pub(in crate::link) struct Taken {
    /// When the next fence is to be sent.
    pub(in crate::link) fence_due: Option<Instant>,
    /// When the oldest fence was sent that is not back.
    pub(in crate::link) oldest_fence: Option<Instant>,
    /// Whether the stream is to end after these bytes.
    pub(in crate::link) closing: bool,
}

#[cfg(test)]
impl Link {
    /// A stream begins.
    pub(crate) fn test_begin(&self) {
        self.stream_begins("test".to_owned());
    }

    /// The stream ends.
    pub(crate) fn test_end(&self) {
        self.stream_ends();
    }

    /// Everything that was sent since the last call; fences are given back as a server would.
    pub(crate) fn test_take(&self, give_fences_back: bool) -> String {
        let mut bytes = Vec::new();
        self.take(&mut bytes);
        let text = String::from_utf8(bytes).expect("stanzas are text");
        self.take(&mut Vec::new());
        if give_fences_back {
            for rest in text.split(" id='").skip(1) {
                if let Some(id) = rest.split('\'').next().filter(|id| id.starts_with(FENCE_ID)) {
                    self.fence_returned(id);
                }
            }
        }
        text
    }
}
