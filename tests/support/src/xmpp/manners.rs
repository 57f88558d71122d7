//! What a well-behaved client answers without being asked by its user.
//!
//! Servers and gateways ping clients, ask what they can do, and push rosters. A test that is about something
//! else should not have to answer, and a gateway that looks after its occupants should not find ours dead.

use minidom::Element;

use super::stanza::{StanzaExt as _, ns};
use super::xml::tag;

/// What to do with a stanza that asks for an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reaction {
    /// The answer to send.
    pub(super) answer: Option<String>,
    /// Whether the test need not see it.
    pub(super) hide: bool,
}

/// The reaction to something that arrived at the client with this JID.
pub(super) fn reaction(stanza: &Element, own_jid: &str, features: &[String]) -> Reaction {
    let result = |payload: &str| {
        let iq = tag("iq").attr("type", "result").attr("id", stanza.id());
        let iq = if stanza.from().is_empty() {
            iq
        } else {
            iq.attr("to", stanza.from())
        };
        Some(iq.child(payload).to_string())
    };
    let own_server = stanza.from().is_empty() || own_jid.starts_with(stanza.from());
    match (stanza.name(), stanza.kind()) {
        ("iq", "get") if stanza.has_child("ping", ns::PING) => Reaction {
            answer: result(""),
            hide: true,
        },
        ("iq", "get") if stanza.has_child("query", ns::DISCO_INFO) => Reaction {
            answer: result(&disco(stanza, features)),
            hide: true,
        },
        // The push itself may be what a test waits for.
        ("iq", "set") if own_server && stanza.has_child("query", ns::ROSTER) => Reaction {
            answer: result(""),
            hide: false,
        },
        _ => Reaction::default(),
    }
}

fn disco(stanza: &Element, features: &[String]) -> String {
    let query = tag("query").ns(ns::DISCO_INFO);
    let node = stanza
        .get_child("query", ns::DISCO_INFO)
        .and_then(|query| query.attr("node"));
    let query = node.map_or(query.clone(), |node| query.attr("node", node));
    let identity = tag("identity")
        .attr("category", "client")
        .attr("type", "bot")
        .attr("name", "viaduct test");
    let all = [ns::DISCO_INFO, ns::PING]
        .into_iter()
        .chain(features.iter().map(String::as_str));
    all.fold(query.child(identity), |query, feature| {
        query.child(tag("feature").attr("var", feature))
    })
    .to_string()
}
