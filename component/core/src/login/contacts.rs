//! People whose presence the user has subscribed to (XEP-0100 §4.6, RFC 6121 §3 and §4), and what they are shown of
//! them.
//!
//! What is known comes from the rooms that the user is in and, rooms or not, from the network, which is asked to tell of
//! them ([`Command::Watch`]) as long as the user is connected; nothing is connected for that alone. Presence comes from
//! the puppet's bare JID to the user's, and only when it is another one than the last time.

use std::collections::HashSet;

use viaduct_bridge::{
    Address, Command, Departure, Level, Member, Name, PersonEvent, PersonId, RoomEvent, RoomId, ServerEvent,
    ServerId,
};

use super::Login;
use super::servers::Link;
use crate::effect::Effects;
use crate::portal::Place;
use crate::portal::presence::write_away;
use crate::records::Write;
use crate::stanza::Incoming;
use crate::xml::{Stanza, Xml};

/// The most people that one user subscribes to.
const MOST_CONTACTS: usize = 1000;

/// Somebody whose presence the user has subscribed to.
#[derive(Debug)]
pub(crate) struct Contact {
    /// The localpart of the puppet, as the user subscribed to it.
    local: Name,
    /// Whether they are on the network, as far as the network has told.
    online: Option<bool>,
    /// Why they are away, if they are.
    away: Option<Name>,
    /// What the user was shown last.
    shown: Option<Shown>,
}

/// What is shown of a person.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Shown {
    Gone,
    Here { away: Option<Name> },
}

impl Contact {
    fn new(local: Name) -> Self {
        Self {
            local,
            online: None,
            away: None,
            shown: None,
        }
    }

    fn seen(&mut self, online: bool) {
        self.online = Some(online);
        if !online {
            self.away = None;
        }
    }
}

/// Whom an event of the network may be about.
pub(super) enum Concerns {
    Nobody,
    /// These, who are contacts.
    People(Vec<PersonId>),
    All(ServerId),
}

impl Login {
    /// The contacts on record.
    pub(super) fn restore_contacts(&mut self, locals: Vec<Name>) {
        for local in locals {
            if let Ok(Address::Person(person)) = self.ctx.bridge.parse(&local) {
                self.contacts.insert(person, Contact::new(local));
            }
        }
    }

    /// Presence of the user for one person.
    pub(super) fn person_presence(&mut self, person: &PersonId, stanza: &Incoming, out: &mut Effects) {
        let jid = stanza.to.to_bare();
        match stanza.ty() {
            "" => {
                self.available(stanza.resource(), jid.as_str().into(), out);
                self.show_away(stanza, out);
            }
            // That one person is shown nothing any more does not end the session.
            "unavailable" => self.unavailable(&stanza.resource(), jid.as_str(), out),
            "subscribe" => self.subscribe_to(person, stanza, out),
            "unsubscribe" => self.unsubscribe_from(person, stanza, out),
            "probe" if self.contacts.contains_key(person) => self.show_contact(person, true, out),
            // Nobody who was not asked shows themselves (RFC 6121 §4.3.2).
            "probe" => out.send(self.presence_from(jid.as_str(), "unsubscribed")),
            _ => {}
        }
    }

    fn presence_from(&self, jid: &str, ty: &str) -> Stanza {
        Xml::stanza("presence", jid, &self.bare).attr("type", ty).finish()
    }

    /// The network asks nobody whether they agree to be seen, so the gateway agrees (XEP-0100 §4.6.1).
    fn subscribe_to(&mut self, person: &PersonId, stanza: &Incoming, out: &mut Effects) {
        let jid = stanza.to.to_bare();
        let known = self.contacts.contains_key(person);
        let full = !known && self.contacts.len() >= MOST_CONTACTS;
        let refusal = match self.shut_out() {
            Some(problem) => problem.text,
            None => full.then(|| format!("You have {MOST_CONTACTS} contacts here. There cannot be more.")),
        };
        if let Some(text) = refusal {
            out.send(self.presence_from(jid.as_str(), "unsubscribed"));
            return self.say(&text, out);
        }
        let local: Name = jid.node().map_or("", |node| node.as_str()).into();
        if !known {
            self.ensure_recorded(out);
            out.write(Write::Contact {
                login: self.id,
                local: local.clone(),
            });
            self.contacts.insert(person.clone(), Contact::new(local));
        }
        out.send(self.presence_from(jid.as_str(), "subscribed"));
        if !known {
            self.watch(person, out);
        }
        self.show_contact(person, known, out);
    }

    fn unsubscribe_from(&mut self, person: &PersonId, stanza: &Incoming, out: &mut Effects) {
        let jid = stanza.to.to_bare();
        if let Some(contact) = self.contacts.remove(person) {
            out.write(Write::ForgetContact {
                login: self.id,
                local: contact.local,
            });
            if self.is_watching(&person.server) {
                let person = person.clone();
                self.submit(Command::Unwatch { person }, out);
            }
        }
        for ty in ["unsubscribed", "unavailable"] {
            out.send(self.presence_from(jid.as_str(), ty));
        }
    }

    /// Whether the network tells of people on this server.
    fn is_watching(&self, server: &ServerId) -> bool {
        let online = self.servers.get(server).map(|server| &server.link);
        matches!(online, Some(Link::Online { .. })) && self.ctx.bridge.capabilities().watch != Level::Rejected
    }

    fn watch(&mut self, person: &PersonId, out: &mut Effects) {
        if self.is_watching(&person.server) {
            let person = person.clone();
            self.submit(Command::Watch { person }, out);
        }
    }

    /// The user is connected to a server: the network is asked to tell of the contacts there. Names may be folded in
    /// another way than before, now that the server has said how.
    pub(super) fn watch_all(&mut self, server: &ServerId, out: &mut Effects) {
        let here: Vec<PersonId> = self.contacts_on(server);
        for person in here {
            let Some(mut contact) = self.contacts.remove(&person) else {
                continue;
            };
            (contact.online, contact.away) = (None, None);
            let person = match self.ctx.bridge.parse(&contact.local) {
                Ok(Address::Person(now)) => now,
                _ => person,
            };
            self.watch(&person, out);
            self.contacts.insert(person, contact);
        }
    }

    fn contacts_on(&self, server: &ServerId) -> Vec<PersonId> {
        let here = self.contacts.keys().filter(|person| person.server == *server);
        here.cloned().collect()
    }

    /// The user has unregistered: nobody shows themselves any more.
    pub(super) fn drop_contacts(&mut self, out: &mut Effects) {
        for contact in std::mem::take(&mut self.contacts).into_values() {
            let jid = format!("{}@{}", contact.local, self.ctx.domain);
            for ty in ["unsubscribed", "unavailable"] {
                out.send(self.presence_from(&jid, ty));
            }
        }
    }

    /// Takes what an event tells of contacts, before it is handled; gives whom it may be about.
    pub(super) fn concerns(&mut self, event: &viaduct_bridge::RemoteEvent) -> Concerns {
        use viaduct_bridge::RemoteEvent::{Outcome, Person, Room, Server};
        if self.contacts.is_empty() {
            return Concerns::Nobody;
        }
        match event {
            Server {
                event: ServerEvent::Notice { .. } | ServerEvent::Invited { .. },
                ..
            } => Concerns::Nobody,
            Server { server, .. } => Concerns::All(server.clone()),
            Room { room, event } => {
                let (person, there) = match event {
                    RoomEvent::Joined { members, .. } => {
                        let mut person = PersonId {
                            server: room.server.clone(),
                            person: "".into(),
                        };
                        for member in members {
                            person.person = member.person.clone();
                            if let Some(contact) = self.contacts.get_mut(&person) {
                                contact.seen(true);
                            }
                        }
                        return Concerns::People(self.contacts_in(room, members));
                    }
                    RoomEvent::Left { .. } | RoomEvent::Refused { .. } => {
                        return Concerns::All(room.server.clone());
                    }
                    RoomEvent::MemberJoined(member) => (&member.person, true),
                    RoomEvent::MemberLeft { person, how, .. } => (person, *how != Departure::Lost),
                    _ => return Concerns::Nobody,
                };
                let person = PersonId {
                    server: room.server.clone(),
                    person: person.clone(),
                };
                match self.contacts.get_mut(&person) {
                    Some(contact) => {
                        contact.seen(there);
                        Concerns::People(vec![person])
                    }
                    None => Concerns::Nobody,
                }
            }
            Person { person, event } => self.tell_contact(person, event),
            Outcome { .. } => Concerns::Nobody,
        }
    }

    /// The contacts who are in a room as it is told anew, or were in it as it was known before.
    fn contacts_in(&self, room: &RoomId, members: &[Member]) -> Vec<PersonId> {
        let before = self.rooms.get(room);
        let now: HashSet<&Name> = members.iter().map(|member| &member.person).collect();
        let is_in = |person: &&PersonId| {
            person.server == room.server
                && (now.contains(&person.person)
                    || before.is_some_and(|room| room.occupants.get(&person.person).is_some()))
        };
        self.contacts.keys().filter(is_in).cloned().collect()
    }

    fn tell_contact(&mut self, person: &PersonId, event: &PersonEvent) -> Concerns {
        if let PersonEvent::Renamed { to, .. } = event {
            let to = PersonId {
                server: person.server.clone(),
                person: to.clone(),
            };
            let before = self.contacts.get_mut(person).map(|contact| {
                let away = contact.away.clone();
                contact.seen(to == *person);
                away
            });
            if let Some(contact) = self.contacts.get_mut(&to) {
                contact.seen(true);
                contact.away = before.flatten();
            }
            let mut named = vec![person.clone(), to];
            named.retain(|person| self.contacts.contains_key(person));
            return Concerns::People(named);
        }
        let Some(contact) = self.contacts.get_mut(person) else {
            return Concerns::Nobody;
        };
        match event {
            PersonEvent::Online { .. } => contact.seen(true),
            PersonEvent::Offline | PersonEvent::Gone { .. } => contact.seen(false),
            // Words that are known are better than none.
            PersonEvent::Away { text: Some(text) } if text.is_empty() => {
                contact.away.get_or_insert_with(|| text.clone());
            }
            PersonEvent::Away { text } => contact.away.clone_from(text),
            PersonEvent::Message(_)
            | PersonEvent::Reaction(_)
            | PersonEvent::Retraction(_)
            | PersonEvent::Typing(_)
            | PersonEvent::Account { .. }
            | PersonEvent::Bot
            | PersonEvent::Renamed { .. } => return Concerns::Nobody,
        }
        Concerns::People(vec![person.clone()])
    }

    /// Shows what has changed by an event.
    pub(super) fn show_concerned(&mut self, concerns: Concerns, out: &mut Effects) {
        match concerns {
            Concerns::Nobody => {}
            Concerns::People(people) => {
                for person in people {
                    self.show_contact(&person, false, out);
                }
            }
            Concerns::All(server) => {
                for person in self.contacts_on(&server) {
                    self.show_contact(&person, false, out);
                }
            }
        }
    }

    /// The link is gone, and what went last may be lost: all are shown again when there is a new one.
    pub(super) fn forget_shown_contacts(&mut self) {
        for contact in self.contacts.values_mut() {
            contact.shown = None;
        }
    }

    /// Shows what has changed of any contact.
    pub(super) fn show_contacts(&mut self, out: &mut Effects) {
        let all: Vec<PersonId> = self.contacts.keys().cloned().collect();
        for person in all {
            self.show_contact(&person, false, out);
        }
    }

    /// Shows how a contact is, if that is known and another presence than the last one; or in any case.
    fn show_contact(&mut self, person: &PersonId, in_any_case: bool, out: &mut Effects) {
        if !self.attached {
            return;
        }
        let now = self.known_of(person);
        let Some(contact) = self.contacts.get_mut(person) else {
            return;
        };
        let now = match now {
            Some(now) => now,
            None if in_any_case => contact.shown.clone().unwrap_or(Shown::Gone),
            None => return,
        };
        if !in_any_case && contact.shown.as_ref() == Some(&now) {
            return;
        }
        let jid = format!("{}@{}", contact.local, self.ctx.domain);
        contact.shown = Some(now.clone());
        let mut xml = Xml::stanza("presence", &jid, &self.bare);
        match &now {
            Shown::Gone => {
                xml.attr("type", "unavailable");
            }
            Shown::Here { away } => write_away(&mut xml, away.as_deref()),
        }
        out.send(xml.finish());
    }

    /// What is known of a person; `None` while the network has not told yet.
    fn known_of(&self, person: &PersonId) -> Option<Shown> {
        let mut rooms = self.rooms.values();
        let seen = rooms.find_map(|room| {
            let inside = room.room.server == person.server && room.place == Place::Inside;
            room.occupants.get(&person.person).filter(|_| inside)
        });
        if let Some(occupant) = seen {
            let away = occupant.away.clone();
            return Some(Shown::Here { away });
        }
        let contact = self.contacts.get(person)?;
        match self.servers.get(&person.server).map(|server| &server.link) {
            Some(Link::Idle | Link::Connecting) => None,
            Some(Link::Online { .. }) => match contact.online {
                Some(true) => {
                    let away = contact.away.clone();
                    Some(Shown::Here { away })
                }
                Some(false) => Some(Shown::Gone),
                None if self.is_watching(&person.server) => None,
                None => Some(Shown::Gone),
            },
            Some(Link::Offline { .. } | Link::Failed { .. }) | None => Some(Shown::Gone),
        }
    }
}
