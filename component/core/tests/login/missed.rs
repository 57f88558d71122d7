//! What was said while the user was not there, and rooms that move.

use viaduct_bridge::{Content, Message, MessageId, RoomEvent, Timestamp};
use viaduct_core::refer::Which;

use crate::desk::{NOW, PHONE, ROOM, joined, room_id};
use crate::relations::{desk, found, groupchat, has, room};
use crate::retractions::RETRACT;
use crate::settings::configure;

/// What was fetched is shown with its time, and what is known already is not shown again.
#[test]
fn what_was_missed_comes_once() {
    let mut desk = desk();
    let missed = |id: Option<&str>| {
        room(RoomEvent::Message(Message {
            ids: id.map(|id| MessageId(id.into())).into_iter().collect(),
            txn: None,
            sender: "bob".into(),
            nick: "bob".into(),
            at: NOW,
            content: Content::plain("while you were out"),
            relation: None,
            missed: true,
        }))
    };
    let known = found(&mut desk, "bob", "while you were out");
    let (lookup, lines) = desk.tells(missed(Some("m1")), Some(known));
    assert_eq!(
        lookup.map(|lookup| lookup.which),
        Some(Which::Remote(MessageId("m1".into())))
    );
    assert!(lines.is_empty(), "{lines:#?}");
    let (_, lines) = desk.tells(missed(Some("m7")), None);
    assert!(
        has(&lines, &["<message", "while you were out", "<delay "]) && has(&lines, &["Write(Message"]),
        "{lines:#?}"
    );
    let (lookup, lines) = desk.tells(missed(None), None);
    assert!(lookup.is_none() && has(&lines, &["<delay "]), "{lines:#?}");
}

/// Where no archive is kept, what was told is known by its time alone, and nothing remains that refers to it.
#[test]
fn without_an_archive_what_was_missed_comes_once_as_well() {
    let mut desk = desk();
    configure(&mut desk, ROOM, "configure", &[("record_history", "no")]);
    let missed = |id: &str, at: Timestamp| {
        room(RoomEvent::Message(Message {
            ids: vec![MessageId(id.into()), MessageId(format!("{id}-part").into())],
            txn: None,
            sender: "bob".into(),
            nick: "bob".into(),
            at,
            content: Content::plain("while you were out"),
            relation: None,
            missed: true,
        }))
    };
    let later = Timestamp(NOW.0 + 1);
    let (_, lines) = desk.tells(missed("m0", later), None);
    assert!(lines.is_empty(), "nothing was told before: {lines:#?}");
    desk.says("bob", "told");
    desk.confirm();
    desk.room(joined(&["bob"]));
    desk.confirm();
    let (_, lines) = desk.tells(missed("m1", NOW), None);
    assert!(lines.is_empty(), "it was told, and is not kept: {lines:#?}");
    for id in ["m2", "m3"] {
        let (_, lines) = desk.tells(missed(id, later), None);
        assert!(
            has(&lines, &["<message", "while you were out", "<delay "]),
            "{lines:#?}"
        );
        assert!(!has(&lines, &["Alias("]), "{lines:#?}");
    }
    let (_, lines) = desk.refers(&groupchat(RETRACT), None);
    assert!(
        has(&lines, &["type='error'", "item-not-found", "<text"]),
        "{lines:#?}"
    );
}

#[test]
fn a_room_that_moves_takes_its_archive_along() {
    let mut desk = desk();
    desk.says("bob", "before");
    let mut to = room_id();
    to.room = "#new".into();
    let reason = Some("typo".into());
    let lines = desk.room(RoomEvent::Moved { to, reason });
    let destroy = "<destroy jid='#new%srv@gw.example'><reason>typo</reason></destroy>";
    assert!(
        has(
            &lines,
            &["<presence", &format!("{ROOM}/me"), "type='unavailable'", destroy]
        ),
        "{lines:#?}"
    );
    assert!(
        has(&lines, &["Write(Portal", "#new%srv", "room: \"#new\""]),
        "{lines:#?}"
    );
    assert!(
        has(&lines, &["SetTimer", "Grace("]),
        "nobody may come: {lines:#?}"
    );
    let lines = desk.stanza(&format!(
        "<presence from='{PHONE}' to='#new%srv@gw.example/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    assert!(
        has(&lines, &["Submit(Join", "#new", "since: Some("]),
        "{lines:#?}"
    );
}
