//! Messages from the user's clients to rooms and their occupants (XEP-0045 §7.4, §7.5).

use std::sync::Arc;

use viaduct_bridge::{Name, PersonId, Recipient, Relation, RoomId};

use super::Login;
use super::pending::{Act, Pending, Request};
use crate::effect::Effects;
use crate::forms::Submission;
use crate::ns;
use crate::payload;
use crate::portal::presence::status;
use crate::portal::{Place, Room};
use crate::records::{OutboxRecord, Write};
use crate::relation;
use crate::stanza::{Condition, Incoming, Problem};

impl Login {
    pub(super) fn room_message(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        match (stanza.ty(), stanza.to.resource()) {
            ("error", _) => self.room_bounced(id, stanza, out),
            ("groupchat", None) => self.groupchat(id, stanza, out),
            ("groupchat", Some(_)) => {
                let problem = Problem::because(
                    Condition::BadRequest,
                    "A message to one person is not for the room.",
                );
                out.send_opt(stanza.error(&problem));
            }
            (_, Some(_)) => self.private_message(id, stanza, out),
            (_, None) if self.invitation(id, stanza, out) => {}
            (_, None) if Submission::of(&stanza.element).is_some() => self.room_form(id, stanza, out),
            (_, None) => {
                let text = "Send messages for the room with type 'groupchat'.";
                out.send_opt(stanza.error(&Problem::because(Condition::BadRequest, text)));
            }
        }
    }

    /// A form in a message to a room: somebody asks for voice (XEP-0045 §7.13). Those who could give it have no such
    /// forms; they can be asked in words.
    fn room_form(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let form = Submission::of(&stanza.element).unwrap_or_default();
        if form.form_type.as_deref() != Some(ns::MUC_REQUEST) {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        }
        let room = self
            .rooms
            .get(id)
            .filter(|room| room.joined(&stanza.resource()).is_some());
        let Some(room) = room else {
            let text = "You are not in this room. Join it first.";
            return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
        };
        let moderators = room
            .occupants
            .iter()
            .filter(|(_, occupant)| occupant.role(true) == "moderator");
        let names: Vec<&str> = moderators.map(|(_, it)| it.nick.as_str()).take(5).collect();
        let text = if names.is_empty() {
            "Voice cannot be asked for here, and nobody is in the room who could give it.".to_owned()
        } else {
            format!(
                "Voice cannot be asked for by a form here. Write to a moderator: {}.",
                names.join(", ")
            )
        };
        out.send_opt(stanza.error(&Problem::because(Condition::NotAllowed, text)));
    }

    fn groupchat(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        if let Some(problem) = self.may_speak(id, stanza, out) {
            return out.send_opt(stanza.error(&problem));
        }
        if self.act_on(&Recipient::Room(id.clone()), stanza, out) {
            return;
        }
        let body = stanza.text_of("body").filter(|body| !body.is_empty());
        let subject = stanza.text_of("subject");
        match (body, subject) {
            (None, Some(subject)) if !stanza.element.has_child("thread", ns::COMPONENT) => {
                self.change_subject(id, &subject, stanza, out);
            }
            (Some(body), _) => self.say_to(Recipient::Room(id.clone()), &body, stanza, out),
            // What else is left says nothing to anybody on the network: hints.
            (None, _) => self.tell_typing(Recipient::Room(id.clone()), stanza, out),
        }
    }

    /// Why a resource may not speak in a room, if so.
    fn may_speak(&self, id: &RoomId, stanza: &Incoming, out: &mut Effects) -> Option<Problem> {
        let room = self.rooms.get(id);
        let joined = room.and_then(|room| room.joined(&stanza.resource()));
        let (Some(room), Some(_)) = (room, joined) else {
            let (bare, to) = (stanza.to.to_bare(), stanza.from.as_str());
            let nick = room.map_or_else(|| self.default_nick(), |room| room.my_nick());
            let codes = [status::KICKED, status::TECHNICAL];
            out.send(Room::not_there(
                bare.as_str(),
                &nick,
                to,
                &codes,
                Some("You are not in this room."),
            ));
            return Some(Problem::because(
                Condition::NotAcceptable,
                "You are not in this room. Join it first.",
            ));
        };
        if room.place != Place::Inside {
            let text = format!("There is no connection to {} at the moment.", id.server);
            return Some(Problem::because(Condition::RemoteServerTimeout, text));
        }
        let visitor = room
            .myself()
            .is_none_or(|me| me.role(room.flags.moderated) == "visitor");
        let has_content = stanza.element.has_child("body", ns::COMPONENT);
        if visitor && has_content {
            return Some(Problem::because(
                Condition::Forbidden,
                "You have no voice in this room.",
            ));
        }
        None
    }

    fn change_subject(&mut self, id: &RoomId, subject: &str, stanza: &Incoming, out: &mut Effects) {
        let Some(room) = self.rooms.get(id) else { return };
        let operator = room.myself().is_some_and(|me| me.role(true) == "moderator");
        if room.flags.topic_locked && !operator {
            let text = "Only moderators may change the subject of this room.";
            return out.send_opt(stanza.error(&Problem::because(Condition::Forbidden, text)));
        }
        if let Err(problem) = self.pending.room_for(1, self.ctx.most_pending) {
            return out.send_opt(stanza.error(&problem));
        }
        let command = room.set_topic(&self.ctx, subject);
        if let Some(txn) = command.txn() {
            self.pending.insert(txn, Pending::Stanza(Request::of(stanza)));
        }
        self.submit(command, out);
    }

    /// A message to one occupant: what the network has for it is a direct message.
    fn private_message(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let nick = stanza.to.resource().map_or("", |resource| resource.as_str());
        let room = self
            .rooms
            .get(id)
            .filter(|room| room.joined(&stanza.resource()).is_some());
        let Some(room) = room else {
            let text = "You are not in this room. Join it first.";
            return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
        };
        let Some((person, _)) = room.occupants.by_resource(nick) else {
            let text = format!("There is no '{nick}' in this room.");
            return out.send_opt(stanza.error(&Problem::because(Condition::ItemNotFound, text)));
        };
        let person = PersonId {
            server: id.server.clone(),
            person: person.clone(),
        };
        let via = room.jid.clone();
        if self.direct_invitation(&person, stanza, out)
            || self.act_on(&Recipient::Person(person.clone()), stanza, out)
        {
            return;
        }
        let Some(body) = stanza.text_of("body").filter(|body| !body.is_empty()) else {
            return self.tell_typing(Recipient::Person(person), stanza, out);
        };
        self.address_chat(&person, Some(via));
        self.say_to(Recipient::Person(person), &body, stanza, out);
    }

    /// Says something on the network: remembered first, then handed over.
    pub(super) fn say_to(&mut self, to: Recipient, body: &str, stanza: &Incoming, out: &mut Effects) {
        if let Some(problem) = self.cannot_be_said(body, stanza) {
            return out.send_opt(stanza.error(&problem));
        }
        let relation = self.relation_of(&to, stanza);
        let cut = matches!(relation, Some(Relation::Reply(_)))
            .then(|| relation::without_fallback(stanza, body, ns::REPLY))
            .filter(|rest| !rest.trim().is_empty());
        let mut content = payload::to_network(stanza, cut.as_deref().unwrap_or(body));
        let corrects = stanza.element.has_child("replace", ns::CORRECT);
        if !corrects && self.rounds.is_loop(self.now, &content.text.plain) {
            let text = "This message has come round several times: two bridges or bots seem to repeat each other. It was \
                        not sent.";
            return out.send_opt(stanza.error(&Problem::because(Condition::NotAllowed, text)));
        }
        self.ensure_recorded(out);
        if corrects && relation.is_none() {
            // A network without corrections gets them as readable text.
            let plain: Name = format!("corrected: {}", content.text.plain).into();
            content.text = viaduct_bridge::Text::plain(plain);
        }
        let txn = self.ctx.ids.txn();
        let record = Arc::new(OutboxRecord {
            txn,
            login: self.id,
            to: to.clone(),
            resource: stanza.resource(),
            addressed: stanza.to.as_str().into(),
            client_id: stanza.id.as_deref().map(Name::from),
            payload: payload::reflected(&stanza.element).into(),
            content: content.clone(),
        });
        out.write(Write::Outbox(Arc::clone(&record)));
        let receipt = stanza.element.has_child("request", ns::RECEIPTS);
        self.pending.insert(
            txn,
            Pending::Message {
                record,
                receipt,
                act: Act::Say,
            },
        );
        self.server(to.server()).spoke |= matches!(to, Recipient::Person(_));
        let nick = self.default_nick();
        self.submit(
            viaduct_bridge::Command::Send {
                txn,
                to,
                content,
                nick,
                relation: relation.map(Box::new),
            },
            out,
        );
    }

    fn cannot_be_said(&self, body: &str, stanza: &Incoming) -> Option<Problem> {
        if let Some(method) = payload::encryption(&stanza.element) {
            let text = format!(
                "This message is encrypted ({method}) and cannot be carried: the conversation ends at a gateway. \
                 Please turn encryption off here and send it again."
            );
            return Some(Problem::because(Condition::NotAcceptable, text));
        }
        let most = self.ctx.bridge.capabilities().max_message_bytes;
        if body.len() > most {
            let text = format!("This message is too long: at most {most} bytes can be carried.");
            return Some(Problem::because(Condition::NotAcceptable, text));
        }
        self.pending.room_for(1, self.ctx.most_pending).err()
    }
}
