//! Replies, corrections, reactions and retractions, in both directions and within the user's own rooms.

#[expect(dead_code, reason = "each file of tests uses a part of the desk")]
mod desk;

use std::sync::Arc;

use desk::{Desk, NOW, PHONE, ROOM, room_id, stanzas};
use viaduct_bridge::{
    Content, Level, Message, MessageId, Name, Outcome, PersonEvent, PersonId, Rank, Reaction, Relation,
    Relations, RemoteEvent, Retraction, RoomEvent, ServerEvent, TransactionId, Typing,
};
use viaduct_core::effect::Input;
use viaduct_core::records::{MessageRecord, PortalId, Position, Said};
use viaduct_core::refer::{Found, Which};

const ALL: Relations = Relations {
    corrections: Level::Full,
    replies: Level::Full,
    reactions: Level::Full,
    retractions: Level::Full,
    moderation: Level::Full,
    typing: Level::Full,
};

fn desk() -> Desk {
    let mut desk = Desk::able(ALL, None);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.join(&["bob"]);
    desk
}

/// A message of the room, as the archive has it. The occupant-id is that of its author.
fn found(desk: &mut Desk, who: &str, body: &str) -> Found {
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

fn groupchat(children: &str) -> String {
    format!("<message from='{PHONE}' to='{ROOM}' type='groupchat' id='c1'>{children}</message>")
}

fn has(lines: &[String], parts: &[&str]) -> bool {
    lines
        .iter()
        .any(|line| parts.iter().all(|part| line.contains(part)))
}

/// Accepts the command among the effects.
fn accept(desk: &mut Desk, lines: &[String]) -> Vec<String> {
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

fn room(event: RoomEvent) -> RemoteEvent {
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

const RETRACT: &str = "<retract xmlns='urn:xmpp:message-retract:1' id='m1'/><body>/me took it back</body>";

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

#[test]
fn typing_is_shown_while_it_lasts_and_never_kept() {
    let mut desk = desk();
    let types = |state| {
        room(RoomEvent::Typing {
            person: "bob".into(),
            state,
        })
    };
    let tell = |desk: &mut Desk, state| desk.input(Input::Remote(types(state)));
    let lines = tell(&mut desk, Typing::Active);
    assert!(
        has(&lines, &["<composing ", &format!("{ROOM}/bob"), "<no-store "]),
        "{lines:#?}"
    );
    assert!(
        has(&lines, &["SetTimer", "Typing(", "after: 6s"]) && !has(&lines, &["Write("]),
        "{lines:#?}"
    );
    let again = tell(&mut desk, Typing::Active);
    assert!(
        stanzas(&again).is_empty() && has(&again, &["SetTimer"]),
        "it goes on: {again:#?}"
    );
    assert!(has(&tell(&mut desk, Typing::Paused), &["<paused "]));
    assert!(has(&tell(&mut desk, Typing::Done), &["<active "]));
    assert!(tell(&mut desk, Typing::Done).is_empty());
    tell(&mut desk, Typing::Active);
    let said = desk.says("bob", "there");
    assert_eq!(stanzas(&said).len(), 1, "what is said ends it: {said:#?}");
    assert!(tell(&mut desk, Typing::Done).is_empty());
    desk.input(Input::LinkDown);
    assert!(
        stanzas(&tell(&mut desk, Typing::Active)).is_empty(),
        "it is not kept for later"
    );
    let later = desk.input(Input::LinkUp);
    assert!(!has(&later, &["<composing"]), "{later:#?}");
}

#[test]
fn typing_goes_out_where_the_network_has_it() {
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let mut able = desk();
    let lines = able.stanza(&groupchat(composing));
    assert!(has(&lines, &["Submit(Typing", "Active"]), "{lines:#?}");
    let lines = able.stanza(&groupchat(
        "<gone xmlns='http://jabber.org/protocol/chatstates'/>",
    ));
    assert!(has(&lines, &["Submit(Typing", "Done"]), "{lines:#?}");
    let mut unable = Desk::ready();
    unable.join(&["bob"]);
    assert!(
        unable.stanza(&groupchat(composing)).is_empty(),
        "and no error either"
    );
}

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
