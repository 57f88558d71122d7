//! All of the network: its servers and the sessions that may connect to them. One lock is around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commands::refusal;
use super::link::{SessionId, no_such_server, not_connected};
use super::outbox::Outbox;
use super::server::Server;
use super::settings::Settings;
use crate::bridge::SessionContext;
use crate::command::Command;
use crate::event::{RemoteEvent, ServerEvent};
use crate::failure::Failure;
use crate::ids::{Name, ServerId};
use crate::login::Account;

/// The whole network.
pub(super) struct World {
    pub(super) settings: Arc<Settings>,
    pub(super) servers: BTreeMap<ServerId, Server>,
    seats: BTreeMap<SessionId, Seat>,
    opened: u64,
}

/// A session, wherever it is connected.
pub(super) struct Seat {
    pub(super) user: Name,
    pub(super) account: Option<Account>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) away: Option<Name>,
}

impl World {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            servers: BTreeMap::new(),
            seats: BTreeMap::new(),
            opened: 0,
        }
    }

    /// The server of this name, which is made if need be.
    pub(super) fn found(&mut self, id: &ServerId) -> &mut Server {
        let settings = &self.settings;
        let new = || Server::new(id.clone(), Arc::clone(settings));
        self.servers.entry(id.clone()).or_insert_with(new)
    }

    /// A new session, connected nowhere.
    pub(super) fn open(&mut self, context: &SessionContext, outbox: Arc<Outbox>) -> SessionId {
        self.opened += 1;
        let session = SessionId(self.opened);
        let seat = Seat {
            user: context.user.clone(),
            account: context.account.clone(),
            outbox,
            away: None,
        };
        self.seats.insert(session, seat);
        session
    }

    /// Takes a command from a session and gives it to the server that it is for.
    pub(super) fn submit(&mut self, session: SessionId, command: Command) {
        let Some(seat) = self.seats.get_mut(&session) else {
            return;
        };
        let Some(server) = server_of(&command) else {
            return self.submit_to_all(session, &command);
        };
        let id = server.clone();
        if seat.account.is_none() && !self.settings.capabilities.guests {
            return refuse(&id, &seat.outbox, command, not_connected(id.as_str()));
        }
        match self.servers.get_mut(&id) {
            Some(server) => server.take(session, seat, command),
            None => refuse(&id, &seat.outbox, command, no_such_server(id.as_str())),
        }
    }

    fn submit_to_all(&mut self, session: SessionId, command: &Command) {
        let Some(seat) = self.seats.get_mut(&session) else {
            return;
        };
        if let Command::SetAway { text } = command {
            seat.away.clone_from(text);
        }
        for server in self.servers.values_mut() {
            if server.links.contains_key(&session) {
                server.take(session, seat, command.clone());
            }
        }
    }

    /// The session leaves the network. What it has been told until now is still delivered.
    pub(super) fn close(&mut self, session: SessionId, reason: Option<&Name>) {
        for server in self.servers.values_mut() {
            server.disconnect(session, reason.cloned());
        }
        if let Some(seat) = self.seats.remove(&session) {
            seat.outbox.end();
        }
    }
}

/// The server that a command is for; `None` if it is for all of them.
fn server_of(command: &Command) -> Option<&ServerId> {
    match command {
        Command::Connect { server, .. }
        | Command::Disconnect { server, .. }
        | Command::SetNick { server, .. }
        | Command::Raw { server, .. }
        | Command::SignUp { server, .. } => Some(server),
        Command::Join { room, .. }
        | Command::Leave { room, .. }
        | Command::SetTopic { room, .. }
        | Command::SetRank { room, .. }
        | Command::Kick { room, .. }
        | Command::SetBan { room, .. }
        | Command::SetRoom { room, .. }
        | Command::Invite { room, .. } => Some(&room.server),
        Command::Send { to, .. }
        | Command::React { to, .. }
        | Command::Retract { to, .. }
        | Command::Typing { to, .. }
        | Command::MarkRead { to, .. } => Some(to.server()),
        Command::Ask { question, .. } => Some(question.server()),
        Command::Watch { person } | Command::Unwatch { person } => Some(&person.server),
        Command::SetAway { .. } | Command::Configure { .. } => None,
    }
}

/// Refuses a command because there is no way to its server, and says so if it asked for one.
fn refuse(server: &ServerId, outbox: &Outbox, command: Command, failure: Failure) {
    let wanted = matches!(
        command,
        Command::Connect { .. }
            | Command::Join { .. }
            | Command::Send { .. }
            | Command::Ask { nick: Some(_), .. }
    );
    if let Some(answer) = refusal(command, &failure) {
        outbox.push(answer);
    }
    if wanted {
        outbox.push(RemoteEvent::Server {
            server: server.clone(),
            event: ServerEvent::Failed { failure },
        });
    }
}
