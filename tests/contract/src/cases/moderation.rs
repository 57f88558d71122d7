//! Rights in rooms, and what is done with them.

use viaduct_bridge::{Command, Departure, Failure, Name, Rank, Refusal, RoomEvent, RoomId, TransactionId};

use super::rooms::{left, somebody_came};
use crate::finding::{Found, broken, ensure};
use crate::scene::Scene;
use crate::user::User;

pub(super) fn kick(user: &User<'_>, room: &RoomId, person: &Name, why: &str) -> TransactionId {
    let (room, person, reason) = (room.clone(), person.clone(), Some(Name::from(why)));
    user.ask(|txn| Command::Kick {
        txn,
        room,
        person,
        reason,
    })
}

pub(super) fn set_ban(user: &User<'_>, room: &RoomId, person: &Name, banned: bool) -> TransactionId {
    let (room, person) = (room.clone(), person.clone());
    user.ask(|txn| Command::SetBan {
        txn,
        room,
        person,
        banned,
        reason: None,
    })
}

pub(super) fn set_rank(
    user: &User<'_>,
    room: &RoomId,
    person: &Name,
    grant: Rank,
    revoke: Rank,
) -> TransactionId {
    let (room, person) = (room.clone(), person.clone());
    user.ask(|txn| Command::SetRank {
        txn,
        room,
        person,
        grant,
        revoke,
    })
}

pub(super) async fn removed(user: &User<'_>, room: &RoomId, whom: &Name) -> Found<(Departure, Option<Name>)> {
    user.saw_in(room, &format!("end of {whom}"), |event| match event {
        RoomEvent::MemberLeft { person, how, reason } if person == whom => {
            Some((how.clone(), reason.clone()))
        }
        _ => None,
    })
    .await
}

/// Waits until all of this has been given to and taken from somebody, in one step or in several.
pub(super) async fn rank_changed(
    user: &User<'_>,
    room: &RoomId,
    nick: &str,
    grant: Rank,
    revoke: Rank,
) -> Found {
    let whom = user.folded(nick);
    let (mut given, mut taken) = (Rank::NONE, Rank::NONE);
    user.saw_in(room, &format!("new rank of {nick}"), |event| match event {
        RoomEvent::RankChanged {
            person,
            grant: more,
            revoke: less,
            ..
        } if *person == whom => {
            given = given.with(*more);
            taken = taken.with(*less);
            (given.contains(grant) && taken.contains(revoke)).then_some(())
        }
        _ => None,
    })
    .await
}

/// Somebody removes the user, who is told by whom and why and can come back.
pub(super) async fn a_user_is_kicked(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &room).await?;
    bob.kick(&room, "alice", "no shouting").await?;
    let (how, reason) = left(&alice, &room).await?;
    let Departure::Kicked { by: Some(by) } = &how else {
        return broken(format!("alice was kicked, and left by {how:?}"));
    };
    ensure!(by.starts_with("bob"), "alice was kicked by {by:?}");
    ensure!(
        reason.as_deref() == Some("no shouting"),
        "the reason is {reason:?}"
    );
    alice.enter(&room).await?;
    Ok(())
}

/// The user removes somebody, which everybody sees.
pub(super) async fn a_user_kicks(scene: &Scene<'_>) -> Found {
    scene.needs("kick", |declared| declared.kick)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let carol = scene.user_in("carol", &room).await?;
    let _bob = scene.foreigner_in("bob", &room).await?;
    somebody_came(&alice, &room, "bob").await?;
    let whom = scene.subject.person("bob").person;
    let txn = kick(&alice, &room, &whom, "no shouting");
    alice.done(txn).await?;
    for user in [&alice, &carol] {
        let (how, reason) = removed(user, &room, &whom).await?;
        let Departure::Kicked { by: Some(by) } = &how else {
            return broken(format!("bob was kicked, and left by {how:?}"));
        };
        ensure!(by.starts_with("alice"), "bob was kicked by {by:?}");
        ensure!(
            reason.as_deref() == Some("no shouting"),
            "the reason is {reason:?}"
        );
    }
    Ok(())
}

/// Without the right it is refused, and nothing happens.
pub(super) async fn a_user_without_the_right_does_not_kick(scene: &Scene<'_>) -> Found {
    scene.needs("kick", |declared| declared.kick)?;
    let room = scene.subject.room("tea");
    let _bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &room).await?;
    let whom = scene.subject.person("bob").person;
    let txn = kick(&alice, &room, &whom, "a coup");
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
    let view = alice.enter(&room).await?;
    view.member(&whom)?;
    Ok(())
}

/// The user is given rights and loses them.
pub(super) async fn a_user_is_promoted(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &room).await?;
    for rank in [Rank::VOICE, Rank::OPERATOR] {
        bob.promote(&room, "alice", rank, true).await?;
        rank_changed(&alice, &room, "alice", rank, Rank::NONE).await?;
    }
    let view = alice.enter(&room).await?;
    let rank = view.member(&view.me)?.rank;
    ensure!(
        rank.contains(Rank::VOICE.with(Rank::OPERATOR)),
        "alice has only {rank:?}"
    );
    bob.promote(&room, "alice", Rank::OPERATOR, false).await?;
    rank_changed(&alice, &room, "alice", Rank::NONE, Rank::OPERATOR).await
}

/// The user gives and takes rights, several at a time too.
pub(super) async fn a_user_promotes(scene: &Scene<'_>) -> Found {
    scene.needs("ranks", |declared| declared.ranks)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let _bob = scene.foreigner_in("bob", &room).await?;
    somebody_came(&alice, &room, "bob").await?;
    let bob = scene.subject.person("bob").person;
    for (grant, revoke) in [
        (Rank::VOICE, Rank::NONE),
        (Rank::OPERATOR, Rank::VOICE),
        (Rank::NONE, Rank::OPERATOR),
    ] {
        let txn = set_rank(&alice, &room, &bob, grant, revoke);
        alice.done(txn).await?;
        rank_changed(&alice, &room, "bob", grant, revoke).await?;
    }
    let rank = alice.enter(&room).await?.member(&bob)?.rank;
    ensure!(
        rank.is_empty(),
        "everything was taken from bob, and he has {rank:?}"
    );
    Ok(())
}

/// Who is banned is out and stays out, until the ban is lifted.
pub(super) async fn a_user_bans_and_lifts_the_ban(scene: &Scene<'_>) -> Found {
    scene.needs("ban", |declared| declared.ban)?;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    somebody_came(&alice, &room, "bob").await?;
    let whom = scene.subject.person("bob").person;
    let txn = set_ban(&alice, &room, &whom, true);
    alice.done(txn).await?;
    let (how, _) = removed(&alice, &room, &whom).await?;
    let fits = matches!(how, Departure::Banned { .. } | Departure::Kicked { .. });
    ensure!(fits, "bob was banned, and left by {how:?}");
    left(&bob, &room).await?;
    let failure = bob.kept_out(&room, None).await?;
    let banned = matches!(
        failure,
        Failure::Permanent {
            refusal: Refusal::Banned,
            ..
        }
    );
    ensure!(banned, "bob is banned, and is told {failure:?}");
    let txn = set_ban(&alice, &room, &whom, false);
    alice.done(txn).await?;
    bob.enter(&room).await?;
    Ok(())
}
