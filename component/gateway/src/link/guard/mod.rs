//! The guard between the socket and the XML parser.
//!
//! The parser ends the stream at an attribute of more than 8 KiB, and takes ever longer (and at last the whole stack)
//! for deep nesting. Any user on the federation can send such a stanza through an honest server. So a scanner that
//! knows just enough XML to find where stanzas begin and end looks at the bytes first: it hands on whole stanzas only,
//! and takes out those that the parser must not see. What was taken out is reported with its head, so that it can be
//! answered. Well-formedness is the parser's to judge, and ends the stream; but what would keep the scanner waiting for an
//! end that never comes (`<<`, an end tag that ends nothing) is shown to the parser at once.

mod step;

use self::step::At;
use super::head::Head;
use super::limits::{Dropped, Limits, Offence};

/// The longest start tag of which the attributes are still read for an answer.
const MAX_HEAD: usize = 64 * 1024;

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
    /// The names of the open elements of the present stanza, as ranges after its beginning.
    names: Vec<(usize, usize)>,
    /// Where the present tag begins.
    tag: usize,
    /// The present stanza is to be taken out.
    offence: Option<Offence>,
    /// What comes is no XML.
    hopeless: bool,
    dropped: Vec<Dropped>,
}

/// What no parser takes.
const NO_XML: &[u8] = b"<<";

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
            names: Vec::new(),
            tag: 0,
            offence: None,
            hopeless: false,
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
            self.tag = self.tag.saturating_sub(self.start);
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
        while self.pos < self.buf.len() && !self.hopeless {
            self.step();
        }
        if self.hopeless {
            self.buf.truncate(self.safe);
            self.pos = self.safe;
        } else if self.in_stanza() {
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

    /// What comes is no XML: the parser is to see that, and nothing more.
    fn give_up(&mut self) {
        if self.depth == 0 {
            // Outside of the stream nothing is held back, so the parser sees it anyway.
            self.at = At::Text;
            return;
        }
        self.hopeless = true;
        self.buf.truncate(self.safe);
        self.buf.extend_from_slice(NO_XML);
        self.safe = self.buf.len();
        self.pos = self.safe;
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
        self.names.clear();
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
