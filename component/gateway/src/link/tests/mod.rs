//! The link against a scripted XEP-0114 server.

mod confirm;
mod guard;
mod server;
mod streams;
