//! What owners ask of a room (XEP-0045 §10): its configuration, and its end; and its list of bans (§9.2), which the
//! network must be asked for like the configuration.
//!
//! On IRC those who configure are the operators, who are administrators here; a room there is made by entering it, so
//! it is never locked, and there is nothing to confirm: no status 201 is sent, and an instant room (§10.1.2) is one
//! already. To destroy a room (§10.9) ends it for this user, as nobody can do it for others.

use minidom::Element;
use viaduct_bridge::{Answers, Ban, Command, Name, Question, RoomId, Scope, Secret};

use super::Login;
use super::asking::Waiting;
use super::pending::{Awaiting, Request};
use super::register::Asker;
use crate::effect::Effects;
use crate::forms::{Shown, ShownField, Submission};
use crate::ns;
use crate::portal::Room;
use crate::portal::occupants::Affiliation;
use crate::stanza::{Condition, Incoming, Problem};

fn not_theirs() -> Problem {
    Problem::because(Condition::Forbidden, "Only operators of the room may do this.")
}

/// What is wanted of the list of bans of a room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BansWish {
    /// The list itself.
    List,
    /// The configuration of the room, of which it is a part.
    Form,
}

impl Login {
    /// A request of an owner.
    pub(super) fn owner_iq(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        if let Err(problem) = self.owner_request(id, stanza, out) {
            out.send_opt(stanza.error(&problem));
        }
    }

    fn owner_request(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) -> Result<(), Problem> {
        let room = self.administered(id, stanza)?;
        let Some(query) = stanza.payload() else {
            return Ok(());
        };
        if stanza.ty() == "get" {
            let waiting = Waiting::Bans(Request::of(stanza), BansWish::Form);
            self.inquire(Question::Bans(id.clone()), false, stanza, waiting, out);
            return Ok(());
        }
        if let Some(destroy) = query.get_child("destroy", ns::MUC_OWNER) {
            let destroy = (destroy.attr("jid").map(Name::from), reason_of(destroy));
            self.destroy(id, destroy, stanza, out);
            return Ok(());
        }
        let form = Submission::of(query)
            .ok_or_else(|| Problem::because(Condition::BadRequest, "The form is missing."))?;
        if form.is_cancel() {
            out.send(stanza.done());
            return Ok(());
        }
        let answers = form.answers();
        let commands = room.config_commands(&self.ctx, &answers)?;
        let own = self.own_settings(&Scope::Room(id.clone()), &answers)?;
        if commands.is_empty() {
            self.set_own(&own, out);
            out.send(stanza.done());
            return Ok(());
        }
        self.await_all(&Awaiting::Stanza(Request::of(stanza)), commands, Some(own), out)
    }

    /// The form of a room, for a command.
    pub(crate) fn settings_form_of(&self, id: &RoomId) -> Option<Shown> {
        let form = self.rooms.get(id).map(|room| room.config_form(&[]))?;
        let set = |field: &ShownField| field.ty != "fixed";
        Some(Shown {
            fields: form.fields.into_iter().filter(set).collect(),
            ..form
        })
    }

    /// Sets by a command what such a form says. Whether the network has to do something: then it answers.
    pub(crate) fn configure_room(
        &mut self,
        id: &RoomId,
        answers: &Answers,
        asker: Asker,
        out: &mut Effects,
    ) -> Result<bool, Problem> {
        let room = self
            .rooms
            .get(id)
            .filter(|_| self.chairs(id))
            .ok_or_else(not_theirs)?;
        let commands = room.config_commands(&self.ctx, answers)?;
        if commands.is_empty() {
            return Ok(false);
        }
        let done = format!("The settings of {} are changed.", id.room);
        self.await_all(&Awaiting::Command { asker, done }, commands, None, out)?;
        Ok(true)
    }

    /// Whether the user is an operator of the room.
    pub(crate) fn chairs(&self, id: &RoomId) -> bool {
        let me = self.rooms.get(id).and_then(|room| room.myself());
        me.is_some_and(|me| me.affiliation() >= Affiliation::Admin)
    }

    /// The room, if the user may configure it.
    fn administered(&self, id: &RoomId, stanza: &Incoming) -> Result<&Room, Problem> {
        let room = self
            .rooms
            .get(id)
            .filter(|room| room.joined(&stanza.resource()).is_some());
        room.filter(|_| self.chairs(id))
            .map(|room| &**room)
            .ok_or_else(not_theirs)
    }

    /// The list of bans. An operator may see it.
    pub(super) fn ban_list(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        match self.administered(id, stanza) {
            Ok(_) => {
                let waiting = Waiting::Bans(Request::of(stanza), BansWish::List);
                self.inquire(Question::Bans(id.clone()), false, stanza, waiting, out);
            }
            Err(problem) => out.send_opt(stanza.error(&problem)),
        }
    }

    /// The network has told the bans.
    pub(super) fn answer_bans(
        &self,
        id: &RoomId,
        request: &Request,
        wish: BansWish,
        bans: &[Ban],
        out: &mut Effects,
    ) {
        let Some(room) = self.rooms.get(id) else {
            let gone = Problem::because(Condition::NotAcceptable, "You are not in this room any more.");
            return out.send(request.refuse(&gone));
        };
        let mut xml = request.result();
        match wish {
            BansWish::Form => {
                xml.start_ns("query", ns::MUC_OWNER);
                let mut form = room.config_form(bans);
                form.fields.push(ShownField {
                    ty: "fixed",
                    ..ShownField::text("", "", "What follows is set for you alone:")
                });
                form.fields.extend(self.own_fields(&Scope::Room(id.clone())));
                form.write(&mut xml, "form");
            }
            BansWish::List => {
                let mut people: Vec<&Name> = bans.iter().filter_map(|ban| ban.person.as_ref()).collect();
                people.sort_unstable();
                people.dedup();
                xml.start_ns("query", ns::MUC_ADMIN);
                for person in people {
                    xml.start("item")
                        .attr("affiliation", "outcast")
                        .attr("jid", &room.puppet_jid(&self.ctx, person))
                        .end();
                }
            }
        }
        out.send(xml.finish());
    }

    /// The user ends the room for themselves.
    fn destroy(
        &mut self,
        id: &RoomId,
        (instead, reason): (Option<Name>, Option<Name>),
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        room.destroyed(instead.as_deref(), reason.as_deref(), out);
        room.refuse_waiting(
            &Problem::because(Condition::ItemNotFound, "The room was ended."),
            out,
        );
        room.let_go(out);
        out.send(stanza.done());
        if let Some(command) = room.depart(reason) {
            self.submit(command, out);
        }
        self.keep_no_more(id, out);
        self.release(&id.server, out);
    }
}

/// The password that a change sets or takes away, to be remembered when it is done.
pub(super) fn new_key(command: &Command) -> Option<(RoomId, Option<Secret>)> {
    match command {
        Command::SetRoom { room, change, .. } => Some((room.clone(), change.password.clone()?)),
        _ => None,
    }
}

fn reason_of(destroy: &Element) -> Option<Name> {
    let reason = destroy.get_child("reason", ns::MUC_OWNER).map(Element::text)?;
    (!reason.trim().is_empty()).then(|| reason.into())
}
