//! Connections that break, stall or talk nonsense.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use viaduct_bridge::{
    BoxFuture, Bridge as _, Closed, Command, Departure, EventSink, Failure, Outcome, Refusal, RemoteEvent,
    RoomEvent, ServerEvent, SessionContext,
};

use crate::scripted::Scripted;
use crate::support::{bridge, name, room_id, server_id};
use crate::user::User;

#[tokio::test]
async fn a_message_that_may_not_have_arrived() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let mut alice = User::new(&bridge, "alice");
    alice.join("#c", None);
    let mut peer = server.accept().await;
    peer.welcome().await;
    peer.let_in("alice", "#c").await;
    alice.joined("#c").await;
    let txn = alice.say("#c", "hello?");
    peer.until("PRIVMSG #c :hello?").await;
    drop(peer);
    let outcome = alice.outcome(txn).await;
    let Outcome::Failed(Failure::Uncertain { reason }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(reason.contains("may not have arrived"), "{reason}");
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
    // It comes back by itself, enters the room again, and does not send the message again.
    let mut peer = server.accept().await;
    peer.welcome().await;
    peer.let_in("alice", "#c").await;
    alice.joined("#c").await;
    let txn = alice.say("#c", "once more");
    let line = peer.until("PRIVMSG").await;
    assert_eq!(line, "PRIVMSG #c :once more");
    let ping = peer.until("PING").await;
    peer.say(&ping.replace("PING", ":irc.test PONG irc.test")).await;
    assert!(alice.settled(txn).await);
}

#[tokio::test]
async fn nobody_answers_at_the_first_attempt() {
    let server = Scripted::plain().await;
    let port = server.port();
    drop(server);
    let (bridge, _) = bridge(port, "");
    let mut alice = User::new(&bridge, "alice");
    alice.join("#c", None);
    let txn = alice.say("bob", "hi");
    alice
        .server_event("failure", |e| {
            matches!(
                e,
                ServerEvent::Failed {
                    failure: Failure::Permanent {
                        refusal: Refusal::Unreachable,
                        ..
                    }
                }
            )
        })
        .await;
    alice
        .room_event("#c", "refusal", |e| {
            matches!(
                e,
                RoomEvent::Refused {
                    failure: Failure::Permanent {
                        refusal: Refusal::Unreachable,
                        ..
                    }
                }
            )
        })
        .await;
    let outcome = alice.outcome(txn).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    // What needs a connection and does not ask for one is told that there is none.
    let txn = alice.set_nick("al");
    let outcome = alice.outcome(txn).await;
    assert!(
        matches!(outcome, Outcome::Failed(Failure::NotLoggedIn { .. })),
        "{outcome:?}"
    );
    alice.submit(Command::Leave {
        room: room_id("#c"),
        reason: None,
    });
    alice
        .room_event("#c", "leave", |e| matches!(e, RoomEvent::Left { .. }))
        .await;
}

#[tokio::test]
async fn leaving_and_closing() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let mut alice = User::new(&bridge, "alice");
    alice.join("#c", None);
    let mut peer = server.accept().await;
    peer.welcome().await;
    peer.let_in("alice", "#c").await;
    alice.joined("#c").await;
    let txn = alice.say("#c", "last words");
    alice.submit(Command::Disconnect {
        server: server_id(),
        reason: Some(name("bye all")),
    });
    peer.until("PRIVMSG #c :last words").await;
    let fence = peer.until("PING").await;
    assert_eq!(peer.until("QUIT").await, "QUIT :bye all");
    // What was confirmed before the end is confirmed.
    peer.say(&fence.replace("PING", ":irc.test PONG irc.test")).await;
    drop(peer);
    assert!(alice.settled(txn).await);
    alice
        .room_event("#c", "leave", |e| {
            matches!(
                e,
                RoomEvent::Left {
                    how: Departure::Left,
                    ..
                }
            )
        })
        .await;
    alice
        .server_event("end", |e| matches!(e, ServerEvent::Closed))
        .await;

    // A server that does not close its side delays nobody for long.
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    let mut peer = server.accept().await;
    peer.welcome().await;
    alice
        .server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
    let began = Instant::now();
    alice.close().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(peer.until("QUIT").await, "QUIT :bye");
}

#[tokio::test]
async fn leaving_while_it_tries_to_connect() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let mut alice = User::new(&bridge, "alice");
    alice.join("#c", None);
    let _peer = server.accept().await;
    alice
        .server_event("attempt", |e| matches!(e, ServerEvent::Connecting))
        .await;
    alice.submit(Command::Disconnect {
        server: server_id(),
        reason: None,
    });
    alice
        .room_event("#c", "refusal", |e| matches!(e, RoomEvent::Refused { .. }))
        .await;
    alice
        .server_event("end", |e| matches!(e, ServerEvent::Closed))
        .await;
}

/// A sink that takes events only as far as it is permitted to.
struct Slow {
    room: Semaphore,
    taken: AtomicUsize,
}

impl EventSink for Slow {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        Box::pin(async move {
            self.room.acquire().await.map_err(|_| Closed)?.forget();
            self.taken.fetch_add(events.len(), Ordering::SeqCst);
            Ok(())
        })
    }
}

#[tokio::test]
async fn pings_are_answered_while_nobody_takes_events() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let sink = Arc::new(Slow {
        room: Semaphore::new(0),
        taken: AtomicUsize::new(0),
    });
    let session = bridge.open(SessionContext {
        user: name("alice@example.org"),
        account: None,
        sink: sink.clone(),
    });
    // `Connecting` and `Online` are taken; then nothing is any more.
    sink.room.add_permits(2);
    session.submit(vec![Command::Connect {
        server: server_id(),
        nick: name("alice"),
    }]);
    let mut peer = server.accept().await;
    peer.welcome().await;
    for round in 0..20 {
        let lines = ":bob!u@h PRIVMSG alice :something\n".repeat(100);
        peer.say(lines.trim_end()).await;
        peer.say(&format!("PING :round {round}")).await;
        assert_eq!(peer.until("PONG").await, format!("PONG :round {round}"));
    }
    assert_eq!(sink.taken.load(Ordering::SeqCst), 2);
    sink.room.add_permits(1_000_000);
    for _ in 0..200 {
        if sink.taken.load(Ordering::SeqCst) == 2002 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        sink.taken.load(Ordering::SeqCst),
        2002,
        "nothing was lost meanwhile"
    );
    session.close(None).await;
}

#[tokio::test]
async fn a_flood_beyond_all_buffers_is_held_back() {
    use tokio::time::timeout;
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let sink = Arc::new(Slow {
        room: Semaphore::new(2),
        taken: AtomicUsize::new(0),
    });
    let session = bridge.open(SessionContext {
        user: name("alice@example.org"),
        account: None,
        sink: sink.clone(),
    });
    session.submit(vec![Command::Connect {
        server: server_id(),
        nick: name("alice"),
    }]);
    let mut peer = server.accept().await;
    peer.welcome().await;
    let chunk = ":bob!u@h PRIVMSG alice :0123456789012345678901234567890123456789\r\n".repeat(1000);
    let mut chunks = 0;
    // At some point the client no longer reads; what it holds is bounded.
    while timeout(Duration::from_secs(1), peer.write(chunk.as_bytes()))
        .await
        .is_ok()
    {
        chunks += 1;
        assert!(chunks < 1000, "64 MB and no end");
    }
    let began = Instant::now();
    session.close(None).await;
    assert!(began.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn ten_thousand_lines_of_random_bytes() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let mut alice = User::new(&bridge, "alice");
    alice.join("#c", None);
    let mut peer = server.accept().await;
    peer.welcome().await;
    peer.let_in("alice", "#c").await;
    alice.joined("#c").await;
    let mut seed = 1_u64;
    let mut bytes = Vec::new();
    for _ in 0..10_000 {
        for _ in 0..seed % 120 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // The word ERROR ends a connection, and these bytes are no words.
            bytes.push(u8::try_from(seed >> 56).expect("eight bits"));
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(7);
        bytes.extend_from_slice(b"\r\n");
    }
    peer.write(&bytes).await;
    peer.say(":bob!u@h PRIVMSG #c :still there?").await;
    let event = alice
        .room_event(
            "#c",
            "message",
            |e| matches!(e, RoomEvent::Message(m) if m.nick.as_str() == "bob"),
        )
        .await;
    assert!(matches!(event, RoomEvent::Message(m) if m.content.text.plain.as_str() == "still there?"));
    let txn = alice.say("#c", "yes");
    peer.until("PRIVMSG #c :yes").await;
    let ping = peer.until("PING").await;
    peer.say(&ping.replace("PING", ":irc.test PONG irc.test")).await;
    assert!(alice.settled(txn).await);
}

#[tokio::test]
async fn pastes_are_paced_and_bounded() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "flood = { burst = 3, per_second = 20.0 }");
    let mut alice = User::new(&bridge, "alice");
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    let mut peer = server.accept().await;
    peer.welcome().await;
    let began = Instant::now();
    let txn = alice.say("bob", &"line\n".repeat(13));
    let mut lines = 0;
    while lines < 13 {
        let line = peer.line().await.expect("the client goes on");
        lines += usize::from(line.starts_with("PRIVMSG"));
        if line.starts_with("PING") {
            peer.say(&line.replace("PING", ":irc.test PONG irc.test")).await;
        }
    }
    assert!(
        began.elapsed() >= Duration::from_millis(480),
        "{:?}",
        began.elapsed()
    );
    let ping = peer.until("PING").await;
    peer.say(&ping.replace("PING", ":irc.test PONG irc.test")).await;
    assert!(alice.settled(txn).await);
    let txn = alice.say("bob", &"line\n".repeat(300));
    alice.refused(txn, Refusal::NotAcceptable).await;
    let txns: Vec<_> = (0..4).map(|_| alice.say("bob", &"line\n".repeat(100))).collect();
    let outcome = alice.outcome(txns[2]).await;
    assert!(
        matches!(
            outcome,
            Outcome::Failed(Failure::Permanent {
                refusal: Refusal::Throttled,
                ..
            })
        ),
        "{outcome:?}"
    );
}
