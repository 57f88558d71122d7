//! Archived messages as stanzas: live, as history at join, as an archive's answer, or again after a lost link. All
//! of them carry the same ids.

use viaduct_bridge::Timestamp;

use crate::effect::{ArchiveRequest, ReplayRequest};
use crate::names;
use crate::ns;
use crate::records::{ArchiveError, ArchivePage, MessageRecord, archive_id};
use crate::stanza::{Condition, Kind, Problem, error};
use crate::time;
use crate::xml::{Stanza, Xml};

/// When a message is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// As it comes.
    Live,
    /// Later (XEP-0203).
    Delayed,
}

/// A message of a room, for one of its resources.
#[must_use]
pub fn groupchat(message: &MessageRecord, room: &str, to: &str, when: When) -> Stanza {
    let mut xml = Xml::new("message");
    write_groupchat(&mut xml, message, room, Some(to));
    if when == When::Delayed {
        write_delay(&mut xml, Some(room), message.at);
    }
    xml.finish()
}

/// Writes the attributes and payloads of a room's message into an open `<message/>`.
fn write_groupchat(xml: &mut Xml, message: &MessageRecord, room: &str, to: Option<&str>) {
    let id = archive_id(message);
    // Without a nickname it is the room itself that speaks.
    if message.said.nick.is_empty() {
        xml.attr("from", room);
    } else {
        xml.attr("from", &format!("{room}/{}", names::resource(&message.said.nick)));
    }
    xml.attr_opt("to", to).attr("type", "groupchat");
    xml.attr("id", message.client_id.as_deref().unwrap_or(&id));
    xml.raw(&message.said.payload);
    xml.start_ns("stanza-id", ns::SID)
        .attr("by", room)
        .attr("id", &id)
        .end();
    if !message.said.occupant.is_empty() {
        xml.start_ns("occupant-id", ns::OCCUPANT_ID)
            .attr("id", &message.said.occupant)
            .end();
    }
}

fn write_delay(xml: &mut Xml, from: Option<&str>, at: Timestamp) {
    xml.start_ns("delay", ns::DELAY)
        .attr_opt("from", from)
        .attr("stamp", &time::format(at))
        .end();
}

/// A message of a room as history at join (XEP-0045 §7.2.13).
#[must_use]
pub fn history(message: &MessageRecord, room: &str, to: &str) -> Stanza {
    groupchat(message, room, to, When::Delayed)
}

/// A message of a direct chat.
#[must_use]
pub fn chat(message: &MessageRecord, from: &str, to: &str, when: When) -> Stanza {
    let mut xml = Xml::stanza("message", from, to);
    let id = archive_id(message);
    xml.attr("type", "chat")
        .attr("id", &id)
        .raw(&message.said.payload);
    if when == When::Delayed {
        write_delay(&mut xml, None, message.at);
    }
    xml.finish()
}

/// A message again, for somebody who may have missed it.
#[must_use]
pub fn replay(message: &MessageRecord, request: &ReplayRequest) -> Stanza {
    if request.resource.is_empty() {
        chat(message, &request.from, &request.to, When::Delayed)
    } else {
        groupchat(message, &request.from, &request.to, When::Delayed)
    }
}

/// The answer to an archive query (XEP-0313 §4): the messages, and then the result of the request.
#[must_use]
pub fn archive_answer(request: &ArchiveRequest, page: &Result<ArchivePage, ArchiveError>) -> Vec<Stanza> {
    let page = match page {
        Ok(page) => page,
        Err(why) => {
            let problem = Problem::because(Condition::ItemNotFound, why.to_string());
            return vec![error(
                Kind::Iq,
                &request.room,
                &request.to,
                Some(&request.iq_id),
                &problem,
            )];
        }
    };
    let mut answer = Xml::stanza("iq", &request.room, &request.to);
    answer.attr("type", "result").attr("id", &request.iq_id);
    if request.metadata {
        write_metadata(&mut answer, page);
        return vec![answer.finish()];
    }
    let mut stanzas: Vec<Stanza> = page
        .messages
        .iter()
        .map(|message| archived(message, request))
        .collect();
    if request.flip {
        stanzas.reverse();
    }
    answer.start_ns("fin", ns::MAM);
    if page.complete {
        answer.attr("complete", "true");
    }
    answer.start_ns("set", ns::RSM);
    if let (Some(first), Some(last)) = (page.messages.first(), page.messages.last()) {
        answer
            .start("first")
            .attr_fmt("index", page.first_index)
            .text(&archive_id(first))
            .end();
        answer.leaf("last", &archive_id(last));
    }
    answer.leaf("count", &page.count.to_string());
    stanzas.push(answer.finish());
    stanzas
}

fn archived(message: &MessageRecord, request: &ArchiveRequest) -> Stanza {
    let mut xml = Xml::stanza("message", &request.room, &request.to);
    xml.start_ns("result", ns::MAM)
        .attr_opt("queryid", request.query_id.as_deref())
        .attr("id", &archive_id(message));
    xml.start_ns("forwarded", ns::FORWARD);
    write_delay(&mut xml, None, message.at);
    xml.start_ns("message", ns::CLIENT);
    write_groupchat(&mut xml, message, &request.room, None);
    xml.finish()
}

/// The ends of an archive (XEP-0313 §metadata). The page holds the first and the last message.
fn write_metadata(answer: &mut Xml, page: &ArchivePage) {
    answer.start_ns("metadata", ns::MAM);
    if let (Some(first), Some(last)) = (page.messages.first(), page.messages.last()) {
        for (name, message) in [("start", first), ("end", last)] {
            answer
                .start(name)
                .attr("id", &archive_id(message))
                .attr("timestamp", &time::format(message.at))
                .end();
        }
    }
}
