//! A gateway that dies at the worst moment sends nothing twice (row G74).

use viaduct_gateway_tests::prelude::*;

use super::registration_record as record;
use super::registration_support::ensure_error;

pub(crate) const CASES: &[Case] = &[
    case!(a_crash_repeats_nothing_to_the_network)
        .rows("G74")
        .own_world(),
    case!(a_crash_repeats_nothing_to_the_user).rows("G74").own_world(),
    case!(what_was_not_delivered_comes_after_a_crash).own_world(),
];

async fn a_crash_repeats_nothing_to_the_network(t: Ctx) -> Result<()> {
    let (phone, server) = (t.client("phone").await?, t.scripted().await?);
    let alice = server.person("alice");
    let id = phone.chat(&alice, "once only").await?;
    let session = server.accept().await?;
    session.welcome(&Welcome::default()).await?;
    // The network has it, but never says so.
    session.respond(|_| None);
    session.expect_command("PRIVMSG", &["alice", "once only"]).await?;
    t.world().gateway().kill().await?;
    session.expect_closed().await?;

    t.world().gateway().start().await?;
    t.world().await_gateway().await?;
    let error = phone.expect_error(&id).await?;
    let words = ensure_error(&error, "undefined-condition", "wait", "500")?;
    ensure!(words.contains("may not have arrived"), "nobody knows: {words}");

    phone.chat(&alice, "something else").await?;
    let session = server.accept().await?;
    session.welcome(&Welcome::default()).await?;
    let said = |line: &Line| line.command == "PRIVMSG";
    let first = session.expect("the next message", said).await?;
    ensure!(
        first.last() == "something else",
        "the old one is not repeated: {first}"
    );
    let again = |stanza: &Element| stanza.kind() == "error" && stanza.id() == id;
    phone.expect_none("a second error", GATEWAY, again).await
}

async fn a_crash_repeats_nothing_to_the_user(t: Ctx) -> Result<()> {
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    let person = t.person(alice.nick());
    phone.chat(&person, "hello").await?;
    let first = alice
        .expect("the first word", |line| line.last() == "hello")
        .await?;
    let words = ["one", "two", "three"];
    for word in words {
        alice.say(first.nick(), word).await?;
    }
    for word in words {
        phone.expect_body(&person, word).await?;
    }
    record::confirmed(&t, phone.bare(), words.len()).await?;
    t.world().gateway().kill().await?;
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;

    phone.chat(&person, "where were we?").await?;
    let back = alice
        .expect("the next word", |line| line.last() == "where were we?")
        .await?;
    alice.say(back.nick(), "at three").await?;
    phone.expect_body(&person, "at three").await?;
    let again = |stanza: &Element| {
        stanza.is_message() && stanza.body().is_some_and(|body| words.contains(&body.as_str()))
    };
    phone.expect_none("what was there already", GATEWAY, again).await
}

/// A guest who is in no room, and does nothing: what was said to them is reason enough to look after them.
async fn what_was_not_delivered_comes_after_a_crash(t: Ctx) -> Result<()> {
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    let person = t.person(alice.nick());
    phone.chat(&person, "hello").await?;
    let first = alice
        .expect("the first word", |line| line.last() == "hello")
        .await?;
    alice.say(first.nick(), "heard").await?;
    phone.expect_body(&person, "heard").await?;
    record::confirmed(&t, phone.bare(), 1).await?;
    // Nothing of the gateway arrives at the server any more.
    t.world().link().set(Way::Up, Flow::Stall);
    let words = ["not", "heard"];
    for word in words {
        alice.say(first.nick(), word).await?;
    }
    record::kept(&t, phone.bare(), words.len()).await?;
    t.world().gateway().kill().await?;
    t.world().link().cut();
    t.world().link().resume();
    phone.take_all(|stanza| stanza.is_from(&person));
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;
    for word in words {
        phone.expect_body(&person, word).await?;
    }
    phone.settle(t.gateway()).await
}
