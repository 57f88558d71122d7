//! The writer's connection, and the lock that keeps a second copy of the gateway out.
//!
//! One process owns a database. With SQLite the lock is one on a file beside the database, with PostgreSQL an advisory
//! lock of the writer's own session; both die with the process, and the latter with the connection: whoever reconnects
//! must get it again. What happened in between shows in the epoch, which every opening raises and every commit checks.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::time::sleep;
use viaduct_bridge::Name;

use crate::config::StoreConfig;
use crate::db::{Conn, Reader, postgres, sqlite};
use crate::error::{StoreError, in_words};
use crate::write::Checkpointer;

/// Where the database is, and what it takes to write to it.
pub(crate) enum Home {
    Sqlite {
        options: SqliteConnectOptions,
        /// Locked as long as it is open.
        _lock: File,
    },
    Postgres {
        options: PgConnectOptions,
        /// The session that has the lock.
        session: Session,
    },
}

/// Without what it takes to connect: there may be a password in it.
impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Home")
    }
}

/// A session of a PostgreSQL server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Session {
    pid: i64,
    since: Name,
}

/// How long the lock of a process that was killed may outlive it: the server has to notice that the connection is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);
const LOCK_RETRY: Duration = Duration::from_millis(100);

/// The key of the advisory lock: one for each schema of a PostgreSQL database.
macro_rules! lock_key {
    () => {
        "hashtextextended('viaduct:' || current_schema(), 0)"
    };
}

const SESSION: &str =
    "SELECT pid::BIGINT, backend_start::TEXT FROM pg_stat_activity WHERE pid = pg_backend_pid()";

const TRY_LOCK: &str = concat!("SELECT pg_try_advisory_lock(", lock_key!(), ")::INT::BIGINT");

const HOLDER: &str = concat!(
    "SELECT a.pid::BIGINT, a.backend_start::TEXT, coalesce(host(a.client_addr), 'this machine') \
     FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND (l.classid::BIGINT << 32 | l.objid::BIGINT) = ",
    lock_key!()
);

/// Ends a session of ours that the server has not noticed to be dead, and waits for that.
const END_SESSION: &str = "SELECT pg_terminate_backend($1::INT, 5000)::INT::BIGINT";

impl Home {
    /// Takes the lock and connects.
    pub(crate) async fn open(config: &StoreConfig) -> Result<(Self, Conn), StoreError> {
        match config.url.split(':').next() {
            Some("sqlite") => open_sqlite(config).await,
            Some("postgres" | "postgresql") => open_postgres(config).await,
            _ => Err(StoreError::Url {
                url: config.shown_url(),
                reason: "a database is written as sqlite:///path/to/viaduct.db or postgres://user:password@host/name"
                    .to_owned(),
            }),
        }
    }

    /// Connections that read.
    pub(crate) fn readers(&self) -> Reader {
        match self {
            Self::Sqlite { options, .. } => Reader::Sqlite(sqlite::connect_readers(options)),
            Self::Postgres { options, .. } => Reader::Postgres(postgres::connect_readers(options)),
        }
    }

    /// What moves commits from the log into the database, where that is ours to do.
    pub(crate) fn checkpointer(&self) -> Option<Checkpointer> {
        match self {
            Self::Sqlite { options, .. } => Some(Checkpointer::start(options.clone())),
            Self::Postgres { .. } => None,
        }
    }

    /// Connects again. `None` if another copy has the lock now.
    pub(crate) async fn reconnect(&mut self) -> Result<Option<Conn>, sqlx::Error> {
        match self {
            Self::Sqlite { options, .. } => Ok(Some(Conn::Sqlite(sqlite::connect_writer(options).await?))),
            Self::Postgres { options, session } => {
                let mut conn = Conn::Postgres(postgres::connect_writer(options).await?);
                let new = this_session(&mut conn).await?;
                if !try_lock(&mut conn).await? {
                    let Some((holder, _)) = holder(&mut conn).await? else {
                        return Err(sqlx::Error::PoolTimedOut);
                    };
                    if holder != *session {
                        return Ok(None);
                    }
                    conn.fetch(END_SESSION, &[holder.pid.into()]).await?;
                    if !try_lock(&mut conn).await? {
                        return Ok(None);
                    }
                }
                *session = new;
                Ok(Some(conn))
            }
        }
    }

    /// Whether a network lies between us and the database.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }
}

async fn open_sqlite(config: &StoreConfig) -> Result<(Home, Conn), StoreError> {
    let options = sqlite::options(config)?;
    let lock = lock_file(config, options.get_filename())?;
    sqlite::create_file(&options).map_err(|error| StoreError::Open {
        database: config.shown_url(),
        reason: format!(
            "the file cannot be made ({error}); make its directory and let the user that viaduct runs as write there"
        ),
    })?;
    let conn = sqlite::connect_writer(&options)
        .await
        .map_err(|error| cannot_open(config, &error))?;
    Ok((Home::Sqlite { options, _lock: lock }, Conn::Sqlite(conn)))
}

/// Locks a file beside the database. It stays when the lock goes: removing it would let two processes each lock one.
fn lock_file(config: &StoreConfig, database: &Path) -> Result<File, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let refuse = |error: std::io::Error| StoreError::Open {
        database: config.shown_url(),
        reason: format!(
            "{} cannot be locked ({error}); make its directory and let the user that viaduct runs as write there",
            path.display()
        ),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(refuse)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            return Err(StoreError::InUse {
                database: config.shown_url(),
                by: if known {
                    format!(" (process {})", pid.trim())
                } else {
                    String::new()
                },
            });
        }
        Err(TryLockError::Error(error)) => return Err(refuse(error)),
    }
    // For the message above only.
    let noted = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::debug!(%error, "the lock file does not say who has it");
    }
    Ok(file)
}

async fn open_postgres(config: &StoreConfig) -> Result<(Home, Conn), StoreError> {
    let options = postgres::options(config)?;
    let connect = async {
        let mut conn = Conn::Postgres(postgres::connect_writer(&options).await?);
        let session = this_session(&mut conn).await?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        while !try_lock(&mut conn).await? {
            if Instant::now() >= deadline {
                let other = holder(&mut conn).await?.map(|(_, host)| host);
                return Ok((conn, session, Some(other)));
            }
            sleep(LOCK_RETRY).await;
        }
        Ok((conn, session, None))
    };
    match connect
        .await
        .map_err(|error: sqlx::Error| cannot_open(config, &error))?
    {
        (conn, session, None) => Ok((Home::Postgres { options, session }, conn)),
        (_, _, Some(other)) => Err(StoreError::InUse {
            database: config.shown_url(),
            by: other.map_or_else(String::new, |host| format!(" (connected from {host})")),
        }),
    }
}

async fn this_session(conn: &mut Conn) -> Result<Session, sqlx::Error> {
    let rows = conn.fetch(SESSION, &[]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok(Session {
        pid: row.int(0)?,
        since: row.text(1)?,
    })
}

async fn try_lock(conn: &mut Conn) -> Result<bool, sqlx::Error> {
    let rows = conn.fetch(TRY_LOCK, &[]).await?;
    Ok(rows.first().ok_or(sqlx::Error::RowNotFound)?.int(0)? == 1)
}

/// The session that has the lock, and the host that it comes from.
async fn holder(conn: &mut Conn) -> Result<Option<(Session, Name)>, sqlx::Error> {
    let rows = conn.fetch(HOLDER, &[]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let session = Session {
        pid: row.int(0)?,
        since: row.text(1)?,
    };
    Ok(Some((session, row.text(2)?)))
}

/// The error of a database that cannot be opened.
pub(crate) fn cannot_open(config: &StoreConfig, error: &sqlx::Error) -> StoreError {
    StoreError::Open {
        database: config.shown_url(),
        reason: in_words(error),
    }
}
