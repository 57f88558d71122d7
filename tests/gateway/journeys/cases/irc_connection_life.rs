//! The life of IRC connections (issue 2, 'The connection'): lost and made again, and at the server's pace.

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::world::WorldOptions;

use super::irc_connection_script::{let_in, own_ip, polite, seat};

pub(crate) const CASES: &[Case] = &[
    case!(a_lost_connection_comes_back_and_is_told_once),
    case!(a_killed_irc_server_gets_its_users_back).own_world(),
    case!(a_paste_arrives_whole_at_the_servers_pace)
        .own_world_with(paced)
        .only(&[Backend::Prosody]),
    case!(a_stalled_connection_confirms_nothing_too_early)
        .own_world()
        .only(&[Backend::Prosody]),
];

async fn a_lost_connection_comes_back_and_is_told_once(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let welcome = Welcome::default();
    let seat = seat(&t, &server, &server.room(&t.channel()), &welcome).await?;
    seat.talk().await?;
    seat.session
        .send("ERROR :Closing Link: the server goes down for tea")
        .await?;
    seat.session.cut().await;
    let lost =
        |stanza: &Element| stanza.is_message() && stanza.body().is_some_and(|body| body.contains("lost"));
    let told = seat.phone.expect("that the connection was lost", lost).await?;
    ensure!(
        told.body().is_some_and(|body| body.contains("for tea")),
        "with the server's words: {}",
        told.xml()
    );
    // The server is not well yet.
    for _ in 0..2 {
        server.accept().await?.cut().await;
    }
    let (session, nick) = let_in(&server, &seat.channel, &welcome).await?;
    ensure!(nick == seat.nick, "the nickname stays: {nick}");
    let back = |stanza: &Element| {
        stanza.is_message()
            && stanza
                .body()
                .is_some_and(|body| body.contains("again") && !body.contains("lost"))
    };
    seat.phone.expect("that the connection is back", back).await?;
    let phone = seat.phone.clone();
    let seat = super::irc_connection_script::Seat { session, ..seat };
    seat.talk().await?;
    let twice = |stanza: &Element| lost(stanza) || back(stanza);
    phone
        .expect_none("a second word about it", t.gateway(), twice)
        .await?;
    let joins = seat.session.take_all(|line| line.command == "JOIN");
    ensure!(joins.is_empty(), "one JOIN is enough: {joins:?}");
    let expelled =
        |stanza: &Element| stanza.is_presence() && stanza.kind() == "unavailable" && stanza.has_status(110);
    phone.expect_none("a leave", t.gateway(), expelled).await
}

async fn a_killed_irc_server_gets_its_users_back(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    t.world().irc().process().kill().await?;
    alice.expect_closed().await?;
    let error = phone.say(&room, "into the void").await?;
    phone.expect_error(&error).await?;
    t.world().irc().start().await?;
    let carol = t.irc("carol").await?;
    carol.join(&channel).await?;
    let there = |line: &Line| {
        line.command == "JOIN" && line.nick() == nick || line.command == "353" && line.last().contains(&nick)
    };
    // It may have been faster than carol.
    carol.send(format!("NAMES {channel}")).await?;
    carol.expect(&format!("{nick} in {channel}"), there).await?;
    t.flush(&carol, &channel, &phone, &room).await?;
    phone.say(&room, "back again").await?;
    carol.expect_message(&nick, &channel, "back again").await?;
    let gone = |stanza: &Element| {
        stanza.is_presence() && stanza.nick() == alice.nick() && stanza.kind() == "unavailable"
    };
    phone.expect("that alice is gone", gone).await?;
    let void = carol.take_all(|line| line.last() == "into the void");
    ensure!(void.is_empty(), "what was refused is not sent later: {void:?}");
    Ok(())
}

fn paced(options: &mut WorldOptions) {
    options.extra_config = format!(
        "[gateway.irc.irc.servers.\"touchy.test\"]\nhost = \"{}\"\nports = [6667]\ntls = false\n\
         flood = {{ burst = 5, per_second = 10.0 }}\n",
        own_ip(options, 4)
    );
}

async fn a_paste_arrives_whole_at_the_servers_pace(t: Ctx) -> Result<()> {
    let addr = format!("{}:6667", own_ip(t.world().options(), 4)).parse()?;
    let server = IrcServer::bind(addr, t.transcript().voice("server")).await?;
    let seat = seat(
        &t,
        &server,
        &t.room_on("touchy.test", &t.channel()),
        &Welcome::default(),
    )
    .await?;
    // This server lets a client send eight lines, and twelve a second from then on; who sends more is killed. (It does
    // not forget what was saved up: lines that it is late to read have come at their time.)
    let (mut saved, mut last, channel) = (8.0_f64, None, seat.channel.clone());
    seat.session.respond_and_pong(move |line| {
        let now = std::time::Instant::now();
        let since = now - last.replace(now).unwrap_or(now);
        saved += since.as_secs_f64() * 12.0 - 1.0;
        if saved < 0.0 && line.is("PRIVMSG", &[&channel]) {
            return Some(vec!["ERROR :Closing Link: Excess Flood".into()]);
        }
        polite(line)
    });
    let lines: Vec<String> = (0..40)
        .map(|number| format!("line {number} of a paste"))
        .collect();
    seat.phone.say(&seat.room, &lines.join("\n")).await?;
    let begin = std::time::Instant::now();
    for line in &lines {
        let got = seat
            .session
            .expect(line, |line| line.command == "PRIVMSG")
            .await?;
        ensure!(got.last() == line, "'{line}' should be next: {got}");
    }
    ensure!(
        begin.elapsed().as_secs_f64() > 2.5,
        "that was too fast: {:?}",
        begin.elapsed()
    );
    let whole = |stanza: &Element| stanza.body().as_deref() == Some(&lines.join("\n"));
    let reflection = seat.phone.expect("the whole paste, reflected", whole).await?;
    ensure!(
        reflection.from() == format!("{}/{}", seat.room, seat.nick),
        "{}",
        reflection.xml()
    );
    seat.talk().await
}

async fn a_stalled_connection_confirms_nothing_too_early(t: Ctx) -> Result<()> {
    // Both ways stand still; nobody knows why.
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    let room = t.room(&channel);
    phone.join(&room, &nick).await?;
    t.world().irc_link().set(Way::Up, Flow::Stall);
    t.world().irc_link().set(Way::Down, Flow::Stall);
    // Meanwhile a message is neither lost nor confirmed.
    let id = phone.say(&room, "through the wall").await?;
    phone.settle(t.gateway()).await?;
    let answered = |stanza: &Element| stanza.is_message() && stanza.id() == id;
    phone.expect_none("a reflection", t.gateway(), answered).await?;
    t.world().irc_link().resume();
    phone.expect("the reflection", answered).await?;
    alice.expect_message(&nick, &channel, "through the wall").await?;
    Ok(())
}
