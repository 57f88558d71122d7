//! What was said in a channel while the connection to it was lost (draft/chathistory).

use viaduct_gateway_tests::prelude::*;

use super::archive::query;
use super::irc_connection_script::polite;

pub(crate) const CASES: &[Case] = &[case!(what_was_missed_comes_once_and_in_order)];

const KEEPS: &Welcome<'static> = &Welcome {
    caps: &[
        "batch",
        "echo-message",
        "labeled-response",
        "message-tags",
        "server-time",
        "draft/chathistory",
    ],
    isupport: &[
        "CHANTYPES=#",
        "PREFIX=(ov)@+",
        "CHATHISTORY=50",
        "MSGREFTYPES=msgid,timestamp",
    ],
};

/// Lets the user in, with this history of the channel: id, minute and text.
async fn let_in(
    server: &viaduct_test_support::irc::IrcServer,
    channel: &str,
    history: &'static [(&'static str, u8, &'static str)],
) -> Result<IrcSession> {
    let session = server.accept().await?;
    let name = channel.to_owned();
    session.respond_and_pong(move |line: &Line| {
        if line.command != "CHATHISTORY" {
            return polite(line);
        }
        let said = history.iter().map(|(id, minute, text)| {
            format!(
                "@batch=h;msgid={id};time=2026-01-02T03:{minute:02}:00.000Z :alice!u@h PRIVMSG {name} :{text}"
            )
        });
        let all = std::iter::once(format!("BATCH +h chathistory {name}"))
            .chain(said)
            .chain(std::iter::once("BATCH -h".to_owned()));
        Some(all.collect())
    });
    let nick = session.welcome(KEEPS).await?;
    session.let_in(&nick, channel, &["@alice"]).await?;
    Ok(session)
}

async fn what_was_missed_comes_once_and_in_order(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let first = let_in(&server, &channel, &[("H-1", 1, "before you came")]);
    let (session, _) = tokio::try_join!(first, phone.join(&room, &nick))?;
    phone.expect_body(&room, "before you came").await?;
    session
        .send(format!(
            "@msgid=A-1;time=2026-01-02T03:04:00.000Z :alice!u@h PRIVMSG {channel} :heard"
        ))
        .await?;
    phone.expect_body(&room, "heard").await?;
    session.send("ERROR :going down").await?;
    drop(session);

    let history = &[
        ("A-1", 4, "heard"),
        ("A-2", 5, "missed"),
        ("A-3", 6, "missed too"),
    ];
    let session = let_in(&server, &channel, history).await?;
    session
        .send(format!(
            "@msgid=A-4;time=2026-01-02T03:07:00.000Z :alice!u@h PRIVMSG {channel} :live again"
        ))
        .await?;
    phone.expect_body(&room, "live again").await?;
    let page = query(&phone, &room, &[], "").await?;
    let ids = page.ids();
    ensure!(
        ids == ["H-1", "A-1", "A-2", "A-3", "A-4"],
        "once each, in order: {ids:?}"
    );
    let said =
        phone.take_all(|stanza| stanza.is_message() && stanza.is_from(&room) && stanza.body().is_some());
    let bodies: Vec<String> = said.iter().filter_map(|stanza| stanza.body()).collect();
    let missed: Vec<&str> = bodies
        .iter()
        .map(String::as_str)
        .filter(|body| body.starts_with("missed"))
        .collect();
    ensure!(missed == ["missed", "missed too"], "{bodies:?}");
    ensure!(!bodies.iter().any(|body| body == "heard"), "{bodies:?}");
    let late = said
        .iter()
        .find(|stanza| stanza.body().as_deref() == Some("missed"));
    let late = late.context("it was shown")?;
    ensure!(
        late.has_child("delay", "urn:xmpp:delay"),
        "with its time: {}",
        late.xml()
    );
    Ok(())
}
