//! What goes into a statement and what comes out of it.

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use viaduct_bridge::Name;

/// A value that goes into a statement.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(Name),
    Bytes(Arc<[u8]>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&Name> for Value {
    fn from(value: &Name) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&'static str> for Value {
    fn from(value: &'static str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<&Arc<[u8]>> for Value {
    fn from(value: &Arc<[u8]>) -> Self {
        Self::Bytes(Arc::clone(value))
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value.into())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row that comes out of a query. Columns are taken by number.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    fn get<'r, T>(&'r self, column: usize) -> Result<T, sqlx::Error>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>,
    {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, sqlx::Error> {
        self.get(column)
    }

    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, sqlx::Error> {
        self.get(column)
    }

    pub(crate) fn text(&self, column: usize) -> Result<Name, sqlx::Error> {
        self.get::<&str>(column).map(Name::from)
    }

    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<Name>, sqlx::Error> {
        self.get::<Option<&str>>(column).map(|text| text.map(Name::from))
    }

    pub(crate) fn bytes(&self, column: usize) -> Result<Arc<[u8]>, sqlx::Error> {
        self.get::<&[u8]>(column).map(Arc::from)
    }

    pub(crate) fn maybe_bytes(&self, column: usize) -> Result<Option<Arc<[u8]>>, sqlx::Error> {
        self.get::<Option<&[u8]>>(column)
            .map(|bytes| bytes.map(Arc::from))
    }
}
