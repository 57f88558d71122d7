//! Presence in rooms (XEP-0045 §5.1, §7.7, §17.3, §18.1.2).

use viaduct_gateway_tests::prelude::*;

use super::link_fake::Second;
use super::stage::{Script, Stage, is_presence_of, refused, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(every_presence_tells_role_and_affiliation).rows("M48"),
    case!(away_of_clients_is_away_on_irc).rows("M49"),
    case!(away_on_irc_shows).rows("M49"),
    case!(who_was_away_before_the_join_is_shown_so).rows("M49"),
    case!(away_on_the_real_server_shows)
        .rows("M49")
        .only(&[Backend::Ejabberd]),
    case!(what_clients_may_not_say_of_themselves_is_dropped).rows("M50"),
    case!(extensions_of_presence_pass).rows("M51"),
    case!(a_bounce_removes_the_client).rows("M58 M59"),
    case!(a_bounce_is_no_leave_until_the_server_says_so).rows("M58"),
    case!(a_probe_is_answered_with_the_present).rows("M61"),
    case!(a_probe_of_the_server_is_answered_with_the_present)
        .rows("M61")
        .only(&[Backend::Prosody]),
];

async fn every_presence_tells_role_and_affiliation(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice", "+carol", "dave", "erin"]).await?;
    for (who, verb, rest) in [
        ("carol", "PART", ":bye"),
        ("alice", "KICK", "dave :out"),
        ("frank", "JOIN", ""),
        ("alice", "MODE", "+v frank"),
    ] {
        s.line(who, verb, rest).await?;
    }
    s.session.send(":erin!user@host QUIT :bye").await?;
    s.session
        .send(format!(":alice!user@host KICK {} {} :you too", s.channel, s.nick))
        .await?;
    let mut seen = s.joined.order.clone();
    let carol = s.occupant("carol");
    seen.push(s.phone.expect_presence(&carol, "unavailable").await?);
    seen.push(s.phone.expect_presence(&s.me(), "unavailable").await?);
    // Who is outside is told so in the same form.
    s.phone.send(tag("presence").attr("to", s.me())).await?;
    seen.push(s.phone.expect_presence(&s.me(), "unavailable").await?);
    seen.extend(s.phone.take_all(is_presence_of(&s.room)));
    let presences: Vec<_> = seen.into_iter().filter(|it| it.is_presence()).collect();
    // Five at the join, two of frank, three that go, the own end, and that it is the end.
    let shown: Vec<_> = presences.iter().map(|it| it.xml()).collect();
    ensure!(presences.len() == 12, "{}: {shown:?}", presences.len());
    for presence in presences {
        let role_fits = match presence.kind() {
            "unavailable" => presence.role() == "none",
            _ => ["visitor", "participant", "moderator"].contains(&presence.role()),
        };
        ensure!(
            role_fits && ["none", "member", "admin", "owner"].contains(&presence.affiliation()),
            "{}",
            presence.xml()
        );
    }
    Ok(())
}

async fn away_of_clients_is_away_on_irc(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let presence = tag("presence").attr("to", s.me());
    let lunch = presence
        .clone()
        .child(tag("show").text("away"))
        .child(tag("status").text("at lunch"));
    s.phone.send(lunch).await?;
    for client in [&s.phone, &laptop] {
        let shown = client
            .expect("bob, away", |stanza| {
                is_presence_of(&s.me())(stanza) && stanza.child_text("show").as_deref() == Some("away")
            })
            .await?;
        ensure!(
            shown.child_text("status").as_deref() == Some("at lunch") && shown.has_status(110),
            "{}",
            shown.xml()
        );
    }
    s.flush_out("after lunch").await?;
    s.alice.send(format!("WHOIS {}", s.nick)).await?;
    let away = s.alice.expect_command("301", &[s.alice.nick(), &s.nick]).await?;
    ensure!(away.last() == "at lunch", "{away}");
    s.alice.expect_command("318", &[]).await?;

    s.phone.send(&presence).await?;
    let back = laptop
        .expect("bob, back", |stanza| {
            is_presence_of(&s.me())(stanza) && stanza.child_text("show").is_none()
        })
        .await?;
    ensure!(back.child_text("status").is_none(), "{}", back.xml());
    s.flush_out("back again").await?;
    s.alice.send(format!("WHOIS {}", s.nick)).await?;
    s.alice.expect_command("318", &[]).await?;
    s.alice.expect_none("away", |line| line.command == "301").await
}

async fn away_on_irc_shows(t: Ctx) -> Result<()> {
    let welcome = Welcome {
        caps: &["away-notify"],
        ..Welcome::default()
    };
    let s = Script::set_with(&t, &welcome, &["@alice", "carol"], "+n").await?;
    s.session.send(":alice!user@host AWAY :at lunch").await?;
    shows_lunch(&s.phone, &s.occupant("alice"), "admin", "moderator").await?;
    s.session.send(":alice!user@host AWAY").await?;
    shows_nothing(&s.phone, &s.occupant("alice")).await?;
    s.flush().await?;
    s.phone
        .expect_none("news of carol", &s.room, is_presence_of(&s.occupant("carol")))
        .await
}

async fn away_on_the_real_server_shows(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let alice = s.occupant(s.alice.nick());
    s.alice.send("AWAY :at lunch").await?;
    shows_lunch(&s.phone, &alice, "admin", "moderator").await?;
    s.alice.send("AWAY").await?;
    shows_nothing(&s.phone, &alice).await
}

async fn who_was_away_before_the_join_is_shown_so(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (alice, carol) = (t.irc("alice").await?, t.irc("carol").await?);
    for peer in [&alice, &carol] {
        peer.join(&channel).await?;
    }
    alice.send("AWAY :at lunch").await?;
    alice.expect_command("306", &[]).await?;
    let (phone, room) = (t.client("phone").await?, t.room(&channel));
    let occupant = |peer: &IrcPeer| format!("{room}/{}", peer.nick());
    phone.join(&room, &nick).await?;
    // Servers do not say so in the list of names; the gateway asks after the join.
    let away = phone
        .expect("alice, away", |stanza| {
            is_presence_of(&occupant(&alice))(stanza) && stanza.child_text("show").as_deref() == Some("away")
        })
        .await?;
    stands_as(&away, "admin", "moderator")?;
    phone
        .expect_none("carol, away", &room, |stanza| {
            is_presence_of(&occupant(&carol))(stanza) && stanza.child_text("show").is_some()
        })
        .await
}

async fn shows_lunch(client: &Client, occupant: &str, affiliation: &str, role: &str) -> Result<()> {
    let away = client.expect_presence(occupant, "").await?;
    ensure!(
        away.child_text("show").as_deref() == Some("away")
            && away.child_text("status").as_deref() == Some("at lunch"),
        "{}",
        away.xml()
    );
    stands_as(&away, affiliation, role)
}

async fn shows_nothing(client: &Client, occupant: &str) -> Result<()> {
    let back = client.expect_presence(occupant, "").await?;
    ensure!(
        back.child_text("show").is_none() && back.child_text("status").is_none(),
        "{}",
        back.xml()
    );
    Ok(())
}

async fn what_clients_may_not_say_of_themselves_is_dropped(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let forged = "<x xmlns='http://jabber.org/protocol/muc#user'>\
        <item affiliation='owner' role='moderator' jid='a@b/c' nick='root'/>\
        <status code='332'/><status code='201'/></x>\
        <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>\
        <hats xmlns='urn:xmpp:hats:0'><hat uri='urn:x' title='Boss'/></hats>";
    s.phone
        .send(
            tag("presence")
                .attr("to", s.me())
                .child("<show>xa</show>")
                .child(forged),
        )
        .await?;
    for client in [&s.phone, &laptop] {
        let shown = client
            .expect("bob, not available", |stanza| {
                is_presence_of(&s.me())(stanza) && stanza.child_text("show").as_deref() == Some("xa")
            })
            .await?;
        stands_as(&shown, "none", "participant")?;
        ensure!(
            shown.find_all("x", ns::MUC_USER).len() == 1
                && shown.statuses() == [110]
                && shown.muc_item("nick").is_none()
                && shown.muc_item("jid") == Some(client.jid())
                && shown.find_all("occupant-id", ns::OCCUPANT_ID).len() == 1
                && shown.occupant_id() == s.joined.me.occupant_id()
                && shown.find("hats", "urn:xmpp:hats:0").is_none(),
            "{}",
            shown.xml()
        );
    }
    Ok(())
}

async fn extensions_of_presence_pass(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let presence = tag("presence")
        .attr("to", s.me())
        .child("<show>dnd</show>")
        .child("<idle xmlns='urn:xmpp:idle:1' since='2026-01-01T00:00:00Z'/>")
        .child(
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>",
        );
    s.phone.send(presence).await?;
    let shown = laptop
        .expect("bob, busy", |stanza| {
            is_presence_of(&s.me())(stanza) && stanza.child_text("show").as_deref() == Some("dnd")
        })
        .await?;
    let idle = shown
        .get_child("idle", "urn:xmpp:idle:1")
        .and_then(|idle| idle.attr("since"));
    let caps = shown
        .get_child("c", "http://jabber.org/protocol/caps")
        .and_then(|caps| caps.attr("ver"));
    ensure!(
        idle == Some("2026-01-01T00:00:00Z") && caps == Some("QgayPKawpkPSDYmwT/WM94uAlu0="),
        "{}",
        shown.xml()
    );
    Ok(())
}

async fn a_bounce_removes_the_client(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    for condition in [
        "gone",
        "item-not-found",
        "recipient-unavailable",
        "redirect",
        "remote-server-not-found",
        "remote-server-timeout",
    ] {
        for kind in ["message", "presence"] {
            laptop.join(&s.room, &s.nick).await?;
            let why = tag(condition).ns(ns::STANZA_ERRORS);
            let bounce = tag(kind)
                .attr("type", "error")
                .attr("to", s.occupant(s.alice.nick()))
                .child(tag("error").attr("type", "cancel").child(why));
            laptop.send(bounce).await?;
            let gone = laptop.expect_presence(&s.me(), "unavailable").await?;
            ensure!(
                gone.has_status(110) && gone.has_status(333) && !gone.has_status(307),
                "after {condition} to a {kind}: {}",
                gone.xml()
            );
            stands_as(&gone, "none", "none")?;
            let ping = laptop.get(&s.me(), tag("ping").ns(ns::PING)).await?;
            refused(&ping, "not-acceptable").with_context(|| format!("{condition} to a {kind}"))?;
        }
    }
    // The phone is still there, as the same bob.
    s.flush_out("one of us").await?;
    s.phone
        .expect_none("a leave", &s.room, |stanza| {
            is_presence_of(&s.room)(stanza) && stanza.kind() == "unavailable"
        })
        .await?;
    laptop
        .expect_none("what is said", &s.room, |stanza| {
            stanza.body().as_deref() == Some("one of us")
        })
        .await
}

async fn a_bounce_is_no_leave_until_the_server_says_so(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let why = tag("recipient-unavailable").ns(ns::STANZA_ERRORS);
    let bounce = tag("message")
        .attr("type", "error")
        .attr("to", s.occupant(s.alice.nick()))
        .child(tag("error").attr("type", "wait").child(why));
    s.phone.send(bounce).await?;
    s.phone.expect_presence(&s.me(), "unavailable").await?;
    // A client whose connection was lost comes back in a moment: on IRC nobody need know.
    s.phone.join(&s.room, &s.nick).await?;
    s.flush_out("here again").await?;
    s.alice
        .expect_none("a leave", |line| {
            ["PART", "QUIT", "JOIN"].contains(&line.command.as_str())
        })
        .await?;

    // One that bounces because it is closed goes when its server says that it has gone.
    s.phone.cut().await;
    s.alice.say(&s.channel, "does this bounce?").await?;
    let left = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == s.nick;
    s.alice.expect("the leave", left).await?;
    Ok(())
}

async fn a_probe_is_answered_with_the_present(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice", "+carol"]).await?;
    let probe = |to: &str| tag("presence").attr("type", "probe").attr("to", to);
    for (nick, affiliation, role) in [
        ("alice", "admin", "moderator"),
        ("carol", "member", "participant"),
        (s.nick.as_str(), "none", "participant"),
    ] {
        s.phone.send(probe(&s.occupant(nick))).await?;
        let present = s.phone.expect_presence(&s.occupant(nick), "").await?;
        stands_as(&present, affiliation, role)?;
        ensure!(present.has_status(110) == (nick == s.nick), "{}", present.xml());
    }
    // Of the room itself: the own presence there.
    s.phone.send(probe(&s.room)).await?;
    let present = s.phone.expect_presence(&s.me(), "").await?;
    ensure!(present.has_status(110), "{}", present.xml());
    // Others learn nothing.
    let stranger = t.client("stranger").await?;
    for to in [s.room.clone(), s.occupant("alice")] {
        stranger.send(probe(&to)).await?;
    }
    stranger
        .expect_none("a presence", &s.room, is_presence_of(&s.room))
        .await
}

async fn a_probe_of_the_server_is_answered_with_the_present(t: Ctx) -> Result<()> {
    // Servers probe for the user, not for one of the user's clients (RFC 6121 §4.3).
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let (user, stranger) = (format!("bob@{DOMAIN}"), format!("eve@{DOMAIN}"));
    let (room, nick) = (t.room(&t.channel()), t.nick("bob"));
    let me = format!("{room}/{nick}");
    link.join(&format!("{user}/phone"), &room, &nick).await?;
    link.take_all();
    for to in [&me, &room] {
        for from in [&stranger, &user] {
            let probe = tag("presence")
                .attr("type", "probe")
                .attr("from", from)
                .attr("to", to);
            link.send(&probe.to_string()).await?;
        }
        let present = link.expect("the present", is_presence_of(&me)).await?;
        ensure!(
            present.to() == user && present.kind().is_empty() && present.has_status(110),
            "to {to}: {}",
            present.xml()
        );
        stands_as(&present, "admin", "moderator")?;
    }
    link.settle(&user).await?;
    let more = link.take_all();
    ensure!(
        !more.iter().any(is_presence_of(&room)),
        "nobody else is answered: {more:?}"
    );
    second.stop().await
}
