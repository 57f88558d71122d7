//! Nicknames that change.

use viaduct_bridge::{Command, Failure, MessageKind, Name, PersonEvent, Refusal, RemoteEvent, TransactionId};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::user::User;

pub(super) fn rename(scene: &Scene<'_>, user: &User<'_>, nick: &str) -> TransactionId {
    let (server, nick) = (scene.subject.server(), Name::from(nick));
    user.ask(|txn| Command::SetNick { txn, server, nick })
}

pub(super) async fn renamed(user: &User<'_>, from: &str) -> Found<(Name, Name)> {
    user.saw_of(from, "new name", |event| match event {
        PersonEvent::Renamed { to, nick } => Some((to.clone(), nick.clone())),
        _ => None,
    })
    .await
}

fn times_renamed(user: &User<'_>) -> usize {
    user.count(|event| {
        matches!(
            event,
            RemoteEvent::Person {
                event: PersonEvent::Renamed { .. },
                ..
            }
        )
    })
}

/// A user's own change is told once to them and once to each other, however many rooms they share.
pub(super) async fn ones_own(scene: &Scene<'_>) -> Found {
    scene.needs("nick_change", |declared| declared.nick_change)?;
    let (tea, cake) = (scene.subject.room("tea"), scene.subject.room("cake"));
    let alice = scene.user_in("alice", &tea).await?;
    alice.enter(&cake).await?;
    let bob = scene.user_in("bob", &tea).await?;
    bob.enter(&cake).await?;
    let txn = rename(scene, &alice, "Alicia");
    alice.done(txn).await?;
    for user in [&alice, &bob] {
        let (to, nick) = renamed(user, "alice").await?;
        let person = scene.subject.person("Alicia").person;
        ensure!(
            to == person && *nick == *"Alicia",
            "alice became {nick:?} ({to:?})"
        );
    }
    let txn = alice.say(&cake, "it is me");
    let message = bob.heard(&cake, "it is me").await?;
    ensure!(*message.nick == *"Alicia", "it was said by {:?}", message.nick);
    alice.done(txn).await?;
    let txn = bob.say(&tea, "I know");
    alice.heard(&tea, "I know").await?;
    bob.done(txn).await?;
    for user in [&alice, &bob] {
        ensure!(
            times_renamed(user) == 1,
            "{} was told {} times",
            user.nick,
            times_renamed(user)
        );
    }
    Ok(())
}

/// Somebody else's change is told once.
pub(super) async fn of_somebody_else(scene: &Scene<'_>) -> Found {
    let (tea, cake) = (scene.subject.room("tea"), scene.subject.room("cake"));
    let alice = scene.user_in("alice", &tea).await?;
    alice.enter(&cake).await?;
    let mut bob = scene.foreigner_in("bob", &tea).await?;
    bob.join(&cake).await?;
    bob.rename("Robert").await?;
    let (to, nick) = renamed(&alice, "bob").await?;
    let person = scene.subject.person("Robert").person;
    ensure!(to == person && *nick == *"Robert", "bob became {nick:?} ({to:?})");
    bob.say(&cake, MessageKind::Text, "hello").await?;
    let message = alice.heard(&cake, "hello").await?;
    ensure!(message.sender == person, "it was said by {:?}", message.sender);
    ensure!(
        times_renamed(&alice) == 1,
        "alice was told {} times",
        times_renamed(&alice)
    );
    Ok(())
}

/// A name that somebody has is not to be had.
pub(super) async fn one_that_is_taken(scene: &Scene<'_>) -> Found {
    scene.needs("nick_change", |declared| declared.nick_change)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let _bob = scene.foreigner_in("bob", &room).await?;
    let txn = rename(scene, &alice, "bob");
    let conflict = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::Conflict,
                ..
            }
        )
    };
    alice.failed_as(txn, conflict).await?;
    let view = alice.enter(&room).await?;
    let me = &view.member(&view.me)?.nick;
    ensure!(**me == *"alice", "alice became {me:?}");
    Ok(())
}
