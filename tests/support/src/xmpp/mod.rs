//! A scripted XMPP client over plain TCP, and what tests need to write and read stanzas.
//!
//! [`Client`] is what a test holds. [`StanzaExt`] reads what arrives; [`xml`] writes what is sent, for the cases
//! in which a raw string would be awkward or unsafe.

mod client;
mod join;
mod manners;
mod scanner;
mod stanza;
mod talk;
mod wire;
pub mod xml;

pub use client::{Client, Login};
pub use join::{Join, Joined};
pub use stanza::{StanzaError, StanzaExt, bare, ns, parse_stanza, resource};
