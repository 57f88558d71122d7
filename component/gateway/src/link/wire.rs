//! The socket as the XML stream sees it: bytes come through the guard; writing is possible during the handshake only,
//! after which the writer has the socket's write half to itself.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::guard::Guard;
use super::limits::{Dropped, Limits};

/// How much is read from the socket at a time.
const CHUNK: usize = 64 * 1024;

/// The socket with its guard.
pub(super) struct Wire {
    read: OwnedReadHalf,
    write: Shared<Option<OwnedWriteHalf>>,
    guard: Guard,
    dropped: Shared<Vec<Dropped>>,
    consumed: u64,
}

type Shared<T> = Arc<Mutex<T>>;

/// What is left in the hands of the one who gives the wire to the XML stream.
pub(super) struct WireEnds {
    write: Shared<Option<OwnedWriteHalf>>,
    dropped: Shared<Vec<Dropped>>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, limits: Limits) -> (Self, WireEnds) {
        let (read, write) = socket.into_split();
        let write = Arc::new(Mutex::new(Some(write)));
        let dropped = Shared::default();
        let ends = WireEnds {
            write: Arc::clone(&write),
            dropped: Arc::clone(&dropped),
        };
        (
            Self {
                read,
                write,
                guard: Guard::new(limits),
                dropped,
                consumed: 0,
            },
            ends,
        )
    }
}

impl WireEnds {
    /// Takes the write half away from the XML stream.
    pub(super) fn take_writer(&self) -> Option<OwnedWriteHalf> {
        self.write.lock().expect("no holder of this lock panics").take()
    }

    /// What the guard has taken out since the last call.
    pub(super) fn take_dropped(&self) -> Vec<Dropped> {
        std::mem::take(&mut *self.dropped.lock().expect("no holder of this lock panics"))
    }
}

impl AsyncBufRead for Wire {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.guard.safe().is_empty() {
            let buffer = this.guard.buffer();
            buffer.reserve(CHUNK);
            let read = ready!(pin!(this.read.read_buf(buffer)).poll(cx))?;
            if read == 0 {
                return Poll::Ready(Ok(&[]));
            }
            this.guard.scan();
            if this.guard.has_dropped() {
                let dropped = this.guard.take_dropped();
                this.dropped
                    .lock()
                    .expect("no holder of this lock panics")
                    .extend(dropped);
            }
        }
        Poll::Ready(Ok(this.guard.safe()))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        self.consumed += amount as u64;
        self.guard.consume(amount);
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let bytes = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl Wire {
    /// How many bytes the parser has taken.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Does something with the write half while the stream still has it.
    fn with_writer<T>(
        &self,
        what: impl FnOnce(Pin<&mut OwnedWriteHalf>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut *self.write.lock().expect("no holder of this lock panics") {
            Some(write) => what(Pin::new(write)),
            None => Poll::Ready(Err(io::Error::other("the writer has been taken"))),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with_writer(|write| write.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_writer(|write| write.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_writer(|write| write.poll_shutdown(cx))
    }
}
