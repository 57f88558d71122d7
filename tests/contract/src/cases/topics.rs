//! Subjects of rooms.

use viaduct_bridge::{Command, Failure, Name, Refusal, RoomEvent, RoomId, Topic, TransactionId};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::subject::Door;
use crate::user::User;

pub(super) fn set(user: &User<'_>, room: &RoomId, text: &str) -> TransactionId {
    let (room, text) = (room.clone(), Name::from(text));
    user.ask(|txn| Command::SetTopic { txn, room, text })
}

pub(super) async fn changed(user: &User<'_>, room: &RoomId) -> Found<Topic> {
    user.saw_in(room, "new subject", |event| match event {
        RoomEvent::TopicChanged(topic) => Some(topic.clone()),
        _ => None,
    })
    .await
}

/// A user's change is confirmed, and everybody sees it, the user too.
pub(super) async fn of_a_user(scene: &Scene<'_>) -> Found {
    scene.needs("subject", |declared| declared.subject)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let txn = set(&alice, &room, "Earl Grey: ☕");
    alice.done(txn).await?;
    for user in [&alice, &bob] {
        let topic = changed(user, &room).await?;
        ensure!(*topic.text == *"Earl Grey: ☕", "the subject is {:?}", topic.text);
        let by = topic.by.as_deref().unwrap_or_default();
        ensure!(by.starts_with("alice"), "it was set by {by:?}");
    }
    Ok(())
}

/// Somebody else's change is seen.
pub(super) async fn of_somebody_else(scene: &Scene<'_>) -> Found {
    scene.needs("subject", |declared| declared.subject)?;
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &room).await?;
    bob.set_topic(&room, "Assam").await?;
    let topic = changed(&alice, &room).await?;
    ensure!(*topic.text == *"Assam", "the subject is {:?}", topic.text);
    let by = topic.by.as_deref().unwrap_or_default();
    ensure!(by.starts_with("bob"), "it was set by {by:?}");
    Ok(())
}

/// An empty subject is none.
pub(super) async fn one_that_is_cleared(scene: &Scene<'_>) -> Found {
    scene.needs("subject", |declared| declared.subject)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    for text in ["Assam", ""] {
        let txn = set(&alice, &room, text);
        alice.done(txn).await?;
        let topic = changed(&alice, &room).await?;
        ensure!(
            *topic.text == *text,
            "the subject is {:?}, not {text:?}",
            topic.text
        );
    }
    let view = alice.enter(&room).await?;
    let topic = view.topic.map(|topic| topic.text);
    let none = topic.as_deref().is_none_or(str::is_empty);
    ensure!(none, "the subject is {topic:?}");
    Ok(())
}

/// Where only operators may, others are refused.
pub(super) async fn one_that_is_locked(scene: &Scene<'_>) -> Found {
    scene.needs("subject", |declared| declared.subject)?;
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.set_door(&room, Door::TopicLocked).await?;
    let alice = scene.user("alice");
    let view = alice.enter(&room).await?;
    ensure!(
        view.flags.topic_locked,
        "the subject is locked, and the flags are {:?}",
        view.flags
    );
    let txn = set(&alice, &room, "Darjeeling");
    let forbidden = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::Forbidden,
                ..
            }
        )
    };
    alice.failed_as(txn, forbidden).await
}
