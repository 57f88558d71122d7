//! Requests to a room and to its occupants.

use viaduct_bridge::{Level, PersonId, RoomId, Timestamp};

use super::Login;
use super::pending::{Awaiting, Request};
use crate::command::Target;
use crate::effect::Effects;
use crate::forms::{Shown, ShownField};
use crate::names;
use crate::ns;
use crate::portal::Place;
use crate::portal::join::MOST_HISTORY;
use crate::service::{DiscoInfo, person_info, relation_features};
use crate::stanza::{Condition, Incoming, Problem};

impl Login {
    pub(super) fn room_iq(&mut self, now: Timestamp, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        if !stanza.is_request() {
            return;
        }
        if stanza.to.resource().is_some() {
            return self.occupant_iq(now, id, stanza, out);
        }
        if self.command_requests(now, &Target::Room(id.clone()), stanza, out) {
            return;
        }
        let Some(payload) = stanza.payload() else {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        };
        let namespace = payload.ns();
        let node = payload.attr("node");
        match (stanza.ty(), payload.name(), namespace.as_str()) {
            ("get", "query", ns::DISCO_INFO) if node == Some("x-roomuser-item") => {
                self.reserved_nick(stanza, out);
            }
            ("get", "query", ns::DISCO_INFO) if node == Some(ns::MUC_TRAFFIC) => {
                out.send_opt(stanza.error(&Problem::new(Condition::ServiceUnavailable)));
            }
            (_, "query" | "metadata", ns::MAM) => self.archive_iq(id, stanza, out),
            (_, "moderate", ns::MODERATE) => self.moderate_iq(id, stanza, out),
            (_, "query", ns::REGISTER) => {
                let problem = match self.shut_out() {
                    Some(Problem { text, .. }) => Problem {
                        text,
                        ..Problem::new(Condition::NotAllowed)
                    },
                    None => Problem::because(
                        Condition::ServiceUnavailable,
                        "Nobody registers with a room of this network. A nickname is kept by an account of the network.",
                    ),
                };
                out.send_opt(stanza.error(&problem));
            }
            (_, "query", ns::MUC_ADMIN) => self.admin_iq(id, stanza, out),
            (_, "query", ns::MUC_OWNER) => self.owner_iq(id, stanza, out),
            _ => {
                let info = || self.room_info(id);
                self.disco_or(now, stanza, info, out);
            }
        }
    }

    fn room_info(&self, id: &RoomId) -> DiscoInfo {
        let room = self.rooms.get(id);
        let flags = room.map(|room| room.flags).unwrap_or_default();
        let pick = |on: bool, yes: &'static str, no: &'static str| if on { yes } else { no };
        let mut features = vec![
            ns::MUC,
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::COMMANDS,
            ns::PING,
            ns::MAM,
            ns::MAM_EXTENDED,
            ns::SID,
            ns::OCCUPANT_ID,
            ns::MUC_STABLE_ID,
            ns::SELF_PING,
            pick(flags.hidden, "muc_hidden", "muc_public"),
            "muc_open",
            pick(flags.moderated, "muc_moderated", "muc_unmoderated"),
            "muc_persistent",
            "muc_nonanonymous",
            pick(flags.password, "muc_passwordprotected", "muc_unsecured"),
        ];
        features.extend(relation_features(self.relations(&id.server)));
        if self.relations(&id.server).moderation >= Level::Partial {
            features.push(ns::MODERATE);
        }
        let mut fields = vec![
            ShownField::text("muc#roominfo_description", "Description", id.room.as_str()),
            ShownField::text(
                "muc#maxhistoryfetch",
                "Messages at join",
                MOST_HISTORY.to_string(),
            ),
        ];
        // Of a room that the user is not in, nothing more is known.
        if let Some(room) = room.filter(|room| room.place == Place::Inside) {
            let topic = room.topic.as_ref().map_or("", |topic| &topic.text);
            let label = "Everybody may change the subject";
            fields.extend([
                ShownField::text("muc#roominfo_subject", "Subject", topic),
                ShownField::boolean("muc#roominfo_subjectmod", label, !flags.topic_locked),
                ShownField::text(
                    "muc#roominfo_occupants",
                    "People",
                    room.occupants.len().to_string(),
                ),
            ]);
        }
        // What no network tells (a language, logs, a picture) is not made up; nor are owners who are not known.
        let owners = room.map(|room| room.owners(&self.ctx)).unwrap_or_default();
        if !owners.is_empty() {
            fields.push(ShownField::jids("muc#roominfo_contactjid", "Owners", owners));
        }
        let form = Shown {
            form_type: Some(ns::MUC_ROOMINFO),
            fields,
            ..Shown::default()
        };
        DiscoInfo {
            identities: vec![("conference", "text".into(), id.room.to_string())],
            features,
            form: Some(form),
        }
    }

    fn reserved_nick(&self, stanza: &Incoming, out: &mut Effects) {
        let mut xml = stanza.result();
        xml.start_ns("query", ns::DISCO_INFO)
            .attr("node", "x-roomuser-item");
        if let Some(account) = &self.account {
            xml.start("identity")
                .attr("category", "conference")
                .attr("type", "text");
            xml.attr("name", &names::resource(&account.name)).end();
        }
        out.send(xml.finish());
    }

    fn admin_iq(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let Some(query) = stanza.payload() else { return };
        let room = self
            .rooms
            .get(id)
            .filter(|room| room.joined(&stanza.resource()).is_some());
        let Some(room) = room else {
            let text = "Only people in the room may do this.";
            return out.send_opt(stanza.error(&Problem::because(Condition::Forbidden, text)));
        };
        let asks_for_bans = query
            .get_child("item", ns::MUC_ADMIN)
            .is_some_and(|item| item.attr("affiliation") == Some("outcast") && item.attr("role").is_none());
        if stanza.ty() == "get" && asks_for_bans {
            return self.ban_list(id, stanza, out);
        }
        if stanza.ty() == "get" {
            let answer = room.admin_list(&self.ctx, stanza, query);
            return self.answer(stanza, answer, out);
        }
        let capabilities = self.ctx.bridge.capabilities();
        if capabilities.ranks == Level::Rejected && capabilities.kick == Level::Rejected {
            return out.send_opt(stanza.error(&Problem::new(Condition::NotAllowed)));
        }
        let begun = room
            .admin_commands(&self.ctx, &stanza.from.to_bare(), query)
            .and_then(|commands| self.await_all(&Awaiting::Stanza(Request::of(stanza)), commands, None, out));
        if let Err(problem) = begun {
            out.send_opt(stanza.error(&problem));
        }
    }

    /// A request to an occupant: to oneself it is a self-ping (XEP-0410); the others are people of the network, who are
    /// asked by the network's means.
    fn occupant_iq(&mut self, now: Timestamp, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let nick = stanza.to.resource().map_or("", |resource| resource.as_str());
        let is_ping = stanza
            .payload()
            .is_some_and(|payload| payload.is("ping", ns::PING));
        let room = self
            .rooms
            .get(id)
            .filter(|room| room.joined(&stanza.resource()).is_some());
        let Some(room) = room else {
            let condition = if is_ping {
                Condition::NotAcceptable
            } else {
                Condition::BadRequest
            };
            return out.send_opt(stanza.error(&Problem::because(condition, "You are not in this room.")));
        };
        let Some((person, occupant)) = room.occupants.by_resource(nick) else {
            let myself = room
                .joined(&stanza.resource())
                .is_some_and(|joined| names::resource(&joined.nick) == nick);
            if is_ping && myself {
                // The network connection is on its way back; the user is still in the room.
                return out.send(stanza.done());
            }
            let text = format!("There is no '{nick}' in this room.");
            return out.send_opt(stanza.error(&Problem::because(Condition::ItemNotFound, text)));
        };
        let name = names::resource(&occupant.nick).into_owned();
        let asks_for_card = stanza
            .payload()
            .is_some_and(|payload| payload.is("vCard", ns::VCARD));
        if *person == room.me && !asks_for_card {
            let able = self.relations(&id.server);
            return self.disco_or(now, stanza, || person_info(&name, able), out);
        }
        let person = PersonId {
            server: id.server.clone(),
            person: person.clone(),
        };
        self.ask_about(now, &person, &name, stanza, out);
    }
}
