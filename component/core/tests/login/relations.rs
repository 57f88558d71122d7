//! Replies, corrections, reactions and retractions, in both directions and within the user's own rooms.

use std::sync::Arc;

use crate::desk::{Desk, NOW, PHONE, ROOM, room_id, stanzas};
use crate::retractions::RETRACT;
use viaduct_bridge::{
    Content, Level, Message, MessageId, Name, Outcome, PersonEvent, PersonId, Reaction, Relation, Relations,
    RemoteEvent, RoomEvent, ServerEvent, TransactionId,
};
use viaduct_core::effect::Input;
use viaduct_core::records::{MessageRecord, PortalId, Position, Said};
use viaduct_core::refer::{Found, Which};

pub(crate) const ALL: Relations = Relations {
    corrections: Level::Full,
    replies: Level::Full,
    reactions: Level::Full,
    retractions: Level::Full,
    moderation: Level::Full,
    typing: Level::Full,
    read: Level::Full,
};

pub(crate) fn desk() -> Desk {
    let mut desk = Desk::able(ALL, None);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.join(&["bob"]);
    desk
}

/// A message of the room, as the archive has it. The occupant-id is that of its author.
pub(crate) fn found(desk: &mut Desk, who: &str, body: &str) -> Found {
    let shown = desk.says(who, body);
    let occupant = shown
        .iter()
        .find_map(|line| {
            line.split("occupant-id:0' id='")
                .nth(1)?
                .split('\'')
                .next()
                .map(str::to_owned)
        })
        .expect("an occupant-id");
    let message = MessageRecord {
        portal: PortalId(1),
        position: Position(1),
        at: NOW,
        said: Arc::new(Said {
            nick: who.into(),
            occupant: occupant.as_str().into(),
            payload: format!("<body>{body}</body>").into(),
        }),
        remote: Some(MessageId("m1".into())),
        client_id: None,
    };
    Found {
        known: "m1".into(),
        ids: vec![MessageId("m1".into()), MessageId("m1b".into())],
        at: NOW,
        mine: false,
        message: Some(message),
        reactions: Vec::new(),
    }
}

pub(crate) fn groupchat(children: &str) -> String {
    format!("<message from='{PHONE}' to='{ROOM}' type='groupchat' id='c1'>{children}</message>")
}

pub(crate) fn has(lines: &[String], parts: &[&str]) -> bool {
    lines
        .iter()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}

/// Accepts the command among the effects.
pub(crate) fn accept(desk: &mut Desk, lines: &[String]) -> Vec<String> {
    let submitted = lines
        .iter()
        .find(|line| line.starts_with("Submit("))
        .expect("a command");
    let txn = submitted
        .split("TransactionId(")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    let txn = TransactionId(txn.and_then(|n| n.parse().ok()).expect("a number"));
    let (ids, at) = (vec![MessageId("n1".into())], Some(NOW));
    let outcome = Outcome::Accepted { ids, at };
    desk.input(Input::Remote(RemoteEvent::Outcome { txn, outcome }))
}

pub(crate) fn room(event: RoomEvent) -> RemoteEvent {
    let room = room_id();
    RemoteEvent::Room { room, event }
}

const REPLY: &str = "<body>&gt; what?\nyes</body><reply xmlns='urn:xmpp:reply:0' id='m1' to='x'/>\
    <fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='8'/></fallback>";

#[test]
fn a_reply_names_its_message_and_leaves_the_quotation_out() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "what?");
    let (lookup, lines) = desk.refers(&groupchat(REPLY), Some(older));
    assert_eq!(lookup.map(|lookup| lookup.which), Some(Which::Known("m1".into())));
    assert!(
        has(
            &lines,
            &["Submit(Send", "plain: \"yes\"", "Reply(", "\"m1\"", "\"m1b\""]
        ),
        "{lines:#?}"
    );
}

#[test]
fn a_reply_that_cannot_be_carried_keeps_its_quotation() {
    let mut desk = desk();
    let (_, unknown) = desk.refers(&groupchat(REPLY), None);
    let mut nameless = found(&mut desk, "bob", "what?");
    nameless.ids.clear();
    let (_, nameless) = desk.refers(&groupchat(REPLY), Some(nameless));
    let relations = Relations::NONE;
    let event = ServerEvent::Relations(relations);
    let server = room_id().server;
    desk.input(Input::Remote(RemoteEvent::Server { server, event }));
    let older = found(&mut desk, "bob", "what?");
    let (_, unable) = desk.refers(&groupchat(REPLY), Some(older));
    for lines in [unknown, nameless, unable] {
        assert!(
            has(&lines, &["Submit(Send", "what?\\nyes", "relation: None"]),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_reply_from_the_network_names_the_message_in_the_room() {
    let mut desk = desk();
    let older = found(&mut desk, "bob", "what?");
    let answer = |of: &str| {
        room(RoomEvent::Message(Message {
            ids: vec![MessageId("m2".into()), MessageId("m3".into())],
            txn: None,
            sender: "bob".into(),
            nick: "bob".into(),
            at: NOW,
            content: Content::plain("that"),
            relation: Some(Relation::Reply(MessageId(of.into()))),
            missed: false,
        }))
    };
    let (lookup, lines) = desk.tells(answer("m1b"), Some(older));
    assert_eq!(
        lookup.map(|lookup| lookup.which),
        Some(Which::Remote(MessageId("m1b".into())))
    );
    let reply = format!("<reply xmlns='urn:xmpp:reply:0' to='{ROOM}/bob' id='m1'/>");
    assert!(has(&lines, &["<body>that</body>", &reply]), "{lines:#?}");
    assert!(
        has(&lines, &["Alias", "m3", "\"m2\""]),
        "the second part has a name too: {lines:#?}"
    );
    let (_, lines) = desk.tells(answer("unheard-of"), None);
    assert!(
        has(&lines, &["<body>that</body>"]) && !has(&lines, &["<reply"]),
        "{lines:#?}"
    );
}

#[test]
fn reactions_are_told_as_differences_and_shown_when_taken() {
    let mut desk = desk();
    let mut older = found(&mut desk, "bob", "tea");
    older.reactions = vec!["a".into(), "b".into()];
    let wanted = "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>b</reaction><reaction>c</reaction></reactions>";
    let (lookup, lines) = desk.refers(&groupchat(wanted), Some(older.clone()));
    assert!(lookup.is_some_and(|lookup| lookup.reactions_of.is_some()));
    assert!(
        has(&lines, &["Submit(React", "add: [\"c\"], remove: [\"a\"]"]),
        "{lines:#?}"
    );
    assert!(stanzas(&lines).is_empty(), "not before the network took it");
    let lines = accept(&mut desk, &lines);
    assert!(
        has(&lines, &["<message", "<reaction>c</reaction>", "id='c1'"]),
        "{lines:#?}"
    );
    assert!(has(&lines, &["Write(Reactions", "[\"b\", \"c\"]"]), "{lines:#?}");
    older.reactions = vec!["b".into(), "c".into()];
    let (_, lines) = desk.refers(&groupchat(wanted), Some(older));
    assert!(
        has(&lines, &["<message", "<reaction>c</reaction>"]) && !has(&lines, &["Submit("]),
        "{lines:#?}"
    );
}

#[test]
fn reactions_from_the_network_add_up() {
    let mut desk = desk();
    let mut older = found(&mut desk, "bob", "tea");
    older.reactions = vec!["👍".into()];
    let reaction = |add: &[&str], remove: &[&str]| {
        let names = |texts: &[&str]| texts.iter().map(|text| Name::from(*text)).collect();
        room(RoomEvent::Reaction(Reaction {
            sender: "bob".into(),
            nick: "bob".into(),
            at: NOW,
            of: MessageId("m1".into()),
            add: names(add),
            remove: names(remove),
        }))
    };
    let (_, lines) = desk.tells(reaction(&["❤️"], &[]), Some(older.clone()));
    let both = "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>👍</reaction><reaction>❤️</reaction></reactions>";
    assert!(
        has(&lines, &["<message", "room%srv@gw.example/bob", both]),
        "{lines:#?}"
    );
    let (_, lines) = desk.tells(reaction(&[], &["👍"]), Some(older.clone()));
    assert!(
        has(&lines, &["<message", "id='m1'/>"]) && has(&lines, &["Reactions", "texts: []"]),
        "{lines:#?}"
    );
    let (_, lines) = desk.tells(reaction(&["lol"], &[]), Some(older.clone()));
    assert!(
        has(&lines, &["<body>lol</body>", "<reply "]) && !has(&lines, &["<reactions"]),
        "{lines:#?}"
    );
    let (_, lines) = desk.tells(reaction(&["👍"], &[]), Some(older));
    assert!(lines.is_empty(), "nothing new: {lines:#?}");
    let (_, lines) = desk.tells(reaction(&["👍"], &[]), None);
    assert!(lines.is_empty(), "to nothing: {lines:#?}");
}

/// A relation never leads out of the user's own conversations.
#[test]
fn nothing_is_looked_up_elsewhere() {
    let mut desk = desk();
    let elsewhere = groupchat(RETRACT).replace(ROOM, "#other%srv@gw.example");
    let (lookup, lines) = desk.refers(&elsewhere, None);
    assert_eq!(lookup, None);
    assert!(
        has(&lines, &["type='error'"]) && !has(&lines, &["Submit("]),
        "{lines:#?}"
    );
    let outside = groupchat(RETRACT).replace(PHONE, "me@example/desk");
    let (lookup, _) = desk.refers(&outside, None);
    assert_eq!(lookup, None, "a resource that is not in the room");
}

#[test]
fn what_the_network_lacks_is_refused_once() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let react =
        "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>👍</reaction></reactions><body>👍</body>";
    for children in [react, RETRACT] {
        let older = found(&mut desk, "me", "x");
        let (_, lines) = desk.refers(&groupchat(children), Some(older));
        assert_eq!(stanzas(&lines).len(), 1, "{lines:#?}");
        assert!(
            has(&lines, &["type='error'", "not-acceptable"]) && !has(&lines, &["Submit("]),
            "{lines:#?}"
        );
    }
}

#[test]
fn a_direct_chat_keeps_the_ids() {
    let mut desk = desk();
    let bob = "bob%srv@gw.example";
    let person = PersonId {
        server: room_id().server,
        person: "bob".into(),
    };
    let said = format!("<message from='{PHONE}' to='{bob}' type='chat' id='d1'><body>hi</body></message>");
    let lines = desk.stanza(&said);
    let lines = accept(&mut desk, &lines);
    assert!(
        has(
            &lines,
            &[
                "Alias",
                "remote: MessageId(\"n1\")",
                "known: \"d1\"",
                "mine: true"
            ]
        ),
        "{lines:#?}"
    );
    let older = Found {
        known: "d1".into(),
        ids: vec![MessageId("n1".into())],
        at: NOW,
        mine: true,
        message: None,
        reactions: Vec::new(),
    };
    let event = PersonEvent::Reaction(Reaction {
        sender: "bob".into(),
        nick: "bob".into(),
        at: NOW,
        of: MessageId("n1".into()),
        add: vec!["👍".into()],
        remove: vec![],
    });
    let (_, lines) = desk.tells(RemoteEvent::Person { person, event }, Some(older.clone()));
    assert!(
        has(
            &lines,
            &[
                "<message",
                "<reactions xmlns='urn:xmpp:reactions:0' id='d1'>",
                "type='chat'"
            ]
        ),
        "{lines:#?}"
    );
    let retract = format!(
        "<message from='{PHONE}' to='{bob}' type='chat' id='d2'><retract xmlns='urn:xmpp:message-retract:1' id='d1'/></message>"
    );
    let (lookup, lines) = desk.refers(&retract, Some(older));
    assert!(
        lookup.is_some() && has(&lines, &["Submit(Retract", "n1"]),
        "{lines:#?}"
    );
}
