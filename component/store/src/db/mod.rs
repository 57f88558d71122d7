//! The two databases behind one face. Everything above speaks SQL text that both accept, [`Value`]s and [`Row`]s; what
//! differs between SQLite and PostgreSQL is in this folder: connecting, binding, and how many rows are passed to one
//! statement ([`bulk`]).

pub(crate) mod bulk;
pub(crate) mod postgres;
pub(crate) mod sqlite;
mod value;

use futures::TryStreamExt as _;
use sqlx::{Executor as _, PgConnection, PgPool, SqliteConnection, SqlitePool};

pub(crate) use bulk::{Bulk, Kind, Load};
pub(crate) use value::{Row, Value};

use crate::error::{Fault, fault};

/// Connections that read.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Reader {
    /// Runs a query; `$1`, `$2`… are the values.
    pub(crate) async fn fetch(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
        match self.fetch_once(sql, values).await {
            Err(error) if is_worth_another_try(&error) => self.fetch_once(sql, values).await,
            outcome => outcome,
        }
    }

    /// Runs a query over many rows of input.
    pub(crate) async fn fetch_bulk(&self, load: &Load) -> Result<Vec<Row>, sqlx::Error> {
        match self.fetch_bulk_once(load).await {
            Err(error) if is_worth_another_try(&error) => self.fetch_bulk_once(load).await,
            outcome => outcome,
        }
    }

    async fn fetch_once(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let query = sqlx::query_with(sql, sqlite::arguments(values)?);
                pool.fetch(query).map_ok(Row::Sqlite).try_collect().await
            }
            Self::Postgres(pool) => {
                let query = sqlx::query_with(sql, postgres::arguments(values)?);
                pool.fetch(query).map_ok(Row::Postgres).try_collect().await
            }
        }
    }

    async fn fetch_bulk_once(&self, load: &Load) -> Result<Vec<Row>, sqlx::Error> {
        let mut rows = Vec::new();
        match self {
            Self::Sqlite(pool) => {
                for (sql, arguments) in sqlite::statements(load)? {
                    let query = sqlx::query_with(sql, arguments);
                    rows.extend(pool.fetch_all(query).await?.into_iter().map(Row::Sqlite));
                }
            }
            Self::Postgres(pool) => {
                let query = sqlx::query_with(postgres::text(load.bulk), postgres::columns(load)?);
                rows.extend(pool.fetch_all(query).await?.into_iter().map(Row::Postgres));
            }
        }
        Ok(rows)
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Whether reading once more may help: the connection was lost meanwhile, as in a restart of the server. The pool waits
/// for the server by itself, so what it has given up is not tried again.
fn is_worth_another_try(error: &sqlx::Error) -> bool {
    fault(error) == Fault::Lost && !matches!(error, sqlx::Error::PoolTimedOut)
}

/// Which part of a transaction some statements are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Span {
    /// All of it.
    Whole,
    /// Its beginning.
    Begin,
    /// Neither its beginning nor its end.
    Middle,
    /// Its end.
    End,
}

impl Span {
    fn begins(self) -> bool {
        matches!(self, Self::Whole | Self::Begin)
    }

    fn commits(self) -> bool {
        matches!(self, Self::Whole | Self::End)
    }
}

/// The connection that writes.
#[derive(Debug)]
pub(crate) enum Conn {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Conn {
    /// Runs a query; `$1`, `$2`… are the values.
    pub(crate) async fn fetch(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(conn) => {
                let query = sqlx::query_with(sql, sqlite::arguments(values)?);
                conn.fetch(query).map_ok(Row::Sqlite).try_collect().await
            }
            Self::Postgres(conn) => {
                let query = sqlx::query_with(sql, postgres::arguments(values)?);
                conn.fetch(query).map_ok(Row::Postgres).try_collect().await
            }
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(conn) => {
                let query = sqlx::query_with(sql, sqlite::arguments(values)?);
                Ok(conn.execute(query).await?.rows_affected())
            }
            Self::Postgres(conn) => {
                let query = sqlx::query_with(sql, postgres::arguments(values)?);
                Ok(conn.execute(query).await?.rows_affected())
            }
        }
    }

    /// Runs a query over many rows of input.
    pub(crate) async fn fetch_bulk(&mut self, load: &Load) -> Result<Vec<Row>, sqlx::Error> {
        let mut rows = Vec::new();
        match self {
            Self::Sqlite(conn) => {
                for (sql, arguments) in sqlite::statements(load)? {
                    let query = sqlx::query_with(sql, arguments);
                    rows.extend(conn.fetch_all(query).await?.into_iter().map(Row::Sqlite));
                }
            }
            Self::Postgres(conn) => {
                let query = sqlx::query_with(postgres::text(load.bulk), postgres::columns(load)?);
                rows.extend(conn.fetch_all(query).await?.into_iter().map(Row::Postgres));
            }
        }
        Ok(rows)
    }

    /// Runs statements one after the other, each over many rows of input, in a transaction that begins and ends as
    /// asked. `committing` becomes true before the database is told to commit.
    pub(crate) async fn run(
        &mut self,
        loads: &[&Load],
        span: Span,
        committing: &mut bool,
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(conn) => {
                *committing |= span.commits();
                sqlite::run(conn, loads, span).await
            }
            Self::Postgres(conn) => {
                if span.begins() {
                    conn.execute("BEGIN").await?;
                }
                for load in loads.iter().filter(|load| !load.is_empty()) {
                    let query = sqlx::query_with(postgres::text(load.bulk), postgres::columns(load)?);
                    conn.execute(query).await?;
                }
                if span.commits() {
                    *committing = true;
                    conn.execute("COMMIT").await?;
                }
                Ok(())
            }
        }
    }

    /// Undoes what was begun, if anything was.
    pub(crate) async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        let outcome = match self {
            Self::Sqlite(conn) => conn.execute("ROLLBACK").await.map(drop),
            Self::Postgres(conn) => conn.execute("ROLLBACK").await.map(drop),
        };
        match outcome {
            // SQLite has undone it by itself after some errors, and then says that there is nothing to undo.
            Err(sqlx::Error::Database(error)) if error.message().contains("no transaction is active") => {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Closes the connection.
    pub(crate) async fn close(self) -> Result<(), sqlx::Error> {
        use sqlx::Connection as _;
        match self {
            Self::Sqlite(conn) => conn.close().await,
            Self::Postgres(conn) => conn.close().await,
        }
    }
}
