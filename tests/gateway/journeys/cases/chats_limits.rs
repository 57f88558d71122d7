//! What cannot be carried is refused, and nothing is cut (row G73).

use viaduct_gateway_tests::prelude::*;

use super::registration_support::ensure_error;

pub(crate) const CASES: &[Case] = &[
    case!(encrypted_messages_are_refused).rows("G73"),
    case!(what_irc_lacks_is_refused).rows("G73"),
    case!(messages_that_are_too_long_are_refused).rows("G73"),
    case!(long_messages_are_split_between_characters).rows("G73"),
    case!(long_lines_of_the_network_arrive_whole).rows("G73"),
];

/// A user with a room that alice is in.
async fn together(t: &Ctx) -> Result<(Client, IrcPeer, String)> {
    let (phone, alice, channel) = (t.client("phone").await?, t.irc("alice").await?, t.channel());
    alice.join(&channel).await?;
    phone.join(&t.room(&channel), &t.nick("bob")).await?;
    Ok((phone, alice, channel))
}

/// Sends a message of one type with these children, which must be refused; gives the words.
async fn refused(phone: &Client, kind: &str, to: &str, children: &str) -> Result<String> {
    let id = phone.fresh_id();
    let message = tag("message").attr("type", kind).attr("to", to).attr("id", &id);
    phone.send(message.child(children)).await?;
    let error = phone.expect_error(&id).await?;
    let words = ensure_error(&error, "not-acceptable", "modify", "406")?;
    ensure!(!words.is_empty(), "in words: {}", error.xml());
    Ok(words)
}

async fn encrypted_messages_are_refused(t: Ctx) -> Result<()> {
    let (phone, alice, channel) = together(&t).await?;
    let hint = "<body>I sent you an encrypted message</body>";
    let encrypted = [
        format!("<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>{hint}"),
        format!("<encrypted xmlns='urn:xmpp:omemo:2'><header sid='1'/></encrypted>{hint}"),
        format!("<x xmlns='jabber:x:encrypted'>hQEMA</x>{hint}"),
        format!("<encryption xmlns='urn:xmpp:eme:0' namespace='urn:example:x' name='X'/>{hint}"),
        "<body>?OTR:AAMC</body>".to_owned(),
    ];
    for children in &encrypted {
        for (kind, to) in [("chat", t.person(alice.nick())), ("groupchat", t.room(&channel))] {
            let words = refused(&phone, kind, &to, children)
                .await
                .context(children.clone())?;
            ensure!(words.contains("encrypt"), "it says why: {words}");
        }
    }
    alice
        .expect_none("any message", |line| line.command == "PRIVMSG")
        .await
}

async fn what_irc_lacks_is_refused(t: Ctx) -> Result<()> {
    let (phone, alice, channel) = together(&t).await?;
    // None of these servers can take anything back. Reactions go where tags do, and some have those.
    let retraction = "<retract xmlns='urn:xmpp:message-retract:1' id='some'/>";
    for (kind, to) in [("chat", t.person(alice.nick())), ("groupchat", t.room(&channel))] {
        refused(&phone, kind, &to, retraction)
            .await
            .with_context(|| format!("{kind}: {retraction}"))?;
    }
    // A file that is offered directly: there is nobody who would take it.
    let jingle = tag("jingle")
        .ns("urn:xmpp:jingle:1")
        .attr("action", "session-initiate");
    let answer = phone
        .set(
            &t.person(alice.nick()),
            jingle.attr("sid", "a").attr("initiator", phone.jid()),
        )
        .await?;
    ensure_error(&answer, "service-unavailable", "cancel", "503")?;
    alice
        .expect_none("any message", |line| line.command == "PRIVMSG")
        .await
}

async fn messages_that_are_too_long_are_refused(t: Ctx) -> Result<()> {
    let (phone, alice, channel) = together(&t).await?;
    let body = tag("body").text("much too long ".repeat(10_000)).to_string();
    for (kind, to) in [("chat", t.person(alice.nick())), ("groupchat", t.room(&channel))] {
        let words = refused(&phone, kind, &to, &body).await?;
        ensure!(words.contains("too long"), "it says why: {words}");
    }
    alice
        .expect_none("a part of it", |line| line.command == "PRIVMSG")
        .await
}

async fn long_messages_are_split_between_characters(t: Ctx) -> Result<()> {
    let (phone, alice, channel) = together(&t).await?;
    // Characters of one to four bytes, without a space where one might split.
    let text: String = "aé日😀".chars().cycle().take(700).collect();
    phone.chat(&t.person(alice.nick()), &text).await?;
    let heard = collect(&alice, alice.nick(), &text).await?;
    ensure!(heard == text, "nothing is lost and nothing torn: {heard}");
    phone.say(&t.room(&channel), &text).await?;
    let heard = collect(&alice, &channel, &text).await?;
    ensure!(heard == text, "nothing is lost and nothing torn: {heard}");

    // In the room it stays one message.
    let reflection = phone.expect_body(&t.room(&channel), &text).await?;
    ensure!(
        reflection.body().as_deref() == Some(&text),
        "{}",
        reflection.xml()
    );
    let parts = |stanza: &Element| stanza.is_message() && stanza.is_from(&t.room(&channel));
    phone.expect_none("its parts", &t.room(&channel), parts).await
}

/// What alice hears at the target, until it is as long as the text; every line as IRC permits.
async fn collect(alice: &IrcPeer, target: &str, text: &str) -> Result<String> {
    let mut heard = String::new();
    let mut lines = 0;
    while heard.len() < text.len() {
        let line = alice
            .expect("the next part", |line| {
                line.command == "PRIVMSG" && line.param(0) == target
            })
            .await?;
        ensure!(
            line.bytes.len() + 2 <= 512,
            "{} bytes in a line",
            line.bytes.len() + 2
        );
        ensure!(
            std::str::from_utf8(&line.bytes).is_ok(),
            "a character is torn: {line}"
        );
        heard += line.last();
        lines += 1;
    }
    ensure!(lines > 2, "it took several lines: {lines}");
    Ok(heard)
}

async fn long_lines_of_the_network_arrive_whole(t: Ctx) -> Result<()> {
    let (phone, alice, channel) = together(&t).await?;
    // As long as the line that the server passes on may be.
    let text: String = "0123456789".chars().cycle().take(380).collect();
    alice.say(&channel, &text).await?;
    phone
        .expect_body(&format!("{}/{}", t.room(&channel), alice.nick()), &text)
        .await?;
    alice.say(&t.nick("bob"), &text).await?;
    let person = t.person(alice.nick());
    phone.expect_body(&person, &text).await?;
    Ok(())
}
