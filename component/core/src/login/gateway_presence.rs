//! Presence between the user and the gateway itself: subscription, logging in, logging out (XEP-0100 §4).

use std::time::Duration;

use viaduct_bridge::{Command, Failure, Name, Refusal};

use super::Login;
use super::servers::Link;
use crate::effect::{Effect, Effects, Timer};
use crate::portal::presence::status;
use crate::service::write_caps;
use crate::stanza::{Condition, Incoming, Problem, write_error};
use crate::xml::Xml;

/// Stands for the gateway itself among those whom presence is shown to.
pub(super) const GATEWAY: &str = "";
/// The pause before a login that failed is tried again; it doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// How many presences of one user are kept in mind.
const MOST_SHOWN: usize = 1000;

/// The resources of the user that are available, and to whom: to the gateway, or (where it has not been told) to
/// people on it.
#[derive(Debug, Default)]
pub(super) struct Online(Vec<(Name, Name)>);

impl Online {
    /// The resources.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Name> {
        self.0.iter().map(|(resource, _)| resource)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn add(&mut self, resource: Name, to: Name) {
        if to.as_str() == GATEWAY {
            self.remove(&resource, GATEWAY);
        }
        let known =
            |(other, whom): &(Name, Name)| *other == resource && (whom.as_str() == GATEWAY || *whom == to);
        if self.0.len() < MOST_SHOWN && !self.0.iter().any(known) {
            self.0.push((resource, to));
        }
    }

    /// A resource is no longer available to somebody; without the gateway, to nobody. Whether it was before.
    fn remove(&mut self, resource: &Name, from: &str) -> bool {
        let before = self.0.len();
        self.0
            .retain(|(other, whom)| other != resource || (from != GATEWAY && whom.as_str() != from));
        self.0.len() < before
    }
}

/// How the login by presence goes.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// How often it has failed in a row.
    failures: u32,
    /// Whether the user was asked for other credentials.
    asked: bool,
    /// Whether the user was looked for since the login was loaded, and has not answered.
    looked: bool,
    probing: bool,
}

impl Entry {
    /// It has succeeded, or something has changed: all is open again.
    pub(super) fn begin_anew(&mut self) {
        (self.failures, self.asked) = (0, false);
    }
}

impl Login {
    pub(super) fn gateway_presence(&mut self, stanza: &Incoming, out: &mut Effects) {
        match stanza.ty() {
            "" => self.available(stanza.resource(), GATEWAY.into(), out),
            "unavailable" => self.unavailable(&stanza.resource(), GATEWAY, out),
            "subscribe" => self.subscribe(out),
            "probe" => self.announce_login(out),
            "unsubscribe" => self.answer_gateway("unsubscribed", out),
            // The answer to a probe where there is no subscription.
            "unsubscribed" if std::mem::take(&mut self.entry.probing) => {}
            // The user does not want the gateway in the roster: presence will tell nothing any more.
            "unsubscribed" if !self.online.is_empty() && !self.preferences.stay_connected => {
                self.log_out(out)
            }
            // "subscribed" is what we asked for; errors are about what we sent.
            _ => {}
        }
    }

    fn answer_gateway(&self, ty: &str, out: &mut Effects) {
        out.send(
            Xml::stanza("presence", &self.ctx.domain, &self.bare)
                .attr("type", ty)
                .finish(),
        );
    }

    fn subscribe(&mut self, out: &mut Effects) {
        if self.account.is_some() {
            self.answer_gateway("subscribed", out);
            self.announce_login(out);
            return;
        }
        self.answer_gateway("unsubscribed", out);
        let text = match self.shut_out() {
            Some(problem) => problem.text.unwrap_or_default(),
            None => format!(
                "Register with {} to have it in your contact list. Send 'help' to learn how.",
                self.ctx.domain
            ),
        };
        self.say(&text, out);
    }

    /// Says something to the user from the gateway.
    pub(crate) fn say(&self, text: &str, out: &mut Effects) {
        let mut xml = Xml::stanza("message", &self.ctx.domain, &self.bare);
        out.send(
            xml.attr("type", "chat")
                .attr("id", &self.ctx.token())
                .leaf("body", text)
                .finish(),
        );
    }

    /// A resource is available to the gateway, or to somebody on it.
    pub(super) fn available(&mut self, resource: Name, to: Name, out: &mut Effects) {
        if self.account.is_none() || self.shut_out().is_some() {
            return;
        }
        self.entry.probing = false;
        let (first, to_gateway) = (self.online.is_empty(), to.as_str() == GATEWAY);
        self.online.add(resource, to);
        self.tell_aftermath(out);
        if first {
            self.log_in(out);
        } else if to_gateway {
            self.announce_login(out);
        }
    }

    /// Connects to where the user's presence alone leads.
    pub(super) fn log_in(&mut self, out: &mut Effects) {
        let Some(server) = self.ctx.bridge.home_server(self.account.as_ref()) else {
            self.announce_login(out);
            return;
        };
        if matches!(self.server(&server).link, Link::Online { .. } | Link::Connecting) {
            self.announce_login(out);
            return;
        }
        let nick = self.default_nick();
        self.submit(Command::Connect { server, nick }, out);
    }

    pub(super) fn unavailable(&mut self, resource: &Name, from: &str, out: &mut Effects) {
        if !self.online.remove(resource, from) || !self.online.is_empty() || self.preferences.stay_connected {
            return;
        }
        if !self.rooms.values().any(|room| room.kept) {
            return self.log_out(out);
        }
        // The user stays in some rooms; the other servers are left.
        let servers: Vec<_> = self.servers.keys().cloned().collect();
        for server in servers {
            self.release(&server, out);
        }
    }

    /// Leaves the network (XEP-0100 §4.5).
    pub(crate) fn log_out(&mut self, out: &mut Effects) {
        self.end_session(&[status::KICKED], "You have logged out.", out);
    }

    /// Ends everything that the user has on the network; clients in rooms are told with these codes and words.
    pub(super) fn end_session(&mut self, codes: &[&'static str], words: &str, out: &mut Effects) {
        self.online.clear();
        self.away = None;
        let refused = Problem::because(Condition::ServiceUnavailable, words);
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for room in rooms {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.refuse_waiting(&refused, out);
                room.expel(&self.ctx, codes, Some(words), out);
                room.let_go(out);
                let _ = room.depart(None);
            }
        }
        self.servers.clear();
        if std::mem::take(&mut self.session) {
            out.push(Effect::CloseSession { reason: None });
        }
        self.show_contacts(out);
        self.answer_gateway("unavailable", out);
    }

    /// Shows the user how the gateway stands for them, while they are online.
    pub(super) fn announce_login(&mut self, out: &mut Effects) {
        if self.online.is_empty() || !self.attached {
            return;
        }
        let home = self.ctx.bridge.home_server(self.account.as_ref());
        let link = home
            .as_ref()
            .and_then(|server| self.servers.get(server))
            .map(|server| &server.link);
        let mut xml = Xml::stanza("presence", &self.ctx.domain, &self.bare);
        match (home, link) {
            (None, _) | (Some(_), Some(Link::Online { .. })) => {
                write_caps(&mut xml, &self.ctx, self.may_register());
            }
            (Some(server), Some(Link::Offline { reason })) => {
                xml.leaf("show", "xa")
                    .leaf("status", &format!("Not connected to {server}: {reason}"));
                write_caps(&mut xml, &self.ctx, self.may_register());
            }
            (Some(_), Some(Link::Failed { failure })) => {
                xml.attr("type", "error");
                write_error(&mut xml, &Problem::from(failure));
            }
            (Some(_), Some(Link::Idle | Link::Connecting) | None) => return,
        }
        out.send(xml.finish());
    }

    /// The first thing on a new link: the user is told how things stand, and asked whether they are there (XEP-0100
    /// §8).
    pub(super) fn look_for_user(&mut self, out: &mut Effects) {
        self.announce_login(out);
        if self.account.is_none() || std::mem::replace(&mut self.entry.looked, true) {
            return;
        }
        if self.online.is_empty() {
            let mut xml = Xml::stanza("presence", &self.ctx.domain, &self.bare);
            let home = self.ctx.bridge.home_server(self.account.as_ref());
            let connected = home.is_none_or(|server| {
                let server = self.servers.get(&server);
                server.is_some_and(|server| matches!(server.link, Link::Online { .. }))
            });
            if connected {
                write_caps(&mut xml, &self.ctx, self.may_register());
            } else {
                xml.attr("type", "unavailable");
            }
            out.send(xml.finish());
        }
        self.entry.probing = true;
        self.answer_gateway("probe", out);
    }

    /// A login by presence did not succeed: it is tried again later, or the user is asked for other credentials.
    pub(super) fn entry_failed(&mut self, failure: &Failure, out: &mut Effects) {
        match failure {
            Failure::Permanent {
                refusal: Refusal::NotAuthorized,
                reason,
            } if !std::mem::replace(&mut self.entry.asked, true) => {
                let text = format!(
                    "{reason}\nPlease give me your new password: open xmpp:{}?command;node=register or send me \
                     'register'.",
                    self.ctx.domain
                );
                self.say(&text, out);
            }
            Failure::Transient { retry_after, .. } => self.try_later(*retry_after, out),
            Failure::Permanent {
                refusal: Refusal::Unreachable,
                ..
            } => self.try_later(None, out),
            _ => {}
        }
    }

    fn try_later(&mut self, wish: Option<Duration>, out: &mut Effects) {
        let delay = FIRST_RETRY * 2_u32.saturating_pow(self.entry.failures);
        self.entry.failures = self.entry.failures.saturating_add(1).min(16);
        let jitter = Duration::from_millis(u64::from(self.ctx.entropy.bytes()[0]));
        out.push(Effect::SetTimer {
            timer: Timer::LogIn,
            after: wish.unwrap_or(delay).min(LAST_RETRY) + jitter,
        });
    }

    pub(super) fn log_in_again(&mut self, out: &mut Effects) {
        if self.wants_home() {
            self.log_in(out);
        }
    }

    /// Whether the user is to be at the account's server, rooms or not.
    pub(super) fn wants_home(&self) -> bool {
        let stays = self.account.is_some() && self.preferences.stay_connected;
        !self.online.is_empty() || stays
    }

    /// The presence error of a login that cannot go on (XEP-0100 §4.4.2).
    pub(super) fn refuse_login(&self, failure: &Failure, out: &mut Effects) {
        let mut problem = Problem::from(failure);
        if !matches!(
            problem.condition,
            Condition::NotAuthorized | Condition::RemoteServerTimeout
        ) {
            problem.condition = Condition::RemoteServerTimeout;
        }
        let mut xml = Xml::stanza("presence", &self.ctx.domain, &self.bare);
        xml.attr("type", "error");
        write_error(&mut xml, &problem);
        out.send(xml.finish());
    }
}
