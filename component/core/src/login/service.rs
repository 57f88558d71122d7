//! Requests to the gateway itself, to servers and to people. Everything ends in one answer.

use viaduct_bridge::{PersonId, ServerId, Timestamp};

use super::Login;
use crate::effect::Effects;
use crate::ns;
use crate::records::PageRequest;
use crate::rsm;
use crate::service::{CAPS_NODE, DiscoInfo, gateway_info, person_info};
use crate::stanza::{Condition, Incoming, Problem};
use crate::time;
use crate::xml::Stanza;

impl Login {
    pub(super) fn gateway_iq(&mut self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        if !stanza.is_request() {
            return;
        }
        let Some(payload) = stanza.payload() else {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        };
        let namespace = payload.ns();
        match (stanza.ty(), payload.name(), namespace.as_str()) {
            (_, "query", ns::REGISTER) => self.register_iq(now, stanza, out),
            ("set", "command", ns::COMMANDS) => self.command_iq(now, stanza, out),
            ("get", "query", ns::DISCO_INFO) => {
                let answer = self.gateway_disco_info(stanza);
                self.answer(stanza, answer, out);
            }
            ("get", "query", ns::DISCO_ITEMS) => {
                let answer = self.gateway_disco_items(stanza);
                self.answer(stanza, answer, out);
            }
            (_, "query", ns::GATEWAY) => {
                let answer = self.gateway_prompt(stanza);
                self.answer(stanza, answer, out);
            }
            _ => self.common_iq(now, stanza, out),
        }
    }

    /// Answers a request with a result or an error.
    pub(super) fn answer(&self, stanza: &Incoming, answer: Result<Stanza, Problem>, out: &mut Effects) {
        match answer {
            Ok(stanza) => out.send(stanza),
            Err(problem) => out.send_opt(stanza.error(&problem)),
        }
    }

    /// What every address of the gateway answers: ping, version, time; all else is not there.
    pub(super) fn common_iq(&self, now: Timestamp, stanza: &Incoming, out: &mut Effects) {
        if !stanza.is_request() {
            return;
        }
        let Some(payload) = stanza.payload() else {
            return out.send_opt(stanza.error(&Problem::new(Condition::BadRequest)));
        };
        let namespace = payload.ns();
        match (stanza.ty(), payload.name(), namespace.as_str()) {
            ("get", "ping", ns::PING) => out.send(stanza.done()),
            ("get", "query", ns::VERSION) => {
                let mut xml = stanza.result();
                xml.start_ns("query", ns::VERSION)
                    .leaf("name", "viaduct")
                    .leaf("version", self.ctx.version);
                out.send(xml.finish());
            }
            ("get", "time", ns::TIME) => {
                let mut xml = stanza.result();
                xml.start_ns("time", ns::TIME)
                    .leaf("tzo", "+00:00")
                    .leaf("utc", &time::format(now));
                out.send(xml.finish());
            }
            _ => out.send_opt(stanza.error(&Problem::new(Condition::ServiceUnavailable))),
        }
    }

    fn gateway_disco_info(&self, stanza: &Incoming) -> Result<Stanza, Problem> {
        let node = stanza.payload().and_then(|query| query.attr("node"));
        let info = match node {
            None => gateway_info(&self.ctx, self.ctx.access.allows(&self.user)),
            Some(node)
                if node
                    .strip_prefix(CAPS_NODE)
                    .is_some_and(|rest| rest.starts_with('#')) =>
            {
                let info = gateway_info(&self.ctx, true);
                if node[CAPS_NODE.len() + 1..] != info.ver() {
                    return Err(Problem::new(Condition::ItemNotFound));
                }
                info
            }
            Some(node) => self.command_info(node)?,
        };
        let mut xml = stanza.result();
        info.write(&mut xml, node);
        Ok(xml.finish())
    }

    fn gateway_disco_items(&self, stanza: &Incoming) -> Result<Stanza, Problem> {
        let query = stanza.payload();
        let node = query.and_then(|query| query.attr("node"));
        let mut xml = stanza.result();
        xml.start_ns("query", ns::DISCO_ITEMS).attr_opt("node", node);
        match node {
            None => {
                let request = query
                    .and_then(|query| query.get_child("set", ns::RSM))
                    .map(rsm::parse)
                    .transpose()?;
                let mut rooms: Vec<(&str, &str)> = self
                    .rooms
                    .values()
                    .filter(|room| !room.joined.is_empty() && !room.flags.hidden)
                    .map(|room| (room.jid.as_str(), room.room.room.as_str()))
                    .collect();
                rooms.sort_unstable();
                let unasked = PageRequest {
                    max: 100,
                    place: crate::records::PagePlace::First,
                };
                let paged = request.is_some() || rooms.len() > 100;
                let page = rsm::cut(&rooms, |room| room.0, &request.unwrap_or(unasked))?;
                for (jid, name) in page.items {
                    xml.start("item").attr("jid", jid).attr("name", name).end();
                }
                if paged {
                    rsm::write(&mut xml, &page.ends, page.first_index, page.count);
                }
            }
            Some(ns::COMMANDS) => {
                for command in self.commands() {
                    xml.start("item")
                        .attr("jid", &self.ctx.domain)
                        .attr("node", command.node);
                    xml.attr("name", command.title).end();
                }
            }
            Some(_) => return Err(Problem::new(Condition::ItemNotFound)),
        }
        Ok(xml.finish())
    }

    /// `jabber:iq:gateway` (XEP-0100 §6).
    fn gateway_prompt(&self, stanza: &Incoming) -> Result<Stanza, Problem> {
        let mut xml = stanza.result();
        xml.start_ns("query", ns::GATEWAY);
        if stanza.ty() == "get" {
            let bridge = &self.ctx.bridge;
            let translated = stanza.language().and_then(|language| bridge.prompt_in(language));
            let (description, prompt) = translated.unwrap_or_else(|| bridge.prompt());
            xml.leaf("desc", description).leaf("prompt", prompt);
            return Ok(xml.finish());
        }
        let typed = stanza
            .payload()
            .and_then(|query| query.get_child("prompt", ns::GATEWAY))
            .map(minidom::Element::text);
        let typed = typed.filter(|text| !text.trim().is_empty());
        let typed =
            typed.ok_or_else(|| Problem::because(Condition::NotAcceptable, "Please type an address."))?;
        let address = self.ctx.bridge.parse_typed(&typed);
        let address = address.map_err(|bad| Problem::because(Condition::NotAcceptable, bad.reason))?;
        xml.leaf("jid", &self.ctx.jid(&address));
        Ok(xml.finish())
    }

    pub(super) fn person_iq(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let able = self.relations(&person.server);
        let name = stanza.to.node().map_or("", |node| node.as_str()).to_owned();
        self.disco_or(now, stanza, || person_info(&name, able), out);
    }

    pub(super) fn server_iq(
        &mut self,
        now: Timestamp,
        server: &ServerId,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let info = || DiscoInfo {
            identities: vec![("server", "im".into(), server.to_string())],
            features: vec![ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::VERSION, ns::TIME],
            form: None,
        };
        self.disco_or(now, stanza, info, out);
    }

    /// Answers disco with this and with no items, all else as every address does.
    pub(super) fn disco_or(
        &self,
        now: Timestamp,
        stanza: &Incoming,
        info: impl Fn() -> DiscoInfo,
        out: &mut Effects,
    ) {
        let payload = stanza.payload().filter(|_| stanza.ty() == "get");
        let node = payload.and_then(|query| query.attr("node"));
        let asked = payload.map(|query| (query.name().to_owned(), query.ns()));
        match asked
            .as_ref()
            .map(|(name, namespace)| (name.as_str(), namespace.as_str()))
        {
            Some(("query", ns::DISCO_INFO | ns::DISCO_ITEMS)) if node.is_some() => {
                out.send_opt(stanza.error(&Problem::new(Condition::ItemNotFound)));
            }
            Some(("query", ns::DISCO_INFO)) => {
                let mut xml = stanza.result();
                info().write(&mut xml, None);
                out.send(xml.finish());
            }
            Some(("query", ns::DISCO_ITEMS)) => {
                let mut xml = stanza.result();
                out.send(xml.empty("query", ns::DISCO_ITEMS).finish());
            }
            _ => self.common_iq(now, stanza, out),
        }
    }
}
