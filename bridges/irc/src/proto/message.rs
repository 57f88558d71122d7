//! One incoming line (RFC 1459 §2.3.1 with IRCv3 message-tags), borrowed from the line it was read from.

use std::borrow::Cow;

/// The most bytes of tags, with the `@` and the space (IRCv3 message-tags, "Size limit").
pub const MAX_TAGS: usize = 8191;
/// The most bytes of a whole line: the tags and 512 bytes.
pub const MAX_INPUT: usize = MAX_TAGS + 512;
/// The most parameters (RFC 1459 §2.3).
const MAX_PARAMS: usize = 15;

/// One line from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The tags, as they stand in the line.
    pub tags: Tags<'a>,
    /// Who it comes from.
    pub source: Option<Source<'a>>,
    /// The command or numeric, as it stands in the line.
    pub command: &'a str,
    params: [&'a str; MAX_PARAMS],
    count: usize,
}

impl<'a> Message<'a> {
    /// Reads a line (without its end). `None` if it has no command.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line.trim_start_matches(' ');
        let mut tags = Tags("");
        if let Some(tagged) = rest.strip_prefix('@') {
            let (raw, after) = tagged.split_once(' ')?;
            if raw.len() + 2 <= MAX_TAGS {
                tags = Tags(raw);
            }
            rest = after.trim_start_matches(' ');
        }
        let mut source = None;
        if let Some(sourced) = rest.strip_prefix(':') {
            let (raw, after) = sourced.split_once(' ')?;
            source = Some(Source::parse(raw));
            rest = after.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            return None;
        }
        let mut params = [""; MAX_PARAMS];
        let mut count = 0;
        loop {
            rest = rest.trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
            if let Some(last) = rest.strip_prefix(':') {
                params[count] = last;
                count += 1;
                break;
            }
            if count == MAX_PARAMS - 1 {
                params[count] = rest;
                count += 1;
                break;
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            params[count] = param;
            count += 1;
            rest = after;
        }
        Some(Self {
            tags,
            source,
            command,
            params,
            count,
        })
    }

    /// The parameters.
    #[must_use]
    pub fn params(&self) -> &[&'a str] {
        &self.params[..self.count]
    }

    /// One parameter; empty where there is none.
    #[must_use]
    pub fn param(&self, index: usize) -> &'a str {
        self.params().get(index).copied().unwrap_or_default()
    }

    /// The last parameter: in answers, the words for people.
    #[must_use]
    pub fn last(&self) -> &'a str {
        self.params().last().copied().unwrap_or_default()
    }

    /// The numeric, where the command is one.
    #[must_use]
    pub fn numeric(&self) -> Option<u16> {
        let digits = self.command.as_bytes();
        (digits.len() == 3 && digits.iter().all(u8::is_ascii_digit))
            .then(|| digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0')))
    }

    /// The nickname or server name that the line comes from; empty where the line has no source.
    #[must_use]
    pub fn nick(&self) -> &'a str {
        self.source.map_or("", |source| source.nick)
    }
}

/// Where a line comes from: `nick!user@host`, or a server's name in `nick`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The nickname, or the server's name.
    pub nick: &'a str,
    /// The user name.
    pub user: Option<&'a str>,
    /// The host name.
    pub host: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// Reads `nick!user@host` in any of its shorter forms.
    #[must_use]
    pub fn parse(raw: &'a str) -> Self {
        let (rest, host) = match raw.rsplit_once('@') {
            Some((rest, host)) => (rest, Some(host)),
            None => (raw, None),
        };
        let (nick, user) = match rest.split_once('!') {
            Some((nick, user)) => (nick, Some(user)),
            None => (rest, None),
        };
        Self { nick, user, host }
    }

    /// Whether this is a server rather than a person.
    #[must_use]
    pub fn is_server(&self) -> bool {
        self.user.is_none() && (self.host.is_none() && self.nick.contains('.') || self.nick.is_empty())
    }
}

/// The tags of a line, read when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags<'a>(&'a str);

impl<'a> Tags<'a> {
    /// The unescaped value of a tag; empty if it has none. The last one of a name counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.0
            .split(';')
            .rev()
            .find_map(|tag| {
                let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
                (key == name).then_some(value)
            })
            .map(unescape)
    }

    /// Whether these characters are anywhere in the tags: a quick look before a slow one.
    #[must_use]
    pub fn mention(&self, part: &str) -> bool {
        self.0.contains(part)
    }

    /// All of them, as they stand in the line.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }

    /// Whether there are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// IRCv3 message-tags, "Escaping values".
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => out.push(';'),
            Some('s') => out.push(' '),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(c) => out.push(c),
            None => {}
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::{Message, Source};
    use proptest::prelude::*;

    fn parse(line: &str) -> Message<'_> {
        Message::parse(line).expect("a line with a command")
    }

    #[test]
    fn a_full_line() {
        let m = parse(
            "@time=2024-01-01T00:00:00.000Z;msgid=a\\sb\\:c\\;x :nick!~u@host.example PRIVMSG #c :hi there",
        );
        assert_eq!(m.tags.get("msgid").as_deref(), Some("a b;c"));
        assert_eq!(m.tags.get("x").as_deref(), Some(""));
        assert_eq!(m.tags.get("y"), None);
        assert_eq!(
            m.source,
            Some(Source {
                nick: "nick",
                user: Some("~u"),
                host: Some("host.example")
            })
        );
        assert_eq!((m.command, m.params()), ("PRIVMSG", &["#c", "hi there"][..]));
    }

    #[test]
    fn odd_lines() {
        assert_eq!(parse("PING").params(), &[] as &[&str]);
        assert_eq!(parse("  PING   a  b ").params(), &["a", "b"]);
        assert_eq!(parse(":s 001 me :").last(), "");
        assert_eq!(parse(":s 433 * x :in use").numeric(), Some(433));
        assert_eq!(parse("PRIVMSG").numeric(), None);
        assert_eq!(
            parse(":irc.x NOTICE * :a").source.map(|s| s.is_server()),
            Some(true)
        );
        assert_eq!(
            parse("A 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").params().len(),
            15
        );
        for line in ["", " ", ":", ":x", "@", "@a", "@a ", ":x ", "@a :b "] {
            assert_eq!(Message::parse(line), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(line in any::<String>()) {
            if let Some(m) = Message::parse(&line) {
                let _ = (m.tags.get("a"), m.numeric(), m.last(), m.nick());
            }
        }

        #[test]
        fn what_is_written_reads_back(
            nick in "[a-z\\[\\]|]{1,9}", command in "[A-Z]{1,8}",
            params in proptest::collection::vec("[^ :\r\n\0][^ \r\n\0]{0,8}", 0..10), last in "[^\r\n\0]{0,40}",
        ) {
            let mut line = format!(":{nick}!u@h {command}");
            for p in &params {
                line.push(' ');
                line.push_str(p);
            }
            line.push_str(" :");
            line.push_str(&last);
            let m = parse(&line);
            prop_assert_eq!(m.nick(), nick.as_str());
            prop_assert_eq!(m.command, command.as_str());
            prop_assert_eq!(m.last(), last.as_str());
            prop_assert_eq!(&m.params()[..params.len()], &params.iter().map(String::as_str).collect::<Vec<_>>()[..]);
        }
    }
}
