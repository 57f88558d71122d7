//! Against ngircd.

use viaduct_bridge::{
    Address, Command, Content, Departure, Failure, MessageKind, Outcome, PersonEvent, Rank, Refusal,
    RemoteEvent, RoomEvent, ServerEvent, Text,
};

use crate::support::{Server, bridge, name, parsed, person_id, room_id, server_id};
use crate::user::User;

async fn start() -> Option<Server> {
    start_with("Ident = no\nDNS = no").await
}

/// With other options.
pub(crate) async fn start_with(options: &str) -> Option<Server> {
    Server::start("/usr/sbin/ngircd", |port, folder| {
        let config = format!(
            "[Global]\nName = {}\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\nServerUID = irc\nServerGID = irc\n\
             MotdPhrase = hello\n[Limits]\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxNickLength = 20\n[Options]\n{options}\nPAM = no\n\
             SyslogFacility = local1\n",
            crate::support::SERVER
        );
        let path = folder.join("server.conf").display().to_string();
        (config, vec!["-n".into(), "-f".into(), path])
    })
    .await
}

#[tokio::test]
async fn join_talk_and_leave() {
    let Some(server) = start().await else { return };
    let (bridge, notes) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "alice");
    let mut bob = User::new(&bridge, "Bob");
    let RoomEvent::Joined {
        me,
        members,
        flags,
        topic,
    } = alice.enter("#c").await
    else {
        unreachable!("only snapshots fit")
    };
    assert_eq!((me.as_str(), members.len(), topic), ("alice", 1, None));
    assert_eq!(members[0].rank, Rank::OPERATOR);
    assert!(!flags.moderated);

    let RoomEvent::Joined { me, members, .. } = bob.enter("#c").await else {
        unreachable!("only snapshots fit")
    };
    assert_eq!((me.as_str(), members.len()), ("bob", 2));
    alice
        .room_event(
            "#c",
            "Bob",
            |e| matches!(e, RoomEvent::MemberJoined(m) if m.nick.as_str() == "Bob"),
        )
        .await;

    let txn = alice.say("#c", "hello");
    assert_eq!(
        alice.outcome(txn).await,
        Outcome::Accepted {
            ids: vec![],
            at: None
        }
    );
    assert_eq!(bob.message("#c").await, ("alice".into(), "hello".into()));

    let waves = Content {
        kind: MessageKind::Emote,
        text: Text::plain("waves"),
    };
    bob.send("#c", waves.clone());
    let event = alice
        .room_event("#c", "emote", |e| matches!(e, RoomEvent::Message(_)))
        .await;
    assert!(matches!(event, RoomEvent::Message(m) if m.content == waves));

    let long = "words and ".repeat(100);
    let txn = bob.say("#c", &long);
    assert!(bob.settled(txn).await);
    // ngircd takes spaces off the ends of lines.
    let mut got: Vec<String> = Vec::new();
    while got.len() < 200 {
        let (_, line) = alice.message("#c").await;
        got.extend(line.split_whitespace().map(str::to_owned));
    }
    assert_eq!(got, long.split_whitespace().collect::<Vec<_>>());

    let txn = alice.say("bob", "psst");
    assert!(alice.settled(txn).await);
    bob.expect("private message", |event| match event {
        RemoteEvent::Person {
            person,
            event: PersonEvent::Message(m),
        } => (*person == person_id("alice") && m.content.text.plain.as_str() == "psst").then_some(()),
        _ => None,
    })
    .await;

    bob.submit(Command::Leave {
        room: room_id("#c"),
        reason: Some(name("tired")),
    });
    let left = bob
        .room_event("#c", "leave", |e| matches!(e, RoomEvent::Left { .. }))
        .await;
    assert!(matches!(
        left,
        RoomEvent::Left {
            how: Departure::Left,
            ..
        }
    ));
    let left = alice
        .room_event("#c", "leave", |e| matches!(e, RoomEvent::MemberLeft { .. }))
        .await;
    let RoomEvent::MemberLeft { person, how, reason } = left else {
        unreachable!("only leaves fit")
    };
    assert_eq!(
        (person.as_str(), how, reason.as_deref()),
        ("bob", Departure::Left, Some("tired"))
    );
    assert_eq!(parsed(&bridge, "#C%irc.test"), Address::Room(room_id("#c")));
    assert!(viaduct_bridge::Notebook::get(&*notes, "casemap/irc.test").is_some());
    bob.close().await;
    alice.close().await;
}

#[tokio::test]
async fn refusals() {
    let Some(server) = start().await else { return };
    let (bridge, _) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "alice");
    let mut bob = User::new(&bridge, "bob");
    for room in ["#key", "#inv", "#ban", "#full", "#mod"] {
        alice.enter(room).await;
    }
    // Modes that no command of ours sets come from another client.
    let mut raw = crate::support::raw(server.port, "op").await;
    raw.say("JOIN #k2,#i2,#f2,#m2\r\n").await;
    raw.say("MODE #k2 +k sesame\r\nMODE #i2 +i\r\nMODE #f2 +l 1\r\nMODE #m2 +m\r\n")
        .await;
    raw.until("MODE #m2").await;

    let refused = |event: &RoomEvent| matches!(event, RoomEvent::Refused { .. });
    for (room, refusal) in [
        ("#k2", Refusal::NotAuthorized),
        ("#i2", Refusal::MembersOnly),
        ("#f2", Refusal::Full),
    ] {
        bob.join(room, None);
        let event = bob.room_event(room, "refusal", refused).await;
        let RoomEvent::Refused { failure } = event else {
            unreachable!("only refusals fit")
        };
        assert!(
            matches!(failure, Failure::Permanent { refusal: r, .. } if r == refusal),
            "{room}: {failure:?}"
        );
    }
    bob.join("#k2", Some("sesame"));
    let RoomEvent::Joined { flags, .. } = bob.joined("#k2").await else {
        unreachable!("only snapshots fit")
    };
    assert!(flags.password);

    let RoomEvent::Joined { flags, .. } = bob.enter("#m2").await else {
        unreachable!("only snapshots fit")
    };
    assert!(flags.moderated);
    let txn = bob.say("#m2", "may I?");
    bob.refused(txn, Refusal::Forbidden).await;
    let txn = bob.say("nobody", "hi");
    bob.refused(txn, Refusal::Offline).await;
    let txn = bob.set_topic("#m2", "new");
    assert!(
        bob.settled(txn).await,
        "ngircd lets anybody set the topic without +t"
    );

    // The ban, by the bridge.
    bob.enter("#ban").await;
    let txn = alice.set_ban("#ban", "bob", true, Some("enough"));
    assert!(alice.settled(txn).await);
    let (how, reason) = bob.left("#ban").await;
    assert_eq!(
        how,
        Departure::Banned {
            by: Some(name("alice"))
        }
    );
    assert_eq!(reason.as_deref(), Some("enough"));
    bob.join("#ban", None);
    let event = bob.room_event("#ban", "refusal", refused).await;
    assert!(
        matches!(
            &event,
            RoomEvent::Refused {
                failure: Failure::Permanent {
                    refusal: Refusal::Banned,
                    ..
                }
            }
        ),
        "{event:?}"
    );
    let txn = alice.set_ban("#ban", "bob", false, None);
    let outcome = alice.outcome(txn).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    bob.enter("#ban").await;
}

#[tokio::test]
async fn nicknames_ranks_and_kicks() {
    let Some(server) = start().await else { return };
    let (bridge, _) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "alice");
    alice.enter("#c").await;
    let mut second = User::new(&bridge, "alice");
    let RoomEvent::Joined { me, .. } = second.enter("#c").await else {
        unreachable!("only snapshots fit")
    };
    assert_eq!(me.as_str(), "alice_");

    let set_nick = |user: &mut User, nick: &str| {
        let txn = user.txn();
        user.submit(Command::SetNick {
            txn,
            server: server_id(),
            nick: name(nick),
        });
        txn
    };
    let txn = set_nick(&mut second, "alice");
    second.refused(txn, Refusal::Conflict).await;
    let txn = set_nick(&mut second, "Carol");
    second
        .expect("own new name", |event| match event {
            RemoteEvent::Person {
                person,
                event: PersonEvent::Renamed { to, nick },
            } => (person.person.as_str() == "alice_" && to.as_str() == "carol" && nick.as_str() == "Carol")
                .then_some(()),
            _ => None,
        })
        .await;
    assert!(second.settled(txn).await);

    let txn = alice.set_rank("#c", "carol", Rank::VOICE, Rank::NONE);
    let event = second
        .room_event("#c", "rank", |e| matches!(e, RoomEvent::RankChanged { .. }))
        .await;
    assert!(matches!(
        event,
        RoomEvent::RankChanged {
            grant: Rank::VOICE,
            ..
        }
    ));
    assert!(alice.settled(txn).await);

    let txn = second.kick("#c", "alice", None);
    second.refused(txn, Refusal::Forbidden).await;
    let txn = alice.kick("#c", "carol", Some("out"));
    let (how, reason) = second.left("#c").await;
    assert_eq!(
        (how, reason.as_deref()),
        (
            Departure::Kicked {
                by: Some(name("alice"))
            },
            Some("out")
        )
    );
    assert!(alice.settled(txn).await);
}

#[tokio::test]
async fn a_server_that_comes_back() {
    let Some(mut server) = start().await else { return };
    let (bridge, _) = bridge(server.port, "");
    let mut alice = User::new(&bridge, "alice");
    alice.enter("#c").await;
    alice.enter("#d").await;
    server.kill();
    alice
        .room_event("#c", "loss", |e| {
            matches!(
                e,
                RoomEvent::Left {
                    how: Departure::Lost,
                    ..
                }
            )
        })
        .await;
    alice
        .server_event("loss", |e| matches!(e, ServerEvent::Offline { .. }))
        .await;
    let txn = alice.say("#c", "anybody?");
    let outcome = alice.outcome(txn).await;
    assert!(
        matches!(outcome, Outcome::Failed(Failure::Transient { .. })),
        "{outcome:?}"
    );
    server.run().await;
    alice
        .server_event("return", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
    alice.joined("#c").await;
    alice.joined("#d").await;
    let txn = alice.say("#c", "back");
    assert!(alice.settled(txn).await);
}
