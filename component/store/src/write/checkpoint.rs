//! Moving what was committed from SQLite's log into the database, beside the writer. SQLite would let every thousandth
//! page or so wait for the disk; a checkpoint of this kind holds up nobody, and only if it falls far behind does the
//! writer have to help.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::plan::Plan;
use crate::db::sqlite;
use crate::error::in_words;

/// After about this many pages.
const PAGES: u64 = 1000;

const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// The task that does it.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    pages: u64,
    wake: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl Checkpointer {
    pub(crate) fn start(options: SqliteConnectOptions) -> Self {
        // One is enough: a checkpoint that is due while another runs is one checkpoint after it.
        let (wake, due) = mpsc::channel(1);
        Self {
            pages: 0,
            wake,
            task: tokio::spawn(work(options, due)),
        }
    }

    /// Counts a commit.
    pub(crate) fn committed(&mut self, plan: &Plan) {
        // The row of the epoch and the ends of two tables at least; neighbouring rows share a page.
        self.pages += 3 + plan.rows() / 8;
        if self.pages >= PAGES {
            self.pages = 0;
            let _ = self.wake.try_send(());
        }
    }

    /// Ends the task.
    pub(crate) async fn stop(self) {
        drop(self.wake);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the checkpoints of the database ended before their time");
        }
    }
}

async fn work(options: SqliteConnectOptions, mut due: mpsc::Receiver<()>) {
    let mut conn: Option<SqliteConnection> = None;
    while due.recv().await.is_some() {
        if let Err(error) = checkpoint(&mut conn, &options).await {
            // The writer does it then.
            tracing::debug!(error = in_words(&error), "no checkpoint");
        }
    }
    if let Some(conn) = conn
        && let Err(error) = conn.close().await
    {
        tracing::debug!(
            error = in_words(&error),
            "the database could not be closed properly"
        );
    }
}

async fn checkpoint(
    conn: &mut Option<SqliteConnection>,
    options: &SqliteConnectOptions,
) -> Result<(), sqlx::Error> {
    let conn = match conn {
        Some(conn) => conn,
        None => conn.insert(sqlite::connect_checkpointer(options).await?),
    };
    conn.execute(CHECKPOINT).await.map(drop)
}
