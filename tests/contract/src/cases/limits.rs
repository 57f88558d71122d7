//! Limits: what just fits is carried, and what is a byte longer is refused.

use viaduct_bridge::{Failure, Refusal};

use super::{nicks, rooms};
use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::user::Ending;

/// A message of the most bytes arrives whole, and one of a byte more fails.
pub(super) async fn the_longest_message(scene: &Scene<'_>) -> Found {
    let most = scene.declared().max_message_bytes;
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    rooms::somebody_came(&alice, &room, "bob").await?;

    let long: String = ('a'..='z').cycle().take(most).collect();
    let txn = alice.say(&room, &long);
    alice.done(txn).await?;
    let mut heard = String::new();
    while heard.len() < most {
        heard += &bob.heard().await?.text;
    }
    ensure!(
        heard == long,
        "a message of {most} bytes arrived as {} others",
        heard.len()
    );

    let txn = alice.say(&room, &format!("{long}!"));
    let too_long = |failure: &Failure| {
        matches!(
            failure,
            Failure::Permanent {
                refusal: Refusal::NotAcceptable,
                ..
            }
        )
    };
    let ending = alice.ending(txn).await?;
    let refused = matches!(&ending, Ending::Failed(failure) if too_long(failure));
    ensure!(
        refused,
        "max_message_bytes is {most}, but for a message of a byte more: {ending:?}"
    );

    let txn = alice.say(&room, "the end");
    alice.done(txn).await?;
    let heard = bob.heard().await?.text;
    ensure!(
        heard == "the end",
        "after a message that was refused came {heard:?}"
    );
    Ok(())
}

/// A nickname of the most bytes is had, and one of a byte more is refused or shortened.
pub(super) async fn the_longest_nickname(scene: &Scene<'_>) -> Found {
    scene.needs("nick_change", |declared| declared.nick_change)?;
    let bridge = scene.bridge();
    let most = scene.declared().max_nick_bytes;
    let long: String = ('a'..='z').cycle().take(most).collect();
    ensure!(
        bridge.nick_for(&long).as_deref() == Some(&long),
        "max_nick_bytes is {most}, but a nickname of that length becomes {:?}",
        bridge.nick_for(&long)
    );
    let longer = format!("{long}a");
    let shortened = bridge.nick_for(&longer);
    ensure!(
        shortened.as_ref().is_none_or(|nick| nick.len() <= most),
        "max_nick_bytes is {most}, but there would be {shortened:?}"
    );

    let fits = scene.subject.nick_limit().unwrap_or(most).min(most);
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let txn = nicks::rename(scene, &alice, &long[..fits]);
    alice.done(txn).await?;
    let (_, nick) = nicks::renamed(&alice, "alice").await?;
    ensure!(
        *nick == long[..fits],
        "{:?} was asked for and became {nick:?}",
        &long[..fits]
    );

    let txn = nicks::rename(scene, &alice, &longer);
    if let Ending::Failed(failure) = alice.ending(txn).await? {
        let too_long = matches!(
            &failure,
            Failure::Permanent {
                refusal: Refusal::NotAcceptable,
                ..
            }
        );
        ensure!(too_long, "a nickname that is too long is {failure:?}");
    }
    let view = alice.enter(&room).await?;
    let nick = &view.member(&view.me)?.nick;
    ensure!(
        nick.len() <= most,
        "max_nick_bytes is {most}, but there is {nick:?}"
    );
    Ok(())
}
