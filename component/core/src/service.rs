//! What the gateway and its addresses say about themselves (XEP-0030, XEP-0115, XEP-0128).

use sha1::{Digest, Sha1};
use viaduct_bridge::{Level, Relations, ServerId};

use crate::context::Context;
use crate::forms::Shown;
use crate::ns;
use crate::xml::Xml;

/// The node of the gateway's capabilities (XEP-0115 §4): where the program can be found.
pub const CAPS_NODE: &str = "https://viaduct.im/caps";

/// An answer to disco#info.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DiscoInfo {
    /// Category, type and name.
    pub identities: Vec<(&'static str, String, String)>,
    /// The features that work here.
    pub features: Vec<&'static str>,
    /// More, as a form (XEP-0128).
    pub form: Option<Shown>,
}

impl DiscoInfo {
    /// Writes the `<query/>`.
    pub fn write(&self, xml: &mut Xml, node: Option<&str>) {
        xml.start_ns("query", ns::DISCO_INFO).attr_opt("node", node);
        for (category, ty, name) in &self.identities {
            xml.start("identity")
                .attr("category", category)
                .attr("type", ty)
                .attr("name", name)
                .end();
        }
        for feature in &self.features {
            xml.start("feature").attr("var", feature).end();
        }
        if let Some(form) = &self.form {
            form.write(xml, "result");
        }
        xml.end();
    }

    /// The verification string (XEP-0115 §5.1), hashed with SHA-1 as all clients know it.
    #[must_use]
    pub fn ver(&self) -> String {
        use base64::Engine as _;
        let mut identities: Vec<String> = self
            .identities
            .iter()
            .map(|(category, ty, name)| format!("{category}/{ty}//{name}<"))
            .collect();
        identities.sort_unstable();
        let mut features: Vec<String> = self
            .features
            .iter()
            .map(|feature| format!("{feature}<"))
            .collect();
        features.sort_unstable();
        let mut text: String = identities.concat() + &features.concat();
        if let Some(form) = &self.form {
            text += form.form_type.unwrap_or_default();
            text.push('<');
            let mut fields: Vec<_> = form.fields.iter().collect();
            fields.sort_unstable_by_key(|field| &field.var);
            for field in fields {
                let mut values: Vec<&str> = field.values.iter().map(String::as_str).collect();
                values.sort_unstable();
                text += &format!("{}<", field.var);
                text.extend(
                    values
                        .iter()
                        .filter(|value| !value.is_empty())
                        .map(|value| format!("{value}<")),
                );
            }
        }
        base64::engine::general_purpose::STANDARD.encode(Sha1::digest(text.as_bytes()))
    }
}

/// The gateway itself.
#[must_use]
pub fn gateway_info(ctx: &Context, registers: bool) -> DiscoInfo {
    let mut features = vec![
        ns::DISCO_INFO,
        ns::DISCO_ITEMS,
        ns::CAPS,
        ns::PING,
        ns::VERSION,
        ns::TIME,
        ns::GATEWAY,
        ns::COMMANDS,
        ns::MUC,
        ns::MUC_STABLE_ID,
        ns::RSM,
    ];
    if registers {
        features.push(ns::REGISTER);
    }
    let title = ctx.bridge.title();
    DiscoInfo {
        identities: vec![
            ("conference", "text".into(), title.clone()),
            ("gateway", ctx.bridge.kind().into(), title),
        ],
        features,
        form: None,
    }
}

/// A server of the network: a place with rooms.
#[must_use]
pub fn server_info(server: &ServerId) -> DiscoInfo {
    DiscoInfo {
        identities: vec![
            ("conference", "text".into(), server.to_string()),
            ("server", "im".into(), server.to_string()),
        ],
        features: vec![
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::COMMANDS,
            ns::MUC,
            ns::RSM,
            ns::SEARCH,
            ns::PING,
            ns::VERSION,
            ns::TIME,
        ],
        form: None,
    }
}

/// What of relations works with somebody on a server, or in a room there.
#[must_use]
pub fn relation_features(able: Relations) -> Vec<&'static str> {
    let all = [
        (able.replies, ns::REPLY),
        (able.reactions, ns::REACTIONS),
        (able.retractions, ns::RETRACT),
        (able.retractions, ns::RETRACT_TOMBSTONE),
        (able.corrections, ns::CORRECT),
        (able.read, ns::MARKERS),
    ];
    all.into_iter()
        .filter(|(level, _)| *level >= Level::Partial)
        .map(|(_, feature)| feature)
        .collect()
}

/// A person on a server that can do this.
#[must_use]
pub fn person_info(name: &str, able: Relations) -> DiscoInfo {
    let mut features = vec![
        ns::DISCO_INFO,
        ns::DISCO_ITEMS,
        ns::LAST,
        ns::PING,
        ns::TIME,
        ns::VCARD,
        ns::VERSION,
    ];
    features.extend(relation_features(able));
    // A direct chat is archived by the user's own server.
    features.retain(|feature| *feature != ns::RETRACT_TOMBSTONE);
    DiscoInfo {
        identities: vec![("account", "registered".into(), name.into())],
        features,
        form: None,
    }
}

/// Writes the capabilities of the gateway, as one user sees them, into its presence.
pub fn write_caps(xml: &mut Xml, ctx: &Context, registers: bool) {
    let ver = gateway_info(ctx, registers).ver();
    xml.start_ns("c", ns::CAPS)
        .attr("hash", "sha-1")
        .attr("node", CAPS_NODE)
        .attr("ver", &ver)
        .end();
}

#[cfg(test)]
mod tests {
    use super::DiscoInfo;

    /// The simple example of XEP-0115 §5.2.
    #[test]
    fn verification_string_of_the_xep() {
        let info = DiscoInfo {
            identities: vec![("client", "pc".into(), "Exodus 0.9.1".into())],
            features: vec![
                "http://jabber.org/protocol/disco#info",
                "http://jabber.org/protocol/disco#items",
                "http://jabber.org/protocol/muc",
                "http://jabber.org/protocol/caps",
            ],
            form: None,
        };
        assert_eq!(info.ver(), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }
}
