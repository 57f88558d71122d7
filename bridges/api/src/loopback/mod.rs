//! A network in memory, and the bridge to it.
//!
//! It serves three purposes. Tests of everything above the seam run on it: it has servers, rooms and people whom a
//! test can play, and a switch for every fault that a real network may have. It is the first subject of the
//! contract suite. And it is the example for somebody who writes a bridge: all that a bridge must do is in it, and
//! nothing else.
//!
//! # What is where
//!
//! The bridge, which is where a new bridge has its counterparts:
//!
//! - `bridge.rs`: the [`Bridge`](crate::Bridge) and its sessions; `address.rs`: how JIDs are read and written;
//!   `login.rs`: the registration form,
//! - `commands.rs`: what each command does and how it is answered,
//! - `link.rs`: connections that are made, lost, and made again; `outbox.rs`: events on their way to the sink.
//!
//! The network, which elsewhere somebody else has written:
//!
//! - `world.rs`, `server.rs`: what there is, and who is told of what; `rooms.rs`, `talk.rs`, `relations.rs`: the
//!   rules; `questions.rs`: what is answered.
//!
//! The handles for tests: [`LoopbackNetwork`], [`LoopbackServer`] (with the faults, in `faults.rs`),
//! [`LoopbackPerson`]; and, where there is no runtime, [`Driver`] and [`Collected`].
//!
//! # Deterministic
//!
//! There is no clock, no chance and no runtime in it. A command has done all its work when
//! [`submit`](crate::Session::submit) returns; message ids and time are counted; a lost connection comes back when
//! the test says so. Only the delivery of events takes time, in one future per session that the host spawns.
//! Nothing is ever forgotten, neither what was said nor under which transaction id; so it is no network to live on.
//!
//! # An example
//!
//! ```
//! use std::sync::Arc;
//! use viaduct_bridge::loopback::{Collected, Driver, LoopbackBridge, LoopbackNetwork, Settings};
//! use viaduct_bridge::{Bridge, Command, RemoteEvent, RoomEvent, SessionContext};
//!
//! # fn main() -> Result<(), viaduct_bridge::Failure> {
//! let mut driver = Driver::default();
//! let network = LoopbackNetwork::new(Settings::default());
//! let bridge = LoopbackBridge::new(network.clone(), driver.spawner());
//!
//! let events = Arc::new(Collected::default());
//! let session = bridge.open(SessionContext {
//!     user: "alice@example.org".into(),
//!     account: None,
//!     sink: events.clone(),
//! });
//! session.submit(vec![Command::Join {
//!     room: network.room("#tea"),
//!     nick: "Alice".into(),
//!     key: None,
//!     since: None,
//! }]);
//! network.person("Bob").join("#tea")?.say("#tea", "is it ready?")?;
//!
//! driver.run();
//! let Some(RemoteEvent::Room { event: RoomEvent::Message(message), .. }) = events.take().pop() else {
//!     panic!("Alice heard something");
//! };
//! assert_eq!(&*message.nick, "Bob");
//! assert_eq!(&*message.content.text.plain, "is it ready?");
//! # Ok(())
//! # }
//! ```

mod address;
mod bridge;
mod commands;
mod driver;
mod faults;
mod link;
mod login;
mod network;
mod outbox;
mod person;
mod questions;
mod relations;
mod rooms;
mod server;
mod settings;
mod talk;
mod watch;
mod world;

#[cfg(test)]
mod tests;

pub use bridge::{LoopbackBridge, Spawn};
pub use driver::{Collected, Driver};
pub use network::{LoopbackNetwork, LoopbackServer};
pub use person::LoopbackPerson;
pub use settings::{Echo, Settings};
