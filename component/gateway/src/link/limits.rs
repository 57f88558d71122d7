//! What a stanza may be, and what becomes of one that is not.

use super::head::Head;

/// What a stanza may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The deepest nesting of elements, the stanza itself included.
    pub depth: usize,
    /// The longest attribute value, name, or space in a tag, in bytes. The parser's own limit is 8,192.
    pub token: usize,
    /// The longest stanza, in bytes.
    pub stanza: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 128,
            token: 8000,
            stanza: 512 * 1024,
        }
    }
}

/// Why a stanza was taken out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Offence {
    /// Too many elements inside one another.
    TooDeep,
    /// An attribute or a name is too long.
    TooLong,
    /// The stanza is too large.
    TooLarge,
    /// A comment, a processing instruction or a declaration, which XMPP forbids (RFC 6120 §11.1).
    Restricted,
}

impl Offence {
    /// In words, for the sender.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::TooDeep => "The stanza has too many elements inside one another.",
            Self::TooLong => "The stanza has an attribute that is too long.",
            Self::TooLarge => "The stanza is too large.",
            Self::Restricted => "The stanza has XML that XMPP does not allow.",
        }
    }
}

/// A stanza that was taken out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// Why.
    pub offence: Offence,
    /// Its attributes, where they could be read.
    pub head: Option<Head>,
}
