//! The queue to the writer: lanes in, tickets out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot};
use viaduct_core::records::Write;

use crate::error::CommitError;

/// How many writes wait at most, those that are being committed among them.
const CAPACITY: u32 = 16_384;

/// What is known of a lane.
#[derive(Debug)]
pub(crate) struct LaneState {
    failed: AtomicBool,
    /// In which era it began, and which it is now.
    began: u64,
    era: Arc<AtomicU64>,
}

impl LaneState {
    /// Whether a write of it has failed, or the database has lost some.
    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) || self.era.load(Ordering::Acquire) != self.began
    }
}

/// What one caller wants committed together.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) writes: Vec<Write>,
    pub(crate) lane: Option<Arc<LaneState>>,
    done: oneshot::Sender<Result<(), CommitError>>,
    /// Its share of the queue.
    _room: OwnedSemaphorePermit,
}

impl Request {
    /// Whether an earlier write of its lane has failed.
    pub(crate) fn lane_failed(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.has_failed())
    }

    /// Tells the caller how it went.
    pub(crate) fn resolve(self, outcome: Result<(), CommitError>) {
        if outcome.is_err()
            && let Some(lane) = &self.lane
        {
            lane.failed.store(true, Ordering::Release);
        }
        // The caller need not wait for it.
        let _ = self.done.send(outcome);
    }
}

/// Becomes the outcome of a commit.
///
/// When it is `Ok`, everything that was written is in the database. When it is an error, nothing of it is.
#[derive(Debug)]
#[must_use = "a write may fail"]
pub struct CommitTicket(oneshot::Receiver<Result<(), CommitError>>);

impl Future for CommitTicket {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = std::task::ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(outcome.unwrap_or(Err(CommitError::Closed)))
    }
}

/// The queue has no room at the moment. Carries what was not taken.
#[derive(Debug)]
pub struct QueueFull(pub Vec<Write>);

/// The way to the writer. What bounds it is the number of writes, not of requests.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    era: Arc<AtomicU64>,
}

impl Queue {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Request>) {
        // Every request takes room for at least one write, so there can be no more of them.
        let (sender, receiver) = mpsc::channel(CAPACITY as usize);
        let room = Arc::new(Semaphore::new(CAPACITY as usize));
        let era = Arc::default();
        (Self { sender, room, era }, receiver)
    }

    /// What the writer counts up when the database has lost what it had confirmed.
    pub(crate) fn era(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.era)
    }

    pub(crate) async fn write(&self, writes: Vec<Write>, lane: Option<Arc<LaneState>>) -> CommitTicket {
        let room = Arc::clone(&self.room).acquire_many_owned(room_for(&writes)).await;
        let room = room.expect("the semaphore is never closed");
        self.hand_in(writes, lane, room)
    }

    pub(crate) fn try_write(
        &self,
        writes: Vec<Write>,
        lane: Option<Arc<LaneState>>,
    ) -> Result<CommitTicket, QueueFull> {
        match Arc::clone(&self.room).try_acquire_many_owned(room_for(&writes)) {
            Ok(room) => Ok(self.hand_in(writes, lane, room)),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(QueueFull(writes)),
        }
    }

    fn hand_in(
        &self,
        writes: Vec<Write>,
        lane: Option<Arc<LaneState>>,
        room: OwnedSemaphorePermit,
    ) -> CommitTicket {
        let (done, ticket) = oneshot::channel();
        let request = Request {
            writes,
            lane,
            done,
            _room: room,
        };
        // It fails only if the writer is gone. Then `done` goes with the request, and the ticket says that the store is
        // closed.
        let _ = self.sender.try_send(request);
        CommitTicket(ticket)
    }
}

/// A request that is larger than the queue is let in when it is alone.
fn room_for(writes: &[Write]) -> u32 {
    u32::try_from(writes.len()).unwrap_or(CAPACITY).clamp(1, CAPACITY)
}

/// The writes of one actor. They are committed in the order in which they are handed in; when one fails, all later ones
/// of the same lane fail too ([`CommitError::Earlier`]), also those that were queued already. So an actor that runs
/// ahead of its commits leaves no gap behind: it is rebuilt from the store, with a new lane.
#[derive(Debug)]
pub struct Lane {
    queue: Queue,
    state: Arc<LaneState>,
}

impl Lane {
    pub(crate) fn new(queue: Queue) -> Self {
        let state = LaneState {
            failed: AtomicBool::new(false),
            began: queue.era.load(Ordering::Acquire),
            era: queue.era(),
        };
        Self {
            queue,
            state: Arc::new(state),
        }
    }

    /// Hands in writes that belong together. The future ends as soon as they are queued: at once in general, and when
    /// there is room again if the writer has fallen behind. Dropped before that, it has queued nothing.
    pub async fn write(&mut self, writes: Vec<Write>) -> CommitTicket {
        self.queue.write(writes, Some(Arc::clone(&self.state))).await
    }

    /// Hands in writes if there is room for them.
    ///
    /// # Errors
    /// Gives them back if there is none. Later writes must not be handed in before these.
    pub fn try_write(&mut self, writes: Vec<Write>) -> Result<CommitTicket, QueueFull> {
        self.queue.try_write(writes, Some(Arc::clone(&self.state)))
    }

    /// Whether a write has failed, so that all later ones will.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state.has_failed()
    }
}
