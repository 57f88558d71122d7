//! Bytes: lines out of a socket, and bytes into it.
//!
//! The server's PING is answered here, as soon as its bytes are in, whatever becomes of the lines before it: a client
//! that waits for its event sink still answers. While nothing happens a link holds no buffers.

use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroize as _;

use super::ident::Registered;
use crate::proto::line::Line;
use crate::proto::message::MAX_INPUT;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// How much may wait to be processed before reading stops.
const MOST_INPUT: usize = 256 * 1024;
/// How much may wait to be written before reading stops.
const MOST_OUTPUT: usize = 512 * 1024;
/// Buffers below this size are kept while idle.
const SMALL: usize = 256;

/// A connection, encrypted or not.
pub(crate) enum Stream {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }
}

/// What a turn at the socket brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// Bytes came in.
    Read,
    /// The other end has closed its side.
    Closed,
    /// All output is written.
    Written,
}

/// A connection with its buffers.
pub(crate) struct Link {
    stream: Stream,
    input: Vec<u8>,
    /// Up to where lines were taken, and up to where PINGs were looked for.
    taken: usize,
    scanned: usize,
    /// A line that is too long is being read away.
    skipping: bool,
    output: Vec<u8>,
    written: usize,
    /// Written, but perhaps still inside TLS.
    unflushed: bool,
    /// There may be credentials in the output.
    secret: bool,
    /// Whose connection it is, for as long as it is open.
    registered: Option<Box<Registered>>,
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            taken: 0,
            scanned: 0,
            skipping: false,
            output: Vec::new(),
            written: 0,
            unflushed: false,
            secret: false,
            registered: None,
        }
    }

    /// The record of whose connection this is goes with it.
    pub(crate) fn registered(mut self, registered: Option<Registered>) -> Self {
        self.registered = registered.map(Box::new);
        self
    }

    /// What is in the output now is wiped from memory once it is written.
    pub(crate) fn wipe_output(&mut self) {
        self.secret = true;
    }

    /// Writes what is to be written, and reads what has come unless too much waits already.
    pub(crate) fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        if (self.has_output() || self.unflushed) && self.poll_drain(cx)?.is_ready() {
            return Poll::Ready(Ok(Turn::Written));
        }
        // A server that sends PING after PING and reads no PONG must not fill the memory.
        if self.is_full() || self.backlog() >= MOST_OUTPUT {
            return Poll::Pending;
        }
        self.shrink();
        self.poll_fill(cx)
    }

    /// Where output is appended.
    pub(crate) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// How many bytes are not written yet.
    pub(crate) fn backlog(&self) -> usize {
        self.output.len() - self.written
    }

    /// Whether so much input waits that nothing more is read.
    pub(crate) fn is_full(&self) -> bool {
        self.input.len() - self.taken >= MOST_INPUT
    }

    /// The next complete line, without its end.
    pub(crate) fn next_line(&mut self) -> Option<&[u8]> {
        let range = loop {
            let range = line_from(&self.input, self.taken)?;
            self.taken = range.end + 1;
            if range.len() <= MAX_INPUT {
                break range;
            }
        };
        let line = &self.input[range];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn has_output(&self) -> bool {
        self.written < self.output.len()
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.output.len() {
            match ready!(self.stream.poll_write(cx, &self.output[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
            self.unflushed = true;
        }
        if std::mem::take(&mut self.secret) {
            self.output.zeroize();
        }
        self.output.clear();
        self.written = 0;
        ready!(self.stream.poll_flush(cx))?;
        self.unflushed = false;
        Poll::Ready(Ok(()))
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let mut chunk = [MaybeUninit::<u8>::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(self.stream.poll_read(cx, &mut chunk))?;
        if chunk.filled().is_empty() {
            return Poll::Ready(Ok(Turn::Closed));
        }
        self.take_in(chunk.filled());
        Poll::Ready(Ok(Turn::Read))
    }

    fn take_in(&mut self, mut bytes: &[u8]) {
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.scanned -= self.taken;
            self.taken = 0;
        }
        if self.skipping {
            let Some(end) = bytes.iter().position(|b| *b == b'\n') else {
                return;
            };
            bytes = &bytes[end + 1..];
            self.skipping = false;
        }
        self.input.extend_from_slice(bytes);
        while let Some(range) = line_from(&self.input, self.scanned) {
            self.scanned = range.end + 1;
            answer_ping(&self.input[range], &mut self.output);
        }
        if self.input.len() - self.scanned > MAX_INPUT {
            self.input.truncate(self.scanned);
            self.skipping = true;
        }
    }

    /// Gives memory back before waiting.
    fn shrink(&mut self) {
        if self.taken == self.input.len() && self.taken > 0 {
            self.input.clear();
            self.taken = 0;
            self.scanned = 0;
        }
        if self.input.is_empty() && self.input.capacity() > SMALL {
            self.input = Vec::new();
        }
        if self.output.is_empty() && self.output.capacity() > SMALL {
            self.output = Vec::new();
        }
    }
}

/// The line that begins here, if its end is there.
fn line_from(input: &[u8], start: usize) -> Option<Range<usize>> {
    let length = input[start..].iter().position(|b| *b == b'\n')?;
    Some(start..start + length)
}

/// Answers a line if it is a PING (RFC 2812 §3.7.2).
fn answer_ping(line: &[u8], output: &mut Vec<u8>) {
    let mut rest = line;
    while matches!(rest.first(), Some(b'@' | b':')) {
        let Some(space) = rest.iter().position(|b| *b == b' ') else {
            return;
        };
        rest = rest[space..].trim_ascii_start();
    }
    let Some(token) = rest.strip_prefix(b"PING ") else {
        return;
    };
    let token = token.trim_ascii();
    let token = token.strip_prefix(b":").unwrap_or(token);
    Line::command("PONG")
        .trailing(&String::from_utf8_lossy(token))
        .write(output);
}

#[cfg(test)]
mod tests {
    use super::{Link, MAX_INPUT, Stream};
    use proptest::prelude::*;

    fn link() -> Link {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            Link::new(Stream::Plain(
                tokio::net::TcpStream::connect(address).await.expect("it listens"),
            ))
        })
    }

    fn lines(link: &mut Link) -> Vec<String> {
        std::iter::from_fn(|| {
            link.next_line()
                .map(|line| String::from_utf8_lossy(line).into_owned())
        })
        .collect()
    }

    #[test]
    fn lines_come_out_whole() {
        let mut link = link();
        link.take_in(b"one\r\ntw");
        assert_eq!(lines(&mut link), ["one"]);
        link.take_in(b"o\nthree\r\n");
        assert_eq!(lines(&mut link), ["two", "three"]);
        let long = vec![b'x'; MAX_INPUT + 1];
        link.take_in(&long);
        link.take_in(&long);
        link.take_in(b"end of the long one\r\nnext\r\n");
        assert_eq!(lines(&mut link), ["next"]);
        link.take_in(&[&long[..], b"\nlast\n"].concat());
        assert_eq!(lines(&mut link), ["last"]);
    }

    #[test]
    fn pings_are_answered_as_they_come() {
        let mut link = link();
        link.take_in(b":a PRIVMSG #c :PING x\r\nPING :tok en\r\n@t=1 :srv PING srv\r\nPIN");
        link.take_in(b"G late\r\nPINGS no\r\n");
        assert_eq!(link.output(), b"PONG :tok en\r\nPONG :srv\r\nPONG :late\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_bytes_in_any_pieces(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
            let mut link = link();
            let mut got = Vec::new();
            for piece in &pieces {
                link.take_in(piece);
                while let Some(line) = link.next_line() {
                    got.push(line.to_vec());
                }
            }
            let all = pieces.concat();
            let end = all.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let expected: Vec<Vec<u8>> = all[..end]
                .split_inclusive(|b| *b == b'\n')
                .map(|line| {
                    let line = line.strip_suffix(b"\n").unwrap_or(line);
                    line.strip_suffix(b"\r").unwrap_or(line).to_vec()
                })
                .collect();
            prop_assert_eq!(got, expected);
        }
    }
}
