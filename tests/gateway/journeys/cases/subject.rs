//! The subject of a room (XEP-0045 §7.2.15, §8.1).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, ago, answer_modes, greet, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_room_without_a_topic_has_an_empty_subject).rows("M35"),
    case!(the_subject_tells_when_and_by_whom).rows("M35 M36"),
    case!(a_cleared_subject_has_a_time_too).rows("M36"),
    case!(the_subject_of_a_client_becomes_the_topic).rows("M62 M63"),
    case!(the_subject_changes_when_the_topic_has_changed).rows("M63"),
    case!(a_subject_with_a_body_is_a_message).rows("M62"),
    case!(a_subject_needs_the_right).rows("M64"),
    case!(a_subject_without_the_right_is_not_tried).rows("M64"),
    case!(the_network_may_refuse_a_subject).rows("M64"),
];

async fn a_room_without_a_topic_has_an_empty_subject(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let told = &s.joined.subject;
    ensure!(
        told.subject().as_deref() == Some("")
            && told.body().is_none()
            && told.is_from(&s.room)
            && told.kind() == "groupchat",
        "{}",
        told.xml()
    );
    s.phone
        .expect_none("a second subject", &s.room, |stanza| {
            stanza.is_from(&s.room) && stanza.is_subject_change()
        })
        .await
}

async fn the_subject_tells_when_and_by_whom(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let session = greet(&server, &Welcome::default(), &nick).await?;
        answer_modes(&session, &nick, "+n");
        session.expect_command("JOIN", &[&channel]).await?;
        for line in [
            format!(":{nick}!u@h JOIN {channel}"),
            format!(":irc.test 332 {nick} {channel} :cats & <dogs>"),
            format!(":irc.test 333 {nick} {channel} alice!u@h 1600000000"),
            format!(":irc.test 353 {nick} = {channel} :{nick} @alice"),
            format!(":irc.test 366 {nick} {channel} :End of /NAMES list."),
        ] {
            session.send(line).await?;
        }
        Ok(session)
    };
    let (_session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    let told = &joined.subject;
    ensure!(
        told.subject().as_deref() == Some("cats & <dogs>") && told.body().is_none(),
        "{}",
        told.xml()
    );
    ensure!(told.from() == format!("{room}/alice"), "by alice: {}", told.xml());
    let delay = told.get_child("delay", ns::DELAY).with_context(|| told.xml())?;
    ensure!(
        delay.attr("from") == Some(&room)
            && told
                .delay()
                .is_some_and(|stamp| stamp.starts_with("2020-09-13T12:26:40")),
        "the time of the topic: {}",
        told.xml()
    );
    phone
        .expect_none("a second subject", &room, |stanza| stanza.is_subject_change())
        .await
}

async fn a_cleared_subject_has_a_time_too(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for topic in ["something", ""] {
        // The topic's time has whole seconds on IRC.
        let before = ago(2);
        s.alice.topic(&s.channel, topic).await?;
        s.phone.expect_subject(&s.room, topic).await?;
        let told = laptop.join(&s.room, &s.nick).await?.subject;
        ensure!(told.subject().as_deref() == Some(topic), "{}", told.xml());
        let delay = told.get_child("delay", ns::DELAY).with_context(|| told.xml())?;
        let stamp = told.delay().unwrap_or_default();
        ensure!(
            delay.attr("from") == Some(&s.room) && stamp > before.as_str() && stamp < "9",
            "after {before}: {}",
            told.xml()
        );
        laptop.leave(&s.room, &s.nick, "").await?;
    }
    Ok(())
}

async fn the_subject_of_a_client_becomes_the_topic(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "-t").await?;
    s.flush(&t).await?;
    let laptop = s.laptop(&t).await?;
    s.phone.set_subject(&s.room, "by phone").await?;
    let topic = s
        .alice
        .expect("the topic", |line| line.is("TOPIC", &[&s.channel]))
        .await?;
    ensure!(topic.nick() == s.nick && topic.last() == "by phone", "{topic}");
    s.alice.topic(&s.channel, "by alice").await?;
    for client in [&s.phone, &laptop] {
        for (subject, from) in [("by phone", s.me()), ("by alice", s.occupant(s.alice.nick()))] {
            let told = client
                .expect("the next subject", |stanza| {
                    stanza.is_from(&s.room) && stanza.is_subject_change()
                })
                .await?;
            ensure!(
                told.subject().as_deref() == Some(subject)
                    && told.from() == from
                    && told.body().is_none()
                    && told.delay().is_none(),
                "{}",
                told.xml()
            );
        }
        client
            .expect_none("a third", &s.room, |stanza| stanza.is_subject_change())
            .await?;
    }
    Ok(())
}

async fn the_subject_changes_when_the_topic_has_changed(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    s.phone.set_subject(&s.room, "soon").await?;
    s.session.expect_command("TOPIC", &[&s.channel, "soon"]).await?;
    s.flush().await?;
    s.phone
        .expect_none("the subject", &s.room, |stanza| stanza.is_subject_change())
        .await?;
    s.line(&s.nick, "TOPIC", ":soon").await?;
    let told = s.phone.expect_subject(&s.room, "soon").await?;
    ensure!(told.from() == s.me(), "{}", told.xml());
    Ok(())
}

async fn a_subject_with_a_body_is_a_message(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "-t").await?;
    s.flush(&t).await?;
    let message = |id: &str| {
        tag("message")
            .attr("type", "groupchat")
            .attr("id", id)
            .attr("to", &s.room)
            .child(tag("subject").text("no topic"))
    };
    s.phone
        .send(message("one").child(tag("body").text("with a body")))
        .await?;
    s.alice.expect_message(&s.nick, &s.channel, "with a body").await?;
    let copy = s.phone.expect_body(&s.me(), "with a body").await?;
    ensure!(copy.subject().as_deref() == Some("no topic"), "{}", copy.xml());
    s.phone
        .send(message("two").child(tag("thread").text("a thread")))
        .await?;
    s.flush_out("that was all").await?;
    s.alice
        .expect_none("a topic", |line| line.command == "TOPIC")
        .await?;
    s.phone
        .expect_none("a subject", &s.room, |stanza| stanza.is_subject_change())
        .await
}

async fn a_subject_needs_the_right(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.topic(&s.channel, "hers").await?;
    s.alice.mode(&s.channel, "+t").await?;
    s.phone.expect_subject(&s.room, "hers").await?;
    s.flush(&t).await?;

    let id = s.phone.set_subject(&s.room, "mine").await?;
    let error = s.phone.expect_error(&id).await?;
    refused(&error, "forbidden")?;
    ensure!(error.is_message() && error.from() == s.room, "{}", error.xml());
    s.flush_out("that was all").await?;
    s.alice
        .expect_none("a topic", |line| line.command == "TOPIC" && line.nick() == s.nick)
        .await?;
    s.phone
        .expect_none("a subject", &s.room, |stanza| stanza.is_subject_change())
        .await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let told = laptop.join(&s.room, &s.nick).await?.subject;
    ensure!(told.subject().as_deref() == Some("hers"), "{}", told.xml());

    // As an operator bob may.
    s.promote(&t).await?;
    s.phone.set_subject(&s.room, "mine").await?;
    s.phone.expect_subject(&s.me(), "mine").await?;
    Ok(())
}

async fn a_subject_without_the_right_is_not_tried(t: Ctx) -> Result<()> {
    // A server that would take whatever it is given: only the gateway is left to refuse.
    let s = Script::set_with(&t, &Welcome::default(), &["@alice"], "+nt").await?;
    let id = s.phone.set_subject(&s.room, "mine").await?;
    refused(&s.phone.expect_error(&id).await?, "forbidden")?;
    s.phone.say(&s.room, "that was all").await?;
    s.session
        .expect_command("PRIVMSG", &[&s.channel, "that was all"])
        .await?;
    let tried = s.session.take_all(|line| line.command == "TOPIC");
    ensure!(tried.is_empty(), "{tried:?}");
    Ok(())
}

async fn the_network_may_refuse_a_subject(t: Ctx) -> Result<()> {
    // The gateway sees no reason, but the server has one.
    let s = Script::set(&t, &["@alice"]).await?;
    s.refuse("TOPIC", "482", "You're not channel operator");
    let id = s.phone.set_subject(&s.room, "mine").await?;
    let error = s.phone.expect_error(&id).await?;
    refused(&error, "forbidden")?;
    let text = error.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(
        text.contains("You're not channel operator"),
        "the server's words: {}",
        error.xml()
    );
    s.flush().await?;
    s.phone
        .expect_none("a subject", &s.room, |stanza| stanza.is_subject_change())
        .await
}
