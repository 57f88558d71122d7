//! One input, then all its effects in order; those after a write wait for its commit.

use std::time::Duration;

use tokio::time::sleep;

use super::fakes::Stage;
use crate::link::Room;

#[tokio::test(start_paused = true)]
async fn effects_wait_for_their_commit_and_inputs_do_not() {
    let stage = Stage::new();
    stage.memory.hold();
    for number in 1..=5 {
        stage.say(&format!("send-{number}0+write-{number}+send-{number}1"));
        stage.settle().await;
    }
    let heard = stage.heard();
    assert_eq!(heard.len(), 7, "it runs ahead: {heard:?}");
    assert_eq!(heard[..2], ["Start", "LinkUp"]);
    assert_eq!(stage.sent().await, ["sent-10"]);
    assert_eq!(stage.memory.commit(&Ok(())), [1, 1, 1, 1, 1]);
    assert_eq!(
        stage.sent().await,
        [
            "sent-11", "sent-20", "sent-21", "sent-30", "sent-31", "sent-40", "sent-41", "sent-50", "sent-51"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_waits_together_is_written_together() {
    let stage = Stage::new();
    stage.memory.hold();
    for number in 1..=50 {
        stage.say(&format!("write-{number}+send-{number}"));
    }
    stage.settle().await;
    assert_eq!(stage.memory.commit(&Ok(())), [50]);
    let expected: Vec<String> = (1..=50).map(|number| format!("sent-{number}")).collect();
    assert_eq!(stage.sent().await, expected);
}

#[tokio::test(start_paused = true)]
async fn an_actor_runs_ahead_only_so_far() {
    let stage = Stage::new();
    stage.memory.hold();
    let mut said = 0;
    for _ in 0..1200 {
        stage.say("write-1+send-1");
        said += 1;
        sleep(Duration::from_millis(1)).await;
    }
    let handled = stage.heard().len() - 2;
    assert!((900..1100).contains(&handled), "{handled}");
    while !stage.memory.commit(&Ok(())).is_empty() {
        stage.settle().await;
    }
    assert_eq!(handled + stage.heard().len(), said);
}

#[tokio::test(start_paused = true)]
async fn marks_come_back_coalesced() {
    let stage = Stage::new();
    for number in 1..=20 {
        stage.say(&format!("mark-{number}"));
    }
    assert_eq!(stage.sent().await.len(), 20);
    assert_eq!(stage.heard().last().map(String::as_str), Some("confirmed 20"));
    stage.say("mark-21");
    stage.sent().await;
    assert_eq!(stage.heard(), ["mark-21", "confirmed 21"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_meant_for_a_lost_stream_is_not_sent_on_the_next() {
    let stage = Stage::new();
    stage.memory.hold();
    stage.say("mark-1");
    stage.say("write-1+mark-2+send-3");
    stage.settle().await;
    // The stream is lost while the commit is under way, and a new one is there before anybody has looked.
    stage.link.test_end();
    stage.link.test_begin();
    stage.memory.commit(&Ok(()));
    stage.settle().await;
    assert_eq!(stage.heard()[4..], ["LinkDown", "LinkUp"]);
    assert_eq!(
        stage.sent().await,
        ["sent-3"],
        "what has a mark is made again by the core"
    );
    stage.say("mark-4");
    assert_eq!(stage.sent().await, ["marked-4"]);
    assert_eq!(stage.heard(), ["mark-4", "confirmed 4"]);
}

#[tokio::test(start_paused = true)]
async fn without_room_the_core_is_told_once_and_nothing_is_left_out() {
    let stage = Stage::with_room(Room {
        soft: 500,
        ..Room::default()
    });
    stage.say("busy-1");
    stage.sent().await;
    stage.heard();
    for number in 1..=20 {
        stage.say(&format!("mark-{number}"));
    }
    stage.say("send-21");
    stage.settle().await;
    let heard = stage.heard();
    assert_eq!(
        heard.iter().filter(|words| *words == "LinkDown").count(),
        1,
        "{heard:?}"
    );
    assert!(!heard.contains(&"LinkUp".to_owned()), "{heard:?}");
    let sent = stage.sent().await;
    let marked = sent.iter().filter(|id| id.starts_with("marked")).count();
    assert!((1..15).contains(&marked), "{sent:?}");
    // What was sent is the beginning, without a gap, and answers still go.
    let expected: Vec<String> = (1..=marked).map(|number| format!("marked-{number}")).collect();
    assert_eq!(sent[..marked], expected);
    assert_eq!(sent.last().map(String::as_str), Some("sent-21"));
    let heard = stage.heard();
    assert!(
        heard.contains(&format!("confirmed {marked}")) && heard.contains(&"LinkUp".to_owned()),
        "{heard:?}"
    );
    stage.say("mark-30");
    assert_eq!(stage.sent().await, ["marked-30"]);
}

#[tokio::test(start_paused = true)]
async fn timers_run_out() {
    let stage = Stage::new();
    stage.say("timer+busy-1");
    stage.settle().await;
    assert!(!stage.heard().contains(&"timer".to_owned()));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.heard(), ["timer"]);
}

/// It finds what those before it have written, and those after it come after it.
#[tokio::test(start_paused = true)]
async fn what_refers_to_an_older_message_waits_for_its_turn() {
    let stage = Stage::new();
    stage.memory.hold();
    for id in ["write-1+send-1", "refer-1+send-2", "send-3"] {
        stage.say(id);
    }
    stage.settle().await;
    assert_eq!(
        stage.heard(),
        ["Start", "LinkUp", "write-1+send-1"],
        "what it refers to may be in there"
    );
    stage.memory.commit(&Ok(()));
    stage.settle().await;
    assert_eq!(
        stage.heard(),
        ["related refer-1+send-2", "refer-1+send-2", "send-3"]
    );
    assert_eq!(stage.sent().await, ["sent-1", "sent-2", "sent-3"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_up_is_looked_up_again() {
    let stage = Stage::new();
    stage.say("send-1");
    stage.settle().await;
    stage.memory.set_broken(true);
    stage.say("refer-1");
    stage.settle().await;
    assert_eq!(stage.heard(), ["Start", "LinkUp", "send-1"]);
    stage.memory.set_broken(false);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.heard(), ["related refer-1", "refer-1"]);
}
