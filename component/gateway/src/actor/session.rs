//! The session with the network: opened, given commands, and left.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use viaduct_bridge::{Account, Failure, Name, Outcome, RemoteEvent, Session, SessionContext};

use super::mailbox::{Item, Sink};
use super::mind::Actor;
use super::release::Read;

/// How long a session may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// The present session, and the one that is leaving.
#[derive(Default)]
pub(super) struct Sessions {
    open: Option<Box<dyn Session>>,
    leaving: Option<JoinHandle<()>>,
    /// The number of the newest session.
    number: u32,
    /// Events of sessions before this one are of no interest any more.
    first: u32,
}

impl Sessions {
    /// Whether events of this session are of interest.
    pub(super) fn listens_to(&self, session: u32) -> bool {
        session >= self.first
    }

    /// Whether there is none, nor one that is leaving.
    pub(super) fn is_none(&self) -> bool {
        self.open.is_none() && self.leaving.is_none()
    }

    /// Whether there is one that takes commands.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Leaves the network, in the background.
    pub(super) fn close(&mut self, reason: Option<Name>) {
        let Some(session) = self.open.take() else { return };
        let before = self.leaving.take();
        self.leaving = Some(tokio::spawn(async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let _ = timeout(FAREWELL, session.close(reason)).await;
        }));
    }

    /// No event of any session up to now is of interest any more.
    pub(super) fn forget(&mut self) {
        self.first = self.number + 1;
    }

    /// Resolves when a session that is leaving has left; never, if none is.
    pub(super) async fn closed(&mut self) {
        match &mut self.leaving {
            Some(leaving) => {
                // If it panicked, it is gone too.
                let _ = leaving.await;
                self.leaving = None;
            }
            None => std::future::pending().await,
        }
    }
}

impl Actor {
    /// Leaves the network; what comes after it waits until the network has seen that.
    pub(super) fn close_session(&mut self, reason: Option<Name>) {
        self.submit();
        self.sessions.close(reason);
        if let Some(leaving) = self.sessions.leaving.take() {
            self.reading = Some(Box::pin(async move {
                // If it panicked, it is gone too.
                let _ = leaving.await;
                Read::Left
            }));
        }
    }

    /// Opens a session, once an older one has left.
    pub(super) fn open_session(&mut self, account: Option<Account>) {
        self.submit();
        self.sessions.close(None);
        if let Some(leaving) = self.sessions.leaving.take() {
            self.reading = Some(Box::pin(async move {
                let _ = leaving.await;
                Read::Open(account)
            }));
            return;
        }
        self.sessions.number += 1;
        self.sessions.first = self.sessions.number;
        let sink = Arc::new(Sink {
            mailbox: Arc::clone(&self.mailbox),
            session: self.sessions.number,
        });
        let context = SessionContext {
            user: self.user.as_str().into(),
            account,
            sink,
        };
        self.sessions.open = Some(self.gateway.ctx.bridge.open(context));
    }

    /// Hands the collected commands over.
    pub(super) fn submit(&mut self) {
        if self.commands.is_empty() {
            return;
        }
        let commands = std::mem::take(&mut self.commands);
        if let Some(session) = &self.sessions.open {
            session.submit(commands);
            return;
        }
        tracing::error!(
            count = commands.len(),
            "commands for a network that no session is open with"
        );
        let outcome = |txn| RemoteEvent::Outcome {
            txn,
            outcome: Outcome::Failed(Failure::NotLoggedIn {
                reason: "There is no connection to the network.".into(),
            }),
        };
        let refused: Vec<_> = commands
            .iter()
            .filter_map(viaduct_bridge::Command::txn)
            .map(outcome)
            .collect();
        if !refused.is_empty() {
            self.mail.push_back(Item::Events(refused, self.sessions.first));
            crate::link::Listener::wake(&*self.mailbox);
        }
    }
}
