//! Addresses of a network, and XEP-0106 (JID Escaping 1.1.1) for the localparts that carry them.

use std::fmt::Write as _;

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

/// Escapes a name for use as a localpart (XEP-0106 §4.2).
///
/// A backslash is escaped only where it would otherwise be read as the start of an escape sequence.
#[must_use]
pub fn escape(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        if ESCAPED.contains(c) || (c == '\\' && escape_at(&name[at..]).is_some()) {
            let _ = write!(out, "\\{:02x}", u32::from(c));
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
        if let Some(plain) = escape_at(rest) {
            out.push(plain);
            rest = &rest[3..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The character that an escape sequence at the start of `text` stands for.
fn escape_at(text: &str) -> Option<char> {
    let digits = text.strip_prefix('\\')?.get(..2)?;
    let c = char::from(u8::from_str_radix(digits, 16).ok()?);
    (c == '\\' || ESCAPED.contains(c)).then_some(c)
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape};

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
}
