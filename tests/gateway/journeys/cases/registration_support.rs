//! What the cases about registration, presence and commands have in common: forms, and the exchange of
//! subscriptions between a user and the gateway (XEP-0077 §3, XEP-0100 §4.1).

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::xmpp::xml::Tag;

/// The fields that XEP-0077 §14.1 has outside of forms, as far as any network of ours uses them.
pub(crate) const STANDARD: &[&str] = &["username", "nick", "password", "name", "email"];

/// A form that is submitted.
pub(crate) fn form(form_type: Option<&str>, fields: &[(&str, &str)]) -> Tag {
    let field = |name: &str, value: &str| tag("field").attr("var", name).child(tag("value").text(value));
    let x = tag("x").ns(ns::DATA).attr("type", "submit");
    let x = form_type.map_or(x.clone(), |form_type| x.child(field("FORM_TYPE", form_type)));
    fields
        .iter()
        .fold(x, |x, (name, value)| x.child(field(name, value)))
}

/// The payload of a registration by form.
pub(crate) fn by_form(fields: &[(&str, &str)]) -> Tag {
    tag("query")
        .ns(ns::REGISTER)
        .child(form(Some(ns::REGISTER), fields))
}

/// The payload of a registration by the fields of XEP-0077 alone.
pub(crate) fn by_fields(fields: &[(&str, &str)]) -> Tag {
    fields
        .iter()
        .fold(tag("query").ns(ns::REGISTER), |query, (name, value)| {
            query.child(tag(name).text(value))
        })
}

/// The payload that unregisters.
pub(crate) fn removal() -> Tag {
    tag("query").ns(ns::REGISTER).child(tag("remove"))
}

/// The payload that asks for the form.
pub(crate) fn question() -> Tag {
    tag("query").ns(ns::REGISTER)
}

/// Registers by form, which must succeed.
pub(crate) async fn register(client: &Client, gateway: &str, fields: &[(&str, &str)]) -> Result<()> {
    let answer = client.ok("set", gateway, by_form(fields)).await?;
    ensure!(
        answer.children().next().is_none(),
        "the result is empty: {}",
        answer.xml()
    );
    Ok(())
}

/// Takes part in the exchange of subscriptions that follows a registration, both ways.
pub(crate) async fn befriend(client: &Client, gateway: &str) -> Result<()> {
    client.expect_presence(gateway, "subscribe").await?;
    // Prosody tells only those of agreements who have asked for their contact list.
    client.roster().await?;
    send_presence(client, gateway, "subscribed").await?;
    send_presence(client, gateway, "subscribe").await?;
    client.expect_presence(gateway, "subscribed").await?;
    // The server has recorded both directions by now: it has passed on what the gateway answered to the second.
    client.settle(gateway).await
}

/// Sends a directed presence of the given type (nothing for available).
pub(crate) async fn send_presence(client: &Client, to: &str, kind: &str) -> Result<()> {
    let presence = tag("presence").attr("to", to);
    let presence = match kind {
        "" => presence,
        kind => presence.attr("type", kind),
    };
    client.send(presence).await
}

/// Whether the user is registered.
pub(crate) async fn is_registered(client: &Client, gateway: &str) -> Result<bool> {
    let answer = client.ok("get", gateway, question()).await?;
    Ok(answer.find("registered", ns::REGISTER).is_some())
}

/// The form in an answer.
pub(crate) fn form_of(answer: &Element) -> Result<&Element> {
    answer
        .find("x", ns::DATA)
        .with_context(|| format!("there is no form in {}", answer.xml()))
}

/// The names of a form's fields.
pub(crate) fn names(form: &Element) -> Vec<&str> {
    let fields = form.children().filter(|child| child.name() == "field");
    fields.filter_map(|field| field.attr("var")).collect()
}

/// A field of the form in an answer.
pub(crate) fn field<'a>(answer: &'a Element, name: &str) -> Result<&'a Element> {
    let fields = answer.find_all("field", ns::DATA);
    fields
        .into_iter()
        .find(|field| field.attr("var") == Some(name))
        .with_context(|| format!("there is no field '{name}' in {}", answer.xml()))
}

/// The value of a field of the form in an answer; nothing if it is empty.
pub(crate) fn value(answer: &Element, name: &str) -> Result<String> {
    Ok(field(answer, name)?.child_text("value").unwrap_or_default())
}

/// Fails unless the stanza is this error, in words, with the legacy code (XEP-0077 §9).
pub(crate) fn ensure_error(answer: &Element, condition: &str, kind: &str, code: &str) -> Result<String> {
    let error = answer
        .error()
        .with_context(|| format!("{condition} was expected: {}", answer.xml()))?;
    ensure!(
        error.condition == condition && error.kind == kind && error.code.as_deref() == Some(code),
        "{condition} ({kind}, {code}) was expected: {}",
        answer.xml()
    );
    Ok(error.text.unwrap_or_default())
}
