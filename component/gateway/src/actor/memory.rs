//! What an actor needs from the store and from the core, as traits: so that its order can be tested with a store that
//! takes its time and fails when told to.

use std::sync::Arc;

use jid::BareJid;
use viaduct_bridge::{BoxFuture, Timestamp};
use viaduct_core::effect::{Effects, Input};
use viaduct_core::errand::Order;
use viaduct_core::login::Referring;
use viaduct_core::records::{
    ArchiveError, ArchivePage, ArchiveQuery, LoadedLogin, MessageRecord, PortalId, Position, Write,
};
use viaduct_core::refer::{Found, Lookup};

/// A login of the core.
pub trait Core: Send {
    /// One input, and all its effects.
    fn handle(&mut self, now: Timestamp, input: Input, out: &mut Effects);
    /// What must be looked up before this is handled, if it refers to an older message.
    fn refers(&self, to: Referring<'_>) -> Option<Lookup>;
    /// Whether nothing would be lost if it were forgotten and loaded again later.
    fn is_idle(&self) -> bool;
}

/// Makes a login of the core, from what is on record of it.
pub type MakeCore = Box<dyn Fn(BareJid, Option<LoadedLogin>) -> Box<dyn Core> + Send + Sync>;

/// Why the store did not do something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    /// It has been closed, or another copy of the gateway has taken it over: nothing will work any more.
    #[error("{0}")]
    Over(String),
    /// It may work another time.
    #[error("{0}")]
    Failed(String),
}

/// The result of something that the store does.
pub type Remembered<T> = Result<T, Trouble>;

/// The future of something that the store does.
pub type Remembering<T> = BoxFuture<'static, Remembered<T>>;

/// The store, for one gateway.
pub trait Memory: Send + Sync {
    /// A lane for the writes of one actor.
    fn lane(&self) -> Box<dyn Lane>;
    /// Everything about one login.
    fn load(&self, user: &BareJid) -> Remembering<Option<Box<LoadedLogin>>>;
    /// A page of an archive.
    fn archive(&self, query: ArchiveQuery) -> Remembering<Result<ArchivePage, ArchiveError>>;
    /// Messages by position: those after one, up to another, so many at most.
    fn replay(
        &self,
        portal: PortalId,
        after: Position,
        upto: Position,
        limit: u32,
    ) -> Remembering<Vec<MessageRecord>>;
    /// The message that something refers to.
    fn find(&self, lookup: Lookup) -> Remembering<Option<Found>>;
    /// The newest messages up to a position, so many at most, none older than that.
    fn history(
        &self,
        portal: PortalId,
        upto: Position,
        most: u32,
        since: Option<Timestamp>,
    ) -> Remembering<Vec<MessageRecord>>;
}

/// The writes of one actor.
pub trait Lane: Send {
    /// Commits writes together. They are committed in the order of the calls; after a failure, all later ones fail
    /// too. The futures are to be awaited in the order of the calls.
    fn write(&mut self, writes: Vec<Write>) -> Remembering<()>;
}

/// Told when the process cannot go on.
pub trait Alarm: Send + Sync {
    /// Ends the process, with these last words.
    fn fatal(&self, words: String);
}

/// Looks after the process: stops it, starts it anew, reads its configuration.
pub trait Steward: Send + Sync {
    /// Does what an administrator wants, and says in words what was done or why it was not.
    fn obey(&self, order: Order) -> BoxFuture<'static, Result<String, String>>;
}

/// What all actors of one gateway share.
pub struct Gateway {
    /// What the logins of the core share.
    pub ctx: Arc<viaduct_core::context::Context>,
    /// The link to the XMPP server.
    pub link: Arc<crate::link::Link>,
    /// The store.
    pub memory: Arc<dyn Memory>,
    /// Makes logins.
    pub make: MakeCore,
    /// Told when the process cannot go on.
    pub alarm: Arc<dyn Alarm>,
    /// Looks after the process.
    pub steward: Arc<dyn Steward>,
}
