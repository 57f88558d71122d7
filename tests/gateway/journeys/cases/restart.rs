//! A restart of the gateway is invisible to clients that are joined (issue 2, 'The database').

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::faults::{archive, in_order_and_once};

pub(crate) const CASES: &[Case] = &[
    case!(a_restart_is_invisible_to_who_is_joined)
        .own_world()
        .deadline(120),
    case!(a_killed_gateway_is_as_invisible)
        .own_world()
        .only(&[Backend::Prosody]),
];

async fn a_restart_is_invisible_to_who_is_joined(t: Ctx) -> Result<()> {
    restart(t, "TERM").await
}

async fn a_killed_gateway_is_as_invisible(t: Ctx) -> Result<()> {
    restart(t, "KILL").await
}

async fn restart(t: Ctx, signal: &str) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    alice.topic(&channel, "before").await?;
    let carol = t.irc("carol").await?;
    carol.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let desk = t.client_of(&phone, "desk").await?;
    desk.join(&room, &nick).await?;
    alice.say(&channel, "one").await?;
    for client in [&phone, &desk] {
        client
            .expect_body(&format!("{room}/{}", alice.nick()), "one")
            .await?;
    }
    // Carol goes by another name than the one she came with.
    let caroline = t.nick("caroline");
    carol.send(format!("NICK {caroline}")).await?;
    for client in [&phone, &desk] {
        let old = format!("{room}/{}", carol.nick());
        client.expect_presence(&old, "unavailable").await?;
        client.expect_presence(&format!("{room}/{caroline}"), "").await?;
    }
    // A private chat is on record as well.
    alice.say(&nick, "psst").await?;
    phone
        .expect("the private message", |stanza| {
            stanza.body().as_deref() == Some("psst")
        })
        .await?;
    phone.settle(t.gateway()).await?;
    t.flush(&alice, &channel, &phone, &room).await?;
    desk.settle(t.gateway()).await?;
    alice.fence().await?;
    alice.take_all(|_| true);

    let warned = |stanza: &Element| stanza.body().is_some_and(|body| body.contains("not encrypted"));
    phone.expect("the warning", warned).await?;
    desk.take_all(warned);
    phone.take_all(|stanza| stanza.is_from(&t.server()));
    let process = t.world().gateway().process();
    process.signal(signal).await?;
    let status = process.wait(Duration::from_secs(5)).await?;
    let quit = alice.expect_quit(&nick).await?;
    if signal == "TERM" {
        ensure!(status.success(), "{status}");
        ensure!(quit.last().contains("viaduct"), "IRC is left with a word: {quit}");
    }
    alice.take_all(|line| line.command == "JOIN");
    // Meanwhile the world turns.
    carol.quit("good night").await?;
    let dave = t.irc("dave").await?;
    dave.join(&channel).await?;
    alice.topic(&channel, "after").await?;
    for client in [&phone, &desk] {
        let left = client.take_all(|stanza| stanza.is_from(&room) && stanza.kind() == "unavailable");
        ensure!(left.is_empty(), "clients stay joined: {}", left[0].xml());
        client.take_all(|stanza| !stanza.is_from(&t.server()));
    }
    t.world().gateway().start().await?;
    alice.expect_join(&nick, &channel).await?;
    t.world().await_gateway().await?;

    // Nobody joins again, and everything goes on.
    t.flush(&alice, &channel, &phone, &room).await?;
    let wanted: Vec<String> = ["two", "three"].map(str::to_owned).to_vec();
    for word in &wanted {
        alice.say(&channel, word).await?;
    }
    for client in [&phone, &desk] {
        client.say(&room, &format!("from {}", client.resource())).await?;
        alice
            .expect_message(&nick, &channel, &format!("from {}", client.resource()))
            .await?;
        client
            .expect_body(&format!("{room}/{nick}"), &format!("from {}", client.resource()))
            .await?;
    }
    t.flush(&alice, &channel, &phone, &room).await?;
    for client in [&phone, &desk] {
        client.settle(&room).await?;
        in_order_and_once(client, &room, &format!("{room}/{}", alice.nick()), &wanted)?;
        only_differences(client, &room, &caroline, dave.nick())?;
    }
    let told = phone.take_all(|stanza| {
        let loss = |text: String| text.contains("may not have arrived");
        stanza.is_from(t.gateway()) && stanza.body().is_some_and(loss)
    });
    let crashed = usize::from(signal == "KILL");
    ensure!(told.len() == crashed, "told of a loss {} times", told.len());
    alice.say(&nick, "psst again").await?;
    phone
        .expect("the private message", |stanza| {
            stanza.body().as_deref() == Some("psst again")
        })
        .await?;
    let all: Vec<String> = archive(&phone, &room, 3)
        .await?
        .into_iter()
        .map(|(_, body)| body)
        .collect();
    let all: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|body| !body.starts_with("flush"))
        .collect();
    ensure!(
        all == ["one", "two", "three", "from phone", "from desk"],
        "archived: {all:?}"
    );
    // That the connection is not encrypted was said before. (What the server itself has to say at the end of a connection
    // is nobody's concern.)
    let warned = |stanza: &Element| stanza.body().is_some_and(|body| body.contains("not encrypted"));
    phone
        .expect_none("the warning again", t.gateway(), warned)
        .await?;
    // Self-ping says that they are in.
    for client in [&phone, &desk] {
        let pong = client
            .get(&format!("{room}/{nick}"), tag("ping").ns(ns::PING))
            .await?;
        ensure!(pong.kind() == "result", "{}", pong.xml());
    }
    Ok(())
}

/// Carol went, dave came, the topic changed; nothing else is worth a word.
fn only_differences(client: &Client, room: &str, gone: &str, new: &str) -> Result<()> {
    let presences = client.take_all(|stanza| stanza.is_presence() && stanza.is_from(room));
    let told: Vec<(&str, &str)> = presences
        .iter()
        .map(|presence| (presence.nick(), presence.kind()))
        .collect();
    ensure!(
        told.contains(&(gone, "unavailable")),
        "{} is not told that {gone} went: {told:?}",
        client.jid()
    );
    ensure!(
        told.contains(&(new, "")),
        "{} is not told that {new} came: {told:?}",
        client.jid()
    );
    ensure!(
        told.len() == 2,
        "{} is told more than the differences: {told:?}",
        client.jid()
    );
    let subjects = client.take_all(|stanza| stanza.is_subject_change() && stanza.is_from(room));
    let subjects: Vec<_> = subjects.iter().filter_map(|stanza| stanza.subject()).collect();
    ensure!(
        subjects == ["after"],
        "{} is told the subjects {subjects:?}",
        client.jid()
    );
    Ok(())
}
