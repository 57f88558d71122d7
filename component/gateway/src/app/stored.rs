//! The store as the actors see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jid::BareJid;
use tokio::sync::Mutex;
use viaduct_bridge::{Name, Timestamp};
use viaduct_core::records::{
    ArchiveError, ArchivePage, ArchiveQuery, LoadedLogin, MessageRecord, PortalId, Position, Write,
};
use viaduct_core::refer::{Found, Lookup};
use viaduct_store::{ArchiveReadError, CommitError, CommitTicket, QueueFull, Store, StoreError};

use crate::actor::{Lane, Memory, Remembering, Trouble};

/// The store, for one gateway.
pub(super) struct Stored {
    pub(super) store: Store,
    pub(super) gateway: Name,
}

impl Memory for Stored {
    fn lane(&self) -> Box<dyn Lane> {
        Box::new(StoredLane {
            lane: Arc::new(Mutex::new(self.store.lane())),
            late: Arc::default(),
        })
    }

    fn load(&self, user: &BareJid) -> Remembering<Option<Box<LoadedLogin>>> {
        let (store, gateway, user) = (
            self.store.clone(),
            self.gateway.clone(),
            Name::from(user.as_str()),
        );
        Box::pin(async move {
            Ok(store
                .load_login(&gateway, &user)
                .await
                .map_err(read_trouble)?
                .map(Box::new))
        })
    }

    fn archive(&self, query: ArchiveQuery) -> Remembering<Result<ArchivePage, ArchiveError>> {
        let store = self.store.clone();
        Box::pin(async move {
            match store.archive_page(&query).await {
                Ok(page) => Ok(Ok(page)),
                Err(ArchiveReadError::Archive(error)) => Ok(Err(error)),
                Err(ArchiveReadError::Store(error)) => Err(read_trouble(error)),
            }
        })
    }

    fn replay(
        &self,
        portal: PortalId,
        after: Position,
        upto: Position,
        limit: u32,
    ) -> Remembering<Vec<MessageRecord>> {
        let store = self.store.clone();
        Box::pin(async move {
            store
                .replay(portal, after, upto, limit)
                .await
                .map_err(read_trouble)
        })
    }

    fn find(&self, lookup: Lookup) -> Remembering<Option<Found>> {
        let store = self.store.clone();
        Box::pin(async move { store.find_related(&lookup).await.map_err(read_trouble) })
    }

    fn history(
        &self,
        portal: PortalId,
        upto: Position,
        most: u32,
        since: Option<Timestamp>,
    ) -> Remembering<Vec<MessageRecord>> {
        let store = self.store.clone();
        Box::pin(async move {
            store
                .history(portal, upto, most, since)
                .await
                .map_err(read_trouble)
        })
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn read_trouble(error: StoreError) -> Trouble {
    Trouble::Failed(error.to_string())
}

fn commit_trouble(error: CommitError) -> Trouble {
    match error {
        CommitError::Superseded => Trouble::Over(error.to_string()),
        error => Trouble::Failed(error.to_string()),
    }
}

struct StoredLane {
    lane: Arc<Mutex<viaduct_store::Lane>>,
    /// How many writes have not been handed in yet, because there was no room.
    late: Arc<AtomicUsize>,
}

impl Lane for StoredLane {
    fn write(&mut self, writes: Vec<Write>) -> Remembering<()> {
        match self.hand_in(writes) {
            Ok(ticket) => Box::pin(async move { ticket.await.map_err(commit_trouble) }),
            Err(writes) => {
                // Handed in when its turn comes, which is when those before it are committed.
                self.late.fetch_add(1, Ordering::AcqRel);
                let (lane, late) = (Arc::clone(&self.lane), Late(Arc::clone(&self.late)));
                Box::pin(async move {
                    let ticket = lane.lock().await.write(writes).await;
                    drop(late);
                    ticket.await.map_err(commit_trouble)
                })
            }
        }
    }
}

/// Counts one write that waits to be handed in, until it is or is given up.
struct Late(Arc<AtomicUsize>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl StoredLane {
    fn hand_in(&mut self, writes: Vec<Write>) -> Result<CommitTicket, Vec<Write>> {
        if self.late.load(Ordering::Acquire) > 0 {
            return Err(writes);
        }
        match self.lane.try_lock() {
            Ok(mut lane) => lane.try_write(writes).map_err(|QueueFull(writes)| writes),
            Err(_) => Err(writes),
        }
    }
}
