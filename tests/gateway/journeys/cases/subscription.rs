//! Subscriptions between a user and the gateway (XEP-0100 §4.1.1).

use viaduct_gateway_tests::prelude::*;

use super::link_fake::Second;
use super::registration_support::{befriend, by_form, ensure_error, is_registered, register, send_presence};

pub(crate) const CASES: &[Case] = &[
    case!(a_registration_asks_for_the_users_presence_once).rows("G23 G4"),
    case!(the_request_goes_out_once_and_from_the_domain)
        .rows("G23 G4")
        .only(&[Backend::Prosody]),
    case!(the_registered_may_subscribe).rows("G24"),
    case!(who_is_not_registered_is_told_how).rows("G24"),
    case!(strangers_may_not_subscribe).rows("G24"),
    case!(a_registration_logs_in_at_once).rows("G25"),
];

async fn a_registration_asks_for_the_users_presence_once(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    let id = phone.fresh_id();
    let fields = [("nick", t.nick("bob"))];
    let fields = [("nick", fields[0].1.as_str())];
    let iq = tag("iq")
        .attr("type", "set")
        .attr("id", &id)
        .attr("to", FIXED_GATEWAY);
    phone
        .send(iq.child(super::registration_support::by_form(&fields)))
        .await?;
    let of_gateway = |stanza: &Element| {
        stanza.from() == FIXED_GATEWAY
            && (stanza.id() == id || (stanza.is_presence() && stanza.kind() == "subscribe"))
    };
    let first = phone.expect("the result", of_gateway).await?;
    ensure!(
        first.is_iq() && first.kind() == "result",
        "first the result: {}",
        first.xml()
    );
    let asks = phone.expect("the request", of_gateway).await?;
    ensure!(
        asks.is_presence() && bare(asks.to()) == phone.bare(),
        "to the bare JID: {}",
        asks.xml()
    );
    laptop.expect_presence(FIXED_GATEWAY, "subscribe").await?;

    // Changing the registration does not ask again, not even somebody who said no.
    send_presence(&phone, FIXED_GATEWAY, "unsubscribed").await?;
    phone.settle(FIXED_GATEWAY).await?;
    register(
        &phone,
        FIXED_GATEWAY,
        &[("nick", &t.nick("bob")), ("name", "Bob")],
    )
    .await?;
    phone
        .expect_none("a second request", FIXED_GATEWAY, of_gateway)
        .await
}

async fn the_request_goes_out_once_and_from_the_domain(t: Ctx) -> Result<()> {
    // XMPP servers pass on one of several requests only, and not the resource that it came from.
    let second = Second::start(&t, "").await?;
    let link = second.attached(FIXED_GATEWAY).await?;
    let (user, nick) = (format!("bob@{DOMAIN}"), t.nick("bob"));
    let phone = format!("{user}/phone");
    let iq = tag("iq")
        .attr("type", "set")
        .attr("id", "register")
        .attr("from", &phone)
        .attr("to", FIXED_GATEWAY)
        .child(by_form(&[("nick", &nick)]));
    link.send(&iq.to_string()).await?;
    let result = |stanza: &Element| stanza.is_iq() && stanza.id() == "register";
    let result = link.expect("the result", result).await?;
    ensure!(result.kind() == "result", "{}", result.xml());
    link.settle(&phone).await?;
    let all = link.take_all();
    let asks: Vec<_> = all
        .iter()
        .filter(|stanza| stanza.is_presence() && stanza.kind() == "subscribe")
        .map(|stanza| (stanza.from(), stanza.to()))
        .collect();
    ensure!(
        asks == [(FIXED_GATEWAY, user.as_str())],
        "one request, from the domain to the bare JID: {asks:?}"
    );
    second.stop().await
}

async fn the_registered_may_subscribe(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    register(&phone, FIXED_GATEWAY, &[("nick", &t.nick("bob"))]).await?;
    befriend(&phone, FIXED_GATEWAY).await?;
    let roster = phone.roster().await?;
    let items = roster.find_all("item", ns::ROSTER);
    let item = items.iter().find(|item| item.attr("jid") == Some(FIXED_GATEWAY));
    ensure!(
        item.and_then(|item| item.attr("subscription")) == Some("both"),
        "both see each other: {}",
        roster.xml()
    );
    // Once agreed, it stays agreed, and nothing goes round in a circle.
    let about_it = |stanza: &Element| stanza.is_presence() && stanza.kind().contains("subscribe");
    phone.take_all(about_it);
    send_presence(&phone, FIXED_GATEWAY, "subscribed").await?;
    phone.settle(FIXED_GATEWAY).await?;
    phone
        .expect_none("more about subscriptions", FIXED_GATEWAY, about_it)
        .await
}

async fn who_is_not_registered_is_told_how(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    phone.roster().await?;
    send_presence(&phone, GATEWAY, "subscribe").await?;
    let refusal = phone.expect_presence(GATEWAY, "unsubscribed").await?;
    ensure!(
        bare(refusal.to()) == phone.bare(),
        "to the bare JID: {}",
        refusal.xml()
    );
    let hint = |stanza: &Element| stanza.is_message() && stanza.from() == GATEWAY;
    let hint = phone.expect("a hint", hint).await?;
    ensure!(
        hint.body()
            .is_some_and(|body| body.to_lowercase().contains("register")),
        "it says what to do: {}",
        hint.xml()
    );
    ensure!(
        !is_registered(&phone, GATEWAY).await?,
        "a subscription is no registration"
    );
    let agrees = |stanza: &Element| {
        stanza.is_presence() && stanza.from() == GATEWAY && stanza.kind() != "unsubscribed"
    };
    phone.expect_none("any other presence", GATEWAY, agrees).await
}

async fn strangers_may_not_subscribe(t: Ctx) -> Result<()> {
    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    stranger.roster().await?;
    stranger.go_online().await?;
    send_presence(&stranger, GATEWAY, "subscribe").await?;
    stranger.expect_presence(GATEWAY, "unsubscribed").await?;
    let hint = |stanza: &Element| stanza.is_message() && stanza.from() == GATEWAY;
    let hint = stranger.expect("the reason", hint).await?;
    ensure!(
        hint.body().is_some_and(|body| body.contains(OTHER_DOMAIN)),
        "it says why: {}",
        hint.xml()
    );
    let id = stranger.chat(GATEWAY, "help").await?;
    ensure_error(&stranger.expect_error(&id).await?, "forbidden", "auth", "403")?;
    Ok(())
}

async fn a_registration_logs_in_at_once(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let alice = t.irc("alice").await?;
    register(
        &phone,
        GATEWAY,
        &[("nick", &nick), ("server", t.world().irc_name())],
    )
    .await?;
    // No further presence is sent; yet the gateway is there, and the user is on the network.
    let there = phone.expect_presence(GATEWAY, "").await?;
    ensure!(there.from() == GATEWAY, "{}", there.xml());
    alice.send(format!("ISON {nick}")).await?;
    let online = alice.expect_command("303", &[]).await?;
    ensure!(online.last().contains(&nick), "{nick} is on IRC: {online}");
    Ok(())
}
