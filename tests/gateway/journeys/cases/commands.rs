//! Which commands there are, and those of one step (XEP-0050 §2.2, §2.4.1).

use viaduct_gateway_tests::prelude::*;

use super::commands_support::{FormExt as _, Stage, begin, run};
use super::registration_support::{ensure_error, register};

pub(crate) const CASES: &[Case] = &[
    case!(commands_are_found_by_disco).rows("C1 C2 C4"),
    case!(each_command_describes_itself).rows("C3"),
    case!(strangers_find_and_run_nothing).rows("C2 C3 C10"),
    case!(a_command_of_one_step_is_done_at_once).rows("C5"),
    case!(commands_work_in_a_chat),
];

async fn commands_are_found_by_disco(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let info = phone.disco_info(GATEWAY, None).await?;
    ensure!(
        info.features().iter().any(|feature| feature == ns::COMMANDS),
        "commands are advertised: {}",
        info.xml()
    );
    let list = phone.disco_info(GATEWAY, Some(ns::COMMANDS)).await?;
    let identity = list
        .find("identity", ns::DISCO_INFO)
        .context("an identity of the list")?;
    ensure!(
        identity.attr("category") == Some("automation") && identity.attr("type") == Some("command-list"),
        "{}",
        list.xml()
    );

    let items = phone.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    let query = items.get_child("query", ns::DISCO_ITEMS).context("a query")?;
    ensure!(
        query.attr("node") == Some(ns::COMMANDS),
        "the node comes back: {}",
        items.xml()
    );
    let mut nodes = Vec::new();
    for item in items.find_all("item", ns::DISCO_ITEMS) {
        ensure!(
            item.attr("jid") == Some(GATEWAY),
            "only commands of the gateway itself: {}",
            items.xml()
        );
        ensure!(
            item.attr("name").is_some_and(|name| !name.trim().is_empty()),
            "each has a name: {}",
            items.xml()
        );
        let node = item.attr("node").unwrap_or_default().to_owned();
        ensure!(
            !node.is_empty() && !nodes.contains(&node),
            "'{node}' is unique: {}",
            items.xml()
        );
        nodes.push(node);
    }
    for wanted in [
        "register",
        "logout",
        "status",
        "preferences",
        "rooms",
        "leave",
        "unregister",
    ] {
        ensure!(
            nodes.iter().any(|node| node == wanted),
            "'{wanted}' is there: {nodes:?}"
        );
    }
    let elsewhere = phone.disco_items(&t.person("bob"), Some(ns::COMMANDS)).await?;
    ensure!(
        elsewhere.find("item", ns::DISCO_ITEMS).is_none(),
        "people have no commands: {}",
        elsewhere.xml()
    );
    Ok(())
}

async fn each_command_describes_itself(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let items = phone.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    for item in items.find_all("item", ns::DISCO_ITEMS) {
        let node = item.attr("node").unwrap_or_default();
        let info = phone.disco_info(GATEWAY, Some(node)).await?;
        let identity = info
            .find("identity", ns::DISCO_INFO)
            .with_context(|| format!("an identity of '{node}': {}", info.xml()))?;
        ensure!(
            identity.attr("category") == Some("automation")
                && identity.attr("type") == Some("command-node")
                && identity.attr("name") == item.attr("name"),
            "'{node}': {}",
            info.xml()
        );
        for feature in [ns::COMMANDS, ns::DATA] {
            ensure!(
                info.features().iter().any(|known| known == feature),
                "'{node}' has {feature}: {}",
                info.xml()
            );
        }
    }
    let unknown = phone.disco_info(GATEWAY, Some("no-such-command")).await?;
    ensure_error(&unknown, "item-not-found", "cancel", "404")?;
    Ok(())
}

async fn strangers_find_and_run_nothing(t: Ctx) -> Result<()> {
    let stranger = t.offline_client("stranger", OTHER_DOMAIN).await?;
    let items = stranger.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    ensure!(
        items.kind() == "result" && items.find("item", ns::DISCO_ITEMS).is_none(),
        "an empty list: {}",
        items.xml()
    );
    for node in ["register", "status", "leave"] {
        let info = stranger.disco_info(GATEWAY, Some(node)).await?;
        ensure_error(&info, "forbidden", "auth", "403").context(node)?;
        let command = tag("command").ns(ns::COMMANDS).attr("node", node);
        let answer = stranger.set(GATEWAY, command).await?;
        ensure_error(&answer, "forbidden", "auth", "403").context(node)?;
    }
    Ok(())
}

async fn a_command_of_one_step_is_done_at_once(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let phone = t.client("phone").await?;
    phone.join(&t.room(&channel), &nick).await?;
    let done = begin(&phone, "status").await?;
    ensure!(
        done.status == "completed" && !done.session.is_empty(),
        "in one round trip: {}",
        done.xml
    );
    let result = done.form().context("a result")?;
    ensure!(result.attr("type") == Some("result"), "{}", done.xml);
    let text = result.text_of_all();
    ensure!(
        text.contains(&nick) && text.contains(&t.room(&channel)) && text.contains(t.world().irc_name()),
        "it says where the user is, and as whom: {text}"
    );
    // It is over: nothing can be added.
    let more = Stage::next_of(&phone, "status", &done.session, "complete", &[]).await?;
    ensure_error(&more, "not-allowed", "cancel", "405")?;

    // One with a note instead of a form.
    let done = begin(&phone, "logout").await?;
    let note = done.note().context("a note")?;
    ensure!(
        done.status == "completed" && note.attr("type") != Some("error") && !note.text().is_empty(),
        "{}",
        done.xml
    );
    phone.expect_presence(GATEWAY, "unavailable").await?;
    Ok(())
}

async fn commands_work_in_a_chat(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    phone.chat(GATEWAY, "help").await?;
    let said = |stanza: &Element| stanza.is_message() && stanza.from() == GATEWAY;
    let help = phone.expect("help", said).await?.body().unwrap_or_default();
    let items = phone.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    for item in items.find_all("item", ns::DISCO_ITEMS) {
        let node = item.attr("node").unwrap_or_default();
        ensure!(help.contains(node), "help tells of '{node}': {help}");
    }
    // The same command, both ways.
    let nick = t.nick("bob");
    phone.chat(GATEWAY, &format!("register nick={nick}")).await?;
    let done = phone.expect("the answer", said).await?.body().unwrap_or_default();
    ensure!(done.contains("registered"), "{done}");
    let status = begin(&phone, "status").await?;
    ensure!(status.xml.contains(&nick), "{}", status.xml);
    let again = run(&phone, "register", &[("nick", &nick)]).await?;
    ensure!(again.status == "completed", "{}", again.xml);
    register(&phone, GATEWAY, &[("nick", &nick)]).await?;
    phone.chat(GATEWAY, "frobnicate").await?;
    let unknown = phone.expect("the answer", said).await?.body().unwrap_or_default();
    ensure!(
        unknown.contains("frobnicate") && unknown.contains("help"),
        "{unknown}"
    );
    Ok(())
}
