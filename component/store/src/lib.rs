//! What viaduct remembers: SQL repositories for SQLite and PostgreSQL.
//!
//! The rows are those of [`viaduct_core::records`]; this crate keeps them. [`Store::open`] opens the database, brings its
//! tables up to date and keeps every other copy of the gateway out. Writes go through one task that commits in groups
//! ([`Lane::write`] gives a [`CommitTicket`]); reads have connections of their own and see what is committed.
//!
//! # Where things are
//! - `config`, `key_file`, `error`: what the operator meets.
//! - `connection`: the lock, connecting and reconnecting. `migrations`: the tables (in `migrations/` at the root).
//! - `db`: all that differs between the two databases. Everything else is one text for both.
//! - `write`: the queue, merging, planning, the transaction. `read`: logins, messages, archives.
//! - `seal`, `stored`: how secrets and composite values look in a row.
//!
//! # Adding something to remember
//! 1. Its row in `viaduct_core::records`, and a migration that makes its table.
//! 2. A field in `write::segment::Segment` (how do two writes of it merge?), a statement in `write::statements`, the rows
//!    in `write::plan`.
//! 3. Reading it in `read`, and a test in `tests/` that runs on both databases.

mod config;
mod connection;
mod db;
mod error;
mod key_file;
mod migrations;
mod notebook;
mod read;
mod seal;
mod store;
mod stored;
mod write;

pub use config::{StoreConfig, Synchronous};
pub use error::{ArchiveReadError, CommitError, StoreError};
pub use read::archive::ArchiveEdge;
pub use read::login::LoginSummary;
pub use seal::{BadKey, SealingKey};
pub use store::Store;
pub use write::{CommitTicket, Lane, QueueFull};
