//! What users set: rooms that are kept without clients, archives that are not kept.

use crate::desk::{self, Desk, PHONE, ROOM, stanzas};
use crate::links::restarted;
use viaduct_bridge::{Departure, RoomEvent};
use viaduct_core::effect::{Input, Timer};
use viaduct_core::records::Position;

fn command(to: &str, node: &str, fields: &[(&str, &str)], session: Option<&str>) -> String {
    let fields: String = fields
        .iter()
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect();
    let (session, form) = match session {
        None => (String::new(), String::new()),
        Some(id) => (
            format!(" sessionid='{id}'"),
            format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"),
        ),
    };
    format!(
        "<iq from='{PHONE}' to='{to}' type='set' id='c1'><command xmlns='http://jabber.org/protocol/commands' \
         node='{node}'{session}>{form}</command></iq>"
    )
}

/// Sets something by ad-hoc command, and gives all effects.
pub(crate) fn configure(desk: &mut Desk, to: &str, node: &str, fields: &[(&str, &str)]) -> Vec<String> {
    let shown = desk.stanza(&command(to, node, &[], None));
    let form = stanzas(&shown).join("");
    let session = form
        .split("sessionid='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let session = session.unwrap_or_else(|| panic!("a form: {form}")).to_owned();
    if form.contains("status='completed'") {
        return shown;
    }
    let done = desk.stanza(&command(to, node, fields, Some(&session)));
    let answer = stanzas(&done).join("");
    assert!(
        answer.contains("status='completed'") && answer.contains("type='info'"),
        "{answer}"
    );
    done
}

fn leave(desk: &mut Desk) -> String {
    let gone = format!("<presence from='{PHONE}' to='{ROOM}/me' type='unavailable'/>");
    desk.stanza(&gone).join("\n")
}

/// The user is in the room, alone, and it is kept.
fn in_kept_room() -> Desk {
    let mut desk = Desk::ready();
    desk.join(&[]);
    configure(&mut desk, ROOM, "configure", &[("persistent", "yes")]);
    desk
}

#[test]
fn a_room_that_is_kept_is_not_left_with_the_last_client() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let saved = configure(&mut desk, ROOM, "configure", &[("persistent", "yes")]).join("\n");
    assert!(
        saved.contains("Settings(") && saved.contains("kept: true"),
        "{saved}"
    );
    let gone = leave(&mut desk);
    assert!(!gone.contains("Submit(Leave"), "{gone}");
    let said = desk.says("bob", "anybody there?").join("\n");
    assert!(said.contains("Write(Message"), "the archive goes on: {said}");

    // Without it, leaving is leaving.
    desk.join(&["bob"]);
    configure(&mut desk, ROOM, "configure", &[("persistent", "no")]);
    let gone = leave(&mut desk);
    assert!(gone.contains("Submit(Leave"), "{gone}");
}

#[test]
fn switching_it_off_leaves_a_room_that_no_client_is_in() {
    let mut desk = in_kept_room();
    leave(&mut desk);
    let off = configure(&mut desk, ROOM, "configure", &[("persistent", "default")]).join("\n");
    assert!(
        off.contains("Submit(Leave") && off.contains("kept: false"),
        "{off}"
    );
}

#[test]
fn leaving_by_command_ends_a_room_that_is_kept() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    configure(&mut desk, "gw.example", "preferences", &[("persistent", "yes")]);
    leave(&mut desk);
    let left = configure(&mut desk, ROOM, "leave", &[("words", "bye")]).join("\n");
    assert!(left.contains("Submit(Leave"), "{left}");
    assert!(
        left.contains("persistent: Some(false)"),
        "it does not come back: {left}"
    );
}

#[test]
fn who_is_kicked_is_not_kept() {
    let mut desk = in_kept_room();
    let how = Departure::Kicked {
        by: Some("op".into()),
    };
    let out = desk.room(RoomEvent::Left { how, reason: None }).join("\n");
    assert!(out.contains("kept: false"), "{out}");
}

#[test]
fn a_kept_room_whose_server_is_away_is_tried_again() {
    let mut desk = in_kept_room();
    leave(&mut desk);
    let failure = viaduct_bridge::Failure::transient("The server is away.");
    let out = desk.room(RoomEvent::Refused { failure });
    let timer = out.iter().find(|line| line.contains("Kept(")).cloned();
    let timer = timer.unwrap_or_else(|| panic!("a timer: {out:?}"));
    let portal = timer
        .split("PortalId(")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let portal = portal.and_then(|id| id.parse().ok()).expect("a portal");
    let again = desk.input(Input::Timer(Timer::Kept(viaduct_core::records::PortalId(portal))));
    assert!(again.join("").contains("Submit(Join"), "{again:?}");
}

#[test]
fn without_an_archive_messages_go_once_they_are_delivered() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    configure(&mut desk, ROOM, "configure", &[("record_history", "no")]);
    let said = desk.says("bob", "off the record").join("\n");
    assert!(
        said.contains("Write(Message") && !said.contains("Prune"),
        "{said}"
    );
    let confirmed = desk.confirm().join("\n");
    assert!(confirmed.contains("Prune"), "{confirmed}");
    let query =
        format!("<iq from='{PHONE}' to='{ROOM}' type='set' id='q'><query xmlns='urn:xmpp:mam:2'/></iq>");
    let asked = desk.stanza(&query).join("\n");
    assert!(
        asked.contains(&format!("upto: {:?}", Position(i64::MIN))),
        "{asked}"
    );
}

/// A room in which nothing was said since it has older history from elsewhere.
#[test]
fn older_history_alone_is_an_archive_too() {
    let mut loaded = restarted(vec![]);
    let portal = &mut loaded.portals[0];
    (portal.last, portal.older) = (Position(0), true);
    portal.joined.clear();
    portal.shown.clear();
    let mut desk = Desk::new(Some(loaded.clone()));
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    let entered = desk.join(&["bob"]).join("\n");
    assert!(entered.contains("History"), "it comes at join: {entered}");
    let off = configure(&mut desk, ROOM, "configure", &[("record_history", "no")]).join("\n");
    assert!(off.contains("Prune"), "and goes with the rest: {off}");

    loaded.portals[0].older = false;
    let mut desk = Desk::new(Some(loaded));
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    let off = configure(&mut desk, ROOM, "configure", &[("record_history", "no")]).join("\n");
    assert!(!off.contains("Prune"), "nothing is there: {off}");
}

#[test]
fn how_much_history_a_join_gets_can_be_set() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    configure(
        &mut desk,
        "srv@gw.example",
        "configure",
        &[("max_history_length", "3")],
    );
    desk.says("bob", "one");
    leave(&mut desk);
    let entered = desk.join(&["bob"]).join("\n");
    assert!(entered.contains("max_stanzas: 3"), "{entered}");
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let shown = desk.stanza(&command(ROOM, "configure", &[], None));
    let form = stanzas(&shown).join("");
    let session = form
        .split("sessionid='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let fields = [("max_history_length", "lots")];
    let answer = desk.stanza(&command(ROOM, "configure", &fields, session));
    let answer = answer.join("");
    assert!(
        answer.contains("type='error'") && answer.contains("max_history_length"),
        "{answer}"
    );
    assert!(!answer.contains("Settings("), "{answer}");
}

#[test]
fn commands_work_in_the_chat_with_an_address() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let room = "#room%srv";
    let say = |text: &str| {
        format!("<message from='{PHONE}' to='gw.example' type='chat' id='x'><body>{text}</body></message>")
    };
    let out = desk.stanza(&say("configure")).join("\n");
    assert!(out.contains("Say for what"), "{out}");
    let out = desk.stanza(&say(&format!("configure {room}"))).join("\n");
    assert!(
        out.contains(&format!("configure {room}")) && out.contains("persistent"),
        "{out}"
    );
    let out = desk
        .stanza(&say(&format!("configure {room} persistent=yes")))
        .join("\n");
    assert!(out.contains("Saved") && out.contains("kept: true"), "{out}");
}

#[test]
fn raw_lines_are_for_those_whom_the_operator_lets() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let to = "srv@gw.example";
    let out = desk.stanza(&command(to, "raw", &[], None)).join("\n");
    assert!(out.contains("forbidden"), "{out}");
    let say = format!("<message from='{PHONE}' to='{to}' type='chat' id='r'><body>LUSERS</body></message>");
    let out = desk.stanza(&say).join("\n");
    assert!(
        out.contains("type='error'") && !out.contains("Submit(Raw"),
        "{out}"
    );
}

#[test]
fn a_room_that_is_ended_is_not_kept() {
    let mut desk = Desk::ready();
    let mut room = desk::joined(&[]);
    if let RoomEvent::Joined { members, .. } = &mut room {
        members[0].rank = viaduct_bridge::Rank::OWNER;
    }
    desk.join(&[]);
    configure(&mut desk, ROOM, "configure", &[("persistent", "yes")]);
    desk.room(room);
    let destroy = format!(
        "<iq from='{PHONE}' to='{ROOM}' type='set' id='d'><query xmlns='http://jabber.org/protocol/muc#owner'>\
         <destroy/></query></iq>"
    );
    let out = desk.stanza(&destroy).join("\n");
    assert!(
        out.contains("kept: false") && out.contains("Submit(Leave"),
        "{out}"
    );
    assert!(
        out.contains("persistent: Some(false)"),
        "it does not come back: {out}"
    );
}

#[test]
fn who_waits_is_answered_when_the_user_logs_out() {
    let mut desk = Desk::ready();
    let join = format!(
        "<presence from='{PHONE}' to='{ROOM}/me' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    );
    desk.stanza(&join);
    let out = configure(&mut desk, "gw.example", "logout", &[]).join("\n");
    assert!(out.contains("type='error'") && out.contains("id='j'"), "{out}");
}

#[test]
fn a_throttled_join_ends_no_keeping() {
    let mut desk = in_kept_room();
    leave(&mut desk);
    let failure = viaduct_bridge::Failure::refused(viaduct_bridge::Refusal::Throttled, "Too fast.");
    let out = desk.room(RoomEvent::Refused { failure }).join("\n");
    assert!(out.contains("Kept(") && !out.contains("kept: false"), "{out}");
}

#[test]
fn settings_have_an_end() {
    let mut desk = Desk::ready();
    for number in 0..500 {
        let to = format!("#r{number}%srv@gw.example");
        configure(&mut desk, &to, "configure", &[("max_history_length", "1")]);
    }
    let shown = desk.stanza(&command(ROOM, "configure", &[], None));
    let form = stanzas(&shown).join("");
    let session = form
        .split("sessionid='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let answer = desk.stanza(&command(
        ROOM,
        "configure",
        &[("max_history_length", "1")],
        session,
    ));
    let answer = answer.join("");
    assert!(
        answer.contains("type='error'") && answer.contains("500"),
        "{answer}"
    );
}
