//! CTCP (modern IRC docs, "Client-to-client protocol"): `/me` and the few requests that are answered.

/// The character that frames a CTCP message.
const FRAME: char = '\u{1}';

/// A text that is a CTCP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ctcp<'a> {
    /// The command, as it was written.
    pub command: &'a str,
    /// What comes after it.
    pub text: &'a str,
}

impl<'a> Ctcp<'a> {
    /// Reads a CTCP message. `None` if the text is none. A missing closing frame is forgiven.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix(FRAME)?;
        let inner = inner.split(FRAME).next().unwrap_or_default();
        let (command, text) = inner.split_once(' ').unwrap_or((inner, ""));
        Some(Self { command, text })
    }

    /// Whether this is `/me`.
    #[must_use]
    pub fn is_action(&self) -> bool {
        self.command.eq_ignore_ascii_case("ACTION")
    }

    /// What to answer, where the request is one of those that are answered. `now` is the time as text.
    #[must_use]
    pub fn answer(&self, now: &str) -> Option<String> {
        let command = self.command.to_ascii_uppercase();
        let text = match command.as_str() {
            "VERSION" => concat!("viaduct ", env!("CARGO_PKG_VERSION")),
            // The asker's own words go back; nobody needs more of them than a token.
            "PING" => self.text.get(..64).unwrap_or(self.text),
            "TIME" => now,
            "SOURCE" => "https://viaduct.im",
            "CLIENTINFO" => "ACTION CLIENTINFO PING SOURCE TIME VERSION",
            _ => return None,
        };
        if text.len() > 64 {
            return None;
        }
        Some(frame(&command, text))
    }
}

/// Frames a CTCP message.
#[must_use]
pub fn frame(command: &str, text: &str) -> String {
    format!("{FRAME}{command} {text}{FRAME}")
}

/// A request, with a text behind the command where there is one.
#[must_use]
pub fn request(command: &str, text: &str) -> String {
    if text.is_empty() {
        format!("{FRAME}{command}{FRAME}")
    } else {
        frame(command, text)
    }
}

/// The bytes that framing an ACTION adds.
pub const ACTION_OVERHEAD: usize = "\u{1}ACTION \u{1}".len();

#[cfg(test)]
mod tests {
    use super::{ACTION_OVERHEAD, Ctcp, frame};
    use proptest::prelude::*;

    #[test]
    fn actions_and_requests() {
        let me = Ctcp::parse("\u{1}ACTION waves\u{1}").expect("a CTCP message");
        assert!(me.is_action());
        assert_eq!(me.text, "waves");
        assert_eq!(Ctcp::parse("\u{1}action waves").map(|c| c.text), Some("waves"));
        assert_eq!(Ctcp::parse("hello"), None);
        let ask = |text| Ctcp::parse(text).expect("a CTCP message").answer("NOW");
        assert_eq!(ask("\u{1}PING 123\u{1}").as_deref(), Some("\u{1}PING 123\u{1}"));
        assert_eq!(ask("\u{1}time\u{1}").as_deref(), Some("\u{1}TIME NOW\u{1}"));
        assert!(ask("\u{1}VERSION\u{1}").is_some_and(|answer| answer.contains("viaduct")));
        assert_eq!(
            ask("\u{1}SOURCE\u{1}").as_deref(),
            Some("\u{1}SOURCE https://viaduct.im\u{1}")
        );
        assert_eq!(super::request("VERSION", ""), "\u{1}VERSION\u{1}");
        for ignored in ["\u{1}DCC SEND x\u{1}", "\u{1}\u{1}", "\u{1}", "\u{1}FINGER\u{1}"] {
            assert_eq!(ask(ignored), None);
        }
        assert_eq!(frame("ACTION", "x").len(), ACTION_OVERHEAD + 1);
    }

    proptest! {
        #[test]
        fn answers_are_small_and_framed(text in any::<String>()) {
            if let Some(answer) = Ctcp::parse(&format!("\u{1}{text}")).and_then(|c| c.answer("now")) {
                prop_assert!(answer.len() < 100);
                prop_assert_eq!(answer.matches('\u{1}').count(), 2);
            }
        }
    }
}
