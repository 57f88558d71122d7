//! Leaving a room (XEP-0045 §7.14), and being left.

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, is_presence_of, refused, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(farewell_reaches_the_channel).rows("M54"),
    case!(one_channel_is_left_and_the_other_not).rows("M54"),
    case!(the_farewells_of_others_are_shown).rows("M54"),
    case!(a_leave_from_outside_is_ignored).rows("M55"),
    case!(a_netsplit_is_shown_once_for_each).rows("M56"),
];

async fn farewell_reaches_the_channel(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let gone = s.phone.leave(&s.room, &s.nick, "time for bed").await?;
    ensure!(
        gone.nick() == s.nick && gone.child_text("status").as_deref() == Some("time for bed"),
        "{}",
        gone.xml()
    );
    stands_as(&gone, "none", "none")?;
    let wanted = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == s.nick;
    let left = s.alice.expect("the leave", wanted).await?;
    ensure!(
        left.last().contains("time for bed"),
        "the farewell is passed on: {left}"
    );
    s.alice.say(&s.channel, "is bob gone?").await?;
    s.alice.fence().await?;
    let ping = s.phone.get(&s.me(), tag("ping").ns(ns::PING)).await?;
    refused(&ping, "not-acceptable")?;
    s.phone
        .expect_none("anything from the room", GATEWAY, |stanza| {
            stanza.is_from(&s.room) && !stanza.is_iq()
        })
        .await
}

async fn one_channel_is_left_and_the_other_not(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let second = t.channel_named("second");
    s.alice.join(&second).await?;
    s.phone.join(&t.room(&second), &s.nick).await?;
    let laptop = s.laptop(&t).await?;

    // The first resource to go tells nobody; the last takes the user along.
    s.phone.leave(&s.room, &s.nick, "see you").await?;
    laptop.say(&s.room, "I stay").await?;
    s.alice.expect_message(&s.nick, &s.channel, "I stay").await?;
    s.alice
        .expect_none("a PART", |line| line.command == "PART")
        .await?;
    laptop
        .expect_none("a leave", &s.room, |stanza| {
            is_presence_of(&s.room)(stanza) && stanza.kind() == "unavailable"
        })
        .await?;
    laptop.leave(&s.room, &s.nick, "see you later").await?;
    let part = s.alice.expect_part(&s.nick, &s.channel).await?;
    ensure!(part.last().contains("see you later"), "{part}");

    s.phone.say(&t.room(&second), "and here, too").await?;
    s.alice.expect_message(&s.nick, &second, "and here, too").await?;
    s.alice.expect_none("a QUIT", |line| line.command == "QUIT").await
}

async fn the_farewells_of_others_are_shown(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let (carol, dave) = (s.carol(&t).await?, t.client("dave").await?);
    let nick = t.nick("dave");
    dave.join(&s.room, &nick).await?;
    s.phone.expect_presence(&s.occupant(&nick), "").await?;

    carol.send(format!("PART {} :to the shop", s.channel)).await?;
    dave.leave(&s.room, &nick, "to the beach").await?;
    for (nick, words) in [(carol.nick(), "to the shop"), (&nick, "to the beach")] {
        let gone = s.phone.expect_presence(&s.occupant(nick), "unavailable").await?;
        let status = gone.child_text("status").unwrap_or_default();
        ensure!(
            status.contains(words) && gone.statuses().is_empty(),
            "'{words}': {}",
            gone.xml()
        );
        stands_as(&gone, "none", "none")?;
    }
    carol.join(&s.channel).await?;
    s.phone.expect_presence(&s.occupant(carol.nick()), "").await?;
    carol.quit("for good").await?;
    let gone = s
        .phone
        .expect_presence(&s.occupant(carol.nick()), "unavailable")
        .await?;
    let status = gone.child_text("status").unwrap_or_default();
    ensure!(status.contains("for good"), "{}", gone.xml());
    Ok(())
}

async fn a_leave_from_outside_is_ignored(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for (client, nick) in [(&stranger, "stranger"), (&laptop, s.nick.as_str())] {
        let gone = tag("presence")
            .attr("type", "unavailable")
            .attr("to", s.occupant(nick));
        client.send(gone).await?;
        client
            .expect_none("an answer", &s.room, is_presence_of(&s.room))
            .await?;
    }
    s.flush_out("nothing has happened").await?;
    s.alice
        .expect_none("a PART", |line| ["PART", "QUIT"].contains(&line.command.as_str()))
        .await
}

async fn a_netsplit_is_shown_once_for_each(t: Ctx) -> Result<()> {
    let far = ["carol", "dave", "erin", "frank"];
    let others = ["@alice", "carol", "dave", "erin", "frank"];
    let s = Script::set(&t, &others).await?;
    // A second channel in which some of them are as well.
    let second = t.channel_named("second");
    let room = s.server.room(&second);
    let (_, joined) = tokio::try_join!(
        s.session.let_in(&s.nick, &second, &["carol", "dave"]),
        s.phone.join(&room, &s.nick)
    )?;
    ensure!(joined.nicks() == ["carol", "dave"], "{:?}", joined.nicks());

    for nick in far {
        s.session
            .send(format!(":{nick}!user@host QUIT :hub.example leaf.example"))
            .await?;
    }
    s.flush().await?;
    let gone = s
        .phone
        .take_all(|stanza| stanza.is_presence() && stanza.kind() == "unavailable");
    let mut who: Vec<&str> = gone.iter().map(|it| it.from()).collect();
    who.sort_unstable();
    let mut wanted: Vec<String> = far.iter().map(|nick| s.occupant(nick)).collect();
    wanted.extend(["carol", "dave"].map(|nick| format!("{room}/{nick}")));
    wanted.sort_unstable();
    ensure!(who == wanted, "each once in each room: {who:?}");
    for presence in &gone {
        ensure!(
            presence.child_text("status").as_deref() == Some("hub.example leaf.example"),
            "{}",
            presence.xml()
        );
    }

    // One returns as he was, one under another name, the others do not: nobody is there who is not.
    s.line("carol", "JOIN", "").await?;
    s.line("davina", "JOIN", "").await?;
    s.flush().await?;
    let back = s.phone.take_all(is_presence_of(&s.room));
    let who: Vec<&str> = back.iter().map(|it| it.nick()).collect();
    ensure!(who == ["carol", "davina"], "who is back: {who:?}");
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    ensure!(
        joined.nicks() == ["alice", "carol", "davina"],
        "who is there: {:?}",
        joined.nicks()
    );
    Ok(())
}
