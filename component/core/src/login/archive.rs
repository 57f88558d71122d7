//! Archive queries to rooms (XEP-0313).

use minidom::Element;
use viaduct_bridge::{Name, RoomId};

use super::Login;
use crate::effect::{ArchiveRequest, Effect, Effects};
use crate::forms::Submission;
use crate::ns;
use crate::portal::Room;
use crate::records::{ArchiveQuery, PagePlace, PageRequest, PortalId, Position};
use crate::rsm;
use crate::stanza::{Condition, Incoming, Problem};
use crate::time;

/// The most ids that one query may name.
const MAX_IDS: usize = 250;

impl Login {
    pub(super) fn archive_iq(&mut self, id: &RoomId, stanza: &Incoming, out: &mut Effects) {
        let Some(payload) = stanza.payload() else { return };
        match (stanza.ty(), payload.name()) {
            ("get", "query") => {
                let mut xml = stanza.result();
                xml.start_ns("query", ns::MAM);
                write_form(&mut xml);
                out.send(xml.finish());
            }
            ("get", "metadata") => self.ask_archive(id, stanza, payload, true, out),
            ("set", "query") => self.ask_archive(id, stanza, payload, false, out),
            _ => out.send_opt(stanza.error(&Problem::new(Condition::BadRequest))),
        }
    }

    fn ask_archive(
        &self,
        id: &RoomId,
        stanza: &Incoming,
        payload: &Element,
        metadata: bool,
        out: &mut Effects,
    ) {
        // A view that was never entered has no archive. Nobody else's is ever looked at.
        let Some(room) = self.rooms.get(id).filter(|room| room.recorded) else {
            let text = "You have never been in this room.";
            return out.send_opt(stanza.error(&Problem::because(Condition::Forbidden, text)));
        };
        let query = if metadata {
            Ok((everything(room), false))
        } else {
            parse(room, payload)
        };
        match query {
            Err(problem) => out.send_opt(stanza.error(&problem)),
            Ok((query, flip)) => out.push(Effect::Archive(Box::new(ArchiveRequest {
                query,
                flip,
                metadata,
                room: room.jid.clone(),
                to: stanza.from.as_str().into(),
                iq_id: stanza.id.clone().unwrap_or_default(),
                query_id: payload.attr("queryid").map(str::to_owned),
            }))),
        }
    }
}

fn everything(room: &Room) -> ArchiveQuery {
    empty_query(room.id, room.archived_upto(), rsm::unasked())
}

fn empty_query(portal: PortalId, upto: Position, page: PageRequest) -> ArchiveQuery {
    ArchiveQuery {
        portal,
        upto,
        start: None,
        end: None,
        after_id: None,
        before_id: None,
        ids: None,
        with_nick: None,
        page,
    }
}

fn parse(room: &Room, payload: &Element) -> Result<(ArchiveQuery, bool), Problem> {
    let page = match payload.get_child("set", ns::RSM) {
        Some(set) => rsm::parse(set)?,
        None => rsm::unasked(),
    };
    let mut query = empty_query(room.id, room.archived_upto(), page);
    let flip = payload.has_child("flip-page", ns::MAM);
    let Some(form) = Submission::of(payload) else {
        return Ok((query, flip));
    };
    if form
        .form_type
        .as_deref()
        .is_some_and(|form_type| form_type != ns::MAM)
    {
        return Err(Problem::because(
            Condition::BadRequest,
            "This form is not for archives.",
        ));
    }
    for (name, values) in &form.values {
        let value = values
            .first()
            .map(String::as_str)
            .filter(|value| !value.is_empty());
        let Some(value) = value else { continue };
        let bad_time = || Problem::because(Condition::BadRequest, format!("'{name}' is not a time: {value}"));
        match name.as_str() {
            "start" => query.start = Some(time::parse(value).ok_or_else(bad_time)?),
            "end" => query.end = Some(time::parse(value).ok_or_else(bad_time)?),
            "before-id" => query.before_id = Some(value.into()),
            "after-id" => query.after_id = Some(value.into()),
            "ids" if values.len() > MAX_IDS => {
                let text = format!("At most {MAX_IDS} messages can be asked for by id.");
                return Err(Problem::because(Condition::NotAcceptable, text));
            }
            "ids" => query.ids = Some(values.iter().map(|id| Name::from(id.as_str())).collect()),
            "with" => query.with_nick = Some(nick_in(room, value)?),
            _ => {
                let text = format!("This archive cannot be asked for '{name}'.");
                return Err(Problem::because(Condition::FeatureNotImplemented, text));
            }
        }
    }
    if let (PagePlace::After(id) | PagePlace::Before(id), Some(ids)) = (&query.page.place, &query.ids)
        && !ids.contains(id)
    {
        return Err(Problem::because(
            Condition::ItemNotFound,
            "That message is not among those that were asked for.",
        ));
    }
    Ok((query, flip))
}

/// In a room, `with` names an occupant.
fn nick_in(room: &Room, value: &str) -> Result<Name, Problem> {
    let jid = jid::Jid::new(value);
    let jid =
        jid.map_err(|_| Problem::because(Condition::JidMalformed, format!("'{value}' is not an address.")))?;
    match jid.resource() {
        Some(nick) if jid.to_bare().as_str() == room.jid.as_str() => Ok(nick.as_str().into()),
        _ => Err(Problem::because(
            Condition::ItemNotFound,
            "Only occupants of this room can be asked for.",
        )),
    }
}

fn write_form(xml: &mut crate::xml::Xml) {
    xml.start_ns("x", ns::DATA).attr("type", "form");
    xml.start("field")
        .attr("var", "FORM_TYPE")
        .attr("type", "hidden")
        .leaf("value", ns::MAM)
        .end();
    let fields = [
        ("with", "jid-single"),
        ("start", "text-single"),
        ("end", "text-single"),
        ("before-id", "text-single"),
        ("after-id", "text-single"),
    ];
    for (var, ty) in fields {
        xml.start("field").attr("var", var).attr("type", ty).end();
    }
    xml.start("field").attr("var", "ids").attr("type", "list-multi");
    xml.start_ns("validate", ns::VALIDATE)
        .attr("datatype", "xs:string")
        .start("open")
        .end()
        .end();
    xml.end().end();
}
