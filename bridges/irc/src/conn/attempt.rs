//! One attempt of a login to be at a server: connecting, logging in, and being there until it ends.

use std::time::Instant;

use viaduct_bridge::{Command, Failure, Name, Refusal};

use crate::client::{Client, End};

use super::actor::{Actor, is_final};
use super::drive::{self, Stop, Surroundings};

/// How one attempt ended.
pub(super) enum Attempt {
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

/// Before anything else, the server wants to be reached encrypted, at this port.
struct Upgrade(u16);

impl Actor {
    /// One attempt, and the connection that it leads to.
    pub(super) async fn attempt(&mut self, nick: &mut Name) -> Attempt {
        // An encrypted connection asks for no other one, so that there are two at most.
        let mut upgrade = None;
        loop {
            match self.connect(nick, upgrade).await {
                Ok(attempt) => return attempt,
                Err(Upgrade(port)) => upgrade = Some(port),
            }
        }
    }

    async fn connect(&mut self, nick: &mut Name, upgrade: Option<u16>) -> Result<Attempt, Upgrade> {
        let session = self.session.clone();
        let (plan, personal) = session.plan(&self.server);
        let dialled = {
            let dial = Box::pin(session.dial(&self.server, &plan, upgrade));
            tokio::select! {
                biased;
                dialled = dial => dialled,
                () = self.asked_to_leave() => return Ok(self.leave_unconnected().await),
            }
        };
        let dialled = match dialled {
            Ok(dialled) => dialled,
            Err(failure) => {
                let for_good = false;
                return Ok(Attempt::Failed { failure, for_good });
            }
        };
        let identity = session.identity(&self.server, (&plan, &personal), nick.clone(), dialled.security);
        let mut link = dialled.link;
        let rooms = std::mem::take(&mut self.rooms);
        let mut client = Client::new(self.server.clone(), identity, plan.flood, rooms, drive::now());
        let charsets = session.charsets(&self.server, &plan);
        let own_way = plan.personal;
        drop((plan, personal));
        let inbox = self.inbox.clone();
        let around = Surroundings {
            inbox: &inbox,
            sink: &*session.sink,
            charsets: &charsets,
            server: &self.server,
            port: dialled.port,
            notebook: &*session.shared.notebook,
            personal: own_way,
            only_log_in: false,
        };
        let began = Instant::now();
        let stop = drive::drive(&mut link, &mut client, &around).await;
        let was_online = client.was_online();
        if was_online {
            self.backoff.lasted(began);
            client.wish().clone_into(nick);
        }
        Ok(match stop {
            Stop::Gone(words) => {
                let end = client.end().cloned();
                let (events, rooms) = client.lost();
                self.rooms = rooms;
                self.tell(events).await;
                let words = match &end {
                    Some(End::Upgrade { port }) if !was_online => return Err(Upgrade(*port)),
                    // Coming back, it is told again, and done before anything else.
                    Some(End::Upgrade { .. }) => format!("{} asks to be reached encrypted", self.server),
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
                let words = session.parting_words(reason.as_ref());
                drive::part(&mut link, &mut client, &charsets, &words).await;
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
                let words = session.parting_words(reason.as_ref());
                drive::part(&mut link, &mut client, &charsets, &words).await;
                let events = client.closed();
                self.tell(events).await;
                Attempt::Closing
            }
            // Only asked for by a login that is being tried.
            Stop::Online => Attempt::Closing,
        })
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
}
