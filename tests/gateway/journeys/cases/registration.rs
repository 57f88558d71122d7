//! The form of in-band registration, and what is checked before any network is asked (XEP-0077 §3.1, §4–§6).

use viaduct_gateway_tests::prelude::*;

use super::registration_support::{
    STANDARD, by_fields, by_form, ensure_error, field, form_of, is_registered, names, question, register,
    removal, value,
};

pub(crate) const CASES: &[Case] = &[
    case!(asks_for_what_it_needs).rows("G11"),
    case!(strangers_cannot_register).rows("G12 G28"),
    case!(standard_fields_have_their_standard_names).rows("G13 G14 G15"),
    case!(old_clients_register_without_a_form).rows("G13 G15"),
    case!(the_form_wins_over_the_fields).rows("G17"),
    case!(a_missing_field_is_named).rows("G18 G28"),
    case!(links_to_register_and_unregister_lead_here).rows("G29"),
];

async fn asks_for_what_it_needs(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    for gateway in [GATEWAY, FIXED_GATEWAY] {
        let answer = phone.ok("get", gateway, question()).await?;
        let instructions = answer.find("instructions", ns::REGISTER).map(Element::text);
        ensure!(
            instructions.is_some_and(|text| !text.trim().is_empty()),
            "there are instructions: {}",
            answer.xml()
        );
        ensure!(
            answer.find("registered", ns::REGISTER).is_none(),
            "nobody is registered yet: {}",
            answer.xml()
        );
        ensure!(
            answer.find("nick", ns::REGISTER).is_some(),
            "the nickname is asked for, with and without a form: {}",
            answer.xml()
        );
        let nick = field(&answer, "nick")?;
        ensure!(
            nick.children().any(|child| child.name() == "required"),
            "a nickname is required: {}",
            answer.xml()
        );
        for field in answer.find_all("field", ns::DATA) {
            let hidden = field.attr("type") == Some("hidden");
            ensure!(
                hidden || field.attr("label").is_some_and(|label| !label.is_empty()),
                "each field is explained: {}",
                answer.xml()
            );
        }
    }
    Ok(())
}

async fn strangers_cannot_register(t: Ctx) -> Result<()> {
    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    let features = stranger.disco_info(GATEWAY, None).await?.features();
    ensure!(
        !features.iter().any(|feature| feature == ns::REGISTER),
        "registration is not advertised: {features:?}"
    );
    let fields = [("nick", "mallory")];
    let asks = stranger.get(GATEWAY, question()).await?;
    let tries = stranger.set(GATEWAY, by_form(&fields)).await?;
    let again = stranger.set(FIXED_GATEWAY, by_fields(&fields)).await?;
    let leaves = stranger.set(GATEWAY, removal()).await?;
    for answer in [asks, tries, again, leaves] {
        let words = ensure_error(&answer, "forbidden", "auth", "403")?;
        ensure!(words.contains(OTHER_DOMAIN), "it says why: {words}");
    }
    Ok(())
}

async fn standard_fields_have_their_standard_names(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    for (gateway, own) in [(GATEWAY, Some("server")), (FIXED_GATEWAY, None)] {
        let answer = phone.ok("get", gateway, question()).await?;
        let query = answer.get_child("query", ns::REGISTER).context("a query")?;
        for child in query.children().filter(|child| child.ns() == ns::REGISTER) {
            let known = STANDARD.contains(&child.name()) || child.name() == "instructions";
            ensure!(
                known,
                "'{}' is no field of XEP-0077: {}",
                child.name(),
                answer.xml()
            );
        }
        let form = form_of(&answer)?;
        ensure!(
            form.attr("type") == Some("form") && value(&answer, "FORM_TYPE")? == ns::REGISTER,
            "a form of the registered type: {}",
            answer.xml()
        );
        let names = names(form);
        // The account with its password, the nickname and the real name have names in the standard.
        let mapped = ["nick", "username", "password", "name"];
        for standard in mapped {
            ensure!(names.contains(&standard), "the form has '{standard}': {names:?}");
        }
        ensure!(
            field(&answer, "password")?.attr("type") == Some("text-private"),
            "a password is not shown: {}",
            answer.xml()
        );
        if let Some(own) = own {
            ensure!(
                names.contains(&own),
                "what has no standard name is in the form: {names:?}"
            );
        }
        let outside: Vec<&str> = query
            .children()
            .map(Element::name)
            .filter(|name| STANDARD.contains(name))
            .collect();
        ensure!(
            outside.iter().all(|name| names.contains(name)),
            "the form repeats {outside:?}: {names:?}"
        );
        // If the fields alone cannot suffice, they are not offered.
        let beyond = answer.find_all("field", ns::DATA).into_iter().any(|field| {
            let required = field.children().any(|child| child.name() == "required");
            required && !STANDARD.contains(&field.attr("var").unwrap_or_default())
        });
        ensure!(
            outside.is_empty() == beyond,
            "fields outside of the form: {outside:?}; the form requires others: {beyond}"
        );
        for standard in mapped.iter().filter(|_| !beyond) {
            ensure!(
                outside.contains(standard),
                "'{standard}' is outside of the form as well: {outside:?}"
            );
        }
    }
    Ok(())
}

async fn old_clients_register_without_a_form(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let answer = phone.ok("get", FIXED_GATEWAY, question()).await?;
    let query = answer.get_child("query", ns::REGISTER).context("a query")?;
    ensure!(
        query.children().any(|child| child.is("nick", ns::REGISTER)),
        "there is a field outside of the form: {}",
        answer.xml()
    );
    phone
        .ok("set", FIXED_GATEWAY, by_fields(&[("nick", &nick)]))
        .await?;
    let answer = phone.ok("get", FIXED_GATEWAY, question()).await?;
    let on_file = answer.find("nick", ns::REGISTER).map(Element::text);
    ensure!(
        on_file.as_deref() == Some(&nick) && value(&answer, "nick")? == nick,
        "the nickname is on file, both ways: {}",
        answer.xml()
    );
    Ok(())
}

async fn the_form_wins_over_the_fields(t: Ctx) -> Result<()> {
    let (phone, nick, other) = (t.client("phone").await?, t.nick("bob"), t.nick("eve"));
    let both = tag("query")
        .ns(ns::REGISTER)
        .child(tag("nick").text(&other))
        .child(super::registration_support::form(
            Some(ns::REGISTER),
            &[("nick", &nick)],
        ))
        .child(tag("name").text("Eve"));
    phone.ok("set", FIXED_GATEWAY, both).await?;
    let answer = phone.ok("get", FIXED_GATEWAY, question()).await?;
    ensure!(
        value(&answer, "nick")? == nick && value(&answer, "name")?.is_empty(),
        "only the form counts: {}",
        answer.xml()
    );
    Ok(())
}

async fn a_missing_field_is_named(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let server = t.world().irc_name();
    let nick = t.nick("bob");
    let attempts = [
        (by_form(&[("server", server)]), "nick"),
        (by_form(&[("nick", ""), ("server", server)]), "nick"),
        (by_form(&[("nick", "   "), ("server", server)]), "nick"),
        (by_fields(&[("name", "Bob")]), "nick"),
        (by_fields(&[]), "nick"),
        // An account without its password.
        (
            by_form(&[("nick", &nick), ("server", server), ("username", "bob")]),
            "password",
        ),
        (
            by_form(&[
                ("nick", &nick),
                ("server", server),
                ("username", "bob"),
                ("password", ""),
            ]),
            "password",
        ),
    ];
    for (attempt, missing) in attempts {
        let answer = phone.set(GATEWAY, &attempt).await?;
        let words = ensure_error(&answer, "not-acceptable", "modify", "406")
            .with_context(|| format!("without {missing}: {attempt}"))?;
        ensure!(words.contains(missing), "'{missing}' is named: {words}");
        ensure!(
            !is_registered(&phone, GATEWAY).await?,
            "nothing is kept of a refused registration"
        );
    }
    Ok(())
}

async fn links_to_register_and_unregister_lead_here(t: Ctx) -> Result<()> {
    // A client that opens xmpp:irc.localhost?register asks, shows the form, and submits it as it was sent (XEP-0077
    // §13.3), with the user's answers.
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let asked = phone.ok("get", GATEWAY, question()).await?;
    let form = form_of(&asked)?;
    let mut filled = Vec::new();
    for name in names(form) {
        let answer = match name {
            "FORM_TYPE" => continue,
            "nick" => nick.clone(),
            "server" => t.world().irc_name().to_owned(),
            name => value(&asked, name)?,
        };
        filled.push((name, answer));
    }
    let fields: Vec<(&str, &str)> = filled
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    register(&phone, GATEWAY, &fields).await?;
    ensure!(is_registered(&phone, GATEWAY).await?, "?register registers");

    // xmpp:irc.localhost?unregister (§3.2).
    let done = phone.ok("set", GATEWAY, removal()).await?;
    ensure!(done.children().next().is_none(), "{}", done.xml());
    ensure!(!is_registered(&phone, GATEWAY).await?, "?unregister unregisters");
    Ok(())
}
