//! A cheap scanner for the component's stream: frames stanzas and finds attributes without parsing XML.
//!
//! It relies on what RFC 6120 §11.1 forbids in a stream (comments, processing instructions, CDATA is not met in
//! practice), and costs about a nanosecond a byte, so that the driver is not what is measured.

use std::ops::Range;

/// How much room there is for one read.
const READ: usize = 64 * 1024;

/// What the framer found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The stream header.
    Open,
    /// One whole top-level element.
    Stanza(Range<usize>),
    /// `</stream:stream>`.
    Close,
}

/// Cuts a byte stream into top-level elements; resumable at any byte.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buf: Vec<u8>,
    start: usize,
    pos: usize,
    depth: u32,
}

impl Framer {
    /// The buffer to read more bytes into; forgets what has been framed already.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        self.buf.drain(..self.start);
        self.pos -= self.start;
        self.start = 0;
        self.buf.reserve(READ);
        &mut self.buf
    }

    /// The bytes of a frame that was just returned.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buf[range]
    }

    /// The next complete frame, if there is one.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = &self.buf[self.pos..];
            let Some(open) = rest.iter().position(|&b| b == b'<') else {
                self.pos = self.buf.len();
                if self.depth <= 1 {
                    self.start = self.pos;
                }
                return None;
            };
            let tag = self.pos + open;
            if self.depth <= 1 {
                self.start = tag;
            }
            self.pos = tag;
            let end = tag + tag_end(&self.buf[tag..])? + 1;
            self.pos = end;
            match (self.buf[tag + 1], self.buf[end - 2]) {
                (b'?', _) => {}
                (b'/', _) => {
                    self.depth = self.depth.saturating_sub(1);
                    match self.depth {
                        0 => return Some(Frame::Close),
                        1 => return Some(self.stanza(end)),
                        _ => {}
                    }
                }
                (_, b'/') if self.depth == 1 => return Some(self.stanza(end)),
                (_, b'/') => {}
                _ => {
                    self.depth += 1;
                    if self.depth == 1 {
                        self.start = end;
                        return Some(Frame::Open);
                    }
                }
            }
        }
    }

    fn stanza(&mut self, end: usize) -> Frame {
        let range = self.start..end;
        self.start = end;
        Frame::Stanza(range)
    }
}

/// The index of the `>` that ends the tag at the head of `bytes`.
pub(crate) fn tag_end(bytes: &[u8]) -> Option<usize> {
    let mut quote = 0u8;
    bytes.iter().position(|&b| match (quote, b) {
        (0, b'>') => true,
        (0, b'"' | b'\'') => {
            quote = b;
            false
        }
        (0, _) => false,
        (open, _) if open == b => {
            quote = 0;
            false
        }
        _ => false,
    })
}

/// The raw value of an attribute of the opening tag at the head of `stanza`.
pub(crate) fn attr<'a>(stanza: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = stanza;
    loop {
        let stop = rest.iter().position(|&b| b == b'=' || b == b'>')?;
        if rest[stop] == b'>' {
            return None;
        }
        let key = rest[..stop].trim_ascii_end();
        let found = key.ends_with(name)
            && key.len() > name.len()
            && key[key.len() - name.len() - 1].is_ascii_whitespace();
        rest = rest[stop + 1..].trim_ascii_start();
        let quote = *rest.first()?;
        let end = 1 + rest[1..].iter().position(|&b| b == quote)?;
        if found {
            return Some(&rest[1..end]);
        }
        rest = &rest[end + 1..];
    }
}

/// Where `needle` first occurs in `hay`.
pub(crate) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + hay[from..].iter().position(|b| *b == needle[0])?;
        if hay[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The bare form of a JID.
pub(crate) fn bare(jid: &[u8]) -> &[u8] {
    jid.iter()
        .position(|&b| b == b'/')
        .map_or(jid, |slash| &jid[..slash])
}

/// The number of one of our own messages: its body begins with `m` and nine digits.
pub(crate) fn body_seq(stanza: &[u8]) -> Option<u64> {
    let body = &stanza[find(stanza, b"<body")?..];
    seq(&body[tag_end(body)? + 1..])
}

/// The number at the head of a text of ours.
pub(crate) fn seq(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"m")?.get(..9)?;
    digits.iter().try_fold(0u64, |sum, d| {
        d.is_ascii_digit().then(|| sum * 10 + u64::from(d - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_at_any_split() {
        let all =
            b"<?xml version='1.0'?><stream:stream a='>'>\n<a/><message to='x'><body>m000000012 <b x=\">\"/>\
                    </body></message> <iq/></stream:stream>";
        for split in 0..all.len() {
            let (mut framer, mut seen) = (Framer::default(), Vec::new());
            for part in [&all[..split], &all[split..]] {
                framer.buffer().extend_from_slice(part);
                while let Some(frame) = framer.next() {
                    seen.push(match frame {
                        Frame::Open => "open".to_owned(),
                        Frame::Close => "close".to_owned(),
                        Frame::Stanza(range) => String::from_utf8_lossy(framer.bytes(range)).into_owned(),
                    });
                }
            }
            let message = "<message to='x'><body>m000000012 <b x=\">\"/></body></message>";
            assert_eq!(
                seen,
                ["open", "<a/>", message, "<iq/>", "close"],
                "split at {split}"
            );
        }
    }

    #[test]
    fn finds_attributes_and_numbers() {
        let stanza =
            b"<message  from=\"a'b\" xto='no' to = 'u7@localhost/r'><body xml:lang='e'>m000000012 x</body>";
        assert_eq!(attr(stanza, b"to"), Some(&b"u7@localhost/r"[..]));
        assert_eq!(attr(stanza, b"from"), Some(&b"a'b"[..]));
        assert_eq!(attr(stanza, b"type"), None);
        assert_eq!(body_seq(stanza), Some(12));
        assert_eq!(bare(b"a@b/c/d"), b"a@b");
    }
}
