//! Private messages to occupants (XEP-0045 §7.5).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Stage, refused};

pub(crate) const CASES: &[Case] = &[
    case!(private_messages_become_queries_and_back).rows("M46"),
    case!(answers_come_from_where_the_person_was_addressed).rows("M46"),
    case!(private_messages_that_cannot_be_sent).rows("M47"),
];

async fn private_messages_become_queries_and_back(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let alice = s.occupant(s.alice.nick());
    s.phone.chat(&alice, "psst").await?;
    s.alice.expect_message(&s.nick, s.alice.nick(), "psst").await?;
    s.alice
        .expect_none("the secret in the channel", |line| line.last() == "psst")
        .await?;

    s.alice.say(&s.nick, "what is it?").await?;
    for client in [&s.phone, &laptop] {
        let answer = client.expect_body(&alice, "what is it?").await?;
        ensure!(
            answer.kind() == "chat" && answer.to() == client.jid(),
            "{}",
            answer.xml()
        );
        ensure!(answer.muc_user().is_some(), "marked: {}", answer.xml());
        client
            .expect_none("the answer again, from her puppet", &s.room, |stanza| {
                stanza.body().as_deref() == Some("what is it?")
            })
            .await?;
    }

    // Somebody on XMPP is addressed in the same way.
    let (dave, nick) = (t.client("dave").await?, t.nick("dave"));
    dave.join(&s.room, &nick).await?;
    s.phone.expect_presence(&s.occupant(&nick), "").await?;
    s.phone.chat(&s.occupant(&nick), "and you?").await?;
    let heard = dave.expect("the message", |stanza| {
        stanza.is_message() && stanza.body().as_deref() == Some("and you?")
    });
    let heard = heard.await?;
    ensure!(
        heard.kind() == "chat" && heard.from() == t.person(&s.nick),
        "from bob's puppet: {}",
        heard.xml()
    );
    Ok(())
}

async fn answers_come_from_where_the_person_was_addressed(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let (occupant, puppet) = (s.occupant(s.alice.nick()), t.person(s.alice.nick()));
    // Who was never addressed speaks as herself.
    s.alice.say(&s.nick, "hello").await?;
    s.phone.expect_body(&puppet, "hello").await?;
    for (turn, to, other) in [
        ("first", &occupant, &puppet),
        ("second", &puppet, &occupant),
        ("third", &occupant, &puppet),
    ] {
        let body = format!("{turn} question");
        s.phone.chat(to, &body).await?;
        s.alice.expect_message(&s.nick, s.alice.nick(), &body).await?;
        let body = format!("{turn} answer");
        s.alice.say(&s.nick, &body).await?;
        s.phone.expect_body(to, &body).await?;
        s.phone
            .expect_none("the answer from elsewhere", &s.room, |stanza| {
                stanza.is_from(other) && stanza.body().is_some()
            })
            .await?;
    }
    // Outside of the room nobody can be addressed there.
    s.phone.leave(&s.room, &s.nick, "").await?;
    Ok(())
}

async fn private_messages_that_cannot_be_sent(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    let alice = s.occupant(s.alice.nick());
    let nobody = s.occupant("nobody");
    for (client, to, kind, condition) in [
        (&s.phone, &alice, "groupchat", "bad-request"),
        (&s.phone, &nobody, "chat", "item-not-found"),
        (&stranger, &alice, "chat", "not-acceptable"),
    ] {
        let id = client.fresh_id();
        let message = tag("message")
            .attr("type", kind)
            .attr("to", to)
            .attr("id", &id)
            .child(tag("body").text("psst"));
        client.send(message).await?;
        let error = client.expect_error(&id).await?;
        refused(&error, condition)?;
        ensure!(error.from() == *to, "{}", error.xml());
    }
    s.flush_out("that was all").await?;
    let nick = t.nick("stranger");
    stranger.join(&s.room, &nick).await?;
    s.alice.expect_join(&nick, &s.channel).await?;
    s.alice
        .expect_none("a private message", |line| line.last() == "psst")
        .await
}
