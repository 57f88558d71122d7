//! When a message counts as sent (`design.md` §3): by its echo where the server has echoes, else by the fence; and
//! what the sender learns where it does not.

use std::sync::{Arc, Mutex};

use viaduct_gateway_tests::prelude::*;

use super::irc_connection_script::{Seat, let_in, polite, seat};

pub(crate) const CASES: &[Case] = &[
    case!(an_echo_gives_place_and_id),
    case!(an_echo_without_labels_is_recognised),
    case!(without_echo_the_fence_decides),
    case!(a_refusal_is_one_error_in_the_servers_words),
    case!(a_refusal_after_an_accepted_message_hits_the_right_one),
    case!(a_connection_lost_before_the_fence_is_told_once),
];

/// All that is needed to reflect by echo.
const ECHO: &Welcome<'static> = &Welcome {
    caps: &[
        "batch",
        "echo-message",
        "labeled-response",
        "message-tags",
        "server-time",
    ],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};
const ECHO_ALONE: &Welcome<'static> = &Welcome {
    caps: &["echo-message"],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};

fn reflections(seat: &Seat, body: &str) -> impl Fn(&Element) -> bool + use<> {
    let (room, body) = (seat.room.clone(), body.to_owned());
    move |stanza: &Element| {
        stanza.is_message()
            && stanza.is_from(&room)
            && stanza.kind() == "groupchat"
            && stanza.body() == Some(body.clone())
    }
}

fn error_about(id: &str) -> impl Fn(&Element) -> bool + use<> {
    let id = id.to_owned();
    move |stanza: &Element| stanza.is_message() && stanza.kind() == "error" && stanza.id() == id
}

async fn an_echo_gives_place_and_id(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), ECHO).await?;
    let (id, line) = seat.say("hello").await?;
    let label = line
        .tag("label")
        .with_context(|| format!("a label: {line}"))?
        .to_owned();
    // Somebody else was faster on the server.
    seat.alice_says("first").await?;
    let (nick, channel) = (&seat.nick, &seat.channel);
    let echo = format!(
        "@label={label};msgid=M-1;time=2026-01-02T03:04:05.678Z :{nick}!u@h PRIVMSG {channel} :hello"
    );
    seat.session.send(echo).await?;
    let next =
        |stanza: &Element| stanza.is_message() && stanza.body().is_some() && stanza.is_from(&seat.room);
    let first = seat.phone.expect("the next message", next).await?;
    ensure!(
        first.body().as_deref() == Some("first"),
        "the server's order: {}",
        first.xml()
    );
    let mine = seat.phone.expect("the next message", next).await?;
    ensure!(
        mine.id() == id && mine.body().as_deref() == Some("hello"),
        "{}",
        mine.xml()
    );
    ensure!(
        mine.stanza_id(&seat.room) == Some("M-1"),
        "the network's id: {}",
        mine.xml()
    );
    // The same message once more, without a label: some servers repeat themselves to other sessions, we are one.
    seat.hear("flush", "flush").await?;
    seat.phone
        .expect_none("a second reflection", &seat.room, reflections(&seat, "hello"))
        .await
}

async fn an_echo_without_labels_is_recognised(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), ECHO_ALONE).await?;
    let mut ids = Vec::new();
    // The same words twice, and others between.
    let words = ["ha", "ho", "ha"];
    for word in words {
        ids.push(seat.say(word).await?.0);
    }
    for word in words {
        seat.session
            .send(format!(":{}!u@h PRIVMSG {} :{word}", seat.nick, seat.channel))
            .await?;
    }
    for (word, id) in words.iter().zip(&ids) {
        let mine = seat
            .phone
            .expect_body(&format!("{}/{}", seat.room, seat.nick), word)
            .await?;
        ensure!(mine.id() == id, "{word}: {}", mine.xml());
    }
    seat.hear("flush", "flush").await?;
    let more = |stanza: &Element| reflections(&seat, "ha")(stanza) || reflections(&seat, "ho")(stanza);
    seat.phone.expect_none("more reflections", &seat.room, more).await
}

/// From now on PING stays unanswered and is for the case.
fn hold_pings(session: &IrcSession) {
    session.respond(polite);
}

async fn answer_ping(seat: &Seat) -> Result<()> {
    let ping = seat
        .session
        .expect("the fence", |line| line.command == "PING")
        .await?;
    seat.session
        .send(format!(":irc.test PONG irc.test :{}", ping.last()))
        .await
}

async fn without_echo_the_fence_decides(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    hold_pings(&seat.session);
    let (id, _) = seat.say("hello").await?;
    seat.hear("meanwhile", "meanwhile").await?;
    seat.phone
        .expect_none("an early reflection", &seat.room, reflections(&seat, "hello"))
        .await?;
    answer_ping(&seat).await?;
    let mine = seat
        .phone
        .expect("the reflection", reflections(&seat, "hello"))
        .await?;
    ensure!(
        mine.id() == id && mine.stanza_id(&seat.room).is_some(),
        "{}",
        mine.xml()
    );
    seat.hear("flush", "flush").await?;
    seat.phone
        .expect_none("a second reflection", &seat.room, reflections(&seat, "hello"))
        .await
}

async fn a_refusal_is_one_error_in_the_servers_words(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    hold_pings(&seat.session);
    let (nick, channel) = (seat.nick.clone(), seat.channel.clone());
    let (id, _) = seat.say("may I?").await?;
    seat.session
        .send(format!(
            ":irc.test 404 {nick} {channel} :Cannot send to nick/channel: hush"
        ))
        .await?;
    answer_ping(&seat).await?;
    let error = seat
        .phone
        .expect("the error", error_about(&id))
        .await?
        .error()
        .context("it is one")?;
    ensure!(
        error.text.as_deref().is_some_and(|text| text.contains("hush")),
        "{error:?}"
    );
    ensure!(error.condition == "forbidden", "{error:?}");

    let id = seat.phone.set_subject(&seat.room, "mine now").await?;
    seat.session.expect_command("TOPIC", &[&channel]).await?;
    seat.session
        .send(format!(
            ":irc.test 482 {nick} {channel} :You're not channel operator, sorry"
        ))
        .await?;
    answer_ping(&seat).await?;
    let error = seat
        .phone
        .expect("the error", error_about(&id))
        .await?
        .error()
        .context("it is one")?;
    ensure!(
        error.text.as_deref().is_some_and(|text| text.contains("sorry")),
        "{error:?}"
    );
    ensure!(error.condition == "forbidden", "{error:?}");

    seat.hear("flush", "flush").await?;
    let more = |stanza: &Element| {
        stanza.is_message() && (stanza.kind() == "error" || stanza.body().as_deref() == Some("may I?"))
    };
    seat.phone.expect_none("a second answer", &seat.room, more).await
}

async fn a_refusal_after_an_accepted_message_hits_the_right_one(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    hold_pings(&seat.session);
    let (good, _) = seat.say("good").await?;
    answer_ping(&seat).await?;
    let (bad, _) = seat.say("bad").await?;
    seat.session
        .send(format!(":irc.test 404 {} {} :No", seat.nick, seat.channel))
        .await?;
    answer_ping(&seat).await?;
    let reflected = seat
        .phone
        .expect("the good one", reflections(&seat, "good"))
        .await?;
    ensure!(reflected.id() == good, "{}", reflected.xml());
    seat.phone
        .expect("the error about the bad one", error_about(&bad))
        .await?;
    seat.hear("flush", "flush").await?;
    let wrong = |stanza: &Element| error_about(&good)(stanza) || reflections(&seat, "bad")(stanza);
    seat.phone.expect_none("the contrary", &seat.room, wrong).await
}

async fn a_connection_lost_before_the_fence_is_told_once(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    hold_pings(&seat.session);
    let (id, _) = seat.say("did it?").await?;
    seat.session
        .expect("the fence", |line| line.command == "PING")
        .await?;
    seat.session.cut().await;
    let error = seat
        .phone
        .expect("the error", error_about(&id))
        .await?
        .error()
        .context("it is one")?;
    ensure!(
        error
            .text
            .as_deref()
            .is_some_and(|text| text.contains("may not have arrived")),
        "{error:?}"
    );
    // The connection comes back, and the message stays where it is.
    let seen = Arc::new(Mutex::new(0));
    let (session, _) = let_in(&server, &seat.channel, &Welcome::default()).await?;
    let counter = seen.clone();
    session.respond_and_pong(move |line| {
        if line.last() == "did it?" {
            *counter.lock().expect("no holder of this lock panics") += 1;
        }
        polite(line)
    });
    let seat = Seat { session, ..seat };
    seat.talk().await?;
    ensure!(
        *seen.lock().expect("no holder of this lock panics") == 0,
        "it was sent again"
    );
    let more = |stanza: &Element| error_about(&id)(stanza) || reflections(&seat, "did it?")(stanza);
    seat.phone.expect_none("a second answer", &seat.room, more).await
}
