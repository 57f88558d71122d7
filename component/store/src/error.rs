//! What can go wrong with the database, in words for the operator.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use viaduct_core::records::ArchiveError;

/// The store cannot be opened, or cannot be read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// `store.url` names no database.
    #[error("store.url = \"{url}\": {reason}")]
    Url {
        /// What is configured, without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file cannot be used.
    #[error("store.key_file = \"{}\": {reason}", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The database was sealed with another key.
    #[error(
        "the credentials in {database} were sealed with another key than the one in {}; put the key that belongs to \
         this database there (without it the credentials are lost, and a new database is needed)",
        key_file.display()
    )]
    WrongKey {
        /// Which database.
        database: String,
        /// The file that holds the wrong key.
        key_file: PathBuf,
    },
    /// Another copy of the gateway is at work on this database.
    #[error(
        "{database} is in use by another viaduct{by}; stop that one first, or give this one a database of its own"
    )]
    InUse {
        /// Which database.
        database: String,
        /// What is known of it, with a space before; else empty.
        by: String,
    },
    /// The database comes from a newer viaduct.
    #[error(
        "{database} was made by a newer viaduct (it has migration {version}, which this one does not know); run that \
         version, or restore the backup from before the upgrade"
    )]
    Newer {
        /// Which database.
        database: String,
        /// The unknown migration.
        version: i64,
    },
    /// The tables cannot be brought up to date.
    #[error("{database} cannot be migrated: {reason}")]
    Migration {
        /// Which database.
        database: String,
        /// What is wrong.
        reason: String,
    },
    /// The database cannot be opened.
    #[error("{database} cannot be opened: {reason}")]
    Open {
        /// Which database.
        database: String,
        /// What is wrong.
        reason: String,
    },
    /// The database does not answer as it should.
    #[error("the database cannot be read: {0}")]
    Database(String),
    /// A row is not as viaduct writes it.
    #[error("a row of the table {table} cannot be read: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A batch of writes was not committed. Nothing of it is in the database, unless the variant says otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CommitError {
    /// The store has been closed.
    #[error("the store has been closed")]
    Closed,
    /// An earlier write of the same lane failed, so this one was not tried.
    #[error("an earlier write failed")]
    Earlier,
    /// Another copy of the gateway has taken the database over. No write will succeed any more.
    #[error("another viaduct has taken the database over; this one must stop")]
    Superseded,
    /// The database cannot take what was to be written (a place that is taken, a row that belongs to nothing).
    #[error("the database refuses the row: {0}")]
    Refused(Arc<str>),
    /// The connection to the database was lost during the commit and could not be had again: it may be in the database,
    /// or not. What is read from the store later shows it.
    #[error("the connection to the database was lost during a commit: {0}")]
    Uncertain(Arc<str>),
    /// The database cannot take anything at the moment.
    #[error("nothing can be written to the database: {0}")]
    Unavailable(Arc<str>),
    /// The database has lost what it had confirmed (a crash of a server that does not wait for its disk, a standby that was
    /// behind). Whoever relies on that must read it anew: all lanes have failed.
    #[error(
        "the database came back without its last commits; if it is PostgreSQL, see to its synchronous_commit and fsync"
    )]
    Forgotten,
}

/// A page of an archive cannot be given.
#[derive(Debug, Error)]
pub enum ArchiveReadError {
    /// The query is at fault.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The database is.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(in_words(&error))
    }
}

impl From<sqlx::Error> for ArchiveReadError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What kind of failure a database error is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// What was written is to blame; other writes can go on.
    Data,
    /// It may work at the next attempt.
    Passing,
    /// The connection is gone, and with it the answer.
    Lost,
    /// It will not work soon.
    Lasting,
}

/// Sorts a database error.
pub(crate) fn fault(error: &sqlx::Error) -> Fault {
    let code = match error {
        sqlx::Error::Database(error) => error.code().unwrap_or_default(),
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => return Fault::Lost,
        sqlx::Error::Encode(_) => return Fault::Data,
        _ => return Fault::Lasting,
    };
    if let Some(code) = sqlite_code(error) {
        return match code {
            SQLITE_BUSY | SQLITE_LOCKED => Fault::Passing,
            SQLITE_CONSTRAINT | SQLITE_TOOBIG | SQLITE_MISMATCH => Fault::Data,
            _ => Fault::Lasting,
        };
    }
    match code.get(..2) {
        // 22: data exception; 23: integrity constraint violation; 54: program limit exceeded (a key too long).
        Some("22" | "23" | "54") => Fault::Data,
        // 40: serialisation failure or deadlock.
        Some("40") => Fault::Passing,
        // 08: connection exception; 57: the server is shutting down or was told to end the session.
        Some("08" | "57") => Fault::Lost,
        // After a restart all clients come at once; others may have had the last place.
        _ if code == "53300" => Fault::Lost,
        _ => Fault::Lasting,
    }
}

/// Says in words what a database error means.
pub(crate) fn in_words(error: &sqlx::Error) -> String {
    let known = match (sqlite_code(error), error) {
        (Some(SQLITE_BUSY | SQLITE_LOCKED), _) => "another program holds a lock on the database file; end it",
        (Some(SQLITE_READONLY), _) => "the database file may not be written; check its owner and permissions",
        (Some(SQLITE_FULL), _) => "the disk that holds the database is full; make room on it",
        (Some(SQLITE_CANTOPEN), _) => {
            "the file cannot be opened; check that its directory exists and may be written"
        }
        (Some(SQLITE_CORRUPT), _) => "the database file is damaged; restore it from a backup",
        (Some(SQLITE_NOTADB), _) => "the file is no SQLite database",
        (Some(SQLITE_IOERR), _) => "the disk that holds the database reports an error",
        (None, sqlx::Error::Database(inner)) => match inner.code().as_deref() {
            Some("53100") => "the disk of the PostgreSQL server is full; make room on it",
            Some("53300") => "the PostgreSQL server has no connection left; raise its max_connections",
            Some("28P01" | "28000") => "PostgreSQL refuses the user or the password in store.url",
            Some("3D000") => "there is no such PostgreSQL database; create it",
            Some("42501") => "the PostgreSQL user may not do this; let it own the database",
            Some(code) if code.starts_with("57") => "the PostgreSQL server is shutting down or starting up",
            _ => "the database reports an error",
        },
        (None, sqlx::Error::Io(_)) => {
            "the PostgreSQL server cannot be reached, or the connection to it was lost"
        }
        (None, sqlx::Error::PoolTimedOut) => "the database did not answer in time",
        _ => "the database does not work as expected",
    };
    format!("{known} ({error})")
}

const SQLITE_BUSY: i32 = 5;
const SQLITE_LOCKED: i32 = 6;
const SQLITE_READONLY: i32 = 8;
const SQLITE_IOERR: i32 = 10;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_NOTADB: i32 = 26;

/// SQLite's primary result code, where the error is SQLite's.
fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(inner) = error else {
        return None;
    };
    inner.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let extended: i32 = inner.code()?.parse().ok()?;
    Some(extended & 0xff)
}
