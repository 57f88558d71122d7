//! A connection that carries lines, from either end.

use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::line::Line;
use crate::inbox::Inbox;
use crate::patience::patience;
use crate::transcript::Voice;

/// Answers a line by itself; none means that the test sees it.
pub(super) type Reflex = Box<dyn FnMut(&Line) -> Option<Vec<String>> + Send>;

/// One end of an IRC connection.
pub struct IrcWire {
    shared: Arc<Shared>,
    reader: Lock<Option<JoinHandle<()>>>,
}

struct Shared {
    inbox: Inbox<Line>,
    writer: Mutex<Option<Box<dyn AsyncWrite + Send + Unpin>>>,
    reflex: Lock<Reflex>,
    voice: Voice,
}

impl std::fmt::Debug for IrcWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IrcWire")
            .field("voice", &self.shared.voice)
            .finish_non_exhaustive()
    }
}

impl IrcWire {
    pub(super) fn new<R, W>(reader: R, writer: W, voice: Voice, reflex: Reflex) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let writer: Box<dyn AsyncWrite + Send + Unpin> = Box::new(writer);
        let (writer, reflex) = (Mutex::new(Some(writer)), Lock::new(reflex));
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            writer,
            reflex,
            voice,
        });
        let reader = tokio::spawn(read(BufReader::new(reader), shared.clone()));
        Self {
            shared,
            reader: Lock::new(Some(reader)),
        }
    }

    /// The pen of this end.
    pub fn voice(&self) -> &Voice {
        &self.shared.voice
    }

    /// Sends a line; CR LF is added.
    pub async fn send(&self, line: impl AsRef<str>) -> Result<()> {
        self.shared.send(line.as_ref()).await
    }

    /// Sends bytes as they are; nothing is added.
    pub async fn send_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.voice().sent(String::from_utf8_lossy(bytes));
        self.shared.write(bytes).await
    }

    /// Waits for the first line, in order of arrival, for which `wanted` holds, and takes it out.
    pub async fn expect(&self, what: &str, wanted: impl FnMut(&Line) -> bool) -> Result<Line> {
        match self.shared.inbox.take(patience(), wanted).await {
            Ok(line) => Ok(line),
            Err(gone) => Err(self
                .voice()
                .failure_with(format!("expected {what}: {gone}"), self.leftovers())),
        }
    }

    /// Waits for a line for which `wanted` holds, for as long as is said: for what need not come at all.
    pub async fn maybe(&self, within: Duration, wanted: impl FnMut(&Line) -> bool) -> Option<Line> {
        self.shared.inbox.take(within, wanted).await.ok()
    }

    /// Waits for a command or numeric with these first parameters.
    pub async fn expect_command(&self, command: &str, params: &[&str]) -> Result<Line> {
        self.expect(&format!("{command} {params:?}"), |line| line.is(command, params))
            .await
    }

    /// All lines that have arrived and that nobody has asked for.
    pub fn leftovers(&self) -> Vec<Line> {
        self.shared.inbox.snapshot()
    }

    /// Takes out, in order, all lines that have arrived and for which `wanted` holds.
    pub fn take_all(&self, wanted: impl FnMut(&Line) -> bool) -> Vec<Line> {
        self.shared.inbox.take_all(wanted)
    }

    /// Waits until the other end closes the connection.
    pub async fn expect_closed(&self) -> Result<()> {
        let closed = self.shared.inbox.closed(patience()).await;
        closed.map(drop).map_err(|gone| {
            self.voice()
                .failure(format!("expected the end of the connection: {gone}"))
        })
    }

    /// Ends the connection without a word.
    pub async fn cut(&self) {
        self.voice().note("cuts its connection");
        self.shared.inbox.close("we hung up");
        let reader = self.reader.lock().expect("no holder of this lock panics").take();
        if let Some(reader) = reader {
            reader.abort();
            // Its end is what we wait for: it holds one half of the socket.
            drop(reader.await);
        }
        self.shared.writer.lock().await.take();
    }

    pub(super) fn set_reflex(&self, reflex: Reflex) {
        *self.shared.reflex.lock().expect("no holder of this lock panics") = reflex;
    }
}

impl Drop for IrcWire {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.lock().expect("no holder of this lock panics").take() {
            reader.abort();
        }
    }
}

impl Shared {
    async fn send(&self, line: &str) -> Result<()> {
        self.voice.sent(line);
        self.write(format!("{line}\r\n").as_bytes()).await
    }

    async fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| self.voice.failure("the connection has ended"))?;
        let written = async {
            writer.write_all(bytes).await?;
            writer.flush().await
        };
        written.await.map_err(|error| anyhow!(self.voice.failure(error)))
    }

    async fn arrived(&self, bytes: &[u8]) -> Result<()> {
        let line = Line::parse(bytes);
        self.voice.received(line.raw.as_str());
        let answers = (self.reflex.lock().expect("no holder of this lock panics"))(&line);
        match answers {
            None => self.inbox.push(line),
            Some(answers) => {
                for answer in answers {
                    self.send(&answer).await?;
                }
            }
        }
        Ok(())
    }
}

async fn read<R: AsyncRead + Unpin>(mut reader: BufReader<R>, shared: Arc<Shared>) {
    let mut bytes = Vec::new();
    let reason = loop {
        bytes.clear();
        match reader.read_until(b'\n', &mut bytes).await {
            Ok(0) => break "the other side hung up".to_owned(),
            Ok(_) => {
                if let Err(error) = shared.arrived(&bytes).await {
                    break error.to_string();
                }
            }
            Err(error) => break error.to_string(),
        }
    };
    shared.voice.note(reason.as_str());
    shared.inbox.close(reason);
}
