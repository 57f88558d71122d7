//! What a room sends about its occupants (XEP-0045 §7.2, §13).

use viaduct_bridge::{Address, Name, PersonId};

use super::Room;
use super::occupants::{Affiliation, Occupant};
use crate::context::Context;
use crate::effect::{Effects, Mark};
use crate::names;
use crate::ns;
use crate::stanza::{Incoming, Kind, Problem, write_error};
use crate::xml::{Stanza, Xml};

/// The status codes that come with a presence (XEP-0045 §15.6.2).
pub mod status {
    /// The room is non-anonymous.
    pub const NON_ANONYMOUS: &str = "100";
    /// This presence is the recipient's own.
    pub const SELF: &str = "110";
    /// The nickname was assigned or changed by the service.
    pub const NICK_ASSIGNED: &str = "210";
    /// Banned.
    pub const BANNED: &str = "301";
    /// The nickname changes.
    pub const NICK_CHANGE: &str = "303";
    /// Kicked.
    pub const KICKED: &str = "307";
    /// Removed because of a change of affiliation.
    pub const AFFILIATION: &str = "321";
    /// Removed because the service shuts down.
    pub const SHUTDOWN: &str = "332";
    /// Removed for a technical reason.
    pub const TECHNICAL: &str = "333";
}

/// Names the hat (XEP-0317) of those who are programs.
const BOT_HAT: &str = "https://ircv3.net/specs/extensions/bot-mode";
/// The most owners of a room that are told of.
const MOST_OWNERS: usize = 20;

/// What an unavailable presence says besides who is gone.
#[derive(Clone, Debug, Default)]
pub struct Parting {
    /// Status codes besides 110.
    pub codes: Vec<&'static str>,
    /// Parting words, or the reason of who removed them.
    pub reason: Option<Name>,
    /// Who removed them.
    pub actor: Option<Name>,
    /// The nickname that they go on with (303).
    pub new_nick: Option<Name>,
}

impl Room {
    /// The JID of an occupant.
    #[must_use]
    pub fn occupant_jid(&self, nick: &str) -> String {
        format!("{}/{}", self.jid, names::resource(nick))
    }

    /// The JID of the person behind an occupant.
    #[must_use]
    pub fn puppet_jid(&self, ctx: &Context, person: &str) -> Name {
        ctx.jid(&Address::Person(PersonId {
            server: self.room.server.clone(),
            person: person.into(),
        }))
    }

    /// The JIDs of those who own the room, as far as they are in it: whom to turn to (XEP-0045 §15.5).
    #[must_use]
    pub fn owners(&self, ctx: &Context) -> Vec<String> {
        let is_owner = |occupant: &Occupant| occupant.affiliation() == Affiliation::Owner;
        let mut owners: Vec<String> = self
            .occupants
            .iter()
            .filter(|(person, occupant)| is_owner(occupant) && **person != self.me)
            .map(|(person, _)| self.puppet_jid(ctx, person).to_string())
            .collect();
        owners.sort_unstable();
        owners.truncate(MOST_OWNERS);
        owners
    }

    /// The JID behind an occupant as one of the user's clients is told: its own for the user, the puppet's for
    /// everybody else. Clients find themselves among the occupants by it.
    fn real_jid(&self, ctx: &Context, person: &str, to: &str) -> Name {
        if *person == *self.me {
            to.into()
        } else {
            self.puppet_jid(ctx, person)
        }
    }

    /// An occupant is there.
    #[must_use]
    pub fn available(
        &self,
        ctx: &Context,
        person: &str,
        occupant: &Occupant,
        to: &str,
        codes: &[&str],
    ) -> Stanza {
        let mut xml = Xml::stanza("presence", &self.occupant_jid(&occupant.nick), to);
        if *person == *self.me {
            xml.raw(&self.my_payload);
        } else {
            write_away(&mut xml, occupant.away.as_deref());
            if let Some(name) = names::true_name(&occupant.nick) {
                xml.start_ns("nick", ns::NICK).text(name).end();
            }
        }
        xml.start_ns("x", ns::MUC_USER).start("item");
        xml.attr("affiliation", occupant.affiliation().name())
            .attr("role", occupant.role(self.flags.moderated))
            .attr("jid", &self.real_jid(ctx, person, to))
            .end();
        write_codes(&mut xml, codes);
        xml.end();
        self.write_occupant_id(ctx, person, Some(occupant), &mut xml);
        if occupant.bot {
            xml.start_ns("hats", ns::HATS).start("hat");
            xml.attr("uri", BOT_HAT).attr("title", "Bot").end().end();
        }
        xml.finish()
    }

    /// A client that is in the room, or its server, asks how somebody is there: the room itself answers with the
    /// user (XEP-0045 §17.3).
    pub fn probed(&self, ctx: &Context, probe: &Incoming, out: &mut Effects) {
        let resource = probe.resource();
        let asks = self.joined(&resource).is_some() || resource.is_empty() && !self.joined.is_empty();
        if !asks || !self.is_in_step() {
            return;
        }
        let person = match probe.to.resource() {
            Some(nick) => self.occupants.by_resource(nick.as_str()),
            None => self.myself().map(|me| (&self.me, me)),
        };
        if let Some((person, occupant)) = person {
            let codes: &[&str] = if *person == self.me { &[status::SELF] } else { &[] };
            out.send(self.available(ctx, person, occupant, probe.from.as_str(), codes));
        }
    }

    /// An occupant is gone.
    #[must_use]
    pub fn unavailable(
        &self,
        ctx: &Context,
        (person, occupant): (&str, &Occupant),
        to: &str,
        is_self: bool,
        parting: &Parting,
    ) -> Stanza {
        let mut xml = Xml::stanza("presence", &self.occupant_jid(&occupant.nick), to);
        xml.attr("type", "unavailable");
        let removed = parting
            .codes
            .iter()
            .any(|code| [status::KICKED, status::BANNED, status::AFFILIATION].contains(code));
        if let Some(reason) = parting.reason.as_deref().filter(|_| !removed) {
            xml.leaf("status", reason);
        }
        let banned = parting.codes.contains(&status::BANNED);
        let affiliation = if banned {
            "outcast"
        } else {
            occupant.affiliation().name()
        };
        xml.start_ns("x", ns::MUC_USER)
            .start("item")
            .attr("affiliation", affiliation);
        // One who goes on under another name keeps the role.
        let renamed = parting.new_nick.is_some();
        xml.attr(
            "role",
            if renamed {
                occupant.role(self.flags.moderated)
            } else {
                "none"
            },
        );
        xml.attr("jid", &self.real_jid(ctx, person, to));
        if let Some(nick) = &parting.new_nick {
            xml.attr("nick", &names::resource(nick));
        }
        if let Some(actor) = &parting.actor {
            xml.start("actor").attr("nick", &names::resource(actor)).end();
        }
        if let Some(reason) = parting.reason.as_deref().filter(|_| removed) {
            xml.leaf("reason", reason);
        }
        xml.end();
        write_codes(&mut xml, if is_self { &[status::SELF] } else { &[] });
        write_codes(&mut xml, &parting.codes);
        xml.end();
        self.write_occupant_id(ctx, person, Some(occupant), &mut xml);
        xml.finish()
    }

    /// Shows all joined resources how an occupant is now.
    pub fn show(&mut self, ctx: &Context, person: &Name, codes: &[&'static str], out: &mut Effects) {
        let Some(occupant) = self.occupants.get(person).cloned() else {
            return;
        };
        if self.joined.is_empty() {
            return;
        }
        self.note_change(person, false);
        self.store_change(person, out);
        let is_self = *person == self.me;
        for at in 0..self.joined.len() {
            let mut all = Vec::with_capacity(codes.len() + 1);
            if is_self {
                all.push(status::SELF);
            }
            all.extend_from_slice(codes);
            let stanza = self.available(ctx, person, &occupant, &self.joined[at].jid, &all);
            out.send_marked(
                stanza,
                Mark::Shown {
                    portal: self.id,
                    change: self.changes,
                },
            );
        }
    }

    /// Shows all joined resources that an occupant, who has been taken out already, is gone.
    pub fn show_gone(
        &mut self,
        ctx: &Context,
        person: &Name,
        occupant: &Occupant,
        parting: &Parting,
        out: &mut Effects,
    ) {
        if self.joined.is_empty() {
            return;
        }
        // Joins are stored before they are sent, leaves after they are confirmed: what is stored is never less than
        // what a client has been shown.
        self.note_change(person, true);
        let is_self = *person == self.me;
        for at in 0..self.joined.len() {
            let stanza = self.unavailable(ctx, (person, occupant), &self.joined[at].jid, is_self, parting);
            out.send_marked(
                stanza,
                Mark::Shown {
                    portal: self.id,
                    change: self.changes,
                },
            );
        }
    }

    fn note_change(&mut self, person: &Name, gone: bool) {
        self.changes += 1;
        self.unconfirmed.push_back((self.changes, person.clone(), gone));
    }

    fn write_occupant_id(&self, ctx: &Context, person: &str, occupant: Option<&Occupant>, xml: &mut Xml) {
        let id = self.occupant_id(ctx, person, occupant);
        xml.start_ns("occupant-id", ns::OCCUPANT_ID).attr("id", &id).end();
    }

    /// A presence error, as the answer to a join or a change of nickname.
    #[must_use]
    pub fn presence_error(from: &str, to: &str, id: Option<&str>, problem: &Problem) -> Stanza {
        let mut xml = Xml::stanza(Kind::Presence.name(), from, to);
        xml.attr("type", "error").attr_opt("id", id).empty("x", ns::MUC);
        write_error(&mut xml, problem);
        xml.finish()
    }

    /// Tells a resource that it is not in the room (XEP-0045 §7.2.18, §11.1).
    #[must_use]
    pub fn not_there(room: &str, nick: &str, to: &str, codes: &[&str], reason: Option<&str>) -> Stanza {
        let mut xml = Xml::stanza("presence", &format!("{room}/{}", names::resource(nick)), to);
        xml.attr("type", "unavailable");
        if let Some(reason) = reason {
            xml.leaf("status", reason);
        }
        xml.start_ns("x", ns::MUC_USER).start("item");
        xml.attr("affiliation", Affiliation::None.name())
            .attr("role", "none")
            .end();
        write_codes(&mut xml, &[status::SELF]);
        write_codes(&mut xml, codes);
        xml.finish()
    }
}

impl Room {
    /// Tells a resource that the room is no more (XEP-0045 §10.9), and perhaps which one is instead of it.
    #[must_use]
    pub fn destruction(
        room: &str,
        nick: &str,
        to: &str,
        instead: Option<&str>,
        reason: Option<&str>,
    ) -> Stanza {
        let mut xml = Xml::stanza("presence", &format!("{room}/{}", names::resource(nick)), to);
        xml.attr("type", "unavailable");
        xml.start_ns("x", ns::MUC_USER).start("item");
        xml.attr("affiliation", Affiliation::None.name())
            .attr("role", "none")
            .end();
        xml.start("destroy").attr_opt("jid", instead);
        if let Some(reason) = reason {
            xml.leaf("reason", reason);
        }
        xml.end();
        write_codes(&mut xml, &[status::SELF]);
        xml.finish()
    }
}

/// Writes that somebody is away, and why, if they are.
pub fn write_away(xml: &mut Xml, away: Option<&str>) {
    if let Some(words) = away {
        xml.leaf("show", "away");
        if !words.is_empty() {
            xml.leaf("status", words);
        }
    }
}

fn write_codes(xml: &mut Xml, codes: &[&str]) {
    for code in codes {
        xml.start("status").attr("code", code).end();
    }
}
