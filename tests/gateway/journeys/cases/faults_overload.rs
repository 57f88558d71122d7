//! Too much, and standing still (promises, part B): a flooding user, a frozen IRC server, a frozen gateway.

use std::collections::HashMap;

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::patience::patience;

use super::faults::{bodies_of, memory, same};
use super::irc_connection_script::seat;

pub(crate) const CASES: &[Case] = &[
    case!(a_flood_against_a_frozen_irc_server_is_refused_and_bounded)
        .own_world()
        .only(&[Backend::Ejabberd])
        .deadline(120),
    case!(a_frozen_gateway_goes_on_where_it_was).own_world(),
];

/// How many messages, of about this many bytes: much more than may wait anywhere.
const FLOOD: usize = 1_200;
const SIZE: usize = 10_000;
/// How much the gateway may grow meanwhile, in KiB.
const GROWTH: u64 = 64 * 1024;

async fn a_flood_against_a_frozen_irc_server_is_refused_and_bounded(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("mallory"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("mallory").await?;
    phone.join(&room, &nick).await?;
    let server = t.scripted().await?;
    let other = seat(&t, &server, &server.room(&channel), &Welcome::default()).await?;
    let before = memory(&t)?;

    t.world().irc_link().set(Way::Up, Flow::Stall);
    let mut fates = HashMap::new();
    for number in 0..FLOOD {
        let body = format!("{number} {}", "x".repeat(SIZE));
        fates.insert(phone.say(&room, &body).await?, 0);
        if number % 500 == 0 {
            // Others notice nothing.
            other.talk().await?;
        }
    }
    phone.settle(t.gateway()).await?;
    let after = memory(&t)?;
    ensure!(
        after < before + GROWTH,
        "the gateway grew from {before} to {after} KiB"
    );
    let refused = phone.take_all(|stanza| stanza.is_message() && stanza.kind() == "error");
    ensure!(
        !refused.is_empty(),
        "nothing was refused, so everything is kept somewhere"
    );
    for stanza in &refused {
        let error = stanza.error().context("it is an error")?;
        let patient = (error.kind.as_str(), error.condition.as_str()) == ("wait", "resource-constraint");
        ensure!(patient, "a refusal that says to wait: {}", stanza.xml());
    }
    t.world().irc_link().resume();

    // Each is answered once: reflected or refused.
    let mut answers = refused;
    let deadline = std::time::Instant::now() + patience() * 6;
    while answers.len() < FLOOD {
        ensure!(
            std::time::Instant::now() < deadline,
            "{} of {FLOOD} are answered",
            answers.len()
        );
        let answer = |stanza: &Element| stanza.is_message() && fates.contains_key(stanza.id());
        answers.push(phone.expect("more answers", answer).await?);
    }
    phone.settle(t.gateway()).await?;
    answers.extend(phone.take_all(|stanza| stanza.is_message() && fates.contains_key(stanza.id())));
    for answer in &answers {
        *fates.entry(answer.id().to_owned()).or_insert(0) += 1;
    }
    let wrong: Vec<_> = fates.iter().filter(|(_, times)| **times != 1).take(5).collect();
    ensure!(wrong.is_empty(), "answered never or twice: {wrong:?}");
    let reflected = answers
        .iter()
        .filter(|stanza| stanza.kind() == "groupchat")
        .count();
    alice.fence().await?;
    let heard = alice.take_all(|line| line.command == "PRIVMSG" && line.nick() == nick);
    let whole = heard
        .iter()
        .filter(|line| line.last().starts_with(|c: char| c.is_ascii_digit()));
    let whole = whole.count();
    ensure!(whole == reflected, "{whole} on IRC, {reflected} reflected");
    phone.say(&room, "calm again").await?;
    alice.expect_message(&nick, &channel, "calm again").await?;
    other.talk().await
}

async fn a_frozen_gateway_goes_on_where_it_was(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    t.flush(&alice, &channel, &phone, &room).await?;
    t.world().gateway().freeze().await?;
    let (mut hers, mut mine) = (Vec::new(), Vec::new());
    for number in 0..100 {
        hers.push(format!("hers {number}"));
        alice.say(&channel, &hers[number]).await?;
        mine.push(format!("mine {number}"));
        phone.say(&room, &mine[number]).await?;
    }
    alice.fence().await?;
    phone.settle(DOMAIN).await?;
    t.world().gateway().thaw().await?;
    t.flush(&alice, &channel, &phone, &room).await?;
    phone.say(&room, "last").await?;
    phone.expect_body(&format!("{room}/{nick}"), "last").await?;
    let all = phone.take_all(|stanza| stanza.is_message() && stanza.body().is_some());
    same(
        &bodies_of(&all, &room, &format!("{room}/{}", alice.nick()))?,
        &hers,
    )?;
    same(&bodies_of(&all, &room, &format!("{room}/{nick}"))?, &mine)?;
    alice.fence().await?;
    let heard = alice.take_all(|line| line.command == "PRIVMSG" && line.nick() == nick);
    let heard: Vec<String> = heard
        .iter()
        .map(|line| line.last().to_owned())
        .filter(|text| text != "last")
        .collect();
    same(&heard, &mine)
}
