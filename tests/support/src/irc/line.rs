//! One IRC line, read as RFC 2812 and the IRCv3 message-tags say.

use std::fmt;

/// A line that arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The line as it came, without CR LF, with what is no UTF-8 replaced.
    pub raw: String,
    /// The bytes as they came, without CR LF.
    pub bytes: Vec<u8>,
    /// The message tags; the values are unescaped.
    pub tags: Vec<(String, String)>,
    /// Who sent it, without the colon.
    pub source: String,
    /// The command or numeric, in upper case.
    pub command: String,
    /// The parameters; the last may contain spaces.
    pub params: Vec<String>,
}

impl Line {
    /// Reads a line.
    pub fn parse(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let raw = String::from_utf8_lossy(bytes).into_owned();
        let mut line = Self {
            bytes: bytes.to_vec(),
            ..Self::default()
        };
        let mut rest = raw.as_str();
        if let Some(after) = rest.strip_prefix('@') {
            let (tags, after) = word(after);
            line.tags = tags.split(';').map(parse_tag).collect();
            rest = after;
        }
        if let Some(after) = rest.strip_prefix(':') {
            let (source, after) = word(after);
            line.source = source.to_owned();
            rest = after;
        }
        let (command, mut rest) = word(rest);
        line.command = command.to_ascii_uppercase();
        while !rest.is_empty() {
            if let Some(last) = rest.strip_prefix(':') {
                line.params.push(last.to_owned());
                break;
            }
            let (param, after) = word(rest);
            line.params.push(param.to_owned());
            rest = after;
        }
        line.raw = raw;
        line
    }

    /// The nickname of who sent it.
    pub fn nick(&self) -> &str {
        self.source.split('!').next().unwrap_or_default()
    }

    /// A parameter, or nothing if there are fewer.
    pub fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The last parameter.
    pub fn last(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    /// The value of a tag.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether it is this command, with these first parameters.
    pub fn is(&self, command: &str, params: &[&str]) -> bool {
        self.command == command
            && self.params.len() >= params.len()
            && self.params.iter().zip(params).all(|(have, want)| have == want)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start_matches(' '))
}

fn parse_tag(tag: &str) -> (String, String) {
    let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
    let mut unescaped = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, false) => unescaped.push(character),
            (_, true) => match characters.next() {
                Some(':') => unescaped.push(';'),
                Some('s') => unescaped.push(' '),
                Some('r') => unescaped.push('\r'),
                Some('n') => unescaped.push('\n'),
                Some(other) => unescaped.push(other),
                None => {}
            },
        }
    }
    (key.to_owned(), unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_parts() {
        let line = Line::parse(b"@msgid=a\\sb;+x :nick!user@host privmsg #c  :hello :there\r\n");
        assert_eq!(line.tag("msgid"), Some("a b"));
        assert_eq!(line.tag("+x"), Some(""));
        assert_eq!((line.nick(), line.command.as_str()), ("nick", "PRIVMSG"));
        assert_eq!(line.params, ["#c", "hello :there"]);
        assert!(line.is("PRIVMSG", &["#c"]) && !line.is("PRIVMSG", &["#d"]));
    }

    #[test]
    fn reads_short_lines() {
        assert_eq!(Line::parse(b"PING").params, Vec::<String>::new());
        assert_eq!(Line::parse(b"").command, "");
        assert_eq!(Line::parse(b"PING :").params, [""]);
    }
}
