//! The subject of a room (XEP-0045 §7.2.15, §8.1).

use viaduct_bridge::{Command, Name, Topic};

use super::Room;
use crate::context::Context;
use crate::effect::Effects;
use crate::ns;
use crate::time;
use crate::xml::{Stanza, Xml};

impl Room {
    /// The subject as it is now, for somebody who just came (with the time when it was set, where that is known).
    #[must_use]
    pub fn subject_stanza(&self, ctx: &Context, to: &str) -> Stanza {
        let from = match self.topic.as_ref().and_then(|topic| topic.by.as_deref()) {
            Some(by) if !by.is_empty() => self.occupant_jid(by),
            _ => self.jid.to_string(),
        };
        let mut xml = Xml::stanza("message", &from, to);
        xml.attr("type", "groupchat").attr("id", &ctx.token());
        xml.leaf("subject", self.topic.as_ref().map_or("", |topic| &topic.text));
        if let Some(at) = self.topic.as_ref().and_then(|topic| topic.at) {
            xml.start_ns("delay", ns::DELAY)
                .attr("from", &self.jid)
                .attr("stamp", &time::format(at))
                .end();
        }
        xml.finish()
    }

    /// The subject changed on the network.
    pub fn topic_changed(&mut self, ctx: &Context, topic: Topic, out: &mut Effects) {
        let from = topic
            .by
            .as_deref()
            .map_or_else(|| self.jid.to_string(), |by| self.occupant_jid(by));
        self.topic = Some(topic);
        if !self.recorded {
            return;
        }
        out.write(self.record());
        if !self.is_in_step() {
            self.topic_stale = true;
            return;
        }
        for joined in &self.joined {
            let mut xml = Xml::stanza("message", &from, &joined.jid);
            xml.attr("type", "groupchat").attr("id", &ctx.token());
            xml.leaf("subject", self.topic.as_ref().map_or("", |topic| &topic.text));
            out.send(xml.finish());
        }
    }

    /// The command that changes the subject.
    #[must_use]
    pub fn set_topic(&self, ctx: &Context, text: &str) -> Command {
        Command::SetTopic {
            txn: ctx.ids.txn(),
            room: self.room.clone(),
            text: Name::from(text),
        }
    }

    /// Tells the clients that the room's configuration changed (XEP-0045 §10.2.1, status 104).
    pub fn announce_configuration(&self, out: &mut Effects) {
        for joined in &self.joined {
            let mut xml = Xml::stanza("message", &self.jid, &joined.jid);
            xml.attr("type", "groupchat").start_ns("x", ns::MUC_USER);
            xml.start("status").attr("code", "104").end();
            out.send(xml.finish());
        }
    }
}
