//! The driver that plays the XMPP server: one component stream (XEP-0114), all its users.
//!
//! As a real server would, it routes back what the component sends to its own domain (viaduct confirms delivery by
//! such a ping), at once and in order, and answers IQs to users. It checks no secret and no `from`.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::xml::{Frame, Framer, attr, bare, body_seq, find, tag_end};

/// The domain of the gateway under test.
pub(crate) const DOMAIN: &str = "irc.localhost";
const AT_DOMAIN: &[u8] = b"@irc.localhost";

/// What the driver has seen and what it has yet to send.
#[derive(Debug)]
pub(crate) struct Link {
    /// Rung whenever something has arrived.
    pub(crate) progress: Rc<Notify>,
    /// Our own numbered messages that came back.
    pub(crate) delivered: Cell<u64>,
    /// Stanza errors in answer to messages.
    pub(crate) refused: Cell<u64>,
    /// Numbered messages that came out of order or twice, where `in_order` asks for that.
    pub(crate) disordered: Cell<u64>,
    /// Whether each receiver is to see ascending numbers.
    pub(crate) in_order: Cell<bool>,
    /// Bytes that came from the component.
    pub(crate) received: Cell<u64>,
    /// When the last of our own messages came back.
    pub(crate) last: Cell<Instant>,
    /// The last stanza error, whole.
    pub(crate) error: RefCell<String>,
    /// Why the stream ended.
    pub(crate) closed: RefCell<Option<String>>,
    /// Somebody of special interest: the full JID, the newest number shown to them, and when that was.
    watched: RefCell<(Vec<u8>, u64, Instant)>,
    out: RefCell<Vec<u8>>,
    wake: Notify,
    newest: RefCell<HashMap<Vec<u8>, u64>>,
    inside: RefCell<HashSet<Vec<u8>>>,
    subjects: RefCell<HashSet<Vec<u8>>>,
    answers: RefCell<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Link {
    /// Waits for the component on `listener` and lets it in.
    pub(crate) async fn accept(listener: &TcpListener, progress: Rc<Notify>) -> Result<Rc<Self>> {
        let (mut socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut framer = Framer::default();
        while next_frame(&mut socket, &mut framer).await? != Frame::Open {}
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
             xmlns='jabber:component:accept' from='{DOMAIN}' id='bench'>"
        );
        socket.write_all(header.as_bytes()).await?;
        match next_frame(&mut socket, &mut framer).await? {
            Frame::Stanza(range) if framer.bytes(range.clone()).starts_with(b"<handshake") => {}
            other => bail!("no handshake but {other:?}"),
        }
        socket.write_all(b"<handshake/>").await?;
        let link = Rc::new(Self {
            progress,
            delivered: Cell::default(),
            refused: Cell::default(),
            disordered: Cell::default(),
            in_order: Cell::default(),
            received: Cell::default(),
            last: Cell::new(Instant::now()),
            error: RefCell::default(),
            closed: RefCell::default(),
            watched: RefCell::new((Vec::new(), 0, Instant::now())),
            out: RefCell::default(),
            wake: Notify::new(),
            newest: RefCell::default(),
            inside: RefCell::default(),
            subjects: RefCell::default(),
            answers: RefCell::default(),
        });
        let (read, write) = socket.into_split();
        tokio::task::spawn_local(Rc::clone(&link).read(read, framer));
        tokio::task::spawn_local(Rc::clone(&link).write(write));
        Ok(link)
    }

    /// Queues bytes for the component.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.out.borrow_mut().extend_from_slice(bytes);
        self.wake.notify_one();
    }

    /// Whether `user` (a full JID) is in `room` (a bare JID): self-presence and subject have come.
    pub(crate) fn is_inside(&self, room: &str, user: &str) -> bool {
        let key = key(room.as_bytes(), user.as_bytes());
        self.inside.borrow().contains(&key) && self.subjects.borrow().contains(&key)
    }

    /// Whether the answer to an IQ of ours has come.
    pub(crate) fn has_answer(&self, id: &str) -> bool {
        self.answers.borrow().contains_key(id.as_bytes())
    }

    /// The answer to an IQ of ours, once it has come.
    pub(crate) fn answer(&self, id: &str) -> Option<Vec<u8>> {
        self.answers.borrow_mut().remove(id.as_bytes())
    }

    /// Fails when the stream has ended.
    pub(crate) fn check(&self) -> Result<()> {
        match &*self.closed.borrow() {
            Some(reason) => bail!("the component's stream ended: {reason}"),
            None => Ok(()),
        }
    }

    /// From now on, `user` (a full JID) is of special interest.
    pub(crate) fn watch(&self, user: &str) {
        *self.watched.borrow_mut() = (user.as_bytes().to_vec(), 0, Instant::now());
    }

    /// The newest number that whom we watch was shown, and when.
    pub(crate) fn watched(&self) -> (u64, Instant) {
        let watched = self.watched.borrow();
        (watched.1, watched.2)
    }

    /// Begins a new count.
    pub(crate) fn reset(&self, in_order: bool) {
        self.delivered.set(0);
        self.refused.set(0);
        self.disordered.set(0);
        self.newest.borrow_mut().clear();
        self.in_order.set(in_order);
    }

    async fn read(self: Rc<Self>, mut socket: OwnedReadHalf, mut framer: Framer) {
        let reason = loop {
            match socket.read_buf(framer.buffer()).await {
                Ok(0) => break "closed by the component".to_owned(),
                Ok(n) => self.received.set(self.received.get() + n as u64),
                Err(error) => break error.to_string(),
            }
            let before = self.delivered.get();
            while let Some(frame) = framer.next() {
                if let Frame::Stanza(range) = frame {
                    self.stanza(framer.bytes(range));
                }
            }
            if self.delivered.get() != before {
                self.last.set(Instant::now());
            }
            self.progress.notify_one();
        };
        *self.closed.borrow_mut() = Some(reason);
        self.progress.notify_one();
    }

    async fn write(self: Rc<Self>, mut socket: OwnedWriteHalf) {
        let mut chunk = Vec::new();
        loop {
            self.wake.notified().await;
            loop {
                chunk.clear();
                std::mem::swap(&mut chunk, &mut *self.out.borrow_mut());
                if chunk.is_empty() {
                    break;
                }
                if let Err(error) = socket.write_all(&chunk).await {
                    *self.closed.borrow_mut() = Some(error.to_string());
                    self.progress.notify_one();
                    return;
                }
            }
        }
    }

    fn stanza(&self, stanza: &[u8]) {
        let tag = &stanza[..tag_end(stanza).map_or(0, |end| end + 1)];
        let (from, to) = (
            attr(tag, b"from").unwrap_or_default(),
            attr(tag, b"to").unwrap_or_default(),
        );
        let (kind, host) = (attr(tag, b"type").unwrap_or_default(), bare(to));
        if host == DOMAIN.as_bytes() || host.ends_with(AT_DOMAIN) {
            self.push(stanza);
        } else if tag.starts_with(b"<message") {
            self.message(stanza, from, to, kind);
        } else if tag.starts_with(b"<presence") {
            self.presence(stanza, from, to, kind);
        } else if tag.starts_with(b"<iq") {
            self.iq(stanza, tag, (from, to), kind);
        }
    }

    fn message(&self, stanza: &[u8], from: &[u8], to: &[u8], kind: &[u8]) {
        if kind == b"error" {
            self.refused.set(self.refused.get() + 1);
            self.keep_error(stanza);
        } else if let Some(number) = body_seq(stanza) {
            self.delivered.set(self.delivered.get() + 1);
            let mut watched = self.watched.borrow_mut();
            if watched.0 == to {
                (watched.1, watched.2) = (number, Instant::now());
            }
            if self.in_order.get() {
                let mut newest = self.newest.borrow_mut();
                match newest.get_mut(to) {
                    Some(seen) if number <= *seen => self.disordered.set(self.disordered.get() + 1),
                    Some(seen) => *seen = number,
                    None => {
                        newest.insert(to.to_vec(), number);
                    }
                }
            }
        } else if find(stanza, b"<subject").is_some() {
            self.subjects.borrow_mut().insert(key(bare(from), to));
        }
    }

    fn presence(&self, stanza: &[u8], from: &[u8], to: &[u8], kind: &[u8]) {
        match kind {
            b"error" => self.keep_error(stanza),
            b"" if find(stanza, b"110").is_some() && find(stanza, b"<status").is_some() => {
                self.inside.borrow_mut().insert(key(bare(from), to));
            }
            b"unavailable" if find(stanza, b"110").is_some() => {
                let key = key(bare(from), to);
                self.inside.borrow_mut().remove(&key);
                self.subjects.borrow_mut().remove(&key);
            }
            _ => {}
        }
    }

    fn iq(&self, stanza: &[u8], tag: &[u8], (from, to): (&[u8], &[u8]), kind: &[u8]) {
        let id = attr(tag, b"id").unwrap_or_default();
        if kind != b"get" && kind != b"set" {
            self.answers.borrow_mut().insert(id.to_vec(), stanza.to_vec());
            return;
        }
        let known = find(stanza, b"urn:xmpp:ping").is_some();
        let parts: [&[u8]; 9] = [
            b"<iq from='",
            if to.is_empty() { b"localhost" } else { to },
            b"' to='",
            from,
            b"' id='",
            id,
            b"' type='",
            if known { b"result" } else { b"error" },
            match known {
                true => b"'/>",
                false => {
                    b"'><error type='cancel'><service-unavailable \
                      xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                }
            },
        ];
        self.push(&parts.concat());
    }

    fn keep_error(&self, stanza: &[u8]) {
        *self.error.borrow_mut() = String::from_utf8_lossy(stanza).into_owned();
    }
}

async fn next_frame(socket: &mut TcpStream, framer: &mut Framer) -> Result<Frame> {
    loop {
        if let Some(frame) = framer.next() {
            return Ok(frame);
        }
        if socket
            .read_buf(framer.buffer())
            .await
            .context("during the handshake")?
            == 0
        {
            bail!("the component closed the connection during the handshake");
        }
    }
}

fn key(room: &[u8], user: &[u8]) -> Vec<u8> {
    [room, b" ", user].concat()
}
