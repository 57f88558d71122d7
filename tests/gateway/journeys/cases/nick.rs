//! Nicknames: how they change, and how odd ones are shown (XEP-0045 §7.6, §17.1).

use std::collections::HashSet;

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, is_presence_of, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_new_nick_is_shown_to_every_resource).rows("M52"),
    case!(a_new_nick_is_the_same_in_every_room).rows("M52"),
    case!(others_change_their_nick).rows("M52"),
    case!(the_network_is_asked_first_and_may_alter_the_nick).rows("M52"),
    case!(a_taken_nick_stays_with_its_owner).rows("M53"),
    case!(a_refused_nick_changes_nothing).rows("M53"),
    case!(the_spelling_of_a_room_does_not_matter).rows("M57"),
    case!(channels_with_odd_names_are_reached).rows("M57"),
    case!(odd_nicks_are_shown_as_something_unique).rows("M57"),
    case!(nobody_passes_for_somebody_else).rows("M57"),
];

/// Checks that the next two presences from the room show a change of nickname; gives the second.
async fn shows_change(client: &Client, room: &str, old: &str, new: &str, own: bool) -> Result<Element> {
    let gone = client
        .expect("the end of the old nickname", is_presence_of(room))
        .await?;
    ensure!(
        gone.from() == format!("{room}/{old}")
            && gone.kind() == "unavailable"
            && gone.has_status(303)
            && gone.has_status(110) == own
            && gone.muc_item("nick") == Some(new),
        "{old} becomes {new}: {}",
        gone.xml()
    );
    let here = client
        .expect("the beginning of the new nickname", is_presence_of(room))
        .await?;
    ensure!(
        here.from() == format!("{room}/{new}") && here.kind().is_empty() && here.has_status(110) == own,
        "{new} is here: {}",
        here.xml()
    );
    Ok(here)
}

async fn a_new_nick_is_shown_to_every_resource(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let robert = t.nick("robert");
    s.phone.change_nick(&s.room, &robert).await?;
    for client in [&s.phone, &laptop] {
        let here = shows_change(client, &s.room, &s.nick, &robert, true).await?;
        ensure!(!here.has_status(210), "as asked: {}", here.xml());
    }
    s.alice
        .expect("the new nickname", |line| {
            line.command == "NICK" && line.nick() == s.nick && line.param(0) == robert
        })
        .await?;
    laptop.say(&s.room, "it is me").await?;
    s.alice.expect_message(&robert, &s.channel, "it is me").await?;
    s.phone.expect_body(&s.occupant(&robert), "it is me").await?;
    // Both are there under the new name.
    for client in [&s.phone, &laptop] {
        let own = s.occupant(&robert);
        let answer = client.get(&own, tag("ping").ns(ns::PING)).await?;
        ensure!(answer.kind() == "result", "{}", answer.xml());
        client
            .expect_none("more presence", &s.room, is_presence_of(&s.room))
            .await?;
    }
    Ok(())
}

async fn a_new_nick_is_the_same_in_every_room(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let second = t.channel_named("second");
    s.alice.join(&second).await?;
    let room = t.room(&second);
    s.phone.join(&room, &s.nick).await?;
    let robert = t.nick("robert");
    s.phone.change_nick(&s.room, &robert).await?;
    for room in [&s.room, &room] {
        shows_change(&s.phone, room, &s.nick, &robert, true).await?;
    }
    s.phone.say(&room, "it is me").await?;
    s.alice.expect_message(&robert, &second, "it is me").await?;
    s.phone
        .expect_body(&format!("{room}/{robert}"), "it is me")
        .await?;
    Ok(())
}

async fn others_change_their_nick(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let carol = s.carol(&t).await?;
    let caroline = t.nick("caroline");
    carol.send(format!("NICK {caroline}")).await?;
    let here = shows_change(&s.phone, &s.room, carol.nick(), &caroline, false).await?;
    ensure!(
        here.muc_item("jid") == Some(t.person(&caroline).as_str()),
        "{}",
        here.xml()
    );
    // Another spelling is another nickname, too.
    let capital = caroline.to_uppercase();
    carol.send(format!("NICK {capital}")).await?;
    shows_change(&s.phone, &s.room, &caroline, &capital, false).await?;
    carol.say(&s.channel, "hello").await?;
    s.phone.expect_body(&s.occupant(&capital), "hello").await?;
    Ok(())
}

async fn the_network_is_asked_first_and_may_alter_the_nick(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    s.session.respond(|_| None);
    s.phone.change_nick(&s.room, "bartholomew").await?;
    s.session.expect_command("NICK", &["bartholomew"]).await?;
    let fence = s.session.expect_command("PING", &[]).await?;
    s.phone
        .expect_none("a change", &s.room, is_presence_of(&s.room))
        .await?;
    s.session
        .send(format!(":{}!user@host NICK bartholo", s.nick))
        .await?;
    s.session
        .send(format!(":irc.test PONG irc.test :{}", fence.last()))
        .await?;
    let here = shows_change(&s.phone, &s.room, &s.nick, "bartholo", true).await?;
    ensure!(here.has_status(210), "not what was asked for: {}", here.xml());
    // What the network changes on its own is said as well.
    s.session.send(":bartholo!user@host NICK guest42").await?;
    shows_change(&s.phone, &s.room, "bartholo", "guest42", true).await?;
    Ok(())
}

async fn a_taken_nick_stays_with_its_owner(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let id = s.phone.change_nick(&s.room, s.alice.nick()).await?;
    let error = s.phone.expect_error(&id).await?;
    refused(&error, "conflict")?;
    ensure!(
        error.is_presence() && error.from() == s.occupant(s.alice.nick()),
        "{}",
        error.xml()
    );
    s.phone
        .expect_none("a change", &s.room, is_presence_of(&s.room))
        .await?;
    s.flush_out("still bob").await
}

async fn a_refused_nick_changes_nothing(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    for (numeric, wish, words) in [
        ("432", "robert", "Erroneous nickname"),
        ("437", "rupert", "Nick/channel is temporarily unavailable"),
        ("438", "rob", "Nick change too fast"),
    ] {
        let line = format!(":irc.test {numeric} {} {wish} :{words}", s.nick);
        s.answer("NICK", &[line]);
        let id = s.phone.change_nick(&s.room, wish).await?;
        let error = s.phone.expect_error(&id).await?;
        refused(&error, "not-acceptable").context(numeric)?;
        let text = error.error().and_then(|error| error.text).unwrap_or_default();
        ensure!(text.contains(words), "the server's words: {}", error.xml());
        s.phone
            .expect_none("a change", &s.room, is_presence_of(&s.room))
            .await?;
    }
    s.phone.say(&s.room, "still bob").await?;
    s.phone.expect_body(&s.me(), "still bob").await?;
    Ok(())
}

async fn the_spelling_of_a_room_does_not_matter(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let shouted = s.room.replace(&s.channel, &s.channel.to_uppercase());
    ensure!(shouted != s.room, "{shouted}");
    // The server folds it on the way, so all that comes is from the one room.
    laptop.ask_to_join(&Join::new(&shouted, &s.nick)).await?;
    let me = laptop.expect_presence(&s.me(), "").await?;
    ensure!(me.has_status(110), "{}", me.xml());
    s.alice
        .expect_none("another JOIN", |line| line.command == "JOIN")
        .await?;
    laptop.say(&shouted, "HELLO").await?;
    s.alice.expect_message(&s.nick, &s.channel, "HELLO").await?;
    s.phone.expect_body(&s.me(), "HELLO").await?;
    Ok(())
}

async fn channels_with_odd_names_are_reached(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &[]).await?;
    for (channel, local) in [
        ("#it's", r"#it\27s"),
        ("#a/b&c", r"#a\2fb\26c"),
        ("#<x>@\"y\"", r"#\3cx\3e\40\22y\22"),
        ("##c++", "##c++"),
        ("#100%", "#100%"),
    ] {
        let room = s.server.room(local);
        let (_, joined) = tokio::try_join!(
            s.session.let_in(&s.nick, channel, &["@alice"]),
            s.phone.join(&room, &s.nick)
        )
        .with_context(|| channel.to_owned())?;
        ensure!(
            joined.me.from() == format!("{room}/{}", s.nick),
            "{channel}: {}",
            joined.me.xml()
        );
    }
    // What nodeprep makes another name of is that other name.
    let street = Join::new(&s.server.room("#straße"), &s.nick);
    s.phone.ask_to_join(&street).await?;
    s.session.let_in(&s.nick, "#strasse", &["@alice"]).await?;
    s.phone
        .expect_presence(&format!("{}/{}", s.server.room("#strasse"), s.nick), "")
        .await?;
    Ok(())
}

async fn odd_nicks_are_shown_as_something_unique(t: Ctx) -> Result<()> {
    let (long, longer) = ("n".repeat(300), "n".repeat(1100));
    let longest = format!("{longer}n");
    let odd = [
        "Bob🥳",
        "Bob🥵",
        "\u{a0}",
        "\u{200b}",
        "[x]\\^`{}|",
        "ﬁ",
        "fi",
        "日本",
        "ｆｉ",
        &long,
        &longer,
        &longest,
    ];
    let s = Script::set(&t, &[]).await?;
    let mut shown = Vec::new();
    for nick in odd {
        s.line(nick, "JOIN", "").await?;
        let here = s
            .phone
            .expect("somebody new", |stanza| {
                is_presence_of(&s.room)(stanza) && stanza.kind().is_empty()
            })
            .await?;
        let visible = here.nick().to_owned();
        ensure!(
            visible
                .chars()
                .any(|c| c.is_alphanumeric() || c.is_ascii_punctuation())
                && visible.len() <= 1023,
            "{nick:?} is shown as {visible:?}"
        );
        s.line(nick, "PRIVMSG", ":it is me").await?;
        let said = s.phone.expect_body(&s.room, "it is me").await?;
        ensure!(said.nick() == visible, "{nick:?}: {}", said.xml());
        shown.push(visible);
    }
    for (nick, visible) in odd.iter().zip(&shown) {
        let plain = ["[x]\\^`{}|", "fi", "日本", &long].contains(nick);
        ensure!(
            !plain || visible == nick,
            "{nick:?} needs no substitute, but is {visible:?}"
        );
        ensure!(
            !nick.starts_with("Bob") || visible.starts_with("Bob"),
            "{nick:?} stays readable: {visible:?}"
        );
    }
    let different: HashSet<&String> = shown.iter().collect();
    ensure!(different.len() == odd.len(), "one for each: {shown:?}");

    // Who goes and comes back is shown as before.
    for (nick, visible) in odd.iter().zip(&shown).take(4) {
        s.line(nick, "PART", "").await?;
        s.phone
            .expect_presence(&s.occupant(visible), "unavailable")
            .await?;
        s.line(nick, "JOIN", "").await?;
        s.phone.expect_presence(&s.occupant(visible), "").await?;
    }
    Ok(())
}

async fn nobody_passes_for_somebody_else(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["@alice"]).await?;
    let own = format!("{}\u{200b}", s.nick);
    let impostors = [
        "al\u{200b}ice",
        "alice\u{2060}",
        "\u{202e}ecila",
        "\u{2067}alice",
        "alice\u{3164}",
        "\u{430}lice",
        &own,
    ];
    let mut shown: HashSet<String> = HashSet::from(["alice".to_owned(), s.nick.clone()]);
    for nick in impostors {
        s.line(nick, "JOIN", "").await?;
        let here = s
            .phone
            .expect("somebody new", |stanza| {
                is_presence_of(&s.room)(stanza) && stanza.kind().is_empty()
            })
            .await?;
        let visible = here.nick().to_owned();
        let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}');
        ensure!(
            !visible.contains(hidden) && visible.contains(" ~") && here.affiliation() == "none",
            "{nick:?} is shown as {visible:?}"
        );
        ensure!(!here.has_status(110), "nobody else is bob: {}", here.xml());
        ensure!(
            shown.insert(visible.clone()),
            "{nick:?} is shown as {visible:?}, who is another"
        );
        s.line(nick, "PRIVMSG", ":trust me").await?;
        let said = s.phone.expect_body(&s.room, "trust me").await?;
        ensure!(said.nick() == visible, "{nick:?}: {}", said.xml());
    }
    // What shows as it is has its true name beside a substitute, where a client may show that.
    s.line("Bob🥳", "JOIN", "").await?;
    let here = s
        .phone
        .expect("somebody new", |stanza| is_presence_of(&s.room)(stanza))
        .await?;
    let name = here
        .get_child("nick", "http://jabber.org/protocol/nick")
        .map(Element::text);
    ensure!(name.as_deref() == Some("Bob🥳"), "{}", here.xml());
    Ok(())
}
