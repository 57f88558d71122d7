//! Presence between the user and a room: entering, changing nickname, going (XEP-0045 §7).

use std::time::Duration;

use minidom::Element;
use viaduct_bridge::{Command, Failure, Name, RoomId, Secret, Timestamp};

use super::Login;
use super::pending::{Pending, Request};
use crate::effect::{Effect, Effects, Timer};
use crate::names;
use crate::ns;
use crate::portal::join::HistoryWish;
use crate::portal::presence::status;
use crate::portal::{Place, Room, Waiting};
use crate::records::PortalId;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::fragment;

/// How long a room may take to let somebody in.
const JOIN_TIMEOUT: Duration = Duration::from_secs(90);

impl Login {
    pub(super) fn room_presence(
        &mut self,
        now: Timestamp,
        id: &RoomId,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        match stanza.ty() {
            "" => self.room_available(now, id, stanza, out),
            "unavailable" => self.room_unavailable(id, stanza, out),
            "error" => self.room_bounced(id, stanza, out),
            "probe" => {
                if let Some(room) = self.rooms.get(id) {
                    room.probed(&self.ctx, stanza, out);
                }
            }
            // A subscription neither enters nor leaves (XEP-0045 §17.3).
            _ => {}
        }
    }

    fn room_available(&mut self, now: Timestamp, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let refuse = |problem: &Problem, out: &mut Effects| {
            let to = stanza.from.as_str();
            out.send(Room::presence_error(
                stanza.to.as_str(),
                to,
                stanza.id.as_deref(),
                problem,
            ));
        };
        let Some(nick) = stanza.to.resource().map(|resource| Name::from(resource.as_str())) else {
            return refuse(
                &Problem::because(Condition::JidMalformed, "A nickname is missing."),
                out,
            );
        };
        let resource = stanza.resource();
        let muc = stanza.element.get_child("x", ns::MUC);
        let joined = self
            .rooms
            .get(id)
            .and_then(|room| room.joined(&resource))
            .cloned();
        match (joined, muc) {
            (Some(joined), None) => {
                if names::resource(&joined.nick) == *nick {
                    self.update_presence(id, stanza, out);
                } else {
                    self.change_nick(id, nick, stanza, out);
                }
            }
            (None, None) => {
                let waits = self
                    .rooms
                    .get(id)
                    .is_some_and(|room| room.waiting.iter().any(|waiting| waiting.resource == resource));
                if !waits {
                    let (room, to) = (stanza.to.to_bare(), stanza.from.as_str());
                    let codes = [status::KICKED, status::TECHNICAL];
                    let reason = Some("You are not in this room.");
                    out.send(Room::not_there(room.as_str(), &nick, to, &codes, reason));
                }
            }
            (_, Some(muc)) => match self.shut_out().or_else(|| self.overloaded()) {
                Some(problem) => refuse(&problem, out),
                None => match self.ctx.bridge.nick_for(&nick) {
                    Some(wish) => self.join(now, id, wish, muc, stanza, out),
                    None => refuse(
                        &Problem::because(
                            Condition::NotAcceptable,
                            "This network cannot have such a nickname.",
                        ),
                        out,
                    ),
                },
            },
        }
    }

    fn overloaded(&self) -> Option<Problem> {
        let text = "Too many rooms are being entered at once. Try again in a moment.";
        let waiting: usize = self.rooms.values().map(|room| room.waiting.len()).sum();
        (waiting >= 1000 || self.rooms.len() >= 10_000)
            .then(|| Problem::because(Condition::ResourceConstraint, text))
    }

    fn join(
        &mut self,
        now: Timestamp,
        id: &RoomId,
        wish: Name,
        muc: &Element,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        self.ensure_recorded(out);
        let ctx = self.ctx.clone();
        let login = self.id;
        let chosen = self.chosen_in(id);
        let local = stanza.to.node().map_or("", |node| node.as_str());
        let room = self
            .rooms
            .entry(id.clone())
            .or_insert_with(|| Box::new(Room::new(&ctx, login, id.clone(), local.into(), wish.clone())));
        room.chosen = chosen;
        let waiting = Waiting {
            resource: stanza.resource(),
            jid: stanza.from.as_str().into(),
            asked: stanza.to.as_str().into(),
            nick: stanza
                .to
                .resource()
                .map_or_else(|| wish.clone(), |resource| resource.as_str().into()),
            id: stanza.id.clone(),
            history: HistoryWish::parse(muc),
        };
        let key = muc
            .get_child("password", ns::MUC)
            .map(Element::text)
            .filter(|key| !key.is_empty());
        if let Some(key) = key {
            room.key = Some(Secret::new(key));
        }
        if room.place == Place::Inside && room.is_in_step() {
            room.enter(&ctx, now, waiting, out);
            self.apply_presence(id, stanza);
            return;
        }
        room.waiting.retain(|other| other.resource != waiting.resource);
        room.waiting.push(waiting);
        if room.place == Place::Outside {
            room.place = Place::Entering;
            room.wish = wish.clone();
            let command = Command::Join {
                room: id.clone(),
                nick: wish,
                key: room.key.clone(),
                since: room.newest(),
            };
            let portal = room.id;
            self.server(&id.server);
            self.submit(command, out);
            out.push(Effect::SetTimer {
                timer: Timer::Join(portal),
                after: JOIN_TIMEOUT,
            });
        }
        self.apply_presence(id, stanza);
    }

    pub(super) fn join_timed_out(&mut self, portal: PortalId, out: &mut Effects) {
        let Some(room) = self
            .rooms
            .values_mut()
            .find(|room| room.id == portal && room.place == Place::Entering)
        else {
            return;
        };
        let server = room.room.server.clone();
        let failure = Failure::transient(format!("{server} has not let you into the room in time."));
        let problem = Problem::from(&failure);
        room.refuse_waiting(&problem, out);
        // Clients that were in before wait on, and so does a room that is kept: the bridge goes on trying.
        if !room.is_wanted() {
            if let Some(command) = room.depart(None) {
                self.submit(command, out);
            }
            self.release(&server, out);
        }
    }

    /// The user's own presence in a room changed: shown to the user's clients, and as away on the network.
    fn update_presence(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        self.apply_presence(id, stanza);
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if room.is_in_step() && room.place == Place::Inside {
            let me = room.me.clone();
            room.show(&self.ctx, &me, &[], out);
        }
        self.show_away(stanza, out);
    }

    /// The user's presence for people: away on the network, or back.
    pub(super) fn show_away(&mut self, stanza: &Incoming, out: &mut Effects) {
        let show = stanza.text_of("show").unwrap_or_default();
        let away = matches!(show.as_str(), "away" | "xa" | "dnd").then(|| {
            let words = stanza.text_of("status").filter(|words| !words.trim().is_empty());
            Name::from(words.unwrap_or(show))
        });
        if away != self.away {
            self.away.clone_from(&away);
            if self.session {
                self.submit(Command::SetAway { text: away }, out);
            }
        }
    }

    /// Keeps what the user's presence says beside the room's own elements (XEP-0045 §17.3).
    fn apply_presence(&mut self, id: &RoomId, stanza: &Incoming) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let owned = |child: &&Element| {
            [
                ("x", ns::MUC),
                ("x", ns::MUC_USER),
                ("occupant-id", ns::OCCUPANT_ID),
                // What hats there are is for the room to say (XEP-0317).
                ("hats", ns::HATS),
            ]
            .iter()
            .any(|(name, namespace)| child.is(*name, *namespace))
        };
        let payload: String = stanza
            .element
            .children()
            .filter(|child| !owned(child))
            .map(fragment)
            .collect();
        room.my_payload = payload.into();
    }

    fn change_nick(&mut self, id: &RoomId, nick: Name, stanza: &Incoming, out: &mut Effects) {
        let Some(wish) = self.ctx.bridge.nick_for(&nick) else {
            let problem = Problem::because(
                Condition::NotAcceptable,
                "This network cannot have such a nickname.",
            );
            out.send(Room::presence_error(
                stanza.to.as_str(),
                stanza.from.as_str(),
                stanza.id.as_deref(),
                &problem,
            ));
            return;
        };
        if let Err(problem) = self.pending.room_for(1, self.ctx.most_pending) {
            return out.send_opt(stanza.error(&problem));
        }
        let txn = self.ctx.ids.txn();
        let request = Request::of(stanza);
        self.pending.insert(txn, Pending::Nick { wish: nick, request });
        self.submit(
            Command::SetNick {
                txn,
                server: id.server.clone(),
                nick: wish,
            },
            out,
        );
    }

    fn room_unavailable(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let words = stanza
            .text_of("status")
            .filter(|words| !words.is_empty())
            .map(Name::from);
        self.leave_room(id, &stanza.resource(), (words, false), out);
    }

    /// A resource goes; with the last one, the user goes on the network.
    pub(crate) fn leave_room(
        &mut self,
        id: &RoomId,
        resource: &str,
        (words, removed): (Option<Name>, bool),
        out: &mut Effects,
    ) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        let here =
            room.joined(resource).is_some() || room.waiting.iter().any(|w| w.resource.as_str() == resource);
        if here {
            if !room.leave(&self.ctx, resource, (words.clone(), removed), out) {
                return;
            }
        } else if !room.is_unused() || room.place == Place::Outside {
            return;
        }
        // Not here, and nobody else: the client was lost and awaited, and now its server says that it is gone.
        if let Some(command) = room.depart(words) {
            self.submit(command, out);
        }
        self.release(&id.server, out);
    }

    /// What we sent came back: the client is gone (XEP-0045 §18.1.2).
    pub(super) fn room_bounced(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        const GONE: [&str; 8] = [
            "gone",
            "item-not-found",
            "recipient-unavailable",
            "redirect",
            "remote-server-not-found",
            "remote-server-timeout",
            "service-unavailable",
            "jid-malformed",
        ];
        let error = stanza.element.get_child("error", ns::COMPONENT);
        let gone = error.is_some_and(|error| {
            error
                .children()
                .any(|c| c.ns() == ns::STANZAS && GONE.contains(&c.name()))
        });
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        if gone && room.lose(&stanza.resource(), out) && room.is_unused() {
            let portal = room.id;
            self.begin_grace(portal, out);
        }
    }
}
