//! History at join (XEP-0045 §7.2.13, §7.2.14).

use viaduct_gateway_tests::prelude::*;

use super::room_disco::field;
use super::stage::{Script, ago, ago_east};

pub(crate) const CASES: &[Case] = &[
    case!(history_tells_who_said_it_and_when).rows("M31"),
    case!(all_limits_hold_together).rows("M32"),
    case!(nothing_is_asked_for_with_zero).rows("M32"),
    case!(since_takes_every_form_of_a_time).rows("M32"),
    case!(the_room_limits_what_is_asked_for).rows("M33"),
    case!(old_subjects_are_no_history).rows("M37"),
];

const TIMED: Welcome<'_> = Welcome {
    caps: &["server-time", "message-tags"],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+", "CHANMODES=b,k,l,imnst"],
};

/// So many seconds ago something was said.
const AGES: [u64; 6] = [6000, 5000, 4000, 3000, 2000, 1000];

/// A room in which alice has said something at each of the ages: a text of 300 characters that begins with the age.
async fn with_a_past(t: &Ctx) -> Result<(Script, Client)> {
    let s = Script::set_with(t, &TIMED, &["@alice"], "+n").await?;
    for age in AGES {
        let text = format!("{age} {}", "x".repeat(295));
        s.session
            .send(format!(
                "@time={} :alice!u@h PRIVMSG {} :{text}",
                ago(age),
                s.channel
            ))
            .await?;
        s.phone.expect_body(&s.room, &text).await?;
    }
    let laptop = t.client_of(&s.phone, "laptop").await?;
    Ok((s, laptop))
}

/// The ages of the messages that a join with these limits gives.
async fn ages(s: &Script, client: &Client, limits: &[(&str, String)]) -> Result<Vec<u64>> {
    let history = limits
        .iter()
        .fold(tag("history"), |history, (name, value)| history.attr(name, value));
    let request = tag("x").ns(ns::MUC).child(history);
    client
        .send(tag("presence").attr("to", s.me()).child(request))
        .await?;
    let mut ages = Vec::new();
    loop {
        let stanza = client
            .expect("more of the join", |stanza| {
                stanza.is_message() && stanza.is_from(&s.room)
            })
            .await?;
        if stanza.is_subject_change() {
            client.take_all(|_| true);
            return Ok(ages);
        }
        let body = stanza.body().unwrap_or_default();
        let age = body.split(' ').next().and_then(|age| age.parse().ok());
        ages.push(age.with_context(|| stanza.xml())?);
    }
}

async fn history_tells_who_said_it_and_when(t: Ctx) -> Result<()> {
    let s = Script::set_with(&t, &TIMED, &["@alice"], "+n").await?;
    s.session
        .send(format!(
            "@time=2024-05-06T07:08:09.123Z :alice!u@h PRIVMSG {} :long ago",
            s.channel
        ))
        .await?;
    let live = s.phone.expect_body(&s.room, "long ago").await?;
    ensure!(live.delay().is_none(), "live: {}", live.xml());
    // Alice is gone when somebody comes who reads it.
    s.line("alice", "PART", "").await?;
    s.phone
        .expect_presence(&s.occupant("alice"), "unavailable")
        .await?;

    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    ensure!(joined.bodies() == ["long ago"], "{:?}", joined.bodies());
    let old = &joined.history[0];
    ensure!(
        old.kind() == "groupchat" && old.from() == s.occupant("alice"),
        "{}",
        old.xml()
    );
    let delay = old.get_child("delay", ns::DELAY).with_context(|| old.xml())?;
    ensure!(
        delay.attr("from") == Some(&s.room)
            && old
                .delay()
                .is_some_and(|stamp| stamp.starts_with("2024-05-06T07:08:09.123")),
        "the time when it was said: {}",
        old.xml()
    );
    let place = |wanted: &Element| joined.order.iter().position(|stanza| stanza == wanted);
    ensure!(
        place(&joined.me) < place(old),
        "not before the own presence: {:?}",
        joined.order
    );
    Ok(())
}

async fn all_limits_hold_together(t: Ctx) -> Result<()> {
    let (s, laptop) = with_a_past(&t).await?;
    ensure!(
        ages(&s, &laptop, &[]).await? == AGES,
        "without limits all are shown"
    );
    // How many messages each limit lets through, the other way round in the second turn. A message has between 301
    // and 999 characters around and in it, and three of them cannot be less than 900.
    let joined = laptop.join(&s.room, &s.nick).await?;
    let longest = joined.history.iter().map(|it| it.xml().len()).max().unwrap_or(0);
    let shortest = joined.history.iter().map(|it| it.xml().len()).min().unwrap_or(0);
    ensure!(
        shortest * 6 > longest * 5,
        "messages of a length: {shortest} to {longest}"
    );
    let chars = |count: usize| (longest * count + longest / 2).to_string();
    for turn in [
        [
            ("since", ago(5500), 5),
            ("maxstanzas", "4".to_owned(), 4),
            ("seconds", "3500".to_owned(), 3),
            ("maxchars", chars(2), 2),
        ],
        [
            ("since", ago(2500), 2),
            ("maxstanzas", "3".to_owned(), 3),
            ("seconds", "4500".to_owned(), 4),
            ("maxchars", chars(5), 5),
        ],
    ] {
        for chosen in 1_u32..16 {
            let some: Vec<_> = turn
                .iter()
                .enumerate()
                .filter(|(at, _)| chosen & (1 << at) != 0)
                .map(|(_, limit)| limit)
                .collect();
            let limits: Vec<(&str, String)> = some
                .iter()
                .map(|(name, value, _)| (*name, value.clone()))
                .collect();
            let fewest = some.iter().map(|(_, _, count)| *count).min().unwrap_or(6);
            let got = ages(&s, &laptop, &limits).await?;
            ensure!(
                got == AGES[AGES.len() - fewest..],
                "{limits:?} give {got:?}, not the last {fewest}"
            );
        }
    }
    Ok(())
}

async fn nothing_is_asked_for_with_zero(t: Ctx) -> Result<()> {
    let (s, laptop) = with_a_past(&t).await?;
    for (limit, value) in [
        ("maxchars", "0"),
        ("maxstanzas", "0"),
        ("seconds", "0"),
        // Less than one message has: only whole ones are sent.
        ("maxchars", "300"),
    ] {
        let got = ages(&s, &laptop, &[(limit, value.to_owned())]).await?;
        ensure!(got.is_empty(), "{limit}={value} gives {got:?}");
    }
    Ok(())
}

async fn since_takes_every_form_of_a_time(t: Ctx) -> Result<()> {
    let (s, laptop) = with_a_past(&t).await?;
    let instant = ago(2500);
    let whole = instant.replace(".000Z", "Z");
    let fine = instant.replace(".000Z", ".123456Z");
    for since in [instant, whole, fine, ago_east(2500, 2), ago_east(2500, 11)] {
        let got = ages(&s, &laptop, &[("since", since.clone())]).await?;
        ensure!(got == [2000, 1000], "since {since}: {got:?}");
    }
    Ok(())
}

async fn the_room_limits_what_is_asked_for(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let info = s.phone.disco_info(&s.room, None).await?;
    let most: usize = field(&info, "muc#maxhistoryfetch")
        .and_then(|value| value.parse().ok())
        .with_context(|| info.xml())?;
    let all: Vec<String> = (0..most + 3).map(|number| format!("number {number}")).collect();
    let channel = &s.channel;
    let lines = all
        .iter()
        .map(|body| format!(":alice!u@h PRIVMSG {channel} :{body}\r\n"));
    s.session.send_bytes(lines.collect::<String>().as_bytes()).await?;
    s.phone.expect_body(&s.room, &all[most + 2]).await?;

    let laptop = t.client_of(&s.phone, "laptop").await?;
    let join = Join::new(&s.room, &s.nick);
    let since = join.clone().history("since", "1970-01-01T00:00:00Z");
    let seconds = join.clone().history("seconds", "2000000000");
    let many = join.clone().history("maxstanzas", "2000000000");
    for request in [since, seconds, many] {
        let bodies = laptop.join_with(&request).await?.bodies();
        ensure!(
            bodies == all[3..],
            "{most} at most: {} from {:?} to {:?}",
            bodies.len(),
            bodies.first(),
            bodies.last()
        );
    }
    // Who asks for nothing gets a few.
    let bodies = laptop.join_with(&join).await?.bodies();
    ensure!(
        !bodies.is_empty() && bodies.len() <= 100 && all.ends_with(&bodies),
        "{} from {:?} to {:?}",
        bodies.len(),
        bodies.first(),
        bodies.last()
    );
    Ok(())
}

async fn old_subjects_are_no_history(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    for (verb, text) in [
        ("TOPIC", "first topic"),
        ("PRIVMSG", "a word"),
        ("TOPIC", "second topic"),
    ] {
        s.line("alice", verb, &format!(":{text}")).await?;
    }
    s.phone.expect_subject(&s.room, "second topic").await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    ensure!(joined.bodies() == ["a word"], "{:?}", joined.bodies());
    let told: Vec<String> = joined
        .order
        .iter()
        .filter_map(|stanza| stanza.subject())
        .collect();
    ensure!(told == ["second topic"], "the subjects that are told: {told:?}");
    Ok(())
}
