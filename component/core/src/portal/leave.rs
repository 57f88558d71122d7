//! Somebody goes (XEP-0045 §7.14), or is taken out.

use viaduct_bridge::{Command, Departure, Name};

use super::presence::{Parting, status};
use super::{Place, Room};
use crate::context::Context;
use crate::effect::Effects;
use crate::records::Write;
use crate::stanza::{Condition, Problem};

impl Room {
    /// A resource goes by its own will. `removed` if not it but a command asked for that: clients close a room that they
    /// did not leave themselves only if they are told that they were removed. Returns whether it was the last.
    pub fn leave(
        &mut self,
        ctx: &Context,
        resource: &str,
        (words, removed): (Option<Name>, bool),
        out: &mut Effects,
    ) -> bool {
        self.waiting
            .retain(|waiting| waiting.resource.as_str() != resource);
        if let Some(at) = self
            .joined
            .iter()
            .position(|joined| joined.resource.as_str() == resource)
        {
            let joined = self.joined.remove(at);
            out.write(Write::Left {
                portal: self.id,
                resource: joined.resource.clone(),
            });
            let codes: &[&str] = if removed { &[status::KICKED] } else { &[] };
            let parting = Parting {
                codes: codes.to_vec(),
                reason: words.or_else(|| removed.then(|| "You left with the command 'leave'.".into())),
                ..Parting::default()
            };
            match self.myself() {
                Some(me) => out.send(self.unavailable(ctx, (&self.me, me), &joined.jid, true, &parting)),
                None => out.send(Self::not_there(&self.jid, &joined.nick, &joined.jid, codes, None)),
            }
        }
        self.is_unused()
    }

    /// A resource is gone without a word (its server bounced what we sent, XEP-0045 §18.1.2). Returns whether it was
    /// there at all.
    pub fn lose(&mut self, resource: &str, out: &mut Effects) -> bool {
        let Some(at) = self
            .joined
            .iter()
            .position(|joined| joined.resource.as_str() == resource)
        else {
            return false;
        };
        let joined = self.joined.remove(at);
        out.write(Write::Left {
            portal: self.id,
            resource: joined.resource,
        });
        let reason = Some("Your client could not be reached.");
        out.send(Self::not_there(
            &self.jid,
            &joined.nick,
            &joined.jid,
            &[status::TECHNICAL],
            reason,
        ));
        true
    }

    /// Leaves the room on the network.
    pub fn depart(&mut self, words: Option<Name>) -> Option<Command> {
        if self.place == Place::Outside {
            return None;
        }
        self.place = Place::Outside;
        self.occupants = super::occupants::Occupants::default();
        Some(Command::Leave {
            room: self.room.clone(),
            reason: words,
        })
    }

    /// The network has taken the user out.
    pub fn removed(&mut self, ctx: &Context, how: &Departure, reason: Option<Name>, out: &mut Effects) {
        let (code, actor) = match how {
            Departure::Left => (None, None),
            Departure::Kicked { by } => (Some(status::KICKED), by.clone()),
            Departure::Banned { by } => (Some(status::BANNED), by.clone()),
            // The bridge comes back by itself; until then the clients stay in.
            Departure::Lost => {
                if self.place == Place::Inside {
                    self.fall_out_of_step();
                    self.place = Place::Entering;
                }
                return;
            }
        };
        if self.place != Place::Inside {
            return;
        }
        self.place = Place::Outside;
        self.let_go(out);
        let me = self.myself().cloned();
        let parting = Parting {
            codes: code.into_iter().collect(),
            reason,
            actor,
            new_nick: None,
        };
        for joined in std::mem::take(&mut self.joined) {
            out.write(Write::Left {
                portal: self.id,
                resource: joined.resource.clone(),
            });
            match &me {
                Some(me) => out.send(self.unavailable(ctx, (&self.me, me), &joined.jid, true, &parting)),
                None => out.send(Self::not_there(
                    &self.jid,
                    &joined.nick,
                    &joined.jid,
                    &parting.codes,
                    None,
                )),
            }
        }
        self.occupants = super::occupants::Occupants::default();
    }

    /// The room has ended for the user (XEP-0045 §10.9): everybody is out, and told where to go instead.
    pub fn destroyed(&mut self, instead: Option<&str>, reason: Option<&str>, out: &mut Effects) {
        for joined in std::mem::take(&mut self.joined) {
            out.write(Write::Left {
                portal: self.id,
                resource: joined.resource.clone(),
            });
            out.send(Self::destruction(
                &self.jid,
                &joined.nick,
                &joined.jid,
                instead,
                reason,
            ));
        }
        self.shown = None;
        self.unconfirmed.clear();
    }

    /// Takes out everybody who believes to be in, and refuses who waits.
    pub fn expel(&mut self, ctx: &Context, codes: &[&'static str], reason: Option<&str>, out: &mut Effects) {
        let text = reason.unwrap_or("The room was left meanwhile.");
        self.refuse_waiting(&Problem::because(Condition::ServiceUnavailable, text), out);
        let me = self.myself().cloned();
        for joined in std::mem::take(&mut self.joined) {
            out.write(Write::Left {
                portal: self.id,
                resource: joined.resource.clone(),
            });
            let parting = Parting {
                codes: codes.to_vec(),
                reason: reason.map(Name::from),
                ..Parting::default()
            };
            match &me {
                Some(me) => out.send(self.unavailable(ctx, (&self.me, me), &joined.jid, true, &parting)),
                None => out.send(Self::not_there(
                    &self.jid,
                    &joined.nick,
                    &joined.jid,
                    codes,
                    reason,
                )),
            }
        }
        self.shown = None;
        self.unconfirmed.clear();
    }
}
