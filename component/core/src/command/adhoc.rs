//! Ad-hoc commands (XEP-0050 1.3.0).

use viaduct_bridge::Timestamp;

use super::{Definition, MAX_SESSIONS, Reply, Run, SESSION, Session, answers_of, unanswered, user};
use crate::effect::{Effect, Effects, Timer};
use crate::forms::{Shown, Submission};
use crate::login::{Asker, Login};
use crate::ns;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::Xml;

/// What the answer to a command says.
enum Answer<'a> {
    Stage {
        form: &'a Shown,
        stage: usize,
        last: bool,
    },
    Completed(&'a Reply),
    Canceled,
}

impl Login {
    pub(crate) fn command_iq(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        if let Err(problem) = self.run_command(now, stanza, out) {
            out.send_opt(stanza.error(&problem));
        }
    }

    fn run_command(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) -> Result<(), Problem> {
        let command = stanza
            .payload()
            .ok_or_else(|| Problem::new(Condition::BadRequest))?;
        let node = command.attr("node").filter(|node| !node.is_empty());
        let node =
            node.ok_or_else(|| Problem::because(Condition::BadRequest, "The command's node is missing."))?;
        let definition = user::ALL.iter().find(|definition| definition.node == node);
        let definition = definition.ok_or_else(|| {
            Problem::because(Condition::ItemNotFound, format!("There is no command '{node}'."))
        })?;
        if !self.ctx.access.allows(&self.user) {
            return Err(Problem::because(
                Condition::Forbidden,
                "You may not use this gateway.",
            ));
        }
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
            return self.begin_command(now, definition, stanza, out);
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
        if session.owner != stanza.from.as_str() || session.node != node {
            return Err(special(
                Condition::BadRequest,
                "There is no such session.",
                "bad-sessionid",
            ));
        }
        if session.expires <= now {
            self.desk.end(id);
            let text = "This command has waited too long. Please begin again.";
            return Err(special(Condition::NotAllowed, text, "session-expired"));
        }
        let id = id.to_owned();
        if action == "cancel" {
            self.desk.end(&id);
            out.send(write_answer(stanza, node, &id, &Answer::Canceled));
            return Ok(());
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
        definition: &'static Definition,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        self.desk.expire(now, out);
        if self.desk.sessions.len() >= MAX_SESSIONS {
            let text = "Too many of your commands are waiting for you. Finish or cancel some.";
            return Err(Problem::because(Condition::ResourceConstraint, text));
        }
        let id = self.ctx.token();
        let session = Session {
            owner: stanza.from.as_str().into(),
            node: definition.node,
            stage: 0,
            answers: viaduct_bridge::Answers::new(),
            expires: after(now),
            waiting: None,
        };
        self.desk.sessions.insert(id.clone(), session);
        match (definition.form)(self, 0, &viaduct_bridge::Answers::new()) {
            None => self.complete(now, definition, &id, stanza, out),
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
        let Some((stage, mut answers)) = self
            .desk
            .sessions
            .get(id)
            .map(|session| (session.stage, session.answers.clone()))
        else {
            return Ok(());
        };
        let form = (definition.form)(self, stage, &answers);
        if let (Some(form), Some(submission)) = (&form, &submission) {
            answers.extend(answers_of(form, submission));
        }
        let more = (definition.form)(self, stage + 1, &answers);
        let bad_action = |text: &str| special(Condition::BadRequest, text, "bad-action");
        let target = match (action, more.is_some()) {
            ("prev", _) if stage == 0 => return Err(bad_action("This is the first step.")),
            ("prev", _) => stage - 1,
            ("next", false) => return Err(bad_action("This is the last step.")),
            ("complete", true) => return Err(bad_action("There is more to fill in.")),
            _ => stage + 1,
        };
        if target > stage
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
        match (definition.form)(self, target, &answers) {
            Some(mut form) => {
                for field in &mut form.fields {
                    if let Some(value) = answers.get(&field.var).filter(|_| field.ty != "text-private") {
                        field.values = vec![value.clone()];
                    }
                }
                self.show_stage(definition, id, target, &form, stanza, out);
            }
            None => self.complete(now, definition, id, stanza, out),
        }
        Ok(())
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
        let answers = self
            .desk
            .sessions
            .get(id)
            .map(|session| session.answers.clone())
            .unwrap_or_default();
        let last = (definition.form)(self, stage + 1, &answers).is_none();
        if let Some(session) = self.desk.sessions.get_mut(id) {
            session.stage = stage;
        }
        out.send(write_answer(
            stanza,
            definition.node,
            id,
            &Answer::Stage { form, stage, last },
        ));
    }

    fn complete(
        &mut self,
        now: Timestamp,
        definition: &'static Definition,
        id: &str,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let Some(session) = self.desk.sessions.get_mut(id) else {
            return;
        };
        session.waiting.clone_from(&stanza.id);
        let answers = session.answers.clone();
        let run = Run {
            answers,
            asker: Asker::Command(id.to_owned()),
            now,
            out,
        };
        let reply = (definition.run)(self, run);
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

    /// A login flow that a command began has ended.
    pub(crate) fn command_flow_done(
        &mut self,
        _now: Timestamp,
        id: &str,
        result: Result<(), &Problem>,
        out: &mut Effects,
    ) {
        let reply = match result {
            Ok(()) => Reply::Done("You are registered.".into()),
            Err(problem) => Reply::Failed(problem.text.clone().unwrap_or_default()),
        };
        self.command_done(id, &reply, out);
    }

    /// What a command had to wait for has come.
    pub(super) fn command_done(&mut self, id: &str, reply: &Reply, out: &mut Effects) {
        let Some(session) = self.desk.end(id) else { return };
        let mut xml = Xml::stanza("iq", &self.ctx.domain, &session.owner);
        xml.attr("type", "result")
            .attr("id", session.waiting.as_deref().unwrap_or_default());
        out.send(write_command(xml, session.node, id, &Answer::Completed(reply)));
    }
}

fn after(now: Timestamp) -> Timestamp {
    Timestamp(
        now.0
            .saturating_add(i64::try_from(SESSION.as_micros()).unwrap_or(i64::MAX)),
    )
}

fn special(condition: Condition, text: impl Into<String>, name: &'static str) -> Problem {
    Problem::because(condition, text).special(name, ns::COMMANDS)
}

fn write_answer(stanza: &Incoming, node: &str, id: &str, answer: &Answer<'_>) -> crate::xml::Stanza {
    write_command(stanza.result(), node, id, answer)
}

fn write_command(mut xml: Xml, node: &str, id: &str, answer: &Answer<'_>) -> crate::xml::Stanza {
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
