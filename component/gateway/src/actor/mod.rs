//! The actors: one for each login, and the router that finds them.
//!
//! An actor owns the core's state of one user and is the only one that touches it. It takes what waits in its mailbox,
//! lets the core decide, hands the writes to the store, and releases the other effects in order as their commits
//! complete. It never waits for anybody while it handles something, and a panic inside it is its own affair.

mod errands;
mod flows;
mod mailbox;
mod marks;
mod memory;
mod mind;
mod receipt;
mod recovery;
mod release;
mod resolve;
mod router;
mod session;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

pub use memory::{Alarm, Core, Gateway, Lane, MakeCore, Memory, Remembered, Remembering, Steward, Trouble};
pub use router::Router;
