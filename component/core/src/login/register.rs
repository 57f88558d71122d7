//! In-band registration (XEP-0077 2.4, XEP-0100 §4.1–4.3), and the login flows behind it.

use std::collections::HashMap;

use viaduct_bridge::{Account, Answers, Command, Failure, FieldKind, Form, Step, Timestamp};

use super::Login;
use super::pending::Pending;
use super::steps::{Awaited, form_step, page_step};
use crate::effect::{Effect, Effects, FlowId};
use crate::forms::{Shown, Submission};
use crate::ns;
use crate::portal::Place;
use crate::portal::presence::status;
use crate::records::Write;
use crate::stanza::{Condition, Incoming, Kind, Problem, error};
use crate::xml::{Stanza, Xml};

/// The fields that XEP-0077 §14.1 has outside of forms.
const STANDARD: [&str; 5] = ["username", "nick", "password", "name", "email"];

/// The login flows on their way.
#[derive(Debug, Default)]
pub(super) struct Registrations {
    next: u64,
    pub(super) active: HashMap<FlowId, Asker>,
    /// The step that waits for the user, of the flow that does.
    pub(super) awaited: Option<Awaited>,
}

impl Registrations {
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }
}

/// Who waits for a login flow.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// A registration by XEP-0077: the JIDs and the id of the request.
    Iq {
        /// Who asked.
        from: String,
        /// Awaiting.
        to: String,
        /// The request's id.
        id: String,
    },
    /// An ad-hoc command's session.
    Command(String),
    /// The chat with the gateway.
    Chat,
}

impl Login {
    pub(super) fn register_iq(&mut self, stanza: &Incoming, out: &mut Effects) {
        if !self.ctx.rules().access.allows(&self.user) {
            let problem = self
                .shut_out()
                .unwrap_or_else(|| Problem::new(Condition::Forbidden));
            return out.send_opt(stanza.error(&problem));
        }
        let Some(query) = stanza.payload() else { return };
        let removes = query.has_child("remove", ns::REGISTER);
        if !removes && !self.may_register() {
            return out.send_opt(stanza.error(&self.closed()));
        }
        if stanza.ty() == "get" {
            return out.send(self.registration_form(stanza));
        }
        if removes {
            if query.children().count() > 1 {
                let text = "To unregister, send 'remove' and nothing else.";
                return out.send_opt(stanza.error(&Problem::because(Condition::BadRequest, text)));
            }
            if self.account.is_none() {
                let text = "You are not registered.";
                return out.send_opt(stanza.error(&Problem::because(Condition::RegistrationRequired, text)));
            }
            if !self.ctx.rules().allow_unregister {
                let text = format!("Only the operator of {} can take you off it.", self.ctx.domain);
                return out.send_opt(stanza.error(&Problem::because(Condition::NotAllowed, text)));
            }
            return self.unregister(Some(stanza.done()), out);
        }
        let form = Submission::of(query);
        if form.is_none() && self.account.is_some() && is_half_a_password_change(query) {
            let text = "To change the password, send 'username' and 'password'.";
            return out.send_opt(stanza.error(&Problem::because(Condition::BadRequest, text)));
        }
        if form.as_ref().is_some_and(Submission::is_cancel) {
            return out.send(stanza.done());
        }
        let given: Answers = match form {
            // Where there are both, the form wins.
            Some(form) => form
                .values
                .into_iter()
                .map(|(name, values)| (name, values.join("\n")))
                .collect(),
            None => query
                .children()
                .map(|child| (child.name().to_owned(), child.text()))
                .collect(),
        };
        let asker = Asker::Iq {
            from: stanza.from.as_str().into(),
            to: stanza.to.as_str().into(),
            id: stanza.id.clone().unwrap_or_default(),
        };
        if let Err(refused) = self.begin_login(given, asker, out) {
            let (asker, problem) = *refused;
            self.tell_asker(asker, Err(&problem), out);
        }
    }

    /// What somebody is told who would register where nobody new is taken (XEP-0077 §3.1).
    fn closed(&self) -> Problem {
        let text = format!("Registration with {} is closed.", self.ctx.domain);
        Problem::because(Condition::ServiceUnavailable, text)
    }

    fn registration_form(&self, stanza: &Incoming) -> Stanza {
        let form = self.ctx.bridge.form(self.account.as_ref());
        let mut xml = stanza.result();
        xml.start_ns("query", ns::REGISTER)
            .leaf("instructions", &form.instructions);
        if self.account.is_some() {
            xml.start("registered").end();
        }
        // Clients that know no forms are not led to believe that what they know is enough (XEP-0077 §6).
        let enough = form
            .fields
            .iter()
            .all(|field| !field.required || STANDARD.contains(&field.name));
        let standard = |field: &&viaduct_bridge::Field| enough && STANDARD.contains(&field.name);
        for field in form.fields.iter().filter(standard) {
            let value = if field.kind == FieldKind::Secret {
                ""
            } else {
                &field.value
            };
            xml.leaf(field.name, value);
        }
        let shown = Shown {
            form_type: Some(ns::REGISTER),
            ..shown(&form)
        };
        shown.write(&mut xml, "form");
        xml.finish()
    }

    /// Begins to register, or to change the registration. Fields that were left out stay as they are.
    pub(crate) fn begin_login(
        &mut self,
        given: Answers,
        asker: Asker,
        out: &mut Effects,
    ) -> Result<(), Box<(Asker, Problem)>> {
        let form = self.ctx.bridge.form(self.account.as_ref());
        let mut answers = Answers::new();
        let mut changed = self.account.is_none();
        for field in &form.fields {
            let given = given
                .get(field.name)
                .map(|value| value.trim_end_matches(['\r', '\n']));
            let value = match (given, field.kind) {
                (Some(value), FieldKind::Secret) => {
                    let on_file = self
                        .account
                        .as_ref()
                        .and_then(|account| account.secrets.get(field.name));
                    changed |= !value.is_empty() && on_file.is_none_or(|secret| secret.reveal() != value);
                    value
                }
                (Some(value), _) => {
                    changed |= value != field.value;
                    value
                }
                (None, FieldKind::Secret) => "",
                (None, _) => &field.value,
            };
            let kept = field.kind == FieldKind::Secret && self.account.is_some();
            if field.required && value.trim().is_empty() && !kept {
                let text = format!("Please fill in '{}' ({}).", field.label, field.name);
                return Err(Box::new((
                    asker,
                    Problem::because(Condition::NotAcceptable, text),
                )));
            }
            answers.insert(field.name.to_owned(), value.to_owned());
        }
        if !changed {
            self.tell_asker(asker, Ok(()), out);
            return Ok(());
        }
        self.give_up_awaited(out);
        if !self.registrations.active.is_empty() {
            let text = "Another registration of yours is being checked. Try again in a moment.";
            return Err(Box::new((
                asker,
                Problem::because(Condition::ResourceConstraint, text),
            )));
        }
        self.registrations.next += 1;
        let flow = FlowId(self.registrations.next);
        self.registrations.active.insert(flow, asker);
        out.push(Effect::Login {
            flow,
            account: self.account.clone(),
            answers,
        });
        Ok(())
    }

    pub(super) fn login_step(&mut self, now: Timestamp, flow: FlowId, step: Step, out: &mut Effects) {
        let Some(asker) = self.registrations.active.remove(&flow) else {
            return;
        };
        match step {
            Step::Done(account) => {
                let online = match &asker {
                    Asker::Iq { from, .. } => jid::Jid::new(from).ok(),
                    Asker::Command(session) => self
                        .desk
                        .owner(session)
                        .and_then(|owner| jid::Jid::new(owner).ok()),
                    Asker::Chat => None,
                };
                let before = self.account.replace(account);
                self.write_record(out);
                self.tell_asker(asker, Ok(()), out);
                self.registered(before.as_ref(), online.as_ref(), out);
            }
            Step::Failed { field, failure } => {
                let mut problem = Problem::from(&failure);
                // What may be tried again as it is says so itself.
                let passing = [Condition::RemoteServerTimeout, Condition::ResourceConstraint];
                if let Failure::Permanent { .. } = failure
                    && !passing.contains(&problem.condition)
                {
                    problem.condition = Condition::NotAcceptable;
                }
                if let (Some(field), Some(text)) = (field, problem.text.as_mut()) {
                    *text = format!("{text} ({field})");
                }
                self.tell_asker(asker, Err(&problem), out);
                out.push(Effect::EndLogin(flow));
            }
            Step::Form(form) => self.show_step(now, flow, asker, form_step(&form), out),
            Step::OpenUrl { url } => self.show_step(now, flow, asker, page_step(&url), out),
        }
    }

    /// Tells who waits for a login that nothing comes of it, and why.
    pub(super) fn refuse_asker(&mut self, asker: Asker, why: &str, out: &mut Effects) {
        let problem = Problem::because(Condition::NotAcceptable, why);
        self.tell_asker(asker, Err(&problem), out);
    }

    fn tell_asker(&mut self, asker: Asker, result: Result<(), &Problem>, out: &mut Effects) {
        match asker {
            Asker::Iq { from, to, id } => match result {
                Ok(()) => {
                    let mut xml = Xml::stanza("iq", &to, &from);
                    out.send(xml.attr("type", "result").attr("id", &id).finish());
                }
                Err(problem) => out.send(error(Kind::Iq, &to, &from, Some(&id), problem)),
            },
            waiting => {
                let result = match result {
                    Ok(()) => Ok("You are registered.".to_owned()),
                    Err(problem) => Err(problem.text.clone().unwrap_or_default()),
                };
                self.answer_command(waiting, result, out);
            }
        }
    }

    /// What follows a registration: for a new one the exchange of subscriptions and the login, for a changed one the
    /// network under the new name.
    fn registered(&mut self, before: Option<&Account>, online: Option<&jid::Jid>, out: &mut Effects) {
        if before.is_none() {
            let mut xml = Xml::stanza("presence", &self.ctx.domain, &self.bare);
            out.send(xml.attr("type", "subscribe").finish());
        }
        if before.is_some() && self.session {
            self.session = false;
            out.push(Effect::CloseSession { reason: None });
            self.servers.clear();
            self.lists.clear();
            self.profiles.clear();
            self.rejoin_all(out);
        }
        self.entry.begin_anew();
        if let Some(resource) = online.and_then(jid::Jid::resource) {
            let gateway = super::gateway_presence::GATEWAY.into();
            self.online.add(resource.as_str().into(), gateway);
        }
        if self.wants_home() {
            self.log_in(out);
        }
    }

    fn rejoin_all(&mut self, out: &mut Effects) {
        let nick = self.default_nick();
        let mut commands = Vec::new();
        for room in self
            .rooms
            .values_mut()
            .filter(|room| room.place != Place::Outside)
        {
            room.fall_out_of_step();
            room.place = Place::Entering;
            room.wish = nick.clone();
            commands.push(Command::Join {
                room: room.room.clone(),
                nick: nick.clone(),
                key: room.key.clone(),
                since: room.newest(),
            });
        }
        for command in commands {
            self.submit(command, out);
        }
    }

    /// Takes the user off the network and forgets them (XEP-0100 §4.3).
    pub(crate) fn unregister(&mut self, result: Option<Stanza>, out: &mut Effects) {
        if std::mem::take(&mut self.session) {
            out.push(Effect::CloseSession { reason: None });
        }
        // A change that is still being checked would register the user again.
        self.give_up_awaited(out);
        for (flow, asker) in std::mem::take(&mut self.registrations.active) {
            out.push(Effect::EndLogin(flow));
            self.refuse_asker(asker, "You have unregistered.", out);
        }
        while let Some(pending) = self.pending.take_one() {
            self.refuse_pending(pending, out);
        }
        for room in self.rooms.values_mut() {
            room.expel(
                &self.ctx,
                &[status::AFFILIATION],
                Some("You have unregistered."),
                out,
            );
        }
        self.rooms.clear();
        self.servers.clear();
        self.chats.clear();
        self.failed.clear();
        self.warned.clear();
        self.lists.clear();
        self.profiles.clear();
        self.online.clear();
        self.account = None;
        self.preferences = crate::records::Preferences::default();
        self.settings.clear();
        out.write(Write::ForgetLogin(self.id));
        self.recorded = false;
        self.id = self.ctx.ids.login();
        out.send_opt(result);
        self.drop_contacts(out);
        for ty in ["unsubscribe", "unsubscribed", "unavailable"] {
            out.send(
                Xml::stanza("presence", &self.ctx.domain, &self.bare)
                    .attr("type", ty)
                    .finish(),
            );
        }
    }

    fn refuse_pending(&mut self, pending: Pending, out: &mut Effects) {
        let problem = Problem::because(Condition::RegistrationRequired, "You have unregistered.");
        match pending {
            Pending::Message { record, .. } => {
                let to = format!("{}/{}", self.bare, record.resource);
                out.send(error(
                    Kind::Message,
                    &record.addressed,
                    &to,
                    record.client_id.as_deref(),
                    &problem,
                ));
            }
            Pending::Nick { request, .. }
            | Pending::Moderation { request, .. }
            | Pending::Stanza(request) => out.send(request.refuse(&problem)),
            Pending::Part { whom, rest, .. } => {
                for other in &rest {
                    self.pending.remove(other);
                }
                self.tell_refused(whom, &problem, out);
            }
            Pending::Asked { asker, .. } | Pending::SignUp { asker, .. } => {
                let text = problem.text.unwrap_or_default();
                self.answer_command(asker, Err(text), out);
            }
            Pending::Question(inquiry) => self.refuse_inquiry(*inquiry, &problem, out),
        }
    }
}

/// Whether a request to change the password (XEP-0077 §3.3) lacks one of its two parts.
fn is_half_a_password_change(query: &minidom::Element) -> bool {
    let parts = ["username", "password"];
    let others = query.children().any(|child| !parts.contains(&child.name()));
    let whole = parts.iter().all(|part| query.has_child(part, ns::REGISTER));
    !others && !whole
}

/// A bridge's form as a data form.
pub(crate) fn shown(form: &Form) -> Shown {
    Shown {
        title: form.title.clone(),
        instructions: form.instructions.clone(),
        form_type: None,
        fields: form.fields.iter().map(Into::into).collect(),
    }
}
