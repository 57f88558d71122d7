//! The beginning, the end, and the beginning again of an actor.

use std::sync::Arc;
use std::time::Duration;

use jid::BareJid;
use tokio::time::{Instant, sleep};
use viaduct_core::effect::Input;
use viaduct_core::stanza::{Condition, Problem};

use super::mailbox::{Item, Mailbox};
use super::memory::{Gateway, Trouble};
use super::mind::{Actor, Fault};
use super::router::Router;
use crate::link::Link;

/// How long an actor may take to end.
const LAST_WORK: Duration = Duration::from_millis(3500);
/// How long an actor that ends waits until the server has processed what was sent to it.
const LAST_FENCE: Duration = Duration::from_secs(1);
/// How often the store is asked for a login before what waits for it is refused.
const ATTEMPTS: u32 = 4;
/// The first pause before something is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often somebody who waits looks whether the gateway stops.
const REST: Duration = Duration::from_millis(200);

/// The actor is over, and its mailbox closed.
pub(super) struct Over;

impl Actor {
    /// Loads a login and lets it begin.
    pub(super) async fn load(
        router: Arc<Router>,
        gateway: Arc<Gateway>,
        user: BareJid,
        mailbox: Arc<Mailbox>,
    ) -> Result<Box<Self>, Over> {
        let core = load(&gateway, &user, &mailbox).await?;
        let lane = gateway.memory.lane();
        let mut actor = Box::new(Self {
            gateway,
            user,
            mailbox,
            core,
            mail: Default::default(),
            effects: Default::default(),
            receipts: Vec::new(),
            pending: Default::default(),
            reading: None,
            resolving: None,
            commands: Vec::new(),
            marks: Default::default(),
            sessions: Default::default(),
            flows: Default::default(),
            errands: Default::default(),
            router,
            timers: Default::default(),
            view: Default::default(),
            lane,
            fault: None,
            rebuilt: Rebuilt::default(),
        });
        actor.handle(Input::Start);
        Ok(actor)
    }

    /// After a panic or a failed commit: what is certain is released, the rest is refused, and the login is built anew
    /// from what is on record.
    pub(super) async fn rebuild(&mut self) -> Result<(), Over> {
        let fault = self.fault.take();
        self.close_batch();
        if let Some(receipt) = self.resolving.take().and_then(|resolving| resolving.receipt()) {
            self.answer(receipt.lost());
        }
        match &fault {
            Some(Fault::Commit(Trouble::Over(words))) => self.gateway.alarm.fatal(words.clone()),
            Some(Fault::Commit(trouble)) => {
                tracing::error!(error = %trouble, "what a user did could not be remembered; it was refused");
            }
            Some(Fault::Panic) => {
                tracing::error!("a login panicked; it is built anew from what is on record")
            }
            None => {}
        }
        if matches!(fault, Some(Fault::Panic)) {
            // What was handled before the panic is good.
            let deadline = Instant::now() + LAST_WORK;
            self.release();
            while !self.is_settled() && self.fault.is_none() && Instant::now() < deadline {
                self.settle_once(deadline).await;
            }
            self.fault = None;
        }
        for batch in std::mem::take(&mut self.pending) {
            for receipt in &batch.receipts {
                self.answer(receipt.lost());
            }
            // Whatever becomes of it, it must be over before the login is loaded.
            if let Some(ticket) = batch.ticket
                && !matches!(fault, Some(Fault::Commit(_)))
            {
                let _ = ticket.await;
            }
        }
        self.reading = None;
        self.commands.clear();
        self.flows.clear();
        self.errands.clear();
        self.timers = Default::default();
        self.marks.clear();
        self.sessions.close(None);
        if !self.sessions.is_none() {
            self.sessions.closed().await;
        }
        self.sessions.forget();
        self.rebuilt.pause(&self.mailbox).await;
        self.core = load(&self.gateway, &self.user, &self.mailbox).await?;
        self.lane = self.gateway.memory.lane();
        let window = self.view.window;
        self.view = Default::default();
        self.view.window = window;
        self.handle(Input::Start);
        Ok(())
    }

    /// Ends in order: the core says what is left to say, the session leaves, and everything is remembered.
    pub(super) async fn finish(&mut self) {
        let deadline = Instant::now() + LAST_WORK;
        self.handle(Input::Stopping);
        self.close_batch();
        self.release();
        let mut confirmed_by = None;
        while self.fault.is_none() && Instant::now() < deadline {
            let mut until = deadline;
            if self.is_settled() && self.mail.is_empty() && self.resolving.is_none() {
                if self.sessions.is_open() {
                    self.sessions.close(None);
                } else if self.sessions.is_none() && self.mailbox.is_empty() {
                    // What is confirmed now is not shown again after the restart.
                    until = *confirmed_by.get_or_insert_with(|| Instant::now() + LAST_FENCE);
                    if self.marks.is_empty() || !self.view.attached || Instant::now() >= until {
                        break;
                    }
                }
            }
            self.step(until.min(deadline)).await;
        }
        if let Some(receipt) = self.resolving.take().and_then(|resolving| resolving.receipt()) {
            self.answer(receipt.lost());
        }
        // What did not make it into the store may come back after the restart, or not: its senders must know.
        for batch in std::mem::take(&mut self.pending) {
            for receipt in &batch.receipts {
                self.answer(receipt.lost());
            }
        }
        refuse_all(&self.gateway.link, self.mailbox.close());
    }
}

/// How often a login was built anew in a row.
#[derive(Default)]
pub(super) struct Rebuilt {
    times: u32,
    last: Option<Instant>,
}

impl Rebuilt {
    /// Waits before the next time: not at all if the last was long ago, and ever longer where it does not help.
    async fn pause(&mut self, mailbox: &Mailbox) {
        let lately = self.last.is_some_and(|last| last.elapsed() < LONGEST_PAUSE * 2);
        self.times = if lately { self.times + 1 } else { 0 };
        if self.times > 0 {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << self.times.min(10))
                .min(LONGEST_PAUSE);
            rest(pause, mailbox).await;
        }
        self.last = Some(Instant::now());
    }
}

/// Loads a login, and tries until it can be done: somebody in a room counts on it. What waits meanwhile is refused when
/// it has waited for some time.
async fn load(gateway: &Gateway, user: &BareJid, mailbox: &Mailbox) -> Result<Box<dyn super::Core>, Over> {
    let mut attempts = 0;
    while !mailbox.is_stopping() {
        match gateway.memory.load(user).await {
            Ok(loaded) => return Ok((gateway.make)(user.clone(), loaded.map(|loaded| *loaded))),
            Err(Trouble::Over(words)) => {
                gateway.alarm.fatal(words);
                break;
            }
            Err(trouble) => tracing::warn!(error = %trouble, "a login cannot be loaded; it is tried again"),
        }
        attempts += 1;
        if attempts >= ATTEMPTS {
            let mut waiting = Vec::new();
            mailbox.drain(usize::MAX, &mut waiting);
            refuse_all(&gateway.link, waiting);
        }
        rest(
            FIRST_PAUSE
                .saturating_mul(1 << attempts.min(10))
                .min(LONGEST_PAUSE),
            mailbox,
        )
        .await;
    }
    refuse_all(&gateway.link, mailbox.close());
    Err(Over)
}

/// Waits so long, or until the gateway stops.
async fn rest(pause: Duration, mailbox: &Mailbox) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !mailbox.is_stopping() {
        sleep(REST.min(until - Instant::now())).await;
    }
}

/// Refuses everything that waited for an actor that will not come.
pub(super) fn refuse_all(link: &Link, items: Vec<Item>) {
    let problem = Problem::because(
        Condition::ResourceConstraint,
        "The gateway cannot take this at the moment. Please try again in a minute.",
    );
    for item in items {
        if let Item::Stanza(incoming, _) = item
            && let Some(error) = incoming.error(&problem)
        {
            link.answer(error);
        }
    }
}
