//! The beginning of a client's connection: streams, in-band registration, SASL, the resource.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use minidom::Element;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::client::Login;
use super::scanner::{Piece, Scanner};
use super::stanza::{StanzaExt as _, ns, parse_stanza};
use super::xml::tag;
use crate::patience::patience;
use crate::transcript::{Transcript, Voice};

/// A connection on which only one party at a time speaks.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) reader: Reader,
    pub(super) writer: OwnedWriteHalf,
    voice: Voice,
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct Reader {
    half: OwnedReadHalf,
    scanner: Scanner,
    buffer: Vec<u8>,
}

impl Reader {
    /// The next piece of the stream; none when the connection has ended.
    pub(super) async fn next(&mut self) -> std::io::Result<Option<Piece>> {
        loop {
            if let Some(piece) = self.scanner.next() {
                return Ok(Some(piece));
            }
            match self.half.read(&mut self.buffer).await? {
                0 => return Ok(None),
                length => self.scanner.feed(&self.buffer[..length]),
            }
        }
    }
}

impl Wire {
    /// Connects, and makes the account and logs in as the login says. Gives the full JID that was bound.
    ///
    /// All logins are alike, so their transcripts are seen only when they fail.
    pub(super) async fn log_in(addr: SocketAddr, login: &Login, who: &str) -> Result<(Self, String)> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (half, writer) = stream.into_split();
        let reader = Reader {
            half,
            scanner: Scanner::default(),
            buffer: vec![0; 16 * 1024],
        };
        let mut wire = Self {
            reader,
            writer,
            voice: Transcript::alone().voice(who),
        };
        wire.open(&login.domain).await?;
        if login.register {
            wire.register(login).await?;
        }
        wire.authenticate(login).await?;
        wire.reader.scanner = Scanner::default();
        wire.open(&login.domain).await?;
        let jid = wire.bind(login).await?;
        Ok((wire, jid))
    }

    async fn send(&mut self, xml: &str) -> Result<()> {
        self.voice.sent(xml);
        Ok(self.writer.write_all(xml.as_bytes()).await?)
    }

    async fn receive(&mut self) -> Result<Piece> {
        match timeout(patience(), self.reader.next()).await {
            Err(_) => Err(self.voice.failure("the XMPP server says nothing")),
            Ok(Err(error)) => Err(self.voice.failure(error)),
            Ok(Ok(None)) => Err(self.voice.failure("the XMPP server hung up")),
            Ok(Ok(Some(Piece::Open(raw)))) => {
                self.voice.received(raw.as_str());
                Ok(Piece::Open(raw))
            }
            Ok(Ok(Some(Piece::Stanza(raw)))) => {
                self.voice.received(raw.as_str());
                Ok(Piece::Stanza(raw))
            }
            Ok(Ok(Some(Piece::Close))) => Err(self.voice.failure("the XMPP server closed the stream")),
        }
    }

    async fn receive_stanza(&mut self) -> Result<Element> {
        match self.receive().await? {
            Piece::Stanza(raw) => parse_stanza(&raw),
            other => Err(self.voice.failure(format!("{other:?} is no stanza"))),
        }
    }

    /// Opens a stream and waits for its features.
    async fn open(&mut self, domain: &str) -> Result<()> {
        let namespaces = "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
        self.send(&format!(
            "<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' {namespaces}>"
        ))
        .await?;
        match self.receive().await? {
            Piece::Open(_) => {}
            other => bail!(self.voice.failure(format!("{other:?} is no stream"))),
        }
        let features = self.receive_stanza().await?;
        if features.name() != "features" {
            bail!(self.voice.failure("the stream begins without features"));
        }
        Ok(())
    }

    /// Makes the account (XEP-0077). That there is one already is fine.
    async fn register(&mut self, login: &Login) -> Result<()> {
        let account = tag("query").ns(ns::REGISTER);
        let account = account
            .child(tag("username").text(&login.user))
            .child(tag("password").text(&login.password));
        let iq = tag("iq")
            .attr("type", "set")
            .attr("id", "register")
            .attr("to", &login.domain)
            .child(account);
        self.send(&iq.to_string()).await?;
        let answer = self.receive_stanza().await?;
        match answer.condition().as_str() {
            "" | "conflict" => Ok(()),
            _ => Err(self.voice.failure("the XMPP server gives us no account")),
        }
    }

    async fn authenticate(&mut self, login: &Login) -> Result<()> {
        let secret = BASE64.encode(format!("\0{}\0{}", login.user, login.password));
        let auth = tag("auth")
            .ns("urn:ietf:params:xml:ns:xmpp-sasl")
            .attr("mechanism", "PLAIN")
            .text(secret);
        self.send(&auth.to_string()).await?;
        match self.receive_stanza().await?.name() {
            "success" => Ok(()),
            _ => Err(self.voice.failure("the XMPP server does not let us in")),
        }
    }

    async fn bind(&mut self, login: &Login) -> Result<String> {
        let bind = tag("bind").ns("urn:ietf:params:xml:ns:xmpp-bind");
        let bind = bind.child(tag("resource").text(&login.resource));
        self.send(
            &tag("iq")
                .attr("type", "set")
                .attr("id", "bind")
                .child(bind)
                .to_string(),
        )
        .await?;
        let answer = self.receive_stanza().await?;
        let jid = answer
            .find("jid", "urn:ietf:params:xml:ns:xmpp-bind")
            .map(Element::text);
        jid.ok_or_else(|| anyhow!(self.voice.failure("the XMPP server gives us no resource")))
    }
}
