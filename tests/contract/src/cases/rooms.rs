//! Coming and going.

use viaduct_bridge::{
    Command, Departure, MessageKind, Name, PersonEvent, Rank, RemoteEvent, RoomEvent, RoomId,
};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::user::User;

pub(super) fn leave(user: &User<'_>, room: &RoomId, reason: &str) {
    user.submit(vec![Command::Leave {
        room: room.clone(),
        reason: Some(reason.into()),
    }]);
}

pub(super) async fn left(user: &User<'_>, room: &RoomId) -> Found<(Departure, Option<Name>)> {
    user.saw_in(room, "end of the stay", |event| match event {
        RoomEvent::Left { how, reason } => Some((how.clone(), reason.clone())),
        _ => None,
    })
    .await
}

pub(super) async fn somebody_came(user: &User<'_>, room: &RoomId, nick: &str) -> Found {
    user.saw_in(room, &format!("arrival of {nick}"), |event| match event {
        RoomEvent::MemberJoined(member) if *member.nick == *nick => Some(()),
        _ => None,
    })
    .await
}

/// Who enters is told of everybody there, themselves included, and what they may do.
pub(super) async fn who_enters_sees_everybody(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("Bob", &room).await?;
    let _carol = scene.foreigner_in("carol", &room).await?;
    bob.set_topic(&room, "what is it like?").await?;
    let view = scene.user("Alice").enter(&room).await?;
    ensure!(view.members.len() == 3, "there are three, not {:?}", view.members);
    let me = view.member(&view.me)?;
    ensure!(*me.nick == *"Alice", "the nickname is {:?}", me.nick);
    ensure!(
        me.person == scene.subject.person("Alice").person,
        "the folded name is {:?}",
        me.person
    );
    ensure!(!me.rank.contains(Rank::OPERATOR), "who comes last is an operator");
    let bob = view.member(&scene.subject.person("Bob").person)?;
    ensure!(*bob.nick == *"Bob", "the nickname of Bob is {:?}", bob.nick);
    ensure!(
        bob.rank.contains(Rank::OPERATOR),
        "the first in the room has only {:?}",
        bob.rank
    );
    let topic = view.topic.map(|topic| topic.text);
    ensure!(
        topic.as_deref() == Some("what is it like?"),
        "the subject is {topic:?}"
    );
    Ok(())
}

/// Who is in and enters again is shown the room once more, as it has become.
pub(super) async fn to_enter_again_shows_the_room_as_it_is_now(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.rename("bobby").await?;
    let _carol = scene.foreigner_in("carol", &room).await?;
    somebody_came(&alice, &room, "carol").await?;
    let view = alice.enter(&room).await?;
    ensure!(view.members.len() == 3, "there are three, not {:?}", view.members);
    view.member(&scene.subject.person("bobby").person)?;
    view.member(&scene.subject.person("carol").person)?;
    Ok(())
}

/// Others enter, leave, and leave the network.
pub(super) async fn people_come_and_go(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    somebody_came(&alice, &room, "bob").await?;
    bob.part(&room, "no milk").await?;
    let person = scene.subject.person("bob").person;
    let (how, reason) = alice
        .saw_in(&room, "departure of bob", |event| match event {
            RoomEvent::MemberLeft {
                person: who,
                how,
                reason,
            } if *who == person => Some((how.clone(), reason.clone())),
            _ => None,
        })
        .await?;
    ensure!(how == Departure::Left, "bob left by {how:?}");
    let said = reason.as_ref().is_some_and(|reason| reason.contains("no milk"));
    ensure!(said, "the reason became {reason:?}");
    bob.join(&room).await?;
    somebody_came(&alice, &room, "bob").await?;
    bob.quit("no sugar").await?;
    let gone = |event: &PersonEvent| matches!(event, PersonEvent::Gone { .. }).then_some(());
    alice.saw_of("bob", "end", gone).await
}

/// Who leaves is told so, and the others see it with the reason.
pub(super) async fn to_leave_is_confirmed(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    leave(&alice, &room, "no cake");
    let (how, _) = left(&alice, &room).await?;
    ensure!(how == Departure::Left, "alice left by {how:?}");
    let person = scene.subject.person("alice").person;
    let reason = bob
        .saw_in(&room, "departure of alice", |event| match event {
            RoomEvent::MemberLeft {
                person: who,
                how: Departure::Left,
                reason,
            } if *who == person => Some(reason.clone()),
            _ => None,
        })
        .await?;
    let said = reason.as_ref().is_some_and(|reason| reason.contains("no cake"));
    ensure!(said, "the reason became {reason:?}");
    alice.enter(&room).await?;
    Ok(())
}

/// Nothing is heard from a room that one has left.
pub(super) async fn a_room_that_is_left_is_quiet(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    somebody_came(&alice, &room, "bob").await?;
    leave(&alice, &room, "");
    left(&alice, &room).await?;
    bob.say(&room, MessageKind::Text, "about alice").await?;
    alice.enter(&room).await?;
    bob.say(&room, MessageKind::Text, "welcome back").await?;
    alice.heard(&room, "welcome back").await?;
    let about = alice.count(|event| {
        matches!(event, RemoteEvent::Room { event: RoomEvent::Message(message), .. }
            if *message.content.text.plain == *"about alice")
    });
    ensure!(about == 0, "a message was heard from a room that was left");
    Ok(())
}

/// Users of the gateway are people of the network to each other.
pub(super) async fn users_see_each_other(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user("bob");
    let view = bob.enter(&room).await?;
    ensure!(view.members.len() == 2, "there are two, not {:?}", view.members);
    somebody_came(&alice, &room, "bob").await?;
    leave(&bob, &room, "");
    let person = scene.subject.person("bob").person;
    alice
        .saw_in(&room, "departure of bob", |event| match event {
            RoomEvent::MemberLeft { person: who, .. } if *who == person => Some(()),
            _ => None,
        })
        .await
}
