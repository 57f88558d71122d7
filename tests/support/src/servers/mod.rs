//! Real servers from Debian packages, each on free loopback ports with its data in a [`Scratch`] directory.
//!
//! They are configured so that nothing but the test slows them down: no rate limits, no look-ups of names, no
//! encryption where it is not the point. All can be killed, frozen and started again on the same ports.
//!
//! [`Scratch`]: crate::scratch::Scratch

mod anope;
mod ejabberd;
mod inspircd;
mod irc;
mod ngircd;
mod postgres;
mod prosody;
mod xmpp;

pub use anope::ServicedNetwork;
pub use irc::{IrcKind, IrcServerOptions, RealIrcServer};
pub use postgres::Postgres;
pub use xmpp::{XmppKind, XmppOptions, XmppServer};

/// The domain whose users may use the gateway.
pub const DOMAIN: &str = "localhost";
/// A domain on the same server whose users the gateway does not let in.
pub const OTHER_DOMAIN: &str = "other.example";
/// The gateway domain with many IRC servers.
pub const GATEWAY: &str = "irc.localhost";
/// The gateway domain with one fixed IRC server.
pub const FIXED_GATEWAY: &str = "fixed.localhost";
/// The secret of every component.
pub const SECRET: &str = "component-secret";
/// Name and password of the IRC operator on the real IRC servers.
pub const OPERATOR: (&str, &str) = ("root", "operator-secret");
