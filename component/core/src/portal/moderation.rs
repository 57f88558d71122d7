//! What moderators and administrators ask for (XEP-0045 §8, §9): checked against what is known here, then done on
//! the network first.

use jid::BareJid;
use minidom::Element;
use viaduct_bridge::{Command, Name, PersonId, Rank, Refusal};

use super::Room;
use super::occupants::{Affiliation, Occupant};
use crate::context::Context;
use crate::names;
use crate::ns;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::Stanza;

/// What one `<item/>` asks for, or why not.
type Asked = Result<Vec<Command>, Problem>;

impl Room {
    /// Reads the request of `user`, whose room this is, to change roles or affiliations.
    ///
    /// # Errors
    /// With the reason when any item of it cannot be done: then none is.
    pub fn admin_commands(&self, ctx: &Context, user: &BareJid, query: &Element) -> Asked {
        let me = self.myself().ok_or_else(|| not_in_room("Join the room first."))?;
        let items: Vec<&Element> = query
            .children()
            .filter(|item| item.is("item", ns::MUC_ADMIN))
            .collect();
        if items.is_empty() || items.len() > 50 {
            return Err(Problem::because(
                Condition::BadRequest,
                "Between one and fifty items are expected.",
            ));
        }
        let mut commands = Vec::new();
        for item in items {
            let reason = item
                .get_child("reason", ns::MUC_ADMIN)
                .map(Element::text)
                .filter(|text| !text.is_empty());
            let reason = reason.map(Name::from);
            match (item.attr("role"), item.attr("affiliation")) {
                (Some(role), None) => commands.extend(self.change_role(ctx, me, item, role, reason)?),
                (None, Some(affiliation)) => {
                    let person = self.person_of(ctx, user, item)?;
                    commands.extend(self.change_affiliation(ctx, me, person, affiliation, reason)?);
                }
                _ => {
                    let text = "An item changes either a role or an affiliation.";
                    return Err(Problem::because(Condition::BadRequest, text));
                }
            }
        }
        Ok(commands)
    }

    fn change_role(
        &self,
        ctx: &Context,
        me: &Occupant,
        item: &Element,
        role: &str,
        reason: Option<Name>,
    ) -> Asked {
        if me.role(self.flags.moderated) != "moderator" {
            return Err(Problem::because(
                Condition::Forbidden,
                "Only moderators may do this.",
            ));
        }
        let nick = item.attr("nick").ok_or_else(|| {
            Problem::because(Condition::BadRequest, "The nickname of the person is missing.")
        })?;
        let (person, target) = self.target(nick)?;
        let txn = ctx.ids.txn();
        let room = self.room.clone();
        let mine = me.affiliation();
        let theirs = target.affiliation();
        let above = |text: &str| Problem::because(Condition::NotAllowed, text);
        match role {
            "none" => {
                if *person == self.me {
                    return Err(Problem::because(
                        Condition::Conflict,
                        "To go yourself, leave the room.",
                    ));
                }
                if theirs > mine {
                    return Err(above("This person stands above you in this room."));
                }
                Ok(vec![Command::Kick {
                    txn,
                    room,
                    person: person.clone(),
                    reason,
                }])
            }
            "visitor" => {
                if theirs >= Affiliation::Admin {
                    return Err(above("The voice of an administrator or owner cannot be taken."));
                }
                if level(target.rank) >= level(me.rank) {
                    return Err(above("This person does not stand below you in this room."));
                }
                let (grant, revoke) = (Rank::NONE, Rank::VOICE.with(Rank::HALF_OPERATOR));
                Ok(vec![Command::SetRank {
                    txn,
                    room,
                    person: person.clone(),
                    grant,
                    revoke: held(target, revoke),
                }])
            }
            "participant" => {
                let protected = Rank::OWNER.with(Rank::ADMIN);
                if target.rank.without(protected) != target.rank || theirs > mine {
                    return Err(above("This person stands above you in this room."));
                }
                let revoke = held(target, Rank::OPERATOR.with(Rank::HALF_OPERATOR));
                let grant = if self.flags.moderated {
                    Rank::VOICE.without(target.rank)
                } else {
                    Rank::NONE
                };
                let grant = if revoke.is_empty() {
                    Rank::VOICE.without(target.rank)
                } else {
                    grant
                };
                Ok(vec![Command::SetRank {
                    txn,
                    room,
                    person: person.clone(),
                    grant,
                    revoke,
                }])
            }
            "moderator" => {
                let (grant, revoke) = (Rank::OPERATOR.without(target.rank), Rank::NONE);
                Ok(vec![Command::SetRank {
                    txn,
                    room,
                    person: person.clone(),
                    grant,
                    revoke,
                }])
            }
            _ => Err(Problem::because(
                Condition::BadRequest,
                format!("There is no role '{role}'."),
            )),
        }
    }

    fn change_affiliation(
        &self,
        ctx: &Context,
        me: &Occupant,
        person: Name,
        affiliation: &str,
        reason: Option<Name>,
    ) -> Asked {
        let mine = me.affiliation();
        if mine < Affiliation::Admin {
            return Err(Problem::because(
                Condition::Forbidden,
                "Only administrators of the room may do this.",
            ));
        }
        let target = self.occupants.get(&person);
        let theirs = target.map_or(Affiliation::None, Occupant::affiliation);
        if theirs > mine {
            return Err(Problem::because(
                Condition::NotAllowed,
                "This person stands above you in this room.",
            ));
        }
        let room = self.room.clone();
        let txn = ctx.ids.txn();
        if affiliation == "outcast" {
            if person == self.me {
                return Err(Problem::because(Condition::Conflict, "You cannot ban yourself."));
            }
            let ban = Command::SetBan {
                txn,
                room: room.clone(),
                person: person.clone(),
                banned: true,
                reason: reason.clone(),
            };
            let kick = || Command::Kick {
                txn: ctx.ids.txn(),
                room,
                person: person.clone(),
                reason,
            };
            return Ok(std::iter::once(ban).chain(target.is_some().then(kick)).collect());
        }
        let all = Rank::OWNER
            .with(Rank::ADMIN)
            .with(Rank::OPERATOR)
            .with(Rank::HALF_OPERATOR)
            .with(Rank::VOICE);
        let wanted = match affiliation {
            "owner" => Rank::OWNER,
            "admin" => Rank::OPERATOR,
            "member" => Rank::VOICE,
            "none" => Rank::NONE,
            _ => {
                let text = format!("There is no affiliation '{affiliation}'.");
                return Err(Problem::because(Condition::BadRequest, text));
            }
        };
        let Some(target) = target else {
            if affiliation == "none" {
                return Ok(vec![Command::SetBan {
                    txn,
                    room,
                    person,
                    banned: false,
                    reason,
                }]);
            }
            let text = "On this network only somebody who is in the room can be given rights.";
            return Err(Problem::because(Condition::ItemNotFound, text));
        };
        let owners = || {
            self.occupants
                .iter()
                .filter(|(_, it)| it.affiliation() == Affiliation::Owner)
        };
        if person == self.me && mine == Affiliation::Owner && affiliation != "owner" && owners().count() == 1
        {
            let text = "You are the last owner of this room.";
            return Err(Problem::because(Condition::Conflict, text));
        }
        let revoke = held(target, all.without(wanted));
        Ok(vec![Command::SetRank {
            txn,
            room,
            person,
            grant: wanted.without(target.rank),
            revoke,
        }])
    }

    /// The person that an affiliation item names, by the puppet's JID, by nickname, or by the user's own address.
    fn person_of(&self, ctx: &Context, user: &BareJid, item: &Element) -> Result<Name, Problem> {
        if let Some(nick) = item.attr("nick").filter(|_| item.attr("jid").is_none()) {
            return self.target(nick).map(|(person, _)| person.clone());
        }
        let not_found = || {
            Problem::because(
                Condition::ItemNotFound,
                "Nobody on this network has that address.",
            )
        };
        let jid = item
            .attr("jid")
            .and_then(|jid| jid::Jid::new(jid).ok())
            .ok_or_else(|| {
                Problem::because(
                    Condition::JidMalformed,
                    "The address of the person is missing or not valid.",
                )
            })?;
        if jid.to_bare() == *user {
            return Ok(self.me.clone());
        }
        let local = jid
            .node()
            .filter(|_| jid.domain().as_str() == ctx.domain.as_str())
            .ok_or_else(not_found)?;
        match ctx.bridge.parse(local.as_str()) {
            Ok(viaduct_bridge::Address::Person(PersonId { server, person }))
                if server == self.room.server =>
            {
                Ok(person)
            }
            _ => Err(not_found()),
        }
    }

    fn target(&self, nick: &str) -> Result<(&Name, &Occupant), Problem> {
        self.occupants.by_resource(nick).ok_or_else(|| {
            Problem::because(
                Condition::ItemNotFound,
                format!("There is no '{nick}' in this room."),
            )
        })
    }

    /// The people of one role or affiliation (XEP-0045 §8.3, §9.3).
    ///
    /// # Errors
    /// With the reason when the user may not see them or there is no such list.
    pub fn admin_list(&self, ctx: &Context, request: &Incoming, query: &Element) -> Result<Stanza, Problem> {
        let me = self.myself().ok_or_else(|| not_in_room("Join the room first."))?;
        let item = query.get_child("item", ns::MUC_ADMIN);
        let (role, affiliation) = (
            item.and_then(|i| i.attr("role")),
            item.and_then(|i| i.attr("affiliation")),
        );
        match (role, affiliation) {
            (Some("moderator" | "participant" | "visitor"), None)
                if me.role(self.flags.moderated) != "moderator" =>
            {
                return Err(Problem::because(
                    Condition::Forbidden,
                    "Only moderators may see this list.",
                ));
            }
            (Some("moderator" | "participant" | "visitor"), None) => {}
            (None, Some("owner" | "admin" | "member")) if me.affiliation() < Affiliation::Admin => {
                return Err(Problem::because(
                    Condition::Forbidden,
                    "Only administrators may see this list.",
                ));
            }
            (None, Some("owner" | "admin" | "member")) => {}
            _ => {
                return Err(Problem::because(
                    Condition::BadRequest,
                    "Ask for one role or one affiliation.",
                ));
            }
        }
        let mut xml = request.result();
        xml.start_ns("query", ns::MUC_ADMIN);
        let moderated = self.flags.moderated;
        let chosen = self.occupants.iter().filter(|(_, occupant)| {
            role.is_some_and(|role| occupant.role(moderated) == role)
                || affiliation.is_some_and(|affiliation| occupant.affiliation().name() == affiliation)
        });
        for (person, occupant) in chosen {
            xml.start("item")
                .attr("affiliation", occupant.affiliation().name());
            // Clients find themselves in the list by their own address.
            let jid = if *person == self.me {
                request.from.to_bare().as_str().into()
            } else {
                self.puppet_jid(ctx, person)
            };
            xml.attr("jid", &jid)
                .attr("nick", &names::resource(&occupant.nick));
            if role.is_some() {
                xml.attr("role", occupant.role(moderated));
            }
            xml.end();
        }
        let has_owner = || {
            self.occupants
                .iter()
                .any(|(_, it)| it.affiliation() == Affiliation::Owner)
        };
        if affiliation == Some("owner") && !has_owner() {
            // Every room has an owner; where the network names none, it is who keeps the room for XMPP.
            xml.start("item")
                .attr("affiliation", "owner")
                .attr("jid", &ctx.domain)
                .end();
        }
        Ok(xml.finish())
    }
}

/// Only what somebody has can be taken.
fn held(target: &Occupant, rank: Rank) -> Rank {
    rank.without(rank.without(target.rank))
}

/// How high a rank stands: the flags are in the order of their power.
fn level(rank: Rank) -> u32 {
    u8::BITS - rank.bits().leading_zeros()
}

fn not_in_room(text: &str) -> Problem {
    Problem::from(&viaduct_bridge::Failure::refused(Refusal::NotInRoom, text))
}
