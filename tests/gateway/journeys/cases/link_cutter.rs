//! Cuts what a gateway writes into stanzas: elements, text and quotes, nothing more exotic.

/// A piece of a component stream.
pub(super) enum Piece {
    /// A whole first-level element.
    Stanza(String),
    /// The end of the stream.
    Close,
}

/// Holds what has come of a stanza that is not complete.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    buffer: Vec<u8>,
    /// Where the present tag begins, if one does.
    tag: Option<usize>,
    quote: Option<u8>,
    depth: usize,
}

impl Cutter {
    /// Takes bytes; gives the pieces that are complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for byte in bytes {
            self.buffer.push(*byte);
            match (self.tag, self.quote, byte) {
                (None, _, b'<') => self.tag = Some(self.buffer.len() - 1),
                (Some(_), None, b'"' | b'\'') => self.quote = Some(*byte),
                (Some(_), Some(quote), byte) if *byte == quote => self.quote = None,
                (Some(start), None, b'>') => {
                    self.tag = None;
                    pieces.extend(self.tag_ends(start));
                }
                _ => {}
            }
        }
        pieces
    }

    fn tag_ends(&mut self, start: usize) -> Option<Piece> {
        let tag = &self.buffer[start..];
        if tag.starts_with(b"</stream:stream") {
            return Some(Piece::Close);
        }
        if tag.starts_with(b"<?") {
            self.buffer.clear();
            return None;
        }
        match (tag.starts_with(b"</"), tag.ends_with(b"/>")) {
            (true, _) => self.depth = self.depth.saturating_sub(1),
            (false, false) => self.depth += 1,
            (false, true) => {}
        }
        if self.depth > 0 {
            return None;
        }
        let raw = String::from_utf8_lossy(&self.buffer).trim().to_owned();
        self.buffer.clear();
        Some(Piece::Stanza(raw))
    }
}
