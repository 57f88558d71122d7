//! The router: from a user to the actor of their login, which is started when it is needed.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use futures::FutureExt;
use jid::BareJid;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use viaduct_bridge::Name;
use viaduct_core::stanza::{Condition, Incoming, Kind, Problem};

use super::mailbox::{Budget, Mailbox, NotTaken};
use super::memory::Gateway;
use super::mind::Actor;
use super::recovery::refuse_all;
use crate::link::{Listener, Upward};

/// How many users whom the rules do not admit may have an actor at a time (it tells them so).
const STRANGERS: usize = 256;
/// The first pause after an actor that ended by a panic of its own.
const AFTER_CRASH: Duration = Duration::from_secs(1);

/// The actors of one gateway.
pub struct Router {
    gateway: Arc<Gateway>,
    own: Weak<Self>,
    actors: Mutex<HashMap<Box<str>, Arc<Mailbox>>>,
    budget: Arc<Budget>,
    strangers: AtomicUsize,
    alive: AtomicUsize,
    /// Rung when the last actor has ended.
    empty: Notify,
    stopping: AtomicBool,
    /// Whether everybody who must be at work is.
    complete: AtomicBool,
}

impl Router {
    /// A router without actors.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            gateway,
            own: own.clone(),
            actors: Mutex::default(),
            budget: Arc::default(),
            strangers: AtomicUsize::new(0),
            alive: AtomicUsize::new(0),
            empty: Notify::new(),
            stopping: AtomicBool::new(false),
            complete: AtomicBool::new(false),
        })
    }

    /// How many actors there are.
    #[must_use]
    pub fn actors(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Starts the actor of a user, if it is not there.
    pub fn start(&self, user: &BareJid) {
        let mut actors = self.lock();
        if !actors.contains_key(user.as_str()) && !self.stopping.load(Ordering::Acquire) {
            self.spawn(&mut actors, user.clone(), None);
        }
    }

    /// Everybody who is in a room has an actor now: what means nothing to anybody else need not start one.
    pub fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    /// The mailbox of a user whose login is at work.
    pub(super) fn at_work(&self, user: &str) -> Option<Arc<Mailbox>> {
        self.lock().get(user).cloned()
    }

    /// The mailboxes of all logins that are at work.
    pub(super) fn all_at_work(&self) -> Vec<(Name, Arc<Mailbox>)> {
        let actors = self.lock();
        let all = actors.iter();
        all.map(|(user, mailbox)| (Name::from(&**user), Arc::clone(mailbox)))
            .collect()
    }

    /// What all actors share.
    pub(super) fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Lets all actors end in order, and waits until they have, or this much time has passed.
    pub async fn stop(&self, patience: Duration) {
        {
            let actors = self.lock();
            self.stopping.store(true, Ordering::Release);
            for mailbox in actors.values() {
                mailbox.stop();
            }
        }
        let ended = async {
            loop {
                let empty = self.empty.notified();
                if self.alive.load(Ordering::Acquire) == 0 {
                    break;
                }
                empty.await;
            }
        };
        if timeout(patience, ended).await.is_err() {
            tracing::warn!(actors = self.actors(), "not all logins ended in time");
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Mailbox>>> {
        self.actors.lock().expect("no holder of this lock panics")
    }

    fn spawn(
        &self,
        actors: &mut HashMap<Box<str>, Arc<Mailbox>>,
        user: BareJid,
        stranger: Option<Stranger>,
    ) -> Arc<Mailbox> {
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&self.budget)));
        actors.insert(user.as_str().into(), Arc::clone(&mailbox));
        self.alive.fetch_add(1, Ordering::AcqRel);
        if let Some(router) = self.own.upgrade() {
            tokio::spawn(live(router, user, Arc::clone(&mailbox), stranger));
        }
        mailbox
    }

    /// The mailbox of a user, with an actor behind it.
    fn mailbox(&self, incoming: &Incoming) -> Result<Arc<Mailbox>, NoActor> {
        let from = incoming.from.as_str();
        let bare = from.split_once('/').map_or(from, |(bare, _)| bare);
        let mut actors = self.lock();
        if let Some(mailbox) = actors.get(bare) {
            return Ok(Arc::clone(mailbox));
        }
        if self.stopping.load(Ordering::Acquire) {
            return Err(NoActor::Refused(
                "The gateway is about to restart. Please try again in a minute.",
            ));
        }
        if concerns_nobody(incoming) && self.complete.load(Ordering::Acquire) {
            return Err(NoActor::NotNeeded);
        }
        let user = incoming.from.to_bare();
        let stranger = if self.gateway.ctx.rules().access.allows(&user) {
            None
        } else {
            let router = self.own.upgrade().ok_or(NoActor::NotNeeded)?;
            Some(
                Stranger::new(router)
                    .ok_or(NoActor::Refused("The gateway is busy. Please try again later."))?,
            )
        };
        Ok(self.spawn(&mut actors, user, stranger))
    }

    fn forget(&self, user: &str, mailbox: &Arc<Mailbox>) {
        let mut actors = self.lock();
        if actors.get(user).is_some_and(|other| Arc::ptr_eq(other, mailbox)) {
            actors.remove(user);
            if actors.capacity() > 1024 && actors.len() < actors.capacity() / 8 {
                actors.shrink_to_fit();
            }
        }
    }

    fn refuse(&self, incoming: &Incoming, words: &str) {
        let problem = Problem::because(Condition::ResourceConstraint, words);
        if let Some(error) = incoming.error(&problem) {
            self.gateway.link.answer(error);
        }
    }
}

enum NoActor {
    Refused(&'static str),
    NotNeeded,
}

/// Whether a stanza means nothing where no login is at work. A login that is in a room is always at work.
fn concerns_nobody(incoming: &Incoming) -> bool {
    match incoming.kind {
        Kind::Iq => !incoming.is_request(),
        Kind::Message => incoming.is_error(),
        Kind::Presence => matches!(incoming.ty(), "unavailable" | "error"),
    }
}

impl Upward for Router {
    fn stanza(&self, incoming: Box<Incoming>, size: usize) {
        let mut incoming = incoming;
        // An actor that ends at this moment is replaced by a new one; that happens twice in a row next to never.
        for _ in 0..8 {
            let mailbox = match self.mailbox(&incoming) {
                Ok(mailbox) => mailbox,
                Err(NoActor::NotNeeded) => return,
                Err(NoActor::Refused(words)) => return self.refuse(&incoming, words),
            };
            if self.stopping.load(Ordering::Acquire) {
                return self.refuse(
                    &incoming,
                    "The gateway is about to restart. Please try again in a minute.",
                );
            }
            match mailbox.stanza(incoming, size) {
                Ok(()) => return,
                Err(NotTaken::Full(incoming)) => {
                    return self.refuse(&incoming, "Too much at once. Please wait a little and try again.");
                }
                Err(NotTaken::Closed(back)) => {
                    incoming = back;
                    let from = incoming.from.as_str();
                    self.forget(from.split_once('/').map_or(from, |(bare, _)| bare), &mailbox);
                }
            }
        }
        self.refuse(&incoming, "The gateway is busy. Please try again later.");
    }

    fn link_changed(&self) {
        for mailbox in self.lock().values() {
            mailbox.wake();
        }
    }
}

/// A place among the actors of users whom the rules do not admit.
struct Stranger(Arc<Router>);

impl Stranger {
    fn new(router: Arc<Router>) -> Option<Self> {
        if router.strangers.fetch_add(1, Ordering::AcqRel) >= STRANGERS {
            router.strangers.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Self(router))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.strangers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The life of an actor; a panic outside of the core's fence begins it anew.
async fn live(router: Arc<Router>, user: BareJid, mailbox: Arc<Mailbox>, stranger: Option<Stranger>) {
    let gateway = Arc::clone(&router.gateway);
    let mut pause = AFTER_CRASH;
    loop {
        let life = async {
            if let Ok(actor) = Box::pin(Actor::load(
                Arc::clone(&router),
                Arc::clone(&gateway),
                user.clone(),
                Arc::clone(&mailbox),
            ))
            .await
            {
                actor.run().await;
            }
        };
        match AssertUnwindSafe(life).catch_unwind().await {
            Ok(()) => break,
            Err(_) if mailbox.is_stopping() => break,
            Err(_) => tracing::error!("a login crashed; it begins anew"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(60));
    }
    router.forget(user.as_str(), &mailbox);
    refuse_all(&gateway.link, mailbox.close());
    drop(stranger);
    if router.alive.fetch_sub(1, Ordering::AcqRel) == 1 {
        router.empty.notify_waiters();
    }
}

#[cfg(test)]
impl Router {
    /// How many bytes the task of an actor takes, without what the core keeps.
    pub(super) fn size_of_life(&self) -> usize {
        let router = self.own.upgrade().expect("the router is there");
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&self.budget)));
        size_of_val(&live(router, BareJid::new("a@b").expect("a JID"), mailbox, None))
    }
}
