//! Joins that the network, or the room's address, does not permit (XEP-0045 §7.2).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Stage, greet, is_presence_of, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_nick_is_needed).rows("M12"),
    case!(a_key_is_needed).rows("M17"),
    case!(an_invitation_is_needed).rows("M18"),
    case!(the_banned_stay_outside).rows("M19"),
    case!(a_full_channel_takes_nobody_else).rows("M22"),
    case!(what_cannot_be_created_is_not_found).rows("M24"),
    case!(what_may_not_be_created_is_not_allowed).rows("M24"),
];

async fn a_nick_is_needed(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    let muc = tag("x").ns(ns::MUC);
    stranger
        .send(
            tag("presence")
                .attr("id", "nameless")
                .attr("to", &s.room)
                .child(muc),
        )
        .await?;
    let answer = stranger.expect_error("nameless").await?;
    ensure!(answer.is_presence(), "{}", answer.xml());
    refused(&answer, "jid-malformed")?;
    s.alice.expect_none("a JOIN", |line| line.command == "JOIN").await
}

/// A join of the stage's room by a stranger is refused with the condition, and comes to nothing on both sides.
async fn stays_outside(t: &Ctx, s: &Stage, request: &Join, condition: &str) -> Result<Client> {
    let stranger = t.client("stranger").await?;
    let answer = stranger.join_refused(request).await?;
    refused(&answer, condition)?;
    let words = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(!words.is_empty(), "the reason in words: {}", answer.xml());
    ensure!(
        answer.nick() == t.nick("stranger"),
        "from the occupant that was asked for: {}",
        answer.xml()
    );
    stranger
        .expect_none("a presence", &s.room, is_presence_of(&s.room))
        .await?;
    let ping = stranger.get(answer.from(), tag("ping").ns(ns::PING)).await?;
    refused(&ping, "not-acceptable")?;
    s.alice
        .expect_none("a JOIN", |line| line.command == "JOIN")
        .await?;
    Ok(stranger)
}

async fn a_key_is_needed(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "+k sesame").await?;
    let plain = Join::new(&s.room, &t.nick("stranger"));
    let stranger = stays_outside(&t, &s, &plain, "not-authorized").await?;
    let wrong = stranger.join_refused(&plain.clone().password("barley")).await?;
    refused(&wrong, "not-authorized")?;

    stranger.join_with(&plain.clone().password("sesame")).await?;
    s.alice.expect_join(&t.nick("stranger"), &s.channel).await?;
    Ok(())
}

async fn an_invitation_is_needed(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "+i").await?;
    let (nick, request) = (t.nick("stranger"), Join::new(&s.room, &t.nick("stranger")));
    stays_outside(&t, &s, &request, "registration-required").await?;

    // Who is invited comes in.
    let dora = t.client("dora").await?;
    dora.join(&t.room(&t.channel_named("lobby")), &t.nick("dora"))
        .await?;
    s.alice
        .send(format!("INVITE {} {}", t.nick("dora"), s.channel))
        .await?;
    s.alice.fence().await?;
    dora.join(&s.room, &t.nick("dora")).await?;
    ensure!(nick != t.nick("dora"), "two people");
    Ok(())
}

async fn the_banned_stay_outside(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let nick = t.nick("stranger");
    s.alice.mode(&s.channel, &format!("+b {nick}!*@*")).await?;
    stays_outside(&t, &s, &Join::new(&s.room, &nick), "forbidden").await?;
    Ok(())
}

async fn a_full_channel_takes_nobody_else(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "+l 2").await?;
    let request = Join::new(&s.room, &t.nick("stranger"));
    let stranger = stays_outside(&t, &s, &request, "service-unavailable").await?;

    s.alice.mode(&s.channel, "+l 3").await?;
    stranger.join_with(&request).await?;
    Ok(())
}

async fn what_cannot_be_created_is_not_found(t: Ctx) -> Result<()> {
    refused_by_numeric(&t, "403", "No such channel", "item-not-found").await
}

async fn what_may_not_be_created_is_not_allowed(t: Ctx) -> Result<()> {
    refused_by_numeric(&t, "448", "You may not create channels here", "not-allowed").await
}

/// A join that the server answers with a numeric is refused with the condition and the server's words.
async fn refused_by_numeric(t: &Ctx, numeric: &str, words: &str, condition: &str) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let session = greet(&server, &Welcome::default(), &nick).await?;
        session.expect_command("JOIN", &[&channel]).await?;
        session
            .send(format!(":irc.test {numeric} {nick} {channel} :{words}"))
            .await?;
        Ok(session)
    };
    let request = Join::new(&room, &nick);
    let (_session, answer) = tokio::try_join!(script, phone.join_refused(&request))?;
    refused(&answer, condition)?;
    let text = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains(words), "the server's words: {}", answer.xml());
    Ok(())
}
