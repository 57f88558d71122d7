//! The harness of the journeys: cases that go through the gateway on real servers.
//!
//! The cases themselves are in `journeys/cases/`, a module per feature. One is an async function that gets a
//! [`Ctx`] and is registered with the rows of the conformance checklist that it covers:
//!
//! ```
//! use viaduct_gateway_tests::prelude::*;
//!
//! pub const CASES: &[Case] = &[case!(words_reach_the_channel).rows("M38 M39")];
//!
//! async fn words_reach_the_channel(t: Ctx) -> Result<()> {
//!     let (channel, nick) = (t.channel(), t.nick("bob"));
//!     let alice = t.irc("alice").await?;
//!     alice.join(&channel).await?;
//!     let phone = t.client("phone").await?;
//!     phone.join(&t.room(&channel), &nick).await?;
//!
//!     let id = phone.say(&t.room(&channel), "hello").await?;
//!     alice.expect_message(&nick, &channel, "hello").await?;
//!     let reflection = phone.expect_body(&t.room(&channel), "hello").await?;
//!     ensure!(reflection.id() == id, "the client's id is kept: {}", reflection.xml());
//!     Ok(())
//! }
//! ```
//!
//! Each case runs once for every combination of servers ([`Backend`]), many at a time in one shared world, so
//! accounts, channels and nicknames must come from the [`Ctx`]. A case that breaks servers asks for a world of
//! its own ([`Case::own_world`]). Nothing here sleeps: wait for what must come, and to see that something does
//! not come, fence (`Client::expect_none`, `IrcPeer::expect_none`, [`Ctx::flush`]).
//!
//! A failing case shows everything that its clients, peers and scripted servers said and heard, in one order,
//! and what the gateway logged meanwhile.

mod backend;
mod case;
mod context;
mod options;
mod report;
mod rows;
mod runner;

pub use backend::Backend;
pub use case::{Case, CaseFuture};
pub use context::{Ctx, Scripted};
pub use runner::main;

/// What a module with cases needs.
pub mod prelude {
    pub use anyhow::{Context as _, Result, bail, ensure};
    pub use viaduct_test_support::Element;
    pub use viaduct_test_support::irc::{IrcPeer, IrcSession, Line, Welcome};
    pub use viaduct_test_support::proxy::{Flow, Way};
    pub use viaduct_test_support::servers::{
        DOMAIN, FIXED_GATEWAY, GATEWAY, IrcKind, OTHER_DOMAIN, XmppKind,
    };
    pub use viaduct_test_support::world::{SlotKind, World};
    pub use viaduct_test_support::xmpp::xml::{escape, tag};
    pub use viaduct_test_support::xmpp::{Client, Join, Joined, StanzaExt as _, bare, ns, resource};

    pub use crate::{Backend, Case, Ctx, case};
}
