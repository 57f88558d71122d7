//! Threats (promises, part C), as far as IRC goes; those of text are in `irc_text`, of TLS in `irc_connection_tls`.

use std::path::Path;

use viaduct_gateway_tests::prelude::*;

use super::faults::archive;
use super::irc_connection_script::{refusal, register, seat};
use super::link_fake::{Attached, Second};

pub(crate) const CASES: &[Case] = &[
    case!(forged_senders_get_nothing).only(&[Backend::Prosody]),
    case!(domains_that_look_alike_are_strangers).only(&[Backend::Prosody]),
    case!(strangers_are_refused_on_a_real_server),
    case!(the_archive_of_another_users_room_stays_theirs),
    case!(a_resource_that_is_not_in_cannot_speak),
    case!(secrets_are_in_no_log_and_no_database).own_world(),
    case!(nobody_takes_the_users_own_nickname),
    case!(names_and_words_are_no_sql),
];

async fn forged_senders_get_nothing(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let (channel, bob) = (t.channel(), format!("bob@{DOMAIN}/phone"));
    let (room, nick) = (t.room(&channel), t.nick("bob"));
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    link.join(&bob, &room, &nick).await?;
    link.take_all();
    // Occupants, puppets and the gateway itself; and carbons and privileges that nobody granted.
    let body = "<body>forged</body>";
    let inner =
        format!("<message xmlns='jabber:client' type='groupchat' from='{bob}' to='{room}'>{body}</message>");
    let forwarded = format!("<forwarded xmlns='urn:xmpp:forward:0'>{inner}</forwarded>");
    let forged = [
        format!(
            "<message type='groupchat' from='{room}/{}' to='{room}'>{body}</message>",
            alice.nick()
        ),
        format!("<message type='groupchat' from='{GATEWAY}' to='{room}'>{body}</message>"),
        format!(
            "<message type='chat' from='{}' to='{room}/{}'>{body}</message>",
            t.person("eve"),
            alice.nick()
        ),
        format!(
            "<message from='eve@{DOMAIN}/x' to='{room}'><sent xmlns='urn:xmpp:carbons:2'>{forwarded}</sent></message>"
        ),
        format!(
            "<message from='{DOMAIN}' to='{GATEWAY}'><privilege xmlns='urn:xmpp:privilege:2'>{forwarded}</privilege></message>"
        ),
        format!(
            "<message from='eve@{DOMAIN}' to='{GATEWAY}'><privilege xmlns='urn:xmpp:privilege:2'>{forwarded}</privilege></message>"
        ),
        format!("<message type='groupchat' from='bob@{DOMAIN}/other' to='{room}'>{body}</message>"),
        format!("<message type='groupchat' from='bob@{DOMAIN}' to='{room}'>{body}</message>"),
        format!("<message type='groupchat' from='eve@{DOMAIN}/phone' to='{room}'>{body}</message>"),
        format!("<presence type='unavailable' from='eve@{DOMAIN}/phone' to='{room}/{nick}'/>"),
        format!("<presence type='unavailable' from='{room}/{nick}' to='{room}/{nick}'/>"),
    ];
    for xml in forged {
        link.send(&xml).await?;
    }
    link.settle(&format!("eve@{DOMAIN}/phone")).await?;
    link.say(&bob, &room, "myself").await?;
    alice.expect_message(&nick, &channel, "myself").await?;
    alice
        .expect_none("a forged message, or a leave", |line| {
            line.last() == "forged"
                || (line.nick() == nick && ["PART", "QUIT"].contains(&line.command.as_str()))
        })
        .await?;
    second.only_one_stream_each()?;
    second.stop().await
}

/// Whether this user can register, join, or be told anything but no.
async fn is_shut_out(link: &Attached, user: &str, room: &str) -> Result<()> {
    let form = tag("query").ns(ns::REGISTER).child(tag("nick").text("eve"));
    for (id, kind, query) in [
        ("get", "get", tag("query").ns(ns::REGISTER)),
        ("set", "set", form),
    ] {
        let iq = tag("iq")
            .attr("type", kind)
            .attr("id", id)
            .attr("from", user)
            .attr("to", GATEWAY);
        link.send(&iq.child(query).to_string()).await?;
        let answer = link
            .expect("the answer", |stanza| {
                stanza.is_iq() && stanza.to() == user && stanza.id() == id
            })
            .await?;
        ensure!(answer.kind() == "error", "{user} may register: {}", answer.xml());
    }
    let presence = tag("presence")
        .attr("from", user)
        .attr("to", format!("{room}/eve"));
    link.send(&presence.child(tag("x").ns(ns::MUC)).to_string())
        .await?;
    let answer = link
        .expect("the answer", |stanza| stanza.is_presence() && stanza.to() == user)
        .await?;
    ensure!(answer.kind() == "error", "{user} may join: {}", answer.xml());
    Ok(())
}

async fn domains_that_look_alike_are_strangers(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let users = [
        "me@localhost.attacker.example/x",
        "me@attacker-localhost/x",
        "me@sub.localhost/x",
        "me@localhos/x",
        "me@localhost.localdomain/x",
        "localhost@attacker.example/localhost",
        "me@xn--lcalhost-n4a/x",
        "me@loc\u{430}lhost/x",
        "attacker.example/me@localhost",
    ];
    for user in users {
        is_shut_out(&link, user, &t.room(&t.channel()))
            .await
            .with_context(|| user.to_owned())?;
    }
    // The domain itself is no stranger.
    link.join(&format!("me@{DOMAIN}/x"), &t.room(&t.channel()), &t.nick("me"))
        .await?;
    second.stop().await
}

async fn strangers_are_refused_on_a_real_server(t: Ctx) -> Result<()> {
    let eve = t.offline_client("eve", OTHER_DOMAIN).await?;
    eve.go_online().await?;
    let answer = register(&eve, t.gateway(), &[("nick", "eve")]).await?;
    let refused = ["forbidden", "not-allowed", "service-unavailable"].contains(&answer.condition().as_str());
    ensure!(refused, "{}", answer.xml());
    let (condition, _) = refusal(&eve, &t.room(&t.channel()), &t.nick("eve")).await?;
    ensure!(
        ["forbidden", "not-allowed"].contains(&condition.as_str()),
        "{condition}"
    );
    Ok(())
}

async fn the_archive_of_another_users_room_stays_theirs(t: Ctx) -> Result<()> {
    let channel = t.channel();
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &t.nick("bob")).await?;
    alice.say(&channel, "for bob's eyes").await?;
    let message = phone.expect_body(&room, "for bob's eyes").await?;
    let id = message.stanza_id(&room).context("it has an id")?.to_owned();
    let eve = t.client("eve").await?;
    let field = |var: &str, value: &str| tag("field").attr("var", var).child(tag("value").text(value));
    let form = |more: String| {
        let form = tag("x")
            .ns(ns::DATA)
            .attr("type", "submit")
            .child(field("FORM_TYPE", ns::MAM));
        tag("query")
            .ns(ns::MAM)
            .child(if more.is_empty() { form } else { form.child(more) })
    };
    let queries = [
        form(String::new()),
        form(field("ids", &id).to_string()),
        form(field("after-id", &id).to_string()),
    ];
    for query in &queries {
        eve.set(&room, query).await?;
    }
    let seen =
        |stanza: &Element| stanza.xml().contains("for bob") || stanza.find("result", ns::MAM).is_some();
    eve.expect_none("anything of bob's archive", &room, seen).await?;
    // Neither does a later join show what was said before it.
    let joined = eve.join(&room, &t.nick("eve")).await?;
    ensure!(joined.history.is_empty(), "{:?}", joined.bodies());
    for query in &queries {
        eve.set(&room, query).await?;
    }
    eve.expect_none("anything of bob's archive", &room, seen).await?;
    let own = archive(&phone, &room, 50).await?;
    ensure!(
        own.iter().any(|(_, body)| body == "for bob's eyes"),
        "bob has it: {own:?}"
    );
    Ok(())
}

async fn a_resource_that_is_not_in_cannot_speak(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let desk = t.client_of(&phone, "desk").await?;
    let id = desk.say(&room, "from outside").await?;
    let error = desk.expect_error(&id).await?;
    ensure!(error.condition() == "not-acceptable", "{}", error.xml());
    phone.say(&room, "from inside").await?;
    alice.expect_message(&nick, &channel, "from inside").await?;
    alice
        .expect_none("what was refused", |line| line.last() == "from outside")
        .await
}

async fn secrets_are_in_no_log_and_no_database(t: Ctx) -> Result<()> {
    let (server, nick, channel) = (t.scripted().await?, t.nick("bob"), t.channel());
    let name = server.jid().split('@').next().context("a name")?.to_owned();
    let phone = t.client("phone").await?;
    const WELCOME: &Welcome<'static> = &Welcome {
        caps: &["sasl=PLAIN"],
        isupport: &["CHANTYPES=#"],
    };
    let script = async {
        for _ in 0..2 {
            let session = server.accept().await?;
            session.respond_and_pong(|line| match (line.command.as_str(), line.param(0)) {
                ("AUTHENTICATE", "PLAIN") => Some(vec!["AUTHENTICATE +".into()]),
                ("AUTHENTICATE", _) => Some(vec![":irc.test 903 * :SASL authentication successful".into()]),
                _ => None,
            });
            tokio::select! {
                nick = session.welcome(WELCOME) => drop(nick?),
                closed = session.expect_closed() => closed?,
            }
        }
        anyhow_ok(())
    };
    let secret = "Xyzzy-plugh-4711";
    let fields = [
        ("nick", nick.as_str()),
        ("server", &name),
        ("username", "bob"),
        ("password", secret),
    ];
    let (answer, ()) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    ensure!(answer.kind() == "result", "{}", answer.xml());
    // A key of a channel is a secret as well, and what people say is nobody's business in a log.
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    alice.mode(&channel, "+k swordfish-0815").await?;
    let room = t.room(&channel);
    phone
        .join_with(&Join::new(&room, &nick).password("swordfish-0815"))
        .await?;
    phone.say(&room, "wombat-private-words").await?;
    alice
        .expect_message(&nick, &channel, "wombat-private-words")
        .await?;
    alice.say(&channel, "numbat-private-words").await?;
    phone.expect_body(&room, "numbat-private-words").await?;
    phone.settle(t.gateway()).await?;
    // Everything is written at the end.
    let status = t
        .world()
        .gateway()
        .terminate(std::time::Duration::from_secs(5))
        .await?;
    ensure!(status.success(), "{status}");

    let log = t.world().gateway().process().log_since(0);
    for word in [secret, "swordfish-0815", "private-words", "component-secret"] {
        ensure!(!log.contains(word), "'{word}' is in the log");
    }
    let scratch = t.world().scratch().path();
    for directory in ["viaduct", "postgres"] {
        for word in [secret, "swordfish-0815"] {
            let found = find(&scratch.join(directory), word.as_bytes())?;
            ensure!(found.is_none(), "'{word}' is in {found:?}");
        }
    }
    // The search finds what is there.
    let database = if t.xmpp_kind() == XmppKind::Prosody {
        "viaduct"
    } else {
        "postgres"
    };
    ensure!(
        find(&scratch.join(database), b"numbat-private-words")?.is_some(),
        "the archive is in no file"
    );
    t.world().gateway().start().await?;
    t.world().await_gateway().await
}

fn anyhow_ok<T>(value: T) -> Result<T> {
    Ok(value)
}

/// A file below the directory that has these bytes in it.
fn find(directory: &Path, wanted: &[u8]) -> Result<Option<std::path::PathBuf>> {
    if !directory.exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(directory)? {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        if kind.is_dir() {
            if let Some(found) = find(&path, wanted)? {
                return Ok(Some(found));
            }
        } else if kind.is_file()
            && std::fs::read(&path)?
                .windows(wanted.len())
                .any(|window| window == wanted)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

async fn nobody_takes_the_users_own_nickname(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    // Somebody whose nickname only looks the same, or becomes the same when it is made a resource.
    let twins = [
        format!("{}\u{200b}", seat.nick),
        seat.nick.replace('b', "\u{ff42}"),
        seat.nick.to_uppercase(),
        format!("\u{202e}{}", seat.nick),
    ];
    let mut shown = vec![seat.nick.clone(), "alice".to_owned()];
    for twin in &twins {
        // The upper-case one is the user by this server's casemapping.
        if twin.eq_ignore_ascii_case(&seat.nick) {
            continue;
        }
        seat.session
            .send(format!(":{twin}!u@h JOIN {}", seat.channel))
            .await?;
        let new =
            |stanza: &Element| stanza.is_presence() && stanza.is_from(&seat.room) && stanza.kind().is_empty();
        let presence = seat.phone.expect("the newcomer", new).await?;
        let nick = presence.nick().to_owned();
        ensure!(
            !shown.contains(&nick) && !presence.has_status(110),
            "{twin:?} is shown as {nick:?}: {}",
            presence.xml()
        );
        shown.push(nick.clone());
        seat.session
            .send(format!(":{twin}!u@h PRIVMSG {} :it is me", seat.channel))
            .await?;
        let message = seat.phone.expect_body(&seat.room, "it is me").await?;
        ensure!(
            message.nick() == nick,
            "one nickname for one person: {}",
            message.xml()
        );
    }
    Ok(())
}

async fn names_and_words_are_no_sql(t: Ctx) -> Result<()> {
    let (server, phone, nick) = (t.scripted().await?, t.client("phone").await?, t.nick("bob"));
    let (channel, name) = ("#';drop-table-logins;--", "x'||(select-1)--");
    let room = server.room("#\\27;drop-table-logins;--");
    let welcome = Welcome {
        caps: &["message-tags"],
        ..Welcome::default()
    };
    let script = super::irc_connection_script::let_in(&server, channel, &welcome);
    let ((session, _), _) = tokio::try_join!(script, phone.join(&room, &nick))?;
    for text in [
        "'; DROP TABLE messages; --",
        "\\'; SELECT 1",
        "%s $1 ?1 :id @x",
        "\u{0}'",
    ] {
        session
            .send(format!(
                "@msgid=i'{};-- :{name}!u@h PRIVMSG {channel} :{text}",
                text.len()
            ))
            .await?;
        let text = text.replace('\u{0}', "");
        let message = phone.expect_body(&room, &text).await?;
        let query = archive(&phone, &room, 50).await?;
        let last = query.last().context("it is archived")?;
        ensure!(
            last.1 == text && Some(last.0.as_str()) == message.stanza_id(&room),
            "{query:?}"
        );
        // As a place in the archive as well.
        let set = tag("set")
            .ns("http://jabber.org/protocol/rsm")
            .child(tag("after").text("' OR 1=1; --"));
        let answer = phone.set(&room, tag("query").ns(ns::MAM).child(set)).await?;
        ensure!(answer.condition() == "item-not-found", "{}", answer.xml());
    }
    Ok(())
}
