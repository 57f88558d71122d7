//! Logging out with the last presence, and staying connected (XEP-0100 §4.5).

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::login_services::{Event, Services};
use super::registration_record as record;
use super::registration_support::{befriend, field, form, register, send_presence, value};

pub(crate) const CASES: &[Case] = &[
    case!(the_last_client_logs_out).rows("G51"),
    case!(directed_presence_logs_out).rows("G51"),
    case!(who_stays_connected_misses_nothing).rows("G51 G54"),
    case!(who_stays_connected_is_back_after_a_restart)
        .rows("G54")
        .own_world(),
];

/// A user who is registered, befriended and logged in; gives the network and the session's number.
async fn registered(t: &Ctx, phone: &Client) -> Result<(Services, usize)> {
    let nick = t.nick("bob");
    let services = Services::open(t, "bob", "right").await?;
    register(phone, GATEWAY, &services.fields(&nick, "bob", "right")).await?;
    phone.expect_presence(GATEWAY, "").await?;
    befriend(phone, GATEWAY).await?;
    let number = services.connections();
    let online = |event: &Event| matches!(event, Event::Online(which, _) if *which == number);
    services.expect("the session", online).await?;
    services.forget();
    Ok((services, number))
}

async fn the_last_client_logs_out(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    laptop.expect_presence(GATEWAY, "").await?;

    laptop.close().await?;
    let gone = |stanza: &Element| {
        stanza.is_presence() && stanza.from() == laptop.jid() && stanza.kind() == "unavailable"
    };
    phone.expect("the end of the laptop", gone).await?;
    phone.chat(&services.person("alice"), "one of us is left").await?;
    services
        .session(session)
        .expect_command("PRIVMSG", &["alice", "one of us is left"])
        .await?;
    let left = |event: &Event| matches!(event, Event::Quit(who, _) if *who == session);
    ensure!(
        !services.events().iter().any(left),
        "the session stays: {:?}",
        services.events()
    );

    phone.send("<presence type='unavailable'/>").await?;
    services.expect_quit(session).await?;
    Ok(())
}

async fn directed_presence_logs_out(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (phone, alice) = (t.client("phone").await?, t.irc("alice").await?);
    alice.join(&channel).await?;
    register(
        &phone,
        GATEWAY,
        &[("nick", &nick), ("server", t.world().irc_name())],
    )
    .await?;
    phone.expect_presence(GATEWAY, "").await?;
    phone.join(&t.room(&channel), &nick).await?;
    send_presence(&phone, GATEWAY, "unavailable").await?;
    alice.expect_quit(&nick).await?;
    phone.expect_presence(GATEWAY, "unavailable").await?;
    let again =
        |stanza: &Element| stanza.is_presence() && stanza.from() == GATEWAY && stanza.kind() == "unavailable";
    phone.expect_none("a second logout", GATEWAY, again).await
}

async fn who_stays_connected_misses_nothing(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    set_stay(&phone, false, true).await?;

    phone.close().await?;
    // Out of sight, but not gone: what is said now is kept by the user's server.
    let alive = services.session(session);
    let nick = t.nick("bob");
    alive
        .send(format!(":alice!a@h PRIVMSG {nick} :are you there?"))
        .await?;
    record::confirmed(&t, phone.bare(), 1).await?;
    let phone = t.client_of(&phone, "phone").await?;
    phone
        .expect_body(&services.person("alice"), "are you there?")
        .await?;
    phone.expect_presence(GATEWAY, "").await?;
    ensure!(
        services.connections() == session
            && !services
                .events()
                .iter()
                .any(|event| matches!(event, Event::Quit(who, _) if *who == session)),
        "the session has stayed: {:?}",
        services.events()
    );

    // Switched off again, the last client takes the session with it.
    set_stay(&phone, true, false).await?;
    phone.close().await?;
    services.expect_quit(session).await?;
    Ok(())
}

async fn who_stays_connected_is_back_after_a_restart(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    set_stay(&phone, false, true).await?;
    phone.close().await?;

    let gateway = t.world().gateway();
    gateway.terminate(Duration::from_secs(10)).await?;
    services.expect_quit(session).await?;
    services.forget();
    gateway.start().await?;
    t.world().await_gateway().await?;
    // Nobody has asked for it: no client of the user is there.
    let nick = t.nick("bob");
    let (_, number) = services.expect_online(&nick).await?;
    services
        .session(number)
        .send(format!(":alice!a@h PRIVMSG {nick} :are you still there?"))
        .await?;
    record::confirmed(&t, phone.bare(), 1).await?;
    let phone = t.client_of(&phone, "phone").await?;
    phone
        .expect_body(&services.person("alice"), "are you still there?")
        .await?;
    Ok(())
}

/// Looks at the preference by command, which must be as expected, and sets it.
async fn set_stay(client: &Client, was: bool, wanted: bool) -> Result<()> {
    let command = tag("command").ns(ns::COMMANDS).attr("node", "preferences");
    let shown = client.ok("set", GATEWAY, command.clone()).await?;
    let before = value(&shown, "stay_connected")?;
    ensure!(
        field(&shown, "stay_connected")?.attr("type") == Some("boolean")
            && ["1", "true"].contains(&before.as_str()) == was,
        "the preference is shown: {}",
        shown.xml()
    );
    let session = shown
        .find("command", ns::COMMANDS)
        .and_then(|command| command.attr("sessionid"));
    let session = session.context("a session of the command")?.to_owned();
    let chosen = form(None, &[("stay_connected", if wanted { "1" } else { "0" })]);
    let done = client
        .ok(
            "set",
            GATEWAY,
            command
                .attr("sessionid", session)
                .attr("action", "complete")
                .child(chosen),
        )
        .await?;
    let status = done
        .find("command", ns::COMMANDS)
        .and_then(|command| command.attr("status"));
    ensure!(status == Some("completed"), "{}", done.xml());
    Ok(())
}
