//! The XMPP server killed, and frozen, while IRC goes on talking (issue 2, 'It must show' 5; promises, part B).

use std::time::{Duration, Instant};

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::patience::patience;

use super::faults::{archive, bodies_of, in_order_and_once, memory, same};

pub(crate) const CASES: &[Case] = &[
    case!(the_xmpp_server_is_killed_while_irc_talks)
        .own_world()
        .deadline(180),
    case!(the_xmpp_server_is_frozen_while_irc_floods)
        .own_world()
        .deadline(180),
    case!(a_place_is_kept_for_some_time_only)
        .own_world_with(|world| {
            let seconds = SHORT_GRACE.as_secs().to_string();
            world.env.push(("VIADUCT_GATEWAY__IRC__GRACE".into(), seconds));
        })
        .only(&[Backend::Prosody]),
    case!(a_link_that_is_cut_again_and_again_loses_nothing)
        .own_world()
        .deadline(120),
];

/// The messages of the IRC side, as a bystander there has them.
struct Log {
    alice: IrcPeer,
    bystander: IrcPeer,
    channel: String,
    said: Vec<String>,
}

impl Log {
    async fn new(t: &Ctx) -> Result<Self> {
        let (alice, bystander, channel) = (t.irc("alice").await?, t.irc("log").await?, t.channel());
        bystander.join(&channel).await?;
        alice.join(&channel).await?;
        Ok(Self {
            alice,
            bystander,
            channel,
            said: Vec::new(),
        })
    }

    /// Alice says so many more messages, numbered through; the server has taken them at the end.
    async fn more(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let text = format!("message {}", self.said.len() + 1);
            self.alice.say(&self.channel, &text).await?;
            self.said.push(text);
        }
        self.alice.fence().await?;
        let last = self.said[self.said.len() - 1].clone();
        let heard = self
            .bystander
            .expect("the last message", |line| line.last() == last)
            .await?;
        let mut log: Vec<String> = self
            .bystander
            .take_all(|line| line.command == "PRIVMSG")
            .iter()
            .map(|line| line.last().to_owned())
            .collect();
        log.push(heard.last().to_owned());
        same(&log, &self.said[self.said.len() - count..]).context("the IRC server's own order")
    }

    /// Nobody of these has left IRC.
    async fn all_stayed(&self, nicks: &[&str]) -> Result<()> {
        let left = |line: &Line| {
            ["PART", "QUIT", "KILL", "KICK"].contains(&line.command.as_str()) && nicks.contains(&line.nick())
        };
        self.bystander.expect_none("a leave", left).await
    }
}

async fn the_xmpp_server_is_killed_while_irc_talks(t: Ctx) -> Result<()> {
    let mut log = Log::new(&t).await?;
    let room = t.room(&log.channel);
    let from = format!("{room}/{}", log.alice.nick());
    let (old, new) = (t.nick("old"), t.nick("new"));
    let first = t.client("phone").await?;
    first.join(&room, &old).await?;
    let second = t.client("desk").await?;
    second.join(&room, &new).await?;
    log.more(20).await?;
    for client in [&first, &second] {
        client.expect_body(&from, "message 20").await?;
        client.settle(t.gateway()).await?;
    }
    for client in [&first, &second] {
        // The last one was taken out above.
        let mut bodies = bodies_of(&client.take_all(|stanza| stanza.is_message()), &room, &from)?;
        bodies.push("message 20".into());
        same(&bodies, &log.said)?;
    }
    let had = log.said.clone();

    t.world().xmpp().kill().await?;
    for client in [&first, &second] {
        client.expect_closed().await?;
    }
    for _ in 0..5 {
        log.more(10).await?;
    }
    log.all_stayed(&[&old, &new]).await?;
    t.world().xmpp().start().await?;
    log.more(10).await?;
    t.world().await_gateway().await?;
    log.more(10).await?;

    // One comes back as it was, the other as somebody new.
    let first = t.client_of(&first, "phone").await?;
    let second = t.client_of(&second, "elsewhere").await?;
    for (client, nick) in [(&first, &old), (&second, &new)] {
        // That its place was given up, as nobody was there at first, may reach the one who is there just then.
        client.settle(t.gateway()).await?;
        client.take_all(|stanza| stanza.is_presence());
        let joined = client
            .join_with(&Join::new(&room, nick).history("maxstanzas", "1000"))
            .await?;
        ensure!(joined.me.nick() == nick, "the same nickname: {}", joined.me.xml());
        let history = bodies_of(&joined.history, &room, &from)?;
        log.more(5).await?;
        let last = log.said[log.said.len() - 1].clone();
        let live = client.expect_body(&from, &last).await?;
        let mut live_all = client.take_all(|stanza| stanza.is_message() && stanza.is_from(&from));
        live_all.push(live);
        let live = bodies_of(&live_all, &room, &from)?;
        // What it had, then the history from there, then what came since: no gap, nothing twice.
        let mut ledger: Vec<String> = had
            .iter()
            .filter(|body| !history.contains(body))
            .cloned()
            .collect();
        ledger.extend_from_slice(&history);
        ledger.extend(live.into_iter().filter(|body| !history.contains(body)));
        same(&ledger, &log.said)
            .with_context(|| format!("what {} has, live and by history", client.jid()))?;
        let archived: Vec<String> = archive(client, &room, 7)
            .await?
            .into_iter()
            .map(|(_, body)| body)
            .collect();
        let archived: Vec<String> = archived
            .into_iter()
            .filter(|body| body.starts_with("message"))
            .collect();
        same(&archived, &log.said).with_context(|| format!("what {} has by MAM", client.jid()))?;
    }
    log.all_stayed(&[&old, &new]).await?;
    for (client, nick) in [(&first, &old), (&second, &new)] {
        client.say(&room, "here again").await?;
        log.alice.expect_message(nick, &log.channel, "here again").await?;
    }
    Ok(())
}

/// How many messages flood in, of about this many bytes.
const FLOOD: usize = 5_000;
const SIZE: usize = 300;
/// How much the gateway may grow meanwhile, in KiB. All of them held in memory twice would be more.
const GROWTH: u64 = 48 * 1024;

async fn the_xmpp_server_is_frozen_while_irc_floods(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("carol"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("desk").await?;
    phone.join(&room, &nick).await?;
    let server = t.scripted().await?;
    let other =
        super::irc_connection_script::seat(&t, &server, &server.room(&channel), &Welcome::default()).await?;
    t.flush(&alice, &channel, &phone, &room).await?;
    let before = memory(&t)?;

    t.world().xmpp().process().freeze().await?;
    let mut said = Vec::new();
    for number in 0..FLOOD {
        said.push(format!("flood {number} {}", "x".repeat(SIZE)));
        alice.say(&channel, &said[number]).await?;
        if number % 250 == 0 {
            alice.fence().await?;
            // Another connection of another user goes on.
            other.session.send(format!("PING :{number}")).await?;
            other
                .session
                .expect("PONG", |line| {
                    line.command == "PONG" && line.last() == number.to_string()
                })
                .await?;
        }
    }
    alice.fence().await?;
    // Whatever was written to the user's IRC connection has been read: the server hears it answer.
    alice.say(&nick, "\u{1}PING through\u{1}").await?;
    alice
        .expect("the answer to CTCP PING", |line| {
            line.command == "NOTICE" && line.last().contains("through")
        })
        .await?;
    let after = memory(&t)?;
    t.note(&format!(
        "resident: {before} KiB before, {after} KiB after the flood"
    ));
    ensure!(
        after < before + GROWTH,
        "the gateway grew from {before} to {after} KiB"
    );
    t.world().xmpp().process().thaw().await?;

    let from = format!("{room}/{}", alice.nick());
    let last = said[FLOOD - 1].clone();
    let deadline = Instant::now() + patience() * 6;
    let mut got = Vec::new();
    while got
        .last()
        .is_none_or(|stanza: &Element| stanza.body().as_deref() != Some(last.as_str()))
    {
        ensure!(
            Instant::now() < deadline,
            "{} of {FLOOD} messages came",
            got.len()
        );
        let next = |stanza: &Element| stanza.is_message() && stanza.is_from(&from) && stanza.body().is_some();
        got.push(phone.expect("more of the flood", next).await?);
    }
    let bodies: Vec<String> = bodies_of(&got, &room, &from)?
        .into_iter()
        .filter(|body| body.starts_with("flood "))
        .collect();
    same(&bodies, &said)?;
    phone.say(&room, "wet").await?;
    alice.expect_message(&nick, &channel, "wet").await?;
    other.talk().await
}

async fn a_link_that_is_cut_again_and_again_loses_nothing(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let (from, link) = (format!("{room}/{}", alice.nick()), t.world().link());
    let mut wanted = Vec::new();
    for round in 0..3 {
        let before = link.connections();
        for number in 0..60 {
            wanted.push(format!("message {round}.{number}"));
            alice.say(&channel, &wanted[wanted.len() - 1]).await?;
            match (round, number) {
                (0, 20) => link.cut(),
                // First in one direction only.
                (1, 10) => link.set(Way::Up, Flow::Stall),
                (2, 10) => link.set(Way::Down, Flow::Stall),
                (1 | 2, 40) => {
                    alice.fence().await?;
                    link.cut();
                    link.resume();
                }
                _ => {}
            }
        }
        link.wait_for_connections(before + 2).await?;
        t.world().await_gateway().await?;
    }
    t.flush(&alice, &channel, &phone, &room).await?;
    in_order_and_once(&phone, &room, &from, &wanted)?;
    phone.say(&room, "still here").await?;
    alice.expect_message(&nick, &channel, "still here").await?;
    Ok(())
}

/// How long a place is kept in a case that waits for its end.
const SHORT_GRACE: Duration = Duration::from_secs(2);

/// That those who come back in time have never been away is shown above, with the ten minutes that are usual.
async fn a_place_is_kept_for_some_time_only(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    t.flush(&alice, &channel, &phone, &room).await?;
    t.world().xmpp().kill().await?;
    phone.expect_closed().await?;
    let begun = Instant::now();
    t.world().xmpp().start().await?;
    let leaves = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == nick;
    alice
        .expect_none("a leave while nobody has looked", leaves)
        .await?;
    // The server says that there is no such client any more.
    t.world().await_gateway().await?;
    alice.say(&channel, "anybody?").await?;
    alice.expect("the leave", leaves).await?;
    ensure!(
        begun.elapsed() >= SHORT_GRACE,
        "the place was given up after {:?}",
        begun.elapsed()
    );
    Ok(())
}
