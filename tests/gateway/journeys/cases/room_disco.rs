//! What the gateway and its rooms say about themselves (XEP-0045 §6).

use viaduct_gateway_tests::prelude::*;

use super::registration_support::register;
use super::stage::{Script, Stage, refused};

pub(crate) const CASES: &[Case] = &[
    case!(the_gateway_is_a_conference_service).rows("M1"),
    case!(own_rooms_are_listed_and_nobody_elses).rows("M2"),
    case!(features_follow_the_channel_modes).rows("M4"),
    case!(the_form_tells_about_the_room).rows("M5"),
    case!(the_form_tells_whom_to_turn_to).rows("M5"),
    case!(occupants_are_not_listed_to_outsiders).rows("M6"),
    case!(guests_have_no_reserved_nick).rows("M8"),
    case!(a_registered_nick_is_reserved).rows("M8"),
    case!(no_traffic_is_discarded).rows("M9"),
    case!(impossible_rooms_are_not_found).rows("M10"),
];

async fn the_gateway_is_a_conference_service(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    for gateway in [GATEWAY, FIXED_GATEWAY] {
        let info = phone.disco_info(gateway, None).await?;
        for wanted in [("conference", "text"), ("gateway", "irc")] {
            ensure!(identities(&info).contains(&wanted), "{wanted:?}: {}", info.xml());
        }
        for feature in [ns::MUC, "http://jabber.org/protocol/muc#stable_id"] {
            ensure!(
                info.features().contains(&feature.to_owned()),
                "{feature}: {}",
                info.xml()
            );
        }
    }
    Ok(())
}

async fn own_rooms_are_listed_and_nobody_elses(t: Ctx) -> Result<()> {
    let channels = ["one", "two", "hidden"].map(|name| t.channel_named(name));
    let rooms = channels.clone().map(|channel| t.room(&channel));
    let alice = t.irc("alice").await?;
    alice.join(&channels[2]).await?;
    alice.mode(&channels[2], "+s").await?;
    let (phone, stranger) = (t.client("phone").await?, t.client("stranger").await?);
    for room in &rooms {
        phone.join(room, &t.nick("bob")).await?;
    }
    let others = t.room(&t.channel_named("others"));
    stranger.join(&others, &t.nick("stranger")).await?;

    let listed = items(&phone, GATEWAY).await?;
    ensure!(
        listed == rooms[..2],
        "hidden rooms and other people's: {listed:?}"
    );
    ensure!(items(&stranger, GATEWAY).await? == [others], "only the own one");

    phone.leave(&rooms[0], &t.nick("bob"), "").await?;
    let listed = items(&phone, GATEWAY).await?;
    ensure!(listed == rooms[1..2], "after leaving: {listed:?}");
    Ok(())
}

async fn features_follow_the_channel_modes(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let info = s.phone.disco_info(&s.room, None).await?;
    ensure!(
        identities(&info) == [("conference", "text")],
        "identity: {}",
        info.xml()
    );
    let name = info
        .find("identity", ns::DISCO_INFO)
        .and_then(|it| it.attr("name"));
    ensure!(name == Some(s.channel.as_str()), "name: {}", info.xml());
    let lasting = [
        ns::MUC,
        "muc_open",
        "muc_persistent",
        "muc_nonanonymous",
        "http://jabber.org/protocol/muc#stable_id",
        "http://jabber.org/protocol/muc#self-ping-optimization",
        ns::OCCUPANT_ID,
        ns::MAM,
        ns::SID,
    ];
    let at_first = ["muc_public", "muc_unmoderated", "muc_unsecured"];
    let changed = ["muc_hidden", "muc_moderated", "muc_passwordprotected"];

    let check = async |present: [&str; 3], absent: [&str; 3]| {
        let features = s.phone.disco_info(&s.room, None).await?.features();
        for feature in lasting.iter().chain(&present) {
            ensure!(
                features.iter().any(|it| it == feature),
                "{feature} is missing: {features:?}"
            );
        }
        for feature in absent
            .iter()
            .chain(&["muc_membersonly", "muc_semianonymous", "muc_temporary"])
        {
            ensure!(
                !features.iter().any(|it| it == feature),
                "{feature} is wrong: {features:?}"
            );
        }
        Ok(())
    };
    check(at_first, changed).await?;
    s.alice.mode(&s.channel, "+smk secret").await?;
    s.alice.mode(&s.channel, "+i").await?;
    s.flush(&t).await?;
    check(changed, at_first).await?;
    s.alice.mode(&s.channel, "-smk secret").await?;
    s.flush(&t).await?;
    check(at_first, changed).await
}

async fn the_form_tells_about_the_room(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.topic(&s.channel, "what it is about").await?;
    s.alice.mode(&s.channel, "-t").await?;
    s.flush(&t).await?;

    let info = s.phone.disco_info(&s.room, None).await?;
    let form_type = "http://jabber.org/protocol/muc#roominfo".to_owned();
    ensure!(
        field(&info, "FORM_TYPE") == Some(form_type),
        "form: {}",
        info.xml()
    );
    for (var, wanted) in [
        ("muc#roominfo_description", s.channel.as_str()),
        ("muc#roominfo_subject", "what it is about"),
        ("muc#roominfo_subjectmod", "1"),
        ("muc#roominfo_occupants", "2"),
    ] {
        let value = field(&info, var);
        ensure!(value.as_deref() == Some(wanted), "{var}: {}", info.xml());
    }
    let most: Option<u32> = field(&info, "muc#maxhistoryfetch").and_then(|value| value.parse().ok());
    ensure!(most.is_some_and(|most| most > 0), "history: {}", info.xml());

    s.alice.mode(&s.channel, "+t").await?;
    let _carol = s.carol(&t).await?;
    let info = s.phone.disco_info(&s.room, None).await?;
    ensure!(
        field(&info, "muc#roominfo_subjectmod").as_deref() == Some("0"),
        "only operators now: {}",
        info.xml()
    );
    ensure!(
        field(&info, "muc#roominfo_occupants").as_deref() == Some("3"),
        "carol has come: {}",
        info.xml()
    );
    Ok(())
}

async fn occupants_are_not_listed_to_outsiders(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let stranger = t.client("stranger").await?;
    // A resource that is not in the room is outside, whoever else is in.
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for client in [&stranger, &laptop] {
        let answer = client.disco_items(&s.room, None).await?;
        let query = answer.find("query", ns::DISCO_ITEMS);
        ensure!(
            answer.kind() == "result" && query.is_some_and(|query| query.children().next().is_none()),
            "an empty list: {}",
            answer.xml()
        );
    }
    Ok(())
}

async fn guests_have_no_reserved_nick(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let (room, node) = (t.room(&t.channel()), Some("x-roomuser-item"));
    for joined in [false, true] {
        if joined {
            phone.join(&room, &t.nick("bob")).await?;
        }
        let answer = phone.disco_info(&room, node).await?;
        let query = answer
            .find("query", ns::DISCO_INFO)
            .with_context(|| answer.xml())?;
        ensure!(
            answer.kind() == "result" && query.attr("node") == node && query.children().next().is_none(),
            "no nick, joined or not: {}",
            answer.xml()
        );
    }
    Ok(())
}

async fn a_registered_nick_is_reserved(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    register(&phone, GATEWAY, &[("nick", &nick)]).await?;
    let room = t.room(&t.channel());
    for joined in [false, true] {
        if joined {
            phone.join(&room, &nick).await?;
        }
        let answer = phone.disco_info(&room, Some("x-roomuser-item")).await?;
        let names: Vec<_> = answer
            .find_all("identity", ns::DISCO_INFO)
            .into_iter()
            .map(|identity| identity.attr("name"))
            .collect();
        ensure!(
            names == [Some(nick.as_str())] && identities(&answer) == [("conference", "text")],
            "{}",
            answer.xml()
        );
    }
    Ok(())
}

async fn no_traffic_is_discarded(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let node = Some("http://jabber.org/protocol/muc#traffic");
    refused(&s.phone.disco_info(&s.room, node).await?, "service-unavailable")
}

async fn impossible_rooms_are_not_found(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    let server = t.world().irc_name();
    for local in [
        format!(r"#with\20space%{server}"),
        format!("#with,comma%{server}"),
        "#no-server".to_owned(),
        "#chan%no_server".to_owned(),
    ] {
        let room = format!("{local}@{GATEWAY}");
        refused(&phone.disco_info(&room, None).await?, "item-not-found").context(local)?;
    }
    ensure!(items(&phone, GATEWAY).await?.is_empty(), "nothing has been made");
    Ok(())
}

/// Category and type of all identities, sorted.
fn identities(info: &Element) -> Vec<(&str, &str)> {
    let all = info.find_all("identity", ns::DISCO_INFO);
    let mut pairs: Vec<(&str, &str)> = all
        .into_iter()
        .map(|identity| (identity.attr("category").unwrap_or_default(), identity.kind()))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// The JIDs of disco#items, sorted.
async fn items(client: &Client, jid: &str) -> Result<Vec<String>> {
    let answer = client.disco_items(jid, None).await?;
    let items = answer.find_all("item", ns::DISCO_ITEMS);
    let mut jids: Vec<String> = items
        .into_iter()
        .filter_map(|item| item.attr("jid"))
        .map(str::to_owned)
        .collect();
    jids.sort_unstable();
    Ok(jids)
}

/// The value of a form's field.
pub(crate) fn field(info: &Element, var: &str) -> Option<String> {
    let fields = info.find_all("field", ns::DATA);
    let field = fields.into_iter().find(|field| field.attr("var") == Some(var))?;
    field.get_child("value", ns::DATA).map(Element::text)
}

async fn the_form_tells_whom_to_turn_to(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["~alice", "~dave", "@carol", "erin"]).await?;
    let contacts = async || {
        let info = s.phone.disco_info(&s.room, None).await?;
        let fields = info.find_all("field", ns::DATA);
        let field = fields
            .into_iter()
            .find(|field| field.attr("var") == Some("muc#roominfo_contactjid"));
        anyhow::Ok(field.map(|field| {
            let values = field.children().filter(|child| child.name() == "value");
            (
                field.attr("type").unwrap_or_default().to_owned(),
                values.map(Element::text).collect::<Vec<_>>(),
            )
        }))
    };
    let owners = ["alice", "dave"].map(|nick| s.server.person(nick)).to_vec();
    let told = contacts().await?;
    ensure!(told == Some(("jid-multi".into(), owners)), "{told:?}");
    // Where nobody owns the room, or nobody knows who does, nobody is named.
    s.line("carol", "MODE", "-qq alice dave").await?;
    s.flush().await?;
    let told = contacts().await?;
    ensure!(told.is_none(), "{told:?}");
    Ok(())
}
