//! What happens when a link is lost and comes back, on either side, and after a restart of the gateway.

use std::sync::Arc;

use crate::desk::{Desk, NOW, PHONE, ROOM, joined, member, room_id, shown, stanzas};
use viaduct_bridge::{
    Content, Departure, Failure, Outcome, Recipient, RemoteEvent, RoomEvent, TransactionId,
};
use viaduct_core::effect::{Input, Mark};
use viaduct_core::records::{
    JoinedRecord, LoadedLogin, LoadedPortal, LoginId, LoginRecord, OutboxRecord, PortalId, PortalRecord,
    Position, Preferences,
};

fn left(who: &str) -> RoomEvent {
    RoomEvent::MemberLeft {
        person: who.into(),
        how: Departure::Left,
        reason: None,
    }
}

#[test]
fn after_a_lost_link_only_differences_are_sent() {
    let mut desk = Desk::ready();
    desk.join(&["bob", "carol"]);
    desk.confirm();

    desk.input(Input::LinkDown);
    for line in [
        desk.room(left("bob")),
        desk.room(RoomEvent::MemberJoined(member("dave"))),
    ] {
        assert_eq!(
            stanzas(&line),
            Vec::<&str>::new(),
            "nobody can be told while the link is down"
        );
    }
    let after = desk.input(Input::LinkUp);
    assert_eq!(shown(&after), ["+dave", "-bob"]);
}

#[test]
fn changes_that_were_not_confirmed_are_shown_again() {
    let mut desk = Desk::ready();
    desk.join(&["bob", "carol"]);
    desk.confirm();

    assert_eq!(shown(&desk.room(left("bob"))), ["-bob"]);
    assert_eq!(
        shown(&desk.room(RoomEvent::MemberJoined(member("dave")))),
        ["+dave"]
    );
    desk.input(Input::LinkDown);
    let again = desk.input(Input::LinkUp);
    assert_eq!(
        shown(&again),
        ["+dave", "-bob"],
        "the server may never have seen these"
    );
}

#[test]
fn a_join_that_was_cut_in_the_middle_is_sent_again_whole() {
    let mut desk = Desk::ready();
    let first = shown(&desk.join(&["bob", "carol"]));
    desk.input(Input::LinkDown);
    let again = desk.input(Input::LinkUp);
    assert!(shown(&again).ends_with(&first), "{again:?}");
    assert!(
        again.last().is_some_and(|last| last.contains("<subject")),
        "{again:?}"
    );
    desk.confirm();
    desk.input(Input::LinkDown);
    assert_eq!(shown(&desk.input(Input::LinkUp)), Vec::<String>::new());
}

#[test]
fn what_a_resource_missed_is_replayed_page_by_page_and_then_it_is_live() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    desk.confirm();
    desk.input(Input::LinkDown);
    for number in 1..=300 {
        let lines = desk.says("bob", &format!("line {number}"));
        assert_eq!(stanzas(&lines), Vec::<&str>::new());
    }
    let up = desk.input(Input::LinkUp).join("\n");
    assert!(
        up.contains("Replay") && up.contains("after: Position(0)") && up.contains("upto: Position(300)"),
        "{up}"
    );

    // While it is replayed, what is said goes the same way.
    assert_eq!(stanzas(&desk.says("bob", "line 301")), Vec::<&str>::new());
    let mark = |position| {
        let portal = up
            .split("PortalId(")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .expect("a portal");
        let portal = PortalId(portal.parse().expect("a number"));
        Mark::Cursor {
            portal,
            resource: "phone".into(),
            position: Position(position),
        }
    };
    let next = desk.input(Input::Confirmed(vec![mark(200)])).join("\n");
    assert!(
        next.contains("Replay") && next.contains("after: Position(200)"),
        "{next}"
    );
    desk.input(Input::Confirmed(vec![mark(301)]));
    let live = desk.says("bob", "line 302");
    assert_eq!(stanzas(&live).len(), 1, "caught up: {live:?}");
}

#[test]
fn a_lost_network_keeps_the_client_in_the_room() {
    let mut desk = Desk::ready();
    desk.join(&["bob", "carol"]);
    desk.confirm();
    let lost = desk.room(RoomEvent::Left {
        how: Departure::Lost,
        reason: None,
    });
    assert_eq!(shown(&lost), Vec::<String>::new());
    let refused = desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='groupchat' id='m1'><body>hello?</body></message>"
    ));
    assert!(refused.join("").contains("remote-server-timeout"), "{refused:?}");
    let back = desk.room(joined(&["carol", "dave"]));
    assert_eq!(shown(&back), ["+dave", "-bob"]);
}

/// A login with the user's phone in the room, as after a restart.
pub(crate) fn restarted(outbox: Vec<OutboxRecord>) -> LoadedLogin {
    let login = LoginRecord {
        id: LoginId(1),
        gateway: "gw.example".into(),
        user: "me@example".into(),
        account: None,
        preferences: Preferences::default(),
    };
    let portal = PortalRecord {
        id: PortalId(2),
        login: LoginId(1),
        with: Recipient::Room(room_id()),
        local: "#room%srv".into(),
        nick: "me".into(),
        key: None,
        topic: None,
        kept: false,
    };
    // What a client was shown, taken from a desk where somebody joined.
    let mut before = Desk::ready();
    let lines = before.join(&["bob", "carol"]);
    let data = lines
        .iter()
        .find(|line| line.contains("Shown {"))
        .expect("what is shown is stored");
    let bytes: Vec<u8> = data
        .split("data: [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .expect("the stored bytes")
        .split(", ")
        .map(|byte| byte.parse().expect("a byte"))
        .collect();
    let joined = JoinedRecord {
        portal: PortalId(2),
        resource: "phone".into(),
        nick: "me".into(),
        cursor: Position(5),
    };
    let portal = LoadedPortal {
        portal,
        joined: vec![joined],
        shown: vec![Arc::from(bytes)],
        last: Position(5),
        last_at: NOW,
        older: false,
    };
    LoadedLogin {
        login,
        settings: vec![],
        portals: vec![portal],
        outbox,
        warned: vec![],
        contacts: Vec::new(),
    }
}

#[test]
fn a_restart_is_invisible_but_for_differences() {
    let mut desk = Desk::new(Some(restarted(vec![])));
    let start = desk.input(Input::Start).join("\n");
    assert!(
        start.contains("OpenSession") && start.contains("Join {"),
        "{start}"
    );
    desk.input(Input::LinkUp);
    let back = desk.room(joined(&["carol", "dave"]));
    assert_eq!(shown(&back), ["+dave", "-bob"]);
    assert!(
        !back.join("").contains("<subject"),
        "the subject did not change: {back:?}"
    );

    let said = desk.says("carol", "still here?");
    let said = stanzas(&said);
    assert!(
        said.len() == 1 && said[0].contains(&format!("to='{PHONE}'")),
        "{said:?}"
    );
}

#[test]
fn a_message_that_may_have_arrived_is_told_once_and_never_sent_again() {
    let outbox = OutboxRecord {
        txn: TransactionId(9),
        login: LoginId(1),
        to: Recipient::Room(room_id()),
        resource: "phone".into(),
        addressed: ROOM.into(),
        client_id: Some("m7".into()),
        payload: "<body>hello</body>".into(),
        content: Content::plain("hello"),
    };
    let mut desk = Desk::new(Some(restarted(vec![outbox])));
    let start = desk.input(Input::Start).join("\n");
    assert!(!start.contains("Send {"), "{start}");
    let up = desk.input(Input::LinkUp);
    let errors: Vec<&str> = stanzas(&up)
        .into_iter()
        .filter(|line| line.contains("type='error'"))
        .collect();
    assert!(
        errors.len() == 1 && errors[0].contains("id='m7'") && errors[0].contains("may not have arrived"),
        "{up:?}"
    );
    // Until the server has processed the error, a lost link brings it again; afterwards it is forgotten.
    desk.input(Input::LinkDown);
    desk.marks.clear();
    assert_eq!(
        desk.input(Input::LinkUp)
            .iter()
            .filter(|line| line.contains("type='error'"))
            .count(),
        1
    );
    assert!(desk.confirm().join("").contains("Settled"));
    desk.input(Input::LinkDown);
    assert_eq!(
        desk.input(Input::LinkUp)
            .iter()
            .filter(|line| line.contains("type='error'"))
            .count(),
        0
    );
}

#[test]
fn a_message_is_remembered_before_it_is_handed_over_and_reflected_once_accepted() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let sent = desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='groupchat' id='m1'><body>hi</body>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='forged'/><x xmlns='urn:x'/></message>"
    ));
    assert!(
        sent[0].contains("Outbox") && sent[1].contains("Submit(Send"),
        "{sent:?}"
    );
    assert_eq!(
        stanzas(&sent),
        Vec::<&str>::new(),
        "nothing is reflected before the network took it"
    );
    let txn = sent[1]
        .split("TransactionId(")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("a transaction");
    let txn = TransactionId(txn.parse().expect("a number"));

    let outcome = Outcome::Accepted {
        ids: vec![],
        at: None,
    };
    let reflected = desk.input(Input::Remote(RemoteEvent::Outcome {
        txn,
        outcome: outcome.clone(),
    }));
    let stanza = stanzas(&reflected);
    assert!(
        stanza.len() == 1 && stanza[0].contains("id='m1'") && stanza[0].contains("<x xmlns='urn:x'/>"),
        "{stanza:?}"
    );
    assert!(!stanza[0].contains("forged"), "{stanza:?}");
    let again = desk.input(Input::Remote(RemoteEvent::Outcome { txn, outcome }));
    assert_eq!(again, Vec::<String>::new(), "an outcome counts once");
}

#[test]
fn a_refusal_is_one_error_with_the_reason() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let sent = desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='groupchat' id='m2'><body>hi</body></message>"
    ));
    let txn = sent[1]
        .split("TransactionId(")
        .nth(1)
        .and_then(|rest| rest.split(')').next())
        .expect("a transaction");
    let txn = TransactionId(txn.parse().expect("a number"));
    let failure = Failure::refused(viaduct_bridge::Refusal::Forbidden, "Cannot send to channel (+m)");
    let refused = desk.input(Input::Remote(RemoteEvent::Outcome {
        txn,
        outcome: Outcome::Failed(failure),
    }));
    let stanza = stanzas(&refused);
    assert!(
        stanza.len() == 1 && stanza[0].contains("<forbidden") && stanza[0].contains("(+m)"),
        "{stanza:?}"
    );
}

#[test]
fn somebody_keeps_the_occupant_id_over_changes_of_the_nickname() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let id_of = |line: &str| {
        line.split("occupant-id xmlns='urn:xmpp:occupant-id:0' id='")
            .nth(1)
            .map(|r| r[..24].to_owned())
    };
    let before = id_of(stanzas(&desk.says("bob", "x"))[0]);
    let person = viaduct_bridge::PersonId {
        server: room_id().server,
        person: "bob".into(),
    };
    let event = viaduct_bridge::PersonEvent::Renamed {
        to: "rob".into(),
        nick: "Rob".into(),
    };
    let renamed = desk.input(Input::Remote(RemoteEvent::Person { person, event }));
    assert_eq!(shown(&renamed), ["+Rob", "-bob"]);
    let message = viaduct_bridge::Message {
        ids: vec![],
        txn: None,
        sender: "rob".into(),
        nick: "Rob".into(),
        at: NOW,
        content: Content::plain("y"),
        relation: None,
        missed: false,
    };
    let after = desk.room(RoomEvent::Message(message));
    assert!(
        before.is_some() && before == id_of(stanzas(&after)[0]),
        "{before:?} {after:?}"
    );
}

#[test]
fn what_is_stored_about_one_does_not_replace_what_is_stored_about_another() {
    let mut desk = Desk::ready();
    desk.join(&["bob", "carol"]);
    desk.confirm();
    let mut lines = desk.room(left("bob"));
    lines.extend(desk.room(left("carol")));
    lines.extend(desk.room(RoomEvent::MemberJoined(member("dave"))));
    lines.extend(desk.confirm());
    let places: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split("ShownChange {").nth(1)?.split("seq: ").nth(1))
        .filter_map(|rest| rest.split(',').next())
        .collect();
    let different: std::collections::HashSet<_> = places.iter().collect();
    assert_eq!((places.len(), different.len()), (3, 3), "{places:?}");
}

#[test]
fn a_gateway_that_starts_before_the_networks_server_throws_nobody_out() {
    let mut desk = Desk::new(Some(restarted(vec![])));
    desk.input(Input::LinkUp);
    desk.input(Input::Start);
    let failure = Failure::refused(viaduct_bridge::Refusal::Unreachable, "srv cannot be reached.");
    let event = viaduct_bridge::ServerEvent::Failed {
        failure: failure.clone(),
    };
    let server = room_id().server;
    let failed = desk.input(Input::Remote(RemoteEvent::Server { server, event }));
    let told = stanzas(&failed).join("\n");
    assert!(
        !told.contains("unavailable") && told.contains("Trying again"),
        "{failed:?}"
    );
    let refused = desk.room(RoomEvent::Refused { failure });
    assert!(!refused.join("").contains("unavailable"), "{refused:?}");
    let portal = failed
        .iter()
        .find_map(|line| line.split("Kept(PortalId(").nth(1))
        .expect("a timer");
    let portal = portal
        .split(')')
        .next()
        .and_then(|id| id.parse().ok())
        .expect("a portal");
    let timer = viaduct_core::effect::Timer::Kept(viaduct_core::records::PortalId(portal));
    let again = desk.input(Input::Timer(timer));
    assert!(again.join("").contains("Submit(Join"), "{again:?}");
    // What will not pass by itself does throw out.
    let failure = Failure::refused(viaduct_bridge::Refusal::Banned, "You are banned.");
    let out = desk.room(RoomEvent::Refused { failure }).join("");
    assert!(out.contains("unavailable") && out.contains("banned"), "{out}");
}
