//! Places for scripted IRC servers.
//!
//! A gateway reads its configuration once, so the servers that tests will script are in it from the start, each
//! under a name of its own; a test borrows one. There are many, and who was used longest ago comes first: a user of a
//! test that has ended may still be trying to get back to where its server was, and should find nobody there.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::certificate::{Authority, Certificate};
use crate::gateway::{GatewayKind, KnownServer};
use crate::irc::IrcServer;
use crate::ports::Port;
use crate::transcript::Voice;

/// How many places of each kind there are; who comes when all are taken waits.
const PLACES: u8 = 160;
/// The second byte of the first place's address; the ones before it are taken by [`Port::private_ip`].
const FIRST: u8 = 78;

/// What the gateway knows of the server at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKind {
    /// Its port, and that it is plain.
    Plain,
    /// Only its host name and the authority of its certificate, so the gateway looks for it on the standard
    /// ports: 6697 with TLS, and 6667 where it may.
    Standard,
}

/// A place for a scripted IRC server.
#[derive(Debug)]
pub struct Slot {
    place: Arc<Place>,
    pool: Arc<Mutex<VecDeque<Arc<Place>>>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Place {
    name: String,
    plain: SocketAddr,
    tls: SocketAddr,
    kind: SlotKind,
}

#[derive(Debug)]
pub(super) struct Slots {
    plain: Pool,
    standard: Pool,
}

#[derive(Debug)]
struct Pool {
    all: Vec<Arc<Place>>,
    free: Arc<Mutex<VecDeque<Arc<Place>>>>,
    permits: Arc<Semaphore>,
    /// All places of the pool have its number, each on an address of its own.
    _port: Port,
}

impl Slots {
    pub(super) fn new(gateway: GatewayKind) -> Result<Self> {
        Ok(Self {
            plain: Pool::new(SlotKind::Plain, gateway)?,
            standard: Pool::new(SlotKind::Standard, gateway)?,
        })
    }

    pub(super) fn known_servers(&self, authority: &Authority) -> Vec<KnownServer> {
        let plain = self
            .plain
            .all
            .iter()
            .map(|place| KnownServer::plain(&place.name, place.plain));
        let standard = self.standard.all.iter().map(|place| KnownServer {
            port: None,
            ca_file: Some(authority.ca_file()),
            ..KnownServer::plain(&place.name, place.plain)
        });
        plain.chain(standard).collect()
    }

    pub(super) async fn take(&self, kind: SlotKind) -> Result<Slot> {
        let pool = match kind {
            SlotKind::Plain => &self.plain,
            SlotKind::Standard => &self.standard,
        };
        let permit = pool.permits.clone().acquire_owned().await?;
        let place = pool
            .free
            .lock()
            .expect("no holder of this lock panics")
            .pop_front();
        let place = place.context("there are as many permits as places")?;
        Ok(Slot {
            place,
            pool: pool.free.clone(),
            _permit: permit,
        })
    }
}

impl Pool {
    fn new(kind: SlotKind, gateway: GatewayKind) -> Result<Self> {
        let port = Port::reserve()?;
        let all = (0..PLACES).map(|number| Arc::new(Place::new(kind, number, gateway, &port)));
        let all: Vec<_> = all.collect();
        Ok(Self {
            free: Arc::new(Mutex::new(all.iter().cloned().collect())),
            permits: Arc::new(Semaphore::new(all.len())),
            all,
            _port: port,
        })
    }
}

impl Place {
    fn new(kind: SlotKind, number: u8, gateway: GatewayKind, port: &Port) -> Self {
        let [_, _, high, low] = port.private_ip().octets();
        let ip = Ipv4Addr::new(127, FIRST + number, high, low);
        let (name, plain) = match (gateway, kind) {
            (GatewayKind::Viaduct, SlotKind::Plain) => {
                (format!("scripted-{number}.test"), (ip, port.number()).into())
            }
            (GatewayKind::Viaduct, SlotKind::Standard) => {
                (format!("standard-{number}.test"), (ip, 6667).into())
            }
            (GatewayKind::Biboumi, _) => (ip.to_string(), (ip, 6667).into()),
        };
        Self {
            name,
            plain,
            tls: (ip, 6697).into(),
            kind,
        }
    }
}

impl Slot {
    /// The name by which users of the gateway address the server.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// Where a plain server belongs.
    pub fn plain_addr(&self) -> SocketAddr {
        self.place.plain
    }

    /// Where a server with TLS belongs, at a place of the standard kind.
    pub fn tls_addr(&self) -> SocketAddr {
        self.place.tls
    }

    /// What the gateway knows of the server.
    pub fn kind(&self) -> SlotKind {
        self.place.kind
    }

    /// Opens a plain scripted server.
    pub async fn open(&self, voice: Voice) -> Result<IrcServer> {
        IrcServer::bind(self.plain_addr(), voice).await
    }

    /// Opens a scripted server with TLS.
    pub async fn open_tls(&self, certificate: &Certificate, voice: Voice) -> Result<IrcServer> {
        IrcServer::bind_tls(self.tls_addr(), certificate, voice).await
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.pool
            .lock()
            .expect("no holder of this lock panics")
            .push_back(self.place.clone());
    }
}
