//! What users can ask the gateway to do. A command is defined once, here; it appears as an ad-hoc command
//! ([`adhoc`], XEP-0050) and in the chat with the gateway ([`chat`]).

mod adhoc;
mod chat;
mod user;
mod whois;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use viaduct_bridge::{Answers, Timestamp};

use crate::effect::{Effect, Effects, Timer};
use crate::forms::Shown;
use crate::login::Login;
use crate::service::DiscoInfo;
use crate::stanza::{Condition, Problem};
use crate::{forms, ns};

/// How long the session of a command waits for its user.
const SESSION: Duration = Duration::from_secs(600);
/// The most sessions of one user at a time.
const MAX_SESSIONS: usize = 20;

/// A command.
pub struct Definition {
    /// Its node (XEP-0050), and the word for it in the chat.
    pub node: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// The form of a stage, given the answers so far; `None` when there is nothing more to ask.
    form: fn(&Login, usize, &Answers) -> Option<Shown>,
    /// Does it.
    run: fn(&mut Login, Run<'_>) -> Reply,
}

/// What a command has to work with.
struct Run<'a> {
    /// The user's answers.
    answers: Answers,
    /// Who waits for the answer.
    asker: crate::login::Asker,
    now: Timestamp,
    out: &'a mut Effects,
}

/// What a command answers.
enum Reply {
    /// It is done.
    Done(String),
    /// It is done, and this is what came out.
    Result(Shown),
    /// It could not be done.
    Failed(String),
    /// The answer comes later, from a login flow.
    Later,
}

/// The sessions of a user's commands.
#[derive(Debug, Default)]
pub struct CommandDesk {
    sessions: HashMap<String, Session>,
    /// Sessions that have ended: their ids are never used again, and answered as expired.
    ended: VecDeque<String>,
}

/// A command on its way (XEP-0050 §3.3).
#[derive(Debug)]
struct Session {
    /// The full JID that may go on with it.
    owner: String,
    node: &'static str,
    stage: usize,
    answers: Answers,
    expires: Timestamp,
    /// The id of the request that waits for a login flow.
    waiting: Option<String>,
}

impl CommandDesk {
    /// Whether no command is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Ends the sessions that have waited too long.
    pub fn expire(&mut self, now: Timestamp, out: &mut Effects) {
        let late: Vec<String> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.expires <= now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in late {
            self.end(&id);
        }
        if !self.sessions.is_empty() {
            out.push(Effect::SetTimer {
                timer: Timer::Commands,
                after: SESSION,
            });
        }
    }

    /// The full JID that a session belongs to.
    pub(crate) fn owner(&self, id: &str) -> Option<&str> {
        self.sessions.get(id).map(|session| session.owner.as_str())
    }

    fn end(&mut self, id: &str) -> Option<Session> {
        let session = self.sessions.remove(id)?;
        self.ended.push_back(id.to_owned());
        if self.ended.len() > 64 {
            self.ended.pop_front();
        }
        Some(session)
    }
}

impl Login {
    /// The commands that this user may run.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &'static Definition> {
        let allowed = self.ctx.access.allows(&self.user);
        user::ALL.iter().filter(move |_| allowed)
    }

    /// disco#info on a command's node, and on the node of the list.
    pub(crate) fn command_info(&self, node: &str) -> Result<DiscoInfo, Problem> {
        let automation = |ty: &str, name: &str| vec![("automation", ty.to_owned(), name.to_owned())];
        if node == ns::COMMANDS {
            let identities = automation("command-list", "Commands");
            return Ok(DiscoInfo {
                identities,
                features: vec![ns::COMMANDS],
                form: None,
            });
        }
        match user::ALL.iter().find(|command| command.node == node) {
            None => Err(Problem::new(Condition::ItemNotFound)),
            Some(_) if !self.ctx.access.allows(&self.user) => Err(Problem::new(Condition::Forbidden)),
            Some(command) => Ok(DiscoInfo {
                identities: automation("command-node", command.title),
                features: vec![ns::COMMANDS, ns::DATA],
                form: None,
            }),
        }
    }
}

/// Why the answers to a form cannot be taken, if so: the field and the reason.
fn unanswered(form: &Shown, answers: &Answers) -> Option<String> {
    form.fields.iter().find_map(|field| {
        let value = answers.get(&field.var).map_or("", String::as_str);
        if field.required && value.trim().is_empty() {
            return Some(format!("Please fill in '{}' ({}).", field.label, field.var));
        }
        let known =
            field.options.is_empty() || value.is_empty() || field.options.iter().any(|(_, v)| v == value);
        (!known).then(|| {
            format!(
                "'{value}' is not among the choices of '{}' ({}).",
                field.label, field.var
            )
        })
    })
}

/// The answers that a submitted form gives to a form that was shown.
fn answers_of(form: &Shown, submission: &forms::Submission) -> Answers {
    form.fields
        .iter()
        .filter_map(|field| {
            let values = submission.values.get(&field.var)?;
            Some((field.var.clone(), values.join("\n")))
        })
        .collect()
}
