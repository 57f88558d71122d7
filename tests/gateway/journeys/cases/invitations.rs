//! Invitations, both ways (XEP-0045 §7.8.2, XEP-0249).

use std::fmt::Display;

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, refused};

pub(crate) const CASES: &[Case] = &[
    case!(somebody_on_irc_is_invited).rows("M65 M68"),
    case!(somebody_on_xmpp_is_invited).rows("M65 M68"),
    case!(who_may_not_invite_is_told).rows("M66"),
    case!(an_invitation_is_declined).rows("M67"),
    case!(the_user_is_invited).rows("M69"),
    case!(others_invitations_are_quiet).rows("M69"),
];

const CONFERENCE: &str = "jabber:x:conference";

/// Sends a message that is no chat, with this in it. Its id.
async fn send(client: &Client, to: &str, payload: impl Display) -> Result<String> {
    let id = client.fresh_id();
    let message = tag("message").attr("to", to).attr("id", &id);
    client.send(message.child(payload)).await?;
    Ok(id)
}

/// Asks a room to invite somebody.
async fn mediate(client: &Client, room: &str, whom: &str, reason: &str) -> Result<String> {
    let invite = tag("invite").attr("to", whom).child(tag("reason").text(reason));
    send(client, room, tag("x").ns(ns::MUC_USER).child(invite)).await
}

fn into(room: &str) -> impl Display {
    tag("x").ns(CONFERENCE).attr("jid", room)
}

async fn is_invited(somebody: &IrcPeer, channel: &str, by: &str) -> Result<()> {
    let me = somebody.nick();
    let line = somebody
        .expect("the invitation", |line| {
            line.command == "INVITE" && line.param(0) == me
        })
        .await?;
    ensure!(line.param(1) == channel && line.nick() == by, "{line}");
    Ok(())
}

async fn somebody_on_irc_is_invited(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    // Some servers let only operators invite.
    s.promote(&t).await?;
    let (carol, dave) = (t.irc("carol").await?, t.irc("dave").await?);
    mediate(&s.phone, &s.room, &t.person(carol.nick()), "tea is ready").await?;
    is_invited(&carol, &s.channel, &s.nick).await?;
    send(&s.phone, &t.person(dave.nick()), into(&s.room)).await?;
    is_invited(&dave, &s.channel, &s.nick).await?;
    s.flush_out("no error and no other rights").await?;
    s.phone
        .expect_none("an error or presence", &s.room, |stanza| {
            stanza.kind() == "error" || stanza.is_presence()
        })
        .await?;
    // Who is invited twice, or is there already.
    carol.join(&s.channel).await?;
    s.phone.expect_presence(&s.occupant(carol.nick()), "").await?;
    let id = mediate(&s.phone, &s.room, &t.person(carol.nick()), "").await?;
    refused(&s.phone.expect_error(&id).await?, "conflict")
}

async fn somebody_on_xmpp_is_invited(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    s.alice.mode(&s.channel, "+k secret").await?;
    s.flush(&t).await?;
    let dora = t.client("dora").await?;
    mediate(&s.phone, &s.room, dora.bare(), "tea is ready").await?;
    let got = dora
        .expect("the invitation", |stanza| stanza.is_from(&s.room))
        .await?;
    let invite = got.find("invite", ns::MUC_USER).with_context(|| got.xml())?;
    ensure!(invite.attr("from") == Some(s.phone.bare()), "{}", got.xml());
    let reason = got.find("reason", ns::MUC_USER).map(|reason| reason.text());
    ensure!(reason.as_deref() == Some("tea is ready"), "{}", got.xml());
    let x = got.find("x", CONFERENCE).with_context(|| got.xml())?;
    ensure!(x.attr("jid") == Some(&s.room), "{}", got.xml());
    // Not to anybody in the world: who may not use the gateway is not bothered from it.
    let id = mediate(&s.phone, &s.room, "somebody@elsewhere.example", "").await?;
    refused(&s.phone.expect_error(&id).await?, "not-allowed")
}

async fn who_may_not_invite_is_told(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let (carol, dora) = (t.irc("carol").await?, t.client("dora").await?);
    let stranger = t.client("stranger").await?;
    let (carol_jid, carol_fixed) = (t.person(carol.nick()), t.fixed_person(carol.nick()));
    for (client, whom, condition) in [
        (&s.phone, t.person("nobody-here").as_str(), "item-not-found"),
        (&s.phone, s.room.as_str(), "item-not-found"),
        (&s.phone, "@", "jid-malformed"),
        (&stranger, carol_jid.as_str(), "not-acceptable"),
    ] {
        let id = mediate(client, &s.room, whom, "").await?;
        refused(&client.expect_error(&id).await?, condition).with_context(|| whom.to_owned())?;
    }
    // Into a room that is elsewhere, or that the user is not in.
    for place in [t.room(&t.channel_named("other")), "room@muc.example".to_owned()] {
        let id = send(&s.phone, &carol_jid, into(&place)).await?;
        refused(&s.phone.expect_error(&id).await?, "not-acceptable")?;
    }
    let id = send(&s.phone, &carol_fixed, into(&s.room)).await?;
    refused(&s.phone.expect_error(&id).await?, "not-acceptable")?;

    s.alice.mode(&s.channel, "+i").await?;
    s.flush(&t).await?;
    for whom in [carol_jid.as_str(), dora.bare()] {
        let id = mediate(&s.phone, &s.room, whom, "").await?;
        refused(&s.phone.expect_error(&id).await?, "forbidden").with_context(|| whom.to_owned())?;
    }
    carol
        .expect_none("an invitation", |line| line.command == "INVITE")
        .await?;
    s.promote(&t).await?;
    mediate(&s.phone, &s.room, &carol_jid, "").await?;
    is_invited(&carol, &s.channel, &s.nick).await
}

async fn an_invitation_is_declined(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let (other, room) = (t.channel_named("other"), t.room(&t.channel_named("other")));
    s.alice.join(&other).await?;
    s.alice.send(format!("INVITE {} {other}", s.nick)).await?;
    let got = s
        .phone
        .expect("the invitation", |stanza| stanza.is_from(&room))
        .await?;
    let from = got
        .find("invite", ns::MUC_USER)
        .and_then(|invite| invite.attr("from"));
    let from = from.context("it has an inviter")?.to_owned();
    let decline = tag("decline")
        .attr("to", &from)
        .child(tag("reason").text("no tea today"));
    send(&s.phone, &room, tag("x").ns(ns::MUC_USER).child(decline)).await?;
    let line = s
        .alice
        .expect("the words", |line| line.is("NOTICE", &[s.alice.nick()]))
        .await?;
    ensure!(
        line.nick() == s.nick && line.last().contains(&other) && line.last().contains("no tea today"),
        "{line}"
    );

    // An XMPP user who invited is told by the room.
    let dora = t.client("dora").await?;
    let decline = tag("decline")
        .attr("to", dora.bare())
        .child(tag("reason").text("no"));
    send(&s.phone, &room, tag("x").ns(ns::MUC_USER).child(decline)).await?;
    let got = dora.expect("the refusal", |stanza| stanza.is_from(&room)).await?;
    let decline = got.find("decline", ns::MUC_USER).with_context(|| got.xml())?;
    ensure!(decline.attr("from") == Some(s.phone.bare()), "{}", got.xml());
    Ok(())
}

async fn the_user_is_invited(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let (other, room) = (t.channel_named("other"), t.room(&t.channel_named("other")));
    s.alice.join(&other).await?;
    s.alice.send(format!("INVITE {} {other}", s.nick)).await?;
    for client in [&s.phone, &laptop] {
        let got = client
            .expect("the invitation", |stanza| stanza.is_from(&room))
            .await?;
        let invite = got.find("invite", ns::MUC_USER).with_context(|| got.xml())?;
        ensure!(
            invite.attr("from") == Some(&t.person(s.alice.nick())),
            "{}",
            got.xml()
        );
        let x = got.find("x", CONFERENCE).with_context(|| got.xml())?;
        ensure!(x.attr("jid") == Some(&room), "{}", got.xml());
    }
    s.flush(&t).await?;
    for client in [&s.phone, &laptop] {
        client
            .expect_none("a second one", t.gateway(), |stanza| stanza.is_from(&room))
            .await?;
    }
    // It leads there.
    s.phone.join(&room, &s.nick).await?;

    // At the domain with one server the inviter is the puppet of that domain.
    let fixed = t.client("fixed").await?;
    let nick = t.nick("fred");
    fixed.join(&t.fixed_room(&s.channel), &nick).await?;
    s.alice.expect_join(&nick, &s.channel).await?;
    s.alice.send(format!("INVITE {nick} {other}")).await?;
    let room = t.fixed_room(&other);
    let got = fixed
        .expect("the invitation", |stanza| stanza.is_from(&room))
        .await?;
    let invite = got.find("invite", ns::MUC_USER).with_context(|| got.xml())?;
    ensure!(
        invite.attr("from") == Some(&t.fixed_person(s.alice.nick())),
        "{}",
        got.xml()
    );
    Ok(())
}

async fn others_invitations_are_quiet(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    s.session
        .send(format!(":alice!u@h INVITE carol {}", s.channel))
        .await?;
    s.flush().await?;
    s.phone
        .expect_none("anything of it", &s.room, |stanza| {
            stanza.find("invite", ns::MUC_USER).is_some()
                || stanza.body().is_some_and(|body| body.contains("carol"))
        })
        .await
}
