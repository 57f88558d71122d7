//! The further steps of a login: forms, pages to open and codes to read, one after the other, until the network is
//! content. The ad-hoc command shows them as stages (XEP-0050 §3.4), the chat as messages that are answered with
//! `answer`; XEP-0077 has one form and says where to find the rest.
//!
//! One login of a user waits for them at a time. Who begins anew, cancels or stays away ends it.

use viaduct_bridge::{Answers, Form, Timestamp};

use super::Login;
use super::register::{Asker, shown};
use crate::command::SESSION;
use crate::effect::{Effect, Effects, FlowId, Timer};
use crate::forms::{Shown, ShownField};

/// The type of a field that is read and not filled in (XEP-0004 §3.3).
const FIXED: &str = "fixed";

/// A step that waits for its user.
#[derive(Debug)]
pub(super) struct Awaited {
    flow: FlowId,
    form: Shown,
    /// When it is given up, if it was shown in the chat; a command has a session that says so.
    until: Timestamp,
}

/// A form as a step.
pub(super) fn form_step(form: &Form) -> Shown {
    shown(form)
}

/// A page to open as a step. The address is in a field, which clients make a link of.
pub(super) fn page_step(url: &str) -> Shown {
    Shown {
        title: "Open a web page".into(),
        instructions: "Open this page, do what it says, and come back here to go on.".into(),
        form_type: None,
        fields: vec![ShownField {
            ty: FIXED,
            ..ShownField::text("url", "Page", url)
        }],
    }
}

impl Login {
    /// Shows a further step to who waits for it. Where nobody can be shown one, the login ends.
    pub(super) fn show_step(
        &mut self,
        now: Timestamp,
        flow: FlowId,
        asker: Asker,
        form: Shown,
        out: &mut Effects,
    ) {
        let there = match &asker {
            Asker::Iq { .. } => {
                let command =
                    "This login needs more steps than this client showed. Use the command 'register'.";
                self.refuse_asker(asker, command, out);
                return out.push(Effect::EndLogin(flow));
            }
            Asker::Command(session) => self.show_login_stage(session, &form, out),
            Asker::Chat => {
                self.say(&in_words(&form), out);
                true
            }
        };
        if !there {
            // The session has ended meanwhile, and nobody else can go on with the login.
            return out.push(Effect::EndLogin(flow));
        }
        let wait = i64::try_from(SESSION.as_micros()).unwrap_or(i64::MAX);
        self.registrations.active.insert(flow, asker);
        self.registrations.awaited = Some(Awaited {
            flow,
            form,
            until: Timestamp(now.0.saturating_add(wait)),
        });
        out.push(Effect::SetTimer {
            timer: Timer::Commands,
            after: SESSION,
        });
    }

    /// The login that a command's session is about, if one is on its way.
    pub(crate) fn flow_of_session(&self, session: &str) -> Option<FlowId> {
        let of = |asker: &Asker| matches!(asker, Asker::Command(id) if id == session);
        let active = &self.registrations.active;
        active.iter().find_map(|(flow, asker)| of(asker).then_some(*flow))
    }

    /// The login that was begun in the chat, if one is on its way.
    pub(crate) fn flow_of_chat(&self) -> Option<FlowId> {
        let active = &self.registrations.active;
        active
            .iter()
            .find_map(|(flow, asker)| matches!(asker, Asker::Chat).then_some(*flow))
    }

    /// The step at which a login waits for its user; none while the network is asked.
    pub(crate) fn awaited_step(&self, flow: FlowId) -> Option<&Shown> {
        let awaited = self.registrations.awaited.as_ref();
        awaited
            .filter(|awaited| awaited.flow == flow)
            .map(|awaited| &awaited.form)
    }

    /// Gives the user's answers to the step at which a login waits.
    pub(crate) fn answer_step(&mut self, flow: FlowId, given: &Answers, out: &mut Effects) {
        let Some(awaited) = self.registrations.awaited.take_if(|awaited| awaited.flow == flow) else {
            return;
        };
        let fields = awaited.form.fields.into_iter();
        let answers = fields
            .filter(|field| field.ty != FIXED)
            .map(|field| {
                let value = given.get(&field.var).cloned();
                let value = value.unwrap_or_else(|| field.values.join("\n"));
                (field.var, value)
            })
            .collect();
        out.push(Effect::Login {
            flow,
            account: self.account.clone(),
            answers,
        });
    }

    /// Ends a login that its user does not want any more.
    pub(crate) fn end_flow(&mut self, flow: FlowId, out: &mut Effects) {
        self.registrations.awaited.take_if(|awaited| awaited.flow == flow);
        if self.registrations.active.remove(&flow).is_some() {
            out.push(Effect::EndLogin(flow));
        }
    }

    /// Ends the logins whose users have stayed away for too long.
    pub(crate) fn end_forsaken_flows(&mut self, now: Timestamp, out: &mut Effects) {
        let late = |flow: &FlowId| {
            let awaited = self.registrations.awaited.as_ref();
            awaited.is_some_and(|awaited| awaited.flow == *flow && awaited.until <= now)
        };
        let forsaken = |(flow, asker): (&FlowId, &Asker)| match asker {
            Asker::Command(session) => self.desk.owner(session).is_none().then_some(*flow),
            Asker::Chat => late(flow).then_some(*flow),
            Asker::Iq { .. } => None,
        };
        let forsaken: Vec<FlowId> = self.registrations.active.iter().filter_map(forsaken).collect();
        for flow in forsaken {
            self.end_flow(flow, out);
        }
    }

    /// Who begins anew does not go on with what still waits for them.
    pub(super) fn give_up_awaited(&mut self, out: &mut Effects) {
        let Some(flow) = self.registrations.awaited.as_ref().map(|awaited| awaited.flow) else {
            return;
        };
        if let Some(Asker::Command(session)) = self.registrations.active.get(&flow) {
            let session = session.clone();
            self.desk.forget(&session);
        }
        self.end_flow(flow, out);
    }
}

/// A step as a message, and how to answer it.
fn in_words(form: &Shown) -> String {
    let mut lines = Vec::new();
    if !form.instructions.is_empty() {
        lines.push(form.instructions.clone());
    }
    let (read, asked): (Vec<_>, Vec<_>) = form.fields.iter().partition(|field| field.ty == FIXED);
    lines.extend(read.iter().map(|field| field.values.join(", ")));
    lines.push(match asked.as_slice() {
        [] => "Then send 'answer' to go on, or 'cancel'.".to_owned(),
        [field] => format!("{}: send 'answer' and the value, or 'cancel'.", field.label),
        _ => "Send 'answer' with the fields as name=value, or 'cancel':".to_owned(),
    });
    if asked.len() > 1 {
        for field in asked {
            let must = if field.required { ", required" } else { "" };
            lines.push(format!("{} – {}{must}", field.var, field.label));
        }
    }
    lines.join("\n")
}
