//! Against InspIRCd, with IRCv3.

use viaduct_bridge::{
    Command, Content, Failure, MessageKind, Outcome, PersonEvent, Rank, Refusal, RemoteEvent, RoomEvent,
    ServerEvent, Span, Style, Text,
};

use crate::support::{Server, bridge, name, person_id, raw, room_id};
use crate::user::User;

const MODULES: [&str; 22] = [
    "cap",
    "chghost",
    "customprefix",
    "ircv3",
    "ircv3_accounttag",
    "ircv3_batch",
    "ircv3_capnotify",
    "ircv3_chghost",
    "ircv3_ctctags",
    "ircv3_echomessage",
    "ircv3_invitenotify",
    "ircv3_labeledresponse",
    "ircv3_msgid",
    "ircv3_servertime",
    "namesx",
    "nonicks",
    "redirect",
    "sajoin",
    "sanick",
    "setname",
    "uhnames",
    "stripcolor",
];

/// With or without what makes fences needless.
async fn start(without: &[&str]) -> Option<Server> {
    start_with(without, "").await
}

/// The same, with more in the configuration, where PORT is the port.
pub(crate) async fn start_with(without: &[&str], more: &str) -> Option<Server> {
    Server::start("/usr/sbin/inspircd", |port, folder| {
        let shown = folder.display();
        let mut config = format!(
            r#"<server name="irc.test" description="test" network="testnet" id="00A">
<admin name="nobody" nick="nobody" email="nobody@irc.test">
<log method="file" type="*" level="default" target="{shown}/own.log">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect name="all" allow="*" timeout="60" pingfreq="120" resolvehostnames="no" useident="yes" fakelag="no" threshold="1000000"
 commandrate="100000000" recvq="10M" softsendq="50M" hardsendq="100M" localmax="1000" globalmax="1000" maxchans="1000">
<dns server="127.0.0.1" timeout="1">
<class name="all" commands="*" privs="*" usermodes="*" chanmodes="*" snomasks="*">
<type name="operator" classes="all">
<oper name="oper" password="oper" host="*@*" type="operator">
<options prefixquit="Quit: " casemapping="rfc1459" defaultmodes="not">
<limits maxnick="30">
<security announceinvites="dynamic" maxtargets="20">
<customprefix name="founder" letter="q" prefix="~" rank="50000" ranktoset="30000">
<customprefix name="admin" letter="a" prefix="&amp;" rank="40000" ranktoset="30000">
<customprefix name="halfop" letter="h" prefix="%" rank="20000" ranktoset="30000">
"#
        );
        for module in MODULES.iter().filter(|module| !without.contains(module)) {
            config += &format!("<module name=\"{module}\">\n");
        }
        config += &more.replace("PORT", &port.to_string());
        let path = folder.join("server.conf").display().to_string();
        (config, vec!["--nofork".into(), "--nopid".into(), "--config".into(), path])
    })
    .await
}

#[tokio::test]
async fn the_echo_is_the_outcome() {
    let Some(server) = start(&[]).await else { return };
    let (bridge, _) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "Alice[]");
    let mut bob = User::new(&bridge, "bob");
    let RoomEvent::Joined {
        me, members, flags, ..
    } = alice.enter("#c").await
    else {
        unreachable!("only snapshots fit")
    };
    assert_eq!((me.as_str(), members[0].nick.as_str()), ("alice{}", "Alice[]"));
    assert!(flags.topic_locked);
    bob.enter("#c").await;

    let content = Content {
        kind: MessageKind::Text,
        text: Text {
            plain: name("very bold"),
            spans: vec![Span {
                start: 5,
                end: 9,
                style: Style::Bold,
            }],
        },
    };
    let txn = alice.send("#c", content.clone());
    let echo = alice
        .room_event("#c", "echo", |e| matches!(e, RoomEvent::Message(_)))
        .await;
    let RoomEvent::Message(echo) = echo else {
        unreachable!("only messages fit")
    };
    assert_eq!(echo.txn, Some(txn));
    assert_eq!(echo.content, content);
    assert_eq!(echo.ids.len(), 1);
    let got = bob
        .room_event("#c", "message", |e| matches!(e, RoomEvent::Message(_)))
        .await;
    let RoomEvent::Message(got) = got else {
        unreachable!("only messages fit")
    };
    assert_eq!((got.ids, got.content, got.at), (echo.ids, content, echo.at));

    // A long one: one message with several ids.
    let long = "words and ".repeat(100);
    let txn = alice.say("#c", &long);
    let echo = alice
        .room_event(
            "#c",
            "echo",
            |e| matches!(e, RoomEvent::Message(m) if m.txn == Some(txn)),
        )
        .await;
    assert!(
        matches!(&echo, RoomEvent::Message(m) if m.ids.len() == 3 && m.content.text.plain.as_str() == long),
        "{echo:?}"
    );
    let mut got = String::new();
    while got.len() < long.len() {
        let (_, line) = bob.message("#c").await;
        got.push_str(&line);
    }
    assert_eq!(got, long, "whole, and cut nowhere by the server");

    // To a person, and to nobody.
    let txn = bob.say("alice{}", "psst");
    let echoed = |event: &RemoteEvent| match event {
        RemoteEvent::Person {
            person,
            event: PersonEvent::Message(m),
        } if m.txn == Some(txn) => Some((person.clone(), m.sender.clone())),
        _ => None,
    };
    assert_eq!(
        bob.expect("echo", echoed).await,
        (person_id("alice{}"), name("bob"))
    );
    let txn = bob.say("nobody", "psst");
    bob.refused(txn, Refusal::Offline).await;
    let txn = bob.set_topic("#c", "mine");
    bob.refused(txn, Refusal::Forbidden).await;
    let txn = alice.set_topic("#c", "ours");
    alice
        .room_event(
            "#c",
            "topic",
            |e| matches!(e, RoomEvent::TopicChanged(t) if t.text.as_str() == "ours"),
        )
        .await;
    assert_eq!(
        alice.outcome(txn).await,
        Outcome::Accepted {
            ids: vec![],
            at: None
        }
    );
}

#[tokio::test]
async fn without_labels_and_without_echo() {
    for without in [
        &["ircv3_labeledresponse"][..],
        &["ircv3_labeledresponse", "ircv3_echomessage"],
        &["ircv3_echomessage"],
    ] {
        let Some(server) = start(without).await else {
            return;
        };
        let (bridge, _) = bridge(server.port, "");
        let mut alice = User::new(&bridge, "alice");
        alice.enter("#c").await;
        for text in ["one", "two", "three\nlines\nlong"] {
            let txn = alice.say("#c", text);
            assert!(alice.settled(txn).await, "{without:?}");
        }
        let txn = alice.say("nobody", "x");
        assert!(!alice.settled(txn).await, "{without:?}");
        let txn = alice.set_nick("alicia");
        assert!(alice.settled(txn).await, "{without:?}");
    }
}

#[tokio::test]
async fn ranks_bans_and_forwards() {
    let Some(server) = start(&[]).await else { return };
    let (bridge, _) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "alice");
    let mut bob = User::new(&bridge, "bob");
    let mut op = raw(server.port, "op").await;
    op.say("OPER oper oper\r\nJOIN #c,#new\r\nMODE #c +L #new\r\nMODE #c +l 2\r\n")
        .await;
    op.until("MODE #c +l").await;
    alice.enter("#c").await;
    op.say("MODE #c +qo alice alice\r\n").await;
    let rank = alice
        .room_event("#c", "rank", |e| matches!(e, RoomEvent::RankChanged { .. }))
        .await;
    let RoomEvent::RankChanged { grant, by, .. } = rank else {
        unreachable!("only ranks fit")
    };
    assert_eq!((grant, by), (Rank::OWNER.with(Rank::OPERATOR), Some(name("op"))));

    // Full, and leads elsewhere.
    bob.join("#c", None);
    let refused = bob
        .room_event("#c", "refusal", |e| matches!(e, RoomEvent::Refused { .. }))
        .await;
    assert!(
        matches!(&refused, RoomEvent::Refused { failure } if failure.to_string().contains("#new")),
        "{refused:?}"
    );
    op.until(":bob!").await;
    op.until("PART").await;

    op.say("MODE #c -lL\r\n").await;
    alice
        .room_event(
            "#c",
            "flags",
            |e| matches!(e, RoomEvent::FlagsChanged(f) if f.limit.is_none()),
        )
        .await;
    let RoomEvent::Joined { members, .. } = bob.enter("#c").await else {
        unreachable!("only snapshots fit")
    };
    let rank = members
        .iter()
        .find(|m| m.person.as_str() == "alice")
        .map(|m| m.rank);
    assert_eq!(rank, Some(Rank::OWNER.with(Rank::OPERATOR)), "multi-prefix");

    let ban = |alice: &mut User, banned| {
        let txn = alice.txn();
        alice.submit(Command::SetBan {
            txn,
            room: room_id("#c"),
            person: name("bob"),
            banned,
            reason: None,
        });
        txn
    };
    let txn = ban(&mut alice, true);
    assert!(alice.settled(txn).await);
    bob.room_event("#c", "ban", |e| {
        matches!(
            e,
            RoomEvent::Left {
                how: viaduct_bridge::Departure::Banned { .. },
                ..
            }
        )
    })
    .await;
    bob.join("#c", None);
    bob.room_event("#c", "refusal", |e| {
        matches!(
            e,
            RoomEvent::Refused {
                failure: Failure::Permanent {
                    refusal: Refusal::Banned,
                    ..
                }
            }
        )
    })
    .await;
    let txn = ban(&mut alice, false);
    let outcome = alice.outcome(txn).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    bob.enter("#c").await;
    let txn = ban(&mut alice, false);
    alice.refused(txn, Refusal::NotFound).await;

    // Away, invitations, and what services may do to a user.
    bob.submit(Command::SetAway {
        text: Some(name("lunch")),
    });
    alice
        .expect("away", |event| match event {
            RemoteEvent::Person {
                person,
                event: PersonEvent::Away { text: Some(text) },
            } => (*person == person_id("bob") && text.as_str() == "lunch").then_some(()),
            _ => None,
        })
        .await;
    op.say("INVITE alice #new\r\nSAJOIN bob #forced\r\nSANICK bob Robert\r\n")
        .await;
    alice
        .server_event(
            "invitation",
            |e| matches!(e, ServerEvent::Invited { by, .. } if by.as_str() == "op"),
        )
        .await;
    bob.joined("#forced").await;
    alice
        .expect("new name", |event| match event {
            RemoteEvent::Person {
                event: PersonEvent::Renamed { nick, .. },
                ..
            } => (nick.as_str() == "Robert").then_some(()),
            _ => None,
        })
        .await;
    op.say("KILL Robert :enough\r\n").await;
    alice
        .expect("end", |event| match event {
            RemoteEvent::Person {
                event: PersonEvent::Gone { .. },
                ..
            } => Some(()),
            _ => None,
        })
        .await;
    bob.server_event("loss", |e| matches!(e, ServerEvent::Offline { .. }))
        .await;
    bob.server_event("return", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
}
