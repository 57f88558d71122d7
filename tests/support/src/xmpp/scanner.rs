//! Cuts a byte stream into the stanzas of an XMPP stream, without parsing them.
//!
//! It knows just enough XML to find where a stanza ends (tags, quotes, comments, CDATA), so the text of a stanza
//! is kept as it came, and nothing that a stanza holds can end the stream for us.

use std::collections::VecDeque;

/// What an XMPP stream is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// The stream header.
    Open(String),
    /// A whole first-level element.
    Stanza(String),
    /// The end tag of the stream.
    Close,
}

/// Holds what has come of a stanza that is not complete.
#[derive(Debug)]
pub(super) struct Scanner {
    buffer: Vec<u8>,
    /// Up to where the buffer has been looked at.
    position: usize,
    /// Where the markup begins that is being read.
    markup: usize,
    depth: usize,
    state: State,
    ready: VecDeque<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    /// Just after `<`.
    Start,
    OpenTag {
        quote: Option<u8>,
        slash: bool,
    },
    CloseTag,
    /// `<?…?>`, and `<!…>` of all kinds, which end at the given bytes.
    Until(&'static [u8]),
    /// `<!`, not yet known of which kind.
    Bang,
}

impl Default for Scanner {
    fn default() -> Self {
        let (buffer, ready) = (Vec::new(), VecDeque::new());
        Self {
            buffer,
            position: 0,
            markup: 0,
            depth: 0,
            state: State::Text,
            ready,
        }
    }
}

impl Scanner {
    /// Takes bytes as they come from the network.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(byte) = self.buffer.get(self.position).copied() {
            self.position += 1;
            self.step(byte);
        }
    }

    /// The next whole piece.
    pub(super) fn next(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Text, b'<') => {
                self.markup = self.position - 1;
                if self.depth <= 1 {
                    self.forget_before_markup();
                }
                State::Start
            }
            (State::Text, _) => State::Text,
            (State::Start, b'/') => State::CloseTag,
            (State::Start, b'?') => State::Until(b"?>"),
            (State::Start, b'!') => State::Bang,
            (State::Start, _) => State::OpenTag {
                quote: None,
                slash: false,
            },
            (State::CloseTag, b'>') => self.closed(),
            (State::CloseTag, _) => State::CloseTag,
            (
                State::OpenTag {
                    quote: None,
                    slash: true,
                },
                b'>',
            ) => self.closed_at_once(),
            (State::OpenTag { quote: None, .. }, b'>') => self.opened(),
            (State::OpenTag { quote: None, .. }, b'"' | b'\'') => State::OpenTag {
                quote: Some(byte),
                slash: false,
            },
            (State::OpenTag { quote: None, .. }, _) => State::OpenTag {
                quote: None,
                slash: byte == b'/',
            },
            (State::OpenTag { quote, .. }, _) if quote == Some(byte) => State::OpenTag {
                quote: None,
                slash: false,
            },
            (State::OpenTag { quote, .. }, _) => State::OpenTag { quote, slash: false },
            (State::Bang, _) => match &self.buffer[self.markup..self.position] {
                b"<!-" | b"<![" => State::Bang,
                b"<!--" => State::Until(b"-->"),
                seen if b"<![CDATA[".starts_with(seen) && seen.len() < 9 => State::Bang,
                b"<![CDATA[" => State::Until(b"]]>"),
                _ => State::Until(b">"),
            },
            (State::Until(end), _) if self.buffer[self.markup..self.position].ends_with(end) => State::Text,
            (State::Until(end), _) => State::Until(end),
        };
    }

    fn opened(&mut self) -> State {
        self.depth += 1;
        if self.depth == 1 {
            let header = self.cut();
            self.ready.push_back(Piece::Open(header));
        }
        State::Text
    }

    fn closed_at_once(&mut self) -> State {
        if self.depth == 1 {
            let stanza = self.cut();
            self.ready.push_back(Piece::Stanza(stanza));
        }
        State::Text
    }

    fn closed(&mut self) -> State {
        self.depth = self.depth.saturating_sub(1);
        match self.depth {
            0 => {
                self.cut();
                self.ready.push_back(Piece::Close);
            }
            1 => {
                let stanza = self.cut();
                self.ready.push_back(Piece::Stanza(stanza));
            }
            _ => {}
        }
        State::Text
    }

    /// Takes everything up to here out of the buffer.
    fn cut(&mut self) -> String {
        let piece: Vec<u8> = self.buffer.drain(..self.position).collect();
        self.position = 0;
        String::from_utf8_lossy(&piece).into_owned()
    }

    /// Drops what is between stanzas (white space, the XML declaration).
    fn forget_before_markup(&mut self) {
        self.buffer.drain(..self.markup);
        self.position -= self.markup;
        self.markup = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(chunks: &[&str]) -> Vec<Piece> {
        let mut scanner = Scanner::default();
        for chunk in chunks {
            scanner.feed(chunk.as_bytes());
        }
        std::iter::from_fn(|| scanner.next()).collect()
    }

    const STREAM: &str = "<?xml version='1.0'?><stream:stream to='a>b'> \n<a/><b x='/>'><c><!-- </b> --></c>\
                          <![CDATA[</b>]]>text</b >\n<d><e/></d></stream:stream>";

    fn expected() -> Vec<Piece> {
        vec![
            Piece::Open("<stream:stream to='a>b'>".into()),
            Piece::Stanza("<a/>".into()),
            Piece::Stanza("<b x='/>'><c><!-- </b> --></c><![CDATA[</b>]]>text</b >".into()),
            Piece::Stanza("<d><e/></d>".into()),
            Piece::Close,
        ]
    }

    #[test]
    fn cuts_a_stream_into_its_pieces() {
        assert_eq!(pieces(&[STREAM]), expected());
    }

    #[test]
    fn it_does_not_matter_where_the_network_cuts() {
        let bytes: Vec<String> = STREAM.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(pieces(&bytes), expected());
    }

    #[test]
    fn an_open_stanza_waits() {
        assert_eq!(pieces(&["<s>", "<a><b></b>"]), [Piece::Open("<s>".into())]);
    }
}
