//! The life of one login at one server: idle, connecting, online, waiting to try again. `attempt` is what is between
//! two of these states.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;
use viaduct_bridge::{
    Command, Departure, Failure, Name, Outcome, RemoteEvent, RoomEvent, ServerEvent, ServerId,
};

use crate::address::casemapping_of;
use crate::client::Rooms;
use crate::session::SessionState;

use super::attempt::Attempt;
use super::backoff::Backoff;
use super::inbox::Inbox;

/// How long a closed session waits for its last events to be taken.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// One login at one server.
pub(crate) struct Actor {
    pub(super) session: Arc<SessionState>,
    pub(super) server: ServerId,
    pub(super) inbox: Arc<Inbox>,
    pub(super) rooms: Rooms,
    pub(super) backoff: Backoff,
}

impl Actor {
    pub(crate) fn new(session: Arc<SessionState>, server: ServerId, inbox: Arc<Inbox>) -> Self {
        Self {
            session,
            server,
            inbox,
            rooms: Rooms::default(),
            backoff: Backoff::new(),
        }
    }

    /// Lives until nothing more is asked of it.
    pub(crate) async fn run(mut self: Box<Self>) {
        loop {
            if let Some(nick) = self.inbox.next_nick()
                && self.inbox.closing().is_none()
            {
                self.stay_connected(nick).await;
            } else if let Some(command) = self.inbox.pop() {
                let events = if self.inbox.closing().is_some() {
                    unsent(&command).into_iter().collect()
                } else {
                    let reason = format!("You are not connected to {}.", self.server);
                    self.answer(command, &Failure::NotLoggedIn { reason })
                };
                self.tell(events).await;
            } else if self.inbox.retire() {
                return;
            }
        }
    }

    /// Connects, and connects again after each loss, until the user leaves or the server will not have them. What is
    /// short is boxed, so that the task is small while there is a connection.
    async fn stay_connected(&mut self, mut nick: Name) {
        self.rooms = Rooms::default();
        self.backoff = Backoff::new();
        let mut was_online = false;
        loop {
            self.tell_server(ServerEvent::Connecting).await;
            let attempt = Box::pin(self.attempt(&mut nick)).await;
            let reason = match attempt {
                Attempt::Left => {
                    self.tell_server(ServerEvent::Closed).await;
                    return;
                }
                Attempt::Closing => return,
                Attempt::Failed { failure, for_good } if for_good || !was_online => {
                    Box::pin(self.give_up(failure)).await;
                    return;
                }
                Attempt::Lost {
                    for_good: Some(failure),
                    ..
                } => {
                    Box::pin(self.give_up(failure)).await;
                    return;
                }
                Attempt::Failed { failure, .. } => {
                    self.refuse_awaited(&failure).await;
                    failure.to_string()
                }
                Attempt::Lost { reason, .. } => {
                    was_online = true;
                    reason
                }
            };
            let retry_in = self.backoff.delay();
            debug!(irc.server = %self.server, retry_in = ?retry_in, "connection lost or not made; trying again");
            let reason = Name::from(reason);
            self.tell_server(ServerEvent::Offline { reason, retry_in }).await;
            if !Box::pin(self.wait(retry_in)).await {
                return;
            }
        }
    }

    /// The server cannot be had: everything that waits for it is refused.
    async fn give_up(&mut self, failure: Failure) {
        let server_failure = failure.clone();
        self.tell_server(ServerEvent::Failed {
            failure: server_failure,
        })
        .await;
        self.refuse_awaited(&failure).await;
        self.rooms = Rooms::default();
        // What was submitted meanwhile is answered in the same way; a later command tries anew.
        for _ in 0..self.inbox.len() {
            let Some(command) = self.inbox.pop() else {
                break;
            };
            let events = self.answer(command, &failure);
            self.tell(events).await;
        }
    }

    pub(super) async fn refuse_awaited(&mut self, failure: &Failure) {
        let refused = self
            .rooms
            .take_awaited()
            .into_iter()
            .map(|room| RemoteEvent::Room {
                room,
                event: RoomEvent::Refused {
                    failure: failure.clone(),
                },
            });
        let events = refused.collect();
        self.tell(events).await;
    }

    /// Waits for the next attempt. A command that needs the connection brings it forward. False if the user left.
    async fn wait(&mut self, delay: Duration) -> bool {
        let until = Instant::now() + delay;
        loop {
            if self.inbox.closing().is_some() {
                return false;
            }
            while let Some(command) = self.inbox.pop() {
                let left = until.saturating_duration_since(Instant::now());
                match command {
                    Command::Disconnect { .. } => {
                        self.rooms = Rooms::default();
                        self.tell_server(ServerEvent::Closed).await;
                        return false;
                    }
                    Command::Join { room, key, since, .. } => {
                        let fold = casemapping_of(&self.server, &*self.session.shared.notebook);
                        self.rooms.want(room, key, since, fold);
                        return true;
                    }
                    Command::Connect { .. } => return true,
                    command => {
                        let failure = Failure::Transient {
                            retry_after: Some(left),
                            reason: format!("There is no connection to {} at the moment.", self.server),
                        };
                        let events = self.answer(command, &failure);
                        self.tell(events).await;
                    }
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            tokio::select! {
                () = sleep(left) => return true,
                () = self.inbox.changed() => {}
            }
        }
    }

    /// The answer to a command while there is no connection.
    pub(super) fn answer(&mut self, command: Command, failure: &Failure) -> Vec<RemoteEvent> {
        let event = match command {
            Command::Join { room, .. } => RemoteEvent::Room {
                room,
                event: RoomEvent::Refused {
                    failure: failure.clone(),
                },
            },
            Command::Leave { room, reason } => {
                let fold = casemapping_of(&self.server, &*self.session.shared.notebook);
                self.rooms.unwant(&room.room, fold);
                RemoteEvent::Room {
                    room,
                    event: RoomEvent::Left {
                        how: Departure::Left,
                        reason,
                    },
                }
            }
            Command::Disconnect { .. } => RemoteEvent::Server {
                server: self.server.clone(),
                event: ServerEvent::Closed,
            },
            Command::Connect { .. } | Command::SetAway { .. } => return Vec::new(),
            command => match command.txn() {
                Some(txn) => RemoteEvent::Outcome {
                    txn,
                    outcome: Outcome::Failed(failure.clone()),
                },
                None => return Vec::new(),
            },
        };
        vec![event]
    }

    async fn tell_server(&self, event: ServerEvent) {
        let server = self.server.clone();
        self.tell(vec![RemoteEvent::Server { server, event }]).await;
    }

    /// Hands events over. If nobody takes them any more, the session is over.
    pub(super) async fn tell(&self, events: Vec<RemoteEvent>) {
        if events.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            sent = self.session.sink.send(events) => {
                if sent.is_err() {
                    self.inbox.close(None);
                }
            }
            () = self.inbox.closed_for(LAST_EVENTS) => {}
        }
    }
}

/// The answer to a command that is not done any more because the session is closed. Rooms stay as they are: this is
/// not their end.
fn unsent(command: &Command) -> Option<RemoteEvent> {
    let outcome = Outcome::Failed(Failure::transient(
        "The gateway closed the connection before this was sent.",
    ));
    command.txn().map(|txn| RemoteEvent::Outcome { txn, outcome })
}

/// Whether trying again as it is would be no use.
pub(super) fn is_final(failure: &Failure) -> bool {
    matches!(failure, Failure::Permanent { .. })
}
