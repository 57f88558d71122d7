//! The gateway: configuration, the link to the XMPP server, the actors of the logins, and how all of it starts and
//! stops. The binary `viaduct` is a thin shell around this library.
//!
//! # Where things are
//! - [`config`]: what the operator writes, and what it comes to.
//! - [`link`]: the component stream of each gateway. The guard in front of the parser, the reader that never waits, the
//!   queue to the writer, and the confirmation by ping.
//! - [`actor`]: one actor for each login. The mailbox, the loop, the release of effects after their commits.
//! - [`app`]: the commands `run`, `check` and `migrate`. `import`: the command `import-biboumi`.
//!
//! # Adding a network
//! 1. A feature and an optional dependency in `Cargo.toml`, its table in `config::GatewayConfig`, its variant in
//!    [`config::NetworkSettings`].
//! 2. Its bridge in `app::gateway::bridge`. Nothing else here knows which networks there are.

pub mod actor;
pub mod app;
pub mod config;
mod import;
pub mod link;
