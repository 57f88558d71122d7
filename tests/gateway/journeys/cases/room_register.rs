//! Registration with a room and voice (XEP-0045 §7.10, §7.13), and what services say of nicknames.

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, refused};

pub(crate) const CASES: &[Case] = &[
    case!(nobody_registers_with_a_room).rows("M70 M71"),
    case!(voice_is_asked_for_in_words).rows("M72"),
    case!(services_are_understood),
];

async fn nobody_registers_with_a_room(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let features = s.phone.disco_info(&s.room, None).await?.features();
    ensure!(!features.contains(&ns::REGISTER.to_owned()), "{features:?}");
    let get = async |client: &Client, room: &str| client.get(room, tag("query").ns(ns::REGISTER)).await;
    let answer = get(&s.phone, &s.room).await?;
    refused(&answer, "service-unavailable")?;
    let text = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains("account"), "it says what to do instead: {text}");
    let field = |var: &str, value: &str| tag("field").attr("var", var).child(tag("value").text(value));
    let form = tag("x")
        .ns(ns::DATA)
        .attr("type", "submit")
        .child(field("FORM_TYPE", "http://jabber.org/protocol/muc#register"))
        .child(field("muc#register_roomnick", &s.nick));
    let set = s
        .phone
        .set(&s.room, tag("query").ns(ns::REGISTER).child(form))
        .await?;
    refused(&set, "service-unavailable")?;
    let unknown = format!("no-room@{GATEWAY}");
    refused(&get(&s.phone, &unknown).await?, "item-not-found")?;
    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    refused(&get(&stranger, &s.room).await?, "not-allowed")
}

async fn voice_is_asked_for_in_words(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, "+m").await?;
    s.flush(&t).await?;
    let field = |var: &str, value: &str| tag("field").attr("var", var).child(tag("value").text(value));
    let ask = async |client: &Client| {
        let form = tag("x")
            .ns(ns::DATA)
            .attr("type", "submit")
            .child(field("FORM_TYPE", "http://jabber.org/protocol/muc#request"))
            .child(field("muc#role", "participant"));
        let id = client.fresh_id();
        let message = tag("message").attr("to", &s.room).attr("id", &id).child(form);
        client.send(message).await?;
        client.expect_error(&id).await
    };
    let answer = ask(&s.phone).await?;
    refused(&answer, "not-allowed")?;
    let text = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains(s.alice.nick()), "it names who can give it: {text}");
    let stranger = t.client("stranger").await?;
    refused(&ask(&stranger).await?, "not-acceptable")
}

async fn services_are_understood(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let nickserv = s.server.person("nickserv");
    let notice = "This nickname is registered. Please identify via /msg NickServ identify.";
    let hint = |stanza: &Element| {
        stanza.is_message()
            && stanza.is_from(&s.server.jid())
            && stanza
                .body()
                .is_some_and(|body| body.contains("belongs to an account"))
    };
    for _ in 0..2 {
        s.session
            .send(format!(":NickServ!s@services NOTICE {} :{notice}", s.nick))
            .await?;
        s.phone
            .expect_body(&nickserv, &format!("[notice] {notice}"))
            .await?;
    }
    let said = s.phone.expect("what to do", hint).await?;
    let body = said.body().unwrap_or_default();
    for part in [s.nick.as_str(), GATEWAY] {
        ensure!(body.contains(part), "{part}: {body}");
    }
    // Who said so may be anybody.
    ensure!(!body.contains(nickserv.as_str()), "{body}");
    s.flush().await?;
    s.phone.expect_none("the same again", GATEWAY, hint).await
}
