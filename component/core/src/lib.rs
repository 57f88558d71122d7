//! viaduct without IO.
//!
//! The invariant: *one input, then all its effects in order, then the next input.* Nothing in this crate looks at a
//! clock, draws a random number, opens a socket or asks a database; time and randomness are passed in, and what is to
//! be done comes out as effects.

pub mod access;
pub mod command;
pub mod context;
pub mod effect;
pub mod errand;
pub mod forms;
pub mod login;
pub mod names;
pub mod ns;
pub mod options;
pub mod payload;
pub mod portal;
pub mod records;
pub mod refer;
pub mod relation;
pub mod render;
pub mod rsm;
pub mod service;
pub mod stanza;
pub mod styling;
pub mod time;
pub mod xml;
