//! The user's connections to the servers of the network.

use std::fmt;
use std::time::Duration;

use viaduct_bridge::{
    Address, Command, Failure, Name, Relations, RoomId, Secret, ServerEvent, ServerId, SignUpRules, Timestamp,
};

use super::Login;
use super::pending::Pending;
use crate::effect::{Effect, Effects, Timer};
use crate::ns;
use crate::portal::presence::status;
use crate::portal::{Place, Room};
use crate::records::Write;
use crate::stanza::{Condition, Problem};
use crate::xml::Xml;

/// How long a connection outlives its last room while a direct chat may go on.
const LINGER: Duration = Duration::from_secs(600);

/// For how many servers it is remembered what the user was told: users name servers as they like.
const MOST_WARNED: usize = 500;

/// How the user stands with one server.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The connection.
    pub link: Link,
    /// Whether the user was told that the connection was lost.
    told_lost: bool,
    /// Whether the user was told that the nickname is somebody's.
    told_owned: bool,
    /// Whether somebody was spoken with directly over this connection.
    pub spoke: bool,
    /// What messages can be referred to with on it, where it has told.
    pub relations: Option<Relations>,
    /// How accounts can be registered there, if they can.
    pub sign_up: Option<SignUpRules>,
    /// An account that waits for its owner's code, and its password: for the login, once it is there.
    pub(super) unverified: Option<(Name, Secret)>,
    /// What the user is to be told about this connection, as soon as that can be.
    warning: Option<Name>,
}

/// The state of a connection.
#[derive(Debug, Default)]
pub(crate) enum Link {
    /// There is none.
    #[default]
    Idle,
    /// It is being made.
    Connecting,
    /// It is there.
    Online {
        /// The user's nickname.
        nick: Name,
        /// Since when.
        since: Timestamp,
    },
    /// It was lost; the bridge is bringing it back.
    Offline {
        /// Why.
        reason: Name,
    },
    /// It could not be made.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("not connected"),
            Self::Connecting => f.write_str("connecting"),
            Self::Online { nick, since } => {
                write!(f, "connected as {nick} since {}", crate::time::format(*since))
            }
            Self::Offline { reason } => write!(f, "connection lost, trying again: {reason}"),
            Self::Failed { failure } => write!(f, "could not connect: {failure}"),
        }
    }
}

impl Login {
    pub(super) fn server(&mut self, server: &ServerId) -> &mut Server {
        self.servers.entry(server.clone()).or_default()
    }

    fn is_home(&self, server: &ServerId) -> bool {
        self.ctx.bridge.home_server(self.account.as_ref()).as_ref() == Some(server)
    }

    pub(super) fn server_event(
        &mut self,
        now: Timestamp,
        id: &ServerId,
        event: ServerEvent,
        out: &mut Effects,
    ) {
        match event {
            ServerEvent::Connecting => {
                let server = self.server(id);
                if !matches!(server.link, Link::Offline { .. }) {
                    server.link = Link::Connecting;
                }
            }
            ServerEvent::Online { nick, me: _, warning } => {
                self.respell(id, out);
                let server = self.server(id);
                server.link = Link::Online { nick, since: now };
                // It tells anew, if there is anything to tell.
                server.relations = None;
                server.sign_up = None;
                if std::mem::take(&mut server.told_lost) {
                    self.tell_rooms(id, &format!("Connected to {id} again."), out);
                }
                self.warn(id, warning, out);
                if let Some(text) = self.away.clone() {
                    self.submit(Command::SetAway { text: Some(text) }, out);
                }
                if self.is_home(id) {
                    self.entry.begin_anew();
                    self.announce_login(out);
                }
                self.watch_all(id, out);
            }
            ServerEvent::Offline { reason, retry_in } => {
                let server = self.server(id);
                server.link = Link::Offline {
                    reason: reason.clone(),
                };
                if !std::mem::replace(&mut server.told_lost, true) {
                    let text = format!(
                        "The connection to {id} was lost: {reason} Trying again in {} s.",
                        retry_in.as_secs().max(1)
                    );
                    self.tell_rooms(id, &text, out);
                    if self.is_home(id) {
                        self.announce_login(out);
                    }
                }
            }
            ServerEvent::SignUp(rules) => self.server(id).sign_up = rules,
            ServerEvent::Failed { failure } => self.server_failed(id, failure, out),
            ServerEvent::Closed => {
                self.servers.remove(id);
            }
            ServerEvent::Relations(relations) => self.server(id).relations = Some(relations),
            ServerEvent::Notice { text } => self.server_says(id, &text, out),
            ServerEvent::NickOwned { nick } => self.nick_owned(id, &nick, out),
            ServerEvent::Invited { room, by, person } => self.invited(&room, &by, &person, out),
        }
    }

    fn server_failed(&mut self, id: &ServerId, failure: Failure, out: &mut Effects) {
        let rooms = self
            .rooms
            .values_mut()
            .filter(|room| room.room.server == *id && room.place != Place::Outside);
        let mut stays = false;
        for room in rooms {
            room.refuse(&self.ctx, &failure, out);
            stays |= !room.joined.is_empty();
        }
        if stays && !std::mem::replace(&mut self.server(id).told_lost, true) {
            let text = format!("There is no connection to {id} at the moment: {failure} Trying again.");
            self.tell_rooms(id, &text, out);
        }
        if self.is_home(id) && self.wants_home() {
            if !self.online.is_empty() {
                self.refuse_login(&failure, out);
            }
            self.entry_failed(&failure, out);
        }
        self.server(id).link = Link::Failed { failure };
    }

    /// Says something in all rooms of a server where the user is, from the room itself.
    fn tell_rooms(&self, server: &ServerId, text: &str, out: &mut Effects) {
        if !self.attached {
            return;
        }
        for room in self.rooms.values().filter(|room| room.room.server == *server) {
            for joined in room.joined.iter().filter(|_| room.chosen.connection_messages) {
                let mut xml = Xml::stanza("message", &room.jid, &joined.jid);
                xml.attr("type", "groupchat")
                    .attr("id", &self.ctx.token())
                    .leaf("body", text);
                xml.empty("no-store", ns::HINTS);
                out.send(xml.finish());
            }
        }
    }

    /// There is something to be said about a connection, or nothing any more. What was said once is not said again, also
    /// after a restart, unless it was different in between.
    fn warn(&mut self, id: &ServerId, warning: Option<Name>, out: &mut Effects) {
        if warning.is_none() && self.warned.remove(id).is_some() {
            out.write(Write::Warned {
                login: self.id,
                server: id.clone(),
                words: None,
            });
        }
        let news = warning.filter(|words| self.warned.get(id) != Some(words));
        self.server(id).warning = news;
        self.say_warnings(out);
    }

    /// Says what is to be said about connections, if the user can hear it.
    pub(super) fn say_warnings(&mut self, out: &mut Effects) {
        if !self.attached {
            return;
        }
        let warnings: Vec<(ServerId, Name)> = self
            .servers
            .iter_mut()
            .filter_map(|(id, server)| Some((id.clone(), server.warning.take()?)))
            .collect();
        for (id, words) in warnings {
            self.server_says(&id, &words, out);
            if self.warned.len() < MOST_WARNED || self.warned.contains_key(&id) {
                self.ensure_recorded(out);
                out.write(Write::Warned {
                    login: self.id,
                    server: id.clone(),
                    words: Some(words.clone()),
                });
                self.warned.insert(id, words);
            }
        }
    }

    /// Says something to the user from a server.
    fn server_says(&self, server: &ServerId, text: &str, out: &mut Effects) {
        let from = self.ctx.jid(&Address::Server(server.clone()));
        let mut xml = Xml::stanza("message", &from, &self.bare);
        out.send(
            xml.attr("type", "chat")
                .attr("id", &self.ctx.token())
                .leaf("body", text)
                .finish(),
        );
    }

    /// The nickname belongs to an account. The network's own words are for people with an IRC client, so this says once
    /// what they mean here. Whose words they were is not known, as anybody may take the name of services where there
    /// are none: to write a password to them is not advised.
    fn nick_owned(&mut self, id: &ServerId, nick: &Name, out: &mut Effects) {
        if std::mem::replace(&mut self.server(id).told_owned, true) {
            return;
        }
        let gateway = &self.ctx.domain;
        let registration = if self.account.is_some() {
            format!("check the account and password of your registration with {gateway}")
        } else {
            format!("register with {gateway}, and you are logged in by yourself from then on")
        };
        let text = format!(
            "The nickname {nick} belongs to an account on {id}. If the account is yours, {registration}. If it is not, \
             choose another nickname."
        );
        self.server_says(id, &text, out);
    }

    /// Leaves a server that nothing needs any more.
    pub(super) fn release(&mut self, id: &ServerId, out: &mut Effects) {
        let Some(server) = self.servers.get_mut(id) else {
            return;
        };
        let needed = self
            .rooms
            .values()
            .any(|room| room.room.server == *id && !room.is_unused())
            || self
                .rooms
                .values()
                .any(|room| room.room.server == *id && (room.place != Place::Outside || room.unseen));
        if needed {
            return;
        }
        if std::mem::take(&mut server.spoke) {
            out.push(Effect::SetTimer {
                timer: Timer::Linger(id.0.clone()),
                after: LINGER,
            });
            return;
        }
        if self.is_home(id) && self.wants_home() {
            return;
        }
        self.servers.remove(id);
        self.submit(
            Command::Disconnect {
                server: id.clone(),
                reason: None,
            },
            out,
        );
        if self.servers.is_empty() {
            self.session = false;
            out.push(Effect::CloseSession { reason: None });
        }
        self.show_contacts(out);
    }

    /// Leaves a server with all its rooms, for good; clients there read these words. Whether there was anything to leave.
    pub(crate) fn leave_server(&mut self, id: &ServerId, words: &str, out: &mut Effects) -> bool {
        let rooms = self.rooms.values().filter(|room| room.room.server == *id);
        let rooms: Vec<RoomId> = rooms
            .filter(|room| !room.is_unused() || room.place != Place::Outside)
            .map(|room| room.room.clone())
            .collect();
        for room in &rooms {
            if let Some(room) = self.rooms.get_mut(room) {
                room.expel(&self.ctx, &[status::KICKED], Some(words), out);
                room.let_go(out);
                // The server is left as a whole.
                let _ = room.depart(None);
            }
        }
        if self.servers.remove(id).is_none() && rooms.is_empty() {
            return false;
        }
        let (server, reason) = (id.clone(), None);
        self.submit(Command::Disconnect { server, reason }, out);
        if self.servers.is_empty() {
            self.session = false;
            out.push(Effect::CloseSession { reason: None });
        }
        true
    }

    /// Closes the connection to a server and makes a new one. The clients stay in their rooms. Whether there was anything
    /// to connect for.
    pub(crate) fn reconnect(&mut self, id: &ServerId, out: &mut Effects) -> bool {
        let rooms = |room: &Room| room.room.server == *id && !room.is_unused();
        let home = self.is_home(id) && self.wants_home();
        if !self.servers.contains_key(id) && !home && !self.rooms.values().any(|room| rooms(room)) {
            return false;
        }
        let nick = match self.servers.get(id).map(|server| &server.link) {
            Some(Link::Online { nick, .. }) => nick.clone(),
            _ => self.default_nick(),
        };
        let (server, reason) = (id.clone(), None);
        if self.servers.contains_key(id) {
            let server = server.clone();
            self.submit(Command::Disconnect { server, reason }, out);
        }
        let mut again = Vec::new();
        for room in self.rooms.values_mut().filter(|room| room.room.server == *id) {
            if room.place == Place::Outside && room.is_unused() {
                continue;
            }
            room.fall_out_of_step();
            room.place = Place::Entering;
            let since = room.newest();
            let (room, nick, key) = (room.room.clone(), room.wish.clone(), room.key.clone());
            again.push(Command::Join {
                room,
                nick,
                key,
                since,
            });
        }
        self.server(id).link = Link::Connecting;
        self.submit(Command::Connect { server, nick }, out);
        for command in again {
            self.submit(command, out);
        }
        true
    }

    /// Says something to a server in the network's own language.
    ///
    /// # Errors
    /// When the user may not, or is not connected there.
    pub(crate) fn speak_raw(
        &mut self,
        id: &ServerId,
        line: Name,
        pending: Pending,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        if !self.may_speak_raw() {
            let text = "The operator has not permitted you to send raw lines.";
            return Err(Problem::because(Condition::Forbidden, text));
        }
        let online = |server: &Server| matches!(server.link, Link::Online { .. });
        if !self.servers.get(id).is_some_and(|server| online(server)) {
            let text = format!("You are not connected to {id}.");
            return Err(Problem::because(Condition::ServiceUnavailable, text));
        }
        self.pending.room_for(1, self.ctx.most_pending)?;
        let txn = self.ctx.ids.txn();
        self.pending.insert(txn, pending);
        let server = id.clone();
        self.submit(Command::Raw { txn, server, line }, out);
        Ok(())
    }
}
