//! Panics, a store that fails, and who is told.

use std::time::Duration;

use tokio::time::sleep;

use super::fakes::Stage;
use crate::actor::Trouble;

/// Everything that was sent, as XML.
async fn xml(stage: &Stage) -> String {
    stage.settle().await;
    let text = stage.link.test_take(true);
    stage.settle().await;
    text
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_stanza() {
    let stage = Stage::new();
    for id in ["write-1+send-1", "send-2+panic-3", "send-4"] {
        stage.say(id);
    }
    let sent = xml(&stage).await;
    assert!(
        sent.contains("id='sent-1'") && sent.contains("id='sent-4'"),
        "{sent}"
    );
    assert!(
        !sent.contains("id='sent-2'"),
        "a panic leaves nothing half done: {sent}"
    );
    assert_eq!(sent.matches("internal-server-error").count(), 1);
    assert!(sent.contains("type='error' id='send-2+panic-3'"), "{sent}");
    assert_eq!(stage.memory.loads(), 2);
    assert_eq!(
        stage.heard(),
        ["Start", "LinkUp", "write-1+send-1", "Start", "LinkUp", "send-4"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_commit_is_told_to_everybody_who_depends_on_it() {
    let stage = Stage::new();
    stage.memory.hold();
    stage.say("send-1");
    stage.say("write-2+send-2");
    stage.settle().await;
    stage.say("write-3+send-3");
    stage.settle().await;
    assert_eq!(stage.sent().await, ["sent-1"]);
    stage
        .memory
        .commit(&Err(Trouble::Failed("the disk is full".into())));
    let sent = xml(&stage).await;
    assert!(!sent.contains("id='sent-"), "{sent}");
    for id in ["write-2+send-2", "write-3+send-3"] {
        assert_eq!(
            sent.matches(&format!("type='error' id='{id}'")).count(),
            1,
            "{sent}"
        );
    }
    assert_eq!(stage.memory.loads(), 2);
    stage.say("send-4");
    assert_eq!(stage.sent().await, ["sent-4"]);
}

/// While a database is away, what comes waits as long as there is room; who comes then is asked to wait, and everybody else
/// is served in order when it is back.
#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_what_waits_is_bounded() {
    const SAID: usize = 8000;
    let stage = Stage::new();
    stage.memory.hold();
    for number in 0..SAID {
        stage.say(&format!("write-{number}+send-{number}"));
        if number < 1500 {
            // Each in a commit of its own, as on a quiet day.
            sleep(Duration::from_millis(1)).await;
        }
    }
    let refused = xml(&stage).await;
    let (told, patient) = ("resource-constraint", "<error type='wait'");
    let refused = (refused.matches(told).count(), refused.matches(patient).count());
    assert_eq!(refused.0, refused.1, "those who are refused are asked to wait");
    assert!((1000..4000).contains(&refused.0), "{}", refused.0);
    let mut sent = Vec::new();
    while !stage.memory.commit(&Ok(())).is_empty() {
        sent.extend(stage.sent().await);
    }
    let arrived: Vec<usize> = sent
        .iter()
        .filter_map(|id| id.strip_prefix("sent-")?.parse().ok())
        .collect();
    assert_eq!(arrived.len() + refused.0, SAID);
    assert!(
        arrived.windows(2).all(|pair| pair[0] < pair[1]),
        "in order and once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_taken_over_ends_the_process() {
    let stage = Stage::new();
    stage.memory.hold();
    stage.say("write-1");
    stage.settle().await;
    stage.memory.commit(&Err(Trouble::Over("another viaduct".into())));
    stage.settle().await;
    assert_eq!(*stage.alarm.0.lock().expect("no panic"), ["another viaduct"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_loaded_is_refused_and_may_come_again() {
    let stage = Stage::new();
    stage.memory.set_broken(true);
    stage.say("send-1");
    sleep(Duration::from_secs(30)).await;
    let sent = xml(&stage).await;
    assert!(
        sent.contains("type='error' id='send-1'") && sent.contains("resource-constraint"),
        "{sent}"
    );
    stage.memory.set_broken(false);
    stage.say("send-2");
    sleep(Duration::from_secs(20)).await;
    assert_eq!(stage.sent().await, ["sent-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_cannot_be_read_is_tried_again() {
    let stage = Stage::new();
    stage.say("busy-1");
    stage.settle().await;
    stage.heard();
    stage.memory.set_broken(true);
    stage.say("replay-5+mark-6");
    stage.settle().await;
    assert_eq!(stage.heard(), ["replay-5+mark-6", "LinkDown"]);
    assert_eq!(
        stage.sent().await,
        Vec::<String>::new(),
        "nothing overtakes what was missed"
    );
    stage.memory.set_broken(false);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.heard(), ["LinkUp"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_always_panics_does_so_ever_more_rarely() {
    let stage = Stage::new();
    for _ in 0..100 {
        stage.say("panic-1");
        sleep(Duration::from_secs(1)).await;
    }
    assert!(
        (5..20).contains(&stage.memory.loads()),
        "{}",
        stage.memory.loads()
    );
    sleep(Duration::from_secs(60)).await;
    stage.say("send-2");
    sleep(Duration::from_secs(2000)).await;
    assert!(stage.link.test_take(true).contains("id='sent-2'"));
}
