//! One attempt of a login to be at a server: connecting, logging in, and being there until it ends.

use std::time::Instant;

use viaduct_bridge::{Command, Failure, Name, Refusal};

use crate::client::{Client, End};
use crate::proto::charset::Charsets;

use super::actor::{Actor, is_final};
use super::drive::{self, Stop, Surroundings};
use super::link::Link;

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

/// A connection that is there.
struct Made {
    link: Link,
    client: Client,
    charsets: Charsets,
    port: u16,
    /// Whether it is made in the user's own way.
    personal: bool,
}

impl Made {
    async fn drive(&mut self, actor: &Actor) -> Stop {
        let around = Surroundings {
            inbox: &actor.inbox,
            sink: &*actor.session.sink,
            charsets: &self.charsets,
            server: &actor.server,
            port: self.port,
            notebook: &*actor.session.shared.notebook,
            personal: self.personal,
            only_log_in: false,
        };
        drive::drive(&mut self.link, &mut self.client, &around).await
    }
}

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

    /// One connection, from its first byte to its last. It lasts for hours in which little happens, so what is needed
    /// only before and after it is not kept meanwhile.
    async fn connect(&mut self, nick: &mut Name, upgrade: Option<u16>) -> Result<Attempt, Upgrade> {
        let mut made = match Box::pin(self.make(nick, upgrade)).await {
            Ok(made) => made,
            Err(attempt) => return Ok(attempt),
        };
        let began = Instant::now();
        let stop = made.drive(self).await;
        Box::pin(self.after(made, began, stop, nick)).await
    }

    /// Reaches the server.
    async fn make(&mut self, nick: &Name, upgrade: Option<u16>) -> Result<Box<Made>, Attempt> {
        let session = self.session.clone();
        let (plan, personal) = session.plan(&self.server);
        let dialled = {
            let dial = Box::pin(session.dial(&self.server, &plan, upgrade));
            tokio::select! {
                biased;
                dialled = dial => dialled,
                () = self.asked_to_leave() => return Err(self.leave_unconnected().await),
            }
        };
        let dialled = dialled.map_err(|failure| {
            let for_good = false;
            Attempt::Failed { failure, for_good }
        })?;
        let identity = session.identity(&self.server, (&plan, &personal), nick.clone(), dialled.security);
        let rooms = std::mem::take(&mut self.rooms);
        Ok(Box::new(Made {
            link: dialled.link,
            client: Client::new(self.server.clone(), identity, plan.flood, rooms, drive::now()),
            charsets: session.charsets(&self.server, &plan),
            port: dialled.port,
            personal: plan.personal,
        }))
    }

    /// Tells what becomes of everything that was open, and what is next.
    async fn after(
        &mut self,
        made: Box<Made>,
        began: Instant,
        stop: Stop,
        nick: &mut Name,
    ) -> Result<Attempt, Upgrade> {
        let session = self.session.clone();
        let Made {
            mut link,
            mut client,
            charsets,
            ..
        } = *made;
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
