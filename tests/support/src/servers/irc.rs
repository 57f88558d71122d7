//! What ngIRCd and InspIRCd have in common.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use super::{inspircd, ngircd};
use crate::certificate::Certificate;
use crate::patience::start_patience;
use crate::ports::Port;
use crate::process::{Process, User};
use crate::scratch::Scratch;

/// Which IRC server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IrcKind {
    /// ngIRCd: RFC 2812 and hardly any IRCv3; case folds by ASCII; `~&@%+`.
    Ngircd,
    /// InspIRCd 3: nearly all of IRCv3, echo-message and msgid among it; case folds by RFC 1459; `~&@%+`.
    Inspircd,
}

impl IrcKind {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ngircd => "ngircd",
            Self::Inspircd => "inspircd",
        }
    }
}

/// What can be chosen about an IRC server.
#[derive(Debug, Clone, Default)]
pub struct IrcServerOptions {
    /// A plain port to take if it is free.
    pub prefer_port: Option<u16>,
    /// Listens with TLS too, with this certificate.
    pub certificate: Option<Certificate>,
    /// Listens on port 6667 of a loopback address of its own, for gateways that cannot be told a port.
    pub on_standard_port: bool,
    /// Listens at these addresses, plain and with TLS, whatever is said above.
    pub place: Option<(SocketAddr, SocketAddr)>,
    /// Where it takes the services of a network (InspIRCd).
    pub link: Option<SocketAddr>,
    /// Its name in its directory, where a world has several.
    pub name: Option<String>,
}

/// A real IRC server.
#[derive(Debug)]
pub struct RealIrcServer {
    kind: IrcKind,
    process: Process,
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    _ports: Vec<Port>,
}

/// What a server's configuration is made of.
pub(super) struct Setup<'a> {
    pub(super) directory: &'a Path,
    pub(super) plain: SocketAddr,
    pub(super) tls: Option<(SocketAddr, &'a Certificate)>,
    pub(super) link: Option<SocketAddr>,
}

impl RealIrcServer {
    /// Configures a server without starting it.
    pub fn new(kind: IrcKind, scratch: &Scratch, options: &IrcServerOptions) -> Result<Self> {
        let port = options.prefer_port.map_or_else(Port::reserve, Port::prefer)?;
        let tls_port = Port::reserve()?;
        let plain = match options.on_standard_port {
            true => SocketAddr::from((port.private_ip(), 6667)),
            false => port.addr(),
        };
        let (plain, tls) = options
            .place
            .unwrap_or_else(|| (plain, SocketAddr::from((plain.ip(), tls_port.number()))));
        let tls = options.certificate.as_ref().map(|_| tls);
        // Both refuse to be root; Debian runs them as this user, which exists everywhere.
        let user = User::service("irc")?;
        let directory = match &options.name {
            Some(name) => format!("{}-{name}", kind.name()),
            None => kind.name().to_owned(),
        };
        let directory = scratch.subdirectory(&directory, &user)?;
        let setup = Setup {
            directory: &directory,
            plain,
            tls: tls.zip(options.certificate.as_ref()),
            link: options.link,
        };
        let spec = match kind {
            IrcKind::Ngircd => ngircd::prepare(&setup, &user)?,
            IrcKind::Inspircd => inspircd::prepare(&setup, &user)?,
        };
        Ok(Self {
            kind,
            process: Process::new(spec),
            plain,
            tls,
            _ports: vec![port, tls_port],
        })
    }

    /// Starts it, for the first time or again, and waits until it accepts connections.
    pub async fn start(&self) -> Result<()> {
        self.process.start().await?;
        for addr in [Some(self.plain), self.tls].into_iter().flatten() {
            self.process.wait_for_port(addr, start_patience()).await?;
        }
        Ok(())
    }

    /// Which server this is.
    pub fn kind(&self) -> IrcKind {
        self.kind
    }

    /// The process, to be killed or frozen.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where it takes plain connections.
    pub fn plain_addr(&self) -> SocketAddr {
        self.plain
    }

    /// Where it takes TLS connections, if it has a certificate.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls
    }
}
