//! Joining a room: what comes, in which order, and who is told (XEP-0045 §7.1, §7.2).

use std::time::{Duration, Instant};

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, answer_modes, greet, is_presence_of, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(others_then_self_then_subject).rows("M11 M13 M14"),
    case!(history_comes_before_the_subject).rows("M11"),
    case!(what_happens_meanwhile_waits).rows("M11"),
    case!(nobody_is_in_before_the_network_says_so).rows("M14"),
    case!(newcomers_are_shown_to_everybody).rows("M13 M14"),
    case!(everybody_has_the_jid_of_their_puppet).rows("M16"),
    case!(ranks_show_as_roles_and_affiliations).rows("M29"),
    case!(moderated_rooms_take_newcomers_as_visitors).rows("M29"),
    case!(an_unknown_channel_is_created).rows("M24"),
    case!(thousands_of_members_are_shown_in_time)
        .rows("M30")
        .deadline(120),
];

async fn others_then_self_then_subject(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (alice, carol) = (t.irc("alice").await?, t.irc("carol").await?);
    alice.join(&channel).await?;
    alice.topic(&channel, "the topic").await?;
    carol.join(&channel).await?;

    let phone = t.client("phone").await?;
    let joined = phone.join(&t.room(&channel), &nick).await?;

    ensure!(
        joined.nicks() == [alice.nick(), carol.nick()],
        "others: {:?}",
        joined.nicks()
    );
    ensure!(joined.me.nick() == nick, "self: {}", joined.me.xml());
    ensure!(
        joined.subject.subject().as_deref() == Some("the topic"),
        "subject: {}",
        joined.subject.xml()
    );
    let place = |wanted: &Element| joined.order.iter().position(|stanza| stanza == wanted);
    let (me, subject) = (place(&joined.me), place(&joined.subject));
    ensure!(
        me == Some(2) && subject == Some(joined.order.len() - 1),
        "self at {me:?}, subject at {subject:?}"
    );

    for presence in joined.occupants.iter().chain([&joined.me]) {
        let payloads = presence.children().filter(|child| child.is("x", ns::MUC_USER));
        let items = presence.find_all("item", ns::MUC_USER).len();
        let whole = !presence.role().is_empty() && !presence.affiliation().is_empty();
        ensure!(
            payloads.count() == 1 && items == 1 && whole,
            "one item with role and affiliation: {}",
            presence.xml()
        );
    }
    // The network saw the join before we were told that we are in.
    alice.expect_none("a late JOIN", |_| false).await?;
    ensure!(
        alice
            .take_all(|line| line.command == "JOIN" && line.nick() == nick)
            .len()
            == 1,
        "{nick} has joined on IRC, once"
    );
    Ok(())
}

async fn history_comes_before_the_subject(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    for word in ["one", "two"] {
        s.alice.say(&s.channel, word).await?;
        s.phone.expect_body(&s.room, word).await?;
    }
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    let shape: Vec<&str> = joined
        .order
        .iter()
        .map(|stanza| match stanza {
            stanza if stanza.is_presence() && stanza.has_status(110) => "self",
            stanza if stanza.is_presence() => "other",
            stanza if stanza.is_subject_change() => "subject",
            _ => "history",
        })
        .collect();
    ensure!(
        shape == ["other", "self", "history", "history", "subject"],
        "the order is {shape:?}"
    );
    ensure!(
        joined.bodies() == ["one", "two"],
        "the oldest first: {:?}",
        joined.bodies()
    );
    Ok(())
}

async fn what_happens_meanwhile_waits(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let session = greet(&server, &Welcome::default(), &nick).await?;
        session.expect_command("JOIN", &[&channel]).await?;
        for line in [
            format!(":{nick}!u@h JOIN {channel}"),
            format!(":alice!u@h PRIVMSG {channel} :before the names"),
            format!(":irc.test 353 {nick} = {channel} :@alice {nick} carol"),
            format!(":dave!u@h JOIN {channel}"),
            format!(":irc.test 366 {nick} {channel} :End of /NAMES list."),
            format!(":alice!u@h PRIVMSG {channel} :before the modes"),
            format!(":carol!u@h PART {channel} :too busy"),
        ] {
            session.send(line).await?;
        }
        session.expect_command("MODE", &[&channel]).await?;
        session.send(format!(":irc.test 324 {nick} {channel} +n")).await?;
        anyhow_ok(session)
    };
    let (_session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    ensure!(
        joined.nicks() == ["alice", "dave"],
        "who is there at the end: {:?}",
        joined.nicks()
    );
    ensure!(
        joined.history.is_empty(),
        "nothing live before the subject: {:?}",
        joined.bodies()
    );
    for body in ["before the names", "before the modes"] {
        let next = phone
            .expect("the next message", |stanza| {
                stanza.is_message() && stanza.is_from(&room)
            })
            .await?;
        ensure!(
            next.body().as_deref() == Some(body) && next.delay().is_none(),
            "'{body}', live: {}",
            next.xml()
        );
    }
    phone
        .expect_none("news of what the join has told", &room, is_presence_of(&room))
        .await
}

async fn nobody_is_in_before_the_network_says_so(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    phone.ask_to_join(&Join::new(&room, &nick)).await?;
    let session = greet(&server, &Welcome::default(), &nick).await?;
    let join = session.expect_command("JOIN", &[&channel]).await?;
    ensure!(join.param(0) == channel, "{join}");
    answer_modes(&session, &nick, "+n");
    phone
        .expect_none("a presence", &room, is_presence_of(&room))
        .await?;

    for line in [
        format!(":{nick}!u@h JOIN {channel}"),
        format!(":irc.test 353 {nick} = {channel} :{nick}"),
        format!(":irc.test 366 {nick} {channel} :End of /NAMES list."),
    ] {
        session.send(line).await?;
    }
    let me = phone.expect_presence(&format!("{room}/{nick}"), "").await?;
    ensure!(me.has_status(110), "{}", me.xml());
    Ok(())
}

async fn newcomers_are_shown_to_everybody(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let carol = t.irc("carol").await?;
    carol.join(&s.channel).await?;
    // And somebody from XMPP, who is a person of the network like all others.
    let dave = t.client("dave").await?;
    let nick = t.nick("dave");
    let joined = dave.join(&s.room, &nick).await?;
    ensure!(
        joined.nicks() == [s.alice.nick(), &s.nick, carol.nick()],
        "dave sees {:?}",
        joined.nicks()
    );
    for client in [&s.phone, &laptop] {
        for newcomer in [carol.nick(), &nick] {
            let occupant = s.occupant(newcomer);
            let presence = client.expect_presence(&occupant, "").await?;
            let items = presence.find_all("item", ns::MUC_USER).len();
            ensure!(items == 1 && !presence.has_status(110), "{}", presence.xml());
            stands_as(&presence, "none", "participant")?;
            client
                .expect_none("a second presence", &s.room, is_presence_of(&occupant))
                .await?;
        }
    }
    Ok(())
}

async fn everybody_has_the_jid_of_their_puppet(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let alice = s.joined.occupant(s.alice.nick()).context("alice is there")?;
    ensure!(
        alice.muc_item("jid") == Some(t.person(s.alice.nick()).as_str()),
        "alice is her puppet: {}",
        alice.xml()
    );
    // Clients know themselves by their own JID.
    ensure!(
        s.joined.me.muc_item("jid") == Some(s.phone.jid()),
        "bob is himself: {}",
        s.joined.me.xml()
    );
    // For others he is a puppet, too.
    let dave = t.client("dave").await?;
    let joined = dave.join(&s.room, &t.nick("dave")).await?;
    let bob = joined.occupant(&s.nick).context("bob is there")?;
    ensure!(
        bob.muc_item("jid") == Some(t.person(&s.nick).as_str()),
        "bob is his puppet: {}",
        bob.xml()
    );
    ensure!(
        s.joined.me.has_status(100),
        "the room says that it is not anonymous: {}",
        s.joined.me.xml()
    );
    Ok(())
}

async fn ranks_show_as_roles_and_affiliations(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["~olga", "&anna", "@olaf", "%hans", "+vera", "nora"]).await?;
    for (nick, affiliation, role) in [
        ("olga", "owner", "moderator"),
        ("anna", "admin", "moderator"),
        ("olaf", "admin", "moderator"),
        ("hans", "member", "moderator"),
        ("vera", "member", "participant"),
        ("nora", "none", "participant"),
    ] {
        let presence = s.joined.occupant(nick).context(nick)?;
        stands_as(presence, affiliation, role)?;
    }
    stands_as(&s.joined.me, "none", "participant")
}

async fn moderated_rooms_take_newcomers_as_visitors(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (alice, carol, dora) = (t.irc("alice").await?, t.irc("carol").await?, t.irc("dora").await?);
    for peer in [&alice, &carol, &dora] {
        peer.join(&channel).await?;
    }
    alice.mode(&channel, "+m").await?;
    alice.mode(&channel, &format!("+v {}", carol.nick())).await?;

    let phone = t.client("phone").await?;
    let joined = phone.join(&t.room(&channel), &nick).await?;
    for (nick, affiliation, role) in [
        (alice.nick(), "admin", "moderator"),
        (carol.nick(), "member", "participant"),
        (dora.nick(), "none", "visitor"),
    ] {
        stands_as(joined.occupant(nick).context("missing")?, affiliation, role)?;
    }
    stands_as(&joined.me, "none", "visitor")?;

    // When the room is no longer moderated, everybody has a voice, and everybody is told.
    alice.mode(&channel, "-m").await?;
    for nick in [dora.nick(), &nick] {
        let room = t.room(&channel);
        let presence = phone.expect_presence(&format!("{room}/{nick}"), "").await?;
        stands_as(&presence, "none", "participant")?;
    }
    Ok(())
}

async fn an_unknown_channel_is_created(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let phone = t.client("phone").await?;
    let joined = phone.join(&t.room(&channel), &nick).await?;
    ensure!(joined.nicks().is_empty(), "{:?}", joined.nicks());
    // Who makes a channel is its operator.
    stands_as(&joined.me, "admin", "moderator")?;

    let alice = t.irc("alice").await?;
    let names = alice.join(&channel).await?;
    ensure!(names.contains(&format!("@{nick}")), "on IRC: {names:?}");
    Ok(())
}

async fn thousands_of_members_are_shown_in_time(t: Ctx) -> Result<()> {
    const MEMBERS: usize = 5000;
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let names: Vec<String> = (0..MEMBERS).map(|number| format!("m{number:04}")).collect();
    let mut text = format!(":{nick}!u@h JOIN {channel}\r\n");
    for some in names.chunks(60) {
        text += &format!(":irc.test 353 {nick} = {channel} :{}\r\n", some.join(" "));
    }
    text += &format!(":irc.test 353 {nick} = {channel} :{nick}\r\n");
    text += &format!(":irc.test 366 {nick} {channel} :End of /NAMES list.\r\n");

    let script = async {
        let session = greet(&server, &Welcome::default(), &nick).await?;
        answer_modes(&session, &nick, "+n");
        session.expect_command("JOIN", &[&channel]).await?;
        session.send_bytes(text.as_bytes()).await?;
        anyhow_ok(session)
    };
    let begin = Instant::now();
    let (_session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    let took = begin.elapsed();
    ensure!(took < Duration::from_secs(10), "{MEMBERS} members take {took:?}");
    ensure!(
        joined.nicks() == names,
        "{} of {MEMBERS} members",
        joined.occupants.len()
    );
    Ok(())
}

/// A result whose kind of error the compiler can tell.
fn anyhow_ok<T>(value: T) -> Result<T> {
    Ok(value)
}
