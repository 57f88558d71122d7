//! Requests to the gateway itself, to servers and to people. Everything ends in one answer.

use viaduct_bridge::{PersonId, ServerId, Timestamp};

use super::Login;
use crate::command::Target;
use crate::effect::Effects;
use crate::ns;
use crate::service::{CAPS_NODE, DiscoInfo, gateway_info, server_info};
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
            (_, "query", ns::REGISTER) => self.register_iq(stanza, out),
            ("set", "command", ns::COMMANDS) => self.command_iq(now, &Target::Gateway, stanza, out),
            ("get", "query", ns::DISCO_INFO) => {
                let answer = self.gateway_disco_info(stanza);
                self.answer(stanza, answer, out);
            }
            ("get", "query", ns::DISCO_ITEMS) if payload.attr("node").is_none() => {
                self.gateway_rooms(stanza, out);
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
            None => gateway_info(&self.ctx, self.may_register()),
            Some(node)
                if node
                    .strip_prefix(CAPS_NODE)
                    .is_some_and(|rest| rest.starts_with('#')) =>
            {
                let info = gateway_info(&self.ctx, self.may_register());
                if node[CAPS_NODE.len() + 1..] != info.ver() {
                    return Err(Problem::new(Condition::ItemNotFound));
                }
                info
            }
            Some(node) => self.command_info(&Target::Gateway, node)?,
        };
        let mut xml = stanza.result();
        info.write(&mut xml, node);
        Ok(xml.finish())
    }

    /// disco#items on a node of the gateway: the commands. Without a node see `listing`.
    fn gateway_disco_items(&self, stanza: &Incoming) -> Result<Stanza, Problem> {
        match stanza.payload().and_then(|query| query.attr("node")) {
            Some(ns::COMMANDS) => Ok(self.command_items(&Target::Gateway, stanza)),
            _ => Err(Problem::new(Condition::ItemNotFound)),
        }
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
        let name = stanza.to.node().map_or("", |node| node.as_str()).to_owned();
        self.ask_about(now, person, &name, stanza, out);
    }

    pub(super) fn server_iq(
        &mut self,
        now: Timestamp,
        server: &ServerId,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        if self.command_requests(now, &Target::Server(server.clone()), stanza, out) {
            return;
        }
        let payload = stanza.payload().filter(|_| stanza.is_request());
        let asked = payload.map(|query| (query.name().to_owned(), query.ns(), query.attr("node").is_some()));
        match asked
            .as_ref()
            .map(|(name, namespace, node)| (stanza.ty(), name.as_str(), namespace.as_str(), *node))
        {
            Some(("get", "query", ns::DISCO_ITEMS, false)) => self.server_rooms(server, stanza, out),
            Some(("get", "query", ns::SEARCH, _)) => self.search_form(server, stanza, out),
            Some(("set", "query", ns::SEARCH, _)) => self.search(server, stanza, out),
            _ => self.disco_or(now, stanza, || server_info(server), out),
        }
    }

    /// Answers what is about commands on a server or in a room: running them, and finding them by disco. Whether it was
    /// such a request.
    pub(super) fn command_requests(
        &mut self,
        now: Timestamp,
        target: &Target,
        stanza: &Incoming,
        out: &mut Effects,
    ) -> bool {
        let Some(payload) = stanza.payload().filter(|_| stanza.is_request()) else {
            return false;
        };
        let (namespace, node) = (payload.ns(), payload.attr("node"));
        match (stanza.ty(), payload.name(), namespace.as_str(), node) {
            ("set", "command", ns::COMMANDS, _) => self.command_iq(now, target, stanza, out),
            ("get", "query", ns::DISCO_ITEMS, Some(ns::COMMANDS)) => {
                out.send(self.command_items(target, stanza));
            }
            ("get", "query", ns::DISCO_INFO, Some(node)) if self.has_command(target, node) => {
                let answer = self.command_info(target, node).map(|info| {
                    let mut xml = stanza.result();
                    info.write(&mut xml, Some(node));
                    xml.finish()
                });
                self.answer(stanza, answer, out);
            }
            _ => return false,
        }
        true
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
