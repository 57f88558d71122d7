//! What owners do with rooms: their configuration and their end (XEP-0045 §10).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, granted, is_presence_of, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_new_room_is_open_at_once).rows("M91 M92"),
    case!(the_form_shows_the_room_as_it_is).rows("M94"),
    case!(only_operators_configure).rows("M94 M102"),
    case!(a_change_happens_on_the_network_first).rows("M94 M98"),
    case!(a_password_is_set_used_and_taken_away).rows("M94"),
    case!(a_form_that_makes_no_sense_changes_nothing).rows("M93 M95"),
    case!(what_the_network_refuses_in_part_is_refused).rows("M95"),
    case!(what_one_sets_for_oneself_is_in_the_form_too),
    case!(operators_have_a_command_for_it_too),
    case!(changes_by_others_are_announced).rows("M98"),
    case!(a_room_is_destroyed_for_its_user).rows("M102"),
];

const OWNER: &str = "http://jabber.org/protocol/muc#owner";

async fn get_form(client: &Client, room: &str) -> Result<Element> {
    client.get(room, tag("query").ns(OWNER)).await
}

/// The value of a field.
fn value(form: &Element, name: &str) -> Option<String> {
    let fields = form.find_all("field", ns::DATA);
    let field = fields
        .into_iter()
        .find(|field| field.attr("var").is_some_and(|var| var.ends_with(name)))?;
    Some(
        field
            .find("value", ns::DATA)
            .map(|value| value.text())
            .unwrap_or_default(),
    )
}

async fn what_one_sets_for_oneself_is_in_the_form_too(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let form = get_form(&s.phone, &s.room).await?;
    ensure!(
        value(&form, "persistent").as_deref() == Some("default"),
        "{}",
        form.xml()
    );
    let field = |var: &str, text: &str| tag("field").attr("var", var).child(tag("value").text(text));
    let set = |fields: &[(&str, &str)]| {
        let form = tag("x").ns(ns::DATA).attr("type", "submit");
        let form = fields
            .iter()
            .fold(form, |form, (var, text)| form.child(field(var, text)));
        tag("query").ns(OWNER).child(form)
    };
    let wrong = s
        .phone
        .set(&s.room, set(&[("max_history_length", "many")]))
        .await?;
    refused(&wrong, "not-acceptable")?;
    // Together with a change of the room, and only if that succeeds.
    let both = [("muc#roomconfig_moderatedroom", "1"), ("persistent", "yes")];
    granted(&s.phone.set(&s.room, set(&both)).await?)?;
    s.alice
        .expect("the mode", |line| {
            line.is("MODE", &[&s.channel]) && line.param(1).contains("+m")
        })
        .await?;
    let form = get_form(&s.phone, &s.room).await?;
    ensure!(
        value(&form, "persistent").as_deref() == Some("yes"),
        "{}",
        form.xml()
    );
    s.phone.leave(&s.room, &s.nick, "bye").await?;
    s.alice.say(&s.channel, "still there?").await?;
    let nick = s.nick.clone();
    s.alice
        .expect_none("a PART", move |line| {
            line.command == "PART" && line.nick() == nick
        })
        .await
}

/// Clients offer the configuration to owners only, and operators of IRC are administrators.
async fn operators_have_a_command_for_it_too(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let command = || tag("command").ns(ns::COMMANDS).attr("node", "room-settings");
    let listed = async || -> Result<bool> {
        let items = s.phone.disco_items(&s.room, Some(ns::COMMANDS)).await?;
        let items = items.find_all("item", ns::DISCO_ITEMS);
        Ok(items
            .iter()
            .any(|item| item.attr("node") == Some("room-settings")))
    };
    ensure!(!listed().await?, "it is not for everybody");
    refused(&s.phone.set(&s.room, command()).await?, "forbidden")?;
    s.promote(&t).await?;
    ensure!(listed().await?, "it is for operators");
    let shown = s.phone.set(&s.room, command()).await?;
    ensure!(
        value(&shown, "moderatedroom").as_deref() == Some("0"),
        "{}",
        shown.xml()
    );
    let session = shown
        .find("command", ns::COMMANDS)
        .and_then(|command| command.attr("sessionid").map(str::to_owned))
        .context("a session")?;
    let field = tag("field")
        .attr("var", "muc#roomconfig_moderatedroom")
        .child(tag("value").text("1"));
    let form = tag("x").ns(ns::DATA).attr("type", "submit").child(field);
    let go_on = command().attr("sessionid", &session).child(form);
    let done = s.phone.set(&s.room, go_on).await?;
    ensure!(
        done.kind() == "result"
            && done.xml().contains("status='completed'")
            && done.xml().contains("type='info'"),
        "{}",
        done.xml()
    );
    s.alice
        .expect("the mode", |line| {
            line.is("MODE", &[&s.channel]) && line.param(1).contains("+m")
        })
        .await?;
    // The same in the chat with the gateway.
    let words = format!("room-settings {} muc#roomconfig_moderatedroom=no", s.room);
    s.phone.chat(GATEWAY, &words).await?;
    s.phone
        .expect("that it is done", |stanza| {
            stanza.is_from(GATEWAY) && stanza.body().is_some_and(|body| body.contains("are changed"))
        })
        .await?;
    Ok(())
}

async fn submit(client: &Client, room: &str, kind: &str, fields: &[(&str, &str)]) -> Result<Element> {
    let form = tag("x").ns(ns::DATA).attr("type", kind);
    let field = |var: String, text: &str| tag("field").attr("var", var).child(tag("value").text(text));
    let form_type = "http://jabber.org/protocol/muc#roomconfig";
    let form = fields.iter().fold(
        form.child(field("FORM_TYPE".into(), form_type)),
        |form, (name, text)| form.child(field(format!("muc#roomconfig_{name}"), text)),
    );
    client.set(room, tag("query").ns(OWNER).child(form)).await
}

fn is_104(room: &str) -> impl Fn(&Element) -> bool + '_ {
    move |stanza| stanza.is_message() && stanza.is_from(room) && stanza.has_status(104)
}

async fn a_new_room_is_open_at_once(t: Ctx) -> Result<()> {
    let (room, nick) = (t.room(&t.channel()), t.nick("bob"));
    let phone = t.client("phone").await?;
    let joined = phone.join(&room, &nick).await?;
    ensure!(
        !joined.me.has_status(201),
        "IRC locks no room: {}",
        joined.me.xml()
    );
    // Others come in at once, and an instant room is one already.
    let alice = t.irc("alice").await?;
    alice.join(&t.channel()).await?;
    phone
        .expect_presence(&format!("{room}/{}", alice.nick()), "")
        .await?;
    granted(&submit(&phone, &room, "submit", &[]).await?)?;
    granted(&submit(&phone, &room, "cancel", &[]).await?)?;
    phone.say(&room, "still here").await?;
    phone.expect_body(&format!("{room}/{nick}"), "still here").await?;
    Ok(())
}

async fn the_form_shows_the_room_as_it_is(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    s.alice.topic(&s.channel, "green tea").await?;
    s.alice.mode(&s.channel, "+msl 50").await?;
    s.alice.mode(&s.channel, "+t").await?;
    s.flush(&t).await?;
    let form = get_form(&s.phone, &s.room).await?;
    granted(&form)?;
    for (name, wanted) in [
        ("FORM_TYPE", "http://jabber.org/protocol/muc#roomconfig"),
        ("roomdesc", "green tea"),
        ("moderatedroom", "1"),
        ("publicroom", "0"),
        ("membersonly", "0"),
        ("passwordprotectedroom", "0"),
        ("changesubject", "0"),
        ("maxusers", "50"),
        ("whois", "anyone"),
    ] {
        ensure!(
            value(&form, name).as_deref() == Some(wanted),
            "{name}: {}",
            form.xml()
        );
    }
    let whois = form.find_all("field", ns::DATA);
    let whois = whois
        .into_iter()
        .find(|field| field.attr("var") == Some("muc#roomconfig_whois"));
    ensure!(
        whois.and_then(|field| field.attr("type")) == Some("fixed"),
        "{}",
        form.xml()
    );
    ensure!(
        value(&form, "enablelogging").is_none(),
        "what IRC has not is not there"
    );
    Ok(())
}

async fn only_operators_configure(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    for client in [&s.phone, &stranger] {
        refused(&get_form(client, &s.room).await?, "forbidden")?;
        refused(
            &submit(client, &s.room, "submit", &[("moderatedroom", "1")]).await?,
            "forbidden",
        )?;
        let destroy = tag("query").ns(OWNER).child(tag("destroy"));
        refused(&client.set(&s.room, destroy).await?, "forbidden")?;
    }
    s.flush_out("nothing has changed").await?;
    s.alice
        .expect_none("a change", |line| {
            ["MODE", "PART"].contains(&line.command.as_str())
        })
        .await
}

async fn a_change_happens_on_the_network_first(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let fields = [
        ("roomdesc", "black tea"),
        ("moderatedroom", "1"),
        ("publicroom", "0"),
        ("membersonly", "1"),
        ("maxusers", "30"),
        ("something_else", "x"),
    ];
    granted(&submit(&s.phone, &s.room, "submit", &fields).await?)?;
    s.alice
        .expect("the change", |line| {
            let all = ['m', 's', 'i', 'l']
                .into_iter()
                .all(|mode| line.param(1).contains(mode));
            line.command == "MODE" && line.nick() == s.nick && all
        })
        .await?;
    s.alice
        .expect("the topic", |line| {
            line.command == "TOPIC" && line.last() == "black tea"
        })
        .await?;
    s.phone.expect("the announcement", is_104(&s.room)).await?;
    s.phone.expect_subject(&s.room, "black tea").await?;
    let form = get_form(&s.phone, &s.room).await?;
    for (name, wanted) in &fields[..5] {
        ensure!(
            value(&form, name).as_deref() == Some(*wanted),
            "{name}: {}",
            form.xml()
        );
    }
    // What is as it was is not said again; what was left out stays.
    granted(&submit(&s.phone, &s.room, "submit", &[("moderatedroom", "1")]).await?)?;
    granted(
        &submit(
            &s.phone,
            &s.room,
            "submit",
            &[("maxusers", "none"), ("membersonly", "0")],
        )
        .await?,
    )?;
    let form = get_form(&s.phone, &s.room).await?;
    let shown =
        ["moderatedroom", "membersonly", "maxusers"].map(|name| value(&form, name).unwrap_or_default());
    ensure!(shown == ["1", "0", "none"], "{shown:?}");
    Ok(())
}

async fn a_password_is_set_used_and_taken_away(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    for (password, others) in [("green-tea", "475"), ("milk", "475")] {
        let fields = [("passwordprotectedroom", "1"), ("roomsecret", password)];
        granted(&submit(&s.phone, &s.room, "submit", &fields).await?)?;
        let form = get_form(&s.phone, &s.room).await?;
        ensure!(
            value(&form, "passwordprotectedroom").as_deref() == Some("1"),
            "{}",
            form.xml()
        );
        ensure!(
            !form.xml().contains(password),
            "it is not shown again: {}",
            form.xml()
        );
        let carol = t.irc(&format!("carol{}", password.len())).await?;
        carol.send(format!("JOIN {}", s.channel)).await?;
        carol.expect("the door", |line| line.command == others).await?;
        carol.send(format!("JOIN {} {password}", s.channel)).await?;
        carol.expect_join(carol.nick(), &s.channel).await?;
        carol.quit("bye").await?;
    }
    // Kept where nothing new is given, and taken away.
    granted(
        &submit(
            &s.phone,
            &s.room,
            "submit",
            &[("passwordprotectedroom", "1"), ("roomsecret", "")],
        )
        .await?,
    )?;
    granted(&submit(&s.phone, &s.room, "submit", &[("passwordprotectedroom", "0")]).await?)?;
    let form = get_form(&s.phone, &s.room).await?;
    ensure!(
        value(&form, "passwordprotectedroom").as_deref() == Some("0"),
        "{}",
        form.xml()
    );
    Ok(())
}

async fn a_form_that_makes_no_sense_changes_nothing(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    for fields in [
        vec![("moderatedroom", "1"), ("maxusers", "many")],
        vec![("moderatedroom", "perhaps")],
        vec![
            ("moderatedroom", "1"),
            ("passwordprotectedroom", "1"),
            ("roomsecret", ""),
        ],
        vec![("passwordprotectedroom", "1"), ("roomsecret", "two words")],
    ] {
        let answer = submit(&s.phone, &s.room, "submit", &fields).await?;
        refused(&answer, "not-acceptable").with_context(|| format!("{fields:?}"))?;
    }
    granted(&submit(&s.phone, &s.room, "cancel", &[("moderatedroom", "1")]).await?)?;
    refused(
        &s.phone.set(&s.room, tag("query").ns(OWNER)).await?,
        "bad-request",
    )?;
    s.flush_out("nothing has changed").await?;
    s.alice
        .expect_none("a change", |line| line.command == "MODE" && line.nick() == s.nick)
        .await
}

async fn what_the_network_refuses_in_part_is_refused(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    let (nick, channel) = (s.nick.clone(), s.channel.clone());
    s.session.respond_and_pong(move |line| {
        let answers = match (line.param(1), line.params.len()) {
            // One of two is taken.
            ("+ms", 2) => vec![
                format!(":irc.test 472 {nick} s :is unknown mode char to me for {channel}"),
                format!(":{nick}!u@h MODE {channel} +m"),
            ],
            ("+b", 2) => vec![format!(":irc.test 368 {nick} {channel} :End")],
            _ => return None,
        };
        (line.command == "MODE").then_some(answers)
    });
    let answer = submit(
        &s.phone,
        &s.room,
        "submit",
        &[("moderatedroom", "1"), ("publicroom", "0")],
    )
    .await?;
    refused(&answer, "not-allowed")?;
    let text = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains("unknown mode"), "{text}");
    s.flush().await?;
    let form = get_form(&s.phone, &s.room).await?;
    let shown = ["moderatedroom", "publicroom"].map(|name| value(&form, name).unwrap_or_default());
    ensure!(shown == ["1", "1"], "the form shows what is true: {}", form.xml());
    Ok(())
}

async fn changes_by_others_are_announced(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    s.alice.mode(&s.channel, "+i").await?;
    for client in [&s.phone, &laptop] {
        client.expect("the announcement", is_104(&s.room)).await?;
    }
    Ok(())
}

async fn a_room_is_destroyed_for_its_user(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let laptop = s.laptop(&t).await?;
    let other = t.room(&t.channel_named("other"));
    let destroy = tag("destroy")
        .attr("jid", &other)
        .child(tag("reason").text("we moved"));
    granted(
        &s.phone
            .set(&s.room, tag("query").ns(OWNER).child(destroy))
            .await?,
    )?;
    for client in [&s.phone, &laptop] {
        let gone = client.expect_presence(&s.me(), "unavailable").await?;
        let destroy = gone.find("destroy", ns::MUC_USER).with_context(|| gone.xml())?;
        ensure!(
            destroy.attr("jid") == Some(&other) && gone.xml().contains("we moved"),
            "{}",
            gone.xml()
        );
        client
            .expect_none("anything more", &s.room, is_presence_of(&s.room))
            .await?;
    }
    s.alice.expect_part(&s.nick, &s.channel).await?;
    // The channel is still there for others, and for who comes back.
    let joined = s.phone.join(&s.room, &s.nick).await?;
    ensure!(joined.nicks().contains(&s.alice.nick()), "{:?}", joined.nicks());
    Ok(())
}
