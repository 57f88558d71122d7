//! Several resources in a room, joining again, and presence that is no join (XEP-0045 §7.2.8, §7.2.18, §17.3).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Stage, answer_modes, is_presence_of, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_second_resource_is_the_same_occupant).rows("M21"),
    case!(the_nick_of_another_is_not_taken).rows("M15 M20"),
    case!(one_nick_serves_all_rooms_of_a_server).rows("M15"),
    case!(names_are_shortened_as_the_server_says).rows("M15"),
    case!(joining_again_tells_everything_again).rows("M26"),
    case!(presence_without_a_join_is_answered_with_a_leave).rows("M27"),
    case!(other_presence_neither_joins_nor_leaves).rows("M28"),
];

async fn a_second_resource_is_the_same_occupant(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    ensure!(
        joined.me.nick() == s.nick && joined.nicks() == [s.alice.nick()],
        "the laptop is bob: {:?}",
        joined.order
    );
    s.alice
        .expect_none("a second JOIN", |line| line.command == "JOIN")
        .await?;

    // Both hear everything, and both may speak.
    s.alice.say(&s.channel, "to both").await?;
    s.alice.say(&s.nick, "to you alone").await?;
    for client in [&s.phone, &laptop] {
        client.expect_body(&s.room, "to both").await?;
        client
            .expect_body(&t.person(s.alice.nick()), "to you alone")
            .await?;
    }
    for (sender, word) in [(&s.phone, "by phone"), (&laptop, "by laptop")] {
        sender.say(&s.room, word).await?;
        s.alice.expect_message(&s.nick, &s.channel, word).await?;
        for client in [&s.phone, &laptop] {
            client.expect_body(&s.me(), word).await?;
        }
    }
    // A private message answers where it was addressed: at the room's occupant, for every resource there.
    s.phone.chat(&s.occupant(s.alice.nick()), "psst").await?;
    s.alice.expect_message(&s.nick, s.alice.nick(), "psst").await?;
    s.alice.say(&s.nick, "yes?").await?;
    for client in [&s.phone, &laptop] {
        client.expect_body(&s.occupant(s.alice.nick()), "yes?").await?;
    }

    // One goes, the other stays.
    laptop.leave(&s.room, &s.nick, "").await?;
    s.flush_out("still here").await?;
    s.alice
        .expect_none("a leave", |line| {
            ["PART", "QUIT"].contains(&line.command.as_str())
        })
        .await?;
    laptop
        .expect_none("a message after leaving", &s.room, |stanza| {
            stanza.body().as_deref() == Some("still here")
        })
        .await?;
    refused(
        &laptop.get(&s.me(), tag("ping").ns(ns::PING)).await?,
        "not-acceptable",
    )
}

async fn the_nick_of_another_is_not_taken(t: Ctx) -> Result<()> {
    let (channel, alice) = (t.channel(), t.irc("alice").await?);
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    let room = t.room(&channel);
    let joined = phone.join(&room, alice.nick()).await?;
    ensure!(
        joined.me.has_status(210) && joined.me.nick() != alice.nick(),
        "another nick was given: {}",
        joined.me.xml()
    );
    ensure!(
        joined.nicks() == [alice.nick()],
        "alice is alice: {:?}",
        joined.nicks()
    );
    let mine = joined.me.nick();
    alice.expect_join(mine, &channel).await?;
    phone.say(&room, "it is not me").await?;
    alice.expect_message(mine, &channel, "it is not me").await?;
    phone
        .expect_body(&format!("{room}/{mine}"), "it is not me")
        .await?;

    // The same when the other one is on XMPP.
    let stranger = t.client("stranger").await?;
    let joined = stranger.join(&room, mine).await?;
    ensure!(
        joined.me.has_status(210) && joined.me.nick() != mine,
        "a third nick: {}",
        joined.me.xml()
    );
    let mut others = joined.nicks();
    others.dedup();
    ensure!(others.len() == 2, "never two under one name: {others:?}");
    Ok(())
}

async fn one_nick_serves_all_rooms_of_a_server(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    ensure!(
        s.joined.me.nick() == s.nick && !s.joined.me.has_status(210),
        "the first time as asked, and nothing said of a change: {}",
        s.joined.me.xml()
    );
    let second = t.channel_named("second");
    s.alice.join(&second).await?;
    let joined = s.phone.join(&t.room(&second), &t.nick("robert")).await?;
    ensure!(
        joined.me.nick() == s.nick && joined.me.has_status(210),
        "the nick of the connection, and the client is told: {}",
        joined.me.xml()
    );
    s.alice.expect_join(&s.nick, &second).await?;
    Ok(())
}

async fn names_are_shortened_as_the_server_says(t: Ctx) -> Result<()> {
    let (channel, wish) = (t.channel(), "bartholomew");
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let session = server.accept().await?;
        let asked = session.expect_command("NICK", &[wish]).await?;
        session
            .send(format!(
                ":irc.test 433 * {asked} :Nickname is already in use",
                asked = asked.param(0)
            ))
            .await?;
        let nick = session.welcome(&Welcome::default()).await?;
        // The server has the last word: it cuts the name.
        let short: String = nick.chars().take(8).collect();
        session.send(format!(":{nick}!u@h NICK {short}")).await?;
        answer_modes(&session, &short, "+n");
        session.let_in(&short, &channel, &["@alice"]).await?;
        Ok((session, short))
    };
    let ((_session, short), joined) = tokio::try_join!(script, phone.join(&room, wish))?;
    ensure!(
        joined.me.nick() == short && joined.me.has_status(210) && joined.me.has_status(110),
        "{short}: {}",
        joined.me.xml()
    );
    Ok(())
}

async fn joining_again_tells_everything_again(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.topic(&s.channel, "the topic").await?;
    s.alice.say(&s.channel, "a word").await?;
    let laptop = s.laptop(&t).await?;
    s.flush(&t).await?;
    s.phone.take_all(|_| true);

    let again = s.phone.join(&s.room, &s.nick).await?;
    ensure!(again.nicks() == [s.alice.nick()], "{:?}", again.nicks());
    ensure!(
        again.me.nick() == s.nick && !again.me.has_status(210),
        "{}",
        again.me.xml()
    );
    ensure!(
        again.bodies().iter().any(|body| body == "a word"),
        "history: {:?}",
        again.bodies()
    );
    ensure!(
        again.subject.subject().as_deref() == Some("the topic"),
        "{}",
        again.subject.xml()
    );

    // Still one bob, for everybody.
    s.flush_out("once").await?;
    laptop.expect_body(&s.me(), "once").await?;
    for client in [&s.phone, &laptop] {
        client
            .expect_none("a leave, or a second copy", &s.room, |stanza| {
                stanza.is_from(&s.room)
                    && (stanza.kind() == "unavailable" || stanza.body().as_deref() == Some("once"))
            })
            .await?;
    }
    s.alice
        .expect_none("a JOIN or PART", |line| {
            ["JOIN", "PART", "QUIT"].contains(&line.command.as_str())
        })
        .await
}

async fn presence_without_a_join_is_answered_with_a_leave(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for (client, nick) in [(&stranger, t.nick("stranger")), (&laptop, s.nick.clone())] {
        let occupant = s.occupant(&nick);
        client
            .send(tag("presence").attr("to", &occupant).child("<show>away</show>"))
            .await?;
        let gone = client.expect_presence(&occupant, "unavailable").await?;
        for code in [110, 307, 333] {
            ensure!(gone.has_status(code), "{code}: {}", gone.xml());
        }
        ensure!(gone.role() == "none", "{}", gone.xml());
        client
            .expect_none("a join", &s.room, is_presence_of(&s.room))
            .await?;
    }
    s.flush_out("done").await?;
    s.alice.expect_none("a JOIN", |line| line.command == "JOIN").await
}

async fn other_presence_neither_joins_nor_leaves(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let lobby = t.channel_named("lobby");
    s.alice.join(&lobby).await?;
    let (stranger, nick) = (t.client("stranger").await?, t.nick("stranger"));
    let muc = tag("x").ns(ns::MUC);
    let why = tag("internal-server-error").ns(ns::STANZA_ERRORS);
    let error = tag("error").attr("type", "wait").child(why);
    for (client, nick) in [(&stranger, &nick), (&s.phone, &s.nick)] {
        for kind in ["probe", "subscribe", "unsubscribe", "unsubscribed", "error"] {
            let presence = tag("presence").attr("to", s.occupant(nick)).attr("type", kind);
            client
                .send(match kind {
                    "error" => presence.child(&error),
                    _ => presence.child(&muc),
                })
                .await?;
        }
    }
    stranger
        .expect_none("a presence", &s.room, is_presence_of(&s.room))
        .await?;
    s.phone
        .expect_none("a leave", &s.room, |stanza| {
            is_presence_of(&s.room)(stanza) && stanza.kind() == "unavailable"
        })
        .await?;

    // What a later request brings about comes after what these would have.
    stranger.join(&t.room(&lobby), &nick).await?;
    s.alice.expect_join(&nick, &lobby).await?;
    s.flush_out("still here").await?;
    s.alice
        .expect_none("a JOIN or a leave", |line| {
            ["JOIN", "PART", "QUIT"].contains(&line.command.as_str())
        })
        .await
}
