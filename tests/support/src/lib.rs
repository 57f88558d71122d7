//! Real servers and scripted peers for viaduct's tests.
//!
//! What a test needs from outside the gateway, from the bottom up:
//!
//! - [`ports`], [`scratch`], [`process`]: loopback ports, a temporary directory, child processes that cannot
//!   outlive the test.
//! - [`servers`]: Prosody, ejabberd, ngIRCd, InspIRCd and PostgreSQL as Debian ships them, on loopback.
//! - [`gateway`]: viaduct itself, and Biboumi behind the same interface (to measure against, and to try this
//!   crate without viaduct).
//! - [`xmpp`], [`irc`]: a scripted XMPP client, a raw IRC client and a scripted IRC server. They share an
//!   [`inbox`] that one waits on for things to arrive, and a [`transcript`] that is printed when they do not.
//! - [`proxy`]: TCP with faults.
//! - [`world`]: one XMPP server, one IRC server and one gateway between them, started together.
//!
//! Nothing here uses the libraries that the gateway is made of to read a protocol: a mistake of theirs would
//! otherwise hide itself. (minidom holds parsed stanzas; what arrives is cut into stanzas by our own scanner,
//! and the transcripts show the bytes as they were.)
//!
//! Waiting is always for an event with a deadline ([`patience`]); nothing sleeps and hopes.

pub mod certificate;
pub mod gateway;
pub mod inbox;
pub mod irc;
pub mod patience;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod scratch;
pub mod servers;
pub mod transcript;
pub mod world;
pub mod xmpp;

pub use anyhow;
pub use minidom::Element;
