//! The guard between the socket and the XML parser.
//!
//! The parser ends the stream at an attribute of more than 8 KiB, and takes ever longer (and at last the whole stack)
//! for deep nesting. Any user on the federation can send such a stanza through an honest server. So a scanner that
//! knows just enough XML to find where stanzas begin and end looks at the bytes first: it hands on whole stanzas only,
//! and takes out those that the parser must not see. What was taken out is reported with its head, so that it can be
//! answered. It does not judge well-formedness: that is the parser's, and ends the stream.

use memchr::{memchr, memchr3};

use super::head::Head;
use super::limits::{Dropped, Limits, Offence};

/// The longest start tag of which the attributes are still read for an answer.
const MAX_HEAD: usize = 64 * 1024;

/// Where in the XML the scanner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    /// Between tags.
    Text,
    /// After `<`.
    Open,
    /// After `<!`, with so many bytes of it seen.
    Bang(usize),
    /// In a comment, with so many dashes seen just now.
    Comment(u8),
    /// In a CDATA section, with so many closing brackets seen just now.
    Cdata(u8),
    /// In a processing instruction; whether a `?` was just seen.
    Instruction(bool),
    /// In a declaration such as DOCTYPE.
    Declaration,
    /// In a start tag, outside of quotes; whether the last byte was a `/`.
    Tag(bool),
    /// In an attribute value, within this kind of quote.
    Quoted(u8),
    /// In an end tag.
    EndTag,
}

/// The bytes between the socket and the parser.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    /// Bytes from the socket: `..start` are consumed, `start..safe` may be parsed, `safe..` are held back.
    buf: Vec<u8>,
    start: usize,
    safe: usize,
    /// Everything before this has been scanned.
    pos: usize,
    at: At,
    /// How many elements are open; 1 is the stream itself.
    depth: usize,
    /// Where the present tag, name or value begins.
    token: usize,
    /// The length of the present stanza's start tag, once it is complete.
    head: Option<usize>,
    /// The present stanza is to be taken out.
    offence: Option<Offence>,
    dropped: Vec<Dropped>,
}

impl Guard {
    /// Begins before the stream header.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buf: Vec::new(),
            start: 0,
            safe: 0,
            pos: 0,
            at: At::Text,
            depth: 0,
            token: 0,
            head: None,
            offence: None,
            dropped: Vec::new(),
        }
    }

    /// The buffer to append bytes from the socket to, before [`Guard::scan`].
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buf.drain(..self.start);
            self.pos -= self.start;
            self.safe -= self.start;
            self.token = self.token.saturating_sub(self.start);
            self.start = 0;
        }
        &mut self.buf
    }

    /// What the parser may see.
    #[must_use]
    pub fn safe(&self) -> &[u8] {
        &self.buf[self.start..self.safe]
    }

    /// The parser has taken so many bytes.
    pub fn consume(&mut self, amount: usize) {
        self.start = (self.start + amount).min(self.safe);
    }

    /// Whether a stanza was taken out since [`Guard::take_dropped`].
    #[must_use]
    pub fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// What was taken out.
    pub fn take_dropped(&mut self) -> Vec<Dropped> {
        std::mem::take(&mut self.dropped)
    }

    /// Looks at everything that is new in the buffer.
    pub fn scan(&mut self) {
        while self.pos < self.buf.len() {
            self.step();
        }
        if self.in_stanza() {
            self.check_size();
            if matches!(self.at, At::Tag(_) | At::Quoted(_) | At::EndTag) {
                self.check_token();
            }
            if self.offence.is_some() {
                self.forget_body();
            }
        } else {
            self.safe = self.pos;
        }
    }

    /// Whether the scanner is inside something that is held back.
    fn in_stanza(&self) -> bool {
        self.depth > 1 || (self.depth == 1 && self.at != At::Text)
    }

    /// Advances over the bytes up to the next one that matters.
    fn step(&mut self) {
        let rest = &self.buf[self.pos..];
        let byte = rest[0];
        match self.at {
            At::Text => match memchr(b'<', rest) {
                None => self.pos = self.buf.len(),
                Some(at) => {
                    self.pos += at;
                    if self.depth <= 1 {
                        self.safe = self.pos;
                    }
                    self.token = self.pos;
                    self.pos += 1;
                    self.at = At::Open;
                }
            },
            At::Open => self.opened(byte),
            At::Bang(seen) => self.bang(seen, byte),
            At::Comment(dashes) => {
                self.pos += 1;
                self.at = match byte {
                    b'-' => At::Comment((dashes + 1).min(2)),
                    b'>' if dashes == 2 => return self.markup_ends(),
                    _ => At::Comment(0),
                };
            }
            At::Cdata(brackets) => {
                self.pos += 1;
                self.at = match byte {
                    b']' => At::Cdata((brackets + 1).min(2)),
                    b'>' if brackets == 2 => return self.markup_ends(),
                    _ => At::Cdata(0),
                };
            }
            At::Instruction(question) => {
                self.pos += 1;
                self.at = match byte {
                    b'>' if question => return self.markup_ends(),
                    byte => At::Instruction(byte == b'?'),
                };
            }
            At::Declaration => {
                self.pos += 1;
                if byte == b'>' {
                    self.markup_ends();
                }
            }
            At::Tag(slash) => match memchr3(b'>', b'"', b'\'', rest) {
                None => {
                    self.at = At::Tag(self.buf.last() == Some(&b'/'));
                    self.pos = self.buf.len();
                }
                Some(at) => {
                    let slash = if at == 0 { slash } else { rest[at - 1] == b'/' };
                    let found = rest[at];
                    self.pos += at + 1;
                    self.check_token();
                    self.token = self.pos;
                    if found == b'>' {
                        self.tag_ends(slash);
                    } else {
                        self.at = At::Quoted(found);
                    }
                }
            },
            At::Quoted(quote) => match memchr(quote, rest) {
                None => self.pos = self.buf.len(),
                Some(at) => {
                    self.pos += at + 1;
                    self.check_token();
                    self.token = self.pos;
                    self.at = At::Tag(false);
                }
            },
            At::EndTag => match memchr(b'>', rest) {
                None => self.pos = self.buf.len(),
                Some(at) => {
                    self.pos += at + 1;
                    self.check_token();
                    self.depth = self.depth.saturating_sub(1);
                    self.markup_ends();
                }
            },
        }
    }

    fn opened(&mut self, byte: u8) {
        self.at = match byte {
            b'/' => At::EndTag,
            b'!' => At::Bang(0),
            b'?' => {
                self.restrict();
                At::Instruction(false)
            }
            // Looked at again as part of the tag.
            _ => {
                self.at = At::Tag(false);
                return;
            }
        };
        self.pos += 1;
    }

    fn bang(&mut self, seen: usize, byte: u8) {
        const CDATA: &[u8] = b"[CDATA[";
        self.pos += 1;
        self.at = match (seen, byte) {
            (0, b'-') => At::Bang(100),
            (100, b'-') => {
                self.restrict();
                At::Comment(0)
            }
            (seen, byte) if CDATA.get(seen) == Some(&byte) => {
                if seen + 1 == CDATA.len() {
                    At::Cdata(0)
                } else {
                    At::Bang(seen + 1)
                }
            }
            (_, byte) => {
                self.restrict();
                self.at = At::Declaration;
                if byte == b'>' {
                    self.markup_ends();
                }
                return;
            }
        };
    }

    /// A start tag ends at `pos`.
    fn tag_ends(&mut self, empty: bool) {
        match self.depth {
            // The header of the stream is never held back.
            0 => self.safe = self.pos,
            1 if self.head.is_none() => self.head = Some(self.pos - self.safe),
            _ => {}
        }
        self.depth += 1;
        if self.depth > self.limits.depth + 1 {
            self.offend(Offence::TooDeep);
        }
        if empty {
            self.depth -= 1;
        }
        self.markup_ends();
    }

    /// Markup of any kind ends at `pos`.
    fn markup_ends(&mut self) {
        self.at = At::Text;
        if self.depth > 1 {
            return;
        }
        if self.depth == 1 {
            self.check_size();
        }
        match self.offence.take() {
            None => self.safe = self.pos,
            Some(offence) => {
                let head = self.head.filter(|length| *length <= MAX_HEAD).and_then(|length| {
                    // A body that was forgotten is no longer in the buffer, but the head is.
                    Head::read(self.buf.get(self.safe..self.safe + length)?)
                });
                self.dropped.push(Dropped { offence, head });
                self.buf.drain(self.safe..self.pos);
                self.pos = self.safe;
            }
        }
        self.head = None;
    }

    /// Something was found that XMPP forbids and the parser does not take.
    fn restrict(&mut self) {
        if self.depth > 0 {
            self.offend(Offence::Restricted);
        }
    }

    fn offend(&mut self, offence: Offence) {
        if self.offence.is_none() {
            self.offence = Some(offence);
        }
    }

    fn check_size(&mut self) {
        if self.offence.is_none() && self.pos - self.safe > self.limits.stanza {
            self.offend(Offence::TooLarge);
        }
    }

    fn check_token(&mut self) {
        if self.depth > 0 && self.offence.is_none() && self.pos - self.token > self.limits.token {
            self.offend(Offence::TooLong);
        }
    }

    /// Everything but the head of a stanza that will be taken out is let go, so that it takes no memory.
    fn forget_body(&mut self) {
        let keep = match self.head {
            Some(length) if length <= MAX_HEAD => length,
            Some(_) => 0,
            // The start tag is not complete yet.
            None if self.pos - self.safe <= MAX_HEAD => return,
            None => {
                // It will be too long to be read: whatever its end, it is not a head.
                self.head = Some(usize::MAX);
                0
            }
        };
        self.buf.truncate(self.safe + keep);
        self.pos = self.buf.len();
        self.token = self.pos;
    }
}
