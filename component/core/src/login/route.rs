//! Which part of a login a stanza is for.

use viaduct_bridge::{Address, Timestamp};

use super::Login;
use crate::access::Registration;
use crate::effect::Effects;
use crate::stanza::{Condition, Incoming, Kind, Problem};
use crate::xml::Xml;

impl Login {
    pub(super) fn route(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        let address = match stanza.to.node() {
            None => return self.for_gateway(now, stanza, out),
            Some(local) => self.ctx.bridge.parse(local.as_str()),
        };
        match address {
            Ok(Address::Room(room)) if self.is_elsewhere(&room, stanza) => self.redirect(&room, stanza, out),
            Ok(Address::Room(room)) => match stanza.kind {
                Kind::Presence => self.room_presence(now, &room, stanza, out),
                Kind::Message => self.room_message(&room, stanza, out),
                Kind::Iq => self.room_iq(now, &room, stanza, out),
            },
            Ok(Address::Person(person)) => match stanza.kind {
                Kind::Presence => self.person_presence(&person, stanza, out),
                Kind::Message => self.person_message(&person, stanza, out),
                Kind::Iq => self.person_iq(now, &person, stanza, out),
            },
            Ok(Address::Server(server)) => match stanza.kind {
                Kind::Presence => {}
                Kind::Message => self.server_message(&server, stanza, out),
                Kind::Iq => self.server_iq(now, &server, stanza, out),
            },
            Err(bad) => {
                let problem = Problem::because(Condition::ItemNotFound, bad.reason);
                match (stanza.kind, stanza.ty()) {
                    (Kind::Presence, "subscribe" | "probe") => {
                        let mut xml = Xml::stanza("presence", stanza.to.to_bare().as_str(), &self.bare);
                        out.send(xml.attr("type", "unsubscribed").finish());
                    }
                    (Kind::Presence, "") | (Kind::Message, _) => out.send_opt(stanza.error(&problem)),
                    (Kind::Presence, _) => {}
                    (Kind::Iq, _) => out.send_opt(stanza.error(&problem)),
                }
            }
        }
    }

    fn for_gateway(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        match stanza.kind {
            Kind::Presence => self.gateway_presence(stanza, out),
            Kind::Message => self.gateway_message(stanza, out),
            Kind::Iq => self.gateway_iq(now, stanza, out),
        }
    }

    /// Why this user may not use the network at all, if so.
    pub(crate) fn shut_out(&self) -> Option<Problem> {
        if !self.ctx.access.allows(&self.user) {
            let text = format!(
                "{} is not open to users of {}.",
                self.ctx.domain,
                self.user.domain()
            );
            return Some(Problem::because(Condition::Forbidden, text));
        }
        if self.account.is_some() {
            return None;
        }
        match self.ctx.registration {
            Registration::Closed => {
                let text = format!("{} takes no new users.", self.ctx.domain);
                Some(Problem::because(Condition::Forbidden, text))
            }
            Registration::Optional if self.ctx.bridge.capabilities().guests => None,
            Registration::Optional | Registration::Required => {
                let text = format!("Please register with {} first.", self.ctx.domain);
                Some(Problem::because(Condition::RegistrationRequired, text))
            }
        }
    }

    /// Whether this user may register, or change the registration on record.
    pub(crate) fn may_register(&self) -> bool {
        let open = self.account.is_some() || self.ctx.registration != Registration::Closed;
        open && self.ctx.access.allows(&self.user)
    }
}
