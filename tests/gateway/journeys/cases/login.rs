//! Logging in with the first presence (XEP-0100 §4.4).

use viaduct_gateway_tests::prelude::*;

use super::login_services::{Event, Services, accept_own};
use super::registration_support::{befriend, ensure_error, register, removal, send_presence};

pub(crate) const CASES: &[Case] = &[
    case!(presence_to_the_gateway_logs_in_once).rows("G43"),
    case!(presence_to_a_person_logs_in).rows("G43"),
    case!(presence_to_everybody_logs_in).rows("G43"),
    case!(the_gateway_is_there_when_the_network_is).rows("G44"),
    case!(a_wrong_password_is_asked_for_once).rows("G48 G49"),
    case!(an_unreachable_network_is_tried_again).rows("G48 G49"),
    case!(a_restarted_gateway_finds_who_is_online)
        .rows("G50")
        .own_world(),
];

/// A user who is registered and whose session is open; gives the network and the session's number.
async fn registered(t: &Ctx, phone: &Client) -> Result<(Services, usize)> {
    let nick = t.nick("bob");
    let services = Services::open(t, "bob", "right").await?;
    register(phone, GATEWAY, &services.fields(&nick, "bob", "right")).await?;
    phone.expect_presence(GATEWAY, "").await?;
    let number = services.connections();
    let online = |event: &Event| matches!(event, Event::Online(which, _) if *which == number);
    services.expect("the session", online).await?;
    services.forget();
    Ok((services, number))
}

/// Logs out by presence to the gateway, and waits until the network has seen it.
async fn log_out(phone: &Client, services: &Services, session: usize) -> Result<()> {
    send_presence(phone, GATEWAY, "unavailable").await?;
    services.expect_quit(session).await?;
    phone.expect_presence(GATEWAY, "unavailable").await?;
    Ok(())
}

async fn presence_to_the_gateway_logs_in_once(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    log_out(&phone, &services, session).await?;

    send_presence(&phone, GATEWAY, "").await?;
    let (_, number) = services.expect_online(&t.nick("bob")).await?;
    ensure!(number == session + 1, "one connection: {number}");
    phone.expect_presence(GATEWAY, "").await?;

    let laptop = t.client_of(&phone, "laptop").await?;
    for client in [&phone, &laptop] {
        send_presence(client, GATEWAY, "").await?;
        send_presence(client, &services.person("alice"), "").await?;
        client.settle(GATEWAY).await?;
    }
    // The session that is there is the one that is used.
    phone.chat(&services.person("alice"), "hello").await?;
    services
        .session(number)
        .expect_command("PRIVMSG", &["alice", "hello"])
        .await?;
    ensure!(
        services.connections() == number,
        "no other login: {:?}",
        services.events()
    );
    services.end(&phone).await
}

async fn presence_to_a_person_logs_in(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    log_out(&phone, &services, session).await?;
    let alice = services.person("alice");
    send_presence(&phone, &alice, "").await?;
    let (_, number) = services.expect_online(&t.nick("bob")).await?;
    ensure!(number == session + 1, "one connection: {number}");
    phone.expect_presence(GATEWAY, "").await?;

    // Gone from everybody whom it was shown to: gone from the network.
    send_presence(&phone, &alice, "unavailable").await?;
    services.expect_quit(number).await?;
    Ok(())
}

async fn presence_to_everybody_logs_in(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    befriend(&phone, GATEWAY).await?;
    phone.close().await?;
    services.expect_quit(session).await?;

    let phone = t.client_of(&phone, "phone").await?;
    let (_, number) = services.expect_online(&t.nick("bob")).await?;
    phone.expect_presence(GATEWAY, "").await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    laptop.expect_presence(GATEWAY, "").await?;
    laptop.settle(GATEWAY).await?;
    ensure!(
        number == session + 1 && services.connections() == number,
        "one login for both: {:?}",
        services.events()
    );
    services.end(&phone).await
}

async fn the_gateway_is_there_when_the_network_is(t: Ctx) -> Result<()> {
    let (phone, server) = (t.client("phone").await?, t.scripted().await?);
    let (nick, jid) = (t.nick("bob"), server.jid());
    let name = jid.split('@').next().unwrap_or_default();
    register(&phone, GATEWAY, &[("nick", &nick), ("server", name)]).await?;
    let session = accept_own(&t, &server).await?;
    let there =
        |stanza: &Element| stanza.is_presence() && stanza.from() == GATEWAY && stanza.kind().is_empty();
    phone
        .expect_none("presence before the login", GATEWAY, there)
        .await?;
    session.send(":irc.test CAP * LS :").await?;
    session.send(format!(":irc.test 001 {nick} :Welcome")).await?;
    session.send(format!(":irc.test 422 {nick} :No motd")).await?;
    let presence = phone.expect("the gateway's presence", there).await?;
    ensure!(
        presence.child_text("show").is_none(),
        "it is online without reservations: {}",
        presence.xml()
    );
    phone.ok("set", GATEWAY, removal()).await?;
    Ok(())
}

async fn a_wrong_password_is_asked_for_once(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    log_out(&phone, &services, session).await?;
    services.set_password("bob", "changed on the network");

    let there =
        |stanza: &Element| stanza.is_presence() && stanza.from() == GATEWAY && stanza.kind().is_empty();
    let asks = |stanza: &Element| stanza.is_message() && stanza.from() == GATEWAY;
    phone.take_all(|stanza| there(stanza) || asks(stanza));
    send_presence(&phone, GATEWAY, "").await?;
    let error = phone.expect_presence(GATEWAY, "error").await?;
    let words = ensure_error(&error, "not-authorized", "auth", "401")?;
    ensure!(
        words.contains("SASL authentication failed"),
        "in the network's words: {words}"
    );
    let request = phone.expect("a request for new credentials", asks).await?;
    let body = request.body().unwrap_or_default();
    ensure!(
        body.contains(&format!("xmpp:{GATEWAY}?command;node=register")),
        "with a link to the command: {body}"
    );

    // It is the user's turn now: nothing is tried, and nothing asked, by itself.
    let tried = services.connections();
    ensure!(tried == session + 1, "one attempt: {:?}", services.events());
    log_out_offline(&phone).await?;
    send_presence(&phone, GATEWAY, "").await?;
    let error = phone.expect_presence(GATEWAY, "error").await?;
    ensure_error(&error, "not-authorized", "auth", "401")?;
    ensure!(
        services.connections() == tried + 1,
        "a new presence is one new attempt"
    );
    phone.expect_none("a second request", GATEWAY, asks).await?;
    phone.expect_none("presence", GATEWAY, there).await?;

    // With the new password all is well.
    let fields = [("password", "changed on the network"), ("username", "bob")];
    phone
        .ok("set", GATEWAY, super::registration_support::by_fields(&fields))
        .await?;
    phone.expect("the gateway's presence", there).await?;
    services.end(&phone).await
}

/// Tells the gateway that the user goes, where no session has to end.
async fn log_out_offline(phone: &Client) -> Result<()> {
    send_presence(phone, GATEWAY, "unavailable").await?;
    phone.expect_presence(GATEWAY, "unavailable").await?;
    Ok(())
}

async fn an_unreachable_network_is_tried_again(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    log_out(&phone, &services, session).await?;
    services.close_door().await;

    let there =
        |stanza: &Element| stanza.is_presence() && stanza.from() == GATEWAY && stanza.kind().is_empty();
    phone.take_all(there);
    send_presence(&phone, GATEWAY, "").await?;
    let error = phone.expect_presence(GATEWAY, "error").await?;
    let words = ensure_error(&error, "remote-server-timeout", "wait", "504")?;
    ensure!(!words.is_empty(), "in words: {}", error.xml());
    phone.expect_none("presence", GATEWAY, there).await?;

    services.reopen().await?;
    services.expect_online(&t.nick("bob")).await?;
    phone.expect("the gateway's presence, at last", there).await?;
    services.end(&phone).await
}

/// Whether somebody is on the network.
async fn is_on(peer: &IrcPeer, nick: &str) -> Result<bool> {
    peer.send(format!("ISON {nick}")).await?;
    let online = peer.expect_command("303", &[]).await?;
    Ok(online.last().contains(nick))
}

async fn a_restarted_gateway_finds_who_is_online(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    let server = t.world().irc_name();
    register(&phone, GATEWAY, &[("nick", &nick), ("server", server)]).await?;
    phone.expect_presence(GATEWAY, "").await?;
    befriend(&phone, GATEWAY).await?;
    // Somebody who never agreed to be watched is registered as well, and somebody without a home on the network.
    let (shy, homeless) = (t.client("shy").await?, t.client("homeless").await?);
    register(&shy, GATEWAY, &[("nick", &t.nick("shy")), ("server", server)]).await?;
    shy.expect_presence(GATEWAY, "").await?;
    register(&homeless, GATEWAY, &[("nick", &t.nick("hobo"))]).await?;
    homeless.expect_presence(GATEWAY, "").await?;
    befriend(&homeless, GATEWAY).await?;

    t.world().gateway().kill().await?;
    while is_on(&alice, &nick).await? {}
    for client in [&phone, &shy, &homeless] {
        client.take_all(|stanza| stanza.is_from(GATEWAY));
    }
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;

    // The clients have not been touched.
    phone.expect_presence(GATEWAY, "").await?;
    homeless.expect_presence(GATEWAY, "").await?;
    ensure!(is_on(&alice, &nick).await?, "{nick} is back");
    // The gateway cannot know whether they are there; it says how things stand.
    shy.expect_presence(GATEWAY, "unavailable").await?;
    Ok(())
}
