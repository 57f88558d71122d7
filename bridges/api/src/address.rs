//! Addresses of a network, and how their names stand in localparts: XEP-0106 (JID Escaping 1.1.1), and beyond it an
//! escape of our own for what nodeprep would change.
//!
//! JIDs fold case and compatibility forms of all scripts, drop what does not show, and refuse some characters (RFC 3920
//! appendix A). Networks do less of that or none, so two of their names could become one JID. Therefore every character
//! beyond ASCII that nodeprep does not leave alone is written as a backslash and two lower-case hexadecimal digits for
//! each of its UTF-8 bytes: `#Éa` is `#\c3\89a`. XEP-0106 has no sequence above `\5c`, so the two do not meet.

use std::fmt::Write as _;

use jid::NodePart;
use thiserror::Error;

use crate::ids::{PersonId, RoomId, ServerId};

/// What a JID of the gateway's domain stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Address {
    /// A server of the network.
    Server(ServerId),
    /// A room.
    Room(RoomId),
    /// A person.
    Person(PersonId),
}

/// A text that names nothing on this network.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{reason}")]
pub struct BadAddress {
    /// Why, in words for the person who typed it.
    pub reason: String,
}

impl BadAddress {
    /// A bad address with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

/// The characters that XEP-0106 §2.2 escapes, beside the backslash.
const ESCAPED: &str = " \"&'/:<>@";

/// Escapes a name for use as a localpart (XEP-0106 §4.2), without loss: nodeprep leaves the result as it is, and
/// [`unescape`] gives the name back. ASCII letters are taken to be in lower case: which of them are the same is the
/// network's matter.
///
/// A backslash is escaped only where it would otherwise be read as the start of an escape sequence.
#[must_use]
pub fn escape(name: &str) -> String {
    if name.bytes().all(is_plain) {
        return name.to_owned();
    }
    let mut buffer = [0; 4];
    let out = escape_where(name, |c| !is_stable(c.encode_utf8(&mut buffer)));
    // Characters that are left alone one by one can be changed or refused together: an accent and its letter, and
    // letters of both directions.
    if out.is_ascii() || is_stable(&out) {
        return out;
    }
    escape_where(name, |_| true)
}

/// What stands in every localpart as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'\\' && !ESCAPED.as_bytes().contains(&byte)
}

fn is_stable(text: &str) -> bool {
    NodePart::new(text).is_ok_and(|prepared| prepared.as_str() == text)
}

/// Escapes by XEP-0106, and those characters beyond ASCII that are chosen.
fn escape_where(name: &str, mut chosen: impl FnMut(char) -> bool) -> String {
    let mut out = String::with_capacity(name.len() + 16);
    for (at, c) in name.char_indices() {
        if ESCAPED.contains(c) || (c == '\\' && escape_at(&name[at..]).is_some()) {
            let _ = write!(out, "\\{:02x}", u32::from(c));
        } else if !c.is_ascii() && chosen(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(out, "\\{byte:02x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Reads an escaped localpart back (XEP-0106 §4.3). Sequences that stand for nothing are left as they are.
#[must_use]
pub fn unescape(local: &str) -> String {
    let mut out = String::with_capacity(local.len());
    let mut rest = local;
    while let Some(c) = rest.chars().next() {
        if let Some((plain, len)) = escape_at(rest) {
            out.push(plain);
            rest = &rest[len..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The character that an escape sequence at the start of `text` stands for, and how long that is.
fn escape_at(text: &str) -> Option<(char, usize)> {
    let first = byte_at(text)?;
    let c = char::from(first);
    if first.is_ascii() {
        return (c == '\\' || ESCAPED.contains(c)).then_some((c, 3));
    }
    let len = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return None,
    };
    let mut bytes = [0; 4];
    for (at, byte) in bytes.iter_mut().enumerate().take(len) {
        let sequence = text.get(3 * at..3 * at + 3)?;
        // Ours are in lower case, as JIDs are.
        let is_ours = !sequence.bytes().any(|byte| byte.is_ascii_uppercase());
        *byte = byte_at(sequence).filter(|_| is_ours)?;
    }
    let c = std::str::from_utf8(&bytes[..len]).ok()?.chars().next()?;
    Some((c, 3 * len))
}

/// The byte that a backslash and two hexadecimal digits stand for.
fn byte_at(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('\\')?.get(..2)?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| are_digits)
}

#[cfg(test)]
mod tests {
    use super::{escape, is_stable, unescape};
    use proptest::prelude::*;

    #[test]
    fn examples_of_the_xep() {
        for (plain, escaped) in [
            ("space cadet", r"space\20cadet"),
            ("call me \"ishmael\"", r"call\20me\20\22ishmael\22"),
            ("at&t guy", r"at\26t\20guy"),
            ("d'artagnan", r"d\27artagnan"),
            ("/.fanboy", r"\2f.fanboy"),
            ("::foo::", r"\3a\3afoo\3a\3a"),
            ("<foo>", r"\3cfoo\3e"),
            ("user@host", r"user\40host"),
            (r"c:\net", r"c\3a\net"),
            (r"c:\5commas", r"c\3a\5c5commas"),
            (r"\2plus\2is\4", r"\2plus\2is\4"),
            (r"foo\bar", r"foo\bar"),
        ] {
            // `\5co` is the sequence for a backslash, so `\5commas` needs its own backslash escaped.
            assert_eq!(escape(plain), escaped, "escaping {plain}");
            assert_eq!(unescape(escaped), plain, "reading {escaped}");
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        for name in [
            r"nick\20",
            r"\5c20",
            "#chan/with:odd@things",
            r"a\b\c",
            "日本",
            r"\",
            r"\4",
            "%",
            "\\40x",
        ] {
            assert_eq!(unescape(&escape(name)), name);
        }
    }

    #[test]
    fn what_nodeprep_would_change_is_escaped() {
        for (plain, escaped) in [
            ("#日本", "#日本"),
            ("#é", "#é"),
            ("#É", r"#\c3\89"),
            ("#straße", r"#stra\c3\9fe"),
            ("al\u{200b}ice", r"al\e2\80\8bice"),
            ("🥳", r"\f0\9f\a5\b3"),
            // An accent that would join its letter, and letters of both directions.
            ("e\u{301}", r"e\cc\81"),
            ("#שa", r"#\d7\a9a"),
            // What only looks like one of our sequences.
            (r"\c3\89", r"\5cc3\89"),
            (r"\c3", r"\c3"),
            (r"\C3\89", r"\C3\89"),
        ] {
            assert_eq!(escape(plain), escaped, "escaping {plain:?}");
            assert_eq!(unescape(escaped), plain, "reading {escaped}");
        }
    }

    proptest! {
        /// As nodeprep changes nothing and all is read back, no two names are one localpart.
        #[test]
        fn every_name_has_a_localpart_of_its_own(name in "([a-f0-9#%/@ ]|\\\\|\\PC|[éÉßſİıΣςσ\u{300}-\u{303}אשa1\u{200b}\u{ad}ﬁ²Åˀ]){1,12}") {
            let name: String = name.chars().map(|c| c.to_ascii_lowercase()).collect();
            let escaped = escape(&name);
            prop_assert!(is_stable(&escaped), "{:?} is {}", name, escaped);
            prop_assert_eq!(unescape(&escaped), name);
        }
    }
}
