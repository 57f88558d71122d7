//! Looking at a registration and changing it (XEP-0077 §3.3, XEP-0100 §4.2).

use viaduct_gateway_tests::prelude::*;

use super::login_services::{Event, Services};
use super::registration_support::{
    by_fields, by_form, ensure_error, field, form_of, is_registered, names, question, register, value,
};

pub(crate) const CASES: &[Case] = &[
    case!(shows_what_is_on_file_but_no_secret).rows("G30 G31"),
    case!(unchanged_data_changes_nothing).rows("G32"),
    case!(a_new_password_is_checked_first).rows("G32 G35"),
    case!(a_refused_change_leaves_all_as_it_was).rows("G33 G36 G28"),
    case!(an_empty_password_leaves_the_stored_one).rows("G34"),
    case!(a_password_change_without_its_parts_is_refused).rows("G35 G36 G28"),
    case!(a_new_nickname_is_taken_on_the_network).rows("G32"),
];

/// A user who is registered with an account, and logged in.
async fn registered(t: &Ctx, phone: &Client) -> Result<(Services, usize)> {
    let nick = t.nick("bob");
    let services = Services::open(t, "bob", "right").await?;
    register(phone, GATEWAY, &services.fields(&nick, "bob", "right")).await?;
    phone.expect_presence(GATEWAY, "").await?;
    // One connection checked the password; the other, the last, is the session.
    let number = services.connections();
    let online = |event: &Event| matches!(event, Event::Online(which, _) if *which == number);
    services.expect("the session", online).await?;
    services.forget();
    Ok((services, number))
}

async fn shows_what_is_on_file_but_no_secret(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, _) = registered(&t, &phone).await?;
    let laptop = t.client_of(&phone, "laptop").await?;
    let mut seen = Vec::new();
    for client in [&phone, &laptop] {
        let answer = client.ok("get", GATEWAY, question()).await?;
        let query = answer
            .get_child("query", ns::REGISTER)
            .context("a query")?
            .clone();
        ensure!(
            query.has_child("registered", ns::REGISTER),
            "the user is registered: {}",
            answer.xml()
        );
        let instructions = query.get_child("instructions", ns::REGISTER).map(Element::text);
        ensure!(
            instructions.is_some_and(|text| !text.is_empty()),
            "{}",
            answer.xml()
        );
        for (name, on_file) in [
            ("nick", t.nick("bob").as_str()),
            ("server", services.name()),
            ("username", "bob"),
            ("password", ""),
        ] {
            let shown = value(&answer, name)?;
            ensure!(shown == on_file, "{name} is '{shown}': {}", answer.xml());
            if let Some(outside) = query.get_child(name, ns::REGISTER) {
                ensure!(outside.text() == on_file, "{name} outside: {}", answer.xml());
            }
        }
        ensure!(!answer.xml().contains("right"), "no secret: {}", answer.xml());
        seen.push(query);
    }
    ensure!(seen[0] == seen[1], "every resource gets the same");
    services.end(&phone).await
}

async fn unchanged_data_changes_nothing(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    let nick = t.nick("bob");
    for password in ["right", ""] {
        let again = by_form(&services.fields(&nick, "bob", password));
        phone.ok("set", GATEWAY, again).await?;
    }
    let fields = [
        ("nick", nick.as_str()),
        ("username", "bob"),
        ("password", "right"),
    ];
    phone.ok("set", GATEWAY, by_fields(&fields)).await?;
    phone.settle(GATEWAY).await?;
    ensure!(
        services.connections() == session,
        "no login for what is known already: {:?}",
        services.events()
    );
    let left = |event: &Event| matches!(event, Event::Quit(who, _) if *who == session);
    ensure!(
        !services.events().iter().any(left),
        "the session stays: {:?}",
        services.events()
    );
    let asks = |stanza: &Element| stanza.is_presence() && stanza.kind() == "subscribe";
    phone.take_all(asks);
    phone.settle(GATEWAY).await?;
    phone
        .expect_none("another subscription request", GATEWAY, asks)
        .await?;
    services.end(&phone).await
}

async fn a_new_password_is_checked_first(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    services.set_password("bob", "fresh");
    // The fields of a password change, and nothing else.
    let change = by_fields(&[("username", "bob"), ("password", "fresh")]);
    phone.ok("set", GATEWAY, change).await?;
    let checked = |event: &Event| matches!(event, Event::Password(number, given, true) if *number > session && given == "fresh");
    let events = services.events();
    ensure!(
        events.iter().any(checked),
        "the new password was accepted before the result: {events:?}"
    );

    // It is the one on file from now on: a new connection uses it.
    services.expect("the check", checked).await?;
    services
        .expect("the session with the new password", checked)
        .await?;
    let answer = phone.ok("get", GATEWAY, question()).await?;
    ensure!(
        value(&answer, "nick")? == t.nick("bob"),
        "the rest stays: {}",
        answer.xml()
    );
    ensure!(
        !answer.xml().contains("fresh"),
        "the secret is not shown: {}",
        answer.xml()
    );
    services.end(&phone).await
}

async fn a_refused_change_leaves_all_as_it_was(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    let (nick, secret) = (t.nick("bob"), "wrong-secret-51a7");
    let attempts = [
        by_form(&services.fields(&nick, "bob", secret)),
        by_fields(&[("username", "bob"), ("password", secret)]),
    ];
    for attempt in attempts {
        let answer = phone.set(GATEWAY, attempt).await?;
        ensure_error(&answer, "not-acceptable", "modify", "406")?;
        ensure!(!answer.xml().contains(secret), "no secret: {}", answer.xml());
        ensure!(
            answer.find("query", ns::REGISTER).is_none(),
            "no payload: {}",
            answer.xml()
        );
    }
    let left = |event: &Event| matches!(event, Event::Quit(number, _) if *number == session);
    ensure!(
        !services.events().iter().any(left),
        "the session stays: {:?}",
        services.events()
    );

    // The session works, and the old password is still the one that is used.
    let connections = services.connections();
    phone.chat(&services.person("alice"), "still here").await?;
    let alive = services.session(session);
    alive.expect_command("PRIVMSG", &["alice", "still here"]).await?;
    alive.cut().await;
    let back = |event: &Event| matches!(event, Event::Password(number, given, true) if *number > connections && given == "right");
    services
        .expect("the old password on the next connection", back)
        .await?;
    services.end(&phone).await
}

async fn an_empty_password_leaves_the_stored_one(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    phone
        .ok(
            "set",
            GATEWAY,
            by_fields(&[("username", "bob"), ("password", "")]),
        )
        .await?;
    ensure!(
        services.connections() == session,
        "nothing has changed: {:?}",
        services.events()
    );
    services.session(session).cut().await;
    let back = |event: &Event| matches!(event, Event::Password(number, given, true) if *number > session && given == "right");
    services
        .expect("the stored password on the next connection", back)
        .await?;

    // Also where something else changes with it.
    let other = t.nick("rob");
    let change = by_form(&services.fields(&other, "bob", ""));
    phone.ok("set", GATEWAY, change).await?;
    let (_, number) = services.expect_online(&other).await?;
    let right = |event: &Event| matches!(event, Event::Password(who, given, true) if *who == number && given == "right");
    services
        .expect("the stored password with the new nickname", right)
        .await?;
    services.end(&phone).await
}

async fn a_password_change_without_its_parts_is_refused(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (services, session) = registered(&t, &phone).await?;
    let secret = "lonely-secret-3c9e";
    for fields in [&[("password", secret)][..], &[("username", "bob")][..], &[][..]] {
        let answer = phone.set(GATEWAY, by_fields(fields)).await?;
        ensure_error(&answer, "bad-request", "modify", "400").with_context(|| format!("{fields:?}"))?;
        ensure!(!answer.xml().contains(secret), "no secret: {}", answer.xml());
        ensure!(
            answer.find("query", ns::REGISTER).is_none(),
            "no payload: {}",
            answer.xml()
        );
    }
    ensure!(
        services.connections() == session,
        "nothing was tried: {:?}",
        services.events()
    );
    ensure!(is_registered(&phone, GATEWAY).await?, "the registration stays");
    services.end(&phone).await
}

async fn a_new_nickname_is_taken_on_the_network(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let alice = t.irc("alice").await?;
    let channel = t.channel();
    alice.join(&channel).await?;
    let (nick, other) = (t.nick("bob"), t.nick("rob"));
    let server = t.world().irc_name();
    register(&phone, GATEWAY, &[("nick", &nick), ("server", server)]).await?;
    phone.join(&t.room(&channel), &nick).await?;
    alice.expect_join(&nick, &channel).await?;

    let answer = phone.ok("get", GATEWAY, question()).await?;
    ensure!(names(form_of(&answer)?).contains(&"nick"), "{}", answer.xml());
    ensure!(
        field(&answer, "nick")?.child_text("value").as_deref() == Some(&nick),
        "{}",
        answer.xml()
    );
    register(&phone, GATEWAY, &[("nick", &other), ("server", server)]).await?;
    alice.expect_join(&other, &channel).await?;
    let renamed = |stanza: &Element| {
        stanza.is_presence()
            && stanza.is_from(&t.room(&channel))
            && stanza.has_status(110)
            && stanza.nick() == other
    };
    phone.expect("the new nickname in the room", renamed).await?;
    Ok(())
}
