//! viaduct's bridge to IRC.
//!
//! `proto` is the protocol (pure), `client` one connection to one server as a state machine without its socket,
//! `conn` the sockets and tasks; [`IrcBridge`] is what the gateway sees of it all. IRC's words stay in here.
//!
//! The likeliest next change is one more IRCv3 capability: name it in [`proto::caps`], handle its lines in
//! `client/from_irc.rs`, and show it with a transcript under `client/transcript.rs`.

mod address;
mod bridge;
mod client;
mod config;
mod conn;
mod login;
pub mod proto;
mod session;
mod settings;
#[cfg(test)]
mod testing;
mod users;

pub use bridge::IrcBridge;
pub use config::{
    AddressPool, ConfigError, FixedServer, Flood, IdentConfig, IrcConfig, ServerConfig, ServerPassword,
    WebircConfig,
};
