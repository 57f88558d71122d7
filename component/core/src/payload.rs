//! What is inside a message: from a client to the network, and from the network to clients.

use minidom::Element;
use viaduct_bridge::{Content, MessageKind, Text};

use crate::ns;
use crate::stanza::Incoming;
use crate::styling;
use crate::xml::{Xml, fragment};

/// The payload that shows what somebody on the network said.
#[must_use]
pub fn from_network(content: &Content) -> String {
    let styled = styling::write(&content.text);
    let body = match content.kind {
        MessageKind::Text => styled,
        MessageKind::Emote => format!("/me {styled}").into(),
        MessageKind::Notice => format!("[notice] {styled}").into(),
    };
    let mut xml = Xml::new("body");
    xml.text(&body);
    xml.finish_fragment()
}

/// What a client's message says to the network.
#[must_use]
pub fn to_network(message: &Incoming, body: &str) -> Content {
    let (kind, body) = match body.strip_prefix("/me ") {
        Some(action) => (MessageKind::Emote, action),
        None => (MessageKind::Text, body),
    };
    let unstyled = message.element.has_child("unstyled", ns::STYLING);
    let text = if unstyled {
        Text::plain(body)
    } else {
        styling::read(body)
    };
    Content { kind, text }
}

/// The payloads of a client's message that go to the other clients unchanged: all but those that the room itself
/// must own (XEP-0045 §17.2).
#[must_use]
pub fn reflected(message: &Element) -> String {
    message
        .children()
        .filter(|child| !is_owned_by_room(child, message))
        .map(fragment)
        .collect()
}

fn is_owned_by_room(child: &Element, message: &Element) -> bool {
    if child.is("stanza-id", ns::SID) {
        return !is_by_others(child, message);
    }
    let owned = [
        ("occupant-id", ns::OCCUPANT_ID),
        ("x", ns::MUC_USER),
        ("x", ns::MUC),
        ("delay", ns::DELAY),
        ("retracted", ns::RETRACT),
        ("private", ns::CARBONS),
        ("error", ns::COMPONENT),
    ];
    owned.iter().any(|(name, namespace)| child.is(*name, *namespace))
}

/// Whether a stanza-id was put there by somebody outside of the gateway: those stay (XEP-0359 §3).
fn is_by_others(id: &Element, message: &Element) -> bool {
    let jid = |element: &Element, name: &str| element.attr(name).and_then(|text| jid::Jid::new(text).ok());
    match (jid(id, "by"), jid(message, "to")) {
        (Some(by), Some(to)) => by.domain() != to.domain(),
        _ => false,
    }
}

/// Why a message cannot go to any network: it is encrypted from one client to another (XEP-0380).
#[must_use]
pub fn encryption(message: &Element) -> Option<&'static str> {
    const ENCRYPTED: [(&str, &str, &str); 6] = [
        ("encrypted", "eu.siacs.conversations.axolotl", "OMEMO"),
        ("encrypted", "urn:xmpp:omemo:1", "OMEMO"),
        ("encrypted", "urn:xmpp:omemo:2", "OMEMO"),
        ("openpgp", "urn:xmpp:openpgp:0", "OpenPGP"),
        ("x", "jabber:x:encrypted", "OpenPGP"),
        ("encryption", ns::EME, "end-to-end"),
    ];
    ENCRYPTED
        .iter()
        .find(|(name, namespace, _)| message.has_child(*name, *namespace))
        .map(|(_, _, method)| *method)
        .or_else(|| {
            let body = message.get_child("body", ns::COMPONENT).map(Element::text)?;
            body.starts_with("?OTR").then_some("OTR")
        })
}
