//! The operator's commands on other users and on the gateway as a whole (XEP-0133).

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::commands_support::{FormExt as _, Stage, begin, run};
use super::registration_support::ensure_error;

pub(crate) const CASES: &[Case] = &[
    case!(only_the_operator_finds_and_runs_them).rows("O1 O2 O3"),
    case!(the_operator_sees_how_users_are_connected)
        .own_world()
        .rows("O4 O12 O15 O16"),
    case!(the_operator_disconnects_a_user).rows("O8 O22"),
    case!(one_server_and_one_resource_are_ended_alone).rows("O8"),
    case!(an_announcement_reaches_everybody_once)
        .own_world()
        .rows("O17"),
    case!(a_shutdown_is_announced_and_ends_with_success)
        .own_world()
        .rows("G53 M60 O21"),
    case!(a_restart_ends_with_another_status).own_world().rows("O21"),
];

const ADMIN: &str = "http://jabber.org/protocol/admin";
/// The status of a process that wants to be started again.
const RESTART: i32 = 75;

fn node(name: &str) -> String {
    format!("{ADMIN}#{name}")
}

async fn only_the_operator_finds_and_runs_them(t: Ctx) -> Result<()> {
    let (phone, admin) = (t.client("phone").await?, t.admin().await?);
    let mine = phone.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    let all = admin.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    for name in [
        "get-online-users-num",
        "get-online-users-list",
        "user-stats",
        "end-user-session",
        "announce",
        "restart",
        "shutdown",
    ] {
        let node = node(name);
        ensure!(
            all.xml().contains(&node),
            "the operator finds {name}: {}",
            all.xml()
        );
        ensure!(!mine.xml().contains(&node), "nobody else does: {}", mine.xml());
        let command = tag("command").ns(ns::COMMANDS).attr("node", &node);
        let refused = phone.set(GATEWAY, command).await?;
        ensure_error(&refused, "forbidden", "auth", "403").context(node)?;
    }
    for (name, condition, ty, code) in [
        ("get-idle-users", "feature-not-implemented", "cancel", "501"),
        ("change-user-password", "not-allowed", "cancel", "405"),
    ] {
        let command = tag("command").ns(ns::COMMANDS).attr("node", node(name));
        let refused = admin.set(GATEWAY, command).await?;
        ensure_error(&refused, condition, ty, code)?;
    }
    Ok(())
}

async fn the_operator_sees_how_users_are_connected(t: Ctx) -> Result<()> {
    let (room, nick) = (t.room(&t.channel()), t.nick("bob"));
    let admin = t.admin().await?;
    ensure!(number(&admin).await? == "0", "nobody is there yet");
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let desk = t.client_of(&phone, "desk").await?;
    desk.join(&room, &nick).await?;
    let other = t.client("other").await?;
    other.join(&room, &t.nick("eve")).await?;
    phone.say(&room, "a word between us").await?;
    phone
        .expect_body(&format!("{room}/{nick}"), "a word between us")
        .await?;
    ensure!(number(&admin).await? == "2", "two users are there");

    let list = node("get-online-users-list");
    let begun = begin(&admin, &list).await?;
    let form = begun.form().context("a form")?;
    ensure!(
        begun.xml.contains("max_items") && form.text_of_all().contains(ADMIN),
        "it asks how many: {}",
        begun.xml
    );
    let listed = begun
        .go_on(&admin, &list, "complete", &[("max_items", "none")])
        .await?;
    for user in [phone.bare(), other.bare()] {
        ensure!(listed.xml.contains(user), "{user} is listed: {}", listed.xml);
    }
    let jids = listed.form().context("a result")?.text_of_all();
    ensure!(
        !jids.contains(admin.bare()),
        "the operator is not connected: {jids}"
    );

    let stats = run(&admin, &node("user-stats"), &[("accountjid", phone.bare())]).await?;
    let text = stats.form().context("a result")?.text_of_all();
    for part in [
        ADMIN,
        "phone",
        "desk",
        &nick,
        &room,
        t.world().irc_name(),
        "since",
    ] {
        ensure!(text.contains(part), "{part} is told: {text}");
    }
    ensure!(!text.contains("a word between us"), "no words of users: {text}");
    let users = run(&admin, "users", &[("max_items", "25")]).await?;
    let text = users.form().context("a result")?.text_of_all();
    for part in [phone.bare(), other.bare(), "desk, phone", &room] {
        ensure!(text.contains(part), "{part} is told: {text}");
    }

    // Who is not there is answered from the record, and from nothing.
    let nobody = run(&admin, &node("user-stats"), &[("accountjid", "nobody@localhost")]).await?;
    ensure!(nobody.xml.contains("does not know"), "{}", nobody.xml);
    Ok(())
}

/// How many users are online, as the command tells it.
async fn number(admin: &Client) -> Result<String> {
    let done = begin(admin, &node("get-online-users-num")).await?;
    let form = done.form().context("a result")?;
    let field = form
        .children()
        .find(|field| field.attr("var") == Some("onlineusersnum"));
    Ok(field
        .with_context(|| done.xml.clone())?
        .children()
        .map(Element::text)
        .collect())
}

async fn the_operator_disconnects_a_user(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    alice.fence().await?;
    let admin = t.admin().await?;
    let log = t.world().gateway().process();
    let before = log.log_length();
    let command = node("end-user-session");
    let done = run(&admin, &command, &[("accountjids", phone.bare())]).await?;
    ensure!(
        done.status == "completed" && done.xml.contains("is disconnected"),
        "{}",
        done.xml
    );
    let out = phone
        .expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;
    ensure!(
        out.xml().contains("307") && out.xml().contains("operator"),
        "the user is told: {}",
        out.xml()
    );
    phone.expect_presence(GATEWAY, "unavailable").await?;
    alice.expect_quit(&nick).await?;

    let words = log.log_since(before);
    let line = words
        .lines()
        .find(|line| line.contains("audit"))
        .context("a line of the record")?;
    for part in [admin.bare(), phone.bare(), "end-user-session", GATEWAY] {
        ensure!(line.contains(part), "{part} is in the record: {line}");
    }
    // Again there is nothing to end; and the user may come back.
    let again = run(&admin, &command, &[("accountjids", phone.bare())]).await?;
    ensure!(
        again.note().and_then(|note| note.attr("type")) == Some("error"),
        "{}",
        again.xml
    );
    phone.join(&room, &nick).await?;
    Ok(())
}

async fn one_server_and_one_resource_are_ended_alone(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let desk = t.client_of(&phone, "desk").await?;
    desk.join(&room, &nick).await?;
    let admin = t.admin().await?;
    // In the chat as well.
    let said = |stanza: &Element| stanza.is_message() && stanza.from() == GATEWAY;
    admin
        .chat(GATEWAY, &format!("end-user-session accountjids={}", desk.jid()))
        .await?;
    let done = admin.expect("the answer", said).await?.body().unwrap_or_default();
    ensure!(done.contains("is disconnected"), "{done}");
    desk.expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;
    phone.say(&room, "still here").await?;
    phone.expect_body(&format!("{room}/{nick}"), "still here").await?;

    let server = t.world().irc_name();
    admin
        .chat(
            GATEWAY,
            &format!("end-user-session accountjids={} x-server={server}", phone.bare()),
        )
        .await?;
    let done = admin.expect("the answer", said).await?.body().unwrap_or_default();
    ensure!(done.contains("is disconnected"), "{done}");
    phone
        .expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;
    Ok(())
}

async fn an_announcement_reaches_everybody_once(t: Ctx) -> Result<()> {
    let room = t.room(&t.channel());
    let (phone, other, idle) = (
        t.client("phone").await?,
        t.client("other").await?,
        t.client("idle").await?,
    );
    phone.join(&room, &t.nick("bob")).await?;
    other.join(&room, &t.nick("eve")).await?;
    let admin = t.admin().await?;
    let announce = node("announce");
    let text = "The gateway goes down.\nPlease come back later.";
    let begun = begin(&admin, &announce).await?;
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='announcement'><value>The gateway goes \
                down.</value><value>Please come back later.</value></field></x>";
    let command = tag("command")
        .ns(ns::COMMANDS)
        .attr("node", &announce)
        .attr("sessionid", &begun.session)
        .attr("action", "complete");
    let done = Stage::of(&admin.set(GATEWAY, command.child(form)).await?)?;
    ensure!(done.xml.contains("2 users"), "{}", done.xml);
    let announced = |stanza: &Element| stanza.body().as_deref() == Some(text);
    for client in [&phone, &other] {
        let said = client.expect("the announcement", announced).await?;
        ensure!(said.from() == GATEWAY, "{}", said.xml());
        client.settle(GATEWAY).await?;
        ensure!(client.take_all(announced).is_empty(), "once");
    }
    idle.settle(GATEWAY).await?;
    ensure!(
        idle.take_all(announced).is_empty(),
        "who has no session is left alone"
    );
    let twice = run(&admin, &announce, &[("announcement", "again")]).await?;
    ensure!(twice.xml.contains("a moment ago"), "{}", twice.xml);
    Ok(())
}

async fn a_shutdown_is_announced_and_ends_with_success(t: Ctx) -> Result<()> {
    let status = stop(t, "shutdown").await?;
    ensure!(status == Some(0), "a service manager leaves it alone: {status:?}");
    Ok(())
}

async fn a_restart_ends_with_another_status(t: Ctx) -> Result<()> {
    let status = stop(t, "restart").await?;
    ensure!(
        status == Some(RESTART),
        "a service manager starts it again: {status:?}"
    );
    Ok(())
}

async fn stop(t: Ctx, command: &str) -> Result<Option<i32>> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    alice.fence().await?;
    let admin = t.admin().await?;
    let fields = [("delay", "0"), ("announcement", "Good night.")];
    let done = run(&admin, &node(command), &fields).await?;
    ensure!(
        done.note().is_some_and(|note| note.attr("type") == Some("info")),
        "{}",
        done.xml
    );
    let announced = |stanza: &Element| stanza.is_message() && stanza.body().as_deref() == Some("Good night.");
    phone.expect("the announcement", announced).await?;
    let out = phone
        .expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;
    for part in ["332", "110", "Good night."] {
        ensure!(out.xml().contains(part), "{part}: {}", out.xml());
    }
    phone.expect_presence(GATEWAY, "unavailable").await?;
    alice.expect_quit(&nick).await?;
    let status = t
        .world()
        .gateway()
        .process()
        .wait(Duration::from_secs(10))
        .await?;
    if command == "restart" {
        // Nobody is in a room now, and everybody may come back.
        t.world().gateway().start().await?;
        t.world().await_gateway().await?;
        phone.join(&room, &nick).await?;
    }
    Ok(status.code())
}
