//! What the user has read (XEP-0333), in both directions.

use viaduct_bridge::{MessageId, RoomEvent, Timestamp};
use viaduct_core::refer::{Found, Which};

use crate::desk::{Desk, NOW, ROOM, stanzas};
use crate::relations::{desk, found, groupchat, has, room};

const DISPLAYED: &str = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>";

fn at(mut found: Found, micros: i64) -> Found {
    found.at = Timestamp(micros);
    found
}

/// The network is told once, and only of what is newer; a marker is no message, and its failure no error.
#[test]
fn what_was_read_is_told_to_the_network() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "one");
    let (lookup, lines) = desk.refers(&groupchat(DISPLAYED), Some(at(older.clone(), 5_000)));
    assert_eq!(lookup.map(|lookup| lookup.which), Some(Which::Known("m1".into())));
    assert!(
        has(&lines, &["Submit(MarkRead", "#room", "Timestamp(5000)"]),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 1, "nothing is kept of it: {lines:#?}");
    for again in [5_000, 4_000] {
        let (_, lines) = desk.refers(&groupchat(DISPLAYED), Some(at(older.clone(), again)));
        assert!(lines.is_empty(), "{lines:#?}");
    }
    let (_, lines) = desk.refers(&groupchat(DISPLAYED), None);
    assert!(lines.is_empty(), "no error for what is not known: {lines:#?}");
    let (_, lines) = desk.refers(&groupchat(DISPLAYED), Some(at(older.clone(), 6_000)));
    assert!(has(&lines, &["Timestamp(6000)"]), "{lines:#?}");
    // What is said besides counts.
    let said = groupchat(&format!("{DISPLAYED}<body>words</body>"));
    let (_, lines) = desk.refers(&said, Some(at(older, 7_000)));
    assert!(
        has(&lines, &["Submit(Send"]) && !has(&lines, &["MarkRead"]),
        "{lines:#?}"
    );
}

#[test]
fn a_network_without_markers_is_told_nothing() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let older = found(&mut desk, "bob", "one");
    let (_, lines) = desk.refers(&groupchat(DISPLAYED), Some(older));
    assert!(lines.is_empty(), "{lines:#?}");
    assert!(!has(&desk.says("bob", "two"), &["<markable "]));
}

#[test]
fn clients_are_asked_to_tell_what_was_read() {
    let lines = desk().says("bob", "two");
    let markable = "<markable xmlns='urn:xmpp:chat-markers:0'/>";
    assert!(
        has(&lines, &["<message", "<body>two</body>", markable]),
        "{lines:#?}"
    );
}

/// The marker is the user's own, names the message as the room does, and is not kept.
#[test]
fn what_was_read_elsewhere_is_shown_to_the_clients() {
    let mut desk = desk();
    let newest = found(&mut desk, "bob", "one");
    let read = |upto| {
        room(RoomEvent::Read {
            upto: Timestamp(upto),
        })
    };
    let (lookup, lines) = desk.tells(read(NOW.0), Some(newest.clone()));
    let which = lookup.map(|lookup| lookup.which);
    assert_eq!(
        which,
        Some(Which::Upto(Timestamp(NOW.0 + 999))),
        "the network's times are coarser"
    );
    let marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>";
    let from = format!("from='{ROOM}/me'");
    assert!(
        has(
            &lines,
            &["<message", &from, "type='groupchat'", marker, "<no-store "]
        ),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 1, "nothing is kept of it: {lines:#?}");
    for again in [NOW.0, NOW.0 - 1] {
        let (_, lines) = desk.tells(read(again), Some(newest.clone()));
        assert!(stanzas(&lines).is_empty(), "{lines:#?}");
    }
    let (_, lines) = desk.tells(read(NOW.0 + 1), None);
    assert!(lines.is_empty(), "there is no message to name: {lines:#?}");
    // What is known from there need not be told there.
    let mut known = newest;
    known.at = NOW;
    known.ids = vec![MessageId("m1".into())];
    let (_, lines) = desk.refers(&groupchat(DISPLAYED), Some(known));
    assert!(lines.is_empty(), "{lines:#?}");
}
