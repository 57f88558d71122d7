//! One statement over many rows of input. The text stands once and for both databases; what differs is how the rows
//! come in: SQLite takes them as `VALUES` with a parameter for each field, PostgreSQL as one array for each column.

use super::Value;

/// The type of a column of input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
}

/// A statement that reads its input from a table named `r`.
///
/// The input may be padded with rows of nothing but NULL, so a statement that would take such a row must ask that the
/// first column of `r` is not NULL; the first column of a true row never is.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Bulk {
    /// The columns of `r`.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// The statement.
    pub(crate) then: &'static str,
}

/// A statement with its input.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) bulk: &'static Bulk,
    /// Row after row.
    values: Vec<Value>,
}

impl Load {
    pub(crate) fn new(bulk: &'static Bulk) -> Self {
        Self {
            bulk,
            values: Vec::new(),
        }
    }

    /// A load of one column.
    pub(crate) fn of(bulk: &'static Bulk, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        debug_assert_eq!(bulk.columns.len(), 1, "the statement has one column of input");
        Self {
            bulk,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// Adds a row.
    pub(crate) fn push<const N: usize>(&mut self, row: [Value; N]) {
        debug_assert_eq!(
            self.bulk.columns.len(),
            N,
            "a row has as many fields as the statement has columns"
        );
        self.values.extend(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn rows(&self) -> u64 {
        (self.values.len() / self.width()) as u64
    }

    /// The values, row after row.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The number of columns.
    pub(crate) fn width(&self) -> usize {
        self.bulk.columns.len()
    }
}
