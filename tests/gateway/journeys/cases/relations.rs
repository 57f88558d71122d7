//! Replies (XEP-0461), reactions (XEP-0444) and retractions (XEP-0424, XEP-0425) between a client and a modern IRC server.

use viaduct_gateway_tests::prelude::*;

use super::archive::query;
use super::irc_connection_script::{Seat, let_in, seat};
use super::stage::refused;

pub(crate) const CASES: &[Case] = &[
    case!(a_reply_names_its_message_on_both_sides),
    case!(reactions_come_and_go_on_both_sides),
    case!(what_is_taken_back_is_gone).rows("M109"),
    case!(moderators_take_back_what_others_said).rows("M109"),
    case!(nobody_refers_to_what_was_said_elsewhere),
    case!(what_a_server_lacks_is_refused_and_not_shown),
];

const MODERN: &Welcome<'static> = &Welcome {
    caps: &[
        "batch",
        "echo-message",
        "labeled-response",
        "message-tags",
        "server-time",
        "draft/message-redaction",
    ],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};

const REPLY: &str = "urn:xmpp:reply:0";
const REACTIONS: &str = "urn:xmpp:reactions:0";
const RETRACT: &str = "urn:xmpp:message-retract:1";
const MODERATE: &str = "urn:xmpp:message-moderate:1";

impl Seat {
    /// Alice says something under an id.
    async fn alice_named(&self, id: &str, text: &str) -> Result<Element> {
        let line = format!("@msgid={id} :alice!u@h PRIVMSG {} :{text}", self.channel);
        self.session.send(line).await?;
        self.phone
            .expect_body(&format!("{}/alice", self.room), text)
            .await
    }

    /// The client sends a message to the room; gives its id.
    async fn send(&self, children: &str) -> Result<String> {
        let id = self.phone.fresh_id();
        let message = tag("message")
            .attr("type", "groupchat")
            .attr("to", &self.room)
            .attr("id", &id);
        self.phone.send(message.child(children)).await?;
        Ok(id)
    }

    /// The next line of this command, which the server then echoes with an id.
    async fn echoed(&self, command: &str, id: &str) -> Result<Line> {
        let wanted = |line: &Line| line.is(command, &[&self.channel]);
        let line = self.session.expect(command, wanted).await?;
        let tags: Vec<String> = line
            .raw
            .strip_prefix('@')
            .and_then(|raw| raw.split(' ').next())
            .map(|tags| tags.split(';').map(str::to_owned).collect())
            .unwrap_or_default();
        let rest = line
            .raw
            .split_once(&format!(" {command} "))
            .map_or(line.raw.as_str(), |(_, rest)| rest);
        let rest = rest.trim_start_matches(&format!("{command} "));
        let echo = format!(
            "@msgid={id};{} :{}!u@h {command} {rest}",
            tags.join(";"),
            self.nick
        );
        self.session.send(echo).await?;
        Ok(line)
    }

    async fn expect_with(&self, who: &str, name: &str, namespace: &str) -> Result<Element> {
        let from = format!("{}/{who}", self.room);
        let wanted = |stanza: &Element| {
            stanza.is_message() && stanza.is_from(&from) && stanza.has_child(name, namespace)
        };
        self.phone.expect(&format!("<{name}/> from {who}"), wanted).await
    }

    async fn archived(&self) -> Result<String> {
        let results = query(&self.phone, &self.room, &[], "").await?;
        Ok(results.messages().iter().map(|message| message.xml()).collect())
    }
}

fn quoting(id: &str) -> String {
    format!(
        "<body>&gt; question\nanswer</body><reply xmlns='{REPLY}' id='{id}' to='x@y'/>\
         <fallback xmlns='urn:xmpp:fallback:0' for='{REPLY}'><body start='0' end='11'/></fallback>"
    )
}

async fn a_reply_names_its_message_on_both_sides(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), MODERN).await?;
    seat.alice_named("A-1", "question").await?;
    seat.send(&quoting("A-1")).await?;
    let line = seat.echoed("PRIVMSG", "B-1").await?;
    ensure!(
        line.tag("+draft/reply") == Some("A-1") && line.last() == "answer",
        "{line}"
    );
    let shown = seat.expect_with(&seat.nick, "reply", REPLY).await?;
    ensure!(shown.stanza_id(&seat.room) == Some("B-1"), "{}", shown.xml());

    let line = format!(
        "@msgid=A-2;+draft/reply=B-1 :alice!u@h PRIVMSG {} :thanks",
        seat.channel
    );
    seat.session.send(line).await?;
    let shown = seat
        .phone
        .expect_body(&format!("{}/alice", seat.room), "thanks")
        .await?;
    let reply = shown.get_child("reply", REPLY).with_context(|| shown.xml())?;
    let me = format!("{}/{}", seat.room, seat.nick);
    ensure!(
        reply.attr("id") == Some("B-1") && reply.attr("to") == Some(&me),
        "{}",
        shown.xml()
    );

    // A message that nobody knows: the quotation says what is meant.
    seat.send(&quoting("unheard-of")).await?;
    let wanted = |line: &Line| line.is("PRIVMSG", &[&seat.channel]) && line.last().contains("question");
    let line = seat.session.expect("the quotation", wanted).await?;
    ensure!(line.tag("+draft/reply").is_none(), "{line}");
    Ok(())
}

async fn reactions_come_and_go_on_both_sides(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), MODERN).await?;
    let info = seat.phone.disco_info(&seat.room, None).await?.xml();
    for feature in [REPLY, REACTIONS, RETRACT, MODERATE] {
        ensure!(
            info.contains(&format!("'{feature}'")) || info.contains(&format!("\"{feature}\"")),
            "{feature}: {info}"
        );
    }
    seat.alice_named("A-1", "tea?").await?;
    let react = |texts: &[&str]| -> String {
        let all: String = texts
            .iter()
            .map(|text| format!("<reaction>{text}</reaction>"))
            .collect();
        format!("<reactions xmlns='{REACTIONS}' id='A-1'>{all}</reactions>")
    };
    seat.send(&react(&["👍"])).await?;
    let line = seat.echoed("TAGMSG", "T-1").await?;
    ensure!(
        line.tag("+draft/react") == Some("👍") && line.tag("+draft/reply") == Some("A-1"),
        "{line}"
    );
    let shown = seat.expect_with(&seat.nick, "reactions", REACTIONS).await?;
    ensure!(shown.xml().contains("👍"), "{}", shown.xml());
    seat.send(&react(&["❤️"])).await?;
    let line = seat.echoed("TAGMSG", "T-2").await?;
    ensure!(line.tag("+draft/unreact") == Some("👍"), "{line}");
    let line = seat.echoed("TAGMSG", "T-3").await?;
    ensure!(line.tag("+draft/react") == Some("❤️"), "{line}");
    seat.expect_with(&seat.nick, "reactions", REACTIONS).await?;

    let alice = async |tags: &str| {
        let line = format!("@+draft/reply=A-1;{tags} :alice!u@h TAGMSG {}", seat.channel);
        seat.session.send(line).await?;
        Ok::<_, anyhow::Error>(seat.expect_with("alice", "reactions", REACTIONS).await?.xml())
    };
    let first = alice("+draft/react=🎉").await?;
    ensure!(first.contains("🎉"), "{first}");
    let second = alice("+draft/react=👀").await?;
    ensure!(
        second.contains("🎉") && second.contains("👀"),
        "hers add up: {second}"
    );
    let third = alice("+draft/unreact=🎉").await?;
    ensure!(!third.contains("🎉") && third.contains("👀"), "{third}");
    Ok(())
}

async fn what_is_taken_back_is_gone(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), MODERN).await?;
    seat.alice_named("A-1", "her secret").await?;
    seat.send("<body>my secret</body>").await?;
    seat.echoed("PRIVMSG", "B-1").await?;
    seat.expect_with(&seat.nick, "body", ns::CLIENT).await?;

    seat.session
        .send(format!(":alice!u@h REDACT {} A-1", seat.channel))
        .await?;
    let shown = seat.expect_with("alice", "retract", RETRACT).await?;
    let retract = shown.get_child("retract", RETRACT).context("it is there")?;
    ensure!(retract.attr("id") == Some("A-1"), "{}", shown.xml());

    seat.send(&format!(
        "<retract xmlns='{RETRACT}' id='B-1'/><body>/me took it back</body>"
    ))
    .await?;
    let line = seat.echoed("REDACT", "R-1").await?;
    ensure!(line.param(1) == "B-1", "{line}");
    seat.expect_with(&seat.nick, "retract", RETRACT).await?;
    let archive = seat.archived().await?;
    ensure!(!archive.contains("secret"), "nothing is left of it: {archive}");
    ensure!(
        archive.matches("<retracted").count() == 2,
        "but that it was there: {archive}"
    );
    Ok(())
}

async fn moderators_take_back_what_others_said(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), MODERN).await?;
    seat.alice_named("A-1", "rude words").await?;
    let ask = async || {
        let moderate = tag("moderate").ns(MODERATE).attr("id", "A-1");
        let moderate = moderate
            .child(tag("retract").ns(RETRACT))
            .child(tag("reason").text("rude"));
        seat.phone.set(&seat.room, moderate).await
    };
    refused(&ask().await?, "forbidden")?;
    let own = format!("<retract xmlns='{RETRACT}' id='A-1'/>");
    let id = seat.send(&own).await?;
    refused(&seat.phone.expect_error(&id).await?, "forbidden")?;

    seat.session
        .send(format!(":alice!u@h MODE {} +o {}", seat.channel, seat.nick))
        .await?;
    let me = format!("{}/{}", seat.room, seat.nick);
    seat.phone.expect_presence(&me, "").await?;
    let script = async {
        let line = seat.echoed("REDACT", "R-1").await?;
        ensure!(line.param(1) == "A-1" && line.last() == "rude", "{line}");
        Ok(())
    };
    let (answer, ()) = tokio::try_join!(ask(), script)?;
    ensure!(answer.kind() == "result", "{}", answer.xml());
    let told = |stanza: &Element| {
        stanza.is_message() && stanza.attr("from") == Some(&seat.room) && stanza.has_child("retract", RETRACT)
    };
    let told = seat.phone.expect("the moderation", told).await?.xml();
    ensure!(
        told.contains("<moderated") && told.contains("rude</reason>"),
        "{told}"
    );
    let archive = seat.archived().await?;
    ensure!(
        !archive.contains("rude words") && archive.contains("<moderated"),
        "{archive}"
    );
    Ok(())
}

/// `promises.md` C: a relation leads to nothing that was said where the user is not.
async fn nobody_refers_to_what_was_said_elsewhere(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), MODERN).await?;
    seat.alice_named("A-1", "in the first room").await?;
    let stranger = t.client("stranger").await?;
    let (other, nick) = (t.channel_named("other"), t.nick("eve"));
    let room = server.room(&other);
    let script = let_in(&server, &other, MODERN);
    let ((session, _), _) = tokio::try_join!(script, stranger.join(&room, &nick))?;
    let retract = format!("<retract xmlns='{RETRACT}' id='A-1'/>");
    let react = format!("<reactions xmlns='{REACTIONS}' id='A-1'><reaction>👍</reaction></reactions>");
    for (to, condition, children) in [
        (&room, "item-not-found", &retract),
        (&room, "item-not-found", &react),
        (&seat.room, "not-acceptable", &react),
    ] {
        let id = stranger.fresh_id();
        let message = tag("message")
            .attr("type", "groupchat")
            .attr("to", to)
            .attr("id", &id);
        stranger.send(message.child(children)).await?;
        refused(&stranger.expect_error(&id).await?, condition)?;
    }
    let id = stranger.say(&room, "the end").await?;
    session.expect("the end", |line| line.last() == "the end").await?;
    ensure!(!id.is_empty());
    let wrong = session.take_all(|line| matches!(line.command.as_str(), "TAGMSG" | "REDACT"));
    ensure!(wrong.is_empty(), "{wrong:?}");
    Ok(())
}

async fn what_a_server_lacks_is_refused_and_not_shown(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let plain = &Welcome::default();
    let seat = seat(&t, &server, &server.room(&t.channel()), plain).await?;
    let info = seat.phone.disco_info(&seat.room, None).await?.xml();
    for feature in [REPLY, REACTIONS, RETRACT, MODERATE] {
        ensure!(!info.contains(feature), "{feature}: {info}");
    }
    for children in [
        format!("<reactions xmlns='{REACTIONS}' id='x'><reaction>👍</reaction></reactions>"),
        format!("<retract xmlns='{RETRACT}' id='x'/><body>/me took it back</body>"),
    ] {
        let id = seat.send(&children).await?;
        refused(&seat.phone.expect_error(&id).await?, "not-acceptable")?;
    }
    seat.talk().await
}
