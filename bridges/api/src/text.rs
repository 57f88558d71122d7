//! What people say, without the markup of any protocol: plain text with styled spans.

use crate::ids::Name;

/// One message's content.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Content {
    /// How it is said.
    pub kind: MessageKind,
    /// What is said.
    pub text: Text,
}

impl Content {
    /// Plain text, said the ordinary way.
    pub fn plain(text: impl Into<Name>) -> Self {
        Self {
            kind: MessageKind::Text,
            text: Text::plain(text),
        }
    }
}

/// How something is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum MessageKind {
    /// The ordinary way.
    Text,
    /// As an action: "/me waves" (XEP-0245), CTCP ACTION, `m.emote`.
    Emote,
    /// A notice, to which no program answers: IRC NOTICE, `m.notice`.
    Notice,
}

/// Plain text and the spans of it that are styled. Lines are separated by `\n`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct Text {
    /// The text without any markup.
    pub plain: Name,
    /// Styled spans, sorted by start; a longer span comes before a shorter one with the same start.
    pub spans: Vec<Span>,
}

impl Text {
    /// Text without styles.
    pub fn plain(text: impl Into<Name>) -> Self {
        Self {
            plain: text.into(),
            spans: Vec::new(),
        }
    }
}

/// A styled part of a text, in bytes of its UTF-8 form and always at character borders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// How it looks.
    pub style: Style,
}

/// The styles that survive a change of network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Style {
    /// Strong.
    Bold,
    /// Emphasis.
    Italic,
    /// Struck through.
    Strike,
    /// Preformatted within a line.
    Code,
    /// A preformatted block of whole lines.
    CodeBlock,
    /// A quotation of whole lines.
    Quote,
}
