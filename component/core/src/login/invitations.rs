//! Invitations into rooms, both ways: mediated (XEP-0045 §7.8.2) and direct (XEP-0249).
//!
//! A person of the network is invited by the network. Anybody else is an XMPP user, who may come through this gateway
//! too: to them the room hands the invitation on. To decline is a thing that IRC does not know; the one who invited is
//! told in words.

use jid::Jid;
use minidom::Element;
use viaduct_bridge::{
    Address, Command, Content, MessageKind, Name, PersonId, Recipient, RoomId, ServerId, Text,
};

use super::Login;
use super::pending::{Awaiting, Pending, Request};
use crate::effect::Effects;
use crate::names;
use crate::ns;
use crate::portal::occupants::Affiliation;
use crate::portal::{Place, Room};
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::Xml;

/// The most people that one stanza may invite.
const MOST_AT_ONCE: usize = 20;
/// The most bytes of a reason.
const MOST_REASON: usize = 1000;

/// Whom an address on the user's word means.
enum Whom {
    /// Somebody of the network.
    Person(PersonId),
    /// An XMPP user.
    User(Jid),
}

impl Login {
    /// A message to a room that invites somebody, or declines. False if it is something else.
    pub(super) fn invitation(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) -> bool {
        let Some(x) = stanza.element.get_child("x", ns::MUC_USER) else {
            return false;
        };
        let children = |name: &'static str| x.children().filter(move |child| child.is(name, ns::MUC_USER));
        if children("invite").next().is_some() {
            let invites: Vec<&Element> = children("invite").collect();
            if let Err(problem) = self.invite_all(id, &invites, stanza, out) {
                out.send_opt(stanza.error(&problem));
            }
            return true;
        }
        if let Some(decline) = children("decline").next() {
            if let Err(problem) = self.decline(id, decline, stanza, out) {
                out.send_opt(stanza.error(&problem));
            }
            return true;
        }
        false
    }

    /// A message to a person that invites them into a room (XEP-0249). False if it does not.
    pub(super) fn direct_invitation(
        &mut self,
        person: &PersonId,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> bool {
        let Some(x) = stanza.element.get_child("x", ns::CONFERENCE) else {
            return false;
        };
        let into = x.attr("jid").and_then(|jid| Jid::new(jid).ok());
        let room = into.as_ref().and_then(|jid| self.room_at(jid));
        let done = match room {
            Some(room) if room.server == person.server => self
                .may_invite(&room, &stanza.resource())
                .map(|_| ())
                .and_then(|()| {
                    let command = self.invite_person(&room, person);
                    self.await_all(&Awaiting::Stanza(Request::of(stanza)), vec![command], None, out)
                }),
            _ => {
                let place = into.map_or_else(|| "there".to_owned(), |jid| jid.to_string());
                let text = format!("{} cannot come to {place} from this network.", person.person);
                Err(Problem::because(Condition::NotAcceptable, text))
            }
        };
        if let Err(problem) = done {
            out.send_opt(stanza.error(&problem));
        }
        true
    }

    /// All of them, or none.
    fn invite_all(
        &mut self,
        id: &RoomId,
        invites: &[&Element],
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        if invites.len() > MOST_AT_ONCE {
            let text = format!("At most {MOST_AT_ONCE} people can be invited at once.");
            return Err(Problem::because(Condition::NotAcceptable, text));
        }
        let handing_on = Self::may_hand_on(self.may_invite(id, &stanza.resource())?);
        let (mut commands, mut users) = (Vec::new(), Vec::new());
        for invite in invites {
            match self.whom(&id.server, invite.attr("to"))? {
                Whom::Person(person) => commands.push(self.invite_person(id, &person)),
                Whom::User(user) => users.push((user, *invite)),
            }
        }
        if !users.is_empty() {
            handing_on?;
        }
        self.await_all(&Awaiting::Stanza(Request::of(stanza)), commands, None, out)?;
        for (user, invite) in users {
            self.invite_user(id, &user, invite, out);
        }
        Ok(())
    }

    /// The room, if the user may invite into it.
    fn may_invite(&self, id: &RoomId, resource: &str) -> Result<&Room, Problem> {
        let room = self.rooms.get(id).filter(|room| room.joined(resource).is_some());
        let room = room.ok_or_else(|| {
            Problem::because(
                Condition::NotAcceptable,
                "You are not in this room. Join it first.",
            )
        })?;
        if room.place != Place::Inside {
            let text = format!("There is no connection to {} at the moment.", id.server);
            return Err(Problem::because(Condition::RemoteServerTimeout, text));
        }
        Ok(room)
    }

    /// Somebody of the network: it has the last word on whether the user may.
    fn invite_person(&self, id: &RoomId, person: &PersonId) -> Command {
        Command::Invite {
            txn: self.ctx.ids.txn(),
            room: id.clone(),
            person: person.person.clone(),
        }
    }

    /// Whether the user may hand the room on to XMPP users, of whom the network knows nothing.
    fn may_hand_on(room: &Room) -> Result<(), Problem> {
        let operator = room
            .myself()
            .is_some_and(|me| me.affiliation() >= Affiliation::Admin);
        if room.flags.invite_only && !operator {
            let text = "Only operators may invite into this room.";
            return Err(Problem::because(Condition::Forbidden, text));
        }
        Ok(())
    }

    /// An XMPP user, who would come through this gateway and must be allowed to.
    fn invite_user(&self, id: &RoomId, user: &Jid, invite: &Element, out: &mut Effects) {
        let Some(room) = self.rooms.get(id) else {
            return;
        };
        let reason = reason_of(invite);
        let key = room.key.as_ref().map(viaduct_bridge::Secret::reveal);
        let mut xml = Xml::stanza("message", &room.jid, user.as_str());
        xml.attr("id", &self.ctx.token());
        xml.start_ns("x", ns::MUC_USER)
            .start("invite")
            .attr("from", &self.bare);
        if let Some(reason) = &reason {
            xml.leaf("reason", reason);
        }
        xml.end();
        if let Some(key) = key {
            xml.leaf("password", key);
        }
        xml.end();
        xml.start_ns("x", ns::CONFERENCE)
            .attr("jid", &room.jid)
            .attr_opt("reason", reason.as_deref())
            .attr_opt("password", key)
            .end();
        out.send(xml.finish());
    }

    /// The user does not come.
    fn decline(
        &mut self,
        id: &RoomId,
        decline: &Element,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        let reason = reason_of(decline);
        match self.whom(&id.server, decline.attr("to"))? {
            Whom::Person(person) => {
                let because = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                let words = format!("I do not come to {}{because}", id.room);
                let txn = self.await_outcome(stanza)?;
                // A notice, as nobody's program answers to it.
                let content = Content {
                    kind: MessageKind::Notice,
                    text: Text::plain(words.replace('\n', " ")),
                };
                let command = Command::Send {
                    txn,
                    to: Recipient::Person(person),
                    content,
                    nick: self.default_nick(),
                    relation: None,
                };
                self.submit(command, out);
            }
            Whom::User(user) => {
                let mut xml = Xml::stanza("message", stanza.to.to_bare().as_str(), user.as_str());
                xml.attr("id", &self.ctx.token());
                xml.start_ns("x", ns::MUC_USER)
                    .start("decline")
                    .attr("from", &self.bare);
                if let Some(reason) = &reason {
                    xml.leaf("reason", reason);
                }
                out.send(xml.finish());
            }
        }
        Ok(())
    }

    /// Whom an address means: a puppet, an occupant of a room, or an XMPP user who may use this gateway.
    fn whom(&self, server: &ServerId, jid: Option<&str>) -> Result<Whom, Problem> {
        if let Some(problem) = self.shut_out() {
            return Err(problem);
        }
        let jid = jid.and_then(|jid| Jid::new(jid).ok()).ok_or_else(|| {
            Problem::because(
                Condition::JidMalformed,
                "The address of the person is missing or not valid.",
            )
        })?;
        if jid.domain().as_str() != self.ctx.domain.as_str() {
            if !self.ctx.rules().access.allows(&jid.to_bare()) {
                let text = format!("{} may not use this gateway.", jid.to_bare());
                return Err(Problem::because(Condition::NotAllowed, text));
            }
            return Ok(Whom::User(jid));
        }
        let address = jid
            .node()
            .and_then(|local| self.ctx.bridge.parse(local.as_str()).ok());
        let person = match address {
            Some(Address::Person(person)) => Some(person),
            Some(Address::Room(room)) => jid.resource().and_then(|nick| {
                let (person, _) = self.rooms.get(&room)?.occupants.by_resource(nick.as_str())?;
                Some(PersonId {
                    server: room.server,
                    person: person.clone(),
                })
            }),
            _ => None,
        };
        person
            .filter(|person| person.server == *server)
            .map(Whom::Person)
            .ok_or_else(|| {
                let text = "There is nobody with that address on the server of this room.";
                Problem::because(Condition::ItemNotFound, text)
            })
    }

    /// The room that a JID of this gateway is of.
    fn room_at(&self, jid: &Jid) -> Option<RoomId> {
        let local = jid
            .node()
            .filter(|_| jid.domain().as_str() == self.ctx.domain.as_str())?;
        match self.ctx.bridge.parse(local.as_str()) {
            Ok(Address::Room(room)) => Some(room),
            _ => None,
        }
    }

    /// A command for this stanza: if it fails, that is told.
    pub(super) fn await_outcome(
        &mut self,
        stanza: &Incoming,
    ) -> Result<viaduct_bridge::TransactionId, Problem> {
        self.pending.room_for(1, self.ctx.most_pending)?;
        let txn = self.ctx.ids.txn();
        self.pending.insert(txn, Pending::Stanza(Request::of(stanza)));
        Ok(txn)
    }

    /// Somebody of the network invites the user. One stanza says it in both ways: clients know one or the other.
    pub(super) fn invited(&self, id: &RoomId, by: &Name, person: &Name, out: &mut Effects) {
        let known = self.rooms.get(id).map(|room| room.jid.clone());
        let jid = known.unwrap_or_else(|| self.ctx.jid(&Address::Room(id.clone())));
        let mut xml = Xml::stanza("message", &jid, &self.bare);
        xml.attr("id", &self.ctx.token());
        xml.leaf(
            "body",
            &format!("{} invites you to {}.", names::resource(by), id.room),
        );
        let inside = self.rooms.get(id).filter(|room| !room.joined.is_empty());
        let inviter = match inside {
            Some(room) => room.occupant_jid(by),
            None => {
                let person = PersonId {
                    server: id.server.clone(),
                    person: person.clone(),
                };
                self.ctx.jid(&Address::Person(person)).to_string()
            }
        };
        xml.start_ns("x", ns::MUC_USER)
            .start("invite")
            .attr("from", &inviter)
            .end()
            .end();
        let reason = format!("{} invites you to {}.", names::resource(by), id.room);
        xml.start_ns("x", ns::CONFERENCE)
            .attr("jid", &jid)
            .attr("reason", &reason)
            .end();
        out.send(xml.finish());
    }
}

/// The reason that an invitation or its refusal gives.
fn reason_of(element: &Element) -> Option<String> {
    let reason = element.get_child("reason", ns::MUC_USER).map(Element::text)?;
    let reason = reason.trim();
    let reason = &reason[..reason.floor_char_boundary(MOST_REASON)];
    (!reason.is_empty()).then(|| reason.to_owned())
}
