//! Registrations that the network checks before they count (XEP-0100 §4.1.1, §4.1.2).

use viaduct_gateway_tests::prelude::*;

use super::login_services::{Event, Services, accept_own};
use super::registration_support::{by_form, ensure_error, is_registered, removal};

pub(crate) const CASES: &[Case] = &[
    case!(the_network_accepts_before_the_gateway_does).rows("G19"),
    case!(a_wrong_password_registers_nobody).rows("G19 G20 G21 G28"),
    case!(an_unreachable_network_registers_nobody).rows("G20 G21 G28"),
    case!(what_came_meanwhile_is_delivered_afterwards).rows("G26"),
];

async fn the_network_accepts_before_the_gateway_does(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let server = t.scripted().await?;
    let name = server.jid().replace(&format!("@{GATEWAY}"), "");
    let fields = [
        ("nick", nick.as_str()),
        ("server", &name),
        ("username", "bob"),
        ("password", "open sesame"),
    ];
    let id = phone.fresh_id();
    let iq = tag("iq").attr("type", "set").attr("id", &id).attr("to", GATEWAY);
    phone.send(iq.child(by_form(&fields))).await?;

    // As far as the question for the password, which is not answered yet.
    let session = accept_own(&t, &server).await?;
    session.expect_command("CAP", &["LS"]).await?;
    session.send(":irc.test CAP * LS :sasl=PLAIN").await?;
    let asked = session.expect_command("CAP", &["REQ"]).await?;
    session
        .send(format!(":irc.test CAP * ACK :{}", asked.last()))
        .await?;
    session.expect_command("AUTHENTICATE", &["PLAIN"]).await?;
    session.send("AUTHENTICATE +").await?;
    session
        .expect("the password", |line| line.command == "AUTHENTICATE")
        .await?;
    let answered = |stanza: &Element| stanza.is_iq() && stanza.id() == id;
    phone
        .expect_none("an answer before the network's", GATEWAY, answered)
        .await?;
    ensure!(!is_registered(&phone, GATEWAY).await?, "nothing counts yet");

    session.send(format!(":irc.test 903 {nick} :welcome")).await?;
    session.respond_and_pong(move |line| match (line.command.as_str(), line.param(0)) {
        ("CAP", "END") => Some(vec![
            format!(":irc.test 001 {nick} :Welcome"),
            format!(":irc.test 422 {nick} :There is no message of the day"),
        ]),
        ("QUIT", _) => Some(vec!["ERROR :Closing link".into()]),
        _ => None,
    });
    // The script may have come too late for the line.
    if !session.take_all(|line| line.is("CAP", &["END"])).is_empty() {
        session
            .send(format!(":irc.test 001 {} :Welcome", t.nick("bob")))
            .await?;
        session
            .send(format!(":irc.test 422 {} :No motd", t.nick("bob")))
            .await?;
    }
    let answer = phone.expect("the answer", answered).await?;
    ensure!(
        answer.kind() == "result" && answer.children().next().is_none(),
        "an empty result: {}",
        answer.xml()
    );
    ensure!(is_registered(&phone, GATEWAY).await?, "now it counts");
    phone.ok("set", GATEWAY, removal()).await?;
    Ok(())
}

async fn a_wrong_password_registers_nobody(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let services = Services::open(&t, "bob", "right").await?;
    let secret = "wrong-and-secret-7d1f";
    let answer = phone
        .set(GATEWAY, by_form(&services.fields(&nick, "bob", secret)))
        .await?;
    let words = ensure_error(&answer, "not-acceptable", "modify", "406")?;
    ensure!(
        words.contains("SASL authentication failed"),
        "the network's own words: {words}"
    );
    ensure!(
        !answer.xml().contains(secret),
        "the secret is not echoed: {}",
        answer.xml()
    );
    ensure!(
        answer.find("query", ns::REGISTER).is_none(),
        "nor the form: {}",
        answer.xml()
    );
    let checked = |event: &Event| matches!(event, Event::Password(_, given, false) if given == secret);
    services.expect("the password", checked).await?;

    ensure!(!is_registered(&phone, GATEWAY).await?, "nobody is registered");
    let asks = |stanza: &Element| stanza.is_presence() && stanza.is_from(GATEWAY);
    phone
        .expect_none("presence of the gateway", GATEWAY, asks)
        .await?;
    let results = |stanza: &Element| stanza.is_iq() && stanza.kind() == "result";
    phone.expect_none("a result", GATEWAY, results).await
}

async fn an_unreachable_network_registers_nobody(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let secret = "unreachable-secret-7d1f";
    let fields = [
        ("nick", nick.as_str()),
        ("server", "closed.test"),
        ("username", "bob"),
        ("password", secret),
    ];
    let answer = phone.set(GATEWAY, by_form(&fields)).await?;
    let words = ensure_error(&answer, "remote-server-timeout", "wait", "504")?;
    ensure!(
        words.contains("closed.test"),
        "it says what is unreachable: {words}"
    );
    ensure!(
        !answer.xml().contains(secret),
        "the secret is not echoed: {}",
        answer.xml()
    );
    ensure!(!is_registered(&phone, GATEWAY).await?, "nobody is registered");
    let asks = |stanza: &Element| stanza.is_presence() && stanza.is_from(GATEWAY);
    phone.expect_none("presence of the gateway", GATEWAY, asks).await
}

async fn what_came_meanwhile_is_delivered_afterwards(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let services = Services::open(&t, "bob", "right").await?;
    // A network that keeps messages hands them over with the welcome, with the time at which they were said.
    services.greet(&[
        "@time=2026-01-02T03:04:05.000Z :alice!a@h PRIVMSG NICK :first",
        "@time=2026-01-02T03:04:06.000Z :alice!a@h PRIVMSG NICK :second",
        "@time=2026-01-02T03:04:07.000Z :alice!a@h PRIVMSG NICK :third",
    ]);
    let id = phone.fresh_id();
    let iq = tag("iq").attr("type", "set").attr("id", &id).attr("to", GATEWAY);
    phone
        .send(iq.child(by_form(&services.fields(&nick, "bob", "right"))))
        .await?;
    let alice = services.person("alice");
    let interesting = |stanza: &Element| {
        let registered = stanza.is_iq() && stanza.id() == id && stanza.kind() == "result";
        registered || (stanza.is_message() && stanza.is_from(&alice))
    };
    let first = phone.expect("the result", interesting).await?;
    ensure!(first.is_iq(), "nothing comes before the result: {}", first.xml());
    for (body, stamp) in [
        ("first", "2026-01-02T03:04:05"),
        ("second", "2026-01-02T03:04:06"),
        ("third", "2026-01-02T03:04:07"),
    ] {
        let message = phone.expect("the next message", interesting).await?;
        ensure!(
            message.body().as_deref() == Some(body),
            "in order: {}",
            message.xml()
        );
        ensure!(
            message.delay().is_some_and(|delay| delay.starts_with(stamp)),
            "with the time at which it was said: {}",
            message.xml()
        );
    }
    phone.expect_none("a second copy", GATEWAY, interesting).await?;
    services.end(&phone).await
}
