//! Addresses: what is written reads back, and people are understood.

use std::collections::BTreeMap;

use viaduct_bridge::Address;

use crate::finding::{Found, broken, ensure};
use crate::scene::Scene;

/// What RFC 7622 §3.3.1 keeps out of a localpart.
const FORBIDDEN: &str = "\"&'/:<>@ ";

/// Localparts, as an XMPP server hands them over, of which a bridge may make what it likes, as long as it is of one
/// mind about it.
const ODD: &[&str] = &[
    "a",
    "#",
    "##",
    "#a",
    "%",
    "a%",
    "%a",
    "a%b",
    "#a%b.example",
    "#a%b%c.example",
    r"#a\20b%c.example",
    r"a\5c20b%c.example",
    r"a\2fb%c.example",
    r"\",
    r"\5c",
    r"\40%b.example",
    "日本%b.example",
    "#äö%b.example",
    "!a%b.example",
    "&a%b.example",
    "+a%b.example",
    "a,b%c.example",
    "[a]{b}|c^d~e%f.example",
    "a%[::1]",
    "a%b.example:6697",
    "irc.example",
    "🐎%b.example",
    "\u{200b}",
];

/// An address of the network becomes a localpart that a JID can hold, that is no other's, and that reads back.
pub(super) async fn what_is_written_is_read_back(scene: &Scene<'_>) -> Found {
    let mut seen = BTreeMap::new();
    for address in scene.subject.odd_addresses() {
        let Some(local) = scene.bridge().localpart(&address) else {
            let home = scene.bridge().home_server(None).map(Address::Server);
            ensure!(home.as_ref() == Some(&address), "{address:?} has no address");
            continue;
        };
        well_formed(&local)?;
        match scene.bridge().parse(&local) {
            Ok(again) => ensure!(
                again == address,
                "{address:?} becomes {local:?}, which is {again:?}"
            ),
            Err(bad) => return broken(format!("{address:?} becomes {local:?}, which is nothing: {bad}")),
        }
        if let Some(other) = seen.insert(local.clone(), address.clone()) {
            return broken(format!("{other:?} and {address:?} are both {local:?}"));
        }
    }
    Ok(())
}

fn well_formed(local: &str) -> Found {
    ensure!(
        !local.is_empty() && local.len() <= 1023,
        "{local:?} is too short or too long for a localpart"
    );
    let bad = |c: char| FORBIDDEN.contains(c) || c.is_control();
    ensure!(
        !local.contains(bad),
        "{local:?} has a character that a localpart cannot hold"
    );
    ensure!(
        local.to_lowercase() == local,
        "{local:?} is another in lower case, as JIDs are"
    );
    Ok(())
}

/// Whatever a localpart stands for, the localpart of that stands for the same.
pub(super) async fn what_is_read_is_written_alike(scene: &Scene<'_>) -> Found {
    let bridge = scene.bridge();
    for odd in ODD {
        let Ok(address) = bridge.parse(odd) else { continue };
        let Some(local) = bridge.localpart(&address) else {
            continue;
        };
        well_formed(&local)?;
        let again = bridge.parse(&local);
        ensure!(
            again.as_ref() == Ok(&address),
            "{odd:?} is {address:?}, written {local:?}, which is {again:?}"
        );
    }
    Ok(())
}

/// What people type is taken as they mean it.
pub(super) async fn what_people_type_is_understood(scene: &Scene<'_>) -> Found {
    for (text, meant) in scene.subject.typed() {
        let read = scene.bridge().parse_typed(&text);
        ensure!(
            read.as_ref() == Ok(&meant),
            "{text:?} means {meant:?}, but is read as {read:?}"
        );
    }
    let nothing = scene.bridge().parse_typed("  ");
    ensure!(nothing.is_err(), "nothing at all is read as {nothing:?}");
    Ok(())
}

/// The nickname that the bridge says the network will have is the one that it has.
pub(super) async fn a_nickname_is_told_beforehand(scene: &Scene<'_>) -> Found {
    let bridge = scene.bridge();
    ensure!(
        bridge.nick_for("alice").as_deref() == Some("alice"),
        "the nickname 'alice' is changed"
    );
    ensure!(
        bridge.nick_for("").is_none(),
        "there is a nickname with nothing in it"
    );
    for (number, wish) in [
        "al ice",
        "alice\r\nQUIT",
        "#alice",
        "a@b!c",
        "日本 🐎",
        &"long".repeat(100),
    ]
    .iter()
    .enumerate()
    {
        let Some(nick) = bridge.nick_for(wish) else {
            continue;
        };
        ensure!(
            bridge.nick_for(&nick).as_ref() == Some(&nick),
            "{wish:?} becomes {nick:?}, which is changed again"
        );
        if scene.subject.nick_limit().is_some_and(|limit| nick.len() > limit) {
            continue;
        }
        let user = scene.user(&nick);
        let view = user.enter(&scene.subject.room(&format!("nick{number}"))).await?;
        let me = view.member(&view.me)?;
        ensure!(
            me.nick == nick,
            "{wish:?} should become {nick:?}, but became {:?}",
            me.nick
        );
    }
    Ok(())
}
