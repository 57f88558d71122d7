//! The commands in the chat with the gateway's JID, for clients without ad-hoc commands.

use std::fmt::Write as _;

use viaduct_bridge::{Address, Answers, BadAddress};

use super::{At, Definition, Reply, Run, Target, unanswered};
use crate::effect::{Effects, FlowId};
use crate::forms::Shown;
use crate::login::{Asker, Login};
use crate::payload;
use crate::stanza::{Condition, Incoming, Problem};

impl Login {
    /// A message to the gateway itself.
    pub(crate) fn gateway_message(&mut self, stanza: &Incoming, out: &mut Effects) {
        if stanza.is_error() {
            return;
        }
        if stanza.ty() == "groupchat" {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        }
        let Some(body) = stanza.text_of("body").filter(|body| !body.trim().is_empty()) else {
            return;
        };
        if !self.ctx.rules().access.allows(&self.user) {
            let problem = self
                .shut_out()
                .unwrap_or_else(|| Problem::new(Condition::Forbidden));
            return out.send_opt(stanza.error(&problem));
        }
        if payload::encryption(&stanza.element).is_some() {
            let text = "This message is encrypted. Please turn encryption off for this chat.";
            return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
        }
        let text = self.chat_command(body.trim(), out);
        if !text.is_empty() {
            self.say(&text, out);
        }
    }

    fn chat_command(&mut self, line: &str, out: &mut Effects) -> String {
        let (word, rest) = split_word(line);
        let word = word.to_lowercase();
        if let ("answer" | "cancel", Some(flow)) = (word.as_str(), self.flow_of_chat()) {
            return self.answer_in_chat(flow, (word == "answer").then_some(rest), out);
        }
        // What the command is about stands before its fields: 'configure #channel%server persistent=yes'.
        let (about, fields) = match split_word(rest) {
            (about, fields) if !about.is_empty() && !about.contains('=') => (Some(about), fields),
            _ => (None, rest),
        };
        let whom = about
            .filter(|_| word == super::whois::WHOIS.node)
            .map(str::to_owned);
        let target = match about.map(|about| self.named_in_chat(about)) {
            None => Target::Gateway,
            Some(Ok(address)) => match Target::of(address) {
                Some(target) => target,
                // Who it is, is what this one is told.
                None if word == super::whois::WHOIS.node => Target::Gateway,
                None => return "Commands are for rooms and servers, not for people.".into(),
            },
            Some(Err(bad)) if self.named(&word).is_some() => return bad.reason,
            Some(Err(_)) => Target::Gateway,
        };
        if word == "help" {
            return self.help();
        }
        let node = self.named(&word).map_or(word.as_str(), |command| command.node);
        let command = match self.command(&target, node) {
            Ok(command) => command,
            Err(problem) => {
                return match self.named(&word) {
                    Some(command) if self.offers(&target, command) => problem.text.unwrap_or_default(),
                    Some(command) => about_what(command),
                    None => format!("I do not know '{word}'.\n{}", self.help()),
                };
            }
        };
        let mut answers = match parse_answers(fields) {
            Ok(answers) => answers,
            Err(why) => return why,
        };
        if let Some(whom) = whom {
            answers.insert("who".into(), whom);
        }
        let stages: Vec<Shown> = (0..)
            .map_while(|stage| (command.form)(self, &target, stage, &answers))
            .take(10)
            .collect();
        if !stages.is_empty() && answers.is_empty() {
            return explain(command, about, &stages);
        }
        if let Some(unknown) = answers.keys().find(|name| {
            !stages
                .iter()
                .any(|form| form.fields.iter().any(|f| f.var == **name))
        }) {
            return format!(
                "'{unknown}' is not a field of '{}'.\n{}",
                command.word(),
                explain(command, about, &stages)
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
            target,
            answers,
            asker: Asker::Chat,
            out,
        };
        text_of(&self.perform(command, run))
    }

    /// What a word of the user names: an address as people write it, or a JID of ours.
    fn named_in_chat(&self, about: &str) -> Result<Address, BadAddress> {
        match about.rsplit_once('@') {
            Some((local, domain)) if *domain == *self.ctx.domain => self.ctx.bridge.parse(local),
            _ => self.ctx.bridge.parse_typed(about),
        }
    }

    /// The user answers a further step of a login, or cancels it.
    fn answer_in_chat(&mut self, flow: FlowId, answer: Option<&str>, out: &mut Effects) -> String {
        let Some(answer) = answer.map(str::trim) else {
            self.end_flow(flow, out);
            return "The login was cancelled.".into();
        };
        let Some(form) = self.awaited_step(flow) else {
            return "The last step is still being worked on.".into();
        };
        let answers = match form.fields.as_slice() {
            // With one field it is clear what the value is for; codes and passwords may have any character.
            [field] => Ok(Answers::from([(field.var.clone(), answer.to_owned())])),
            _ => parse_answers(answer),
        };
        match answers.and_then(|answers| unanswered(form, &answers).map_or(Ok(answers), Err)) {
            Ok(answers) => {
                self.answer_step(flow, &answers, out);
                String::new()
            }
            Err(why) => why,
        }
    }

    /// The command of this name that the user may run, whatever it is for.
    fn named(&self, word: &str) -> Option<&'static Definition> {
        super::all().find(|command| command.word() == word && self.may(None, command))
    }

    fn help(&self) -> String {
        let mut text = String::from("This is what you can send me:\nhelp – shows this list");
        for command in super::all().filter(|command| self.may(None, command)) {
            let what = if self.offers(&Target::Gateway, command) {
                ""
            } else if command.at.contains(&At::Room) {
                " SERVER or #CHANNEL"
            } else {
                " SERVER"
            };
            let _ = write!(text, "\n{}{what} – {}", command.word(), command.help);
        }
        text
    }
}

/// The first word, and what comes after it.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

/// Asks what a command is about.
fn about_what(command: &Definition) -> String {
    let example = if command.at.contains(&At::Room) {
        "a room or a server"
    } else {
        "a server"
    };
    format!(
        "Say for what: '{} ADDRESS', with the address of {example}.",
        command.word()
    )
}

/// `name=value` pairs; a value with spaces stands in double quotes.
fn parse_answers(text: &str) -> Result<Answers, String> {
    let mut answers = Answers::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            return Err(format!(
                "I expected 'name=value', but read '{}'. A value with spaces stands in quotation marks: name=\"two words\".",
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
fn explain(command: &Definition, about: Option<&str>, stages: &[Shown]) -> String {
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
        "Send '{}{}' with the fields that you want to set, as name=value:",
        command.word(),
        about.map(|about| format!(" {about}")).unwrap_or_default()
    );
    for field in stages.iter().flat_map(|form| &form.fields) {
        let must = if field.required { ", required" } else { "" };
        let _ = write!(text, "\n{} – {}{must}", field.var, field.label);
        if let Some(value) = field.values.first().filter(|value| !value.is_empty()) {
            let value = match (field.ty, value.as_str()) {
                ("boolean", "1") => "yes",
                ("boolean", _) => "no",
                (_, value) => value,
            };
            let _ = write!(text, " (now: {value})");
        }
        if field.ty == "boolean" {
            let _ = write!(text, "\n  {0}=yes\n  {0}=no", field.var);
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
