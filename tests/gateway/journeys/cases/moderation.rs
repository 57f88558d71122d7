//! What moderators ask for, and what is done to people (XEP-0045 §8, §9).

use viaduct_gateway_tests::prelude::*;

use super::stage::{
    Script, Stage, granted, is_presence_of, kick, list, refused, set_affiliation, set_role, stands_as,
};

pub(crate) const CASES: &[Case] = &[
    case!(who_is_no_moderator_moderates_nothing).rows("M73"),
    case!(half_operators_change_no_affiliations).rows("M73"),
    case!(a_kick_happens_on_the_network_first).rows("M74"),
    case!(a_kicked_client_is_told_by_whom_and_why).rows("M74 M76"),
    case!(some_kicks_are_not_possible).rows("M75"),
    case!(kicks_by_others_are_shown).rows("M76"),
];

/// Fails if anything that moderates has come to the channel.
async fn untouched(s: &Stage) -> Result<()> {
    s.flush_out("that was all").await?;
    s.alice
        .expect_none("a change", |line| {
            ["KICK", "MODE"].contains(&line.command.as_str())
        })
        .await
}

async fn who_is_no_moderator_moderates_nothing(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let (carol, stranger) = (s.carol(&t).await?, t.client("stranger").await?);
    let puppet = t.person(carol.nick());
    for client in [&s.phone, &stranger] {
        for answer in [
            kick(client, &s.room, carol.nick(), "out").await?,
            set_role(client, &s.room, carol.nick(), "visitor").await?,
            set_role(client, &s.room, carol.nick(), "moderator").await?,
            set_affiliation(client, &s.room, &puppet, "outcast").await?,
            set_affiliation(client, &s.room, &puppet, "admin").await?,
            list(client, &s.room, "role", "participant").await?,
            list(client, &s.room, "affiliation", "admin").await?,
        ] {
            refused(&answer, "forbidden")?;
        }
    }
    untouched(&s).await
}

async fn half_operators_change_no_affiliations(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice", "carol"]).await?;
    s.line("alice", "MODE", &format!("+h {}", s.nick)).await?;
    s.flush().await?;
    let carol = s.server.person("carol");
    for affiliation in ["owner", "admin", "member", "outcast"] {
        let answer = set_affiliation(&s.phone, &s.room, &carol, affiliation).await?;
        refused(&answer, "forbidden").context(affiliation)?;
        let answer = list(&s.phone, &s.room, "affiliation", affiliation).await?;
        refused(&answer, "forbidden").context(affiliation)?;
    }
    s.phone.say(&s.room, "that was all").await?;
    s.session
        .expect_command("PRIVMSG", &[&s.channel, "that was all"])
        .await?;
    let done = s
        .session
        .take_all(|line| ["KICK", "MODE"].contains(&line.command.as_str()));
    ensure!(done.is_empty(), "{done:?}");
    // Roles are another matter.
    granted(&list(&s.phone, &s.room, "role", "participant").await?)
}

async fn a_kick_happens_on_the_network_first(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice", "carol"]).await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    s.phone.take_all(|_| true);
    let laptop = t.client_of(&s.phone, "laptop").await?;
    laptop.join(&s.room, &s.nick).await?;
    // Nothing is answered by itself: what the server has not done is not shown.
    s.session.respond(|_| None);

    let reason = tag("reason").text("too loud");
    let item = tag("item")
        .attr("nick", "carol")
        .attr("role", "none")
        .child(reason);
    let request = tag("iq")
        .attr("type", "set")
        .attr("id", "kick")
        .attr("to", &s.room)
        .child(tag("query").ns(ns::MUC_ADMIN).child(item));
    s.phone.send(request).await?;
    let line = s.session.expect_command("KICK", &[&s.channel, "carol"]).await?;
    ensure!(line.last() == "too loud", "the reason: {line}");
    let fence = s.session.expect_command("PING", &[]).await?;
    for client in [&s.phone, &laptop] {
        client
            .expect_none("a kick that was not done", GATEWAY, |stanza| {
                stanza.is_from(&s.room)
            })
            .await?;
    }
    s.line(&s.nick, "KICK", "carol :too loud").await?;
    s.session
        .send(format!(":irc.test PONG irc.test :{}", fence.last()))
        .await?;

    // Who has asked is told first, and then everybody.
    let from_room = |stanza: &Element| stanza.is_from(&s.room);
    let answer = s.phone.expect("the answer", from_room).await?;
    ensure!(answer.is_iq() && answer.id() == "kick", "{}", answer.xml());
    granted(&answer)?;
    for client in [&s.phone, &laptop] {
        let gone = client.expect("what came of it", from_room).await?;
        ensure!(gone.from() == s.occupant("carol"), "{}", gone.xml());
        is_kick(&gone, &s.nick, "too loud")?;
        ensure!(!gone.has_status(110), "{}", gone.xml());
    }
    Ok(())
}

/// Checks that a presence shows a kick by somebody with this reason.
fn is_kick(gone: &Element, by: &str, why: &str) -> Result<()> {
    let actor = gone
        .find("actor", ns::MUC_USER)
        .and_then(|actor| actor.attr("nick"));
    let reason = gone.find("reason", ns::MUC_USER).map(Element::text);
    ensure!(
        gone.kind() == "unavailable"
            && gone.has_status(307)
            && actor == Some(by)
            && reason.as_deref() == Some(why),
        "a kick by {by} for '{why}': {}",
        gone.xml()
    );
    stands_as(gone, gone.affiliation(), "none")
}

async fn a_kicked_client_is_told_by_whom_and_why(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let (dave, tablet, nick) = (t.client("dave").await?, "tablet", t.nick("dave"));
    let tablet = t.client_of(&dave, tablet).await?;
    for client in [&dave, &tablet] {
        client.join(&s.room, &nick).await?;
    }
    s.phone.expect_presence(&s.occupant(&nick), "").await?;

    granted(&kick(&s.phone, &s.room, &nick, "too loud").await?)?;
    let done = s
        .alice
        .expect("the kick", |line| line.is("KICK", &[&s.channel, &nick]))
        .await?;
    ensure!(done.nick() == s.nick && done.last() == "too loud", "{done}");
    for client in [&dave, &tablet] {
        let gone = client.expect_presence(&s.occupant(&nick), "unavailable").await?;
        is_kick(&gone, &s.nick, "too loud")?;
        ensure!(gone.has_status(110), "{}", gone.xml());
        let ping = client.get(&s.occupant(&nick), tag("ping").ns(ns::PING)).await?;
        refused(&ping, "not-acceptable")?;
    }
    let gone = s.phone.expect_presence(&s.occupant(&nick), "unavailable").await?;
    is_kick(&gone, &s.nick, "too loud")?;
    ensure!(!gone.has_status(110), "{}", gone.xml());
    Ok(())
}

async fn some_kicks_are_not_possible(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["~olga", "@alice", "carol"]).await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    for (nick, condition) in [
        ("olga", "not-allowed"),
        ("nobody", "item-not-found"),
        (s.nick.as_str(), "conflict"),
    ] {
        let answer = kick(&s.phone, &s.room, nick, "out").await?;
        refused(&answer, condition).with_context(|| nick.to_owned())?;
    }
    let tried = s.session.take_all(|line| line.command == "KICK");
    ensure!(tried.is_empty(), "none of them was tried: {tried:?}");
    // What the server refuses is refused, and shown to nobody.
    s.refuse("KICK", "482", "You're not channel operator");
    let answer = kick(&s.phone, &s.room, "carol", "out").await?;
    refused(&answer, "forbidden")?;
    s.flush().await?;
    s.phone
        .expect_none("a leave", &s.room, |stanza| {
            is_presence_of(&s.room)(stanza) && stanza.kind() == "unavailable"
        })
        .await
}

async fn kicks_by_others_are_shown(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let carol = s.carol(&t).await?;
    for (victim, reason) in [(carol.nick(), "too loud"), (s.nick.as_str(), "too quiet")] {
        s.alice
            .send(format!("KICK {} {victim} :{reason}", s.channel))
            .await?;
        for client in [&s.phone, &laptop] {
            let gone = client.expect_presence(&s.occupant(victim), "unavailable").await?;
            is_kick(&gone, s.alice.nick(), reason)?;
            ensure!(gone.has_status(110) == (victim == s.nick), "{}", gone.xml());
        }
    }
    // They stay outside until they come back by themselves.
    let id = s.phone.say(&s.room, "am I in?").await?;
    refused(&s.phone.expect_error(&id).await?, "not-acceptable")?;
    s.alice
        .expect_none("bob", |line| line.command == "JOIN" && line.nick() == s.nick)
        .await
}
