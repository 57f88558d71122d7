//! Who people are (XEP-0054, XEP-0012, the command `whois`), and what their programs say (XEP-0092, 0199, 0202).

use viaduct_gateway_tests::prelude::*;

use super::commands_support::{FormExt as _, run};
use super::stage::{Script, Stage, granted, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_card_tells_who_somebody_is).rows("M88"),
    case!(cards_are_asked_for_once).rows("M88"),
    case!(nobody_has_no_card).rows("M88"),
    case!(idle_time_is_told),
    case!(a_command_tells_who_somebody_is),
    case!(an_ad_hoc_command_tells_it_too),
    case!(programs_are_asked).rows("M88"),
    case!(programs_that_refuse_are_one_error),
];

const VCARD: &str = "vcard-temp";
const LAST: &str = "jabber:iq:last";

async fn card(client: &Client, jid: &str) -> Result<Element> {
    client.get(jid, tag("vCard").ns(VCARD)).await
}

fn field(card: &Element, name: &str) -> String {
    card.find(name, VCARD)
        .map(|field| field.text())
        .unwrap_or_default()
}

async fn a_card_tells_who_somebody_is(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let features = s
        .phone
        .disco_info(&t.person(s.alice.nick()), None)
        .await?
        .features();
    for feature in [VCARD, LAST] {
        ensure!(features.iter().any(|it| it == feature), "{feature}: {features:?}");
    }
    let nick = s.alice.nick();
    for jid in [s.occupant(nick), t.person(nick)] {
        let card = card(&s.phone, &jid).await?;
        granted(&card)?;
        ensure!(card.from() == jid, "{}", card.xml());
        ensure!(
            field(&card, "FN") == format!("{nick} of the test"),
            "{}",
            card.xml()
        );
        ensure!(field(&card, "NICKNAME") == nick, "{}", card.xml());
        let about = field(&card, "DESC");
        for part in ["@127.0.0.1", s.channel.as_str(), "Idle for", "irc.test"] {
            ensure!(about.contains(part), "{part} in {about}");
        }
        let set = s.phone.set(&jid, tag("vCard").ns(VCARD)).await?;
        refused(&set, "forbidden")?;
    }
    // Other users of the gateway are seen as the network shows them.
    let (dora, nick) = (t.client("dora").await?, t.nick("dora"));
    dora.join(&s.room, &nick).await?;
    s.phone.expect_presence(&s.occupant(&nick), "").await?;
    let card = card(&s.phone, &s.occupant(&nick)).await?;
    granted(&card)?;
    ensure!(!card.xml().contains(dora.bare()), "no real JID: {}", card.xml());
    Ok(())
}

async fn cards_are_asked_for_once(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let nick = s.nick.clone();
    let mut asked = 0;
    s.session.respond_and_pong(move |line| {
        (line.command == "WHOIS").then(|| {
            asked += 1;
            vec![
                format!(":irc.test 311 {nick} alice u h * :Alice {asked}"),
                format!(":irc.test 318 {nick} alice :End"),
            ]
        })
    });
    for jid in [s.occupant("alice"), s.server.person("alice"), s.occupant("alice")] {
        let card = card(&s.phone, &jid).await?;
        ensure!(field(&card, "FN") == "Alice 1", "{}", card.xml());
    }
    Ok(())
}

async fn nobody_has_no_card(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    for jid in [t.person(&t.nick("nobody")), s.occupant("nobody")] {
        refused(&card(&s.phone, &jid).await?, "item-not-found").with_context(|| jid.clone())?;
    }
    // Clients ask by themselves: that connects nobody.
    let stranger = t.client("stranger").await?;
    for namespace in [ns::VERSION, LAST] {
        let answer = stranger
            .get(&t.person(s.alice.nick()), tag("query").ns(namespace))
            .await?;
        refused(&answer, "remote-server-timeout")?;
    }
    refused(
        &card(&stranger, &t.person(s.alice.nick())).await?,
        "remote-server-timeout",
    )
}

async fn idle_time_is_told(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    for jid in [t.person(s.alice.nick()), s.occupant(s.alice.nick())] {
        let answer = s.phone.get(&jid, tag("query").ns(LAST)).await?;
        granted(&answer)?;
        let seconds = answer.find("query", LAST).and_then(|query| query.attr("seconds"));
        let seconds: u64 = seconds.with_context(|| answer.xml())?.parse()?;
        ensure!(seconds < 60, "{}", answer.xml());
    }
    let nobody = t.person(&t.nick("nobody"));
    let answer = s.phone.get(&nobody, tag("query").ns(LAST)).await?;
    refused(&answer, "item-not-found")
}

async fn a_command_tells_who_somebody_is(t: Ctx) -> Result<()> {
    let alice = t.irc("alice").await?;
    // Nobody is connected: who asks in so many words is.
    let phone = t.client("phone").await?;
    let whom = t.person(alice.nick());
    phone.chat(GATEWAY, &format!("whois who={whom}")).await?;
    let said = phone
        .expect("the answer", |stanza| {
            stanza.is_message()
                && stanza.is_from(GATEWAY)
                && stanza.body().is_some_and(|body| body.contains("Nickname"))
        })
        .await?;
    let body = said.body().unwrap_or_default();
    let name = format!("Name: {} of the test", alice.nick());
    ensure!(body.contains(&name), "{body}");
    phone
        .chat(GATEWAY, &format!("whois who={}", t.person(&t.nick("nobody"))))
        .await?;
    phone
        .expect("that there is nobody", |stanza| {
            stanza.is_message() && stanza.body().is_some_and(|body| body.starts_with("There is no"))
        })
        .await?;
    Ok(())
}

async fn an_ad_hoc_command_tells_it_too(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let whom = t.person(s.alice.nick());
    let done = run(&s.phone, "whois", &[("who", &whom)]).await?;
    ensure!(done.status == "completed", "{}", done.xml);
    let text = done.form().with_context(|| done.xml.clone())?.text_of_all();
    for part in [s.alice.nick(), "of the test", s.channel.as_str()] {
        ensure!(text.contains(part), "{part}: {text}");
    }
    // What goes wrong is said in a note, and the command is over.
    for (who, words) in [
        (t.person(&t.nick("nobody")), "There is no"),
        (s.room.clone(), "not the address of a person"),
    ] {
        let done = run(&s.phone, "whois", &[("who", &who)]).await?;
        let note = done.note().with_context(|| done.xml.clone())?;
        ensure!(
            done.status == "completed" && note.attr("type") == Some("error") && note.text().contains(words),
            "{}",
            done.xml
        );
    }
    Ok(())
}

/// A request that somebody's program must answer, and meanwhile its answer.
async fn probe(
    s: &Stage,
    jid: &str,
    payload: &str,
    ctcp: &str,
    answer: impl Fn(&str) -> String,
) -> Result<Element> {
    let reply = async {
        let asked = s
            .alice
            .expect(ctcp, |line| {
                line.command == "PRIVMSG"
                    && line.nick() == s.nick
                    && line.last().starts_with(&format!("\u{1}{ctcp}"))
            })
            .await?;
        let text = asked.last().trim_matches('\u{1}').to_owned();
        let text = text.split_once(' ').map_or("", |(_, text)| text);
        s.alice
            .notice(&s.nick, &format!("\u{1}{ctcp} {}\u{1}", answer(text)))
            .await
    };
    let (answer, ()) = tokio::try_join!(s.phone.get(jid, payload), reply)?;
    Ok(answer)
}

async fn programs_are_asked(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    for jid in [s.occupant(s.alice.nick()), t.person(s.alice.nick())] {
        let query = tag("query").ns(ns::VERSION).to_string();
        let version = probe(&s, &jid, &query, "VERSION", |_| "TestClient 1.2 / Linux".into()).await?;
        granted(&version)?;
        let part = |name: &str| version.find(name, ns::VERSION).map(|part| part.text());
        ensure!(part("name").as_deref() == Some("TestClient"), "{}", version.xml());
        ensure!(
            part("version").as_deref() == Some("1.2 / Linux"),
            "{}",
            version.xml()
        );

        let ping = tag("ping").ns(ns::PING).to_string();
        granted(&probe(&s, &jid, &ping, "PING", str::to_owned).await?)?;

        let query = tag("time").ns("urn:xmpp:time").to_string();
        let time = probe(&s, &jid, &query, "TIME", |_| {
            "Sun, 09 Sep 2001 03:46:40 +0200".into()
        })
        .await?;
        granted(&time)?;
        let part = |name: &str| time.find(name, "urn:xmpp:time").map(|part| part.text());
        ensure!(part("tzo").as_deref() == Some("+02:00"), "{}", time.xml());
        ensure!(
            part("utc").is_some_and(|utc| utc.starts_with("2001-09-09T01:46:40")),
            "{}",
            time.xml()
        );
    }
    // Users of the gateway answer each other, each through the network.
    let (dora, nick) = (t.client("dora").await?, t.nick("dora"));
    dora.join(&s.room, &nick).await?;
    s.phone.expect_presence(&s.occupant(&nick), "").await?;
    let version = s
        .phone
        .get(&s.occupant(&nick), tag("query").ns(ns::VERSION))
        .await?;
    ensure!(
        version
            .find("name", ns::VERSION)
            .is_some_and(|name| name.text() == "viaduct"),
        "{}",
        version.xml()
    );
    Ok(())
}

async fn programs_that_refuse_are_one_error(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let nobody = t.person(&t.nick("nobody"));
    let ping = s.phone.get(&nobody, tag("ping").ns(ns::PING)).await?;
    refused(&ping, "item-not-found")?;
    let query = tag("time").ns("urn:xmpp:time").to_string();
    let jid = t.person(s.alice.nick());
    let time = probe(&s, &jid, &query, "TIME", |_| "tea time".into()).await?;
    refused(&time, "not-acceptable")?;
    let text = time.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains("tea time"), "in their words: {text}");
    Ok(())
}
