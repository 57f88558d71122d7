//! The user's connections to the servers of the network.

use std::time::Duration;

use viaduct_bridge::{Command, Failure, Name, Relations, RoomId, ServerEvent, ServerId};

use super::Login;
use crate::effect::{Effect, Effects, Timer};
use crate::ns;
use crate::portal::Place;
use crate::xml::Xml;

/// How long a connection outlives its last room while a direct chat may go on.
const LINGER: Duration = Duration::from_secs(600);

/// How the user stands with one server.
#[derive(Debug, Default)]
pub(crate) struct Server {
    /// The connection.
    pub link: Link,
    /// Whether the user was told that the connection was lost.
    told_lost: bool,
    /// Whether somebody was spoken with directly over this connection.
    pub spoke: bool,
    /// What messages can be referred to with on it, where it has told.
    pub relations: Option<Relations>,
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

impl Login {
    pub(super) fn server(&mut self, server: &ServerId) -> &mut Server {
        self.servers.entry(server.clone()).or_default()
    }

    fn is_home(&self, server: &ServerId) -> bool {
        self.ctx.bridge.home_server(self.account.as_ref()).as_ref() == Some(server)
    }

    pub(super) fn server_event(&mut self, id: &ServerId, event: ServerEvent, out: &mut Effects) {
        match event {
            ServerEvent::Connecting => {
                let server = self.server(id);
                if !matches!(server.link, Link::Offline { .. }) {
                    server.link = Link::Connecting;
                }
            }
            ServerEvent::Online { nick, me: _, warning } => {
                let server = self.server(id);
                server.link = Link::Online { nick };
                // It tells anew, if there is anything to tell.
                server.relations = None;
                if std::mem::take(&mut server.told_lost) {
                    self.tell_rooms(id, &format!("Connected to {id} again."), out);
                }
                if let Some(warning) = warning {
                    self.server_says(id, &warning, out);
                }
                if let Some(text) = self.away.clone() {
                    self.submit(Command::SetAway { text: Some(text) }, out);
                }
                if self.is_home(id) {
                    self.entry.begin_anew();
                    self.announce_login(out);
                }
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
            ServerEvent::Failed { failure } => self.server_failed(id, failure, out),
            ServerEvent::Closed => {
                self.servers.remove(id);
            }
            ServerEvent::Relations(relations) => self.server(id).relations = Some(relations),
            ServerEvent::Notice { text } => self.server_says(id, &text, out),
            ServerEvent::Invited { room, by } => self.invited(&room, &by, out),
        }
    }

    fn server_failed(&mut self, id: &ServerId, failure: Failure, out: &mut Effects) {
        let rooms = self
            .rooms
            .values_mut()
            .filter(|room| room.room.server == *id && room.place != Place::Outside);
        for room in rooms {
            room.refuse(&self.ctx, &failure, out);
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
            for joined in &room.joined {
                let mut xml = Xml::stanza("message", &room.jid, &joined.jid);
                xml.attr("type", "groupchat")
                    .attr("id", &self.ctx.token())
                    .leaf("body", text);
                xml.empty("no-store", ns::HINTS);
                out.send(xml.finish());
            }
        }
    }

    /// Says something to the user from a server.
    fn server_says(&self, server: &ServerId, text: &str, out: &mut Effects) {
        let from = self.ctx.jid(&viaduct_bridge::Address::Server(server.clone()));
        let mut xml = Xml::stanza("message", &from, &self.bare);
        out.send(
            xml.attr("type", "chat")
                .attr("id", &self.ctx.token())
                .leaf("body", text)
                .finish(),
        );
    }

    /// Somebody invites the user (XEP-0045 §7.8.2).
    fn invited(&self, room: &RoomId, by: &Name, out: &mut Effects) {
        let address = viaduct_bridge::Address::Room(room.clone());
        let mut xml = Xml::stanza("message", &self.ctx.jid(&address), &self.bare);
        xml.attr("id", &self.ctx.token());
        xml.leaf("body", &format!("{by} invites you to {}.", room.room));
        xml.start_ns("x", ns::MUC_USER).start("invite");
        let inviter = self.rooms.get(room).map(|room| room.occupant_jid(by));
        let puppet = || {
            self.ctx
                .bridge
                .parse_typed(&format!("{by}%{}", room.server))
                .ok()
                .map(|a| self.ctx.jid(&a))
        };
        if let Some(from) = inviter.or_else(|| puppet().map(|jid| jid.to_string())) {
            xml.attr("from", &from);
        }
        xml.end().end();
        xml.start_ns("x", ns::CONFERENCE)
            .attr("jid", &self.ctx.jid(&address))
            .end();
        out.send(xml.finish());
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
    }
}
