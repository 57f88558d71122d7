//! viaduct without IO.
//!
//! The invariant: *one input, then all its effects in order, then the next input.* Nothing in this crate looks at a
//! clock, draws a random number, opens a socket or asks a database; time and randomness are passed in, and what is to
//! be done comes out as effects.

pub mod access;
pub mod context;
pub mod effect;
pub mod names;
pub mod ns;
pub mod records;
pub mod stanza;
pub mod time;
pub mod xml;
