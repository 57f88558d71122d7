//! One outgoing line (RFC 1459 §2.3). The writer takes nothing else, and a [`Line`] cannot hold CR, LF or NUL.

use std::fmt;

use zeroize::Zeroize;

use super::client_tags;

/// The most bytes of a line without its CR LF (RFC 1459 §2.3); tags do not count (IRCv3 message-tags).
pub const MAX_LINE: usize = 510;

/// One line to a server, without its CR LF.
///
/// It is built from a command of ours and parameters from anywhere; what a parameter may not contain is taken out of
/// it here, so that nobody can smuggle in a second command or shift the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// The tags in front of it, without `@` and space.
    tags: Option<Box<str>>,
}

impl Line {
    /// A line that so far is only a command.
    #[must_use]
    pub fn command(verb: &'static str) -> Self {
        let mut line = String::with_capacity(96);
        line.push_str(verb);
        Self {
            text: line,
            tags: None,
        }
    }

    /// A line of somebody's own making: a command and whatever comes after it. `None` if there is no command in it.
    #[must_use]
    pub fn raw(text: &str) -> Option<Self> {
        let text = text.trim_start_matches(['/', ' ']);
        let verb = text.split(' ').next().unwrap_or_default();
        if verb.is_empty() || !verb.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return None;
        }
        let mut line = verb.to_ascii_uppercase();
        let rest = text[verb.len()..].chars();
        line.extend(rest.filter(|c| *c != '\0').map(|c| match c {
            '\r' | '\n' => ' ',
            c => c,
        }));
        Some(
            Self {
                text: line,
                tags: None,
            }
            .fit(),
        )
    }

    /// Adds a middle parameter. Characters that it cannot hold are dropped; an empty one becomes `*`.
    #[must_use]
    pub fn arg(mut self, text: &str) -> Self {
        self.text.push(' ');
        let start = self.text.len();
        for c in text.chars() {
            let leading_colon = c == ':' && self.text.len() == start;
            if !matches!(c, '\r' | '\n' | '\0' | ' ') && !leading_colon {
                self.text.push(c);
            }
        }
        if self.text.len() == start {
            self.text.push('*');
        }
        self.fit()
    }

    /// Adds the last parameter, which may hold spaces. Line ends become spaces; what is too long is cut off.
    #[must_use]
    pub fn trailing(mut self, text: &str) -> Self {
        self.text.push_str(" :");
        if text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.text
                .extend(text.chars().filter(|c| *c != '\0').map(|c| match c {
                    '\r' | '\n' => ' ',
                    c => c,
                }));
        } else {
            self.text.push_str(text);
        }
        self.fit()
    }

    /// Adds tags of ours, as they stand in a line.
    #[must_use]
    pub fn tagged(mut self, tags: &'static str) -> Self {
        let mut all = self.begin_tag();
        all.push_str(tags);
        self.tags = Some(all.into());
        self
    }

    /// The tags, ready for one more.
    fn begin_tag(&mut self) -> String {
        let mut tags = self.tags.take().map(String::from).unwrap_or_default();
        if !tags.is_empty() {
            tags.push(';');
        }
        tags
    }

    /// Adds a client-only tag (IRCv3 message-tags). Its name is without the `+`.
    #[must_use]
    pub fn with_client_tag(mut self, name: &'static str, value: &str) -> Self {
        self.client_tag(name, value);
        self
    }

    /// Adds a client-only tag to a line that is there already.
    pub fn client_tag(&mut self, name: &'static str, value: &str) {
        let mut tags = self.begin_tag();
        tags.push('+');
        tags.push_str(name);
        tags.push('=');
        client_tags::escape_into(&mut tags, value);
        self.tags = Some(tags.into());
    }

    /// The line without its end and without tags.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text after the first ` :`.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.split_once(" :").map_or("", |(_, text)| text)
    }

    /// Appends the line and its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(tags) = &self.tags {
            out.push(b'@');
            out.extend_from_slice(tags.as_bytes());
            out.push(b' ');
        }
        self.write_untagged(out);
    }

    fn write_untagged(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the line with a `label` tag (IRCv3 labeled-response) and its end.
    pub fn write_labelled(&self, label: fmt::Arguments<'_>, out: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a Vec cannot fail.
        let _ = match &self.tags {
            Some(tags) => write!(out, "@label={label};{tags} "),
            None => write!(out, "@label={label} "),
        };
        self.write_untagged(out);
    }

    /// Appends the line and wipes it: for lines that hold a credential.
    pub fn write_and_wipe(mut self, out: &mut Vec<u8>) {
        self.write(out);
        self.text.zeroize();
    }

    fn fit(mut self) -> Self {
        if self.text.len() > MAX_LINE {
            let mut end = MAX_LINE;
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            self.text.truncate(end);
        }
        self
    }
}

/// Shows the command alone: parameters may be secrets or what people say.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.text.split(' ').next().unwrap_or_default();
        write!(f, "Line({verb} …)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, MAX_LINE};
    use proptest::prelude::*;

    #[test]
    fn parameters_are_kept_in_their_place() {
        let line = Line::command("KICK")
            .arg("#a b\r\nQUIT")
            .arg(":x")
            .arg("")
            .trailing("one\r\ntwo\0");
        assert_eq!(line.as_str(), "KICK #abQUIT x * :one  two");
        assert_eq!(line.text(), "one  two");
        assert_eq!(format!("{line:?}"), "Line(KICK …)");
    }

    #[test]
    fn labels_are_tags() {
        let mut out = Vec::new();
        Line::command("PING")
            .arg("x")
            .write_labelled(format_args!("7.0"), &mut out);
        assert_eq!(out, b"@label=7.0 PING x\r\n");
        out.clear();
        let line = Line::command("TAGMSG")
            .arg("#c")
            .with_client_tag("a", "b c")
            .with_client_tag("d/e", "\n;\0");
        line.write(&mut out);
        assert_eq!(out, b"@+a=b\\sc;+d/e=\\n\\: TAGMSG #c\r\n");
        out.clear();
        line.write_labelled(format_args!("1.0"), &mut out);
        assert_eq!(out, b"@label=1.0;+a=b\\sc;+d/e=\\n\\: TAGMSG #c\r\n");
    }

    proptest! {
        #[test]
        fn nothing_ends_the_line(args in proptest::collection::vec(any::<String>(), 0..4), last in any::<String>()) {
            let mut line = Line::command("PRIVMSG");
            for arg in &args {
                line = line.arg(arg);
            }
            line = line.trailing(&last);
            prop_assert!(line.as_str().len() <= MAX_LINE);
            prop_assert!(!line.as_str().contains(['\r', '\n', '\0']));
            if line.as_str().contains(" :") {
                let head = line.as_str().split(" :").next().expect("split gives at least one");
                prop_assert_eq!(head.split(' ').count(), args.len() + 1);
            }
        }
    }
}
