//! What waits for an actor. Bounded, and small while it is empty.
//!
//! The reader of the link never waits: a stanza for which there is no room comes back. The session of the network
//! waits, so that it slows down its own network. A leave and the answer to a request of ours always find room: for
//! them some is reserved.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use viaduct_bridge::{BoxFuture, Closed, EventSink, RemoteEvent, Step};
use viaduct_core::effect::FlowId;
use viaduct_core::errand::RequestId;
use viaduct_core::stanza::{Incoming, Kind};

use super::errands::{Slip, Told};
use crate::link::Listener;

/// How many stanzas may wait for one actor.
const STANZAS: usize = 4096;
/// How many bytes of stanzas, as they were on the wire (in memory they are several times that).
const STANZA_BYTES: usize = 2 << 20;
/// How many events of the network may wait; a batch that begins below this is taken whole.
const EVENTS: usize = 1024;
/// How many bytes of stanzas may wait for all actors together.
const ALL_BYTES: usize = 24 << 20;

/// One thing that waits.
pub(super) enum Item {
    /// A stanza, and its size on the wire.
    Stanza(Box<Incoming>, u32),
    /// What happened on the network, told by the session of this number.
    Events(Vec<RemoteEvent>, u32),
    /// The next step of a login.
    Step(Box<(FlowId, Step)>),
    /// What an administrator asks of this login.
    Errand(Box<Slip>),
    /// What became of something that this login asked of others.
    Told(Box<(RequestId, Told)>),
}

/// Bytes of stanzas that wait for any actor of the process.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

/// What waits for one actor.
pub(super) struct Mailbox {
    state: Mutex<State>,
    budget: Arc<Budget>,
    /// Wakes the actor.
    ring: Notify,
    /// Wakes a session that waits for room.
    room: Notify,
}

#[derive(Default)]
struct State {
    items: VecDeque<Item>,
    stanzas: usize,
    bytes: usize,
    events: usize,
    closed: bool,
    stopping: bool,
}

/// A stanza was not taken.
pub(super) enum NotTaken {
    /// There is no room.
    Full(Box<Incoming>),
    /// The actor is gone.
    Closed(Box<Incoming>),
}

impl Mailbox {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            state: Mutex::default(),
            budget,
            ring: Notify::new(),
            room: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Puts a stanza in, if there is room.
    pub(super) fn stanza(&self, incoming: Box<Incoming>, size: usize) -> Result<(), NotTaken> {
        let spare = if is_shed(&incoming) { 1 } else { 2 };
        let mut state = self.lock();
        if state.closed {
            return Err(NotTaken::Closed(incoming));
        }
        let all = self.budget.0.load(Ordering::Relaxed);
        if state.stanzas >= STANZAS * spare
            || state.bytes + size > STANZA_BYTES * spare
            || all + size > ALL_BYTES * spare
        {
            return Err(NotTaken::Full(incoming));
        }
        self.budget.0.fetch_add(size, Ordering::Relaxed);
        state.stanzas += 1;
        state.bytes += size;
        let first = state.items.is_empty();
        state
            .items
            .push_back(Item::Stanza(incoming, u32::try_from(size).unwrap_or(u32::MAX)));
        drop(state);
        if first {
            self.ring.notify_one();
        }
        Ok(())
    }

    /// Puts a step of a login in.
    pub(super) fn step(&self, flow: FlowId, step: Step) {
        // Where nobody is any more, nobody wants it.
        let _ = self.put(Item::Step(Box::new((flow, step))));
    }

    /// Puts an errand in. Whether the actor is still there to do it. There are few: each administrator may have but some
    /// under way.
    pub(super) fn errand(&self, slip: Box<Slip>) -> bool {
        self.put(Item::Errand(slip))
    }

    /// Puts the answers to a request in.
    pub(super) fn told(&self, request: RequestId, told: Told) {
        // Where nobody is any more, nobody waits.
        let _ = self.put(Item::Told(Box::new((request, told))));
    }

    fn put(&self, item: Item) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.items.push_back(item);
        drop(state);
        self.ring.notify_one();
        true
    }

    /// Puts events in if there is room; else they come back.
    fn try_events(
        &self,
        events: Vec<RemoteEvent>,
        session: u32,
    ) -> Result<(), Result<Vec<RemoteEvent>, Closed>> {
        let mut state = self.lock();
        if state.closed {
            return Err(Err(Closed));
        }
        if state.events >= EVENTS {
            return Err(Ok(events));
        }
        state.events += events.len();
        let first = state.items.is_empty();
        state.items.push_back(Item::Events(events, session));
        drop(state);
        if first {
            self.ring.notify_one();
        }
        Ok(())
    }

    /// Takes up to so many items out.
    pub(super) fn drain(&self, most: usize, out: &mut Vec<Item>) {
        let mut state = self.lock();
        let amount = state.items.len().min(most);
        let waited = state.events >= EVENTS;
        let mut bytes = 0;
        for item in state.items.drain(..amount) {
            out.push(item);
        }
        for item in &*out {
            match item {
                Item::Stanza(_, size) => {
                    state.stanzas -= 1;
                    bytes += *size as usize;
                }
                Item::Events(events, _) => state.events -= events.len(),
                Item::Step(_) | Item::Errand(_) | Item::Told(_) => {}
            }
        }
        state.bytes -= bytes;
        self.budget.0.fetch_sub(bytes, Ordering::Relaxed);
        let room = waited && state.events < EVENTS;
        if !state.items.is_empty() {
            // The permit of what is left may have been used up for what was taken.
            self.ring.notify_one();
        } else if state.items.capacity() > 64 {
            state.items = VecDeque::new();
        }
        drop(state);
        if room {
            self.room.notify_waiters();
        }
    }

    /// Resolves when there may be something to look at.
    pub(super) async fn rung(&self) {
        self.ring.notified().await;
    }

    /// Asks the actor to end its work in order.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.ring.notify_one();
    }

    /// Whether [`Mailbox::stop`] was called.
    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().items.is_empty()
    }

    /// Closes it if nothing waits. Whether it is closed now.
    pub(super) fn close_if_empty(&self) -> bool {
        let mut state = self.lock();
        state.closed |= state.items.is_empty();
        state.closed
    }

    /// Closes it whatever waits, and gives that.
    pub(super) fn close(&self) -> Vec<Item> {
        self.lock().closed = true;
        let mut left = Vec::new();
        self.drain(usize::MAX, &mut left);
        self.room.notify_waiters();
        left
    }
}

impl Listener for Mailbox {
    fn wake(&self) {
        self.ring.notify_one();
    }
}

/// Whether a stanza may be refused when there is much to do. A leave and the answer to a request of ours may not.
fn is_shed(incoming: &Incoming) -> bool {
    match incoming.kind {
        Kind::Presence => !matches!(incoming.ty(), "unavailable" | "error"),
        Kind::Iq => incoming.is_request(),
        Kind::Message => !incoming.is_error(),
    }
}

/// Where the events of one session go.
pub(super) struct Sink {
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) session: u32,
}

impl EventSink for Sink {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        Box::pin(async move {
            let mut events = events;
            loop {
                let room = self.mailbox.room.notified();
                events = match self.mailbox.try_events(events, self.session) {
                    Ok(()) => return Ok(()),
                    Err(Ok(events)) => events,
                    Err(Err(closed)) => return Err(closed),
                };
                room.await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use viaduct_bridge::{EventSink, Outcome, RemoteEvent, TransactionId};
    use viaduct_core::stanza::Incoming;

    use super::{Budget, EVENTS, Item, Mailbox, NotTaken, STANZAS, Sink};

    fn stanza(xml: &str) -> Box<Incoming> {
        let xml = xml.replace(
            "<x",
            "<message xmlns='jabber:component:accept' from='a@b/c' to='d@e'",
        );
        let xml = xml.replace(
            "<p",
            "<presence xmlns='jabber:component:accept' from='a@b/c' to='d@e'",
        );
        Box::new(Incoming::parse(xml.parse().expect("well-formed")).expect("a stanza"))
    }

    fn event() -> RemoteEvent {
        RemoteEvent::Outcome {
            txn: TransactionId(1),
            outcome: Outcome::Accepted {
                ids: Vec::new(),
                at: None,
            },
        }
    }

    #[test]
    fn items_are_small() {
        assert!(size_of::<Item>() <= 32, "{}", size_of::<Item>());
    }

    #[test]
    fn a_leave_finds_room_when_nothing_else_does() {
        let mailbox = Mailbox::new(Arc::new(Budget::default()));
        for _ in 0..STANZAS {
            assert!(mailbox.stanza(stanza("<x/>"), 100).is_ok());
        }
        assert!(matches!(
            mailbox.stanza(stanza("<x/>"), 100),
            Err(NotTaken::Full(_))
        ));
        assert!(mailbox.stanza(stanza("<p type='unavailable'/>"), 100).is_ok());
        let mut out = Vec::new();
        mailbox.drain(10, &mut out);
        assert!(mailbox.stanza(stanza("<x/>"), 100).is_ok());
        assert!(matches!(
            mailbox.stanza(stanza("<x/>"), 3 << 20),
            Err(NotTaken::Full(_))
        ));
        mailbox.close();
        assert!(matches!(
            mailbox.stanza(stanza("<x/>"), 100),
            Err(NotTaken::Closed(_))
        ));
    }

    #[tokio::test]
    async fn a_session_waits_for_room() {
        let mailbox = Arc::new(Mailbox::new(Arc::new(Budget::default())));
        let sink = Sink {
            mailbox: Arc::clone(&mailbox),
            session: 1,
        };
        sink.send(vec![event(); EVENTS]).await.expect("room");
        let mut waiting = sink.send(vec![event()]);
        assert!((&mut waiting).now_or_never().is_none());
        mailbox.drain(1, &mut Vec::new());
        waiting.await.expect("room again");
        sink.send(vec![event(); EVENTS]).await.expect("room");
        let waiting = sink.send(vec![event()]);
        mailbox.close();
        assert!(waiting.await.is_err());
    }
}
