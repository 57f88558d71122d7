//! Logging in to a server (RFC 2812 §3.1, IRCv3 capability negotiation 3.2): from the first line to the end of the
//! message of the day. All of its state is gone once the user is online. `account` has the login with an account.

use std::time::{Duration, Instant};

use viaduct_bridge::{Failure, Name, Refusal, Relations, ServerEvent};

use crate::proto::caps::{Cap, CapSet};
use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::Message;
use crate::proto::sts::Sts;

use super::account::Login;
use super::identity::{Identity, Security};
use super::nicknames::next_nick;
use super::queue::Queued;
use super::{Client, End, Now, Phase};

/// Servers look up host names and ask identd first: that alone may take half a minute.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long after the welcome the message of the day is waited for before a PING asks.
const MOTD_PATIENCE: Duration = Duration::from_secs(3);
/// The token of the PING that stands for the end of the message of the day where a server sends none.
const READY: &str = "ready";

pub(super) struct Registration {
    identity: Identity,
    /// The nickname that was asked for last, and how many were.
    asked: Name,
    tries: u8,
    /// What the server offers.
    offer: CapSet,
    /// How many `CAP REQ` are unanswered.
    requests: usize,
    /// The login with an account, if there is one.
    pub(super) login: Option<Login>,
    welcomed: bool,
    /// When to ask whether the server is ready.
    ask_at: Option<Instant>,
    deadline: Instant,
}

impl Registration {
    /// Begins: the registration and its first lines.
    pub(super) fn begin(mut identity: Identity, now: Now) -> (Self, Vec<Line>) {
        let mut lines = Vec::new();
        if let Some(webirc) = &identity.webirc {
            let line = Line::command("WEBIRC").arg(webirc.password.reveal());
            // Of its options none is known to be true: not even whether the user's client is connected securely.
            lines.push(line.arg(&webirc.gateway).arg(&webirc.host).arg(&webirc.ip));
        }
        lines.push(Line::command("CAP").arg("LS").arg("302"));
        if let Some(password) = &identity.server_password {
            lines.push(Line::command("PASS").trailing(password.reveal()));
        }
        lines.push(Line::command("NICK").arg(&identity.nick));
        let user = Line::command("USER").arg(&identity.username).arg("0").arg("*");
        lines.push(user.trailing(&identity.realname));
        let registration = Self {
            asked: identity.nick.clone(),
            login: identity
                .credentials
                .take()
                .map(|credentials| Login::new(credentials, identity.security.is_encrypted())),
            identity,
            tries: 0,
            offer: CapSet::default(),
            requests: 0,
            welcomed: false,
            ask_at: None,
            deadline: now.at + PATIENCE,
        };
        (registration, lines)
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        self.ask_at.map_or(self.deadline, |at| at.min(self.deadline))
    }

    /// Whether the login has taken too long.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// The question whether the server is ready, when it is due.
    pub(super) fn question(&mut self, now: Instant) -> Option<Line> {
        self.ask_at.take_if(|at| now >= *at)?;
        Some(Line::command("PING").trailing(READY))
    }
}

impl Client {
    /// Takes a line while the login is under way. False if it means what it means at any time.
    pub(super) fn register(&mut self, now: Now, message: &Message<'_>) -> bool {
        let numeric = message.numeric();
        let Phase::Registering(registration) = &mut self.phase else {
            return false;
        };
        match (message.command, numeric) {
            ("CAP", _) => self.on_cap(message),
            ("AUTHENTICATE", _) => self.on_challenge(message.param(0)),
            ("NOTICE", _) => self.server_says(message.param(1)),
            ("ERROR", _) => self.on_closing(message.last()),
            ("PONG", _) if message.last() == READY => self.go_online(),
            (_, Some(1)) => {
                if registration.identity.only_upgrade {
                    self.no_upgrade();
                    return true;
                }
                if registration.login.as_ref().is_some_and(|login| !login.is_done()) {
                    self.no_sasl();
                    return true;
                }
                registration.welcomed = true;
                registration.ask_at = Some(now.at + MOTD_PATIENCE);
                self.nick = Name::from(message.param(0));
            }
            (_, Some(375 | 372)) if registration.welcomed && registration.identity.motd => {
                let text = format::to_text(message.last()).plain;
                self.server_says(&text);
            }
            (_, Some(376 | 422)) if registration.welcomed => self.go_online(),
            (_, Some(433 | 436 | 437 | 432)) if !registration.welcomed => {
                self.on_nick_refused(numeric == Some(432), message);
            }
            (_, Some(421)) if message.param(1).eq_ignore_ascii_case("CAP") => {
                if registration.login.is_some() {
                    self.no_sasl();
                } else if registration.identity.only_upgrade {
                    self.no_upgrade();
                }
            }
            (_, Some(903 | 907)) => self.on_logged_in(),
            (_, Some(902 | 904 | 905 | 906)) => self.on_login_refused(message.last()),
            (_, Some(908)) => {
                if let Some(login) = &mut registration.login {
                    login.offered(message.param(1));
                }
            }
            (_, Some(464)) => self.refused(Refusal::NotAuthorized, message.last()),
            (_, Some(465)) => self.refused(Refusal::Banned, message.last()),
            (_, Some(463)) => self.refused(Refusal::Forbidden, message.last()),
            _ => return false,
        }
        true
    }

    fn refused(&mut self, refusal: Refusal, words: &str) {
        let reason = format!("{} refuses the connection: {words}", self.server);
        self.finish(End::Refused(Failure::refused(refusal, reason)));
    }

    pub(super) fn no_sasl(&mut self) {
        // Perhaps not for long: services may be away. Without the login the user would be somebody else there.
        let reason = format!(
            "{} offers no login with an account (SASL) at the moment",
            self.server
        );
        self.finish(End::Refused(Failure::transient(reason)));
    }

    fn no_upgrade(&mut self) {
        let reason = format!(
            "{} can only be reached unencrypted; the password was not sent.",
            self.server
        );
        self.finish(End::Refused(Failure::refused(Refusal::Unreachable, reason)));
    }

    /// The server tells how it wants to be reached (IRCv3 sts): each half of it counts on its own kind of connection.
    fn on_sts(&mut self, sts: Option<Sts>) {
        let Some(sts) = sts else {
            return;
        };
        match self.security {
            Security::PlainByFallback => {
                if let Some(port) = sts.port {
                    self.finish(End::Upgrade { port });
                }
            }
            Security::Verified => self.sts = sts.duration.or(self.sts),
            // The operator's word for this server goes before the server's own.
            Security::PlainByChoice | Security::Unverified => {}
        }
    }

    fn on_cap(&mut self, message: &Message<'_>) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        match message.param(1) {
            "LS" => {
                let told = registration.offer.read_offer(message.last());
                if let (Some(mechanisms), Some(login)) = (&told.mechanisms, &mut registration.login) {
                    login.offered(mechanisms);
                }
                self.modern.offered(&told);
                self.on_sts(told.sts);
                if message.param(2) != "*" {
                    self.request_caps();
                }
            }
            "ACK" => {
                self.caps.read_ack(message.last());
                registration.requests = registration.requests.saturating_sub(1);
                self.caps_settled();
            }
            "NAK" => {
                registration.requests = registration.requests.saturating_sub(1);
                let mut refused = CapSet::default();
                refused.read_offer(message.last());
                // All are refused for the sake of one: ask for each by itself.
                if refused.iter().count() > 1 {
                    for cap in refused.iter() {
                        let mut one = CapSet::default();
                        one.add(cap);
                        self.urgent.push(request(one));
                        registration.requests += 1;
                    }
                }
                self.caps_settled();
            }
            "NEW" => {
                let told = registration.offer.read_offer(message.last());
                self.modern.offered(&told);
                self.on_sts(told.sts);
            }
            "DEL" => self.caps.read_del(message.last()),
            _ => {}
        }
    }

    fn request_caps(&mut self) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        if registration.identity.only_upgrade {
            self.no_upgrade();
            return;
        }
        let log_in = registration.login.is_some();
        if log_in && !registration.offer.has(Cap::Sasl) {
            self.no_sasl();
            return;
        }
        let wanted = registration.offer.wanted(log_in);
        if wanted.is_empty() {
            self.urgent.push(Line::command("CAP").arg("END"));
        } else {
            registration.requests += 1;
            self.urgent.push(request(wanted));
        }
    }

    /// All requests are answered: the login with an account, if there is one, or the end of the negotiation.
    fn caps_settled(&mut self) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        if registration.requests > 0 || registration.welcomed {
            return;
        }
        match &registration.login {
            None => self.urgent.push(Line::command("CAP").arg("END")),
            Some(_) if !self.caps.has(Cap::Sasl) => self.no_sasl(),
            Some(login) if !login.is_begun() => {
                self.authenticate("the server offers no way to log in that can be used here");
            }
            Some(_) => {}
        }
    }

    fn on_nick_refused(&mut self, too_odd: bool, message: &Message<'_>) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        registration.tries += 1;
        let next = next_nick(
            &registration.identity.nick,
            &registration.asked,
            registration.tries,
            too_odd,
        );
        match next {
            Some(nick) => {
                self.urgent.push(Line::command("NICK").arg(&nick));
                registration.asked = Name::from(nick);
            }
            None => {
                let refusal = if too_odd {
                    Refusal::NotAcceptable
                } else {
                    Refusal::Conflict
                };
                let reason = format!(
                    "{} does not accept the nickname {}: {}",
                    self.server,
                    registration.identity.nick,
                    message.last()
                );
                self.finish(End::Refused(Failure::refused(refusal, reason)));
            }
        }
    }

    /// The server ends the connection in these words.
    pub(super) fn on_closing(&mut self, words: &str) {
        let reason = if words.is_empty() {
            format!("{} closed the connection", self.server)
        } else {
            format!("{} closed the connection: {words}", self.server)
        };
        self.finish(End::Lost(reason));
    }

    fn go_online(&mut self) {
        let Phase::Registering(registration) = std::mem::replace(&mut self.phase, Phase::Online) else {
            return;
        };
        self.was_online = true;
        let identity = registration.identity;
        self.me = self.fold(&self.nick);
        self.people.clear();
        self.rooms.rekey(self.isupport.casemapping);
        self.warning = identity.warning;
        self.tell_online();
        for line in identity.commands {
            self.queue.push(Queued::Line(line));
        }
        if let Some(text) = identity.away {
            self.set_away(Some(&text));
        }
        self.rejoin();
    }

    /// The user is online, under these names, and should know this of the connection.
    pub(super) fn tell_online(&mut self) {
        let (nick, me, warning) = (self.nick.clone(), self.me.clone(), self.warning.clone());
        self.tell_server(ServerEvent::Online { nick, me, warning });
        // Who is online anew has been told nothing.
        self.modern.told_relations = Relations::NONE;
        self.modern.sign_up.forget_told();
        self.tell_relations();
        self.tell_sign_up();
    }

    /// CAP at any later time (cap-notify).
    pub(super) fn on_late_cap(&mut self, message: &Message<'_>) {
        match message.param(1) {
            "NEW" => {
                let mut offer = CapSet::default();
                let told = offer.read_offer(message.last());
                self.modern.offered(&told);
                self.on_sts(told.sts);
                // What it needs may have been granted long ago.
                let wanted = offer.with(self.caps).wanted(false).without(self.caps);
                if !wanted.is_empty() {
                    self.questions.push_provoked(request(wanted));
                }
            }
            "ACK" => self.caps.read_ack(message.last()),
            "DEL" => self.caps.read_del(message.last()),
            _ => {}
        }
        self.tell_relations();
        self.tell_sign_up();
    }
}

fn request(caps: CapSet) -> Line {
    Line::command("CAP").arg("REQ").trailing(&caps.names())
}
