//! The channels of a server: listed in pages (XEP-0030, XEP-0059) and searched for (XEP-0055).

use std::collections::BTreeSet;

use viaduct_gateway_tests::prelude::*;

use super::stage::{answer_modes, granted, greet, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_server_lists_its_channels).rows("M3"),
    case!(pages_go_both_ways).rows("M3"),
    case!(own_rooms_come_first_at_a_fixed_server).rows("M2 M3"),
    case!(fifty_thousand_channels_are_paged_whole).rows("M3"),
    case!(a_list_holds_nobody_up).rows("M3"),
    case!(no_list_is_an_answer_too).rows("M3"),
    case!(channels_are_found_by_name_and_size).rows("M3"),
];

const SEARCH: &str = "jabber:iq:search";
const RSM: &str = "http://jabber.org/protocol/rsm";

/// A page, as it was answered.
struct Page {
    /// JIDs and names.
    items: Vec<(String, String)>,
    first: Option<String>,
    last: Option<String>,
    index: Option<usize>,
    count: Option<usize>,
}

async fn page(client: &Client, jid: &str, set: &[(&str, &str)]) -> Result<Page> {
    let mut query = tag("query").ns(ns::DISCO_ITEMS);
    if !set.is_empty() {
        let set = set.iter().fold(tag("set").ns(RSM), |set, (name, text)| {
            set.child(tag(name).text(text))
        });
        query = query.child(set);
    }
    let answer = client.get(jid, query).await?;
    granted(&answer)?;
    let attr = |item: &Element, name: &str| item.attr(name).unwrap_or_default().to_owned();
    let of_set = |name: &str| answer.find(name, RSM).map(|element| element.text());
    Ok(Page {
        items: answer
            .find_all("item", ns::DISCO_ITEMS)
            .into_iter()
            .map(|item| (attr(item, "jid"), attr(item, "name")))
            .collect(),
        first: of_set("first"),
        last: of_set("last"),
        index: answer
            .find("first", RSM)
            .and_then(|first| first.attr("index")?.parse().ok()),
        count: of_set("count").and_then(|count| count.parse().ok()),
    })
}

/// All items, page by page.
async fn all(client: &Client, jid: &str, max: &str) -> Result<Vec<(String, String)>> {
    let mut items = Vec::new();
    let mut next = page(client, jid, &[("max", max)]).await?;
    while let Some(last) = next.last.clone() {
        items.append(&mut next.items);
        next = page(client, jid, &[("max", max), ("after", &last)]).await?;
    }
    Ok(items)
}

async fn a_server_lists_its_channels(t: Ctx) -> Result<()> {
    let channels = ["tea", "beer", "secret", "mine"].map(|name| t.channel_named(name));
    let alice = t.irc("alice").await?;
    for channel in &channels[..3] {
        alice.join(channel).await?;
    }
    alice.topic(&channels[0], "green & black").await?;
    alice.mode(&channels[2], "+s").await?;
    let phone = t.client("phone").await?;
    // Nobody is connected: to ask for the list connects.
    let own = format!("-{}", channels[0].rsplit_once('-').context("a number")?.1);
    let mine = |items: Vec<(String, String)>| -> Vec<(String, String)> {
        let of_case = |(jid, _): &(String, String)| {
            jid.split('%')
                .next()
                .is_some_and(|channel| channel.ends_with(&own))
        };
        items.into_iter().filter(of_case).collect()
    };
    let listed = mine(all(&phone, &t.server(), "7").await?);
    let wanted = [
        (t.room(&channels[1]), format!("{} (1)", channels[1])),
        (
            t.room(&channels[0]),
            format!("{} (1): green & black", channels[0]),
        ),
    ];
    ensure!(listed == wanted, "{listed:?}");

    // Who is in a secret channel sees it, and nobody else.
    let laptop = t.client("laptop").await?;
    laptop.join(&t.room(&channels[2]), &t.nick("lisa")).await?;
    let listed = mine(all(&laptop, &t.server(), "100").await?);
    ensure!(
        listed.iter().any(|(jid, _)| *jid == t.room(&channels[2])),
        "a member sees it: {listed:?}"
    );
    let listed = mine(all(&phone, &t.server(), "100").await?);
    ensure!(listed == wanted, "it is not for others: {listed:?}");
    let features = phone.disco_info(&t.server(), None).await?.features();
    for feature in [RSM, SEARCH, ns::MUC] {
        ensure!(features.iter().any(|it| it == feature), "{feature}: {features:?}");
    }
    Ok(())
}

/// A scripted server that answers LIST with so many channels, once: one list must be enough for all pages.
async fn server_with(
    t: &Ctx,
    channels: usize,
) -> Result<(viaduct_gateway_tests::Scripted, Client, IrcSession)> {
    let (server, phone) = (t.scripted().await?, t.client("phone").await?);
    let (nick, channel) = (t.nick("bob"), t.channel());
    let room = server.room(&channel);
    let script = async {
        let session = greet(&server, &Welcome::default(), &nick).await?;
        answer_modes(&session, &nick, "+n");
        session.let_in(&nick, &channel, &["@alice"]).await?;
        Ok(session)
    };
    let (session, _) = tokio::try_join!(script, phone.join(&room, &nick))?;
    let mut asked = false;
    session.respond_and_pong(move |line| {
        let first = line.command == "LIST" && !std::mem::replace(&mut asked, true);
        first.then(|| {
            // In no order that would help.
            let number = |n: usize| (n * 7919) % channels;
            let listed = (0..channels)
                .map(|n| format!(":irc.test 322 {nick} #chan{:05} {} :topic {n}", number(n), n % 90));
            let end = std::iter::once(format!(":irc.test 323 {nick} :End of LIST"));
            listed.chain(end).collect()
        })
    });
    Ok((server, phone, session))
}

async fn pages_go_both_ways(t: Ctx) -> Result<()> {
    let (server, phone, _session) = server_with(&t, 10).await?;
    let jid = server.jid();
    let numbers = |page: &Page| -> Vec<usize> {
        let number = |(jid, _): &(String, String)| jid.get(5..10).and_then(|n| n.parse().ok());
        page.items.iter().filter_map(number).collect()
    };
    let first = page(&phone, &jid, &[("max", "4")]).await?;
    ensure!(numbers(&first) == [0, 1, 2, 3], "{:?}", first.items);
    ensure!(
        (first.index, first.count) == (Some(0), Some(10)),
        "{:?}",
        first.count
    );
    let last = first.last.context("it has an end")?;
    let next = page(&phone, &jid, &[("max", "4"), ("after", &last)]).await?;
    ensure!(
        numbers(&next) == [4, 5, 6, 7] && next.index == Some(4),
        "{:?}",
        next.items
    );
    let before = next.first.context("it has a beginning")?;
    let back = page(&phone, &jid, &[("max", "3"), ("before", &before)]).await?;
    ensure!(numbers(&back) == [1, 2, 3], "{:?}", back.items);
    let end = page(&phone, &jid, &[("max", "3"), ("before", "")]).await?;
    ensure!(
        numbers(&end) == [7, 8, 9] && end.index == Some(7),
        "{:?}",
        end.items
    );
    let middle = page(&phone, &jid, &[("max", "2"), ("index", "5")]).await?;
    ensure!(
        numbers(&middle) == [5, 6] && middle.index == Some(5),
        "{:?}",
        middle.items
    );
    let beyond = page(&phone, &jid, &[("max", "2"), ("index", "50")]).await?;
    ensure!(
        beyond.items.is_empty() && beyond.count == Some(10),
        "{:?}",
        beyond.items
    );
    let count = page(&phone, &jid, &[("max", "0")]).await?;
    ensure!(
        count.items.is_empty() && count.count == Some(10),
        "{:?}",
        count.items
    );
    let unasked = page(&phone, &jid, &[]).await?;
    ensure!(
        unasked.items.len() == 10 && unasked.count.is_none(),
        "{:?}",
        unasked.items
    );
    let odd = tag("set").ns(RSM).child(tag("index").text("x"));
    let odd = phone
        .get(&jid, tag("query").ns(ns::DISCO_ITEMS).child(odd))
        .await?;
    refused(&odd, "bad-request")
}

async fn own_rooms_come_first_at_a_fixed_server(t: Ctx) -> Result<()> {
    let channels = ["zebra", "adder"].map(|name| t.channel_named(name));
    let alice = t.irc("alice").await?;
    for channel in &channels {
        alice.join(channel).await?;
    }
    let phone = t.client("phone").await?;
    let before = page(&phone, FIXED_GATEWAY, &[]).await?;
    ensure!(
        before.items.is_empty(),
        "nobody is connected by a look: {:?}",
        before.items
    );
    let rooms = channels.clone().map(|channel| t.fixed_room(&channel));
    phone.join(&rooms[0], &t.nick("bob")).await?;
    let listed = all(&phone, FIXED_GATEWAY, "3").await?;
    let jids: Vec<&String> = listed.iter().map(|(jid, _)| jid).collect();
    ensure!(
        jids.first() == Some(&&rooms[0]),
        "the own room comes first: {jids:?}"
    );
    let times = |room: &String| jids.iter().filter(|jid| **jid == room).count();
    ensure!(
        times(&rooms[0]) == 1 && times(&rooms[1]) == 1,
        "each once: {jids:?}"
    );
    Ok(())
}

async fn fifty_thousand_channels_are_paged_whole(t: Ctx) -> Result<()> {
    const MANY: usize = 50_000;
    let (server, phone, _session) = server_with(&t, MANY).await?;
    let listed = all(&phone, &server.jid(), "250").await?;
    let distinct: BTreeSet<&String> = listed.iter().map(|(jid, _)| jid).collect();
    ensure!(listed.len() == MANY, "{} channels", listed.len());
    ensure!(distinct.len() == MANY, "{} of them differ", distinct.len());
    Ok(())
}

async fn a_list_holds_nobody_up(t: Ctx) -> Result<()> {
    let (server, phone, session) = server_with(&t, 10).await?;
    let (nick, channel) = (t.nick("bob"), t.channel());
    let room = server.room(&channel);
    session.respond_and_pong(|_| None);
    let query = tag("query").ns(ns::DISCO_ITEMS);
    let asked = tag("iq")
        .attr("type", "get")
        .attr("id", "list")
        .attr("to", server.jid());
    phone.send(asked.child(query)).await?;
    session
        .expect("the question", |line| line.command == "LIST")
        .await?;
    for n in 0..300 {
        session
            .send(format!(":irc.test 322 {nick} #chan{n:05} 1 :topic"))
            .await?;
    }
    // Both ways, in the middle of the list.
    session
        .send(format!(":alice!u@h PRIVMSG {channel} :hello"))
        .await?;
    phone.expect_body(&format!("{room}/alice"), "hello").await?;
    phone.say(&room, "still here").await?;
    session
        .expect("the message", |line| line.is("PRIVMSG", &[&channel]))
        .await?;
    phone.expect_body(&format!("{room}/{nick}"), "still here").await?;
    session.send(format!(":irc.test 323 {nick} :End of LIST")).await?;
    let answer = phone
        .expect("the list", |stanza| stanza.attr("id") == Some("list"))
        .await?;
    ensure!(
        answer.find_all("item", ns::DISCO_ITEMS).len() == 100,
        "{}",
        answer.xml()
    );
    Ok(())
}

async fn no_list_is_an_answer_too(t: Ctx) -> Result<()> {
    let (server, phone, session) = server_with(&t, 10).await?;
    let nick = t.nick("bob");
    session.respond_and_pong(move |line| {
        (line.command == "LIST").then(|| {
            vec![format!(
                ":irc.test 263 {nick} LIST :Server load is temporarily too heavy"
            )]
        })
    });
    let query = || tag("query").ns(ns::DISCO_ITEMS);
    let answer = phone.get(&server.jid(), query()).await?;
    refused(&answer, "resource-constraint")?;
    let text = answer.error().and_then(|error| error.text).unwrap_or_default();
    ensure!(text.contains("too heavy"), "the server's words: {text}");

    // The connection goes before the list has come.
    session.respond_and_pong(|_| None);
    let asked = tag("iq")
        .attr("type", "get")
        .attr("id", "cut")
        .attr("to", server.jid());
    phone.send(asked.child(query())).await?;
    session
        .expect("the question", |line| line.command == "LIST")
        .await?;
    drop(session);
    let answer = phone
        .expect("an answer", |stanza| stanza.attr("id") == Some("cut"))
        .await?;
    refused(&answer, "remote-server-timeout")
}

async fn channels_are_found_by_name_and_size(t: Ctx) -> Result<()> {
    let (server, phone, _session) = server_with(&t, 1000).await?;
    let form = phone.get(&server.jid(), tag("query").ns(SEARCH)).await?;
    granted(&form)?;
    let field = |var: &str, value: &str| tag("field").attr("var", var).child(tag("value").text(value));
    let search = async |name: &str, people: &str| {
        let form = tag("x").ns(ns::DATA).attr("type", "submit");
        let form = form.child(field("name", name)).child(field("people", people));
        phone
            .set(&server.jid(), tag("query").ns(SEARCH).child(form))
            .await
    };
    let hits = |answer: &Element| -> Vec<String> {
        let fields = answer.find_all("field", ns::DATA);
        let jids = fields
            .into_iter()
            .filter(|field| field.attr("var") == Some("jid"));
        jids.filter_map(|field| Some(field.find("value", ns::DATA)?.text()))
            .collect()
    };
    let found = hits(&search("CHAN0012", "").await?);
    ensure!(
        found.len() == 10 && found.iter().all(|jid| jid.starts_with("#chan0012")),
        "{found:?}"
    );
    let found = hits(&search("#chan*99", "80").await?);
    ensure!(!found.is_empty() && found.len() < 10, "{found:?}");
    let none = search("nothing like it", "").await?;
    granted(&none)?;
    ensure!(hits(&none).is_empty(), "{}", none.xml());
    refused(&search("", "many").await?, "not-acceptable")
}
