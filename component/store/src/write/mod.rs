//! Writing: many actors hand in what they want remembered, one task commits it.
//!
//! The task ([`task`]) takes everything that has arrived while the last commit was under way, merges it ([`segment`]),
//! plans the statements ([`plan`]) and runs them in one transaction ([`commit`]). So a commit is shared by all who wait,
//! there is no timer, and a single message on a quiet day is committed at once.

mod checkpoint;
mod commit;
mod contents;
mod intern;
mod patience;
mod plan;
mod queue;
mod segment;
pub(crate) mod statements;
mod task;

pub(crate) use checkpoint::Checkpointer;
pub(crate) use commit::{Standing, standing};
pub(crate) use intern::Interner;
pub(crate) use queue::Queue;
pub use queue::{CommitTicket, Lane, QueueFull};
#[cfg(test)]
pub(crate) use statements::{BULK, QUERIES};
pub(crate) use task::Writer;

#[cfg(test)]
mod full;
