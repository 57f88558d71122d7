//! What the gateway says about itself (XEP-0030, XEP-0100 §4.1.1), and that all of it is true.

use viaduct_gateway_tests::prelude::*;

use super::registration_support::{ensure_error, send_presence};

pub(crate) const CASES: &[Case] = &[
    case!(names_its_network).rows("G1 M1"),
    case!(advertised_features_work).rows("G2 C1"),
    case!(what_is_missing_is_not_advertised).rows("G2"),
    case!(outdated_agent_information_is_refused).rows("G3"),
    case!(every_request_gets_one_answer),
    case!(the_gateway_speaks_as_its_domain).rows("G4"),
];

async fn names_its_network(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    for gateway in [GATEWAY, FIXED_GATEWAY] {
        let info = phone.disco_info(gateway, None).await?;
        let identities = info.find_all("identity", ns::DISCO_INFO);
        for (category, kind) in [("gateway", "irc"), ("conference", "text")] {
            let found = identities
                .iter()
                .filter(|one| one.attr("category") == Some(category) && one.attr("type") == Some(kind));
            let names: Vec<_> = found.filter_map(|one| one.attr("name")).collect();
            ensure!(
                names.len() == 1 && !names[0].trim().is_empty(),
                "one {category}/{kind} with a name at {gateway}: {}",
                info.xml()
            );
        }
        ensure!(
            info.features().iter().any(|feature| feature == ns::MUC),
            "rooms are a feature of {gateway}: {}",
            info.xml()
        );
    }
    Ok(())
}

async fn advertised_features_work(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let features = phone.disco_info(GATEWAY, None).await?.features();
    let queries = [
        (ns::DISCO_INFO, "query"),
        (ns::DISCO_ITEMS, "query"),
        (ns::REGISTER, "query"),
        (ns::GATEWAY, "query"),
        (ns::VERSION, "query"),
        (ns::PING, "ping"),
        ("urn:xmpp:time", "time"),
    ];
    for (namespace, name) in queries {
        ensure!(
            features.iter().any(|feature| feature == namespace),
            "{namespace} is advertised: {features:?}"
        );
        let answer = phone.ok("get", GATEWAY, tag(name).ns(namespace)).await?;
        let payload = answer.children().next();
        ensure!(
            namespace == ns::PING || payload.is_some_and(|payload| payload.is(name, namespace)),
            "{namespace} is answered in kind: {}",
            answer.xml()
        );
    }
    let version = phone.ok("get", GATEWAY, tag("query").ns(ns::VERSION)).await?;
    for part in ["name", "version"] {
        ensure!(
            version
                .find(part, ns::VERSION)
                .is_some_and(|part| !part.text().is_empty()),
            "the version has a {part}: {}",
            version.xml()
        );
    }

    ensure!(
        features.iter().any(|feature| feature == ns::COMMANDS),
        "commands are advertised: {features:?}"
    );
    let commands = phone.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    let node = commands
        .find_all("item", ns::DISCO_ITEMS)
        .into_iter()
        .find_map(|item| item.attr("node"))
        .context("there is a command")?;
    let command = tag("command").ns(ns::COMMANDS).attr("node", node);
    phone.ok("set", GATEWAY, command).await?;
    Ok(())
}

async fn what_is_missing_is_not_advertised(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let features = phone.disco_info(GATEWAY, None).await?.features();
    let mut once = features.clone();
    once.sort_unstable();
    once.dedup();
    ensure!(once.len() == features.len(), "each feature once: {features:?}");
    for missing in [
        "http://jabber.org/protocol/rosterx",
        "jabber:iq:search",
        "jabber:iq:last",
        "vcard-temp",
        "http://jabber.org/protocol/bytestreams",
        "urn:xmpp:http:upload:0",
        ns::MAM,
    ] {
        ensure!(
            !features.iter().any(|feature| feature == missing),
            "{missing} does not work here, but is advertised"
        );
        let answer = phone.get(GATEWAY, tag("query").ns(missing)).await?;
        ensure_error(&answer, "service-unavailable", "cancel", "503")?;
    }

    // Registration is closed for the users of another domain, and so is what leads there.
    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    let features = stranger.disco_info(GATEWAY, None).await?.features();
    ensure!(
        features.iter().any(|feature| feature == ns::PING)
            && !features.iter().any(|feature| feature == ns::REGISTER),
        "no registration for strangers: {features:?}"
    );
    Ok(())
}

async fn outdated_agent_information_is_refused(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let agents = phone.get(GATEWAY, tag("query").ns("jabber:iq:agents")).await?;
    ensure_error(&agents, "service-unavailable", "cancel", "503")?;
    Ok(())
}

async fn every_request_gets_one_answer(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for (jid, kind) in [
        (GATEWAY.to_owned(), "set"),
        (t.server(), "get"),
        (t.person("nobody"), "set"),
        (t.room("#nowhere"), "set"),
        (format!("%%@{GATEWAY}"), "get"),
    ] {
        let answer = phone
            .iq(kind, &jid, tag("wish").ns("urn:example:unknown"))
            .await?;
        ensure!(
            ["service-unavailable", "item-not-found"].contains(&answer.condition().as_str()),
            "{jid}: {}",
            answer.xml()
        );
    }
    let answers = |stanza: &Element| stanza.is_iq();
    phone.expect_none("a second answer", GATEWAY, answers).await
}

async fn the_gateway_speaks_as_its_domain(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    phone.roster().await?;
    // A request, a refused subscription, and a chat: an answer of each kind of stanza.
    let answer = phone.disco_info(GATEWAY, None).await?;
    ensure!(answer.from() == GATEWAY, "from {}", answer.from());
    send_presence(&phone, GATEWAY, "subscribe").await?;
    let refusal = phone.expect_presence(GATEWAY, "unsubscribed").await?;
    ensure!(refusal.from() == GATEWAY, "from {}", refusal.from());
    phone.chat(GATEWAY, "help").await?;
    let wanted = |stanza: &Element| stanza.is_message() && stanza.is_from(GATEWAY);
    let words = phone.expect("an answer in the chat", wanted).await?;
    ensure!(words.from() == GATEWAY, "from {}", words.from());

    // And all that comes of a registration.
    super::registration_support::register(&phone, FIXED_GATEWAY, &[("nick", &t.nick("bob"))]).await?;
    let asks = phone.expect_presence(FIXED_GATEWAY, "subscribe").await?;
    ensure!(asks.from() == FIXED_GATEWAY, "asks as {}", asks.from());
    send_presence(&phone, FIXED_GATEWAY, "subscribed").await?;
    send_presence(&phone, FIXED_GATEWAY, "subscribe").await?;
    let agrees = phone.expect_presence(FIXED_GATEWAY, "subscribed").await?;
    ensure!(agrees.from() == FIXED_GATEWAY, "agrees as {}", agrees.from());
    let there = phone.expect_presence(FIXED_GATEWAY, "").await?;
    ensure!(there.from() == FIXED_GATEWAY, "there as {}", there.from());
    phone.settle(FIXED_GATEWAY).await?;
    let with_resource = |stanza: &Element| stanza.from().starts_with(&format!("{FIXED_GATEWAY}/"));
    phone
        .expect_none(
            "a stanza from a resource of the gateway",
            FIXED_GATEWAY,
            with_resource,
        )
        .await?;
    let roster = phone.roster().await?;
    let items = roster.find_all("item", ns::ROSTER);
    let jids: Vec<_> = items.iter().filter_map(|item| item.attr("jid")).collect();
    ensure!(
        jids.contains(&FIXED_GATEWAY)
            && !jids
                .iter()
                .any(|jid| jid.starts_with(&format!("{FIXED_GATEWAY}/"))),
        "the domain alone is in the roster: {jids:?}"
    );
    Ok(())
}
