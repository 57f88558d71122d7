//! Connections: what the client state machine needs of the outside world, and nothing that knows IRC beyond PING.
//!
//! One task per login and server ([`actor`]) goes through the states of a connection; while there is one, [`drive`]
//! moves bytes between the socket ([`link`]), the client and the event sink.

pub(crate) mod actor;
mod attempt;
pub(crate) mod backoff;
pub(crate) mod dial;
pub(crate) mod drive;
pub(crate) mod ident;
pub(crate) mod inbox;
pub(crate) mod link;
pub(crate) mod probe;
pub(crate) mod sts;
pub(crate) mod tls;
