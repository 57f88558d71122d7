//! What users set for everything, a server or a room, by ad-hoc command on the gateway, the server and the room.

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::archive::query;
use super::commands_support::{FormExt as _, Stage as Step};
use super::irc_connection_script::{polite, seat};
use super::registration_support::form;
use super::stage::Stage;

pub(crate) const CASES: &[Case] = &[
    case!(commands_are_where_they_belong).rows("C2 C4"),
    case!(who_one_is_on_a_server),
    case!(commands_after_connecting_and_the_message_of_the_day),
    case!(encodings_of_a_channel),
    case!(a_room_is_kept_without_clients),
    case!(a_kept_room_outlives_the_gateway)
        .own_world()
        .only(&[Backend::Prosody]),
    case!(an_archive_that_is_not_kept),
    case!(how_much_history_comes_at_join),
    case!(raw_lines_are_for_the_operators_friends),
    case!(leaving_and_connecting_anew),
    case!(mistakes_are_named),
];

/// Runs a command on an address, with these fields.
async fn run(client: &Client, to: &str, node: &str, fields: &[(&str, &str)]) -> Result<Step> {
    let begun = begin(client, to, node).await?;
    if begun.status == "completed" {
        return Ok(begun);
    }
    let command = tag("command")
        .ns(ns::COMMANDS)
        .attr("node", node)
        .attr("sessionid", &begun.session)
        .attr("action", "complete");
    Step::of(&client.set(to, command.child(form(None, fields))).await?)
}

async fn begin(client: &Client, to: &str, node: &str) -> Result<Step> {
    let command = tag("command")
        .ns(ns::COMMANDS)
        .attr("node", node)
        .attr("action", "execute");
    Step::of(&client.set(to, command).await?)
}

/// Sets something, which must work.
async fn set(client: &Client, to: &str, node: &str, fields: &[(&str, &str)]) -> Result<()> {
    let done = run(client, to, node, fields).await?;
    let saved = done.note().is_some_and(|note| note.attr("type") == Some("info"));
    ensure!(done.status == "completed" && saved, "it is saved: {}", done.xml);
    Ok(())
}

async fn commands_are_where_they_belong(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    for (jid, has, lacks) in [
        (
            stage.room.clone(),
            ["configure", "leave", "status"],
            ["register", "disconnect"],
        ),
        (
            t.server(),
            ["configure", "disconnect", "reconnect"],
            ["register", "leave"],
        ),
    ] {
        let info = stage.phone.disco_info(&jid, None).await?;
        ensure!(
            info.features().iter().any(|feature| feature == ns::COMMANDS),
            "{jid} has commands: {}",
            info.xml()
        );
        let items = stage.phone.disco_items(&jid, Some(ns::COMMANDS)).await?;
        let nodes: Vec<&str> = items
            .find_all("item", ns::DISCO_ITEMS)
            .into_iter()
            .filter(|item| item.attr("jid") == Some(&jid))
            .filter_map(|item| item.attr("node"))
            .collect();
        for node in has {
            ensure!(nodes.contains(&node), "'{node}' is on {jid}: {}", items.xml());
            let info = stage.phone.disco_info(&jid, Some(node)).await?;
            let identity = info.find("identity", ns::DISCO_INFO).context("an identity")?;
            ensure!(identity.attr("type") == Some("command-node"), "{}", info.xml());
        }
        for node in lacks {
            ensure!(
                !nodes.contains(&node),
                "'{node}' is not on {jid}: {}",
                items.xml()
            );
        }
    }
    Ok(())
}

async fn who_one_is_on_a_server(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let phone = t.client("phone").await?;
    let jid = server.jid();
    let nick = t.nick("robert");
    let fields = [
        ("nick", nick.as_str()),
        ("username", "bobby"),
        ("realname", "Robert B."),
        ("password", "sesame"),
    ];
    set(&phone, &jid, "configure", &fields).await?;
    let shown = begin(&phone, &jid, "configure").await?;
    let text = shown.form().context("a form")?.text_of_all();
    ensure!(text.contains("bobby") && text.contains("Robert B."), "{text}");
    ensure!(!text.contains("sesame"), "a password is not shown: {text}");

    let (channel, room) = (t.channel(), server.room(&t.channel()));
    let wish = t.nick("bob");
    let script = async {
        let session = server.accept().await?;
        session.respond_and_pong(polite);
        let user = session.expect_command("USER", &[]).await?;
        ensure!(user.param(0) == "bobby" && user.last() == "Robert B.", "{user}");
        let given = session.leftovers();
        ensure!(
            given
                .iter()
                .any(|line| line.command == "PASS" && line.last() == "sesame"),
            "the server's password came first: {given:?}"
        );
        session.send(format!(":irc.test 001 {nick} :Welcome")).await?;
        session.send(format!(":irc.test 376 {nick} :End")).await?;
        session.let_in(&nick, &channel, &["@alice"]).await?;
        Ok(session)
    };
    let (_session, joined) = tokio::try_join!(script, phone.join(&room, &wish))?;
    ensure!(
        joined.me.from() == format!("{room}/{nick}"),
        "the nickname that was set counts: {}",
        joined.me.xml()
    );
    Ok(())
}

async fn commands_after_connecting_and_the_message_of_the_day(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let phone = t.client("phone").await?;
    let jid = server.jid();
    let fields = [
        ("after_connect_commands", "privmsg NickServ :help me\nMODE bob +x"),
        ("show_motd", "1"),
    ];
    set(&phone, &jid, "configure", &fields).await?;
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = server.room(&channel);
    let script = async {
        let session = server.accept().await?;
        session.respond_and_pong(polite);
        session.expect_command("USER", &[]).await?;
        for line in [
            "001 * :Welcome",
            "375 * :- Today",
            "372 * :- Be kind.",
            "376 * :End",
        ] {
            session
                .send(format!(":irc.test {}", line.replace('*', &nick)))
                .await?;
        }
        let first = session
            .expect("the first command", |line| line.command == "PRIVMSG")
            .await?;
        ensure!(
            first.param(0) == "NickServ" && first.last() == "help me",
            "{first}"
        );
        session.expect_command("MODE", &["bob", "+x"]).await?;
        session.let_in(&nick, &channel, &["@alice"]).await?;
        Ok(session)
    };
    let (_session, _) = tokio::try_join!(script, phone.join(&room, &nick))?;
    phone.expect_body(&jid, "- Be kind.").await?;
    Ok(())
}

async fn encodings_of_a_channel(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let (channel, room) = (t.channel(), server.room(&t.channel()));
    let setter = t.client("setter").await?;
    let fields = [("encoding_in", "koi8-r"), ("encoding_out", "koi8-r")];
    set(&setter, &room, "configure", &fields).await?;
    // Another login has its own settings, and this one's do not reach it.
    let welcome = Welcome::default();
    let other = seat(&t, &server, &room, &welcome).await?;
    let (_, line) = other.say("Привет").await?;
    ensure!(line.last() == "Привет", "others write UTF-8: {line}");

    let nick = t.nick("boris");
    let script = async {
        let session = server.accept().await?;
        session.respond_and_pong(polite);
        let nick = session.welcome(&Welcome::default()).await?;
        session.let_in(&nick, &channel, &["@alice"]).await?;
        Ok(session)
    };
    let (session, _) = tokio::try_join!(script, setter.join(&room, &nick))?;
    let koi8 = b"\xf0\xd2\xc9\xd7\xc5\xd4";
    let line = [
        format!(":alice!u@h PRIVMSG {channel} :").as_bytes(),
        koi8,
        b"\r\n",
    ]
    .concat();
    session.send_bytes(&line).await?;
    setter.expect_body(&format!("{room}/alice"), "Привет").await?;
    setter.say(&room, "Привет").await?;
    let line = session
        .expect("the line", |line| line.command == "PRIVMSG")
        .await?;
    ensure!(line.bytes.ends_with(koi8), "written as was set: {:?}", line.bytes);
    Ok(())
}

async fn a_room_is_kept_without_clients(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    set(&stage.phone, &stage.room, "configure", &[("persistent", "yes")]).await?;
    stage.phone.leave(&stage.room, &stage.nick, "bye").await?;
    stage.alice.say(&stage.channel, "while you were away").await?;
    let nick = stage.nick.clone();
    stage
        .alice
        .expect_none("a PART", move |line| {
            line.command == "PART" && line.nick() == nick
        })
        .await?;
    let again = stage.phone.join(&stage.room, &stage.nick).await?;
    heard(&stage, &stage.phone, &again, "while you were away").await?;
    // Leaving by command is for good.
    let left = run(&stage.phone, &stage.room, "leave", &[("words", "good bye")]).await?;
    ensure!(left.status == "completed", "{}", left.xml);
    stage.alice.expect_part(&stage.nick, &stage.channel).await?;
    Ok(())
}

/// What alice said while nobody was there is history; unless it came to the gateway later than the join.
async fn heard(stage: &Stage, client: &Client, joined: &Joined, text: &str) -> Result<()> {
    if !joined.bodies().iter().any(|body| body == text) {
        let from = format!("{}/{}", stage.room, stage.alice.nick());
        client.expect_body(&from, text).await?;
    }
    Ok(())
}

async fn a_kept_room_outlives_the_gateway(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    set(&stage.phone, &stage.room, "configure", &[("persistent", "yes")]).await?;
    stage.phone.leave(&stage.room, &stage.nick, "bye").await?;
    stage.phone.close().await?;
    t.world().gateway().terminate(Duration::from_secs(10)).await?;
    t.world().gateway().start().await?;
    stage.alice.expect_quit(&stage.nick).await?;
    stage.alice.expect_join(&stage.nick, &stage.channel).await?;
    stage
        .alice
        .say(&stage.channel, "nobody is there, but all is kept")
        .await?;
    stage.alice.fence().await?;
    let laptop = t.client_of(&stage.phone, "laptop").await?;
    let joined = laptop.join(&stage.room, &stage.nick).await?;
    heard(&stage, &laptop, &joined, "nobody is there, but all is kept").await?;
    Ok(())
}

async fn an_archive_that_is_not_kept(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    stage.alice.say(&stage.channel, "on the record").await?;
    stage.flush(&t).await?;
    set(
        &stage.phone,
        &stage.room,
        "configure",
        &[("record_history", "no")],
    )
    .await?;
    stage.alice.say(&stage.channel, "off the record").await?;
    stage.flush(&t).await?;
    let answer = query(&stage.phone, &stage.room, &[], "").await?;
    ensure!(
        answer.bodies().is_empty(),
        "nothing is in the archive: {:?}",
        answer.bodies()
    );
    let laptop = t.client_of(&stage.phone, "laptop").await?;
    let joined = laptop.join(&stage.room, &stage.nick).await?;
    ensure!(
        joined.bodies().is_empty(),
        "nor in the history: {:?}",
        joined.bodies()
    );
    // Switched on again, it begins from there.
    set(
        &stage.phone,
        &stage.room,
        "configure",
        &[("record_history", "default")],
    )
    .await?;
    stage.alice.say(&stage.channel, "on the record again").await?;
    stage.flush(&t).await?;
    let answer = query(&stage.phone, &stage.room, &[], "").await?;
    ensure!(
        answer.bodies().iter().any(|body| body == "on the record again"),
        "{:?}",
        answer.bodies()
    );
    Ok(())
}

async fn how_much_history_comes_at_join(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    for number in 0..5 {
        stage
            .alice
            .say(&stage.channel, &format!("number {number}"))
            .await?;
    }
    stage.flush(&t).await?;
    // For everything, and otherwise for this room.
    set(
        &stage.phone,
        GATEWAY,
        "preferences",
        &[("max_history_length", "3")],
    )
    .await?;
    let laptop = stage.laptop_joins(&t, "laptop").await?;
    ensure!(laptop.bodies().len() == 3, "{:?}", laptop.bodies());
    set(
        &stage.phone,
        &stage.room,
        "configure",
        &[("max_history_length", "0")],
    )
    .await?;
    let tablet = stage.laptop_joins(&t, "tablet").await?;
    ensure!(tablet.bodies().is_empty(), "{:?}", tablet.bodies());
    Ok(())
}

impl Stage {
    /// Another resource joins; gives what it got.
    async fn laptop_joins(&self, t: &Ctx, resource: &str) -> Result<Joined> {
        t.client_of(&self.phone, resource)
            .await?
            .join(&self.room, &self.nick)
            .await
    }
}

async fn raw_lines_are_for_the_operators_friends(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    let server = t.server();
    let command = tag("command").ns(ns::COMMANDS).attr("node", "raw");
    let answer = stage.phone.set(&server, command).await?;
    let error = answer.error().context("users may not")?;
    ensure!(error.condition == "forbidden", "{}", answer.xml());
    let id = stage.phone.chat(&server, "LUSERS").await?;
    stage.phone.expect_error(&id).await?;

    let admin = t.admin().await?;
    let channel = t.channel_named("admin");
    let room = t.room(&channel);
    let nick = t.nick("boss");
    admin.join(&room, &nick).await?;
    let line = format!("TOPIC {channel} :set by hand");
    let done = run(&admin, &server, "raw", &[("line", &line)]).await?;
    ensure!(done.status == "completed", "{}", done.xml);
    admin.expect_subject(&room, "set by hand").await?;
    // What the server answers to a line in the chat comes from the server.
    admin.chat(&server, "VERSION").await?;
    admin
        .expect("the server's version", |stanza| {
            stanza.is_message() && stanza.from() == server && stanza.body().is_some()
        })
        .await?;
    let wrong = run(&admin, &server, "raw", &[("line", "NONSENSE")]).await?;
    let note = wrong.note().context("a note")?;
    ensure!(
        note.attr("type") == Some("error"),
        "the refusal is told: {}",
        wrong.xml
    );
    admin.leave(&room, &nick, "").await?;
    Ok(())
}

async fn leaving_and_connecting_anew(t: Ctx) -> Result<()> {
    let stage = Stage::set(&t).await?;
    let server = t.server();
    let again = run(&stage.phone, &server, "reconnect", &[]).await?;
    ensure!(again.status == "completed", "{}", again.xml);
    stage.alice.expect_quit(&stage.nick).await?;
    stage.alice.expect_join(&stage.nick, &stage.channel).await?;
    // The client is in the room all the time.
    stage.flush(&t).await?;
    stage.flush_out("still here").await?;
    let gone = run(&stage.phone, &server, "disconnect", &[]).await?;
    ensure!(gone.status == "completed", "{}", gone.xml);
    stage.alice.expect_quit(&stage.nick).await?;
    let out = stage.phone.expect_presence(&stage.me(), "unavailable").await?;
    ensure!(out.statuses().contains(&110), "{}", out.xml());
    let twice = run(&stage.phone, &server, "disconnect", &[]).await?;
    let note = twice.note().context("a note")?;
    ensure!(note.attr("type") == Some("error"), "{}", twice.xml);
    Ok(())
}

async fn mistakes_are_named(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for (field, value) in [
        ("persistent", "perhaps"),
        ("max_history_length", "-1"),
        ("nick", "a b"),
    ] {
        let wrong = run(&phone, &t.server(), "configure", &[(field, value)]).await;
        // A choice that is not among those of the form is refused before the command runs.
        let text = match wrong {
            Ok(step) => step.note().context("a note")?.text(),
            Err(error) => error.to_string(),
        };
        ensure!(text.contains(field), "the field is named: {text}");
    }
    Ok(())
}
