//! Beginning, resting and ending.

use std::sync::Arc;
use std::time::Duration;

use jid::BareJid;
use tokio::time::sleep;
use viaduct_core::stanza::Incoming;

use super::fakes::{DOMAIN, Stage};
use crate::link::Upward;

#[tokio::test(start_paused = true)]
async fn an_idle_actor_leaves_and_comes_back() {
    let stage = Stage::new();
    stage.say("send-1");
    stage.say_as("you@example.org/r", "busy-1");
    stage.settle().await;
    assert_eq!(stage.router.actors(), 2);
    sleep(Duration::from_secs(200)).await;
    assert_eq!(stage.router.actors(), 1, "one has something to do");
    stage.say("send-2");
    assert_eq!(stage.sent().await, ["sent-1", "sent-2"]);
    assert_eq!(stage.memory.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn strangers_get_few_actors() {
    let stage = Stage::new();
    for number in 0..300 {
        stage.say_as(&format!("s{number}@evil.example"), "send-1");
    }
    stage.say("send-2");
    stage.settle().await;
    assert_eq!(stage.router.actors(), 257);
    let sent = stage.link.test_take(true);
    assert_eq!(
        sent.matches("resource-constraint").count(),
        44,
        "the others are told to come later"
    );
    sleep(Duration::from_secs(200)).await;
    assert_eq!(stage.router.actors(), 0);
    stage.say_as("again@evil.example", "send-1");
    assert_eq!(stage.sent().await, ["sent-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_concerns_nobody_starts_nobody() {
    let stage = Stage::new();
    for (kind, ty) in [
        ("message", "error"),
        ("iq", "result"),
        ("iq", "error"),
        ("presence", "unavailable"),
    ] {
        let xml = format!(
            "<{kind} xmlns='jabber:component:accept' type='{ty}' from='a@example.org/b' to='{DOMAIN}'/>"
        );
        let incoming = Incoming::parse(xml.parse().expect("XML")).expect("a stanza");
        stage.router.stanza(Box::new(incoming), 100);
    }
    assert_eq!(stage.router.actors(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_in_order() {
    let stage = Stage::new();
    stage.say("busy-1+open");
    stage.settle().await;
    stage.memory.hold();
    stage.say("write-1+send-1");
    let router = Arc::clone(&stage.router);
    let ending = tokio::spawn(async move { router.stop(Duration::from_secs(5)).await });
    sleep(Duration::from_millis(100)).await;
    assert!(!ending.is_finished(), "what was taken is finished first");
    stage.say("send-2");
    stage.memory.commit(&Ok(()));
    ending.await.expect("no panic");
    assert_eq!(stage.router.actors(), 0);
    assert_eq!(stage.heard().last().map(String::as_str), Some("Stopping"));
    let sent = stage.link.test_take(true);
    assert!(
        sent.contains("id='sent-1'") && !sent.contains("id='sent-2'"),
        "{sent}"
    );
    assert!(
        sent.contains("type='error' id='send-2'") && sent.contains("about to restart"),
        "{sent}"
    );
    stage
        .router
        .start(&BareJid::new("late@example.org").expect("a JID"));
    assert_eq!(stage.router.actors(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_refused_and_the_rest_arrives_in_order() {
    let stage = Stage::new();
    for number in 0..5000 {
        stage.say(&format!("send-{number}"));
    }
    stage.settle().await;
    let sent = stage.link.test_take(true);
    let refused = sent.matches("resource-constraint").count();
    let arrived: Vec<i64> = sent
        .split(" id='sent-")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next()?.parse().ok())
        .collect();
    assert_eq!(refused + arrived.len(), 5000);
    assert!(refused > 0 && arrived.is_sorted(), "{refused} refused");
    stage.say("send-6000");
    assert_eq!(stage.sent().await, ["sent-6000"]);
}

/// One user floods: what the others say at the same moment waits for one turn of theirs, not for the flood. Counted in
/// stanzas that come before theirs, not in time.
#[tokio::test(start_paused = true)]
async fn a_flood_of_one_delays_the_others_by_a_turn() {
    /// As many as an actor handles before others have their turn.
    const TURN: usize = 256;
    let stage = Stage::new();
    let others = ["you@example.org/r", "they@example.org/r"];
    for other in others {
        stage.say_as(other, "busy-1");
    }
    stage.say("busy-1");
    stage.sent().await;
    for number in 1..=4000 {
        stage.say(&format!("send-{number}"));
    }
    for (number, other) in (9001..).zip(others) {
        stage.say_as(other, &format!("send-{number}"));
    }
    let sent = stage.sent().await;
    assert_eq!(sent.len(), 4000 + others.len());
    for number in 9001..=9002 {
        let before = sent.iter().position(|id| *id == format!("sent-{number}"));
        let before = before.expect("it is sent");
        assert!(before <= 2 * TURN + 1, "{before} stanzas of the flood came first");
    }
}

#[tokio::test(start_paused = true)]
async fn an_actor_takes_little_memory() {
    let stage = Stage::new();
    let size = stage.router.size_of_life();
    assert!(size <= 1280, "{size} bytes for each login");
}
