//! Errands between logins: nobody is started for them, and nobody waits for ever.

use std::time::Duration;

use jid::BareJid;
use tokio::time::{Instant, sleep};
use viaduct_core::errand::{Errand, Heard, Reach, Said};

use super::fakes::Stage;

const PATIENCE: Duration = Duration::from_secs(10);

fn these(users: &[&str], errand: &Errand) -> Reach {
    let these = users
        .iter()
        .map(|user| (BareJid::new(user).expect("a JID"), errand.clone()));
    Reach::These(these.collect())
}

fn everybody(errand: Errand, most: usize) -> Reach {
    Reach::Everybody { errand, most }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_at_work_is_looked_up_and_not_started() {
    let stage = Stage::new();
    stage.say("busy-1");
    stage.settle().await;
    let reach = these(&["me@example.org", "nobody@example.org"], &Errand::Count);
    let gathered = stage.router.reach(reach, PATIENCE).await;
    let heard: Vec<_> = gathered
        .heard
        .iter()
        .map(|(user, heard)| (user.as_str(), heard))
        .collect();
    assert_eq!(
        heard,
        [
            ("me@example.org", &Heard::Said(Said::Yes)),
            ("nobody@example.org", &Heard::Nobody)
        ]
    );
    assert_eq!((stage.router.actors(), stage.memory.loads()), (1, 1));
    stage.memory.set_broken(true);
    let gathered = stage
        .router
        .reach(these(&["nobody@example.org"], &Errand::Count), PATIENCE)
        .await;
    assert_eq!(
        gathered.heard[0].1,
        Heard::Late,
        "what is not known is not called nobody"
    );
}

#[tokio::test(start_paused = true)]
async fn of_everybody_the_first_are_named_and_the_rest_are_counted() {
    let stage = Stage::new();
    for user in ["c", "a", "d", "b"] {
        stage.say_as(&format!("{user}@example.org/r"), "busy-1");
    }
    stage.say_as("idle@example.org/r", "send-1");
    stage.settle().await;
    let gathered = stage.router.reach(everybody(Errand::Count, 2), PATIENCE).await;
    let named: Vec<&str> = gathered.heard.iter().map(|(user, _)| user.as_str()).collect();
    assert_eq!(
        (named.as_slice(), gathered.more, gathered.late),
        (&["a@example.org", "b@example.org"][..], 2, 0)
    );
}

/// A login that does not answer costs the time that is allowed, and no more; one that crashes, none.
#[tokio::test(start_paused = true)]
async fn nobody_is_waited_for_for_ever() {
    let stage = Stage::new();
    stage.say("busy-1");
    stage.settle().await;
    let begun = Instant::now();
    let gathered = stage.router.reach(everybody(Errand::Report, 9), PATIENCE).await;
    assert_eq!((gathered.heard.len(), gathered.late), (0, 1));
    assert!(
        begun.elapsed() >= PATIENCE && begun.elapsed() < PATIENCE * 2,
        "{:?}",
        begun.elapsed()
    );
    let router = stage.router.clone();
    let begun = Instant::now();
    let asked = tokio::spawn(async move {
        router
            .reach(these(&["me@example.org"], &Errand::Report), PATIENCE)
            .await
    });
    sleep(Duration::from_millis(1)).await;
    stage.say("panic");
    let gathered = asked.await.expect("no panic");
    assert_eq!(gathered.heard[0].1, Heard::Late);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

/// The way through the actors: what one asks comes back to it as an input, and it handles other things meanwhile.
#[tokio::test(start_paused = true)]
async fn answers_come_back_as_inputs() {
    let stage = Stage::new();
    stage.say_as("you@example.org/r", "busy-1");
    stage.settle().await;
    stage.heard();
    stage.say("busy-1+ask-7+order-8");
    stage.settle().await;
    let heard = stage.heard().join("\n");
    assert!(heard.contains("Reached { request: RequestId(7)"), "{heard}");
    assert!(
        heard.contains("(\"me@example.org\", Said(Yes))], more: 1, late: 0"),
        "{heard}"
    );
    assert!(
        heard.contains("Obeyed { request: RequestId(8), result: Err("),
        "{heard}"
    );
}
