//! What is to be sent to the XMPP server, and what of it the server has processed.
//!
//! Everything that is sent belongs to the present *generation*. A fence (a ping to ourselves through the server,
//! `design.md` §4) closes it: when the fence is back, the server has processed the generation and all before it.
//!
//! Two kinds of stanzas: *marked* ones can be made again from the store, so they are refused when there is no room or
//! no stream; *answers* (results and errors) cannot, so there is more room for them, and those that were not confirmed
//! when a stream ended are sent again on the next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use viaduct_bridge::Name;
use viaduct_core::context::fence;
use viaduct_core::xml::Stanza;

/// How much may wait to be written.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes beyond which marked stanzas are refused.
    pub soft: usize,
    /// Bytes beyond which everything is.
    pub hard: usize,
    /// Bytes of unconfirmed answers that are kept to be sent again.
    pub answers: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { soft: 4 << 20, hard: 16 << 20, answers: 2 << 20 }
    }
}

/// The least time between two fences.
const FENCE_EVERY: Duration = Duration::from_millis(50);
/// How long the first stanza after a pause waits for company before a fence follows it.
const FENCE_AFTER: Duration = Duration::from_millis(10);
/// How old an answer may be that is still worth sending on a new stream.
const ANSWER_AGE: Duration = Duration::from_secs(300);

/// Somebody who wants to know when something about the link has changed: a confirmation, or room again.
pub trait Listener: Send + Sync {
    /// Look at the link again. Must not block.
    fn wake(&self);
}

/// A queue towards the XMPP server for one component domain.
pub struct Link {
    domain: Name,
    room: Room,
    shared: Mutex<Shared>,
    /// Wakes the writer.
    pub(super) ring: Notify,
    /// Rung once, at the end.
    closed: Notify,
    /// Odd while there is a stream; counts up with every beginning and end.
    era: AtomicU64,
    /// The newest generation that the server has processed.
    confirmed: AtomicU64,
}

#[derive(Default)]
struct Shared {
    bytes: Vec<u8>,
    /// Bytes that the writer is busy with.
    writing: usize,
    up: bool,
    closing: bool,
    /// Makes the ids of fences unguessable and those of an old stream void.
    token: String,
    generation: u64,
    /// Whether the present generation has anything that is to be confirmed.
    open: bool,
    waiting: Vec<Arc<dyn Listener>>,
    fences: VecDeque<Fence>,
    fence_due: Option<Instant>,
    last_fence: Option<Instant>,
    blocked: Vec<Arc<dyn Listener>>,
    answers: VecDeque<Answer>,
    answer_bytes: usize,
}

struct Fence {
    generation: u64,
    sent: Instant,
    waiting: Vec<Arc<dyn Listener>>,
}

struct Answer {
    generation: u64,
    at: Instant,
    stanza: Stanza,
}

/// A marked stanza was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// There is no stream, or not the same one any more.
    Gone,
    /// There is no room; the listener will be told when there is.
    Blocked,
}

impl Link {
    /// A link without a stream.
    #[must_use]
    pub fn new(domain: Name, room: Room) -> Self {
        let shared = Mutex::new(Shared { generation: 1, ..Shared::default() });
        let (era, confirmed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { domain, room, shared, ring: Notify::new(), closed: Notify::new(), era, confirmed }
    }

    /// The component domain.
    #[must_use]
    pub fn domain(&self) -> &Name {
        &self.domain
    }

    /// Odd while there is a stream; counts up with every beginning and end.
    #[must_use]
    pub fn era(&self) -> u64 {
        self.era.load(Ordering::Acquire)
    }

    /// The newest generation that the server has processed.
    #[must_use]
    pub fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Whether marked stanzas would be taken.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let shared = self.lock();
        shared.up && shared.backlog() < self.room.soft
    }

    /// Opens the queue to send some stanzas in a row. Keep it short: everybody else waits.
    #[must_use]
    pub fn outgoing(&self) -> Outgoing<'_> {
        let shared = self.lock();
        let before = shared.bytes.len();
        Outgoing { link: self, shared, before }
    }

    /// Sends one answer.
    pub fn answer(&self, stanza: Stanza) {
        self.outgoing().send(stanza);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("no holder of this lock panics")
    }
}

/// The queue, opened.
pub struct Outgoing<'a> {
    link: &'a Link,
    shared: MutexGuard<'a, Shared>,
    before: usize,
}

impl Outgoing<'_> {
    /// Queues a stanza that can be made again, for the stream of this era. Gives the generation whose confirmation
    /// confirms it; with `first`, the listener is woken then (ask once for each generation).
    ///
    /// # Errors
    /// When it was not taken.
    pub fn send_marked(&mut self, stanza: &Stanza, era: u64) -> Result<u64, Refused> {
        let shared = &mut *self.shared;
        if !shared.up || self.link.era() != era {
            return Err(Refused::Gone);
        }
        if shared.backlog() >= self.link.room.soft {
            return Err(Refused::Blocked);
        }
        shared.bytes.extend_from_slice(stanza.as_str().as_bytes());
        shared.to_confirm();
        Ok(shared.generation)
    }

    /// Wakes the listener when the present generation is confirmed.
    pub fn when_confirmed(&mut self, listener: Arc<dyn Listener>) {
        self.shared.waiting.push(listener);
    }

    /// Wakes the listener when there is room again.
    pub fn when_room(&mut self, listener: Arc<dyn Listener>) {
        self.shared.blocked.push(listener);
    }

    /// Queues a stanza that cannot be made again.
    pub fn send(&mut self, stanza: Stanza) {
        let shared = &mut *self.shared;
        if shared.up {
            if shared.backlog() >= self.link.room.hard {
                tracing::warn!(gateway = %self.link.domain, "the XMPP server takes nothing; an answer was dropped");
                return;
            }
            shared.bytes.extend_from_slice(stanza.as_str().as_bytes());
        }
        if is_answer(stanza.as_str()) {
            shared.keep(stanza, self.link.room.answers);
        }
    }
}

impl Drop for Outgoing<'_> {
    fn drop(&mut self) {
        if self.shared.bytes.len() != self.before {
            self.link.ring.notify_one();
        }
    }
}

impl Shared {
    fn backlog(&self) -> usize {
        self.bytes.len() + self.writing
    }

    /// Something in the present generation is to be confirmed: a fence must follow.
    fn to_confirm(&mut self) {
        if !self.open {
            self.open = true;
            self.plan_fence();
        }
    }

    fn plan_fence(&mut self) {
        if self.open && self.up && self.fences.is_empty() && self.fence_due.is_none() {
            let soon = Instant::now() + FENCE_AFTER;
            self.fence_due = Some(self.last_fence.map_or(soon, |last| soon.max(last + FENCE_EVERY)));
        }
    }

    fn put_fence(&mut self, domain: &str) {
        let id = format!("{}{}-{}", FENCE_ID, self.token, self.generation);
        self.bytes.extend_from_slice(fence(domain, &id).as_str().as_bytes());
        let now = Instant::now();
        let waiting = std::mem::take(&mut self.waiting);
        self.fences.push_back(Fence { generation: self.generation, sent: now, waiting });
        self.last_fence = Some(now);
        self.fence_due = None;
        self.open = false;
        self.generation += 1;
    }

    fn keep(&mut self, stanza: Stanza, limit: usize) {
        self.answer_bytes += stanza.as_str().len();
        self.answers.push_back(Answer { generation: self.generation, at: Instant::now(), stanza });
        while self.answer_bytes > limit {
            let Some(oldest) = self.answers.pop_front() else { break };
            self.answer_bytes -= oldest.stanza.as_str().len();
        }
        self.to_confirm();
    }
}

/// How the ids of our fences begin.
const FENCE_ID: &str = "viaduct-fence-";

/// Whether a stanza is one that its receiver waits for.
fn is_answer(xml: &str) -> bool {
    let head = &xml[..xml.find('>').map_or(xml.len(), |end| end)];
    head.contains(" type='error'") || (head.starts_with("<iq ") && head.contains(" type='result'"))
}

/// What the writer, the reader and the supervisor of a stream do with the queue.
impl Link {
    /// A stream begins. What was not confirmed of the answers on the last one is sent again first.
    pub(super) fn stream_begins(&self, token: String) {
        let mut shared = self.lock();
        let shared = &mut *shared;
        shared.bytes.clear();
        shared.writing = 0;
        shared.token = token;
        shared.up = true;
        shared.fence_due = None;
        shared.last_fence = None;
        let now = Instant::now();
        while shared.answers.front().is_some_and(|answer| now - answer.at > ANSWER_AGE) {
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
    pub(super) fn stream_ends(&self) {
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
    pub(super) fn take(&self, out: &mut Vec<u8>) -> Taken {
        let mut shared = self.lock();
        if shared.fence_due.is_some_and(|due| due <= Instant::now()) {
            shared.put_fence(&self.domain);
        }
        std::mem::swap(&mut shared.bytes, out);
        shared.writing = out.len();
        let unblocked = if shared.backlog() < self.room.soft / 4 { std::mem::take(&mut shared.blocked) } else { Vec::new() };
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
    pub(super) fn probe(&self) {
        self.lock().put_fence(&self.domain);
        self.ring.notify_one();
    }

    /// A stanza of our own domain came back with this id. Whether it was a fence of the present stream.
    pub(super) fn fence_returned(&self, id: &str) -> bool {
        let mut shared = self.lock();
        let number = id
            .strip_prefix(FENCE_ID)
            .and_then(|rest| rest.strip_prefix(shared.token.as_str()))
            .and_then(|rest| rest.strip_prefix('-')?.parse::<u64>().ok());
        let Some(generation) = number.filter(|number| *number < shared.generation && shared.up) else {
            return false;
        };
        let mut wake = Vec::new();
        while shared.fences.front().is_some_and(|fence| fence.generation <= generation) {
            wake.extend(shared.fences.pop_front().map(|fence| fence.waiting));
        }
        while shared.answers.front().is_some_and(|answer| answer.generation <= generation) {
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
    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// Resolves after [`Link::close`].
    pub(super) async fn closed(&self) {
        let notified = self.closed.notified();
        if !self.is_closing() {
            notified.await;
        }
    }
}

/// What the writer learns beside the bytes.
pub(super) struct Taken {
    /// When the next fence is to be sent.
    pub(super) fence_due: Option<Instant>,
    /// When the oldest fence was sent that is not back.
    pub(super) oldest_fence: Option<Instant>,
    /// Whether the stream is to end after these bytes.
    pub(super) closing: bool,
}
