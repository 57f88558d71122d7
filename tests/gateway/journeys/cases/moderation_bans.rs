//! Bans and the lists of affiliations (XEP-0045 §9).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, granted, list, refused, set_affiliation, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(a_ban_happens_on_the_network_first).rows("M80 M82"),
    case!(a_ban_by_the_network_is_shown).rows("M80"),
    case!(some_bans_are_not_possible).rows("M81 M86"),
    case!(the_list_of_bans_has_people_in_it).rows("M82"),
    case!(members_are_made_and_unmade).rows("M83"),
    case!(lists_are_for_those_concerned).rows("M84 M99"),
    case!(lists_have_what_belongs_into_them).rows("M87"),
    case!(a_room_has_an_owner_and_keeps_the_last).rows("M90 M100"),
];

fn items(answer: &Element) -> Vec<&Element> {
    answer.find_all("item", ns::MUC_ADMIN)
}

/// Sends items as they are.
async fn set_items(client: &Client, room: &str, items: &[String]) -> Result<Element> {
    client
        .set(room, tag("query").ns(ns::MUC_ADMIN).child(items.concat()))
        .await
}

async fn a_ban_happens_on_the_network_first(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let laptop = s.laptop(&t).await?;
    let carol = s.carol(&t).await?;
    let puppet = t.person(carol.nick());
    let item = tag("item")
        .attr("jid", &puppet)
        .attr("affiliation", "outcast")
        .child(tag("reason").text("too loud"));
    granted(&set_items(&s.phone, &s.room, &[item.to_string()]).await?)?;
    let mode = s
        .alice
        .expect("the ban", |line| line.command == "MODE" && line.param(1) == "+b")
        .await?;
    ensure!(mode.nick() == s.nick, "{mode}");
    for client in [&s.phone, &laptop] {
        let gone = client
            .expect_presence(&s.occupant(carol.nick()), "unavailable")
            .await?;
        ensure!(gone.has_status(301) && !gone.has_status(110), "{}", gone.xml());
        ensure!(gone.xml().contains("too loud"), "{}", gone.xml());
    }
    let bans = list(&s.phone, &s.room, "affiliation", "outcast").await?;
    granted(&bans)?;
    let jids: Vec<&str> = items(&bans).iter().filter_map(|item| item.attr("jid")).collect();
    ensure!(jids == [puppet.as_str()], "{}", bans.xml());
    carol.send(format!("JOIN {}", s.channel)).await?;
    carol.expect("the door", |line| line.command == "474").await?;

    granted(&set_affiliation(&s.phone, &s.room, &puppet, "none").await?)?;
    let bans = list(&s.phone, &s.room, "affiliation", "outcast").await?;
    ensure!(items(&bans).is_empty(), "{}", bans.xml());
    carol.join(&s.channel).await?;
    Ok(())
}

async fn a_ban_by_the_network_is_shown(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.mode(&s.channel, &format!("+b {}!*@*", s.nick)).await?;
    s.alice
        .send(format!("KICK {} {} :out", s.channel, s.nick))
        .await?;
    let gone = s.phone.expect_presence(&s.me(), "unavailable").await?;
    ensure!(gone.has_status(301) && gone.has_status(110), "{}", gone.xml());
    let item = gone.find("item", ns::MUC_USER).with_context(|| gone.xml())?;
    let actor = item
        .find("actor", ns::MUC_USER)
        .and_then(|actor| actor.attr("nick"));
    ensure!(actor == Some(s.alice.nick()), "{}", gone.xml());
    Ok(())
}

async fn some_bans_are_not_possible(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["~olga", "@alice", "carol"]).await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    let person = |nick: &str| s.server.person(nick);
    let ban = |nick: &str| {
        tag("item")
            .attr("jid", person(nick))
            .attr("affiliation", "outcast")
            .to_string()
    };
    for (items, condition) in [
        (vec![ban("olga")], "not-allowed"),
        (vec![ban(&s.nick)], "conflict"),
        (vec![ban("carol"), ban("olga")], "not-allowed"),
        (vec![ban("carol"), ban(&s.nick)], "conflict"),
        (
            vec![
                tag("item")
                    .attr("nick", "carol")
                    .attr("role", "none")
                    .attr("affiliation", "outcast")
                    .to_string(),
            ],
            "bad-request",
        ),
        (
            vec![
                tag("item")
                    .attr("nick", "carol")
                    .attr("affiliation", "king")
                    .to_string(),
            ],
            "bad-request",
        ),
        (vec![], "bad-request"),
    ] {
        refused(&set_items(&s.phone, &s.room, &items).await?, condition)?;
    }
    s.flush().await?;
    let tried = s
        .session
        .take_all(|line| line.command == "KICK" || line.command == "MODE" && line.params.len() > 2);
    ensure!(tried.is_empty(), "none of them was tried: {tried:?}");
    // The network's refusal is the answer.
    s.refuse("MODE", "482", "You're not channel operator");
    refused(&set_items(&s.phone, &s.room, &[ban("carol")]).await?, "forbidden")
}

async fn the_list_of_bans_has_people_in_it(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    refused(
        &list(&s.phone, &s.room, "affiliation", "outcast").await?,
        "forbidden",
    )?;
    for mask in ["dave!*@*", "*!*@*.example.net", "x?y!*@*"] {
        s.alice.mode(&s.channel, &format!("+b {mask}")).await?;
    }
    s.promote(&t).await?;
    let bans = list(&s.phone, &s.room, "affiliation", "outcast").await?;
    granted(&bans)?;
    let shown: Vec<_> = items(&bans)
        .iter()
        .map(|item| {
            (
                item.attr("jid"),
                item.attr("affiliation"),
                item.attr("role"),
                item.attr("nick"),
            )
        })
        .collect();
    let dave = t.person("dave");
    ensure!(
        shown == [(Some(dave.as_str()), Some("outcast"), None, None)],
        "{}",
        bans.xml()
    );
    // Masks that are nobody's are among the settings.
    let form = s
        .phone
        .get(&s.room, tag("query").ns("http://jabber.org/protocol/muc#owner"))
        .await?;
    granted(&form)?;
    ensure!(
        form.xml().contains("*!*@*.example.net") && !form.xml().contains("dave"),
        "{}",
        form.xml()
    );
    Ok(())
}

async fn members_are_made_and_unmade(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let carol = s.carol(&t).await?;
    for (affiliation, mode) in [("member", "+v"), ("none", "-v")] {
        // A resource in the request counts for nothing.
        let jid = format!("{}/anything", t.person(carol.nick()));
        granted(&set_affiliation(&s.phone, &s.room, &jid, affiliation).await?)?;
        let line = s
            .alice
            .expect("the change", |line| {
                line.is("MODE", &[&s.channel, mode, carol.nick()])
            })
            .await?;
        ensure!(line.nick() == s.nick, "{line}");
        let shown = s.phone.expect_presence(&s.occupant(carol.nick()), "").await?;
        stands_as(&shown, affiliation, "participant")?;
    }
    let nobody = t.person(&t.nick("nobody"));
    refused(
        &set_affiliation(&s.phone, &s.room, &nobody, "member").await?,
        "item-not-found",
    )
}

async fn lists_are_for_those_concerned(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    for affiliation in ["owner", "admin", "member", "outcast"] {
        for client in [&s.phone, &stranger] {
            let answer = list(client, &s.room, "affiliation", affiliation).await?;
            refused(&answer, "forbidden").with_context(|| affiliation.to_owned())?;
        }
    }
    // Nor for members: the room is no members-only one.
    s.alice.mode(&s.channel, &format!("+v {}", s.nick)).await?;
    s.flush(&t).await?;
    refused(
        &list(&s.phone, &s.room, "affiliation", "member").await?,
        "forbidden",
    )?;
    s.promote(&t).await?;
    for affiliation in ["owner", "admin", "member", "outcast"] {
        granted(&list(&s.phone, &s.room, "affiliation", affiliation).await?)?;
    }
    Ok(())
}

async fn lists_have_what_belongs_into_them(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.promote(&t).await?;
    let puppet = t.person(s.alice.nick());
    let alice = |answer: &Element| {
        let items = items(answer);
        let item = items.into_iter().find(|item| item.attr("jid") == Some(&puppet));
        item.map(|item| ["nick", "role", "affiliation"].map(|name| item.attr(name).map(str::to_owned)))
    };
    let some = |text: &str| Some(text.to_owned());
    let roles = list(&s.phone, &s.room, "role", "moderator").await?;
    let wanted = [some(s.alice.nick()), some("moderator"), some("admin")];
    ensure!(alice(&roles) == Some(wanted), "{}", roles.xml());
    let affiliations = list(&s.phone, &s.room, "affiliation", "admin").await?;
    let wanted = [some(s.alice.nick()), None, some("admin")];
    ensure!(alice(&affiliations) == Some(wanted), "{}", affiliations.xml());
    Ok(())
}

async fn a_room_has_an_owner_and_keeps_the_last(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    let owners = |answer: &Element| -> Vec<String> {
        let jids = items(answer).into_iter().filter_map(|item| item.attr("jid"));
        jids.map(str::to_owned).collect()
    };
    let answer = list(&s.phone, &s.room, "affiliation", "owner").await?;
    ensure!(
        owners(&answer) == [GATEWAY],
        "where nobody is, the gateway is: {}",
        answer.xml()
    );
    s.line("alice", "MODE", &format!("+q {}", s.nick)).await?;
    s.flush().await?;
    let (me, puppet) = (s.phone.bare().to_owned(), s.server.person(&s.nick));
    let answer = list(&s.phone, &s.room, "affiliation", "owner").await?;
    ensure!(owners(&answer) == [me.clone()], "{}", answer.xml());
    // Both addresses of oneself are understood.
    for jid in [&me, &puppet] {
        refused(
            &set_affiliation(&s.phone, &s.room, jid, "admin").await?,
            "conflict",
        )?;
    }
    // With a second one it is possible, and the network decides.
    s.line("alice", "MODE", "+q alice").await?;
    s.flush().await?;
    granted(&set_affiliation(&s.phone, &s.room, &me, "admin").await?)
}
