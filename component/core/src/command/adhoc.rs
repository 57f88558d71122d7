//! Ad-hoc commands (XEP-0050 1.3.0).

use viaduct_bridge::Timestamp;

use super::{Definition, MAX_SESSIONS, Reply, Run, SESSION, Session, Target, answers_of, unanswered};
use crate::effect::{Effect, Effects, FlowId, Timer};
use crate::forms::{Shown, Submission};
use crate::login::{Asker, Login};
use crate::ns;
use crate::stanza::{Condition, Incoming, Problem, write_error};
use crate::xml::Xml;

/// What the answer to a command says.
pub(super) enum Answer<'a> {
    Stage {
        form: &'a Shown,
        stage: usize,
        last: bool,
    },
    Completed(&'a Reply),
    Canceled,
}

impl Login {
    pub(crate) fn command_iq(
        &mut self,
        now: Timestamp,
        target: &Target,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        if let Err(problem) = self.run_command(now, target, stanza, out) {
            out.send(command_error(stanza, &problem));
        }
    }

    fn run_command(
        &mut self,
        now: Timestamp,
        target: &Target,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        let command = stanza
            .payload()
            .ok_or_else(|| Problem::new(Condition::BadRequest))?;
        let node = command.attr("node").filter(|node| !node.is_empty());
        let node =
            node.ok_or_else(|| Problem::because(Condition::BadRequest, "The command's node is missing."))?;
        let definition = self.command(target, node)?;
        let action = command.attr("action").unwrap_or("execute");
        if !["execute", "cancel", "prev", "next", "complete"].contains(&action) {
            let text = format!("There is no action '{action}'.");
            return Err(special(Condition::BadRequest, text, "malformed-action"));
        }
        let Some(id) = command.attr("sessionid") else {
            if !["execute", "next", "complete"].contains(&action) {
                return Err(special(
                    Condition::BadRequest,
                    "Begin with 'execute'.",
                    "bad-action",
                ));
            }
            return self.begin_command(now, target, definition, stanza, out);
        };
        let Some(session) = self.desk.sessions.get(id) else {
            if self.desk.ended.iter().any(|ended| ended == id) {
                let text = "This command has ended. Please begin again.";
                return Err(special(Condition::NotAllowed, text, "session-expired"));
            }
            return Err(special(
                Condition::BadRequest,
                "There is no such session.",
                "bad-sessionid",
            ));
        };
        if session.owner != stanza.from.as_str() || session.node != node || session.target != *target {
            return Err(special(
                Condition::BadRequest,
                "There is no such session.",
                "bad-sessionid",
            ));
        }
        if session.expires <= now {
            self.desk.give_up(id, out);
            self.end_forsaken_flows(now, out);
            let text = "This command has waited too long. Please begin again.";
            return Err(special(Condition::NotAllowed, text, "session-expired"));
        }
        let (id, busy) = (id.to_owned(), session.waiting.is_some());
        if action == "cancel" {
            self.desk.give_up(&id, out);
            self.end_forsaken_flows(now, out);
            out.send(write_answer(stanza, node, &id, &Answer::Canceled));
            return Ok(());
        }
        if busy {
            let text = "The last step is still being worked on.";
            return Err(Problem::because(Condition::ResourceConstraint, text));
        }
        if let Some(flow) = self.flow_of_session(&id) {
            return self.go_on_with_login(now, flow, (&id, action), Submission::of(command), stanza, out);
        }
        self.go_on(
            now,
            definition,
            (&id, action),
            Submission::of(command),
            stanza,
            out,
        )
    }

    fn begin_command(
        &mut self,
        now: Timestamp,
        target: &Target,
        definition: &'static Definition,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        self.desk.expire(now, out);
        self.end_forsaken_flows(now, out);
        if self.desk.sessions.len() >= MAX_SESSIONS {
            let text = "Too many of your commands are waiting for you. Finish or cancel some.";
            return Err(Problem::because(Condition::ResourceConstraint, text));
        }
        let id = self.ctx.token();
        let session = Session {
            owner: stanza.from.as_str().into(),
            asked: stanza.to.as_str().to_owned(),
            node: definition.node,
            target: target.clone(),
            stage: 0,
            answers: viaduct_bridge::Answers::new(),
            expires: after(now),
            waiting: None,
        };
        self.desk.sessions.insert(id.clone(), session);
        match (definition.form)(self, target, 0, &viaduct_bridge::Answers::new()) {
            None => self.complete(definition, &id, stanza, out),
            Some(form) => {
                out.push(Effect::SetTimer {
                    timer: Timer::Commands,
                    after: SESSION,
                });
                self.show_stage(definition, &id, 0, &form, stanza, out);
            }
        }
        Ok(())
    }

    fn go_on(
        &mut self,
        now: Timestamp,
        definition: &'static Definition,
        (id, action): (&str, &str),
        submission: Option<Submission>,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        let Some(session) = self.desk.sessions.get(id) else {
            return Ok(());
        };
        let (target, stage, mut answers) = (session.target.clone(), session.stage, session.answers.clone());
        let target = &target;
        let form = (definition.form)(self, target, stage, &answers);
        if let (Some(form), Some(submission)) = (&form, &submission) {
            answers.extend(answers_of(form, submission));
        }
        let more = (definition.form)(self, target, stage + 1, &answers);
        let bad_action = |text: &str| special(Condition::BadRequest, text, "bad-action");
        let next = match (action, more.is_some()) {
            ("prev", _) if stage == 0 => return Err(bad_action("This is the first step.")),
            ("prev", _) => stage - 1,
            // Some clients know no other word than 'next'; where there is one step only, it can mean nothing else.
            ("next", false) if stage > 0 => return Err(bad_action("This is the last step.")),
            ("complete", true) => return Err(bad_action("There is more to fill in.")),
            _ => stage + 1,
        };
        if next > stage
            && let Some(form) = &form
        {
            if submission.is_none() {
                return Err(special(
                    Condition::BadRequest,
                    "The form is missing.",
                    "bad-payload",
                ));
            }
            if let Some(why) = unanswered(form, &answers) {
                return Err(special(Condition::BadRequest, why, "bad-payload"));
            }
        }
        if let Some(session) = self.desk.sessions.get_mut(id) {
            session.answers.clone_from(&answers);
            session.expires = after(now);
        }
        match (definition.form)(self, target, next, &answers) {
            Some(mut form) => {
                for field in &mut form.fields {
                    if let Some(value) = answers.get(&field.var).filter(|_| field.ty != "text-private") {
                        field.values = match field.ty {
                            "text-multi" => value.lines().map(str::to_owned).collect(),
                            _ => vec![value.clone()],
                        };
                    }
                }
                self.show_stage(definition, id, next, &form, stanza, out);
            }
            None => self.complete(definition, id, stanza, out),
        }
        Ok(())
    }

    /// The user answers a further step of a login.
    fn go_on_with_login(
        &mut self,
        now: Timestamp,
        flow: FlowId,
        (id, action): (&str, &str),
        submission: Option<Submission>,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        if action == "prev" {
            let text = "What the network was told cannot be taken back. Cancel, and begin again.";
            return Err(special(Condition::BadRequest, text, "bad-action"));
        }
        let Some(form) = self.awaited_step(flow) else {
            let text = "The last step is still being worked on.";
            return Err(Problem::because(Condition::ResourceConstraint, text));
        };
        let answers = submission.map(|submission| answers_of(form, &submission));
        let answers = answers.unwrap_or_default();
        if let Some(why) = unanswered(form, &answers) {
            return Err(special(Condition::BadRequest, why, "bad-payload"));
        }
        if let Some(session) = self.desk.sessions.get_mut(id) {
            session.expires = after(now);
            session.waiting.clone_from(&stanza.id);
        }
        self.answer_step(flow, &answers, out);
        Ok(())
    }

    /// Shows a further step of a login as the answer to the request that waits. False if the session has ended.
    pub(crate) fn show_login_stage(&mut self, id: &str, form: &Shown, out: &mut Effects) -> bool {
        let Some(session) = self.desk.sessions.get_mut(id) else {
            return false;
        };
        let mut xml = Xml::stanza("iq", &session.asked, &session.owner);
        xml.attr("type", "result")
            .attr("id", session.waiting.take().as_deref().unwrap_or_default());
        // Only the network knows whether this is the last one, and there is no way back.
        let answer = Answer::Stage {
            form,
            stage: 0,
            last: false,
        };
        out.send(write_command(xml, session.node, id, &answer));
        true
    }

    fn show_stage(
        &mut self,
        definition: &Definition,
        id: &str,
        stage: usize,
        form: &Shown,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let Some(session) = self.desk.sessions.get_mut(id) else {
            return;
        };
        session.stage = stage;
        let (target, answers) = (session.target.clone(), session.answers.clone());
        let last = (definition.form)(self, &target, stage + 1, &answers).is_none();
        out.send(write_answer(
            stanza,
            definition.node,
            id,
            &Answer::Stage { form, stage, last },
        ));
    }

    fn complete(&mut self, definition: &'static Definition, id: &str, stanza: &Incoming, out: &mut Effects) {
        let Some(session) = self.desk.sessions.get_mut(id) else {
            return;
        };
        session.waiting.clone_from(&stanza.id);
        let answers = session.answers.clone();
        let run = Run {
            target: session.target.clone(),
            answers,
            asker: Asker::Command(id.to_owned()),
            out,
        };
        let reply = self.perform(definition, run);
        if !matches!(reply, Reply::Later) {
            self.desk.end(id);
            out.send(write_answer(
                stanza,
                definition.node,
                id,
                &Answer::Completed(&reply),
            ));
        }
    }

    /// What a command asked for is done, or has failed.
    pub(crate) fn answer_command(&mut self, asker: Asker, result: Result<String, String>, out: &mut Effects) {
        let reply = match result {
            Ok(text) => Reply::Done(text),
            Err(text) => Reply::Failed(text),
        };
        self.reply_to(asker, &reply, out);
    }

    /// What a command had to wait for has come.
    pub(super) fn reply_to(&mut self, asker: Asker, reply: &Reply, out: &mut Effects) {
        let id = match asker {
            Asker::Command(id) => id,
            Asker::Chat | Asker::Iq { .. } => {
                let text = super::chat::text_of(reply);
                return self.say(&text, out);
            }
        };
        let Some(session) = self.desk.end(&id) else { return };
        let mut xml = Xml::stanza("iq", &session.asked, &session.owner);
        xml.attr("type", "result")
            .attr("id", session.waiting.as_deref().unwrap_or_default());
        out.send(write_command(xml, session.node, &id, &Answer::Completed(reply)));
    }
}

fn after(now: Timestamp) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(i64::try_from(SESSION.as_micros()).unwrap_or(i64::MAX)),
    )
}

/// An error with what it is about before it: some clients look the session up by that.
fn command_error(stanza: &Incoming, problem: &Problem) -> crate::xml::Stanza {
    let mut xml = Xml::stanza("iq", stanza.to.as_str(), stanza.from.as_str());
    xml.attr("type", "error").attr_opt("id", stanza.id.as_deref());
    if let Some(command) = stanza.payload() {
        xml.start_ns("command", ns::COMMANDS)
            .attr_opt("node", command.attr("node"))
            .attr_opt("sessionid", command.attr("sessionid"))
            .end();
    }
    write_error(&mut xml, problem);
    xml.finish()
}

fn special(condition: Condition, text: impl Into<String>, name: &'static str) -> Problem {
    Problem::because(condition, text).special(name, ns::COMMANDS)
}

fn write_answer(stanza: &Incoming, node: &str, id: &str, answer: &Answer<'_>) -> crate::xml::Stanza {
    write_command(stanza.result(), node, id, answer)
}

pub(super) fn write_command(mut xml: Xml, node: &str, id: &str, answer: &Answer<'_>) -> crate::xml::Stanza {
    xml.start_ns("command", ns::COMMANDS)
        .attr("node", node)
        .attr("sessionid", id);
    match answer {
        Answer::Stage { form, stage, last } => {
            let forward = if *last { "complete" } else { "next" };
            xml.attr("status", "executing").attr("xml:lang", "en");
            xml.start("actions").attr("execute", forward);
            if *stage > 0 {
                xml.start("prev").end();
            }
            xml.start(if *last { "complete" } else { "next" }).end().end();
            form.write(&mut xml, "form");
        }
        Answer::Completed(reply) => {
            xml.attr("status", "completed").attr("xml:lang", "en");
            match reply {
                Reply::Done(text) => {
                    xml.start("note").attr("type", "info").text(text).end();
                }
                Reply::Failed(text) => {
                    xml.start("note").attr("type", "error").text(text).end();
                }
                Reply::Result(form) => form.write(&mut xml, "result"),
                Reply::Later => {}
            }
        }
        Answer::Canceled => {
            xml.attr("status", "canceled");
        }
    }
    xml.finish()
}
