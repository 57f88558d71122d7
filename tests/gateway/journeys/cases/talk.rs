//! Messages in rooms (XEP-0045 §7.4, §17.2).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, answer_modes, greet, refused, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(words_go_both_ways).rows("M38"),
    case!(words_are_shown_when_the_network_has_them).rows("M38"),
    case!(refused_words_are_shown_to_nobody).rows("M38"),
    case!(ids_of_clients_are_kept).rows("M39"),
    case!(visitors_are_not_heard).rows("M40"),
    case!(visitors_are_stopped_before_the_network).rows("M40"),
    case!(outsiders_are_not_heard).rows("M41"),
    case!(rooms_that_cannot_be_are_not_found).rows("M42"),
    case!(extensions_reach_the_other_clients).rows("M43"),
    case!(a_chat_with_the_room_itself_is_a_mistake).rows("M44"),
    case!(everybody_sees_the_order_of_the_network).rows("M45"),
];

async fn words_go_both_ways(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;

    s.phone.say(&s.room, "hello from XMPP").await?;
    s.alice
        .expect_message(&s.nick, &s.channel, "hello from XMPP")
        .await?;
    s.alice.say(&s.channel, "hello from IRC").await?;
    for client in [&s.phone, &laptop] {
        let reflection = client.expect_body(&s.room, "hello from XMPP").await?;
        let message = client.expect_body(&s.room, "hello from IRC").await?;
        for (stanza, from) in [(&reflection, s.me()), (&message, s.occupant(s.alice.nick()))] {
            ensure!(
                stanza.from() == from && stanza.to() == client.jid() && stanza.kind() == "groupchat",
                "from {from} to {}: {}",
                client.jid(),
                stanza.xml()
            );
        }
    }

    // Once each.
    s.flush(&t).await?;
    for client in [&s.phone, &laptop] {
        client
            .expect_none("a second copy", &s.room, |stanza| {
                let body = stanza.body().unwrap_or_default();
                stanza.is_from(&s.room) && body.starts_with("hello")
            })
            .await?;
    }
    s.alice
        .expect_none("a second copy", |line| line.command == "PRIVMSG")
        .await
}

async fn words_are_shown_when_the_network_has_them(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    // From now on nothing is answered by itself: not the PING that tells that the words were taken, either.
    s.session.respond(|_| None);
    s.phone.say(&s.room, "is anybody there?").await?;
    s.session
        .expect_command("PRIVMSG", &[&s.channel, "is anybody there?"])
        .await?;
    let fence = s.session.expect_command("PING", &[]).await?;
    s.phone
        .expect_none("a reflection", &s.room, |stanza| {
            stanza.is_from(&s.room) && stanza.body().is_some()
        })
        .await?;
    s.session
        .send(format!(":irc.test PONG irc.test :{}", fence.last()))
        .await?;
    s.phone.expect_body(&s.me(), "is anybody there?").await?;
    Ok(())
}

async fn refused_words_are_shown_to_nobody(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    laptop.join(&s.room, &s.nick).await?;
    s.refuse("PRIVMSG", "404", "Cannot send to channel (no colours)");

    let id = s.phone.say(&s.room, "a red word").await?;
    let error = s.phone.expect_error(&id).await?;
    refused(&error, "forbidden")?;
    let text = error.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains("no colours"), "the server's words: {}", error.xml());
    ensure!(error.from() == s.room && error.is_message(), "{}", error.xml());
    // Whatever would have come because of it has come before what is said next.
    s.line("alice", "PRIVMSG", ":next").await?;
    for client in [&s.phone, &laptop] {
        client.expect_body(&s.room, "next").await?;
        client
            .expect_none("a reflection or a second error", &s.room, |stanza| {
                stanza.body().as_deref() == Some("a red word") || stanza.id() == id
            })
            .await?;
    }
    Ok(())
}

async fn ids_of_clients_are_kept(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let id = s.phone.say(&s.room, "with an id").await?;
    for client in [&s.phone, &laptop] {
        let copy = client.expect_body(&s.me(), "with an id").await?;
        ensure!(copy.id() == id, "{id}: {}", copy.xml());
    }
    // Who gives none gets one, the same for all.
    let message = tag("message").attr("type", "groupchat").attr("to", &s.room);
    s.phone
        .send(message.child(tag("body").text("without an id")))
        .await?;
    s.alice
        .expect_message(&s.nick, &s.channel, "without an id")
        .await?;
    s.alice.say(&s.channel, "from IRC").await?;
    for body in ["without an id", "from IRC"] {
        let one = s.phone.expect_body(&s.room, body).await?;
        let other = laptop.expect_body(&s.room, body).await?;
        ensure!(
            !one.id().is_empty() && one.id() == other.id(),
            "{} and {}",
            one.xml(),
            other.xml()
        );
    }
    for jid in [s.room.as_str(), GATEWAY] {
        let features = s.phone.disco_info(jid, None).await?.features();
        let stable = "http://jabber.org/protocol/muc#stable_id".to_owned();
        ensure!(features.contains(&stable), "{jid}: {features:?}");
    }
    Ok(())
}

/// Fails if what was refused has come to anybody.
async fn unheard(s: &Stage, body: &str) -> Result<()> {
    // By the same connection to IRC, and open to everybody.
    s.phone.chat(&s.occupant(s.alice.nick()), "that was all").await?;
    s.alice
        .expect_message(&s.nick, s.alice.nick(), "that was all")
        .await?;
    s.alice
        .expect_none("the message", |line| line.last() == body)
        .await?;
    s.phone
        .expect_none("a reflection", &s.room, |stanza| {
            stanza.body().as_deref() == Some(body) && stanza.kind() != "error"
        })
        .await
}

async fn visitors_are_not_heard(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "+m").await?;
    let visitor = s.phone.expect_presence(&s.me(), "").await?;
    ensure!(visitor.role() == "visitor", "{}", visitor.xml());

    let id = s.phone.say(&s.room, "may I?").await?;
    refused(&s.phone.expect_error(&id).await?, "forbidden")?;
    unheard(&s, "may I?").await?;

    s.alice.mode(&s.channel, &format!("+v {}", s.nick)).await?;
    let participant = s.phone.expect_presence(&s.me(), "").await?;
    ensure!(participant.role() == "participant", "{}", participant.xml());
    s.flush_out("now I may").await
}

async fn visitors_are_stopped_before_the_network(t: Ctx) -> Result<()> {
    // A server that would take whatever it is given: only the gateway is left to refuse.
    let s = Script::set_with(&t, &Welcome::default(), &["@alice"], "+nm").await?;
    stands_as(&s.joined.me, "none", "visitor")?;
    let id = s.phone.say(&s.room, "may I?").await?;
    let error = s.phone.expect_error(&id).await?;
    refused(&error, "forbidden")?;

    s.phone.chat(&s.occupant("alice"), "that was all").await?;
    s.session
        .expect_command("PRIVMSG", &["alice", "that was all"])
        .await?;
    let bridged = s.session.take_all(|line| line.is("PRIVMSG", &[&s.channel]));
    ensure!(bridged.is_empty(), "{bridged:?}");
    s.phone
        .expect_none("a reflection or a second error", &s.room, |stanza| {
            stanza.body().as_deref() == Some("may I?") || stanza.id() == id
        })
        .await
}

async fn outsiders_are_not_heard(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    // Another resource of somebody who is there is not there either.
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for client in [&stranger, &laptop] {
        let id = client.say(&s.room, "hello?").await?;
        refused(&client.expect_error(&id).await?, "not-acceptable")?;
        client
            .expect_none("a reflection", &s.room, |stanza| {
                stanza.is_message() && stanza.is_from(&s.room) && stanza.kind() != "error"
            })
            .await?;
    }
    unheard(&s, "hello?").await?;
    let nick = t.nick("stranger");
    stranger.take_all(|_| true);
    stranger.join(&s.room, &nick).await?;
    s.alice.expect_join(&nick, &s.channel).await?;
    s.alice
        .expect_none("the message", |line| line.last() == "hello?")
        .await
}

async fn rooms_that_cannot_be_are_not_found(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for local in [
        format!(r"#with\20space%{}", t.world().irc_name()),
        "#chan%no_server".to_owned(),
    ] {
        let id = phone.say(&format!("{local}@{GATEWAY}"), "hello?").await?;
        refused(&phone.expect_error(&id).await?, "item-not-found").context(local)?;
    }
    Ok(())
}

async fn extensions_reach_the_other_clients(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let kept = [
        "<origin-id xmlns='urn:xmpp:sid:0' id='mine'/>",
        "<markable xmlns='urn:xmpp:chat-markers:0'/>",
        "<stanza-id xmlns='urn:xmpp:sid:0' by='elsewhere.example' id='theirs'/>",
        "<reply xmlns='urn:xmpp:reply:0' to='a@b/c' id='earlier'/>",
        "<thing xmlns='urn:example:unknown' colour='red'><part>1 &lt; 2</part><!-- --></thing>",
    ];
    let owned = [
        "<x xmlns='http://jabber.org/protocol/muc#user'><item role='moderator' affiliation='owner'/></x>",
        "<delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z'/>",
    ];
    let message = tag("message")
        .attr("type", "groupchat")
        .attr("to", &s.room)
        .attr("id", "extended")
        .child(tag("body").text("extended"));
    let message = kept.iter().chain(&owned).fold(message, |message, child| {
        message.child(child.replace("<!-- -->", ""))
    });
    s.phone.send(message).await?;
    for client in [&s.phone, &laptop] {
        let copy = client.expect_body(&s.me(), "extended").await?;
        for (name, namespace) in [
            ("origin-id", ns::SID),
            ("markable", "urn:xmpp:chat-markers:0"),
            ("reply", "urn:xmpp:reply:0"),
            ("thing", "urn:example:unknown"),
        ] {
            ensure!(
                copy.get_child(name, namespace).is_some(),
                "{name} is lost: {}",
                copy.xml()
            );
        }
        let part = copy.find("part", "urn:example:unknown").map(Element::text);
        let colour = copy
            .find("thing", "urn:example:unknown")
            .and_then(|thing| thing.attr("colour"));
        ensure!(
            part.as_deref() == Some("1 < 2") && colour == Some("red"),
            "unchanged: {}",
            copy.xml()
        );
        ensure!(
            copy.stanza_id("elsewhere.example") == Some("theirs"),
            "an id of somebody else: {}",
            copy.xml()
        );
        ensure!(
            copy.muc_user().is_none() && copy.delay().is_none(),
            "what only the room says: {}",
            copy.xml()
        );
    }
    Ok(())
}

async fn a_chat_with_the_room_itself_is_a_mistake(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    for kind in ["chat", "normal"] {
        let message = tag("message")
            .attr("type", kind)
            .attr("id", kind)
            .attr("to", &s.room)
            .child(tag("body").text("to whom?"));
        s.phone.send(message).await?;
        refused(&s.phone.expect_error(kind).await?, "bad-request")?;
    }
    unheard(&s, "to whom?").await
}

async fn everybody_sees_the_order_of_the_network(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let welcome = Welcome {
            caps: &["echo-message", "message-tags"],
            ..Welcome::default()
        };
        let session = greet(&server, &welcome, &nick).await?;
        answer_modes(&session, &nick, "+n");
        session.let_in(&nick, &channel, &["@alice"]).await?;
        Ok(session)
    };
    let (session, _) = tokio::try_join!(script, phone.join(&room, &nick))?;
    let laptop = t.client_of(&phone, "laptop").await?;
    laptop.join(&room, &nick).await?;

    // Bob is quick, but on the network alice was quicker.
    phone.say(&room, "me first").await?;
    session.expect_command("PRIVMSG", &[&channel, "me first"]).await?;
    for line in [
        format!(":alice!u@h PRIVMSG {channel} :alice first"),
        format!("@msgid=m1 :{nick}!u@h PRIVMSG {channel} :me first"),
        // And this bob has said with another client of IRC.
        format!("@msgid=m2 :{nick}!u@h PRIVMSG {channel} :from elsewhere"),
    ] {
        session.send(line).await?;
    }
    for client in [&phone, &laptop] {
        for (who, body) in [
            ("alice", "alice first"),
            (nick.as_str(), "me first"),
            (nick.as_str(), "from elsewhere"),
        ] {
            let message = client
                .expect("the next message", |stanza| {
                    stanza.is_from(&room) && stanza.body().is_some()
                })
                .await?;
            ensure!(
                message.from() == format!("{room}/{who}") && message.body().as_deref() == Some(body),
                "{who} says '{body}': {}",
                message.xml()
            );
        }
    }
    Ok(())
}
