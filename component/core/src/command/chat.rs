//! The commands in the chat with the gateway's JID, for clients without ad-hoc commands.

use std::fmt::Write as _;

use viaduct_bridge::{Answers, Timestamp};

use super::{Definition, Reply, Run, unanswered};
use crate::effect::Effects;
use crate::forms::Shown;
use crate::login::{Asker, Login};
use crate::payload;
use crate::stanza::{Condition, Incoming, Problem};

impl Login {
    /// A message to the gateway itself.
    pub(crate) fn gateway_message(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        if stanza.is_error() {
            return;
        }
        if stanza.ty() == "groupchat" {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        }
        let Some(body) = stanza.text_of("body").filter(|body| !body.trim().is_empty()) else {
            return;
        };
        if !self.ctx.access.allows(&self.user) {
            let problem = self
                .shut_out()
                .unwrap_or_else(|| Problem::new(Condition::Forbidden));
            return out.send_opt(stanza.error(&problem));
        }
        if payload::encryption(&stanza.element).is_some() {
            let text = "This message is encrypted. Please turn encryption off for this chat.";
            return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
        }
        let text = self.chat_command(now, body.trim(), out);
        if !text.is_empty() {
            self.say(&text, out);
        }
    }

    fn chat_command(&mut self, now: Timestamp, line: &str, out: &mut Effects) -> String {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let word = word.to_lowercase();
        let Some(command) = self.commands().find(|command| command.node == word) else {
            return if word == "help" {
                self.help()
            } else {
                format!("I do not know '{word}'.\n{}", self.help())
            };
        };
        let answers = match parse_answers(rest) {
            Ok(answers) => answers,
            Err(why) => return why,
        };
        let stages: Vec<Shown> = (0..)
            .map_while(|stage| (command.form)(self, stage, &answers))
            .take(10)
            .collect();
        if !stages.is_empty() && answers.is_empty() {
            return explain(command, &stages);
        }
        if let Some(unknown) = answers.keys().find(|name| {
            !stages
                .iter()
                .any(|form| form.fields.iter().any(|f| f.var == **name))
        }) {
            return format!(
                "'{unknown}' is not a field of '{}'.\n{}",
                command.node,
                explain(command, &stages)
            );
        }
        if let Some(why) = stages.iter().find_map(|form| {
            let mut all: Answers = form
                .fields
                .iter()
                .map(|f| (f.var.clone(), f.values.first().cloned().unwrap_or_default()))
                .collect();
            all.extend(answers.clone());
            unanswered(form, &all)
        }) {
            return why;
        }
        let run = Run {
            answers,
            asker: Asker::Chat,
            now,
            out,
        };
        text_of(&(command.run)(self, run))
    }

    fn help(&self) -> String {
        let mut text = String::from("This is what you can send me:\nhelp – shows this list");
        for command in self.commands() {
            let _ = write!(text, "\n{} – {}", command.node, command.help);
        }
        text
    }
}

/// `name=value` pairs; a value with spaces stands in double quotes.
fn parse_answers(text: &str) -> Result<Answers, String> {
    let mut answers = Answers::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            return Err(format!(
                "I expected 'name=value', but read '{}'.",
                rest.trim_end()
            ));
        };
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or("A quotation mark is missing at the end.")?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        answers.insert(name.trim().to_lowercase(), value.to_owned());
        rest = after.trim_start();
    }
    Ok(answers)
}

/// How to answer a form in the chat.
fn explain(command: &Definition, stages: &[Shown]) -> String {
    let mut text = String::new();
    if let Some(instructions) = stages
        .iter()
        .map(|form| &form.instructions)
        .find(|text| !text.is_empty())
    {
        let _ = writeln!(text, "{instructions}");
    }
    let _ = write!(
        text,
        "Send '{}' with the fields that you want to set, as name=value:",
        command.node
    );
    for field in stages.iter().flat_map(|form| &form.fields) {
        let must = if field.required { ", required" } else { "" };
        let _ = write!(text, "\n{} – {}{must}", field.var, field.label);
        if let Some(value) = field.values.first().filter(|value| !value.is_empty()) {
            let _ = write!(text, " (now: {value})");
        }
        for (_, value) in &field.options {
            let _ = write!(text, "\n  {}={value}", field.var);
        }
    }
    text
}

/// A reply as a message; empty if there is nothing to say yet.
pub(super) fn text_of(reply: &Reply) -> String {
    match reply {
        Reply::Done(text) | Reply::Failed(text) => text.clone(),
        Reply::Result(form) => result_text(form),
        Reply::Later => String::new(),
    }
}

fn result_text(form: &Shown) -> String {
    let lines: Vec<String> = form
        .fields
        .iter()
        .map(|field| format!("{}: {}", field.label, field.values.join(", ")))
        .collect();
    lines.join("\n")
}
