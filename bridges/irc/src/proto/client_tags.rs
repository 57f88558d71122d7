//! Which client-only tags a server relays (IRCv3 message-tags, ISUPPORT token CLIENTTAGDENY), and how values are written.

/// The most names in the list that are kept.
const MOST: usize = 64;

/// The tags that a server blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagDeny {
    /// Whether all are blocked but those in the list; else those in the list are.
    all: bool,
    listed: Box<[Box<str>]>,
}

impl TagDeny {
    /// Reads the value of CLIENTTAGDENY.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let all = value.split(',').next() == Some("*");
        let listed = value.split(',').filter_map(|name| match name.strip_prefix('-') {
            Some(exempt) => all.then_some(exempt),
            None => (!all && !name.is_empty()).then_some(name),
        });
        Self {
            all,
            listed: listed.take(MOST).map(Box::from).collect(),
        }
    }

    /// Whether a tag is relayed. Its name is without the `+`.
    #[must_use]
    pub fn allows(&self, tag: &str) -> bool {
        self.listed.iter().any(|listed| **listed == *tag) == self.all
    }
}

/// Writes a tag's value (message-tags, "Escaping values"). NUL cannot be in a line.
pub fn escape_into(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            ';' => out.push_str("\\:"),
            ' ' => out.push_str("\\s"),
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\0' => {}
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{TagDeny, escape_into};
    use crate::proto::message::Message;
    use proptest::prelude::*;

    /// The examples of the specification.
    #[test]
    fn blocked_tags() {
        for (value, foo, bar, other) in [
            ("", true, true, true),
            ("*", false, false, false),
            ("*,-foo,-example/bar", true, true, false),
            ("foo,example/bar", false, false, true),
        ] {
            let deny = TagDeny::parse(value);
            let found = (deny.allows("foo"), deny.allows("example/bar"), deny.allows("x"));
            assert_eq!(found, (foo, bar, other), "{value}");
        }
    }

    proptest! {
        #[test]
        fn values_read_back(value in "[^\0]{0,40}") {
            let mut line = String::from("@+a=");
            escape_into(&mut line, &value);
            prop_assert!(!line.contains([' ', ';', '\r', '\n']));
            line.push_str(" PING");
            let message = Message::parse(&line).expect("a line");
            let read = message.tags.get("+a");
            prop_assert_eq!(read.as_deref(), Some(value.as_str()));
        }
    }
}
