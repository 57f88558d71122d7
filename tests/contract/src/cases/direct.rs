//! What is said to one person.

use viaduct_bridge::{Failure, Message, PersonEvent};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::user::User;

pub(super) async fn heard_from(user: &User<'_>, nick: &str, text: &str) -> Found<Message> {
    user.saw_of(nick, "direct message", |event| match event {
        PersonEvent::Message(message) if message.txn.is_none() && *message.content.text.plain == *text => {
            Some(message.clone())
        }
        _ => None,
    })
    .await
}

/// A direct message to somebody of the network.
pub(super) async fn to_a_person(scene: &Scene<'_>) -> Found {
    scene.needs("direct_messages", |declared| declared.direct_messages)?;
    let mut bob = scene.foreigner("bob").await?;
    let alice = scene.user("alice");
    let txn = alice.tell(scene.subject.person("bob"), "between us");
    alice.done(txn).await?;
    let heard = bob.heard().await?;
    let right = heard.nick == "alice" && heard.room.is_none() && heard.text == "between us";
    ensure!(right, "bob heard {heard:?}");
    Ok(())
}

/// A direct message from somebody of the network.
pub(super) async fn from_a_person(scene: &Scene<'_>) -> Found {
    scene.needs("direct_messages", |declared| declared.direct_messages)?;
    let alice = scene.user_in("alice", &scene.subject.room("tea")).await?;
    let mut bob = scene.foreigner("bob").await?;
    bob.tell("alice", "between us").await?;
    let message = heard_from(&alice, "bob", "between us").await?;
    ensure!(*message.nick == *"bob", "it was said by {:?}", message.nick);
    ensure!(
        message.sender == scene.subject.person("bob").person,
        "it was said by {:?}",
        message.sender
    );
    Ok(())
}

/// A direct message to nobody fails, with a reason.
pub(super) async fn to_nobody(scene: &Scene<'_>) -> Found {
    scene.needs("direct_messages", |declared| declared.direct_messages)?;
    let alice = scene.user("alice");
    let txn = alice.tell(scene.subject.person("nobody"), "are you there?");
    alice
        .failed_as(txn, |failure| matches!(failure, Failure::Permanent { .. }))
        .await
}

/// Direct messages between two users of the gateway.
pub(super) async fn between_users(scene: &Scene<'_>) -> Found {
    scene.needs("private_messages", |declared| declared.private_messages)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let txn = alice.tell(scene.subject.person("bob"), "psst");
    heard_from(&bob, "alice", "psst").await?;
    alice.done(txn).await?;
    let txn = bob.tell(scene.subject.person("alice"), "what is it?");
    heard_from(&alice, "bob", "what is it?").await?;
    bob.done(txn).await
}
