//! Rooms that are not open to everybody.

use viaduct_bridge::{Command, Failure, Rank, Refusal, RoomChange, RoomEvent, RoomId, ServerEvent};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::subject::Door;
use crate::user::User;

async fn kept_out_as(user: &User<'_>, room: &RoomId, key: Option<&str>, wanted: Refusal) -> Found {
    let failure = user.kept_out(room, key).await?;
    let Failure::Permanent { refusal, reason } = &failure else {
        return crate::finding::broken(format!("the door is {wanted:?}, but the refusal {failure:?}"));
    };
    ensure!(
        *refusal == wanted,
        "the door is {wanted:?}, but the refusal {failure:?}"
    );
    ensure!(!reason.is_empty(), "the refusal has no reason");
    Ok(())
}

/// A password: without it, with a wrong one, with the right one.
pub(super) async fn a_password(scene: &Scene<'_>) -> Found {
    scene.needs("room_passwords", |declared| declared.room_passwords)?;
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.set_door(&room, Door::Key("sesame")).await?;
    let alice = scene.user("alice");
    kept_out_as(&alice, &room, None, Refusal::NotAuthorized).await?;
    kept_out_as(&alice, &room, Some("barley"), Refusal::NotAuthorized).await?;
    let view = alice.enter_with(&room, Some("sesame")).await?;
    ensure!(
        view.flags.password,
        "the room has a password, and its flags are {:?}",
        view.flags
    );
    Ok(())
}

/// Who is banned does not get in.
pub(super) async fn a_ban(scene: &Scene<'_>) -> Found {
    let (room, other) = (scene.subject.room("tea"), scene.subject.room("lobby"));
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &other).await?;
    bob.ban(&room, "alice").await?;
    kept_out_as(&alice, &room, None, Refusal::Banned).await
}

/// A room for the invited opens by an invitation, of which the user is told.
pub(super) async fn an_invitation(scene: &Scene<'_>) -> Found {
    let (room, other) = (scene.subject.room("tea"), scene.subject.room("lobby"));
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.set_door(&room, Door::InviteOnly).await?;
    let alice = scene.user_in("alice", &other).await?;
    kept_out_as(&alice, &room, None, Refusal::MembersOnly).await?;
    bob.invite(&room, "alice").await?;
    let (to, by) = alice
        .saw_server("invitation", |event| match event {
            ServerEvent::Invited { room, by, .. } => Some((room.clone(), by.clone())),
            _ => None,
        })
        .await?;
    ensure!(
        to == room && by.starts_with("bob"),
        "the invitation was to {to:?}, by {by:?}"
    );
    let view = alice.enter(&room).await?;
    ensure!(
        view.flags.invite_only,
        "the room is for the invited, and its flags are {:?}",
        view.flags
    );
    Ok(())
}

/// A user who may invites somebody, who is told; nobody can be invited who is not there.
pub(super) async fn an_invitation_by_a_user(scene: &Scene<'_>) -> Found {
    let (room, other) = (scene.subject.room("tea"), scene.subject.room("lobby"));
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &other).await?;
    let invite = |nick: &str| {
        let (room, person) = (room.clone(), scene.subject.person(nick).person);
        alice.ask(|txn| Command::Invite { txn, room, person })
    };
    alice.done(invite("bob")).await?;
    let (to, by) = bob
        .saw_server("invitation", |event| match event {
            ServerEvent::Invited { room, person, .. } => Some((room.clone(), person.clone())),
            _ => None,
        })
        .await?;
    ensure!(
        to == room && by == alice.folded("alice"),
        "the invitation was to {to:?}, by {by:?}"
    );
    let nobody = invite("nobody");
    let not_found = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::NotFound,
                ..
            }
        )
    };
    alice.failed_as(nobody, not_found).await
}

/// A user who may changes how a room is, and everybody sees it; one who may not does not.
pub(super) async fn a_change_by_a_user(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let configure = |user: &User<'_>, change: RoomChange| {
        let room = room.clone();
        user.ask(|txn| Command::SetRoom { txn, room, change })
    };
    let change = RoomChange {
        moderated: Some(true),
        limit: Some(Some(7)),
        ..RoomChange::default()
    };
    alice.done(configure(&alice, change)).await?;
    for user in [&alice, &bob] {
        user.saw_in(&room, "change", |event| match event {
            RoomEvent::FlagsChanged(flags) if flags.moderated && flags.limit == Some(7) => Some(()),
            _ => None,
        })
        .await?;
    }
    let change = RoomChange {
        moderated: Some(false),
        ..RoomChange::default()
    };
    let forbidden = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::Forbidden,
                ..
            }
        )
    };
    let txn = configure(&bob, change);
    bob.failed_as(txn, forbidden).await
}

/// A room with a limit does not take more.
pub(super) async fn a_full_room(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.set_door(&room, Door::Limit(1)).await?;
    let alice = scene.user("alice");
    kept_out_as(&alice, &room, None, Refusal::Full).await?;
    bob.set_door(&room, Door::Limit(2)).await?;
    let view = alice.enter(&room).await?;
    ensure!(
        view.flags.limit == Some(2),
        "two may enter, and the flags are {:?}",
        view.flags
    );
    Ok(())
}

/// Where not everybody may speak, a message without voice is refused; with it, it is not.
pub(super) async fn a_moderated_room(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    bob.set_door(&room, Door::Moderated).await?;
    let alice = scene.user("alice");
    let view = alice.enter(&room).await?;
    ensure!(
        view.flags.moderated,
        "the room is moderated, and its flags are {:?}",
        view.flags
    );
    let txn = alice.say(&room, "may I?");
    let forbidden = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::Forbidden,
                ..
            }
        )
    };
    alice.failed_as(txn, forbidden).await?;
    bob.promote(&room, "alice", Rank::VOICE, true).await?;
    super::moderation::rank_changed(&alice, &room, "alice", Rank::VOICE, Rank::NONE).await?;
    let txn = alice.say(&room, "thank you");
    alice.done(txn).await?;
    let heard = bob.heard().await?.text;
    ensure!(heard == "thank you", "bob heard {heard:?}");
    Ok(())
}
