//! The IRC protocol as pure functions and small values: no sockets, no clock, no runtime.
//!
//! What a line *is* lives here; what it *means* for a connection is in `client`.

pub mod caps;
pub mod casemap;
pub mod charset;
pub mod client_tags;
pub mod clock;
pub mod ctcp;
pub mod format;
pub mod isupport;
pub mod line;
pub mod message;
pub mod modes;
pub mod multiline;
pub mod sasl;
pub mod scram;
pub mod services;
pub mod split;
pub mod sts;
pub mod time;
