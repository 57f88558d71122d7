//! One outgoing line (RFC 1459 §2.3). The writer takes nothing else, and a [`Line`] cannot hold CR, LF or NUL.

use std::fmt;

use zeroize::Zeroize;

/// The most bytes of a line without its CR LF (RFC 1459 §2.3); tags do not count (IRCv3 message-tags).
pub const MAX_LINE: usize = 510;

/// One line to a server, without its CR LF.
///
/// It is built from a command of ours and parameters from anywhere; what a parameter may not contain is taken out of
/// it here, so that nobody can smuggle in a second command or shift the parameters.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(String);

impl Line {
    /// A line that so far is only a command.
    #[must_use]
    pub fn command(verb: &'static str) -> Self {
        let mut line = String::with_capacity(96);
        line.push_str(verb);
        Self(line)
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
        Some(Self(line).fit())
    }

    /// Adds a middle parameter. Characters that it cannot hold are dropped; an empty one becomes `*`.
    #[must_use]
    pub fn arg(mut self, text: &str) -> Self {
        self.0.push(' ');
        let start = self.0.len();
        for c in text.chars() {
            let leading_colon = c == ':' && self.0.len() == start;
            if !matches!(c, '\r' | '\n' | '\0' | ' ') && !leading_colon {
                self.0.push(c);
            }
        }
        if self.0.len() == start {
            self.0.push('*');
        }
        self.fit()
    }

    /// Adds the last parameter, which may hold spaces. Line ends become spaces; what is too long is cut off.
    #[must_use]
    pub fn trailing(mut self, text: &str) -> Self {
        self.0.push_str(" :");
        if text.bytes().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
            self.0
                .extend(text.chars().filter(|c| *c != '\0').map(|c| match c {
                    '\r' | '\n' => ' ',
                    c => c,
                }));
        } else {
            self.0.push_str(text);
        }
        self.fit()
    }

    /// The line without its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text after the first ` :`.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.split_once(" :").map_or("", |(_, text)| text)
    }

    /// Appends the line and its end.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the line with a `label` tag (IRCv3 labeled-response) and its end.
    pub fn write_labelled(&self, label: fmt::Arguments<'_>, out: &mut Vec<u8>) {
        use std::io::Write as _;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "@label={label} ");
        self.write(out);
    }

    /// Appends the line and wipes it: for lines that hold a credential.
    pub fn write_and_wipe(mut self, out: &mut Vec<u8>) {
        self.write(out);
        self.0.zeroize();
    }

    fn fit(mut self) -> Self {
        if self.0.len() > MAX_LINE {
            let mut end = MAX_LINE;
            while !self.0.is_char_boundary(end) {
                end -= 1;
            }
            self.0.truncate(end);
        }
        self
    }
}

/// Shows the command alone: parameters may be secrets or what people say.
impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.0.split(' ').next().unwrap_or_default();
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
