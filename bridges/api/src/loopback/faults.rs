//! The switch for every fault. They are on one server and concern all sessions there, except where one is named.

use std::collections::VecDeque;

use super::address::fold;
use super::link::SessionId;
use super::network::LoopbackServer;
use super::server::{Ears, Server};
use crate::failure::{Failure, Refusal};
use crate::ids::Name;

/// The faults that are switched on.
#[derive(Default)]
pub(super) struct Faults {
    /// Why nobody can connect.
    pub(super) refuses: Option<Failure>,
    pub(super) frozen: bool,
    /// With what the next commands are refused.
    pub(super) next: VecDeque<Failure>,
    /// Whether answers are withheld.
    pub(super) holding: bool,
    pub(super) echoes_to_drop: usize,
}

/// Faults.
impl LoopbackServer {
    /// Nobody can connect from now on. Who is connected stays.
    pub fn refuse_connections(&self, failure: Failure) {
        self.with(|server| server.faults.refuses = Some(failure));
    }

    /// All sessions lose their connection, and nobody can connect until [`LoopbackServer::restore`].
    pub fn lose_connections(&self, reason: &str) {
        self.with(|server| {
            let why = Failure::refused(Refusal::Unreachable, reason);
            server.faults.refuses = Some(why);
            for session in server.sessions() {
                server.lose(session, &Name::from(reason));
            }
        });
    }

    /// The session with this nickname loses its connection, until [`LoopbackServer::restore`].
    pub fn lose_connection_of(&self, nick: &str, reason: &str) {
        self.with(|server| {
            let somebody = server.people.get(&fold(nick));
            if let Some(Ears::Session(session)) = somebody.map(|somebody| &somebody.ears) {
                let session = *session;
                server.lose(session, &Name::from(reason));
            }
        });
    }

    /// Everybody can connect, and who lost the connection has it back.
    pub fn restore(&self) {
        self.with(|server| server.faults.refuses = None);
        self.retry();
    }

    /// Sessions that lost their connection try to get it back: the time of their next attempt has come.
    pub fn retry(&self) {
        self.with(|server| {
            for session in server.sessions() {
                server.reconnect(session);
            }
        });
    }

    /// Commands are taken from now on, and nothing happens; nor do sessions hear of anything.
    pub fn freeze(&self) {
        self.with(|server| server.faults.frozen = true);
    }

    /// What the server did not do while it was frozen, it does now.
    pub fn thaw(&self) {
        self.with(|server| {
            server.faults.frozen = false;
            for session in server.sessions() {
                if let Some(link) = server.links.get_mut(&session) {
                    link.thaw();
                }
            }
            for session in server.sessions() {
                server.work(session);
            }
        });
    }

    /// The next command of any session that can be refused is. Several failures are used one after the other.
    pub fn refuse_next(&self, failure: Failure) {
        self.with(|server| server.faults.next.push_back(failure));
    }

    /// Commands are done from now on, and nobody is told whether they were.
    pub fn hold_answers(&self) {
        self.with(|server| server.faults.holding = true);
    }

    /// The answers that were held come, in order.
    pub fn release_answers(&self) {
        self.with(|server| {
            server.faults.holding = false;
            let frozen = server.faults.frozen;
            for link in server.links.values_mut() {
                for (txn, answer) in std::mem::take(&mut link.unanswered) {
                    if answer.is_empty() {
                        link.unanswered.push_back((txn, answer));
                    } else {
                        answer.into_iter().for_each(|event| link.hear(event, frozen));
                    }
                }
            }
        });
    }

    /// The next echo never comes. On a network that has nothing else ([`Echo::Alone`](super::Echo::Alone)) its
    /// command stays unanswered until the connection is lost.
    pub fn drop_next_echo(&self) {
        self.with(|server| server.faults.echoes_to_drop += 1);
    }
}

impl Server {
    pub(super) fn sessions(&self) -> Vec<SessionId> {
        self.links.keys().copied().collect()
    }
}
