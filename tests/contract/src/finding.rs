//! What a case finds out.

use std::fmt::Display;

/// Why a case ended early.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// The bridge broke the contract.
    Broken(String),
    /// The subject cannot be tried in this way.
    Skipped(String),
}

/// What a step of a case gives.
pub type Found<T = ()> = Result<T, Finding>;

/// The bridge broke the contract.
pub fn broken<T>(what: impl Display) -> Found<T> {
    Err(Finding::Broken(what.to_string()))
}

/// The subject cannot be tried in this way.
pub fn skipped<T>(why: impl Display) -> Found<T> {
    Err(Finding::Skipped(why.to_string()))
}

/// Ends a case unless something holds. The rest is formatted into what was broken.
macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return $crate::finding::broken(format!($($what)+));
        }
    };
}

pub(crate) use ensure;
