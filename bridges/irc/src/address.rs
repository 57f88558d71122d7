//! How IRC names stand in JIDs: `#chan%server` and `nick%server`, or without the server where there is only one.
//!
//! The forms are the ones Biboumi uses. What a JID cannot hold, or would fold where IRC does not, is escaped
//! (`viaduct_bridge::address`). Names are folded by ASCII rules until a server's own rule (ISUPPORT `CASEMAPPING`) is
//! known: folding less than the server does can only show one room under two addresses, folding more would lead into
//! another room.

use std::net::IpAddr;

use viaduct_bridge::address::{escape, unescape};
use viaduct_bridge::{Address, BadAddress, Name, Notebook, PersonId, RoomId, ServerId};

use crate::proto::casemap::Casemapping;

/// The first characters of channel names (RFC 2811 §2.1), where a server has not said otherwise.
const CHANTYPES: [char; 4] = ['#', '&', '+', '!'];
/// More than any server permits; a localpart (1023 bytes) must hold it beside the server's name with each of its bytes
/// escaped.
const MAX_NAME: usize = 250;

/// The addresses of one gateway.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// The only server, in the fixed form.
    pub(crate) fixed: Option<ServerId>,
    /// Server names without a dot that the operator has named.
    pub(crate) known: Vec<String>,
}

impl Addresses {
    /// Reads a localpart.
    pub(crate) fn parse(&self, localpart: &str, notebook: &dyn Notebook) -> Result<Address, BadAddress> {
        let plain = unescape(localpart);
        if let Some(server) = &self.fixed {
            return name(&plain, server.clone(), notebook);
        }
        match plain.rsplit_once('%') {
            Some((before, server)) => name(before, self.server(server)?, notebook),
            None if plain.starts_with(CHANTYPES) => Err(BadAddress::new(format!(
                "a channel's address also names its server, as in {plain}%irc.libera.chat"
            ))),
            None => Ok(Address::Server(self.server(&plain)?)),
        }
    }

    /// Writes a localpart.
    pub(crate) fn localpart(&self, address: &Address) -> Option<String> {
        let (name, server) = match address {
            Address::Server(server) => (None, server),
            Address::Room(room) => (Some(&room.room), &room.server),
            Address::Person(person) => (Some(&person.person), &person.server),
        };
        match (name, &self.fixed) {
            (None, Some(_)) => None,
            (None, None) => Some(escape(server.as_str())),
            (Some(name), Some(_)) => Some(escape(name)),
            (Some(name), None) => Some(escape(&format!("{name}%{server}"))),
        }
    }

    /// Reads what a person types: also `irc://server/chan`, `chan@server`, `server/chan` and `name server`.
    pub(crate) fn parse_typed(&self, text: &str, notebook: &dyn Notebook) -> Result<Address, BadAddress> {
        let text = text.trim();
        let url = ["ircs://", "irc://"].iter().find_map(|scheme| {
            let head = text.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
        });
        let joined = if let Some(url) = url {
            let (host, path) = url.split_once('/').unwrap_or((url, ""));
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            let (path, what) = path.split_once(',').unwrap_or((path, ""));
            match &*percent_decoded(path) {
                "" => host.to_owned(),
                nick if what.starts_with("isnick") => format!("{nick}%{host}"),
                path if path.starts_with(CHANTYPES) => format!("{path}%{host}"),
                path => format!("#{path}%{host}"),
            }
        } else if self.fixed.is_some() {
            text.to_owned()
        } else if let Some((name, server)) = text.rsplit_once(['%', '@', ' ']) {
            format!("{}%{server}", name.trim())
        } else if let Some((server, channel)) = text.split_once('/') {
            format!("{channel}%{server}")
        } else {
            text.to_owned()
        };
        if let Some(fixed) = &self.fixed {
            // The server may be named all the same.
            let (name, server) = joined.rsplit_once(['%', '@']).unwrap_or((&joined, ""));
            let bare = if server.eq_ignore_ascii_case(fixed.as_str()) {
                name
            } else {
                &joined
            };
            return self.parse(&escape(bare), notebook);
        }
        self.parse(&escape(&joined), notebook)
    }

    /// The id of a server that a user names.
    fn server(&self, text: &str) -> Result<ServerId, BadAddress> {
        server_name(text)
            .filter(|name| {
                name.contains(['.', ':'])
                    || name == "localhost"
                    || self.known.iter().any(|known| known == name)
            })
            .map(|name| ServerId(Name::from(name)))
            .ok_or_else(|| BadAddress::new(format!("'{text}' is not the name of an IRC server")))
    }
}

/// What stands in a URL for a name that has characters with a meaning there (RFC 3986 §2.1).
fn percent_decoded(path: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), path.as_bytes());
    while let [first, after @ ..] = rest {
        let code = path
            .get(path.len() - after.len()..)
            .and_then(|text| text.get(..2));
        let byte = code
            .filter(|_| *first == b'%')
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = byte.map_or(after, |_| &after[2..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What was learnt about how a server folds names.
pub(crate) fn casemapping_of(server: &ServerId, notebook: &dyn Notebook) -> Casemapping {
    notebook
        .get(&format!("casemap/{server}"))
        .map_or(Casemapping::Ascii, |rule| Casemapping::parse(&rule))
}

/// A channel or person on a server.
fn name(text: &str, server: ServerId, notebook: &dyn Notebook) -> Result<Address, BadAddress> {
    let fold = casemapping_of(&server, notebook);
    if text.starts_with(CHANTYPES) {
        if !is_channel_name(text) {
            return Err(BadAddress::new(format!("'{text}' is not the name of a channel")));
        }
        let room = fold.fold(text);
        return Ok(Address::Room(RoomId { server, room }));
    }
    if !is_nick(text) {
        return Err(BadAddress::new(format!("'{text}' is not a nickname")));
    }
    let person = fold.fold(text);
    Ok(Address::Person(PersonId { server, person }))
}

/// Whether a server could have a channel of this name (RFC 2812 §1.3).
pub(crate) fn is_channel_name(name: &str) -> bool {
    name.starts_with(CHANTYPES)
        && name.len() <= MAX_NAME
        && !name.chars().any(|c| c.is_control() || matches!(c, ' ' | ','))
}

/// Whether a server could have somebody of this name. Wider than RFC 2812 §2.3.1: networks permit more.
pub(crate) fn is_nick(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with(CHANTYPES)
        && !name.starts_with([':', '$', '@', '~', '%'])
        && !name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || matches!(c, ',' | '*' | '?' | '!' | '@'))
}

/// The canonical form of a server's name: a host name (RFC 1123 §2.1) in lower case, or an IP address.
pub(crate) fn server_name(text: &str) -> Option<String> {
    let text = text.trim_end_matches('.');
    let bare = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some(ip.to_string());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    // A last label of digits alone would be read as an IPv4 address by some resolvers.
    let last_is_name = text
        .rsplit('.')
        .next()
        .is_some_and(|l| !l.bytes().all(|b| b.is_ascii_digit()));
    (text.len() <= 253 && last_is_name && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{Addresses, server_name};
    use crate::testing::Notes;
    use proptest::prelude::*;
    use viaduct_bridge::{Address, Name, Notebook as _, PersonId, RoomId, ServerId};

    fn many() -> Addresses {
        Addresses {
            fixed: None,
            known: vec!["lan".into()],
        }
    }

    fn fixed() -> Addresses {
        Addresses {
            fixed: Some(ServerId(Name::from("irc.test"))),
            known: vec![],
        }
    }

    fn show(result: Result<Address, viaduct_bridge::BadAddress>) -> String {
        match result {
            Ok(Address::Server(server)) => format!("server {server}"),
            Ok(Address::Room(id)) => format!("room {} on {}", id.room, id.server),
            Ok(Address::Person(id)) => format!("person {} on {}", id.person, id.server),
            Err(_) => "bad".to_owned(),
        }
    }

    #[test]
    fn many_servers() {
        for (localpart, expected) in [
            ("#chan%irc.libera.chat", "room #chan on irc.libera.chat"),
            ("#Chan%IRC.Libera.Chat", "room #chan on irc.libera.chat"),
            (r"#caf\c3\89%irc.test", "room #cafÉ on irc.test"),
            ("#café%irc.test", "room #café on irc.test"),
            ("#a%b%irc.test", "room #a%b on irc.test"),
            (r"nick%irc.test", "person nick on irc.test"),
            (r"\5bnick%irc.test", "person \\5bnick on irc.test"),
            (r"#a\2fb%irc.test", "room #a/b on irc.test"),
            ("irc.test", "server irc.test"),
            ("lan", "server lan"),
            ("wan", "bad"),
            ("#chan", "bad"),
            ("%irc.test", "bad"),
            ("a b%irc.test", "bad"),
            (r"a\20b%irc.test", "bad"),
            ("nick%", "bad"),
            ("nick%bad_.host-", "bad"),
            (r"\3a\3a1", "server ::1"),
            ("nick%127.0.0.1", "person nick on 127.0.0.1"),
        ] {
            assert_eq!(
                show(many().parse(localpart, &Notes::default())),
                expected,
                "{localpart}"
            );
        }
    }

    #[test]
    fn one_server() {
        for (localpart, expected) in [
            ("#Chan", "room #chan on irc.test"),
            ("Nick", "person nick on irc.test"),
            ("#100%", "room #100% on irc.test"),
            ("a,b", "bad"),
        ] {
            assert_eq!(
                show(fixed().parse(localpart, &Notes::default())),
                expected,
                "{localpart}"
            );
        }
        let server = Address::Server(ServerId(Name::from("irc.test")));
        assert_eq!(fixed().localpart(&server), None);
    }

    #[test]
    fn folding_is_learnt() {
        let notes = Notes::default();
        assert_eq!(
            show(many().parse("#a[B]%irc.test", &notes)),
            "room #a[b] on irc.test"
        );
        notes.put("casemap/irc.test", "rfc1459");
        assert_eq!(
            show(many().parse("#a[B]%irc.test", &notes)),
            "room #a{b} on irc.test"
        );
        assert_eq!(
            show(many().parse("#a[B]%irc.other", &notes)),
            "room #a[b] on irc.other"
        );
    }

    #[test]
    fn what_people_type() {
        for (typed, expected) in [
            (" #Chan%irc.libera.chat ", "room #chan on irc.libera.chat"),
            ("#chan@irc.libera.chat", "room #chan on irc.libera.chat"),
            ("#chan irc.libera.chat", "room #chan on irc.libera.chat"),
            ("irc.libera.chat/#chan", "room #chan on irc.libera.chat"),
            ("irc://irc.libera.chat/chan", "room #chan on irc.libera.chat"),
            ("irc://irc.libera.chat/%23chan", "room #chan on irc.libera.chat"),
            (
                "IRCS://irc.libera.chat:6697/#chan",
                "room #chan on irc.libera.chat",
            ),
            (
                "irc://irc.libera.chat/Bob,isnick",
                "person bob on irc.libera.chat",
            ),
            ("Bob@irc.libera.chat", "person bob on irc.libera.chat"),
            ("IRC.Libera.Chat", "server irc.libera.chat"),
            ("", "bad"),
            ("bob", "bad"),
        ] {
            assert_eq!(
                show(many().parse_typed(typed, &Notes::default())),
                expected,
                "{typed}"
            );
        }
        assert_eq!(
            show(fixed().parse_typed("#Chan%irc.test", &Notes::default())),
            "room #chan on irc.test"
        );
        assert_eq!(
            show(fixed().parse_typed("Bob", &Notes::default())),
            "person bob on irc.test"
        );
    }

    #[test]
    fn server_names() {
        assert_eq!(server_name("IRC.Example.Org."), Some("irc.example.org".into()));
        assert_eq!(server_name("[::1]"), Some("::1".into()));
        assert_eq!(server_name("10.0.0.01"), None);
        for bad in [
            "",
            "a..b",
            "-a.b",
            "a b.c",
            "1.2.3",
            "a/b",
            "a@b",
            "é.example",
            "0x7f.1",
        ] {
            assert_eq!(server_name(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_address_reads_back(name in "[#&+!]?[a-z0-9#\\[\\]\\\\`_^{|}%/<>'\"&éÉß\u{200b}\u{301}ש日-]{1,12}", host in "[a-z]{1,8}\\.[a-z]{2,3}", rule in 0_u8..3) {
            let notes = Notes::default();
            if rule > 0 {
                notes.put(&format!("casemap/{host}"), if rule == 1 { "rfc1459" } else { "ascii" });
            }
            for addresses in [many(), Addresses { fixed: Some(ServerId(Name::from(host.as_str()))), known: vec![] }] {
                let server = ServerId(Name::from(host.as_str()));
                let fold = super::casemapping_of(&server, &notes);
                let id = fold.fold(&name);
                let address = if name.starts_with(super::CHANTYPES) {
                    Address::Room(RoomId { server, room: id })
                } else if super::is_nick(&name) {
                    Address::Person(PersonId { server, person: id })
                } else {
                    continue;
                };
                let localpart = addresses.localpart(&address).expect("only the fixed server has none");
                prop_assert!(!localpart.contains([' ', '"', '&', '\'', '/', ':', '<', '>', '@']));
                prop_assert_eq!(addresses.parse(&localpart, &notes).ok(), Some(address));
            }
        }

        #[test]
        fn anything_parses_without_panic_and_stably(text in any::<String>()) {
            let notes = Notes::default();
            for addresses in [many(), fixed()] {
                let _ = addresses.parse_typed(&text, &notes);
                if let Ok(address) = addresses.parse(&text, &notes)
                    && let Some(localpart) = addresses.localpart(&address)
                {
                    prop_assert_eq!(addresses.parse(&localpart, &notes).ok(), Some(address));
                }
            }
        }
    }
}
