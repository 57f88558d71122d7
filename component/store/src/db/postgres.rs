//! What is PostgreSQL's own.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, PgConnection, PgPool};

use super::{Bulk, Kind, Load, Value};
use crate::config::StoreConfig;
use crate::error::StoreError;

/// Connections that read.
const READERS: u32 = 8;

/// How long to wait for a connection, and for the end of a commit, before they are given up.
pub(crate) const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How the database is reached.
pub(crate) fn options(config: &StoreConfig) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(&config.url).map_err(|_| StoreError::Url {
        url: config.shown_url(),
        reason: "write where the database is as postgres://user:password@host/name".to_owned(),
    })?;
    Ok(options
        .application_name("viaduct")
        // So that the server notices a dead gateway, whose lock would keep its successor waiting.
        .options([
            ("tcp_keepalives_idle", "15"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
        .disable_statement_logging())
}

/// Opens the connection that writes.
pub(crate) async fn connect_writer(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(CONNECT_WITHIN, options.connect()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Opens connections that read.
pub(crate) fn connect_readers(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(CONNECT_WITHIN)
        .connect_lazy_with(options.clone())
}

/// Values for `$1`, `$2`….
pub(crate) fn arguments(values: &[Value]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Int(int) => arguments.add(*int),
            Value::Text(text) => arguments.add(text.as_str()),
            Value::Bytes(bytes) => arguments.add(&bytes[..]),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// The rows of a load as one array for each column.
pub(crate) fn columns(load: &Load) -> Result<PgArguments, sqlx::Error> {
    let width = load.width();
    let mut arguments = PgArguments::default();
    for (at, (_, kind)) in load.bulk.columns.iter().enumerate() {
        let column = load.values().iter().skip(at).step_by(width);
        match kind {
            Kind::Int => arguments.add(column.map(int).collect::<Vec<_>>()),
            Kind::Text => arguments.add(column.map(text_of).collect::<Vec<_>>()),
            Kind::Bytes => arguments.add(column.map(bytes).collect::<Vec<_>>()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(int) => Some(*int),
        _ => None,
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(&bytes[..]),
        _ => None,
    }
}

/// The text of a statement over many rows.
pub(crate) fn text(bulk: &Bulk) -> AssertSqlSafe<String> {
    let names: Vec<&str> = bulk.columns.iter().map(|(name, _)| *name).collect();
    let arrays: Vec<String> = bulk
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| {
            let kind = match kind {
                Kind::Int => "BIGINT",
                Kind::Text => "TEXT",
                Kind::Bytes => "BYTEA",
            };
            format!("${}::{kind}[]", at + 1)
        })
        .collect();
    AssertSqlSafe(format!(
        "WITH r ({}) AS (SELECT * FROM UNNEST({})) {}",
        names.join(", "),
        arrays.join(", "),
        bulk.then
    ))
}
