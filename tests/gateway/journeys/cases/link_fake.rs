//! A scripted XMPP server: the other end of component streams (XEP-0114), and a gateway of its own attached to it.
//!
//! It returns the gateway's own pings as a server would, and leaves everything else to the case.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::time::timeout;
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::gateway::{Gateway, GatewayKind, GatewayOptions, KnownServer};
use viaduct_test_support::inbox::Inbox;
use viaduct_test_support::patience::{patience, start_patience};
use viaduct_test_support::ports::Port;
use viaduct_test_support::scratch::Scratch;
use viaduct_test_support::transcript::Voice;
use viaduct_test_support::xmpp::parse_stanza;

use super::link_cutter::{Cutter, Piece};

/// Listens for component connections.
pub(super) struct FakeXmpp {
    listener: Lock<Option<TcpListener>>,
    port: Port,
    voice: Voice,
    /// Streams that came while another was waited for.
    waiting: Mutex<Vec<Attached>>,
    accepted: Lock<usize>,
}

/// One component stream after its handshake.
#[derive(Clone)]
pub(super) struct Attached(Arc<Inner>);

struct Inner {
    domain: String,
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Inbox<Element>,
    writer: Mutex<OwnedWriteHalf>,
    /// Whether the gateway's pings to itself come back.
    returns: Lock<bool>,
    voice: Voice,
}

impl FakeXmpp {
    /// Takes a port; nothing listens on it yet.
    pub(super) fn new(t: &Ctx) -> Result<Self> {
        let (voice, port) = (t.transcript().voice("server"), Port::reserve()?);
        let (listener, waiting, accepted) = (Lock::default(), Mutex::default(), Lock::default());
        Ok(Self {
            listener,
            port,
            voice,
            waiting,
            accepted,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    pub(super) async fn open(&self) -> Result<()> {
        let listener = TcpListener::bind(self.addr()).await?;
        *self.listener.lock().expect("no holder of this lock panics") = Some(listener);
        Ok(())
    }

    /// The next connection, with the domain that its stream header names.
    async fn header(&self, within: Duration) -> Result<(TcpStream, String)> {
        let listener = self
            .listener
            .lock()
            .expect("no holder of this lock panics")
            .take();
        let listener = listener.context("the server listens, and nobody else waits")?;
        let accepted = timeout(within, listener.accept()).await;
        *self.listener.lock().expect("no holder of this lock panics") = Some(listener);
        let (mut stream, _) = accepted.map_err(|_| self.voice.failure("no component connects"))??;
        *self.accepted.lock().expect("no holder of this lock panics") += 1;
        stream.set_nodelay(true)?;
        let mut header = String::new();
        let mut byte = [0];
        let reading = async {
            while !(header.ends_with('>') && header.contains("stream:stream")) {
                if stream.read(&mut byte).await? == 0 {
                    bail!("the component hung up after '{header}'");
                }
                header.push(char::from(byte[0]));
            }
            anyhow_ok(())
        };
        timeout(patience(), reading)
            .await
            .context("the stream header does not come")??;
        self.voice.received(header.as_str());
        let to = header
            .split(['\'', '"'])
            .skip_while(|part| !part.ends_with(" to="))
            .nth(1);
        let to = to.context("the stream header names the domain")?.to_owned();
        Ok((stream, to))
    }

    async fn begin(&self, stream: &mut TcpStream, domain: &str) -> Result<()> {
        let header = format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' from='{domain}' id='s1'>"
        );
        Ok(stream.write_all(header.as_bytes()).await?)
    }

    /// Answers the next connection with a stream error; gives its domain.
    pub(super) async fn refuse(&self, condition: &str, within: Duration) -> Result<String> {
        let (mut stream, domain) = self.header(within).await?;
        self.begin(&mut stream, &domain).await?;
        let error = format!(
            "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
        );
        self.voice.sent(error.as_str());
        stream.write_all(error.as_bytes()).await?;
        Ok(domain)
    }

    /// Waits for the component of this domain, whatever its secret is.
    pub(super) async fn accept(&self, domain: &str, within: Duration) -> Result<Attached> {
        let mut waiting = self.waiting.lock().await;
        loop {
            if let Some(at) = waiting.iter().position(|attached| attached.0.domain == domain) {
                return Ok(waiting.remove(at));
            }
            let (mut stream, whose) = self.header(within).await?;
            let attached = async {
                self.begin(&mut stream, &whose).await?;
                Attached::begin(stream, whose.clone(), &self.voice).await
            };
            match attached.await {
                Ok(attached) => waiting.push(attached),
                // One of the other domain that nobody took in time: the gateway has hung up, and tries again.
                Err(_) if whose != domain => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// How many connections have come.
    pub(super) fn connections(&self) -> usize {
        *self.accepted.lock().expect("no holder of this lock panics")
    }
}

fn anyhow_ok<T>(value: T) -> Result<T> {
    Ok(value)
}

impl Attached {
    async fn begin(stream: TcpStream, domain: String, voice: &Voice) -> Result<Self> {
        let voice = voice.transcript().voice(&format!("server({domain})"));
        let (reader, writer) = stream.into_split();
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            writer: Mutex::new(writer),
            returns: Lock::new(true),
            voice,
        });
        tokio::spawn(read(reader, domain.clone(), Arc::downgrade(&shared)));
        let this = Self(Arc::new(Inner { domain, shared }));
        this.expect("the handshake", |stanza| stanza.name() == "handshake")
            .await?;
        this.send("<handshake/>").await?;
        Ok(this)
    }

    pub(super) async fn send(&self, xml: &str) -> Result<()> {
        self.0.shared.send(xml).await
    }

    /// From now on the gateway's pings to itself get lost.
    pub(super) fn swallow_pings(&self) {
        *self
            .0
            .shared
            .returns
            .lock()
            .expect("no holder of this lock panics") = false;
    }

    pub(super) async fn expect(&self, what: &str, wanted: impl FnMut(&Element) -> bool) -> Result<Element> {
        self.expect_within(patience(), what, wanted).await
    }

    pub(super) async fn expect_within(
        &self,
        within: Duration,
        what: &str,
        wanted: impl FnMut(&Element) -> bool,
    ) -> Result<Element> {
        let taken = self.0.shared.inbox.take(within, wanted).await;
        taken.map_err(|gone| {
            let left = self.0.shared.inbox.snapshot();
            let left = left.iter().map(|stanza| stanza.xml());
            self.0
                .shared
                .voice
                .failure_with(format!("expected {what}: {gone}"), left)
        })
    }

    /// Waits until the gateway ends the stream; says how.
    pub(super) async fn expect_closed(&self, within: Duration) -> Result<String> {
        let closed = self.0.shared.inbox.closed(within).await;
        closed.map_err(|gone| {
            self.0
                .shared
                .voice
                .failure(format!("expected the end of the stream: {gone}"))
        })
    }

    pub(super) fn take_all(&self) -> Vec<Element> {
        self.0.shared.inbox.take_all(|_| true)
    }

    /// Pings the gateway as this user and waits for the answer.
    pub(super) async fn settle(&self, user: &str) -> Result<()> {
        let ping = tag("iq")
            .attr("type", "get")
            .attr("id", "settle")
            .attr("from", user)
            .attr("to", &self.0.domain);
        self.send(&ping.child(tag("ping").ns(ns::PING)).to_string())
            .await?;
        let answer = |stanza: &Element| stanza.is_iq() && stanza.id() == "settle" && stanza.to() == user;
        self.expect("the answer to a ping", answer).await?;
        Ok(())
    }

    /// Joins a room as a user, and waits for the end of it.
    pub(super) async fn join(&self, user: &str, room: &str, nick: &str) -> Result<()> {
        let presence = tag("presence")
            .attr("from", user)
            .attr("to", format!("{room}/{nick}"));
        self.send(&presence.child(tag("x").ns(ns::MUC)).to_string())
            .await?;
        let subject =
            |stanza: &Element| stanza.is_subject_change() && stanza.is_from(room) && stanza.to() == user;
        self.expect(&format!("the subject of {room}"), subject).await?;
        Ok(())
    }

    /// Says something in a room as a user.
    pub(super) async fn say(&self, user: &str, room: &str, body: &str) -> Result<()> {
        let message = tag("message")
            .attr("type", "groupchat")
            .attr("from", user)
            .attr("to", room)
            .attr("id", body);
        self.send(&message.child(tag("body").text(body)).to_string())
            .await
    }
}

impl Shared {
    async fn send(&self, xml: &str) -> Result<()> {
        self.voice.sent(xml);
        let written = self.writer.lock().await.write_all(xml.as_bytes()).await;
        written.map_err(|error| self.voice.failure(error))
    }
}

async fn read(mut reader: OwnedReadHalf, domain: String, shared: std::sync::Weak<Shared>) {
    let (mut cutter, mut buffer) = (Cutter::default(), vec![0; 64 * 1024]);
    loop {
        let read = reader.read(&mut buffer).await;
        let Some(shared) = shared.upgrade() else { return };
        let length = match read {
            Ok(0) => return shared.inbox.close("the gateway hung up"),
            Ok(length) => length,
            Err(error) => return shared.inbox.close(error.to_string()),
        };
        for piece in cutter.feed(&buffer[..length]) {
            let raw = match piece {
                Piece::Close => return shared.inbox.close("the gateway closed the stream"),
                Piece::Stanza(raw) => raw,
            };
            shared.voice.received(raw.as_str());
            let Ok(stanza) = parse_stanza(&raw) else {
                return shared
                    .inbox
                    .close(format!("the gateway sent what is no XML: {raw}"));
            };
            let own = |jid: &str| bare(jid) == domain || bare(jid).ends_with(&format!("@{domain}"));
            if !own(stanza.to()) {
                shared.inbox.push(stanza);
            } else if *shared.returns.lock().expect("no holder of this lock panics")
                && shared.send(&raw).await.is_err()
            {
                return shared.inbox.close("the gateway does not read");
            }
        }
    }
}

/// A gateway besides that of the world, attached to a scripted XMPP server.
pub(super) struct Second {
    pub(super) server: FakeXmpp,
    pub(super) gateway: Gateway,
    _scratch: Scratch,
}

impl Second {
    /// Configured with the real IRC server of the world, and started, while nothing listens on the XMPP side.
    pub(super) async fn without_server(t: &Ctx, extra_config: &str) -> Result<Self> {
        let (server, scratch) = (FakeXmpp::new(t)?, Scratch::new("second")?);
        let options = GatewayOptions {
            kind: GatewayKind::Viaduct,
            link: server.addr(),
            store: None,
            servers: vec![KnownServer::plain(
                t.world().irc_name(),
                t.world().irc().plain_addr(),
            )],
            extra_config: extra_config.to_owned(),
            env: vec![("VIADUCT_GATEWAY__IRC__IRC__FLOOD".into(), "off".into())],
        };
        let gateway = Gateway::new(&scratch, &options)?;
        gateway.start().await?;
        Ok(Self {
            server,
            gateway,
            _scratch: scratch,
        })
    }

    pub(super) async fn start(t: &Ctx, extra_config: &str) -> Result<Self> {
        let this = Self::without_server(t, extra_config).await?;
        this.server.open().await?;
        Ok(this)
    }

    /// The stream of a domain; that of the other one is kept.
    pub(super) async fn attached(&self, domain: &str) -> Result<Attached> {
        self.server.accept(domain, start_patience()).await
    }

    /// Neither domain has connected more than once.
    pub(super) fn only_one_stream_each(&self) -> Result<()> {
        let connections = self.server.connections();
        ensure!(connections <= 2, "{connections} streams came for two domains");
        Ok(())
    }

    /// Ends the gateway, which must not have panicked.
    pub(super) async fn stop(&self) -> Result<()> {
        let log = self.gateway.process().log_since(0);
        ensure!(
            !log.contains("panicked at"),
            "{}",
            self.gateway.process().trouble("panicked")
        );
        self.gateway.kill().await
    }
}
