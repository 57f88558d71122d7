//! Retractions and moderation (XEP-0424, XEP-0425), in both directions.

use std::sync::Arc;

use viaduct_bridge::{MessageId, Rank, Retraction, RoomEvent};
use viaduct_core::records::Said;

use crate::desk::{NOW, PHONE, ROOM};
use crate::relations::{accept, desk, found, groupchat, has, room};

pub(crate) const RETRACT: &str =
    "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/><body>/me took it back</body>";

#[test]
fn what_the_user_takes_back_is_buried_when_the_network_took_that() {
    let mut desk = desk();
    let older = found(&mut desk, "me", "secret");
    let (_, lines) = desk.refers(&groupchat(RETRACT), Some(older));
    assert!(
        has(&lines, &["Submit(Retract", "\"m1\"", "\"m1b\""]),
        "{lines:#?}"
    );
    assert!(
        !has(&lines, &["Submit(Send"]) && !has(&lines, &["Retracted"]),
        "{lines:#?}"
    );
    let lines = accept(&mut desk, &lines);
    assert!(
        has(
            &lines,
            &[
                "Write(Retracted",
                "<retracted xmlns='urn:xmpp:message-retract:1'",
                "id='c1'"
            ]
        ),
        "{lines:#?}"
    );
    assert!(!has(&lines, &["secret"]), "{lines:#?}");
    assert!(has(&lines, &["<message", "<retract "]), "{lines:#?}");
}

#[test]
fn nobody_takes_back_what_others_said() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "mine");
    let (_, lines) = desk.refers(&groupchat(RETRACT), Some(older));
    assert!(
        has(&lines, &["type='error'", "forbidden"]) && !has(&lines, &["Submit("]),
        "{lines:#?}"
    );
    let (_, lines) = desk.refers(&groupchat(RETRACT), None);
    assert!(has(&lines, &["type='error'", "item-not-found"]), "{lines:#?}");
}

#[test]
fn a_retraction_from_the_network_is_the_authors_or_the_rooms() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "secret");
    let retraction = |by: &str| {
        room(RoomEvent::Retraction(Retraction {
            by: by.into(),
            nick: by.into(),
            at: NOW,
            of: MessageId("m1".into()),
            reason: Some("rude".into()),
        }))
    };
    let (_, lines) = desk.tells(retraction("bob"), Some(older.clone()));
    assert!(
        has(
            &lines,
            &[
                "<message",
                &format!("{ROOM}/bob"),
                "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/>"
            ]
        ),
        "{lines:#?}"
    );
    assert!(
        has(&lines, &["Write(Retracted"]) && !has(&lines, &["secret"]),
        "{lines:#?}"
    );
    let (_, lines) = desk.tells(retraction("carol"), Some(older.clone()));
    let moderated = format!("<moderated xmlns='urn:xmpp:message-moderate:1' by='{ROOM}/carol'>");
    assert!(
        has(
            &lines,
            &[
                &format!("<message from='{ROOM}' "),
                &moderated,
                "<reason>rude</reason>"
            ]
        ),
        "{lines:#?}"
    );
    // The second time there is nothing left to take back.
    let mut buried = older;
    if let Some(message) = &mut buried.message {
        let said = Said {
            payload: "<retracted xmlns='urn:xmpp:message-retract:1'/>".into(),
            ..(*message.said).clone()
        };
        message.said = Arc::new(said);
    }
    let (_, lines) = desk.tells(retraction("bob"), Some(buried));
    assert!(lines.is_empty(), "{lines:#?}");
}

#[test]
fn moderators_moderate() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "rude");
    let iq = format!(
        "<iq from='{PHONE}' to='{ROOM}' type='set' id='q1'><moderate xmlns='urn:xmpp:message-moderate:1' id='m1'>\
         <retract xmlns='urn:xmpp:message-retract:1'/><reason>go</reason></moderate></iq>"
    );
    let (_, lines) = desk.refers(&iq, Some(older.clone()));
    assert!(has(&lines, &["type='error'", "forbidden"]), "{lines:#?}");
    let (person, by) = ("me".into(), None);
    desk.room(RoomEvent::RankChanged {
        person,
        grant: Rank::OPERATOR,
        revoke: Rank::NONE,
        by,
    });
    let (_, lines) = desk.refers(&iq, Some(older));
    assert!(
        has(&lines, &["Submit(Retract", "reason: Some(\"go\")"]),
        "{lines:#?}"
    );
    let lines = accept(&mut desk, &lines);
    assert!(has(&lines, &["<iq", "type='result'", "id='q1'"]), "{lines:#?}");
    assert!(
        has(
            &lines,
            &[
                &format!("<message from='{ROOM}' "),
                "<moderated ",
                "<reason>go</reason>"
            ]
        ),
        "{lines:#?}"
    );
    assert!(has(&lines, &["Write(Retracted", "<moderated "]), "{lines:#?}");
}
