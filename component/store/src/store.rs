//! The store itself: opening, writing, reading, closing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use viaduct_bridge::{Name, Notebook, Timestamp};
use viaduct_core::records::{
    ArchivePage, ArchiveQuery, ImportedRecord, LoadedLogin, LoginId, MessageRecord, PortalId, Position, Write,
};
use viaduct_core::refer::{Found, Lookup};

use crate::config::StoreConfig;
use crate::connection::{Home, cannot_open};
use crate::db::{Conn, Reader};
use crate::error::{ArchiveReadError, StoreError};
use crate::migrations;
use crate::notebook::{self, Notes};
use crate::read::{archive, login, message, related};
use crate::seal::{Place, SealingKey};
use crate::write::statements::{KEY_CHECK, LAST_SAID, SET_KEY_CHECK, TAKE_EPOCH};
use crate::write::{CommitTicket, Interner, Lane, Queue, QueueFull, Standing, Writer, standing};

/// What the key check holds when it is opened.
const KEY_CHECK_TEXT: &[u8] = b"viaduct";

/// What viaduct remembers. Cheap to clone; all clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    reader: Reader,
    key: SealingKey,
    notes: Arc<Notes>,
    highest: i64,
    /// One turn for queries that look at many messages.
    scans: Semaphore,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The lock of a store that is only looked at.
    looking: tokio::sync::Mutex<Option<(Home, Conn)>>,
}

impl Store {
    /// Opens the database, brings its tables up to date and takes it over. Needs a tokio runtime, in which the writer
    /// runs from then on.
    ///
    /// # Errors
    /// When the database cannot be reached, is in use by another copy of the gateway, belongs to a newer version, or was
    /// sealed with another key.
    pub async fn open(config: StoreConfig, key: SealingKey) -> Result<Self, StoreError> {
        let (home, mut conn) = Home::open(&config).await?;
        migrations::run(&mut conn, &config.shown_url()).await?;
        check_key(&mut conn, &config, &key).await?;
        let opened = take_over(&mut conn)
            .await
            .map_err(|error| cannot_open(&config, &error))?;

        let reader = home.readers();
        let checkpointer = home.checkpointer();
        let notes = Arc::new(Notes::new(opened.notes));
        let (queue, requests) = Queue::new();
        let writer = Writer {
            home,
            conn: Some(conn),
            standing: opened.standing,
            interner: Interner::new(opened.last_said + 1),
            key: key.clone(),
            notes: Arc::clone(&notes),
            requests,
            era: queue.era(),
            checkpointer,
            patience: Duration::from_secs(config.patience.into()),
            troubled: false,
        };
        Ok(Self(Arc::new(Inner {
            queue,
            reader,
            key,
            notes,
            highest: opened.standing.highest,
            scans: Semaphore::new(1),
            writer: Mutex::new(Some(tokio::spawn(writer.work()))),
            looking: tokio::sync::Mutex::default(),
        })))
    }

    /// Opens the database to look at what is in it, and keeps every copy of the gateway out meanwhile: nothing is made
    /// or changed, and whatever is written fails. `None` where there is no database yet.
    ///
    /// # Errors
    /// As [`Store::open`], and when the tables are of an older version.
    pub async fn look(config: StoreConfig) -> Result<Option<Self>, StoreError> {
        if config.sqlite_file().is_some_and(|file| !file.exists()) {
            return Ok(None);
        }
        let failed = |error: sqlx::Error| cannot_open(&config, &error);
        let (home, mut conn) = Home::open(&config).await?;
        match migrations::are_current(&mut conn).await.map_err(failed)? {
            None => return Ok(None),
            Some(true) => {}
            Some(false) => {
                return Err(StoreError::Migration {
                    database: config.shown_url(),
                    reason: "it is of another version; `viaduct migrate` brings it up to date".to_owned(),
                });
            }
        }
        let key = SealingKey::load(&config.key_file)?;
        fits_key(&mut conn, &config, &key).await?;
        let standing = standing(&mut conn).await.map_err(failed)?;
        let notes = notes(&mut conn).await.map_err(failed)?;
        let reader = home.readers();
        // Nobody takes what is handed in.
        let (queue, _) = Queue::new();
        Ok(Some(Self(Arc::new(Inner {
            queue,
            reader,
            key,
            notes: Arc::new(Notes::new(notes)),
            highest: standing.highest,
            scans: Semaphore::new(1),
            writer: Mutex::new(None),
            looking: tokio::sync::Mutex::new(Some((home, conn))),
        }))))
    }

    /// Brings the tables up to date and does nothing else.
    ///
    /// # Errors
    /// As [`Store::open`], but the sealing key is not needed.
    pub async fn migrate(config: &StoreConfig) -> Result<(), StoreError> {
        let (_lock, mut conn) = Home::open(config).await?;
        migrations::run(&mut conn, &config.shown_url()).await?;
        conn.close().await.map_err(|error| cannot_open(config, &error))
    }

    /// Commits what was handed in, then lets the database go. Whatever is written later fails.
    pub async fn close(&self) {
        self.0.notes.close();
        let writer = self
            .0
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer of the database ended before its time");
        }
        self.0.reader.close().await;
        if let Some((_home, conn)) = self.0.looking.lock().await.take()
            && let Err(error) = conn.close().await
        {
            tracing::warn!(%error, "the database could not be closed properly");
        }
    }

    /// The highest id that a login, a portal or a message in the outbox ever had, also if it is long forgotten.
    #[must_use]
    pub fn highest_id(&self) -> i64 {
        self.0.highest
    }

    /// A lane for the writes of one actor.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane::new(self.0.queue.clone())
    }

    /// Hands in writes that belong together and to no lane; else as [`Lane::write`].
    pub async fn write(&self, writes: Vec<Write>) -> CommitTicket {
        self.0.queue.write(writes, None).await
    }

    /// Hands in writes if there is room for them; else as [`Lane::try_write`].
    ///
    /// # Errors
    /// Gives them back if there is none.
    pub fn try_write(&self, writes: Vec<Write>) -> Result<CommitTicket, QueueFull> {
        self.0.queue.try_write(writes, None)
    }

    /// The notebook of the bridges.
    #[must_use]
    pub fn notebook(&self) -> Arc<dyn Notebook> {
        Arc::clone(&self.0.notes) as Arc<dyn Notebook>
    }

    /// Up to `limit` users of a gateway, in the order of their JIDs, from the one after the given JID on (`None` to begin
    /// with).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn logins(
        &self,
        gateway: &str,
        after: Option<&Name>,
        limit: u32,
    ) -> Result<Vec<login::LoginSummary>, StoreError> {
        Ok(login::summaries(&self.0.reader, gateway, after, limit).await?)
    }

    /// Everything about one user of a gateway.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load_login(&self, gateway: &Name, user: &Name) -> Result<Option<LoadedLogin>, StoreError> {
        login::load(&self.0.reader, &self.0.key, gateway, user).await
    }

    /// What was taken over from another gateway for a user.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn imported(&self, login: LoginId) -> Result<Vec<ImportedRecord>, StoreError> {
        Ok(login::imported(&self.0.reader, login).await?)
    }

    /// Where history that is older than all there is would follow.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn archive_edge(&self, portal: PortalId) -> Result<archive::ArchiveEdge, StoreError> {
        Ok(archive::edge(&self.0.reader, portal).await?)
    }

    /// A page of an archive.
    ///
    /// # Errors
    /// When an archive id in the query names nothing, or the database cannot be read.
    pub async fn archive_page(&self, query: &ArchiveQuery) -> Result<ArchivePage, ArchiveReadError> {
        archive::page(&self.0.reader, &self.0.scans, query).await
    }

    /// Messages after one position and up to another, in order, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn replay(
        &self,
        portal: PortalId,
        after: Position,
        upto: Position,
        limit: u32,
    ) -> Result<Vec<MessageRecord>, StoreError> {
        Ok(message::replay(&self.0.reader, portal, after, upto, limit).await?)
    }

    /// The newest messages up to a position, in order: at most `limit`, and none from before `since`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn history(
        &self,
        portal: PortalId,
        upto: Position,
        limit: u32,
        since: Option<Timestamp>,
    ) -> Result<Vec<MessageRecord>, StoreError> {
        Ok(message::history(&self.0.reader, portal, upto, limit, since).await?)
    }

    /// The message with this archive id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find(
        &self,
        portal: PortalId,
        archive_id: &str,
    ) -> Result<Option<MessageRecord>, StoreError> {
        Ok(message::find(&self.0.reader, portal, archive_id).await?)
    }
}

impl Store {
    /// The message that something refers to.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find_related(&self, lookup: &Lookup) -> Result<Option<Found>, StoreError> {
        Ok(related::found(&self.0.reader, lookup).await?)
    }
}

/// Notices a wrong key before anything is read or written with it.
async fn check_key(conn: &mut Conn, config: &StoreConfig, key: &SealingKey) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| cannot_open(config, &error);
    let sealed = key
        .seal(&Place::Check, KEY_CHECK_TEXT)
        .map_err(|error| StoreError::Open {
            database: config.shown_url(),
            reason: format!("the system gives no random bytes ({error})"),
        })?;
    conn.execute(SET_KEY_CHECK, &[sealed.into()])
        .await
        .map_err(failed)?;
    fits_key(conn, config, key).await
}

/// Notices a wrong key.
async fn fits_key(conn: &mut Conn, config: &StoreConfig, key: &SealingKey) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| cannot_open(config, &error);
    let rows = conn.fetch(KEY_CHECK, &[]).await.map_err(failed)?;
    let sealed = rows
        .first()
        .ok_or(sqlx::Error::RowNotFound)
        .and_then(|row| row.bytes(0))
        .map_err(failed)?;
    match key.open(&Place::Check, &sealed) {
        Ok(text) if **text == *KEY_CHECK_TEXT => Ok(()),
        _ => Err(StoreError::WrongKey {
            database: config.shown_url(),
            key_file: config.key_file.clone(),
        }),
    }
}

struct Opened {
    standing: Standing,
    last_said: i64,
    notes: HashMap<Name, Name>,
}

async fn take_over(conn: &mut Conn) -> Result<Opened, sqlx::Error> {
    conn.execute(TAKE_EPOCH, &[]).await?;
    let standing = standing(conn).await?;
    let rows = conn.fetch(LAST_SAID, &[]).await?;
    let last_said = rows
        .first()
        .ok_or(sqlx::Error::RowNotFound)?
        .maybe_int(0)?
        .unwrap_or(0);
    Ok(Opened {
        standing,
        last_said,
        notes: notes(conn).await?,
    })
}

async fn notes(conn: &mut Conn) -> Result<HashMap<Name, Name>, sqlx::Error> {
    let mut notes = HashMap::new();
    for row in conn
        .fetch(notebook::LOAD, &[notebook::LOAD_AT_MOST.into()])
        .await?
    {
        notes.insert(row.text(0)?, row.text(1)?);
    }
    Ok(notes)
}
