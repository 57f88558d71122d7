//! The scanner: from one byte that matters to the next.

use memchr::{memchr, memchr2, memchr3};

use super::Guard;
use crate::link::limits::Offence;

/// Where in the XML the scanner is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum At {
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

impl Guard {
    /// Advances over the bytes up to the next one that matters.
    pub(super) fn step(&mut self) {
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
                    self.tag = self.pos;
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
                found if memchr(b'<', &rest[..found.unwrap_or(rest.len())]).is_some() => self.give_up(),
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
                        self.start_tag_ends(slash);
                    } else {
                        self.at = At::Quoted(found);
                    }
                }
            },
            At::Quoted(quote) => match memchr2(quote, b'<', rest) {
                None => self.pos = self.buf.len(),
                Some(at) if rest[at] == b'<' => self.give_up(),
                Some(at) => {
                    self.pos += at + 1;
                    self.check_token();
                    self.token = self.pos;
                    self.at = At::Tag(false);
                }
            },
            At::EndTag => match memchr2(b'>', b'<', rest) {
                None => self.pos = self.buf.len(),
                Some(at) if rest[at] == b'<' => self.give_up(),
                Some(at) => {
                    self.pos += at + 1;
                    self.check_token();
                    self.end_tag_ends();
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
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => {
                self.at = At::Tag(false);
                return;
            }
            _ => return self.give_up(),
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
    fn start_tag_ends(&mut self, empty: bool) {
        match self.depth {
            // The header of the stream is never held back.
            0 => self.safe = self.pos,
            1 if self.head.is_none() => self.head = Some(self.pos - self.safe),
            _ => {}
        }
        if self.depth > self.limits.depth {
            self.offend(Offence::TooDeep);
        }
        if !empty {
            self.check_size();
            if self.depth > 0 && self.offence.is_none() {
                let name = self.name(self.tag + 1);
                self.names.push(name);
            }
            self.depth += 1;
        }
        self.markup_ends();
    }

    /// An end tag ends at `pos`.
    fn end_tag_ends(&mut self) {
        self.check_size();
        if self.depth > 1 && self.offence.is_none() {
            let (begin, end) = self.name(self.tag + 2);
            let stanza = &self.buf[self.safe..];
            let begun = self.names.pop().map(|(begin, end)| &stanza[begin..end]);
            if begun != Some(&stanza[begin..end]) {
                return self.give_up();
            }
        }
        self.depth = self.depth.saturating_sub(1);
        self.markup_ends();
    }

    /// Where the name is that begins there, after the beginning of the stanza.
    fn name(&self, begin: usize) -> (usize, usize) {
        let rest = &self.buf[begin..self.pos];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        (begin - self.safe, begin - self.safe + length)
    }
}
