//! How the loopback network writes its addresses.
//!
//! | | as a localpart | as people type it |
//! |---|---|---|
//! | room | `#tea%loop.example` | `#Tea@loop.example` |
//! | person | `bob%loop.example` | `Bob@loop.example` |
//! | server | `loop.example` | `loop.example` |
//!
//! What a localpart cannot hold is escaped by XEP-0106. A server's name has no `%`, so the last `%` of a localpart
//! is the one that divides it and a name may have others. Names are folded to lower case, as JIDs are.

use crate::address::{Address, BadAddress, escape, unescape};
use crate::ids::{Name, PersonId, RoomId, ServerId};

/// The most bytes of a name that is not a nickname. With its escapes it must fit into a localpart (1023 bytes).
const LONGEST_NAME: usize = 200;

/// The name in the form in which two spellings of it are equal.
pub(super) fn fold(name: &str) -> Name {
    Name::from(name.to_lowercase())
}

/// Whether this can be the name of a room. Those begin with `#`, and people's do not.
pub(super) fn is_room(name: &str) -> bool {
    name.len() > 1 && name.len() <= LONGEST_NAME && name.starts_with('#') && is_clean(name)
}

/// Whether this can be the name of a person.
pub(super) fn is_person(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with('#') && is_clean(name)
}

/// No control character, no space at the ends (XEP-0106 §4.1 has no escape for those) nor any other than U+0020.
fn is_clean(name: &str) -> bool {
    name.trim() == name && !name.contains(|c: char| c.is_control() || (c.is_whitespace() && c != ' '))
}

fn is_server(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == ':')
}

/// What a localpart stands for.
pub(super) fn parse(localpart: &str) -> Result<Address, BadAddress> {
    match localpart.rsplit_once('%') {
        Some((name, server)) => address(&unescape(name), &unescape(server)),
        None => address("", &unescape(localpart)),
    }
}

/// The localpart of an address.
pub(super) fn localpart(address: &Address) -> String {
    let join = |name: &Name, server: &ServerId| format!("{}%{}", escape(name), escape(server.as_str()));
    match address {
        Address::Server(server) => escape(server.as_str()),
        Address::Room(room) => join(&room.room, &room.server),
        Address::Person(person) => join(&person.person, &person.server),
    }
}

/// What somebody means who types this: a localpart without its escapes, or `name@server`.
pub(super) fn parse_typed(text: &str) -> Result<Address, BadAddress> {
    let text = text.trim();
    let parts = text.rsplit_once('%').or_else(|| text.rsplit_once('@'));
    let (name, server) = parts.unwrap_or(("", text));
    address(name.trim(), server.trim())
}

/// An address from its plain parts; without a name that of the server.
fn address(name: &str, server: &str) -> Result<Address, BadAddress> {
    if !is_server(server) {
        return Err(BadAddress::new(format!(
            "'{server}' cannot be the name of a server"
        )));
    }
    let server = ServerId(fold(server));
    if name.is_empty() {
        Ok(Address::Server(server))
    } else if is_room(name) {
        Ok(Address::Room(RoomId {
            server,
            room: fold(name),
        }))
    } else if is_person(name) {
        Ok(Address::Person(PersonId {
            server,
            person: fold(name),
        }))
    } else {
        Err(BadAddress::new(format!("'{name}' cannot be a room or a person")))
    }
}

#[cfg(test)]
mod tests {
    use super::{localpart, parse, parse_typed};

    #[test]
    fn odd_names_read_back() {
        for local in [
            "loop.example",
            "#tea%loop.example",
            "bob%loop.example",
            r"#tea\20time%loop.example",
            r"100%\40home%loop.example",
            r"c\3a\5c5commas%loop.example",
        ] {
            let address = parse(local).expect("a good address");
            assert_eq!(localpart(&address), local);
        }
    }

    #[test]
    fn what_people_type_is_understood() {
        for (typed, local) in [
            (" #Tea@Loop.Example ", "#tea%loop.example"),
            ("#TEA%loop.example", "#tea%loop.example"),
            ("Bob @ loop.example", "bob%loop.example"),
            ("LOOP.example", "loop.example"),
        ] {
            assert_eq!(localpart(&parse_typed(typed).expect(typed)), local);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "#%loop.example",
            "bob%",
            "a\u{7}b%loop.example",
            r"\20bob%loop.example",
            "bob%a b",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
