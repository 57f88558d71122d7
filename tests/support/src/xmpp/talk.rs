//! What people do in rooms and chats, as methods of the client.

use anyhow::Result;
use minidom::Element;

use super::client::Client;
use super::stanza::{StanzaExt as _, ns};
use super::xml::tag;

impl Client {
    /// Says something in a room; gives the message's id.
    pub async fn say(&self, room: &str, body: &str) -> Result<String> {
        self.message("groupchat", room, body).await
    }

    /// Says something to a person, or to an occupant by the room's JID with the nickname; gives the message's id.
    pub async fn chat(&self, to: &str, body: &str) -> Result<String> {
        self.message("chat", to, body).await
    }

    async fn message(&self, kind: &str, to: &str, body: &str) -> Result<String> {
        let id = self.fresh_id();
        let message = tag("message")
            .attr("type", kind)
            .attr("to", to)
            .attr("id", &id)
            .child(tag("body").text(body));
        self.send(message).await?;
        Ok(id)
    }

    /// Waits for the message with this body from the JID (any resource of it if it has none itself).
    pub async fn expect_body(&self, from: &str, body: &str) -> Result<Element> {
        let wanted = |stanza: &Element| {
            stanza.is_message()
                && stanza.is_from(from)
                && stanza.kind() != "error"
                && stanza.body().as_deref() == Some(body)
        };
        self.expect(&format!("the message '{body}' from {from}"), wanted)
            .await
    }

    /// Waits for an error about the stanza with this id.
    pub async fn expect_error(&self, id: &str) -> Result<Element> {
        let wanted = |stanza: &Element| stanza.kind() == "error" && stanza.id() == id;
        self.expect(&format!("an error about '{id}'"), wanted).await
    }

    /// Waits for a presence of the given type (nothing for available) from the JID.
    pub async fn expect_presence(&self, from: &str, kind: &str) -> Result<Element> {
        let wanted = |stanza: &Element| stanza.is_presence() && stanza.is_from(from) && stanza.kind() == kind;
        self.expect(&format!("presence '{kind}' from {from}"), wanted)
            .await
    }

    /// Waits for a change of the room's subject to this text.
    pub async fn expect_subject(&self, room: &str, subject: &str) -> Result<Element> {
        let wanted = |stanza: &Element| {
            stanza.is_subject_change() && stanza.is_from(room) && stanza.subject().as_deref() == Some(subject)
        };
        self.expect(&format!("the subject '{subject}' in {room}"), wanted)
            .await
    }

    /// Asks for another subject; gives the message's id.
    pub async fn set_subject(&self, room: &str, subject: &str) -> Result<String> {
        let id = self.fresh_id();
        let message = tag("message")
            .attr("type", "groupchat")
            .attr("to", room)
            .attr("id", &id);
        self.send(message.child(tag("subject").text(subject))).await?;
        Ok(id)
    }

    /// Asks for another nickname in a room; gives the presence's id.
    pub async fn change_nick(&self, room: &str, nick: &str) -> Result<String> {
        let id = self.fresh_id();
        self.send(
            tag("presence")
                .attr("to", format!("{room}/{nick}"))
                .attr("id", &id),
        )
        .await?;
        Ok(id)
    }

    /// Leaves a room, with a word of farewell if it is not empty, and waits for the confirmation.
    pub async fn leave(&self, room: &str, nick: &str, farewell: &str) -> Result<Element> {
        let presence = tag("presence")
            .attr("type", "unavailable")
            .attr("to", format!("{room}/{nick}"));
        let status = (!farewell.is_empty()).then(|| tag("status").text(farewell));
        self.send(status.map_or(presence.clone(), |status| presence.child(status)))
            .await?;
        let gone = |stanza: &Element| {
            stanza.is_presence()
                && stanza.is_from(room)
                && stanza.kind() == "unavailable"
                && stanza.has_status(110)
        };
        self.expect(&format!("the own leave from {room}"), gone).await
    }

    /// Asks what the JID is and can do (disco#info), optionally about a node.
    pub async fn disco_info(&self, jid: &str, node: Option<&str>) -> Result<Element> {
        self.disco(ns::DISCO_INFO, jid, node).await
    }

    /// Asks what belongs to the JID (disco#items), optionally about a node.
    pub async fn disco_items(&self, jid: &str, node: Option<&str>) -> Result<Element> {
        self.disco(ns::DISCO_ITEMS, jid, node).await
    }

    async fn disco(&self, namespace: &str, jid: &str, node: Option<&str>) -> Result<Element> {
        let query = tag("query").ns(namespace);
        self.get(jid, node.map_or(query.clone(), |node| query.attr("node", node)))
            .await
    }

    /// Fetches the own roster, after which the server pushes its changes.
    pub async fn roster(&self) -> Result<Element> {
        let id = self.fresh_id();
        self.send(
            tag("iq")
                .attr("type", "get")
                .attr("id", &id)
                .child(tag("query").ns(ns::ROSTER)),
        )
        .await?;
        self.expect("the roster", |stanza| stanza.is_iq() && stanza.id() == id)
            .await
    }
}
