//! Reading stanzas in tests.

use anyhow::{Context, Result};
use minidom::Element;

/// The namespaces that the tests name most.
pub mod ns {
    /// RFC 6120 stanzas.
    pub const CLIENT: &str = "jabber:client";
    /// RFC 6120 error conditions.
    pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
    /// XEP-0030 disco#info.
    pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
    /// XEP-0030 disco#items.
    pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
    /// XEP-0004 data forms.
    pub const DATA: &str = "jabber:x:data";
    /// XEP-0045.
    pub const MUC: &str = "http://jabber.org/protocol/muc";
    /// XEP-0045, what rooms say to occupants.
    pub const MUC_USER: &str = "http://jabber.org/protocol/muc#user";
    /// XEP-0045, moderation.
    pub const MUC_ADMIN: &str = "http://jabber.org/protocol/muc#admin";
    /// XEP-0050.
    pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
    /// XEP-0077.
    pub const REGISTER: &str = "jabber:iq:register";
    /// XEP-0092.
    pub const VERSION: &str = "jabber:iq:version";
    /// XEP-0100 §6.3.
    pub const GATEWAY: &str = "jabber:iq:gateway";
    /// XEP-0199.
    pub const PING: &str = "urn:xmpp:ping";
    /// XEP-0203.
    pub const DELAY: &str = "urn:xmpp:delay";
    /// XEP-0313.
    pub const MAM: &str = "urn:xmpp:mam:2";
    /// XEP-0359.
    pub const SID: &str = "urn:xmpp:sid:0";
    /// XEP-0421.
    pub const OCCUPANT_ID: &str = "urn:xmpp:occupant-id:0";
    /// RFC 6121 rosters.
    pub const ROSTER: &str = "jabber:iq:roster";
}

/// The error of a stanza, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StanzaError {
    /// `cancel`, `modify`, `auth`, `wait`.
    pub kind: String,
    /// The defined condition.
    pub condition: String,
    /// What it says in words, if anything.
    pub text: Option<String>,
    /// The legacy `code` attribute.
    pub code: Option<String>,
}

/// Parses one stanza of a client stream.
pub fn parse_stanza(raw: &str) -> Result<Element> {
    let wrapped = format!(
        "<w xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams'>{raw}</w>",
        ns::CLIENT
    );
    let mut wrapper: Element = wrapped
        .parse()
        .with_context(|| format!("this is no XML: {raw}"))?;
    wrapper
        .unshift_child()
        .with_context(|| format!("this is no element: {raw}"))
}

/// A JID without its resource.
pub fn bare(jid: &str) -> &str {
    jid.split_once('/').map_or(jid, |(bare, _)| bare)
}

/// The resource of a JID, or nothing.
pub fn resource(jid: &str) -> &str {
    jid.split_once('/').map_or("", |(_, resource)| resource)
}

/// What tests ask of a stanza. Absent attributes are empty strings.
pub trait StanzaExt {
    /// The `id`.
    fn id(&self) -> &str;
    /// The `from`.
    fn from(&self) -> &str;
    /// The `to`.
    fn to(&self) -> &str;
    /// The `type`.
    fn kind(&self) -> &str;
    /// Whether it is from this JID: exactly, or from any of its resources if it has none itself.
    fn is_from(&self, jid: &str) -> bool;
    /// The resource of its `from`: in a room, the nickname.
    fn nick(&self) -> &str;
    /// Whether it is a `<message/>`.
    fn is_message(&self) -> bool;
    /// Whether it is a `<presence/>`.
    fn is_presence(&self) -> bool;
    /// Whether it is an `<iq/>`.
    fn is_iq(&self) -> bool;
    /// The text of `<body/>`.
    fn body(&self) -> Option<String>;
    /// The text of `<subject/>`.
    fn subject(&self) -> Option<String>;
    /// Whether it sets a room's subject: a `<subject/>` without `<body/>` or `<thread/>`.
    fn is_subject_change(&self) -> bool;
    /// The text of the child with this name, in the stanza's own namespace.
    fn child_text(&self, name: &str) -> Option<String>;
    /// The first element below this one, at any depth, with this name and namespace.
    fn find(&self, name: &str, namespace: &str) -> Option<&Element>;
    /// All elements below this one, at any depth, with this name and namespace.
    fn find_all(&self, name: &str, namespace: &str) -> Vec<&Element>;
    /// The `muc#user` payload.
    fn muc_user(&self) -> Option<&Element>;
    /// The status codes of XEP-0045.
    fn statuses(&self) -> Vec<u16>;
    /// Whether it has this status code.
    fn has_status(&self, code: u16) -> bool;
    /// An attribute of the `muc#user` item.
    fn muc_item(&self, attribute: &str) -> Option<&str>;
    /// The role in the `muc#user` item.
    fn role(&self) -> &str;
    /// The affiliation in the `muc#user` item.
    fn affiliation(&self) -> &str;
    /// The error, if it is one.
    fn error(&self) -> Option<StanzaError>;
    /// The condition of its error, or nothing.
    fn condition(&self) -> String;
    /// The `stamp` of its delay, if it was delayed.
    fn delay(&self) -> Option<&str>;
    /// The stanza-id that the given entity put on it.
    fn stanza_id(&self, by: &str) -> Option<&str>;
    /// The occupant-id.
    fn occupant_id(&self) -> Option<&str>;
    /// The `var`s of the disco features in it.
    fn features(&self) -> Vec<String>;
    /// Its text as XML.
    fn xml(&self) -> String;
}

impl StanzaExt for Element {
    fn id(&self) -> &str {
        self.attr("id").unwrap_or_default()
    }

    fn from(&self) -> &str {
        self.attr("from").unwrap_or_default()
    }

    fn to(&self) -> &str {
        self.attr("to").unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.attr("type").unwrap_or_default()
    }

    fn is_from(&self, jid: &str) -> bool {
        let from = StanzaExt::from(self);
        from == jid || (!jid.contains('/') && bare(from) == jid)
    }

    fn nick(&self) -> &str {
        resource(StanzaExt::from(self))
    }

    fn is_message(&self) -> bool {
        self.name() == "message"
    }

    fn is_presence(&self) -> bool {
        self.name() == "presence"
    }

    fn is_iq(&self) -> bool {
        self.name() == "iq"
    }

    fn body(&self) -> Option<String> {
        self.child_text("body")
    }

    fn subject(&self) -> Option<String> {
        self.child_text("subject")
    }

    fn is_subject_change(&self) -> bool {
        let has = |name| self.get_child(name, ns::CLIENT).is_some();
        self.is_message() && self.kind() == "groupchat" && has("subject") && !has("body") && !has("thread")
    }

    fn child_text(&self, name: &str) -> Option<String> {
        self.children()
            .find(|child| child.name() == name && child.ns() == self.ns())
            .map(Element::text)
    }

    fn find(&self, name: &str, namespace: &str) -> Option<&Element> {
        self.find_all(name, namespace).first().copied()
    }

    fn find_all(&self, name: &str, namespace: &str) -> Vec<&Element> {
        let mut found = Vec::new();
        for child in self.children() {
            if child.is(name, namespace) {
                found.push(child);
            }
            found.extend(child.find_all(name, namespace));
        }
        found
    }

    fn muc_user(&self) -> Option<&Element> {
        self.get_child("x", ns::MUC_USER)
    }

    fn statuses(&self) -> Vec<u16> {
        let children = self.muc_user().into_iter().flat_map(Element::children);
        let codes = children
            .filter(|child| child.name() == "status")
            .filter_map(|child| child.attr("code"));
        codes.filter_map(|code| code.parse().ok()).collect()
    }

    fn has_status(&self, code: u16) -> bool {
        self.statuses().contains(&code)
    }

    fn muc_item(&self, attribute: &str) -> Option<&str> {
        let item = self.muc_user()?.get_child("item", ns::MUC_USER)?;
        // `Element::attr` would bind the result to the life of the name.
        item.attrs()
            .iter()
            .find(|((_, name), _)| name.as_str() == attribute)
            .map(|(_, value)| value.as_str())
    }

    fn role(&self) -> &str {
        self.muc_item("role").unwrap_or_default()
    }

    fn affiliation(&self) -> &str {
        self.muc_item("affiliation").unwrap_or_default()
    }

    fn error(&self) -> Option<StanzaError> {
        let error = self
            .children()
            .find(|child| child.name() == "error")
            .filter(|_| self.kind() == "error")?;
        let of_errors = |child: &&Element| child.ns() == ns::STANZA_ERRORS;
        let condition = error
            .children()
            .filter(of_errors)
            .find(|child| child.name() != "text");
        let text = error
            .children()
            .filter(of_errors)
            .find(|child| child.name() == "text");
        Some(StanzaError {
            kind: error.kind().to_owned(),
            condition: condition.map(|child| child.name().to_owned()).unwrap_or_default(),
            text: text.map(Element::text),
            code: error.attr("code").map(str::to_owned),
        })
    }

    fn condition(&self) -> String {
        self.error().map(|error| error.condition).unwrap_or_default()
    }

    fn delay(&self) -> Option<&str> {
        self.get_child("delay", ns::DELAY)?.attr("stamp")
    }

    fn stanza_id(&self, by: &str) -> Option<&str> {
        let ids = self.children().filter(|child| child.is("stanza-id", ns::SID));
        ids.filter(|child| child.attr("by") == Some(by))
            .find_map(|child| child.attr("id"))
    }

    fn occupant_id(&self) -> Option<&str> {
        self.get_child("occupant-id", ns::OCCUPANT_ID)?.attr("id")
    }

    fn features(&self) -> Vec<String> {
        let features = self.find_all("feature", ns::DISCO_INFO);
        features
            .into_iter()
            .filter_map(|feature| feature.attr("var"))
            .map(str::to_owned)
            .collect()
    }

    fn xml(&self) -> String {
        String::from(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_room_presence() {
        let raw = "<presence from='#a%irc@g/bob'><x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator' \
                   affiliation='admin'/><status code='110'/><status code='210'/></x></presence>";
        let presence = parse_stanza(raw).expect("it is one");
        assert_eq!(presence.ns(), ns::CLIENT);
        assert_eq!(
            (presence.nick(), presence.role(), presence.affiliation()),
            ("bob", "moderator", "admin")
        );
        assert_eq!(presence.statuses(), [110, 210]);
        assert!(presence.is_from("#a%irc@g") && !presence.is_from("#a%irc@g/eve"));
    }

    #[test]
    fn reads_an_error() {
        let raw = "<iq type='error'><error type='wait' code='500'><remote-server-timeout \
                   xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text>\
                   </error></iq>";
        let error = parse_stanza(raw)
            .expect("it is one")
            .error()
            .expect("it is an error");
        assert_eq!(
            (error.kind.as_str(), error.condition.as_str()),
            ("wait", "remote-server-timeout")
        );
        assert_eq!(
            (error.text.as_deref(), error.code.as_deref()),
            (Some("no"), Some("500"))
        );
    }
}
