//! One case being run: the subject, and everybody who takes part.

use std::cell::RefCell;
use std::sync::Arc;

use viaduct_bridge::{Account, Bridge, Capabilities, Level, Name, RoomId, Session, SessionContext};

use crate::finding::{Found, broken, skipped};
use crate::recorder::{Entry, Recorder};
use crate::rules;
use crate::subject::{Fault, Foreigner, Subject};
use crate::user::{User, ending};

/// One case being run.
pub(crate) struct Scene<'a> {
    pub(crate) subject: &'a dyn Subject,
    users: RefCell<Vec<Seat>>,
}

/// A session, and what it tells.
type Seat = (Arc<dyn Session>, Arc<Recorder>);

impl<'a> Scene<'a> {
    pub(crate) fn new(subject: &'a dyn Subject) -> Self {
        let users = RefCell::default();
        Self { subject, users }
    }

    pub(crate) fn bridge(&self) -> &'a dyn Bridge {
        self.subject.bridge()
    }

    pub(crate) fn declared(&self) -> &'a Capabilities {
        self.subject.bridge().capabilities()
    }

    /// Skips the case where the network does not have a feature. That it does not is tried in `cases/declared.rs`.
    pub(crate) fn needs(&self, feature: &str, level: impl Fn(&Capabilities) -> Level) -> Found {
        match level(self.declared()) {
            Level::Full | Level::Partial => Ok(()),
            lower => skipped(format!("{feature} is declared {lower:?}")),
        }
    }

    /// A user of the gateway with a session. Nothing is connected yet.
    pub(crate) fn user(&self, nick: &str) -> User<'a> {
        self.user_with(nick, self.subject.account(nick))
    }

    /// As [`Scene::user`], with this account or none.
    pub(crate) fn user_with(&self, nick: &str, account: Option<Account>) -> User<'a> {
        let record = Arc::new(Recorder::new(self.subject.patience()));
        let session: Arc<dyn Session> = Arc::from(self.bridge().open(SessionContext {
            user: Name::from(format!("{nick}@example.org")),
            account,
            sink: Arc::clone(&record) as _,
        }));
        self.users
            .borrow_mut()
            .push((Arc::clone(&session), Arc::clone(&record)));
        User::new(self.subject, nick, session, record)
    }

    /// A user of the gateway who is in a room.
    pub(crate) async fn user_in(&self, nick: &str, room: &RoomId) -> Found<User<'a>> {
        let user = self.user(nick);
        user.enter(room).await?;
        Ok(user)
    }

    /// Somebody of the network.
    pub(crate) async fn foreigner(&self, nick: &str) -> Found<Box<dyn Foreigner>> {
        self.subject.arrive(nick).await
    }

    /// Somebody of the network who is in a room, and its operator if nobody else is there.
    pub(crate) async fn foreigner_in(&self, nick: &str, room: &RoomId) -> Found<Box<dyn Foreigner>> {
        let mut foreigner = self.foreigner(nick).await?;
        foreigner.join(room).await?;
        Ok(foreigner)
    }

    /// Switches a fault. Without that switch the case is skipped.
    pub(crate) async fn switch(&self, fault: Fault, on: bool) -> Found {
        match self.subject.switch(fault, on) {
            Some(done) => done.await,
            None => skipped(format!("the subject has no switch for {fault:?}")),
        }
    }

    /// The end of every case: each command has been answered, and nobody was told nonsense.
    pub(crate) async fn settle(&self) -> Found {
        let users = self.users.borrow().clone();
        for (_, record) in &users {
            for entry in record.entries() {
                if let Entry::Asked(txn) = entry {
                    ending(record, txn).await?;
                }
            }
        }
        self.end().await?;
        users
            .iter()
            .try_for_each(|(_, record)| rules::check(&record.entries()))
    }

    /// Closes all sessions.
    pub(crate) async fn end(&self) -> Found {
        let users = std::mem::take(&mut *self.users.borrow_mut());
        for (session, record) in users {
            record.set_open(true);
            let close = session.close(Some("the case is over".into()));
            if tokio::time::timeout(self.subject.patience(), close)
                .await
                .is_err()
            {
                return broken("close() did not end");
            }
        }
        Ok(())
    }
}
