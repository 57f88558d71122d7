//! The archive of a room (XEP-0313, XEP-0059).

use std::fmt::Display;

use viaduct_gateway_tests::prelude::*;

use super::room_disco::field;
use super::stage::{Script, Stage, ago, granted, refused};

pub(crate) const CASES: &[Case] = &[
    case!(the_form_names_what_can_be_asked).rows("M108"),
    case!(pages_go_forward_and_backward).rows("M108"),
    case!(filters_choose_messages).rows("M108"),
    case!(the_metadata_names_both_ends).rows("M108"),
    case!(what_cannot_be_answered_is_an_error).rows("M108"),
    case!(nobody_reads_what_others_heard).rows("M108"),
    case!(other_resources_read_the_same_archive).rows("M34 M108"),
];

const RSM: &str = "http://jabber.org/protocol/rsm";

/// The fields of a query's form, with values that are separated by `|`.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// The answer to a query.
pub(crate) struct Page {
    /// The results, in order.
    pub(crate) results: Vec<Element>,
    /// The IQ that ends them.
    pub(crate) end: Element,
}

impl Page {
    /// The archive ids.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let results = self.results.iter().map(|it| it.find("result", ns::MAM));
        results.filter_map(|result| result?.attr("id")).collect()
    }

    /// The archived messages.
    pub(crate) fn messages(&self) -> Vec<&Element> {
        let results = self.results.iter();
        results.filter_map(|it| it.find("message", ns::CLIENT)).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        let messages = self.messages();
        messages.iter().filter_map(|it| it.body()).collect()
    }

    fn is_complete(&self) -> bool {
        let fin = self.end.find("fin", ns::MAM);
        fin.is_some_and(|fin| fin.attr("complete") == Some("true"))
    }

    fn said(&self, name: &str) -> Option<String> {
        self.end.find(name, RSM).map(Element::text)
    }
}

/// Asks for messages, with a form of these fields, and a page.
pub(crate) async fn query(
    client: &Client,
    room: &str,
    fields: Fields<'_>,
    page: impl Display,
) -> Result<Page> {
    let queryid = client.fresh_id();
    let mut query = tag("query").ns(ns::MAM).attr("queryid", &queryid);
    if !fields.is_empty() {
        let value = |text: &str| tag("value").text(text);
        let kind = tag("field").attr("var", "FORM_TYPE").attr("type", "hidden");
        let form = tag("x").ns(ns::DATA).attr("type", "submit");
        query = query.child(fields.iter().fold(
            form.child(kind.child(value(ns::MAM))),
            |form, (var, text)| {
                let values = text.split('|').map(value);
                form.child(values.fold(tag("field").attr("var", var), |field, value| field.child(value)))
            },
        ));
    }
    let end = client.set(room, query.child(page)).await?;
    let results = client.take_all(|stanza| {
        let result = stanza.find("result", ns::MAM);
        stanza.is_message() && result.and_then(|it| it.attr("queryid")) == Some(&queryid)
    });
    Ok(Page { results, end })
}

/// A page of so many, at a place (`after` or `before` something).
fn page(max: usize, place: Option<(&str, &str)>) -> String {
    let set = tag("set").ns(RSM).child(tag("max").text(max));
    match place {
        Some((name, id)) => set.child(tag(name).text(id)),
        None => set,
    }
    .to_string()
}

/// A room in which alice has said seven things, a minute apart.
async fn with_a_past(t: &Ctx) -> Result<(Script, Vec<String>)> {
    let timed = Welcome {
        caps: &["server-time", "message-tags"],
        ..Welcome::default()
    };
    let s = Script::set_with(t, &timed, &["@alice", "carol"], "+n").await?;
    let bodies: Vec<String> = (1..=7).map(|number| format!("number {number}")).collect();
    for (minutes, body) in (1..=7).rev().zip(&bodies) {
        let who = if body == "number 3" { "carol" } else { "alice" };
        let time = ago(minutes * 60);
        s.session
            .send(format!("@time={time} :{who}!u@h PRIVMSG {} :{body}", s.channel))
            .await?;
        s.phone.expect_body(&s.room, body).await?;
    }
    Ok((s, bodies))
}

async fn the_form_names_what_can_be_asked(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let answer = s.phone.get(&s.room, tag("query").ns(ns::MAM)).await?;
    granted(&answer)?;
    ensure!(
        field(&answer, "FORM_TYPE").as_deref() == Some(ns::MAM),
        "{}",
        answer.xml()
    );
    let fields = answer.find_all("field", ns::DATA);
    for var in ["with", "start", "end", "before-id", "after-id", "ids"] {
        ensure!(
            fields.iter().any(|field| field.attr("var") == Some(var)),
            "{var}: {}",
            answer.xml()
        );
    }
    for feature in [ns::MAM, "urn:xmpp:mam:2#extended"] {
        let features = s.phone.disco_info(&s.room, None).await?.features();
        ensure!(features.contains(&feature.to_owned()), "{features:?}");
    }
    Ok(())
}

async fn pages_go_forward_and_backward(t: Ctx) -> Result<()> {
    let (s, bodies) = with_a_past(&t).await?;
    let all = query(&s.phone, &s.room, &[], "").await?;
    ensure!(
        all.bodies() == bodies && all.is_complete(),
        "everything, in order: {:?} {}",
        all.bodies(),
        all.end.xml()
    );
    let ids = all.ids();

    let (mut place, mut read) = (None, Vec::new());
    for round in 0..3 {
        let got = query(
            &s.phone,
            &s.room,
            &[],
            page(3, place.as_deref().map(|id| ("after", id))),
        )
        .await?;
        let index = got.end.find("first", RSM).and_then(|first| first.attr("index"));
        ensure!(
            got.said("count").as_deref() == Some("7") && index == Some(&(round * 3).to_string()),
            "the place of page {round}: {}",
            got.end.xml()
        );
        ensure!(
            got.is_complete() == (round == 2),
            "complete at the end only: {}",
            got.end.xml()
        );
        let got_ids = got.ids();
        ensure!(
            got.said("first").as_deref() == got_ids.first().copied()
                && got.said("last").as_deref() == got_ids.last().copied(),
            "the ends of page {round}: {}",
            got.end.xml()
        );
        place = got.said("last");
        read.extend(got.bodies());
    }
    ensure!(read == bodies, "forward: {read:?}");

    let mut place = String::new();
    let mut read = Vec::new();
    for round in 0..3 {
        let got = query(&s.phone, &s.room, &[], page(3, Some(("before", &place)))).await?;
        ensure!(
            got.is_complete() == (round == 2),
            "complete at the beginning only: {}",
            got.end.xml()
        );
        place = got.said("first").context("a first message")?;
        read.splice(0..0, got.bodies());
    }
    ensure!(read == bodies, "backward, each page in order: {read:?}");

    let none = query(&s.phone, &s.room, &[], page(0, None)).await?;
    ensure!(
        none.results.is_empty() && none.said("count").as_deref() == Some("7"),
        "the count alone: {}",
        none.end.xml()
    );
    ensure!(ids.len() == 7, "each has an id: {ids:?}");
    Ok(())
}

async fn filters_choose_messages(t: Ctx) -> Result<()> {
    let (s, bodies) = with_a_past(&t).await?;
    let all = query(&s.phone, &s.room, &[], "").await?;
    let ids: Vec<String> = all.ids().into_iter().map(str::to_owned).collect();
    let (carol, some) = (s.occupant("carol"), format!("{}|{}", ids[1], ids[4]));
    let (start, end) = (ago(5 * 60 + 30), ago(2 * 60 + 30));
    let filters: [(Fields<'_>, &[usize]); 7] = [
        (&[("start", &start)], &[2, 3, 4, 5, 6]),
        (&[("end", &end)], &[0, 1, 2, 3, 4]),
        (&[("start", &start), ("end", &end)], &[2, 3, 4]),
        (&[("with", &carol)], &[2]),
        (&[("after-id", &ids[4])], &[5, 6]),
        (&[("before-id", &ids[2])], &[0, 1]),
        (&[("ids", &some)], &[1, 4]),
    ];
    for (fields, wanted) in filters {
        let got = query(&s.phone, &s.room, fields, "").await?;
        let wanted: Vec<&String> = wanted.iter().map(|&at| &bodies[at]).collect();
        ensure!(
            got.bodies().iter().collect::<Vec<_>>() == wanted && got.is_complete(),
            "{fields:?}: {:?}",
            got.bodies()
        );
    }
    Ok(())
}

async fn the_metadata_names_both_ends(t: Ctx) -> Result<()> {
    let (s, _) = with_a_past(&t).await?;
    let all = query(&s.phone, &s.room, &[], "").await?;
    let answer = s.phone.get(&s.room, tag("metadata").ns(ns::MAM)).await?;
    granted(&answer)?;
    for (name, at) in [("start", 0), ("end", 6)] {
        let found = answer.find(name, ns::MAM).with_context(|| answer.xml())?;
        let stamp = all.results[at]
            .find("delay", ns::DELAY)
            .and_then(|delay| delay.attr("stamp"));
        ensure!(
            found.attr("id") == Some(all.ids()[at]) && found.attr("timestamp") == stamp,
            "{name}: {}",
            answer.xml()
        );
    }

    // An archive in which nothing is.
    let empty = t.room(&t.channel_named("empty"));
    s.phone.join(&empty, &s.nick).await?;
    let answer = s.phone.get(&empty, tag("metadata").ns(ns::MAM)).await?;
    let metadata = answer.find("metadata", ns::MAM);
    ensure!(
        metadata.is_some_and(|it| it.children().next().is_none()),
        "nothing: {}",
        answer.xml()
    );
    let got = query(&s.phone, &empty, &[], "").await?;
    ensure!(
        got.results.is_empty() && got.is_complete(),
        "nothing: {}",
        got.end.xml()
    );
    Ok(())
}

async fn what_cannot_be_answered_is_an_error(t: Ctx) -> Result<()> {
    let (s, _) = with_a_past(&t).await?;
    for (fields, condition) in [
        ([("colour", "blue")], "feature-not-implemented"),
        ([("start", "yesterday")], "bad-request"),
        ([("after-id", "nothing-of-that-name")], "item-not-found"),
        ([("before-id", "nothing-of-that-name")], "item-not-found"),
        ([("ids", "nothing-of-that-name")], "item-not-found"),
    ] {
        let got = query(&s.phone, &s.room, &fields, "").await?;
        refused(&got.end, condition).with_context(|| format!("{fields:?}"))?;
        ensure!(got.results.is_empty(), "{fields:?}: {:?}", got.results);
    }
    for place in ["after", "before"] {
        let at = page(3, Some((place, "nothing-of-that-name")));
        let got = query(&s.phone, &s.room, &[], at).await?;
        refused(&got.end, "item-not-found").context(place)?;
    }
    Ok(())
}

async fn nobody_reads_what_others_heard(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.say(&s.channel, "before dave").await?;
    s.phone.expect_body(&s.room, "before dave").await?;

    let dave = t.client("dave").await?;
    let metadata = tag("metadata").ns(ns::MAM);
    refused(&query(&dave, &s.room, &[], "").await?.end, "forbidden")?;
    refused(&dave.get(&s.room, &metadata).await?, "forbidden")?;

    dave.join(&s.room, &t.nick("dave")).await?;
    s.alice.say(&s.channel, "with dave").await?;
    dave.expect_body(&s.room, "with dave").await?;
    let heard = query(&dave, &s.room, &[], "").await?;
    ensure!(
        heard.bodies() == ["with dave"],
        "what dave has heard: {:?}",
        heard.bodies()
    );
    // The ids of another's archive open nothing either.
    let bobs = query(&s.phone, &s.room, &[], "").await?;
    ensure!(
        bobs.bodies() == ["before dave", "with dave"],
        "{:?}",
        bobs.bodies()
    );
    let stolen = query(&dave, &s.room, &[("ids", bobs.ids()[0])], "").await?;
    refused(&stolen.end, "item-not-found")?;
    for (message, nick) in bobs.messages().iter().zip([s.alice.nick(), s.alice.nick()]) {
        ensure!(message.from() == s.occupant(nick), "{}", message.xml());
        ensure!(
            !message.xml().contains(s.phone.bare()) && !message.xml().contains(dave.bare()),
            "no real JIDs: {}",
            message.xml()
        );
    }
    Ok(())
}

async fn other_resources_read_the_same_archive(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.flush_out("by phone").await?;
    s.alice.say(&s.channel, "by alice").await?;
    s.phone.expect_body(&s.room, "by alice").await?;
    // It need not be in the room to read what the user has heard there.
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let by_phone = query(&s.phone, &s.room, &[], "").await?;
    let by_laptop = query(&laptop, &s.room, &[], "").await?;
    ensure!(
        by_laptop.bodies() == ["by phone", "by alice"] && by_laptop.ids() == by_phone.ids(),
        "{:?}",
        by_laptop.bodies()
    );
    s.phone.leave(&s.room, &s.nick, "").await?;
    let later = query(&s.phone, &s.room, &[], "").await?;
    ensure!(
        later.ids() == by_phone.ids(),
        "after leaving: {:?}",
        later.bodies()
    );
    Ok(())
}
