//! The writer: the one task that writes to the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::sleep;
use viaduct_bridge::Name;

use super::checkpoint::Checkpointer;
use super::commit::{self, Broken, Committed, Standing};
use super::intern::Interner;
use super::patience::Patience;
use super::plan::Plan;
use super::queue::Request;
use crate::connection::Home;
use crate::db::Conn;
use crate::error::{CommitError, Fault, fault, in_words};
use crate::notebook::Notes;
use crate::seal::SealingKey;

/// How many writes are committed together at most.
const BATCH: usize = 4096;

/// How long a PostgreSQL server may take for a transaction before the connection counts as lost.
const REMOTE_WITHIN: Duration = Duration::from_secs(30);

/// The one task that writes to the database.
pub(crate) struct Writer {
    pub(crate) home: Home,
    /// `None` after it was lost, until the next commit.
    pub(crate) conn: Option<Conn>,
    pub(crate) standing: Standing,
    pub(crate) interner: Interner,
    pub(crate) key: SealingKey,
    pub(crate) notes: Arc<Notes>,
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Counts how often the database has lost what it had confirmed; lanes from before that have failed.
    pub(crate) era: Arc<AtomicU64>,
    /// Where the database does not do it by itself.
    pub(crate) checkpointer: Option<Checkpointer>,
    /// How long a transaction is tried again while the database is away.
    pub(crate) patience: Duration,
    /// Set after a failure: what nobody waits for is left until somebody writes again.
    pub(crate) troubled: bool,
}

impl Writer {
    /// Works until nobody can hand in anything any more, then lets the database go.
    pub(crate) async fn work(mut self) {
        let mut open = true;
        while open {
            let mut requests = Vec::new();
            // When there is nothing else to do, what is to go is erased without being asked.
            if self.troubled || !self.standing.erasing {
                let notes = Arc::clone(&self.notes);
                tokio::select! {
                    request = self.requests.recv() => requests.extend(request),
                    () = notes.changed() => {}
                }
            }
            if self.notes.is_closing() {
                self.requests.close();
            }
            open = self.gather(&mut requests);
            self.write_notes().await;
            if !requests.is_empty() || (self.standing.erasing && !self.troubled) {
                self.commit(requests).await;
            }
        }
        if let Some(checkpointer) = self.checkpointer.take() {
            checkpointer.stop().await;
        }
        if let Some(conn) = self.conn.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(
                error = in_words(&error),
                "the database could not be closed properly"
            );
        }
    }

    /// Takes what has arrived meanwhile, and says whether more can come.
    fn gather(&mut self, requests: &mut Vec<Request>) -> bool {
        let mut writes: usize = requests.iter().map(|request| request.writes.len()).sum();
        while writes < BATCH {
            match self.requests.try_recv() {
                Ok(request) => {
                    writes += request.writes.len();
                    requests.push(request);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Commits all of it, or, where something in it is at fault, all but that.
    async fn commit(&mut self, requests: Vec<Request>) {
        // Parts of the batch that are still to be committed, the first one last.
        let mut parts = vec![requests];
        while let Some(part) = parts.pop() {
            let part = without_failed_lanes(part);
            match self.attempt(&part, &[]).await {
                Ok(()) => part.into_iter().for_each(|request| request.resolve(Ok(()))),
                Err(CommitError::Refused(_)) if part.len() > 1 => {
                    let mut first = part;
                    let second = first.split_off(first.len() / 2);
                    parts.extend([second, first]);
                }
                Err(error) => {
                    if matches!(error, CommitError::Refused(_)) {
                        tracing::warn!(%error, "writes were not committed");
                    }
                    part.into_iter()
                        .for_each(|request| request.resolve(Err(error.clone())));
                }
            }
        }
    }

    /// Notes are nobody's batch: a fault in one of them must not harm anything else.
    async fn write_notes(&mut self) {
        let notes = self.notes.take();
        if notes.is_empty() {
            return;
        }
        match self.attempt(&[], &notes).await {
            Ok(()) => {}
            Err(error @ CommitError::Refused(_)) => tracing::warn!(%error, "notes were not kept"),
            Err(_) => self.notes.put_back(notes),
        }
    }

    /// Commits in one transaction.
    async fn attempt(&mut self, requests: &[Request], notes: &[(Name, Name)]) -> Result<(), CommitError> {
        let writes = requests.iter().flat_map(|request| &request.writes);
        let mut plan = Plan::new(writes, &mut self.interner, &self.key)?;
        plan.notes(notes);
        if plan.is_empty() && !self.standing.erasing {
            return Ok(());
        }
        let error = match self.persist(&plan).await {
            Ok(Committed::Yes(standing)) => {
                self.standing = standing;
                if std::mem::take(&mut self.troubled) {
                    tracing::info!("the database takes writes again");
                }
                if let Some(checkpointer) = &mut self.checkpointer {
                    checkpointer.committed(&plan);
                }
                return Ok(());
            }
            Ok(Committed::Superseded) => CommitError::Superseded,
            Ok(Committed::Forgotten) => CommitError::Forgotten,
            Err(Broken {
                error, committing, ..
            }) => match fault(&error) {
                Fault::Data => CommitError::Refused(in_words(&error).into()),
                _ if committing => CommitError::Uncertain(in_words(&error).into()),
                _ => CommitError::Unavailable(in_words(&error).into()),
            },
        };
        if matches!(error, CommitError::Uncertain(_) | CommitError::Forgotten) {
            // What came into being and what was erased is not known now.
            self.interner.forget_all();
        } else {
            self.interner.forget(&plan.new_said);
        }
        if !matches!(error, CommitError::Refused(_)) && !std::mem::replace(&mut self.troubled, true) {
            tracing::error!(%error, "the database takes no writes");
        }
        Err(error)
    }

    /// Runs the transaction, again and again while the database is away or locked: a restart of it is a pause, and what
    /// comes meanwhile waits in the queue. What is at fault itself is not tried again, nor what waiting does not help.
    ///
    /// Nothing is done twice: a transaction that may have been committed is looked for on the new connection (each has a
    /// number) before it is run again.
    async fn persist(&mut self, plan: &Plan) -> Result<Committed, Broken> {
        // Where waiting has not helped, those who come later are told soon.
        let within = if self.troubled {
            Duration::ZERO
        } else {
            self.patience
        };
        let mut patience = Patience::new(Instant::now(), within);
        let mut uncertain = false;
        loop {
            let broken = match self.transact_in_time(plan, uncertain).await {
                Err(broken) if matches!(fault(&broken.error), Fault::Passing | Fault::Lost) => broken,
                outcome => return outcome,
            };
            // Who closes the store does not wait for a database that is away.
            let pause = patience
                .pause(Instant::now())
                .filter(|_| !self.notes.is_closing());
            let Some(pause) = pause else {
                return Err(broken);
            };
            if patience.tries() > 2 {
                tracing::warn!(
                    error = in_words(&broken.error),
                    tries = patience.tries() - 1,
                    "the database is not available; it is tried again"
                );
            }
            uncertain = broken.committing;
            sleep(pause).await;
        }
    }

    /// Runs the transaction. A server that does not answer counts as lost.
    async fn transact_in_time(&mut self, plan: &Plan, uncertain: bool) -> Result<Committed, Broken> {
        let outcome = if self.home.is_remote() {
            let late = Broken {
                error: sqlx::Error::PoolTimedOut,
                committing: true,
                unusable: true,
            };
            tokio::time::timeout(REMOTE_WITHIN, self.transact(plan, uncertain))
                .await
                .unwrap_or(Err(late))
        } else {
            self.transact(plan, uncertain).await
        };
        if matches!(&outcome, Err(broken) if broken.unusable) {
            self.conn = None;
        }
        outcome
    }

    /// Runs the transaction. `uncertain` says that it was run before and may have been committed.
    async fn transact(&mut self, plan: &Plan, uncertain: bool) -> Result<Committed, Broken> {
        let broken = |error| Broken {
            error,
            committing: uncertain,
            unusable: true,
        };
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => {
                let Some(mut conn) = self.home.reconnect().await.map_err(broken)? else {
                    return Ok(Committed::Superseded);
                };
                let found = commit::standing(&mut conn).await.map_err(broken)?;
                let conn = self.conn.insert(conn);
                if found.epoch != self.standing.epoch {
                    return Ok(Committed::Superseded);
                }
                let before = std::mem::replace(&mut self.standing, found);
                if found.batch < before.batch {
                    // Ids that were given away stay given away.
                    self.standing.highest = found.highest.max(before.highest);
                    self.era.fetch_add(1, Ordering::AcqRel);
                    return Ok(Committed::Forgotten);
                }
                if uncertain && found.batch > before.batch {
                    // What it erased is not known here.
                    self.interner.forget_all();
                    return Ok(Committed::Yes(found));
                }
                conn
            }
        };
        commit::run(conn, plan, self.standing, &mut self.interner).await
    }
}

/// Turns away what comes after a failure in its lane.
fn without_failed_lanes(requests: Vec<Request>) -> Vec<Request> {
    let (failed, fine): (Vec<_>, Vec<_>) = requests.into_iter().partition(Request::lane_failed);
    failed
        .into_iter()
        .for_each(|request| request.resolve(Err(CommitError::Earlier)));
    fine
}
