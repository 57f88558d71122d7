//! IRC as bytes on TCP: a raw client ([`IrcPeer`]) and a scripted server ([`IrcServer`]).

mod line;
mod peer;
mod server;
mod wire;

pub use line::Line;
pub use peer::IrcPeer;
pub use server::{IrcServer, IrcSession, Welcome};
pub use wire::IrcWire;
