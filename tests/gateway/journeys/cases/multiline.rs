//! Messages of several lines (IRCv3 draft/multiline) between a client and a server that takes them whole.

use viaduct_gateway_tests::prelude::*;

use super::irc_connection_script::{polite, seat};

pub(crate) const CASES: &[Case] = &[
    case!(several_lines_are_one_message_on_both_sides),
    case!(what_the_server_does_not_take_whole_is_refused_whole),
];

const WHOLE: &Welcome<'static> = &Welcome {
    caps: &[
        "batch",
        "echo-message",
        "labeled-response",
        "message-tags",
        "server-time",
        "draft/multiline=max-bytes=4096,max-lines=24",
    ],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};

async fn several_lines_are_one_message_on_both_sides(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), WHOLE).await?;
    let (channel, nick) = (seat.channel.clone(), seat.nick.clone());
    let text = "first\n\n  third, indented";
    let id = seat.phone.say(&seat.room, text).await?;
    let open = seat
        .session
        .expect("the batch", |line| line.command == "BATCH")
        .await?;
    ensure!(
        open.params[1..] == ["draft/multiline".to_owned(), channel.clone()],
        "{open}"
    );
    let reference = open.param(0).trim_start_matches('+').to_owned();
    let mut lines = Vec::new();
    loop {
        let line = seat.session.expect("the next line of it", |_| true).await?;
        if line.is("BATCH", &[&format!("-{reference}")]) {
            break;
        }
        ensure!(
            line.is("PRIVMSG", &[&channel]) && line.tag("batch") == Some(&reference),
            "nothing comes between: {line}"
        );
        lines.push(line.last().to_owned());
    }
    ensure!(lines.join("\n") == text, "{lines:?}");
    let label = open.tag("label").context("it has a label")?;
    seat.session
        .send(format!(
            "@label={label};msgid=ours;time=2026-01-02T03:04:00.000Z :{nick}!u@h BATCH +e draft/multiline {channel}"
        ))
        .await?;
    for line in &lines {
        let echo = format!("@batch=e :{nick}!u@h PRIVMSG {channel} :{line}");
        seat.session.send(echo).await?;
    }
    seat.session.send("BATCH -e").await?;
    let reflected = seat
        .phone
        .expect("the reflection", |stanza| {
            stanza.id() == id && stanza.kind() == "groupchat"
        })
        .await?;
    ensure!(
        reflected.body().as_deref() == Some(text) && reflected.stanza_id(&seat.room) == Some("ours"),
        "{}",
        reflected.xml()
    );

    // And back.
    seat.session
        .send(format!(
            "@msgid=theirs :alice!u@h BATCH +f draft/multiline {channel}"
        ))
        .await?;
    let pieces = [
        ("f", "a list:"),
        ("f", ""),
        ("f", "one, which is"),
        ("f;draft/multiline-concat", " long"),
    ];
    for (tags, piece) in pieces {
        let line = format!("@batch={tags} :alice!u@h PRIVMSG {channel} :{piece}");
        seat.session.send(line).await?;
    }
    seat.session.send("BATCH -f").await?;
    let whole = seat
        .phone
        .expect_body(&format!("{}/alice", seat.room), "a list:\n\none, which is long")
        .await?;
    ensure!(whole.stanza_id(&seat.room) == Some("theirs"), "{}", whole.xml());
    Ok(())
}

async fn what_the_server_does_not_take_whole_is_refused_whole(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), WHOLE).await?;
    seat.session.respond_and_pong(|line: &Line| {
        let label = line.tag("label").unwrap_or_default();
        match (line.command.as_str(), line.param(1), line.tag("batch")) {
            ("BATCH", "draft/multiline", _) => Some(vec![format!(
                "@label={label} :irc.test FAIL BATCH MULTILINE_INVALID :Not today, please"
            )]),
            ("BATCH", ..) | (_, _, Some(_)) => Some(vec![]),
            _ => polite(line),
        }
    });
    let id = seat.phone.say(&seat.room, "one\ntwo").await?;
    let refused = seat
        .phone
        .expect("the refusal", |stanza| {
            stanza.id() == id && stanza.kind() == "error"
        })
        .await?;
    let error = refused.error().context("it is an error")?;
    ensure!(
        error
            .text
            .as_deref()
            .is_some_and(|text| text.contains("Not today")),
        "{}",
        refused.xml()
    );
    let more = |stanza: &Element| stanza.id() == id;
    seat.phone
        .expect_none("a second word about it", t.gateway(), more)
        .await
}
