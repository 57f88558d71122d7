//! Logging in to IRC servers (issue 2, 'The connection'): SASL, server password, nicknames, names that lead nowhere.

use std::sync::{Arc, Mutex};

use base64_of::plain_payload;
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::world::WorldOptions;

use super::irc_connection_script::{let_in, own_ip, polite, refusal, register, seat};

pub(crate) const CASES: &[Case] = &[
    case!(sasl_before_the_first_join),
    case!(sasl_failure_in_words),
    case!(all_useful_capabilities_are_asked_for),
    case!(an_account_goes_to_its_own_server_only),
    case!(the_password_of_a_server)
        .own_world_with(with_password)
        .only(&[Backend::Prosody]),
    case!(a_nickname_in_use),
    case!(the_servers_ping_is_answered),
    case!(unknown_and_closed_servers_in_words),
    case!(a_server_that_refuses_says_why),
];

/// What a scripted server has seen of a login.
type Seen = Arc<Mutex<Vec<String>>>;

/// Accepts a login by SASL PLAIN, or refuses it, and notes the order of things.
fn sasl(session: &IrcSession, good: bool) -> Seen {
    let seen = Seen::default();
    let pen = seen.clone();
    session.respond_and_pong(move |line| {
        let note = |text: String| pen.lock().expect("no holder of this lock panics").push(text);
        if let ("AUTHENTICATE" | "JOIN" | "CAP", first) = (line.command.as_str(), line.param(0)) {
            note(format!("{} {first}", line.command));
        }
        match (line.command.as_str(), line.param(0), good) {
            ("AUTHENTICATE", "PLAIN", _) => Some(vec!["AUTHENTICATE +".into()]),
            ("AUTHENTICATE", _, true) => Some(vec![
                ":irc.test 900 * bob!u@h bob :You are now logged in as bob".into(),
                ":irc.test 903 * :SASL authentication successful".into(),
            ]),
            ("AUTHENTICATE", _, false) => Some(vec![":irc.test 904 * :Wrong password, try again".into()]),
            _ => polite(line),
        }
    });
    seen
}

const SASL: &Welcome<'static> = &Welcome {
    caps: &["sasl=PLAIN,EXTERNAL", "message-tags"],
    isupport: &["CHANTYPES=#"],
};

fn account<'a>(nick: &'a str, server: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("nick", nick),
        ("server", server),
        ("username", "bob-account"),
        ("password", "correct horse"),
    ]
}

async fn sasl_before_the_first_join(t: Ctx) -> Result<()> {
    let (server, channel, nick) = (t.scripted().await?, t.channel(), t.nick("bob"));
    let room = server.room(&channel);
    let name = bare(&room)
        .rsplit_once('%')
        .and_then(|(_, rest)| rest.split_once('@'))
        .context("a name")?
        .0
        .to_owned();
    let phone = t.client("phone").await?;
    // The credentials are tried at once, on a connection of their own, and then the user goes online.
    let script = async {
        let trial = server.accept().await?;
        sasl(&trial, true);
        tokio::select! {
            nick = trial.welcome(SASL) => drop(nick?),
            closed = trial.expect_closed() => closed?,
        }
        let session = server.accept().await?;
        let seen = sasl(&session, true);
        session.welcome(SASL).await?;
        anyhow::Ok((session, seen))
    };
    let fields = account(&nick, &name);
    let (answer, (session, seen)) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    ensure!(answer.kind() == "result", "{}", answer.xml());
    tokio::try_join!(
        session.let_in(&nick, &channel, &["@alice"]),
        phone.join(&room, &nick)
    )?;
    let seen = seen.lock().expect("no holder of this lock panics").clone();
    let place = |wanted: &str| seen.iter().position(|note| note == wanted);
    let payload = format!("AUTHENTICATE {}", plain_payload("bob-account", "correct horse"));
    let order = [
        place("AUTHENTICATE PLAIN"),
        place(&payload),
        place("CAP END"),
        place(&format!("JOIN {channel}")),
    ];
    // The JOIN is for let_in, which need not be in the notes.
    let known: Vec<usize> = order.into_iter().flatten().collect();
    ensure!(known.len() >= 3 && known.is_sorted(), "{seen:?}");
    Ok(())
}

async fn all_useful_capabilities_are_asked_for(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let caps = [
        "account-notify",
        "account-tag",
        "away-notify",
        "batch",
        "cap-notify",
        "chghost",
        "echo-message",
        "extended-join",
        "invite-notify",
        "labeled-response",
        "message-tags",
        "multi-prefix",
        "server-time",
        "setname",
        "userhost-in-names",
    ];
    // And some that are of no use, or would change the protocol.
    let offered: Vec<&str> = caps
        .iter()
        .copied()
        .chain(["tls", "sts=port=1", "znc.in/playback", "sasl"])
        .collect();
    let (phone, nick, channel) = (t.client("phone").await?, t.nick("bob"), t.channel());
    let asked = Seen::default();
    let pen = asked.clone();
    let script = async {
        let session = server.accept().await?;
        session.respond_and_pong(move |line| {
            if line.is("CAP", &["REQ"]) {
                let names = line.last().split(' ').map(str::to_owned);
                pen.lock().expect("no holder of this lock panics").extend(names);
                return Some(vec![format!(":irc.test CAP * ACK :{}", line.last())]);
            }
            polite(line)
        });
        let nick = session
            .welcome(&Welcome {
                caps: &offered,
                ..Welcome::default()
            })
            .await?;
        session.let_in(&nick, &channel, &["@alice!a@h"]).await?;
        anyhow::Ok(session)
    };
    let room = server.room(&channel);
    let (_session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    ensure!(joined.nicks() == ["alice"], "{:?}", joined.nicks());
    let mut asked = asked.lock().expect("no holder of this lock panics").clone();
    asked.sort();
    ensure!(asked == caps, "{asked:?}");
    Ok(())
}

async fn sasl_failure_in_words(t: Ctx) -> Result<()> {
    let (server, nick) = (t.scripted().await?, t.nick("bob"));
    let name = server.jid().split('@').next().context("a name")?.to_owned();
    let phone = t.client("phone").await?;
    let script = async {
        let trial = server.accept().await?;
        sasl(&trial, false);
        tokio::select! {
            _ = trial.welcome(SASL) => {}
            closed = trial.expect_closed() => closed?,
        }
        anyhow::Ok(())
    };
    let fields = account(&nick, &name);
    let (answer, ()) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    let error = answer.error().context("the registration is refused")?;
    let text = error.text.unwrap_or_default();
    ensure!(
        error.condition == "not-acceptable" && text.contains("Wrong password"),
        "{}",
        answer.xml()
    );
    ensure!(!text.contains("correct horse"), "{text}");
    let form = phone.get(t.gateway(), tag("query").ns(ns::REGISTER)).await?;
    ensure!(
        form.find("registered", ns::REGISTER).is_none(),
        "nobody is registered by that: {}",
        form.xml()
    );
    Ok(())
}

async fn an_account_goes_to_its_own_server_only(t: Ctx) -> Result<()> {
    let (home, other) = (t.scripted().await?, t.scripted().await?);
    let (nick, channel) = (t.nick("bob"), t.channel());
    let name = home.jid().split('@').next().context("a name")?.to_owned();
    let phone = t.client("phone").await?;
    let script = async {
        for _ in 0..2 {
            let session = home.accept().await?;
            sasl(&session, true);
            tokio::select! {
                nick = session.welcome(SASL) => drop(nick?),
                closed = session.expect_closed() => closed?,
            }
        }
        anyhow::Ok(())
    };
    let fields = account(&nick, &name);
    let (answer, ()) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    ensure!(answer.kind() == "result", "{}", answer.xml());
    let stranger = async {
        let session = other.accept().await?;
        let seen = sasl(&session, true);
        let nick = session.welcome(SASL).await?;
        session.let_in(&nick, &channel, &[]).await?;
        anyhow::Ok((session, seen))
    };
    let room = other.room(&channel);
    let ((_session, seen), _) = tokio::try_join!(stranger, phone.join(&room, &nick))?;
    let seen = seen.lock().expect("no holder of this lock panics").clone();
    ensure!(
        !seen.iter().any(|note| note.starts_with("AUTHENTICATE")),
        "another server got the login: {seen:?}"
    );
    Ok(())
}

fn with_password(options: &mut WorldOptions) {
    options.extra_config = format!(
        "[gateway.irc.irc.servers.\"locked.test\"]\nhost = \"{}\"\nports = [6667]\ntls = false\npassword = \"open sesame\"\n",
        own_ip(options, 3)
    );
}

async fn the_password_of_a_server(t: Ctx) -> Result<()> {
    let addr = format!("{}:6667", own_ip(t.world().options(), 3)).parse()?;
    let server = IrcServer::bind(addr, t.transcript().voice("server")).await?;
    let seat = seat(
        &t,
        &server,
        &t.room_on("locked.test", &t.channel()),
        &Welcome::default(),
    )
    .await?;
    let pass = seat.session.take_all(|line| line.command == "PASS");
    ensure!(pass.len() == 1 && pass[0].last() == "open sesame", "{pass:?}");
    let log = t.world().gateway().process().log_since(0);
    ensure!(!log.contains("open sesame"), "the password is in the log");
    Ok(())
}

async fn a_nickname_in_use(t: Ctx) -> Result<()> {
    let channel = t.channel();
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    let joined = phone.join(&t.room(&channel), alice.nick()).await?;
    ensure!(
        joined.me.has_status(210),
        "the change is told: {}",
        joined.me.xml()
    );
    let mine = joined.me.nick().to_owned();
    ensure!(
        mine != alice.nick() && mine.starts_with(alice.nick()),
        "another nickname, like the wish: {mine}"
    );
    ensure!(joined.nicks() == [alice.nick()], "{:?}", joined.nicks());
    alice.expect_join(&mine, &channel).await?;
    Ok(())
}

async fn the_servers_ping_is_answered(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), &Welcome::default()).await?;
    for token in ["one", "two words", ":colon", "é"] {
        seat.session.send(format!("PING :{token}")).await?;
        let pong = seat.session.expect("PONG", |line| line.command == "PONG").await?;
        ensure!(pong.last() == token, "{pong}");
    }
    Ok(())
}

async fn unknown_and_closed_servers_in_words(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for (server, words) in [
        ("no-such-host.invalid", "no server of this name"),
        ("closed.test", "refused the connection"),
    ] {
        let (condition, text) = refusal(&phone, &t.room_on(server, "#c"), &t.nick("bob")).await?;
        let clear = text.contains(words) && text.contains(server);
        ensure!(
            clear && ["remote-server-timeout", "item-not-found"].contains(&condition.as_str()),
            "{condition}: {text}"
        );
    }
    Ok(())
}

async fn a_server_that_refuses_says_why(t: Ctx) -> Result<()> {
    let (server, phone, nick) = (t.scripted().await?, t.client("phone").await?, t.nick("bob"));
    let script = async {
        let session = server.accept().await?;
        session.expect_command("NICK", &[]).await?;
        session
            .send(":irc.test 465 * :You are K-lined: no gateways here")
            .await?;
        session.send("ERROR :Closing Link: K-lined").await?;
        session.expect_closed().await
    };
    let room = server.room(&t.channel());
    let (_, (_, text)) = tokio::try_join!(script, refusal(&phone, &room, &nick))?;
    ensure!(text.contains("no gateways here"), "{text}");
    // A later attempt is a new one.
    let (room, welcome) = (server.room("#c"), Welcome::default());
    tokio::try_join!(let_in(&server, "#c", &welcome), phone.join(&room, &nick))?;
    Ok(())
}

/// What SASL PLAIN sends (RFC 4616), without a library of the gateway's.
mod base64_of {
    pub(super) fn plain_payload(account: &str, password: &str) -> String {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let plain = format!("\0{account}\0{password}").into_bytes();
        let mut text = String::new();
        for chunk in plain.chunks(3) {
            let number = chunk
                .iter()
                .enumerate()
                .fold(0_u32, |sum, (at, byte)| sum | u32::from(*byte) << (16 - 8 * at));
            for at in 0..4 {
                let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
                text.push(if at <= chunk.len() {
                    char::from(letter)
                } else {
                    '='
                });
            }
        }
        text
    }
}
