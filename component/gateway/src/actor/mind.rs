//! An actor and its loop: what it waits for. What it does when it has its turn is in `turn.rs`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jid::BareJid;
use tokio::time::{Instant, sleep_until};
use viaduct_bridge::Command;
use viaduct_core::effect::Effects;
use viaduct_core::refer::Found;
use viaduct_core::xml::Stanza;

use super::errands::Errands;
use super::flows::Flows;
use super::mailbox::{Item, Mailbox};
use super::marks::Marks;
use super::memory::{Core, Gateway, Lane, Remembered, Trouble};
use super::receipt::Receipt;
use super::recovery::Rebuilt;
use super::release::{Pending, Reading};
use super::resolve::{Resolving, answer};
use super::router::Router;
use super::session::Sessions;
use super::timers::Timers;

/// How long an actor without anything to do stays.
const IDLE: Duration = Duration::from_secs(120);

/// One login at work.
pub(super) struct Actor {
    pub(super) gateway: Arc<Gateway>,
    pub(super) user: BareJid,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) core: Box<dyn Core>,
    /// Taken out of the mailbox, not handled yet.
    pub(super) mail: VecDeque<Item>,
    /// What the inputs of the present turn have led to.
    pub(super) effects: Effects,
    /// Who is to be told if that is lost.
    pub(super) receipts: Vec<Receipt>,
    /// What waits for commits, in order.
    pub(super) pending: VecDeque<Pending>,
    /// A read of the store that the next effects wait for.
    pub(super) reading: Option<Reading>,
    /// An input that refers to an older message, until that has been looked up. Nothing else is taken meanwhile.
    pub(super) resolving: Option<Resolving>,
    /// Commands that go to the session in one go.
    pub(super) commands: Vec<Command>,
    pub(super) marks: Marks,
    pub(super) sessions: Sessions,
    pub(super) flows: Flows,
    /// What others asked, and is not answered.
    pub(super) errands: Errands,
    /// Where the other logins are.
    pub(super) router: Arc<Router>,
    pub(super) timers: Timers,
    pub(super) view: LinkView,
    /// Where the writes go. A new one after each rebuilding.
    pub(super) lane: Box<dyn Lane>,
    /// Something went wrong: the login must be built anew.
    pub(super) fault: Option<Fault>,
    /// How often that has happened lately.
    pub(super) rebuilt: Rebuilt,
}

/// What the core has been told about the link.
#[derive(Default)]
pub(super) struct LinkView {
    /// The era of the link that was last looked at.
    pub(super) era: u64,
    /// Whether the core believes that the link takes stanzas.
    pub(super) attached: bool,
    /// Counts how often the core was told so. Marked stanzas from before the last time are not sent any more.
    pub(super) window: u64,
    /// Something marked was not sent: the core must be told that the link is gone before anything else marked is.
    pub(super) gap: bool,
    /// There was no room; the link will ring when there is.
    pub(super) blocked: bool,
    /// Not before then, after a failure.
    pub(super) not_before: Option<Instant>,
    /// The generation whose confirmation was asked for last.
    pub(super) asked: u64,
}

/// What went wrong.
pub(super) enum Fault {
    /// The core panicked.
    Panic,
    /// A commit failed.
    Commit(Trouble),
}

/// What ended a wait.
enum Woken {
    Look,
    Committed(Result<(), Trouble>),
    Read(super::release::Read),
    Found(Remembered<Option<Found>>),
    Idle,
}

impl Actor {
    /// Lives until there is nothing more to do, or the gateway stops.
    pub(super) async fn run(mut self: Box<Self>) {
        loop {
            let full = self.turn();
            if self.fault.is_some() {
                if Box::pin(self.rebuild()).await.is_err() {
                    return;
                }
                continue;
            }
            if self.mailbox.is_stopping()
                && self.resolving.is_none()
                && self.mail.is_empty()
                && self.mailbox.is_empty()
            {
                Box::pin(self.finish()).await;
                return;
            }
            if full {
                tokio::task::yield_now().await;
                continue;
            }
            if matches!(self.wait_once(None).await, Woken::Idle)
                && self.is_idle()
                && self.mailbox.close_if_empty()
            {
                return;
            }
        }
    }

    /// Waits until there is something to do, and does what needs no turn.
    async fn wait_once(&mut self, deadline: Option<Instant>) -> Woken {
        let idle = self.is_idle().then(|| Instant::now() + IDLE);
        let alarm = [
            self.timers.next(),
            self.view.not_before.filter(|_| !self.view.attached),
            self.resolving.as_ref().and_then(Resolving::not_before),
            deadline,
        ];
        let alarm = alarm.into_iter().flatten().min();
        let may_handle = self.may_run_ahead() && self.resolving.is_none();
        let woken = tokio::select! {
            biased;
            result = commit(&mut self.pending), if self.reading.is_none() => Woken::Committed(result),
            read = read(&mut self.reading) => Woken::Read(read),
            found = answer(&mut self.resolving) => Woken::Found(found),
            () = self.sessions.closed() => Woken::Look,
            () = self.mailbox.rung(), if may_handle => Woken::Look,
            () = sleep_or_never(alarm) => Woken::Look,
            () = sleep_or_never(idle) => Woken::Idle,
        };
        match woken {
            Woken::Committed(Ok(())) => {
                if let Some(first) = self.pending.front_mut() {
                    first.ticket = None;
                    first.receipts = Vec::new();
                }
                Woken::Look
            }
            Woken::Committed(Err(trouble)) => {
                self.fault = Some(Fault::Commit(trouble));
                Woken::Look
            }
            Woken::Read(read) => {
                self.reading = None;
                self.finish_reading(read);
                Woken::Look
            }
            Woken::Found(found) => {
                self.looked_up(found);
                Woken::Look
            }
            other => other,
        }
    }

    /// Waits for one thing, and takes a turn.
    pub(super) async fn step(&mut self, deadline: Instant) {
        self.wait_once(Some(deadline)).await;
        if self.fault.is_none() {
            self.turn();
        }
    }

    /// Waits for one thing, and releases what it allows, without handling anything new.
    pub(super) async fn settle_once(&mut self, deadline: Instant) {
        self.wait_once(Some(deadline)).await;
        if self.fault.is_none() {
            self.release();
        }
    }

    /// Whether everything that was handled has been released.
    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty() && self.reading.is_none()
    }

    fn is_idle(&self) -> bool {
        self.is_settled()
            && self.resolving.is_none()
            && self.marks.is_empty()
            && self.mail.is_empty()
            && self.sessions.is_none()
            && self.flows.is_empty()
            && self.errands.is_empty()
            && self.timers.is_empty()
            && self.core.is_idle()
    }

    /// Sends an answer to the user.
    pub(super) fn answer(&self, stanza: Stanza) {
        self.gateway.link.answer(stanza);
    }
}

/// The commit that everything waits for, if there is one.
async fn commit(pending: &mut VecDeque<Pending>) -> Result<(), Trouble> {
    match pending.front_mut().and_then(|first| first.ticket.as_mut()) {
        Some(ticket) => ticket.await,
        None => std::future::pending().await,
    }
}

/// The read that the next effects wait for, if there is one.
async fn read(reading: &mut Option<Reading>) -> super::release::Read {
    match reading {
        Some(reading) => reading.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep_or_never(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
