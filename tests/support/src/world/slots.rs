//! Places for scripted IRC servers.
//!
//! A gateway reads its configuration once, so the servers that tests will script are in it from the start, each
//! under a name of its own; a test borrows one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::certificate::{Authority, Certificate};
use crate::gateway::{GatewayKind, KnownServer};
use crate::irc::IrcServer;
use crate::ports::Port;
use crate::transcript::Voice;

/// How many places of each kind there are; who comes when all are taken waits.
const PLACES: usize = 12;

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
    pool: Arc<Mutex<Vec<Arc<Place>>>>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct Place {
    name: String,
    plain: SocketAddr,
    tls: SocketAddr,
    kind: SlotKind,
    _port: Port,
}

#[derive(Debug)]
pub(super) struct Slots {
    plain: Pool,
    standard: Pool,
}

#[derive(Debug)]
struct Pool {
    all: Vec<Arc<Place>>,
    free: Arc<Mutex<Vec<Arc<Place>>>>,
    permits: Arc<Semaphore>,
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
        let place = pool.free.lock().expect("no holder of this lock panics").pop();
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
        let all = (0..PLACES).map(|number| Ok(Arc::new(Place::new(kind, number, gateway)?)));
        let all = all.collect::<Result<Vec<_>>>()?;
        Ok(Self {
            free: Arc::new(Mutex::new(all.clone())),
            permits: Arc::new(Semaphore::new(PLACES)),
            all,
        })
    }
}

impl Place {
    fn new(kind: SlotKind, number: usize, gateway: GatewayKind) -> Result<Self> {
        let port = Port::reserve()?;
        let ip = port.private_ip();
        let (name, plain) = match (gateway, kind) {
            (GatewayKind::Viaduct, SlotKind::Plain) => (format!("scripted-{number}.test"), port.addr()),
            (GatewayKind::Viaduct, SlotKind::Standard) => {
                (format!("standard-{number}.test"), (ip, 6667).into())
            }
            (GatewayKind::Biboumi, _) => (ip.to_string(), (ip, 6667).into()),
        };
        Ok(Self {
            name,
            plain,
            tls: (ip, 6697).into(),
            kind,
            _port: port,
        })
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
            .push(self.place.clone());
    }
}
