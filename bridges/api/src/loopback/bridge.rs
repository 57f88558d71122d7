//! The bridge itself: what a bridge to a real network would be, with the network in memory.
//!
//! Read this file together with the traits in [`crate::bridge`]. A session gives each command to the network at
//! once and returns; what comes of it goes through the outbox to the sink, in a future of its own.

use std::fmt;
use std::sync::Arc;

use super::address::{is_person, localpart, parse, parse_typed};
use super::link::{SessionId, shorten};
use super::login::{OneForm, form, server_of};
use super::network::LoopbackNetwork;
use super::outbox::{Outbox, pump};
use crate::BoxFuture;
use crate::address::{Address, BadAddress};
use crate::bridge::{Bridge, Session, SessionContext};
use crate::capability::Capabilities;
use crate::command::Command;
use crate::ids::{Name, ServerId};
use crate::login::{Account, Form, LoginFlow};

/// Runs a future to its end beside everything else: `tokio::spawn` and the like, or
/// [`Driver::spawner`](super::Driver::spawner).
pub type Spawn = Box<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// A bridge to a network in memory.
pub struct LoopbackBridge {
    network: LoopbackNetwork,
    capabilities: Capabilities,
    spawn: Spawn,
}

impl LoopbackBridge {
    /// A bridge to this network. `spawn` runs what delivers the events of a session: one future per session.
    #[must_use]
    pub fn new(network: LoopbackNetwork, spawn: Spawn) -> Self {
        let capabilities = network.lock().settings.capabilities.clone();
        Self {
            network,
            capabilities,
            spawn,
        }
    }
}

impl fmt::Debug for LoopbackBridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackBridge").finish_non_exhaustive()
    }
}

impl Bridge for LoopbackBridge {
    fn kind(&self) -> &'static str {
        "loopback"
    }

    fn title(&self) -> String {
        "Loopback".into()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn parse(&self, text: &str) -> Result<Address, BadAddress> {
        parse(text)
    }

    fn localpart(&self, address: &Address) -> Option<String> {
        Some(localpart(address))
    }

    fn parse_typed(&self, text: &str) -> Result<Address, BadAddress> {
        parse_typed(text)
    }

    fn prompt(&self) -> (&'static str, &'static str) {
        (
            "Give a room or a person and the server, such as #tea@loop.example or bob@loop.example.",
            "Room or person",
        )
    }

    fn home_server(&self, account: Option<&Account>) -> Option<ServerId> {
        account.and_then(server_of)
    }

    fn nick_for(&self, wish: &str) -> Option<Name> {
        let printable: String = wish
            .chars()
            .filter(|c| !c.is_control() && (!c.is_whitespace() || *c == ' '))
            .collect();
        let nick = printable.trim_start_matches(['#', ' ']);
        let nick = shorten(nick, self.capabilities.max_nick_bytes).trim_end();
        is_person(nick).then(|| Name::from(nick))
    }

    fn form(&self, account: Option<&Account>) -> Form {
        form(account, &self.network.home())
    }

    fn log_in(&self, _user: &str, account: Option<&Account>) -> Box<dyn LoginFlow> {
        Box::new(OneForm {
            network: self.network.clone(),
            on_record: account.cloned(),
        })
    }

    fn open(&self, context: SessionContext) -> Box<dyn Session> {
        let outbox = Arc::new(Outbox::default());
        let id = self.network.lock().open(&context, Arc::clone(&outbox));
        (self.spawn)(Box::pin(pump(outbox, context.sink)));
        Box::new(LoopbackSession {
            network: self.network.clone(),
            id,
        })
    }
}

/// One session. All of its state is in the network.
struct LoopbackSession {
    network: LoopbackNetwork,
    id: SessionId,
}

impl Session for LoopbackSession {
    fn submit(&self, commands: Vec<Command>) {
        let mut world = self.network.lock();
        for command in commands {
            world.submit(self.id, command);
        }
    }

    fn close(&self, reason: Option<Name>) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.network.lock().close(self.id, reason.as_ref()) })
    }
}

impl Drop for LoopbackSession {
    fn drop(&mut self) {
        self.network.lock().close(self.id, None);
    }
}
