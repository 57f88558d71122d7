//! What the cases about faults share: ledgers of what was said and what has arrived.

use std::collections::{HashMap, HashSet};

use viaduct_gateway_tests::prelude::*;

/// What a client has of a sender: bodies in order of arrival, each stanza-id once. An id that comes with two bodies,
/// or a message without one, is an error.
pub(super) fn bodies_of(stanzas: &[Element], room: &str, sender: &str) -> Result<Vec<String>> {
    let (mut seen, mut bodies) = (HashMap::new(), Vec::new());
    let messages = stanzas
        .iter()
        .filter(|stanza| stanza.is_message() && stanza.is_from(sender) && stanza.kind() == "groupchat");
    for message in messages {
        let Some(body) = message.body() else { continue };
        let id = message.stanza_id(room).map(str::to_owned);
        let id = id.with_context(|| format!("a message without stanza-id: {}", message.xml()))?;
        match seen.insert(id, body.clone()) {
            None => bodies.push(body),
            Some(before) => ensure!(before == body, "one id for '{before}' and '{body}'"),
        }
    }
    Ok(bodies)
}

/// Fails unless the client has got exactly these bodies from the sender, in this order, each under one id.
pub(super) fn in_order_and_once(client: &Client, room: &str, sender: &str, wanted: &[String]) -> Result<()> {
    let got = bodies_of(
        &client.take_all(|stanza| stanza.is_from(sender) && stanza.body().is_some()),
        room,
        sender,
    )?;
    let got: Vec<String> = got
        .into_iter()
        .filter(|body| !body.starts_with("flush-"))
        .collect();
    same(&got, wanted).with_context(|| format!("what {} got from {sender}", client.jid()))
}

/// Fails, with the first difference, unless both are the same.
pub(super) fn same(got: &[String], wanted: &[String]) -> Result<()> {
    if got == wanted {
        return Ok(());
    }
    let at = got
        .iter()
        .zip(wanted)
        .take_while(|(one, other)| one == other)
        .count();
    let (have, want): (HashSet<_>, HashSet<_>) = (got.iter().collect(), wanted.iter().collect());
    let missing: Vec<_> = wanted
        .iter()
        .filter(|body| !have.contains(body))
        .take(8)
        .collect();
    let extra: Vec<_> = got.iter().filter(|body| !want.contains(body)).take(8).collect();
    bail!(
        "{} came and {} were said; they differ at {at} ({:?} instead of {:?}); missing {missing:?}, not said {extra:?}",
        got.len(),
        wanted.len(),
        got.get(at),
        wanted.get(at)
    )
}

/// The whole archive of a room, page by page: (id, body).
pub(super) async fn archive(client: &Client, room: &str, page: usize) -> Result<Vec<(String, String)>> {
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let set = tag("set")
            .ns("http://jabber.org/protocol/rsm")
            .child(tag("max").text(page));
        let set = if after.is_empty() {
            set
        } else {
            set.child(tag("after").text(&after))
        };
        let answer = client
            .ok(
                "set",
                room,
                tag("query").ns(ns::MAM).attr("queryid", "all").child(set),
            )
            .await?;
        let results =
            client.take_all(|stanza| stanza.is_from(room) && stanza.find("result", ns::MAM).is_some());
        for stanza in &results {
            let result = stanza.find("result", ns::MAM).context("it was looked for")?;
            let id = result.attr("id").context("an archived message has an id")?;
            let message = result
                .find("message", ns::CLIENT)
                .context("a result holds a message")?;
            after = id.to_owned();
            if let Some(body) = message.body() {
                all.push((id.to_owned(), body));
            }
        }
        let fin = answer.find("fin", ns::MAM).context("the answer has <fin/>")?;
        if fin.attr("complete") == Some("true") {
            return Ok(all);
        }
        ensure!(
            !results.is_empty(),
            "an archive that is not complete has more: {}",
            answer.xml()
        );
    }
}

/// The resident memory of the gateway in KiB.
pub(super) fn memory(t: &Ctx) -> Result<u64> {
    let pid = t.world().gateway().process().pid().context("the gateway runs")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("it has memory")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
