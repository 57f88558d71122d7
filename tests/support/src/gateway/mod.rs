//! The gateway under test: viaduct, or Biboumi behind the same interface.
//!
//! A gateway is told where the XMPP server's component port is and which IRC servers there are. It can be
//! killed, asked to end, frozen and started again on the same data.

mod biboumi;
mod viaduct;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Result;

use crate::process::Process;
use crate::scratch::Scratch;

pub use viaduct::viaduct_program;

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayKind {
    /// viaduct, as built in this workspace (or as `VIADUCT_BIN` says).
    Viaduct,
    /// Debian's Biboumi.
    Biboumi,
}

impl GatewayKind {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viaduct => "viaduct",
            Self::Biboumi => "biboumi",
        }
    }
}

/// An IRC server that the gateway is told of.
#[derive(Debug, Clone)]
pub struct KnownServer {
    /// The name by which users address it.
    pub name: String,
    /// The address that it really has.
    pub ip: IpAddr,
    /// Its port and whether TLS is spoken there; none leaves both to the gateway's defaults.
    pub port: Option<(u16, bool)>,
    /// The authority that its certificate must come from, if that is not a public one.
    pub ca_file: Option<PathBuf>,
    /// The pace at which lines are sent to it, in TOML; none is as fast as they come.
    pub flood: Option<String>,
}

impl KnownServer {
    /// A server without encryption.
    pub fn plain(name: &str, addr: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            ip: addr.ip(),
            port: Some((addr.port(), false)),
            ca_file: None,
            flood: None,
        }
    }

    /// A server with TLS, whose certificate must come from a public authority.
    pub fn tls(name: &str, addr: SocketAddr) -> Self {
        Self {
            port: Some((addr.port(), true)),
            ..Self::plain(name, addr)
        }
    }
}

/// What a gateway is configured with.
#[derive(Debug, Clone)]
pub struct GatewayOptions {
    /// Which gateway.
    pub kind: GatewayKind,
    /// The component port of the XMPP server.
    pub link: SocketAddr,
    /// The database's URL; none is SQLite in the gateway's own directory. (Biboumi's other domain always has that.)
    pub store: Option<String>,
    /// The IRC servers; the first is also the one of the domain with a fixed server.
    pub servers: Vec<KnownServer>,
    /// More configuration, appended as it is.
    pub extra_config: String,
    /// Variables for the gateway's environment.
    pub env: Vec<(String, String)>,
}

/// A gateway with both of its domains.
#[derive(Debug)]
pub struct Gateway {
    kind: GatewayKind,
    /// Biboumi needs one process for each domain.
    processes: Vec<Process>,
    /// Where the database is, if that is not SQLite in its own directory.
    store: Option<String>,
}

impl Gateway {
    /// Writes the configuration without starting anything.
    pub fn new(scratch: &Scratch, options: &GatewayOptions) -> Result<Self> {
        let processes = match options.kind {
            GatewayKind::Viaduct => vec![viaduct::prepare(scratch, options)?],
            GatewayKind::Biboumi => biboumi::prepare(scratch, options)?,
        };
        Ok(Self {
            kind: options.kind,
            processes,
            store: options.store.clone(),
        })
    }

    /// Which gateway this is.
    pub fn kind(&self) -> GatewayKind {
        self.kind
    }

    /// The database of the domain with many IRC servers.
    pub fn database(&self, scratch: &Scratch) -> String {
        self.store.clone().unwrap_or_else(|| match self.kind {
            GatewayKind::Viaduct => format!("sqlite://{}/viaduct/viaduct.db", scratch.path().display()),
            GatewayKind::Biboumi => biboumi::database(scratch),
        })
    }

    /// Starts it, for the first time or again. It may take a moment until it is connected.
    pub async fn start(&self) -> Result<()> {
        for process in &self.processes {
            process.start().await?;
        }
        Ok(())
    }

    /// Ends it at once (SIGKILL).
    pub async fn kill(&self) -> Result<()> {
        for process in &self.processes {
            process.kill().await?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits for that; gives the exit status of the process with the many servers.
    pub async fn terminate(&self, within: Duration) -> Result<ExitStatus> {
        for process in &self.processes {
            process.signal("TERM").await?;
        }
        let mut status = None;
        for process in &self.processes {
            let own = process.wait(within).await?;
            status.get_or_insert(own);
        }
        Ok(status.unwrap_or_default())
    }

    /// Stops it where it is (SIGSTOP).
    pub async fn freeze(&self) -> Result<()> {
        for process in &self.processes {
            process.freeze().await?;
        }
        Ok(())
    }

    /// Lets it go on after [`Gateway::freeze`].
    pub async fn thaw(&self) -> Result<()> {
        for process in &self.processes {
            process.thaw().await?;
        }
        Ok(())
    }

    /// The process that serves the domain with many IRC servers.
    pub fn process(&self) -> &Process {
        &self.processes[0]
    }

    /// All of its processes.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }
}
