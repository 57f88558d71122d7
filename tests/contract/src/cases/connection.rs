//! Connections that come and go, by wish and by fault.

use viaduct_bridge::{
    Command, Failure, MessageKind, Name, PersonEvent, RemoteEvent, RoomEvent, ServerEvent, ServerId,
};

use crate::finding::{Found, broken, ensure};
use crate::scene::Scene;
use crate::subject::Fault;
use crate::user::{Ending, User};

fn connect(user: &User<'_>, server: ServerId) {
    let nick = user.nick.clone();
    user.submit(vec![Command::Connect { server, nick }]);
}

async fn online(user: &User<'_>) -> Found<(Name, Name)> {
    user.saw_server("connection", |event| match event {
        ServerEvent::Online { nick, me, .. } => Some((nick.clone(), me.clone())),
        _ => None,
    })
    .await
}

async fn offline(user: &User<'_>) -> Found {
    let offline = |event: &ServerEvent| matches!(event, ServerEvent::Offline { .. }).then_some(());
    user.saw_server("loss of the connection", offline).await
}

async fn given_up(user: &User<'_>) -> Found<Failure> {
    user.saw_server("failure to connect", |event| match event {
        ServerEvent::Failed { failure } => Some(failure.clone()),
        _ => None,
    })
    .await
}

/// One is online under the name that one asked for, until one leaves.
pub(super) async fn to_connect_and_to_disconnect(scene: &Scene<'_>) -> Found {
    let alice = scene.user("alice");
    let server = scene.subject.server();
    connect(&alice, server.clone());
    let (nick, me) = online(&alice).await?;
    ensure!(*nick == *"alice", "asked for 'alice' and became {nick:?}");
    ensure!(
        me == scene.subject.person("alice").person,
        "the folded name is {me:?}"
    );
    let reason = Some("bye".into());
    alice.submit(vec![Command::Disconnect { server, reason }]);
    let closed = |event: &ServerEvent| matches!(event, ServerEvent::Closed).then_some(());
    alice.saw_server("end of the connection", closed).await
}

/// Nothing works on a server that does not exist, and the user is told in words.
pub(super) async fn a_server_that_does_not_exist(scene: &Scene<'_>) -> Found {
    let alice = scene.user("alice");
    let mut room = scene.subject.missing_room("nowhere");
    room.server = scene.subject.unknown_server();
    let failure = alice.kept_out(&room, None).await?;
    ensure!(
        !failure.to_string().is_empty(),
        "there is no reason in {failure:?}"
    );
    let bob = scene.user("bob");
    connect(&bob, scene.subject.unknown_server());
    given_up(&bob).await?;
    let txn = bob.say(&room, "hello?");
    bob.failed(txn).await?;
    Ok(())
}

/// A server that cannot be reached at the first attempt is given up.
pub(super) async fn a_server_that_is_down(scene: &Scene<'_>) -> Found {
    scene.switch(Fault::Lost, true).await?;
    let alice = scene.user("alice");
    let room = scene.subject.room("down");
    let failure = alice.kept_out(&room, None).await?;
    ensure!(
        !failure.to_string().is_empty(),
        "there is no reason in {failure:?}"
    );
    let bob = scene.user("bob");
    connect(&bob, scene.subject.server());
    given_up(&bob).await?;
    scene.switch(Fault::Lost, false).await?;
    alice.enter(&room).await?;
    Ok(())
}

/// What was on its way is uncertain or was not sent; the user is told that the connection is lost, and is then
/// brought back to where they were.
pub(super) async fn a_lost_connection_comes_back(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    scene.switch(Fault::Frozen, true).await?;
    let pending: Vec<_> = (0..3)
        .map(|number| alice.say(&room, &format!("pending {number}")))
        .collect();
    scene.switch(Fault::Lost, true).await?;
    offline(&alice).await?;
    for txn in pending {
        match alice.ending(txn).await? {
            Ending::Failed(Failure::Uncertain { .. } | Failure::Transient { .. }) => {}
            other => return broken(format!("a command that was on its way when it broke: {other:?}")),
        }
    }
    let meanwhile = alice.say(&room, "meanwhile");
    scene.switch(Fault::Frozen, false).await?;
    scene.switch(Fault::Lost, false).await?;
    online(&alice).await?;
    let view = alice.entered(&room).await?;
    view.member(&view.me)?;
    // It may have waited for the connection or been refused; that it is answered is seen at the end.
    alice.ending(meanwhile).await?;
    bob.entered(&room).await?;
    let txn = alice.say(&room, "here again");
    alice.done(txn).await?;
    bob.heard(&room, "here again").await?;
    Ok(())
}

/// What is asked of a network that does not move is done when it moves again, in order.
pub(super) async fn what_is_frozen_arrives_in_the_end(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    alice
        .saw_in(&room, "arrival", |event| {
            matches!(event, RoomEvent::MemberJoined(_)).then_some(())
        })
        .await?;
    scene.switch(Fault::Frozen, true).await?;
    let asked: Vec<_> = (0..5)
        .map(|number| alice.say(&room, &format!("cold {number}")))
        .collect();
    scene.switch(Fault::Frozen, false).await?;
    for (number, txn) in asked.into_iter().enumerate() {
        alice.done(txn).await?;
        let heard = bob.heard().await?.text;
        ensure!(
            heard == format!("cold {number}"),
            "number {number} arrived as {heard:?}"
        );
    }
    Ok(())
}

/// The others hear the parting words.
pub(super) async fn to_close_says_goodbye(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let close = alice.session.close(Some("so long".into()));
    if tokio::time::timeout(scene.subject.patience(), close)
        .await
        .is_err()
    {
        return broken("close() did not end");
    }
    let reason = bob
        .saw_of("alice", "end", |event| match event {
            PersonEvent::Gone { reason } => Some(reason.clone()),
            _ => None,
        })
        .await?;
    let said = reason.as_ref().is_some_and(|reason| reason.contains("so long"));
    ensure!(said, "the parting words became {reason:?}");
    Ok(())
}

/// A network that does not move does not keep a session from ending.
pub(super) async fn to_close_does_not_wait_for_a_frozen_network(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    scene.switch(Fault::Frozen, true).await?;
    if tokio::time::timeout(scene.subject.patience(), alice.session.close(None))
        .await
        .is_err()
    {
        return broken("close() did not end");
    }
    scene.switch(Fault::Frozen, false).await
}

/// A command that does not connect by itself fails where there is no connection.
pub(super) async fn what_needs_a_connection_says_so(scene: &Scene<'_>) -> Found {
    let alice = scene.user("alice");
    let room = scene.subject.room("tea");
    let text = Name::from("a subject");
    let topic = alice.ask(|txn| Command::SetTopic { txn, room, text });
    let (server, nick) = (scene.subject.server(), Name::from("alicia"));
    let rename = alice.ask(|txn| Command::SetNick { txn, server, nick });
    for txn in [topic, rename] {
        let fits = |failure: &Failure| {
            let level = matches!(failure, Failure::Unsupported { .. });
            level || matches!(failure, Failure::NotLoggedIn { .. })
        };
        alice.failed_as(txn, fits).await?;
    }
    Ok(())
}

/// A user whose events are not taken gets them all later, and another user gets theirs at once.
pub(super) async fn a_slow_listener_misses_nothing_and_stalls_nobody(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let mut carol = scene.foreigner_in("carol", &room).await?;
    alice.record.set_open(false);
    for number in 0..50 {
        carol
            .say(&room, MessageKind::Text, &format!("news {number}"))
            .await?;
    }
    bob.heard(&room, "news 49").await?;
    let message = |event: &RemoteEvent| {
        matches!(
            event,
            RemoteEvent::Room {
                event: RoomEvent::Message(_),
                ..
            }
        )
    };
    ensure!(alice.count(message) <= 50, "more was heard than was said");
    alice.record.set_open(true);
    for number in 0..50 {
        alice.heard(&room, &format!("news {number}")).await?;
    }
    ensure!(
        alice.count(message) == 50,
        "{} messages were heard, not 50",
        alice.count(message)
    );
    Ok(())
}
