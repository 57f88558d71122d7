//! The scripted client: what it sends, and how it waits for what arrives.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock};
use std::time::Duration;

use anyhow::{Result, anyhow};
use minidom::Element;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::manners;
use super::scanner::Piece;
use super::stanza::{StanzaExt as _, bare, ns, parse_stanza, resource};
use super::wire::{Reader, Wire};
use super::xml::tag;
use crate::inbox::{Gone, Inbox};
use crate::patience::patience;
use crate::transcript::Voice;

/// Who logs in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The localpart.
    pub user: String,
    /// The domain.
    pub domain: String,
    /// The resource to ask for.
    pub resource: String,
    /// The password.
    pub password: String,
    /// Whether to make the account first, should there be none.
    pub register: bool,
}

/// One connected resource. Clones are the same connection, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    jid: String,
    login: Login,
    addr: SocketAddr,
    shared: Arc<Shared>,
    reader: Lock<Option<JoinHandle<()>>>,
    next_id: AtomicU64,
}

/// What the task that reads shares with the test.
#[derive(Debug)]
struct Shared {
    inbox: Inbox<Element>,
    writer: Mutex<Option<OwnedWriteHalf>>,
    voice: Voice,
    well_behaved: AtomicBool,
    features: Lock<Vec<String>>,
}

impl Login {
    /// An account on the domain, to be made if there is none; the password is the same for everybody.
    pub fn new(user: &str, domain: &str, resource: &str) -> Self {
        let [user, domain, resource] = [user, domain, resource].map(str::to_owned);
        Self {
            user,
            domain,
            resource,
            password: "user-secret".into(),
            register: true,
        }
    }
}

impl Client {
    /// Connects and logs in. No presence is sent yet.
    pub async fn connect(addr: SocketAddr, login: &Login, voice: Voice) -> Result<Self> {
        let (Wire { reader, writer, .. }, jid) = Wire::log_in(addr, login, voice.name()).await?;
        voice.note(format!("is connected as {jid}"));
        let shared = Arc::new(Shared {
            inbox: Inbox::default(),
            writer: Mutex::new(Some(writer)),
            voice,
            well_behaved: AtomicBool::new(true),
            features: Lock::default(),
        });
        let reader = tokio::spawn(read(reader, jid.clone(), shared.clone()));
        let (reader, next_id, login) = (Lock::new(Some(reader)), AtomicU64::new(1), login.clone());
        Ok(Self(Arc::new(Inner {
            jid,
            login,
            addr,
            shared,
            reader,
            next_id,
        })))
    }

    /// Connects the same account again under a resource: the same one to come back, another one to be two.
    pub async fn connect_again(&self, resource: &str) -> Result<Self> {
        let login = Login {
            resource: resource.to_owned(),
            register: false,
            ..self.0.login.clone()
        };
        let voice = self.voice().transcript().voice(resource);
        Self::connect(self.0.addr, &login, voice).await
    }

    /// Sends the initial presence and waits until the server has taken it.
    pub async fn go_online(&self) -> Result<()> {
        self.send("<presence/>").await?;
        let own = |stanza: &Element| {
            stanza.is_presence() && stanza.from() == self.jid() && stanza.kind().is_empty()
        };
        self.expect("the own presence", own).await?;
        Ok(())
    }

    /// The full JID.
    pub fn jid(&self) -> &str {
        &self.0.jid
    }

    /// The bare JID.
    pub fn bare(&self) -> &str {
        bare(&self.0.jid)
    }

    /// The resource.
    pub fn resource(&self) -> &str {
        resource(&self.0.jid)
    }

    /// The pen of this client.
    pub fn voice(&self) -> &Voice {
        &self.0.shared.voice
    }

    /// An id that this client has not used yet.
    pub fn fresh_id(&self) -> String {
        format!(
            "{}-{}",
            self.voice().name(),
            self.0.next_id.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// Stops answering pings, disco and roster pushes by itself.
    pub fn forget_manners(&self) {
        self.0.shared.well_behaved.store(false, Ordering::Relaxed);
    }

    /// What it says it can do when it is asked by disco.
    pub fn advertise(&self, features: &[&str]) {
        let features = features.iter().map(|&feature| feature.to_owned()).collect();
        *self
            .0
            .shared
            .features
            .lock()
            .expect("no holder of this lock panics") = features;
    }

    /// Sends XML as it is.
    pub async fn send(&self, xml: impl Display) -> Result<()> {
        self.0.shared.send(&xml.to_string()).await
    }

    /// Waits for the first stanza, in order of arrival, for which `wanted` holds, and takes it out of the inbox.
    pub async fn expect(&self, what: &str, wanted: impl FnMut(&Element) -> bool) -> Result<Element> {
        match self.0.shared.inbox.take(patience(), wanted).await {
            Ok(stanza) => Ok(stanza),
            Err(gone) => Err(self.failure(what, &gone)),
        }
    }

    /// Waits for a stanza for which `wanted` holds, for as long as is said: for what takes longer than
    /// [`patience`], and for what need not come at all.
    pub async fn maybe(&self, within: Duration, wanted: impl FnMut(&Element) -> bool) -> Option<Element> {
        self.0.shared.inbox.take(within, wanted).await.ok()
    }

    /// Waits for the next stanza of any kind.
    pub async fn expect_next(&self, what: &str) -> Result<Element> {
        self.expect(what, |_| true).await
    }

    fn failure(&self, what: &str, gone: &Gone) -> anyhow::Error {
        let left = self.leftovers();
        self.voice().failure_with(
            format!("expected {what}: {gone}"),
            left.iter().map(|stanza| stanza.xml()),
        )
    }

    /// Everything that has arrived and that nobody has asked for.
    pub fn leftovers(&self) -> Vec<Element> {
        self.0.shared.inbox.snapshot()
    }

    /// Takes out, in order, all that has arrived and for which `wanted` holds.
    pub fn take_all(&self, wanted: impl FnMut(&Element) -> bool) -> Vec<Element> {
        self.0.shared.inbox.take_all(wanted)
    }

    /// Sends an IQ of the given type and waits for its answer, whether result or error.
    pub async fn iq(&self, kind: &str, to: &str, payload: impl Display) -> Result<Element> {
        let id = self.fresh_id();
        self.send(
            tag("iq")
                .attr("type", kind)
                .attr("id", &id)
                .attr("to", to)
                .child(payload),
        )
        .await?;
        let from_there = |from: &str| from == to || (from.is_empty() && bare(to) == self.bare());
        let answers = |stanza: &Element| {
            stanza.is_iq()
                && stanza.id() == id
                && ["result", "error"].contains(&stanza.kind())
                && from_there(stanza.from())
        };
        self.expect(&format!("the answer to IQ '{id}' from {to}"), answers)
            .await
    }

    /// An IQ `get`.
    pub async fn get(&self, to: &str, payload: impl Display) -> Result<Element> {
        self.iq("get", to, payload).await
    }

    /// An IQ `set`.
    pub async fn set(&self, to: &str, payload: impl Display) -> Result<Element> {
        self.iq("set", to, payload).await
    }

    /// An IQ whose answer must be a result.
    pub async fn ok(&self, kind: &str, to: &str, payload: impl Display) -> Result<Element> {
        let answer = self.iq(kind, to, payload).await?;
        match answer.error() {
            None => Ok(answer),
            Some(error) => Err(self.voice().failure(format!("{to} answers with {error:?}"))),
        }
    }

    /// Sends a ping to the JID and waits for the answer: what it sent to us before, and what we sent to it, has
    /// arrived by then. Whether the answer is a result or an error does not matter.
    pub async fn settle(&self, jid: &str) -> Result<()> {
        self.get(jid, tag("ping").ns(ns::PING)).await?;
        Ok(())
    }

    /// Fails if a stanza for which `unwanted` holds has come, or comes before the JID has answered a ping.
    pub async fn expect_none(
        &self,
        what: &str,
        fence: &str,
        unwanted: impl Fn(&Element) -> bool,
    ) -> Result<()> {
        self.settle(fence).await?;
        match self.leftovers().iter().find(|stanza| unwanted(stanza)) {
            None => Ok(()),
            Some(stanza) => Err(self
                .voice()
                .failure(format!("{what} should not come, but: {}", stanza.xml()))),
        }
    }

    /// Closes the stream and the connection as RFC 6120 says.
    pub async fn close(&self) -> Result<()> {
        self.send("</stream:stream>").await?;
        let closed = self.0.shared.inbox.closed(patience()).await;
        self.hang_up().await;
        closed.map(drop).map_err(|gone| {
            self.voice()
                .failure(format!("the server does not close the stream: {gone}"))
        })
    }

    /// Breaks the connection without a word, as a crashed client does (TCP reset).
    pub async fn cut(&self) {
        self.voice().note("cuts its connection");
        if let Some(writer) = self.0.shared.writer.lock().await.take() {
            // A connection that is gone already needs no reset.
            drop(writer.as_ref().set_zero_linger());
            // It would else say an orderly goodbye first.
            writer.forget();
        }
        self.hang_up().await;
    }

    /// Waits until the server ends the connection; gives the reason.
    pub async fn expect_closed(&self) -> Result<String> {
        let closed = self.0.shared.inbox.closed(patience()).await;
        closed.map_err(|gone| {
            self.voice()
                .failure(format!("expected the end of the connection: {gone}"))
        })
    }

    async fn hang_up(&self) {
        self.0.shared.inbox.close("we hung up");
        let reader = self
            .0
            .reader
            .lock()
            .expect("no holder of this lock panics")
            .take();
        if let Some(reader) = reader {
            reader.abort();
            // Its end is what we wait for: it holds one half of the socket.
            drop(reader.await);
        }
        self.0.shared.writer.lock().await.take();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.lock().expect("no holder of this lock panics").take() {
            reader.abort();
        }
    }
}

impl Shared {
    async fn send(&self, xml: &str) -> Result<()> {
        self.voice.sent(xml);
        let mut writer = self.writer.lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| self.voice.failure("the connection has ended"))?;
        writer
            .write_all(xml.as_bytes())
            .await
            .map_err(|error| anyhow!(self.voice.failure(error)))
    }

    async fn arrived(&self, raw: String, own_jid: &str) -> Result<()> {
        let stanza = parse_stanza(&raw);
        self.voice.received(raw);
        // Our parser has limits that the stream's other readers need not have.
        let stanza = stanza.unwrap_or_else(|_| Element::bare("unparsable", "viaduct:test"));
        if stanza.is("error", "http://etherx.jabber.org/streams") {
            self.inbox.close(format!("stream error {}", stanza.xml()));
            return Ok(());
        }
        let features = self
            .features
            .lock()
            .expect("no holder of this lock panics")
            .clone();
        let reaction = match self.well_behaved.load(Ordering::Relaxed) {
            true => manners::reaction(&stanza, own_jid, &features),
            false => manners::Reaction::default(),
        };
        if !reaction.hide {
            self.inbox.push(stanza);
        }
        match reaction.answer {
            Some(answer) => self.send(&answer).await,
            None => Ok(()),
        }
    }
}

async fn read(mut reader: Reader, own_jid: String, shared: Arc<Shared>) {
    let reason = loop {
        match reader.next().await {
            Ok(Some(Piece::Stanza(raw))) => {
                if let Err(error) = shared.arrived(raw, &own_jid).await {
                    break error.to_string();
                }
            }
            Ok(Some(Piece::Open(raw))) => shared.voice.received(raw),
            Ok(Some(Piece::Close)) => break "the server closed the stream".to_owned(),
            Ok(None) => break "the server hung up".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    shared.voice.note(reason.as_str());
    shared.inbox.close(reason);
}
