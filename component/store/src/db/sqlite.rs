//! What is SQLite's own.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Executor as _, SqliteConnection, SqlitePool};

use super::{Bulk, Load, Span, Value};
use crate::config::{StoreConfig, Synchronous};
use crate::error::StoreError;

/// How many rows one statement takes. Few sizes, so that every statement is prepared once; what is missing to the next
/// size is filled up with NULL.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// Statements of up to this many rows are sent together, to save the way to SQLite's thread and back.
const SMALL: usize = 4;

/// Connections that read.
const READERS: u32 = 2;

/// How the database is opened.
pub(crate) fn options(config: &StoreConfig) -> Result<SqliteConnectOptions, StoreError> {
    let refuse = |reason: &str| StoreError::Url {
        url: config.shown_url(),
        reason: reason.to_owned(),
    };
    let options = SqliteConnectOptions::from_str(&config.url)
        .map_err(|_| refuse("write the path of the database file as sqlite:///var/lib/viaduct/viaduct.db"))?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() || config.url.contains(":memory:") || config.url.contains("mode=memory") {
        return Err(refuse(
            "viaduct remembers things in a file; name one, as in sqlite:///var/lib/viaduct/viaduct.db",
        ));
    }
    Ok(options
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match config.synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        })
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(2))
        .disable_statement_logging())
}

/// Makes the file where there is none, readable for its owner alone; SQLite gives the files beside it the same mode.
pub(crate) fn create_file(options: &SqliteConnectOptions) -> Result<(), std::io::Error> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(options.get_filename());
    match created {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Opens the connection that writes.
pub(crate) async fn connect_writer(options: &SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    options
        .clone()
        .thread_name(|_| "store-writer".to_owned())
        // In KiB. The system keeps the file in memory as well; this saves the calls for the pages used most.
        .pragma("cache_size", "-1000")
        // What is forgotten leaves no trace in the file.
        .pragma("secure_delete", "ON")
        // In 4 KiB pages: the checkpointer comes long before.
        .pragma("wal_autocheckpoint", "16384")
        .statement_cache_capacity(200)
        .connect()
        .await
}

/// Opens the connection that moves what was committed from the log into the database.
pub(crate) async fn connect_checkpointer(
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, sqlx::Error> {
    options
        .clone()
        .thread_name(|_| "store-checkpoint".to_owned())
        .pragma("cache_size", "-100")
        .connect()
        .await
}

/// Opens connections that read.
pub(crate) fn connect_readers(options: &SqliteConnectOptions) -> SqlitePool {
    let options = options
        .clone()
        .thread_name(|at| format!("store-reader-{at}"))
        .pragma("cache_size", "-300")
        .pragma("query_only", "ON");
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

/// Values for `$1`, `$2`….
pub(crate) fn arguments(values: &[Value]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    arguments.reserve(values.len(), 0);
    add(&mut arguments, values)?;
    Ok(arguments)
}

fn add(arguments: &mut SqliteArguments, values: &[Value]) -> Result<(), sqlx::Error> {
    for value in values {
        match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(int) => arguments.add(*int),
            // Shared with the record: of a borrowed text two copies would be made on the way, not one.
            Value::Text(text) => arguments.add(text.to_shared()),
            Value::Bytes(bytes) => arguments.add(&bytes[..]),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(())
}

/// The size of the next statement when so many rows are left.
fn size_for(rows: usize) -> usize {
    let largest = SIZES[SIZES.len() - 1];
    SIZES.into_iter().find(|size| *size >= rows).unwrap_or(largest)
}

/// The text of a statement for so many rows.
pub(crate) fn text(bulk: &Bulk, size: usize) -> String {
    let names: Vec<&str> = bulk.columns.iter().map(|(name, _)| *name).collect();
    let row = format!("({})", vec!["?"; names.len()].join(","));
    let rows = vec![row.as_str(); size].join(",");
    format!("WITH r ({}) AS (VALUES {rows}) {}", names.join(", "), bulk.then)
}

fn pad(arguments: &mut SqliteArguments, missing: usize) -> Result<(), sqlx::Error> {
    for _ in 0..missing {
        arguments.add(None::<i64>).map_err(sqlx::Error::Encode)?;
    }
    Ok(())
}

/// The statements that a load becomes.
pub(crate) fn statements(load: &Load) -> Result<Vec<(AssertSqlSafe<String>, SqliteArguments)>, sqlx::Error> {
    let width = load.width();
    let mut out = Vec::new();
    let mut rest = load.values();
    while !rest.is_empty() {
        let size = size_for(rest.len() / width);
        let (now, later) = rest.split_at(rest.len().min(size * width));
        rest = later;
        let mut arguments = SqliteArguments::default();
        arguments.reserve(size * width, 0);
        add(&mut arguments, now)?;
        pad(&mut arguments, size * width - now.len())?;
        out.push((AssertSqlSafe(text(load.bulk, size)), arguments));
    }
    Ok(out)
}

/// Runs statements one after the other, the small ones together with what begins and ends the transaction.
pub(crate) async fn run(conn: &mut SqliteConnection, loads: &[&Load], span: Span) -> Result<(), sqlx::Error> {
    let mut together = Together::default();
    if span.begins() {
        // At once with the lock for writing, so that nothing later can be refused for want of it.
        together.add("BEGIN IMMEDIATE");
    }
    for load in loads.iter().filter(|load| !load.is_empty()) {
        let rows = load.values().len() / load.width();
        if rows > SMALL {
            together.run(conn).await?;
            for (sql, arguments) in statements(load)? {
                conn.execute(sqlx::query_with(sql, arguments)).await?;
            }
        } else {
            let size = size_for(rows);
            together.add(&text(load.bulk, size));
            add(&mut together.arguments, load.values())?;
            pad(&mut together.arguments, (size - rows) * load.width())?;
        }
    }
    if span.commits() {
        together.add("COMMIT");
    }
    together.run(conn).await
}

/// Statements that go to SQLite's thread together.
#[derive(Default)]
struct Together {
    sql: String,
    arguments: SqliteArguments,
}

impl Together {
    fn add(&mut self, statement: &str) {
        if !self.sql.is_empty() {
            self.sql.push(';');
        }
        self.sql.push_str(statement);
    }

    async fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        if self.sql.is_empty() {
            return Ok(());
        }
        let Self { sql, arguments } = std::mem::take(self);
        conn.execute(sqlx::query_with(AssertSqlSafe(sql), arguments))
            .await
            .map(drop)
    }
}
