//! The program: its commands, and how it starts and ends.

mod check;
mod cli;
pub(crate) mod gateway;
mod logs;
pub(crate) mod no_notes;
mod reload;
mod run;
mod signals;
mod steward;
mod stored;

pub use cli::{Cli, main};
pub use logs::LogFormat;
