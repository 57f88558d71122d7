//! The life of one login at one server: idle, connecting, online, waiting to try again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tracing::debug;
use viaduct_bridge::{
    Command, Departure, Failure, Name, Outcome, Refusal, RemoteEvent, RoomEvent, ServerEvent, ServerId,
};

use crate::address::casemapping_of;
use crate::client::{Client, End, Rooms};
use crate::session::SessionState;

use super::backoff::Backoff;
use super::drive::{self, Stop, Surroundings};
use super::inbox::Inbox;

/// How long a closed session waits for its last events to be taken.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// One login at one server.
pub(crate) struct Actor {
    session: Arc<SessionState>,
    server: ServerId,
    inbox: Arc<Inbox>,
    rooms: Rooms,
    backoff: Backoff,
    /// Whether the user knows that this connection is not encrypted.
    warned: bool,
}

/// How one attempt ended.
enum Attempt {
    /// The user never came online.
    Failed { failure: Failure, for_good: bool },
    /// The user was online.
    Lost {
        reason: String,
        for_good: Option<Failure>,
    },
    /// The user left.
    Left,
    /// The session is closed.
    Closing,
}

impl Actor {
    pub(crate) fn new(session: Arc<SessionState>, server: ServerId, inbox: Arc<Inbox>) -> Self {
        Self {
            session,
            server,
            inbox,
            rooms: Rooms::default(),
            backoff: Backoff::new(),
            warned: false,
        }
    }

    /// Lives until nothing more is asked of it.
    pub(crate) async fn run(mut self) {
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

    /// Connects, and connects again after each loss, until the user leaves or the server will not have them.
    async fn stay_connected(&mut self, mut nick: Name) {
        self.rooms = Rooms::default();
        self.backoff = Backoff::new();
        self.warned = false;
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
                    self.give_up(failure).await;
                    return;
                }
                Attempt::Lost {
                    for_good: Some(failure),
                    ..
                } => {
                    self.give_up(failure).await;
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
            if !self.wait(retry_in).await {
                return;
            }
        }
    }

    /// One attempt, and the connection that it leads to.
    async fn attempt(&mut self, nick: &mut Name) -> Attempt {
        let session = self.session.clone();
        let plan = session.shared.config.plan(self.server.as_str());
        let dialled = {
            let dial = Box::pin(session.dial(&self.server, &plan));
            tokio::select! {
                biased;
                dialled = dial => dialled,
                () = self.asked_to_leave() => return self.leave_unconnected().await,
            }
        };
        let dialled = match dialled {
            Ok(dialled) => dialled,
            Err(failure) => {
                let for_good = false;
                return Attempt::Failed { failure, for_good };
            }
        };
        let mut identity = session.identity(&self.server, &plan, nick.clone(), dialled.encrypted);
        let warns = identity.warning.is_some();
        if self.warned {
            identity.warning = None;
        }
        let mut link = dialled.link;
        let rooms = std::mem::take(&mut self.rooms);
        let mut client = Client::new(self.server.clone(), identity, plan.flood, rooms, drive::now());
        let charset = plan.charset;
        drop(plan);
        let inbox = self.inbox.clone();
        let around = Surroundings {
            inbox: &inbox,
            sink: &*session.sink,
            charset,
            server: &self.server,
            notebook: &*session.shared.notebook,
            only_log_in: false,
        };
        let began = Instant::now();
        let stop = drive::drive(&mut link, &mut client, &around).await;
        let was_online = client.was_online();
        if was_online {
            self.backoff.lasted(began);
            self.warned = warns;
            client.wish().clone_into(nick);
        }
        match stop {
            Stop::Gone(words) => {
                let end = client.end().cloned();
                let (events, rooms) = client.lost();
                self.rooms = rooms;
                self.tell(events).await;
                let words = match &end {
                    Some(End::Lost(words)) => words.clone(),
                    Some(End::Refused(failure)) => failure.to_string(),
                    None => format!("The connection to {} was lost: {words}", self.server),
                };
                let refused = match end {
                    Some(End::Refused(failure)) => Some(failure),
                    _ => None,
                };
                if was_online {
                    Attempt::Lost {
                        reason: words,
                        for_good: refused.filter(is_final),
                    }
                } else {
                    let for_good = refused.as_ref().is_some_and(is_final);
                    let failure = refused.unwrap_or_else(|| Failure::refused(Refusal::Unreachable, words));
                    Attempt::Failed { failure, for_good }
                }
            }
            Stop::Left(reason) if was_online => {
                let words = reason.as_deref().unwrap_or(&session.shared.config.quit_message);
                drive::part(&mut link, &mut client, charset, words).await;
                let events = client.left(reason.as_ref());
                self.tell(events).await;
                Attempt::Left
            }
            Stop::Left(_) => {
                let (events, rooms) = client.lost();
                self.rooms = rooms;
                self.tell(events).await;
                self.leave_unconnected().await
            }
            Stop::Closing(reason) => {
                let words = reason.as_deref().unwrap_or(&session.shared.config.quit_message);
                drive::part(&mut link, &mut client, charset, words).await;
                let events = client.closed();
                self.tell(events).await;
                Attempt::Closing
            }
            // Only asked for by a login that is being tried.
            Stop::Online => Attempt::Closing,
        }
    }

    /// Resolves when the user no longer wants to be connected.
    async fn asked_to_leave(&self) {
        while !self.inbox.wants_out() {
            self.inbox.changed().await;
        }
    }

    /// The user leaves before there is a connection: answers everything up to that.
    async fn leave_unconnected(&mut self) -> Attempt {
        if self.inbox.closing().is_some() {
            return Attempt::Closing;
        }
        let failure = Failure::transient(format!("You left {}.", self.server));
        self.refuse_awaited(&failure).await;
        while let Some(command) = self.inbox.pop() {
            if matches!(command, Command::Disconnect { .. }) {
                break;
            }
            let events = self.answer(command, &failure);
            self.tell(events).await;
        }
        Attempt::Left
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

    async fn refuse_awaited(&mut self, failure: &Failure) {
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
    fn answer(&mut self, command: Command, failure: &Failure) -> Vec<RemoteEvent> {
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
    async fn tell(&self, events: Vec<RemoteEvent>) {
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
fn is_final(failure: &Failure) -> bool {
    matches!(failure, Failure::Permanent { .. })
}
