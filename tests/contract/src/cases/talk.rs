//! What is said in rooms.

use viaduct_bridge::{Content, MessageKind, Recipient, RemoteEvent, RoomEvent, RoomId, TransactionId};

use crate::finding::{Found, ensure};
use crate::scene::Scene;
use crate::subject::{Foreigner, Heard};
use crate::user::User;

/// A user and a foreigner in the same room.
async fn two<'a>(scene: &Scene<'a>) -> Found<(RoomId, User<'a>, Box<dyn Foreigner>)> {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.foreigner_in("bob", &room).await?;
    super::rooms::somebody_came(&alice, &room, "bob").await?;
    Ok((room, alice, bob))
}

/// A message to a room reaches the network as it was, once.
pub(super) async fn what_a_user_says_arrives(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    for text in ["hello", "how are you?"] {
        let txn = alice.say(&room, text);
        alice.done(txn).await?;
        let heard = bob.heard().await?;
        let said = Heard {
            nick: "alice".into(),
            room: Some(room.clone()),
            kind: MessageKind::Text,
            text: text.into(),
        };
        ensure!(heard == said, "alice said {said:?}, and bob heard {heard:?}");
    }
    Ok(())
}

/// A message from the network reaches the user as it was, once.
pub(super) async fn what_others_say_arrives(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    bob.say(&room, MessageKind::Text, "hello").await?;
    let message = alice.heard(&room, "hello").await?;
    ensure!(*message.nick == *"bob", "it was said by {:?}", message.nick);
    ensure!(
        message.sender == scene.subject.person("bob").person,
        "it was said by {:?}",
        message.sender
    );
    ensure!(
        message.content == Content::plain("hello"),
        "it became {:?}",
        message.content
    );
    bob.say(&room, MessageKind::Text, "the end").await?;
    alice.heard(&room, "the end").await?;
    let messages = alice.count(|event| {
        matches!(
            event,
            RemoteEvent::Room {
                event: RoomEvent::Message(_),
                ..
            }
        )
    });
    ensure!(messages == 2, "two messages were said and {messages} heard");
    Ok(())
}

/// Many messages at a time arrive in the order in which they were handed over, and are answered in it.
pub(super) async fn two_hundred_messages_keep_their_order(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    let commands = (0..200).map(|number| {
        let to = Recipient::Room(room.clone());
        alice.saying(alice.txn(), to, Content::plain(format!("burst {number}")))
    });
    alice.submit(commands.collect());
    for number in 0..200 {
        let heard = bob.heard().await?.text;
        ensure!(
            heard == format!("burst {number}"),
            "number {number} arrived as {heard:?}"
        );
    }
    for number in 1..=200 {
        alice.done(TransactionId(number)).await?;
    }
    let order = alice.answered();
    ensure!(order.is_sorted(), "the answers came in the order {order:?}");
    Ok(())
}

/// Many messages from the network arrive in its order, each once.
pub(super) async fn two_hundred_messages_from_outside_keep_their_order(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    for number in 0..200 {
        bob.say(&room, MessageKind::Text, &format!("burst {number}"))
            .await?;
    }
    for number in 0..200 {
        alice.heard(&room, &format!("burst {number}")).await?;
    }
    let messages = alice.count(|event| {
        matches!(
            event,
            RemoteEvent::Room {
                event: RoomEvent::Message(_),
                ..
            }
        )
    });
    ensure!(messages == 200, "200 messages were said and {messages} heard");
    Ok(())
}

/// `/me` from the network. The way out is in `declared::emotes`.
pub(super) async fn actions(scene: &Scene<'_>) -> Found {
    scene.needs("emotes", |declared| declared.emotes)?;
    kind_from_outside(scene, MessageKind::Emote).await
}

/// Notices, both ways.
pub(super) async fn notices(scene: &Scene<'_>) -> Found {
    kind_from_outside(scene, MessageKind::Notice).await?;
    let room = scene.subject.room("chapel");
    let carol = scene.user_in("carol", &room).await?;
    let mut dave = scene.foreigner_in("dave", &room).await?;
    let txn = carol.say_as(&room, MessageKind::Notice, "mind the gap");
    carol.done(txn).await?;
    let heard = dave.heard().await?;
    ensure!(
        heard.kind == MessageKind::Notice && heard.text == "mind the gap",
        "dave heard {heard:?}"
    );
    Ok(())
}

async fn kind_from_outside(scene: &Scene<'_>, kind: MessageKind) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    bob.say(&room, kind, "pours tea").await?;
    let content = alice.heard(&room, "pours tea").await?.content;
    ensure!(content.kind == kind, "{kind:?} became {:?}", content.kind);
    Ok(())
}

/// Letters of all kinds pass unharmed both ways.
pub(super) async fn letters_of_the_world(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    for text in [
        "žluťoučký kůň",
        "日本語のお茶",
        "☕️ 👩‍👩‍👧 🐎",
        "<b>&amp;</b>",
        ":) @all /me",
        "%s %n \\0",
    ] {
        let txn = alice.say(&room, text);
        alice.done(txn).await?;
        let heard = bob.heard().await?.text;
        ensure!(heard == text, "{text:?} arrived as {heard:?}");
        bob.say(&room, MessageKind::Text, text).await?;
        alice.heard(&room, text).await?;
    }
    Ok(())
}

/// Lines arrive as lines, in one message or in several.
pub(super) async fn several_lines(scene: &Scene<'_>) -> Found {
    let (room, alice, mut bob) = two(scene).await?;
    let text = "one\ntwo\nthree";
    let txn = alice.say(&room, text);
    alice.done(txn).await?;
    let mut heard = bob.heard().await?.text;
    while heard.len() < text.len() {
        heard = format!("{heard}\n{}", bob.heard().await?.text);
    }
    ensure!(heard == text, "{text:?} arrived as {heard:?}");
    Ok(())
}

/// What one user says, another hears.
pub(super) async fn users_hear_each_other(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let txn = alice.say(&room, "hello, bob");
    let message = bob.heard(&room, "hello, bob").await?;
    ensure!(*message.nick == *"alice", "it was said by {:?}", message.nick);
    alice.done(txn).await?;
    let txn = bob.say(&room, "hello, alice");
    alice.heard(&room, "hello, alice").await?;
    bob.done(txn).await
}
