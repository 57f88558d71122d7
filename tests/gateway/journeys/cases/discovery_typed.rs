//! From the names of a network to JIDs: `jabber:iq:gateway` and XEP-0106 (XEP-0100 §6).

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::xmpp::xml::Tag;

use super::registration_support::ensure_error;

pub(crate) const CASES: &[Case] = &[
    case!(odd_characters_are_reached_by_their_escapes).rows("G5"),
    case!(asks_for_a_name).rows("G6"),
    case!(asks_in_the_language_of_the_user).rows("G7"),
    case!(typed_names_lead_to_people_and_channels).rows("G8"),
    case!(what_can_be_no_name_is_refused).rows("G9"),
    case!(one_name_has_one_jid).rows("G10"),
];

fn typed(text: &str) -> Tag {
    tag("query").ns(ns::GATEWAY).child(tag("prompt").text(text))
}

/// The JID for what somebody typed.
async fn jid_of(client: &Client, gateway: &str, text: &str) -> Result<String> {
    let answer = client.ok("set", gateway, typed(text)).await?;
    let jid = answer.find("jid", ns::GATEWAY).map(Element::text);
    jid.with_context(|| format!("'{text}' has no JID: {}", answer.xml()))
}

async fn odd_characters_are_reached_by_their_escapes(t: Ctx) -> Result<()> {
    let channel = t.channel_named("r&d/it's\"<here>");
    let escaped = t.channel_named("r\\26d\\2fit\\27s\\22\\3chere\\3e");
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let room = t.room(&escaped);
    phone.join(&room, &nick).await?;
    alice.expect_join(&nick, &channel).await?;
    alice.say(&channel, "found").await?;
    phone
        .expect_body(&format!("{room}/{}", alice.nick()), "found")
        .await?;
    Ok(())
}

async fn asks_for_a_name(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let answer = phone.ok("get", GATEWAY, tag("query").ns(ns::GATEWAY)).await?;
    for part in ["prompt", "desc"] {
        let text = answer.find(part, ns::GATEWAY).map(Element::text);
        ensure!(
            text.is_some_and(|text| !text.trim().is_empty()),
            "there is a {part}: {}",
            answer.xml()
        );
    }
    Ok(())
}

async fn asks_in_the_language_of_the_user(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    let mut texts = Vec::new();
    for lang in ["de", "de-AT", "en", "tlh"] {
        let id = phone.fresh_id();
        let iq = tag("iq").attr("type", "get").attr("id", &id).attr("to", GATEWAY);
        phone
            .send(iq.attr("xml:lang", lang).child(tag("query").ns(ns::GATEWAY)))
            .await?;
        let answer = phone
            .expect("the prompt", |stanza| stanza.is_iq() && stanza.id() == id)
            .await?;
        let text = |part: &str| {
            answer
                .find(part, ns::GATEWAY)
                .map(Element::text)
                .unwrap_or_default()
        };
        texts.push((text("desc"), text("prompt")));
    }
    let [german, austrian, english, klingon] = &texts[..] else {
        bail!("four languages were asked for")
    };
    ensure!(german == austrian, "Austria reads German: {austrian:?}");
    ensure!(
        german.0 != english.0 && (german.0.contains("Adresse") || german.0.contains("Kanal")),
        "German: {german:?}"
    );
    ensure!(
        english.0.contains("address") || english.0.contains("channel"),
        "English: {english:?}"
    );
    ensure!(klingon == english, "all others read English: {klingon:?}");
    Ok(())
}

async fn typed_names_lead_to_people_and_channels(t: Ctx) -> Result<()> {
    let channel = t.channel();
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let (irc, person) = (t.world().irc_name(), alice.nick());

    // All the ways to write her.
    let forms = [
        format!("{person}%{irc}"),
        format!("{person}@{irc}"),
        format!("  {person}@{irc} "),
        format!("{}@{}", person.to_uppercase(), irc.to_uppercase()),
        format!("{person} {irc}"),
    ];
    for form in &forms {
        let jid = jid_of(&phone, GATEWAY, form).await?;
        ensure!(jid == t.person(person), "'{form}' is {jid}");
    }
    phone.chat(&t.person(person), "do I know you?").await?;
    let wanted = |line: &Line| line.command == "PRIVMSG" && line.last() == "do I know you?";
    alice.expect("the message", wanted).await?;

    // All the ways to write the channel.
    let name = channel.trim_start_matches('#');
    let forms = [
        format!("{channel}%{irc}"),
        format!(" {channel}@{irc}"),
        format!("{}%{}", channel.to_uppercase(), irc.to_uppercase()),
        format!("irc://{irc}/{name}"),
        format!("irc://{irc}/%23{name}"),
    ];
    for form in &forms {
        let jid = jid_of(&phone, GATEWAY, form).await?;
        ensure!(jid == t.room(&channel), "'{form}' is {jid}");
    }
    phone.join(&t.room(&channel), &nick).await?;

    // Where there is one server, names stand alone.
    let jid = jid_of(&phone, FIXED_GATEWAY, &format!(" {}", person.to_uppercase())).await?;
    ensure!(jid == t.fixed_person(person), "{jid}");
    let jid = jid_of(&phone, FIXED_GATEWAY, &channel.to_uppercase()).await?;
    ensure!(jid == t.fixed_room(&channel), "{jid}");
    phone.chat(&t.fixed_person(person), "it is me again").await?;
    let wanted = |line: &Line| line.command == "PRIVMSG" && line.last() == "it is me again";
    alice.expect("the message by the other domain", wanted).await?;
    Ok(())
}

async fn what_can_be_no_name_is_refused(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    for text in [
        "",
        "   ",
        "bob",
        "#channel",
        "bob@",
        "@irc.example.org",
        "bob@not a server",
        "bob@-.-",
        "two words@irc.example.org",
        "#a,b@irc.example.org",
        "*@irc.example.org",
    ] {
        let answer = phone.set(GATEWAY, typed(text)).await?;
        let words = ensure_error(&answer, "not-acceptable", "modify", "406")
            .with_context(|| format!("'{text}' is no name"))?;
        ensure!(
            !words.is_empty(),
            "'{text}' is refused in words: {}",
            answer.xml()
        );
    }
    let answer = phone.set(FIXED_GATEWAY, typed("two words")).await?;
    ensure_error(&answer, "not-acceptable", "modify", "406")?;
    let empty = phone.set(GATEWAY, tag("query").ns(ns::GATEWAY)).await?;
    ensure_error(&empty, "not-acceptable", "modify", "406")?;
    Ok(())
}

async fn one_name_has_one_jid(t: Ctx) -> Result<()> {
    let phone = t.offline_client("phone", DOMAIN).await?;
    // A server that nobody has asked yet how it compares names.
    let irc = "irc.example.org";
    let same = [
        (format!("#Rust%{irc}"), format!("#rust@{}", irc.to_uppercase())),
        (format!("Bob@{irc}."), format!("BOB%{irc}")),
        (format!("#a&b@{irc}"), format!("#A&B%{irc}")),
    ];
    for (one, other) in &same {
        let jids = (
            jid_of(&phone, GATEWAY, one).await?,
            jid_of(&phone, GATEWAY, other).await?,
        );
        ensure!(jids.0 == jids.1, "'{one}' and '{other}' are the same: {jids:?}");
    }

    // Names that look alike, in each other's escapes above all.
    let names = [
        "bob",
        "bob_",
        "#bob",
        "##bob",
        "#a&b",
        "#a\\26b",
        "#a\\5c26b",
        "#a%b",
        "#a\\25b",
        "#a/b",
        "#a\\2fb",
        "#a'b",
        "#a\"b",
        "a\\b",
        "a\\5cb",
        "#é",
        "#e",
    ];
    let mut jids = Vec::new();
    for name in names {
        let jid = jid_of(&phone, GATEWAY, &format!("{name}%{irc}")).await?;
        let local = jid.rsplit_once('@').context("a JID with a localpart")?.0;
        ensure!(
            unescape(local) == format!("{name}%{irc}"),
            "the name can be read from its JID: {name} is {jid}"
        );
        ensure!(!jids.contains(&jid), "{name} has the JID of another: {jid}");
        jids.push(jid);
    }
    Ok(())
}

/// Undoes XEP-0106 §4.2.
fn unescape(local: &str) -> String {
    let bytes = local.as_bytes();
    let (mut plain, mut index) = (Vec::new(), 0);
    while index < bytes.len() {
        let code = local.get(index + 1..index + 3).filter(|_| bytes[index] == b'\\');
        let known = ["20", "22", "26", "27", "2f", "3a", "3c", "3e", "40", "5c"];
        let code = code.filter(|code| known.contains(code));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        plain.push(byte.unwrap_or(bytes[index]));
        index += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}
