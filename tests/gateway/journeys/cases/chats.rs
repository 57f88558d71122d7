//! Direct chats with people of the network (XEP-0100 §4.8, §5.3).

use std::time::{Duration, Instant};

use viaduct_gateway_tests::prelude::*;

use super::registration_record as record;
use super::registration_support::{by_form, ensure_error};

pub(crate) const CASES: &[Case] = &[
    case!(words_arrive_once_and_in_order).rows("G69"),
    case!(replies_come_to_every_client).rows("G72 G46"),
    case!(replies_wait_for_a_user_without_clients).rows("G72"),
    case!(who_can_be_nobody_is_not_found).rows("G70 G28"),
    case!(who_is_not_there_gets_nothing_later).rows("G70 G71"),
    case!(an_unreachable_server_is_an_error).rows("G70"),
    case!(the_unregistered_are_told_where_registration_is_required)
        .rows("G70 G12")
        .own_world_with(|world| {
            let required = ("VIADUCT_GATEWAY__IRC__REGISTRATION", "required");
            world.env.push((required.0.into(), required.1.into()));
        }),
];

async fn words_arrive_once_and_in_order(t: Ctx) -> Result<()> {
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    let person = t.person(alice.nick());
    let addresses = [
        person.clone(),
        format!("{person}/anything"),
        format!("{person}/else"),
    ];
    let mut sent = Vec::new();
    for number in 0..12 {
        let words = format!("word number {number}");
        phone.chat(&addresses[number % addresses.len()], &words).await?;
        sent.push(words);
    }
    let said = |line: &Line| line.command == "PRIVMSG" && line.last().starts_with("word number");
    let mut heard = Vec::new();
    while heard.len() < sent.len() {
        heard.push(alice.expect("the next word", said).await?.last().to_owned());
    }
    ensure!(heard == sent, "in order: {heard:?}");
    alice.expect_none("a second copy", said).await?;
    let errors = |stanza: &Element| stanza.kind() == "error";
    phone.expect_none("an error", GATEWAY, errors).await
}

async fn replies_come_to_every_client(t: Ctx) -> Result<()> {
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    let laptop = t.client_of(&phone, "laptop").await?;
    let person = t.person(alice.nick());
    phone.chat(&person, "hello").await?;
    let first = alice
        .expect("the first word", |line| line.last() == "hello")
        .await?;
    let begin = Instant::now();
    alice.say(first.nick(), "hello yourself").await?;
    let mut ids = Vec::new();
    for client in [&phone, &laptop] {
        let message = client.expect_body(&person, "hello yourself").await?;
        ensure!(
            message.from() == person && message.kind() == "chat" && !message.id().is_empty(),
            "a chat message from the person, with an id: {}",
            message.xml()
        );
        ensure!(message.delay().is_none(), "as it was said: {}", message.xml());
        ids.push((message.id().to_owned(), message.to().to_owned()));
    }
    ensure!(
        begin.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        begin.elapsed()
    );
    ensure!(
        ids[0] == ids[1] && ids[0].1 == phone.bare(),
        "one message to the bare JID: {ids:?}"
    );
    let again = |stanza: &Element| stanza.is_message() && stanza.is_from(&person);
    phone.expect_none("a second copy", GATEWAY, again).await?;
    laptop.expect_none("a second copy", GATEWAY, again).await
}

async fn replies_wait_for_a_user_without_clients(t: Ctx) -> Result<()> {
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    let person = t.person(alice.nick());
    phone.chat(&person, "talk to me later").await?;
    let first = alice
        .expect("the word", |line| line.last() == "talk to me later")
        .await?;
    phone.close().await?;
    alice.say(first.nick(), "now it is later").await?;
    record::confirmed(&t, phone.bare(), 1).await?;
    let phone = t.client_of(&phone, "phone").await?;
    let message = phone.expect_body(&person, "now it is later").await?;
    ensure!(message.kind() == "chat", "{}", message.xml());
    Ok(())
}

async fn who_can_be_nobody_is_not_found(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for jid in [
        format!("%%@{GATEWAY}"),
        format!("bob%not_a_server@{GATEWAY}"),
        format!("bob%%{}@{GATEWAY}", "x".repeat(300)),
        format!("two\\20words@{FIXED_GATEWAY}"),
    ] {
        let id = phone.chat(&jid, "anybody?").await?;
        let error = phone.expect_error(&id).await?;
        let words = ensure_error(&error, "item-not-found", "cancel", "404").context(jid)?;
        ensure!(!words.is_empty(), "in words: {}", error.xml());
    }
    Ok(())
}

async fn who_is_not_there_gets_nothing_later(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("alice"));
    let person = t.person(&nick);
    let id = phone.chat(&person, "too early").await?;
    let error = phone.expect_error(&id).await?;
    let words = ensure_error(&error, "service-unavailable", "cancel", "503")?;
    ensure!(
        words.to_lowercase().contains("no such nick"),
        "the network's words: {words}"
    );
    ensure!(error.from() == person, "from the person: {}", error.xml());

    let alice = t.irc("alice").await?;
    phone.chat(&person, "just in time").await?;
    alice
        .expect("the second message", |line| line.last() == "just in time")
        .await?;
    let early = |line: &Line| line.last() == "too early";
    alice.expect_none("what was refused", early).await?;
    let again = |stanza: &Element| stanza.kind() == "error";
    phone.expect_none("a second error", GATEWAY, again).await
}

async fn an_unreachable_server_is_an_error(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let id = phone
        .chat(&format!("alice%closed.test@{GATEWAY}"), "hello?")
        .await?;
    let error = phone.expect_error(&id).await?;
    let words = ensure_error(&error, "remote-server-timeout", "wait", "504")?;
    ensure!(words.contains("closed.test"), "it names the server: {words}");
    let again = |stanza: &Element| stanza.kind() == "error" && stanza.id() == id;
    phone.expect_none("a second error", GATEWAY, again).await
}

async fn the_unregistered_are_told_where_registration_is_required(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    let person = t.person(alice.nick());
    let id = phone.chat(&person, "hello").await?;
    let error = phone.expect_error(&id).await?;
    let words = ensure_error(&error, "registration-required", "auth", "407")?;
    ensure!(!words.is_empty(), "in words: {}", error.xml());
    let join = Join::new(&t.room(&t.channel()), &nick);
    let refusal = phone.join_refused(&join).await?;
    ensure!(
        refusal.condition() == "registration-required",
        "rooms, too: {}",
        refusal.xml()
    );

    phone.ok("set", GATEWAY, by_form(&[("nick", &nick)])).await?;
    phone.chat(&person, "hello again").await?;
    alice.expect_message(&nick, alice.nick(), "hello again").await?;
    Ok(())
}
