//! What is to be sent to the XMPP server, and what of it the server has processed.
//!
//! Everything that is sent belongs to the present *generation*. A fence (a ping to ourselves that travels
//! through the server) closes it: when the fence is back, the server has processed the generation and all before it.
//!
//! Two kinds of stanzas: *marked* ones can be made again from the store, so they are refused when there is no room or
//! no stream; *answers* (results and errors) cannot, so there is more room for them, and those that were not confirmed
//! when a stream ended are sent again on the next.

mod stream;

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
        Self {
            soft: 4 << 20,
            hard: 16 << 20,
            answers: 2 << 20,
        }
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
    pub(in crate::link) ring: Notify,
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
        let shared = Mutex::new(Shared {
            generation: 1,
            ..Shared::default()
        });
        let (era, confirmed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            domain,
            room,
            shared,
            ring: Notify::new(),
            closed: Notify::new(),
            era,
            confirmed,
        }
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

    /// Whether there is a stream in this era.
    #[must_use]
    pub fn is_up_in(era: u64) -> bool {
        !era.is_multiple_of(2)
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
        Outgoing {
            link: self,
            shared,
            before,
        }
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
        shared.await_confirmation();
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
    fn await_confirmation(&mut self) {
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
        self.bytes
            .extend_from_slice(fence(domain, &id).as_str().as_bytes());
        let now = Instant::now();
        let waiting = std::mem::take(&mut self.waiting);
        self.fences.push_back(Fence {
            generation: self.generation,
            sent: now,
            waiting,
        });
        self.last_fence = Some(now);
        self.fence_due = None;
        self.open = false;
        self.generation += 1;
    }

    fn keep(&mut self, stanza: Stanza, limit: usize) {
        self.answer_bytes += stanza.as_str().len();
        self.answers.push_back(Answer {
            generation: self.generation,
            at: Instant::now(),
            stanza,
        });
        while self.answer_bytes > limit {
            let Some(oldest) = self.answers.pop_front() else {
                break;
            };
            self.answer_bytes -= oldest.stanza.as_str().len();
        }
        self.await_confirmation();
    }
}

/// How the ids of our fences begin.
const FENCE_ID: &str = "viaduct-fence-";

/// Whether a stanza is one that its receiver waits for.
fn is_answer(xml: &str) -> bool {
    let head = &xml[..xml.find('>').map_or(xml.len(), |end| end)];
    head.contains(" type='error'") || (head.starts_with("<iq ") && head.contains(" type='result'"))
}
