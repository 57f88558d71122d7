//! The program: its commands, and how it starts and ends.

mod check;
mod cli;
mod gateway;
mod logs;
mod reload;
mod run;
mod signals;
mod steward;
mod stored;

pub use cli::{Cli, main};
pub use logs::LogFormat;
