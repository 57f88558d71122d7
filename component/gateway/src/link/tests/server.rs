//! A scripted XMPP server: just enough of XEP-0114, and whatever a test wants it to say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use viaduct_core::stanza::Incoming;
use viaduct_core::xml::{Stanza, Xml};

use crate::link::{Limits, Link, Patience, Room, Supervisor, Target, Upward};

pub(super) const DOMAIN: &str = "irc.example.org";
const SECRET: &str = "s3cret";
/// How long anything may take in a test.
const SOON: Duration = Duration::from_secs(10);

/// A server that listens, and the link that connects to it.
pub(super) struct World {
    pub(super) listener: TcpListener,
    pub(super) link: Arc<Link>,
    pub(super) heard: Arc<Heard>,
    pub(super) running: JoinHandle<()>,
}

/// What came up the link.
#[derive(Default)]
pub(super) struct Heard {
    stanzas: Mutex<Vec<String>>,
    rung: Notify,
}

impl Upward for Heard {
    fn stanza(&self, incoming: Box<Incoming>, size: usize) {
        assert!(size > 0, "every stanza has a size");
        let id = incoming.id.unwrap_or_default();
        self.stanzas.lock().expect("no panic").push(id);
        self.rung.notify_one();
    }

    fn link_changed(&self) {
        self.rung.notify_one();
    }
}

impl Heard {
    /// Waits until this stanza has come.
    pub(super) async fn until(&self, id: &str) -> Vec<String> {
        self.wait(|stanzas| stanzas.iter().any(|stanza| stanza == id))
            .await;
        self.stanzas.lock().expect("no panic").clone()
    }

    async fn wait(&self, done: impl Fn(&[String]) -> bool) {
        let waiting = async {
            while !done(&self.stanzas.lock().expect("no panic")) {
                self.rung.notified().await;
            }
        };
        timeout(SOON, waiting).await.expect("it comes soon");
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Room::default(), Patience::default()).await
    }

    pub(super) async fn with(room: Room, patience: Patience) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let target = Target {
            server: listener.local_addr().expect("an address").to_string(),
            allow_plain: false,
            domain: DOMAIN.to_owned(),
            secret: viaduct_bridge::Secret::new(SECRET),
        };
        let link = Arc::new(Link::new(DOMAIN.into(), room));
        let heard = Arc::new(Heard::default());
        let limits = Limits {
            stanza: 64 * 1024,
            ..Limits::default()
        };
        let supervisor = Supervisor {
            target,
            limits,
            patience,
            hurry: 0.01,
        };
        let running = tokio::spawn(supervisor.run(Arc::clone(&link), Arc::clone(&heard) as Arc<dyn Upward>));
        Self {
            listener,
            link,
            heard,
            running,
        }
    }

    /// Takes the next connection and lets it in.
    pub(super) async fn accept(&self) -> Peer {
        let mut peer = self.greet().await;
        peer.until("</handshake>").await;
        peer.say("<handshake/>").await;
        peer
    }

    /// Takes the next connection and says hello.
    pub(super) async fn greet(&self) -> Peer {
        let (socket, _) = timeout(SOON, self.listener.accept())
            .await
            .expect("soon")
            .expect("a connection");
        let mut peer = Peer {
            socket,
            seen: String::new(),
        };
        peer.until("version='1.0'").await;
        peer.say(&format!(
            "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' \
             xmlns='jabber:component:accept' from='{DOMAIN}' id='stream-1'>"
        ))
        .await;
        peer
    }

    /// Waits until the link has (or has not) a stream.
    pub(super) async fn until_up(&self, up: bool) {
        self.heard.wait(|_| Link::is_up_in(self.link.era()) == up).await;
    }
}

/// The server's end of one connection.
pub(super) struct Peer {
    socket: TcpStream,
    seen: String,
}

impl Peer {
    pub(super) async fn say(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).await.expect("written");
    }

    /// Reads until this text has come, and gives everything up to its end.
    pub(super) async fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            assert!(
                self.read().await > 0,
                "the link closed before it sent {text}; it sent {}",
                self.seen
            );
        }
    }

    /// Reads until the link closes the connection.
    pub(super) async fn rest(mut self) -> String {
        while self.read().await > 0 {}
        self.seen
    }

    async fn read(&mut self) -> usize {
        let mut bytes = vec![0; 65536];
        let read = timeout(SOON, self.socket.read(&mut bytes))
            .await
            .expect("something comes soon");
        let read = read.unwrap_or(0);
        self.seen
            .push_str(std::str::from_utf8(&bytes[..read]).expect("UTF-8"));
        read
    }

    /// Reads up to the next fence, and gives its id and what came before it.
    pub(super) async fn fence(&mut self) -> (String, String) {
        let before = self.until(" id='viaduct-fence-").await;
        let id = self.until("'").await;
        self.until("</iq>").await;
        let before = before[..before.rfind("<iq").expect("a fence is an IQ")].to_owned();
        (format!("viaduct-fence-{}", id.trim_end_matches('\'')), before)
    }

    /// Sends a fence back, as a server does with what is addressed to its sender.
    pub(super) async fn give_back(&mut self, id: &str) {
        self.say(&format!(
            "<iq from='{DOMAIN}' to='{DOMAIN}' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>"
        ))
        .await;
    }
}

/// A stanza with this id.
pub(super) fn message(id: &str) -> Stanza {
    let mut xml = Xml::stanza("message", &format!("#a@{DOMAIN}"), "me@example.org/x");
    xml.attr("id", id).leaf("body", "hello");
    xml.finish()
}
