//! What users can ask the gateway to do. A command is defined once, here; it appears as an ad-hoc command
//! ([`adhoc`], XEP-0050) and in the chat with the gateway ([`chat`]).

mod adhoc;
mod admin;
mod chat;
mod configure;
mod gathered;
mod network;
mod signup;
mod user;
mod whois;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use viaduct_bridge::{Address, Answers, Level, RoomId, ServerId, Timestamp};

use crate::effect::{Effect, Effects, Timer};
use crate::forms::Shown;
use crate::login::Login;
use crate::service::DiscoInfo;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::{Stanza, Xml};
use crate::{forms, ns};

/// How long the session of a command waits for its user.
pub(crate) const SESSION: Duration = Duration::from_secs(600);
/// The most sessions of one user at a time.
const MAX_SESSIONS: usize = 20;

/// What a command is run on: the address that it was sent to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The gateway itself.
    Gateway,
    /// A server of the network.
    Server(ServerId),
    /// A room.
    Room(RoomId),
}

/// The kinds of [`Target`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Gateway,
    Server,
    Room,
}

/// Who may run a command, of those who may use the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    /// Everybody.
    User,
    /// Those who may use the network: where registration is required, those who are registered.
    Member,
    /// Those who are registered or may register.
    Registering,
    /// Everybody, if the operator lets users unregister by themselves.
    Leaving,
    /// Those who are connected to the server, or to any where none is named yet, and could have an account there.
    Newcomer,
    /// Those who are operators of the room, or of any where none is named yet.
    Chair,
    /// Those whom the operator lets speak the network's own language.
    Raw,
    /// Those who run the gateway.
    Admin,
}

/// A command.
pub struct Definition {
    /// Its node (XEP-0050), and the word for it in the chat.
    pub node: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// On what it can be run.
    at: &'static [At],
    /// Who may run it.
    who: Who,
    /// The form of a stage, given the answers so far; `None` when there is nothing more to ask.
    form: fn(&Login, &Target, usize, &Answers) -> Option<Shown>,
    /// Does it.
    run: fn(&mut Login, Run<'_>) -> Reply,
}

impl Definition {
    /// The word for it in the chat: what is behind the `#` of the nodes of XEP-0133.
    fn word(&self) -> &'static str {
        self.node.rsplit('#').next().unwrap_or(self.node)
    }
}

/// All commands.
fn all() -> impl Iterator<Item = &'static Definition> {
    user::ALL.iter().chain(&admin::ALL)
}

/// What a command has to work with.
struct Run<'a> {
    /// What it is run on.
    target: Target,
    /// The user's answers.
    answers: Answers,
    /// Who waits for the answer.
    asker: crate::login::Asker,
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
    /// The answer comes later, from a login flow (perhaps after further steps) or from the network.
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
    /// The JID that it was sent to.
    asked: String,
    node: &'static str,
    target: Target,
    stage: usize,
    answers: Answers,
    expires: Timestamp,
    /// The id of the request that waits for the network: for a step of a login, or for what a server answers.
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
            self.give_up(&id, out);
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

    /// Ends a session without a word.
    pub(crate) fn forget(&mut self, id: &str) {
        self.end(id);
    }

    /// Ends a session from which nothing more will come. A request of it that still waits is answered.
    fn give_up(&mut self, id: &str, out: &mut Effects) {
        if let Some(session) = self.end(id)
            && let Some(waiting) = &session.waiting
        {
            let mut xml = Xml::stanza("iq", &session.asked, &session.owner);
            xml.attr("type", "result").attr("id", waiting);
            out.send(adhoc::write_command(
                xml,
                session.node,
                id,
                &adhoc::Answer::Canceled,
            ));
        }
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

impl Target {
    /// What an address stands for, if commands can be run on it.
    pub(crate) fn of(address: Address) -> Option<Self> {
        match address {
            Address::Server(server) => Some(Self::Server(server)),
            Address::Room(room) => Some(Self::Room(room)),
            Address::Person(_) => None,
        }
    }

    fn at(&self) -> At {
        match self {
            Self::Gateway => At::Gateway,
            Self::Server(_) => At::Server,
            Self::Room(_) => At::Room,
        }
    }
}

impl Login {
    /// The only server of the network, where it has only one: the gateway's own address stands for it.
    pub(crate) fn only_server(&self) -> Option<ServerId> {
        let server = self.ctx.bridge.home_server(None)?;
        let own = self.ctx.bridge.localpart(&Address::Server(server.clone()));
        own.is_none().then_some(server)
    }

    fn may(&self, target: Option<&Target>, command: &Definition) -> bool {
        let allowed = self.ctx.rules().access.allows(&self.user);
        match command.who {
            Who::User => allowed,
            Who::Member => self.shut_out().is_none(),
            Who::Registering => allowed && self.may_register(),
            Who::Leaving => allowed && self.ctx.rules().allow_unregister,
            Who::Chair => {
                self.shut_out().is_none()
                    && match target {
                        Some(Target::Room(id)) => self.chairs(id),
                        Some(_) => false,
                        None => self.rooms.keys().any(|id| self.chairs(id)),
                    }
            }
            Who::Newcomer => {
                let open = |id: &ServerId| self.sign_up_rules(id).is_some();
                self.shut_out().is_none()
                    && match target {
                        Some(target) => network::server_of(self, target).is_some_and(|id| open(&id)),
                        None => self.servers.keys().any(open),
                    }
            }
            Who::Raw => self.may_speak_raw(),
            Who::Admin => self.ctx.rules().access.is_admin(&self.user),
        }
    }

    /// Whether the operator lets this user speak the network's own language.
    pub(crate) fn may_speak_raw(&self) -> bool {
        self.ctx.rules().access.allows_raw(&self.user)
            && self.ctx.bridge.capabilities().raw != Level::Rejected
    }

    fn offers(&self, target: &Target, command: &Definition) -> bool {
        let at = command.at;
        at.contains(&target.at())
            || (*target == Target::Gateway && at.contains(&At::Server) && self.only_server().is_some())
    }

    /// The commands that this user may run on this.
    pub(crate) fn commands(&self, target: &Target) -> impl Iterator<Item = &'static Definition> {
        all().filter(move |command| self.offers(target, command) && self.may(Some(target), command))
    }

    /// The command of this name.
    fn command(&self, target: &Target, node: &str) -> Result<&'static Definition, Problem> {
        let known = |command: &&Definition| command.node == node && self.offers(target, command);
        let unknown = || {
            if let Some(problem) = self.not_for_admins(node) {
                return problem;
            }
            let text = format!("There is no command '{node}' here.");
            Problem::because(Condition::ItemNotFound, text)
        };
        let command = all().find(known).ok_or_else(unknown)?;
        if self.may(Some(target), command) {
            Ok(command)
        } else if let Some(problem) = self.shut_out() {
            Err(problem)
        } else {
            let text = if command.who == Who::Chair {
                "Only operators of the room may do this."
            } else if command.who == Who::Newcomer {
                "This server offers no accounts, or you are not connected to it."
            } else if self.ctx.rules().access.allows(&self.user) {
                "The operator has not permitted you to run this command."
            } else {
                "You may not use this gateway."
            };
            Err(Problem::because(Condition::Forbidden, text))
        }
    }

    /// Whether this is the node of a command here, or of their list.
    pub(crate) fn has_command(&self, target: &Target, node: &str) -> bool {
        let known = |command: &Definition| command.node == node && self.offers(target, command);
        node == ns::COMMANDS || all().any(known)
    }

    /// Does what a command says.
    fn perform(&mut self, command: &Definition, run: Run<'_>) -> Reply {
        if command.who == Who::Admin {
            let (action, target) = (command.word(), admin::target_of(&run.answers));
            run.out.push(Effect::Audit { action, target });
        }
        (command.run)(self, run)
    }

    /// disco#info on a command's node, and on the node of the list.
    pub(crate) fn command_info(&self, target: &Target, node: &str) -> Result<DiscoInfo, Problem> {
        let automation = |ty: &str, name: &str| vec![("automation", ty.to_owned(), name.to_owned())];
        if node == ns::COMMANDS {
            return Ok(DiscoInfo {
                identities: automation("command-list", "Commands"),
                features: vec![ns::COMMANDS],
                form: None,
            });
        }
        let command = self.command(target, node)?;
        Ok(DiscoInfo {
            identities: automation("command-node", command.title),
            features: vec![ns::COMMANDS, ns::DATA],
            form: None,
        })
    }

    /// disco#items on the node of the list.
    pub(crate) fn command_items(&self, target: &Target, stanza: &Incoming) -> Stanza {
        let mut xml = stanza.result();
        xml.start_ns("query", ns::DISCO_ITEMS).attr("node", ns::COMMANDS);
        for command in self.commands(target) {
            xml.start("item")
                .attr("jid", stanza.to.to_bare().as_str())
                .attr("node", command.node)
                .attr("name", command.title)
                .end();
        }
        xml.finish()
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
