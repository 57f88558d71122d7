//! Presence between the user and the gateway itself: subscription, logging in, logging out (XEP-0100 §4).

use viaduct_bridge::{Command, Name};

use super::Login;
use super::servers::Link;
use crate::effect::{Effect, Effects};
use crate::service::write_caps;
use crate::stanza::{Condition, Incoming, Problem, write_error};
use crate::xml::Xml;

impl Login {
    pub(super) fn gateway_presence(&mut self, stanza: &Incoming, out: &mut Effects) {
        match stanza.ty() {
            "" => self.available(stanza.resource(), out),
            "unavailable" => self.unavailable(&stanza.resource(), out),
            "subscribe" => self.subscribe(out),
            "probe" => self.announce_login(out),
            "unsubscribe" => self.answer_gateway("unsubscribed", out),
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

    pub(super) fn available(&mut self, resource: Name, out: &mut Effects) {
        if self.account.is_none() {
            return;
        }
        if !self.online.contains(&resource) {
            self.online.push(resource);
        }
        if self.online.len() == 1 {
            self.log_in(out);
        } else {
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

    fn unavailable(&mut self, resource: &Name, out: &mut Effects) {
        let known = self.online.contains(resource);
        self.online.retain(|online| online != resource);
        if known && self.online.is_empty() && !self.preferences.stay_connected {
            self.log_out(out);
        }
    }

    /// Leaves the network (XEP-0100 §4.5).
    pub(crate) fn log_out(&mut self, out: &mut Effects) {
        self.online.clear();
        let rooms: Vec<_> = self.rooms.keys().cloned().collect();
        for room in rooms {
            if let Some(room) = self.rooms.get_mut(&room) {
                room.expel(&self.ctx, &[], Some("You have logged out."), out);
                let _ = room.depart(None);
            }
        }
        self.servers.clear();
        if std::mem::take(&mut self.session) {
            out.push(Effect::CloseSession { reason: None });
        }
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
                write_caps(&mut xml, &self.ctx);
            }
            (Some(server), Some(Link::Offline { reason })) => {
                xml.leaf("show", "xa")
                    .leaf("status", &format!("Not connected to {server}: {reason}"));
                write_caps(&mut xml, &self.ctx);
            }
            (Some(_), Some(Link::Failed { failure })) => {
                xml.attr("type", "error");
                write_error(&mut xml, &Problem::from(failure));
            }
            (Some(_), Some(Link::Idle | Link::Connecting) | None) => return,
        }
        out.send(xml.finish());
    }

    /// The presence error of a login that cannot go on (XEP-0100 §4.4.2).
    pub(super) fn refuse_login(&self, failure: &viaduct_bridge::Failure, out: &mut Effects) {
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
