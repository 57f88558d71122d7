//! Leaving the gateway for good (XEP-0077 §3.2, XEP-0100 §4.3).

use viaduct_gateway_tests::prelude::*;

use super::login_services::welcome_own;
use super::registration_record as record;
use super::registration_support::{
    befriend, by_form, ensure_error, is_registered, question, register, removal, value,
};

pub(crate) const CASES: &[Case] = &[
    case!(any_resource_unregisters_its_own_user_only).rows("G37"),
    case!(the_network_sees_the_leave_before_the_user_sees_the_result).rows("G38"),
    case!(the_others_see_the_leave).rows("G38"),
    case!(nothing_is_left).rows("G39"),
    case!(rooms_are_left_with_a_reason).rows("G40"),
    case!(who_is_not_registered_cannot_unregister).rows("G41 G28"),
    case!(no_confirmation_is_demanded).rows("G42"),
];

/// Registers with the real IRC server and waits until the user is logged in.
async fn log_in(t: &Ctx, client: &Client, nick: &str) -> Result<()> {
    register(
        client,
        GATEWAY,
        &[("nick", nick), ("server", t.world().irc_name())],
    )
    .await?;
    client.expect_presence(GATEWAY, "").await?;
    Ok(())
}

async fn any_resource_unregisters_its_own_user_only(t: Ctx) -> Result<()> {
    let (phone, other) = (t.client("phone").await?, t.client("other").await?);
    log_in(&t, &phone, &t.nick("bob")).await?;
    log_in(&t, &other, &t.nick("eve")).await?;
    let laptop = t.client_of(&phone, "laptop").await?;

    let foreign = tag("query").ns(ns::REGISTER).child(tag("remove"));
    let foreign = foreign.child(tag("username").text(other.bare()));
    let answer = laptop.set(GATEWAY, foreign).await?;
    ensure_error(&answer, "bad-request", "modify", "400")?;
    ensure!(is_registered(&other, GATEWAY).await?, "the other user stays");
    ensure!(
        is_registered(&phone, GATEWAY).await?,
        "and so does the one who asked"
    );

    laptop.ok("set", GATEWAY, removal()).await?;
    ensure!(
        !is_registered(&phone, GATEWAY).await?,
        "the user is gone with all resources"
    );
    ensure!(is_registered(&other, GATEWAY).await?, "the other user is not");
    Ok(())
}

async fn the_network_sees_the_leave_before_the_user_sees_the_result(t: Ctx) -> Result<()> {
    let (phone, server, nick) = (t.client("phone").await?, t.scripted().await?, t.nick("bob"));
    let jid = server.jid();
    let name = jid.split('@').next().unwrap_or_default();
    register(&phone, GATEWAY, &[("nick", &nick), ("server", name)]).await?;
    let session = welcome_own(&t, &server).await?;
    phone.expect_presence(GATEWAY, "").await?;
    // With subscriptions both ways, the server passes on that they end.
    befriend(&phone, GATEWAY).await?;
    phone.take_all(|_| true);

    let id = phone.fresh_id();
    let iq = tag("iq").attr("type", "set").attr("id", &id).attr("to", GATEWAY);
    phone.send(iq.child(removal())).await?;
    session.expect_command("QUIT", &[]).await?;
    // The network has not let go yet.
    let of_gateway = |stanza: &Element| stanza.from() == GATEWAY;
    phone
        .expect_none("anything from the gateway", FIXED_GATEWAY, of_gateway)
        .await?;
    session.send("ERROR :Closing link").await?;
    session.cut().await;

    let mut order = Vec::new();
    while order.len() < 4 {
        let stanza = phone.expect("the end of all relations", of_gateway).await?;
        order.push((stanza.name().to_owned(), stanza.kind().to_owned()));
    }
    let order: Vec<(&str, &str)> = order.iter().map(|(name, kind)| (&**name, &**kind)).collect();
    ensure!(
        order
            == [
                ("iq", "result"),
                ("presence", "unsubscribe"),
                ("presence", "unsubscribed"),
                ("presence", "unavailable")
            ],
        "in this order: {order:?}"
    );
    phone
        .expect_none("more from the gateway", FIXED_GATEWAY, of_gateway)
        .await
}

async fn the_others_see_the_leave(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    let channel = t.channel();
    alice.join(&channel).await?;
    log_in(&t, &phone, &nick).await?;
    phone.join(&t.room(&channel), &nick).await?;
    phone.ok("set", GATEWAY, removal()).await?;
    alice.fence().await?;
    let left = |line: &Line| line.command == "QUIT" && line.nick() == nick;
    let quits = alice.take_all(left);
    ensure!(
        quits.len() == 1,
        "the others see the leave before the result, once: {quits:?}"
    );
    Ok(())
}

async fn nothing_is_left(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    log_in(&t, &phone, &nick).await?;
    let channel = t.channel();
    alice.join(&channel).await?;
    phone.join(&t.room(&channel), &nick).await?;
    let words = t.nick("soon gone");
    phone.say(&t.room(&channel), &words).await?;
    phone.expect_body(&t.room(&channel), &words).await?;
    for text in [phone.bare(), &words] {
        let rows = record::rows_with(&t, text)?;
        ensure!(!rows.is_empty(), "'{text}' is on record");
    }

    phone.ok("set", GATEWAY, removal()).await?;
    let answer = phone.ok("get", GATEWAY, question()).await?;
    ensure!(
        answer.find("registered", ns::REGISTER).is_none(),
        "{}",
        answer.xml()
    );
    for name in ["username", "password", "server"] {
        ensure!(
            value(&answer, name)?.is_empty(),
            "{name} is forgotten: {}",
            answer.xml()
        );
    }
    ensure!(
        !value(&answer, "nick")?.contains(&nick),
        "the nickname is forgotten: {}",
        answer.xml()
    );
    let rows = record::rows_with(&t, phone.bare())?;
    ensure!(
        rows.is_empty(),
        "nothing of the user is in the database: {rows:?}"
    );
    // What was said goes a slice at a time.
    record::erased(&t, &words).await
}

async fn rooms_are_left_with_a_reason(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    log_in(&t, &phone, &nick).await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    let channel = t.channel();
    let room = t.room(&channel);
    alice.join(&channel).await?;
    phone.join(&room, &nick).await?;
    laptop.join(&room, &nick).await?;

    laptop.ok("set", GATEWAY, removal()).await?;
    for client in [&phone, &laptop] {
        let gone = client
            .expect_presence(&format!("{room}/{nick}"), "unavailable")
            .await?;
        let reason = gone
            .find("reason", ns::MUC_USER)
            .map(Element::text)
            .or(gone.child_text("status"));
        ensure!(
            gone.has_status(110) && (gone.has_status(321) || gone.has_status(332)),
            "removed for a reason: {}",
            gone.xml()
        );
        ensure!(
            reason.is_some_and(|text| !text.is_empty()),
            "in words: {}",
            gone.xml()
        );
        let again =
            |stanza: &Element| stanza.is_presence() && stanza.is_from(&room) && stanza.has_status(110);
        client.expect_none("a second leave", GATEWAY, again).await?;
    }
    Ok(())
}

async fn who_is_not_registered_cannot_unregister(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let answer = phone.set(GATEWAY, removal()).await?;
    ensure_error(&answer, "registration-required", "auth", "407")?;

    log_in(&t, &phone, &t.nick("bob")).await?;
    for sibling in ["username", "nick", "key"] {
        let both = tag("query").ns(ns::REGISTER).child(tag("remove"));
        let answer = phone.set(GATEWAY, both.child(tag(sibling).text("x"))).await?;
        ensure_error(&answer, "bad-request", "modify", "400").context(sibling)?;
    }
    ensure!(is_registered(&phone, GATEWAY).await?, "the registration stays");

    phone.ok("set", GATEWAY, removal()).await?;
    let answer = phone.set(GATEWAY, removal()).await?;
    ensure_error(&answer, "registration-required", "auth", "407")?;

    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    let answer = stranger.set(GATEWAY, removal()).await?;
    ensure_error(&answer, "forbidden", "auth", "403")?;
    Ok(())
}

async fn no_confirmation_is_demanded(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    phone
        .ok("set", FIXED_GATEWAY, by_form(&[("nick", &t.nick("bob"))]))
        .await?;
    // If it were, this would be an error with a form.
    let answer = phone.set(FIXED_GATEWAY, removal()).await?;
    ensure!(
        answer.kind() == "result" && answer.find("x", ns::DATA).is_none(),
        "removed at once: {}",
        answer.xml()
    );
    ensure!(!is_registered(&phone, FIXED_GATEWAY).await?, "for good");
    Ok(())
}
