//! What Prosody and ejabberd have in common.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::{ejabberd, prosody};
use crate::certificate::Certificate;
use crate::patience::{patience, start_patience};
use crate::ports::Port;
use crate::process::Process;
use crate::scratch::Scratch;

/// Which XMPP server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XmppKind {
    /// Prosody.
    Prosody,
    /// ejabberd.
    Ejabberd,
}

impl XmppKind {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prosody => "prosody",
            Self::Ejabberd => "ejabberd",
        }
    }
}

/// What can be chosen about an XMPP server.
#[derive(Debug, Clone, Default)]
pub struct XmppOptions {
    /// A c2s port to take if it is free.
    pub prefer_c2s_port: Option<u16>,
    /// Offers STARTTLS to clients with this certificate (Prosody only). Clients are never forced to use it.
    pub certificate: Option<Certificate>,
}

/// An XMPP server with the hosts and components of [`crate::servers`], whose accounts are made in-band.
#[derive(Debug)]
pub struct XmppServer {
    kind: XmppKind,
    process: Process,
    c2s: Port,
    component: Port,
}

/// What a server's configuration is made of.
pub(super) struct Setup<'a> {
    pub(super) directory: &'a Path,
    pub(super) c2s: u16,
    pub(super) component: u16,
    pub(super) options: &'a XmppOptions,
}

impl XmppServer {
    /// Configures a server without starting it.
    pub fn new(kind: XmppKind, scratch: &Scratch, options: &XmppOptions) -> Result<Self> {
        let c2s = options.prefer_c2s_port.map_or_else(Port::reserve, Port::prefer)?;
        let component = Port::reserve()?;
        let user = match kind {
            XmppKind::Prosody => prosody::user()?,
            XmppKind::Ejabberd => ejabberd::user()?,
        };
        let directory = scratch.subdirectory(kind.name(), &user)?;
        let setup = Setup {
            directory: &directory,
            c2s: c2s.number(),
            component: component.number(),
            options,
        };
        let spec = match kind {
            XmppKind::Prosody => prosody::prepare(&setup, &user)?,
            XmppKind::Ejabberd => ejabberd::prepare(&setup, &user)?,
        };
        Ok(Self {
            kind,
            process: Process::new(spec),
            c2s,
            component,
        })
    }

    /// Starts it, for the first time or again, and waits until it accepts clients and components.
    pub async fn start(&self) -> Result<()> {
        self.process.start().await?;
        for addr in [self.component_addr(), self.c2s_addr()] {
            match self.kind {
                XmppKind::Prosody => self.process.wait_for_port(addr, start_patience()).await?,
                // ejabberd listens before it accepts.
                XmppKind::Ejabberd => {
                    self.process
                        .wait_for_log(&ejabberd::accepts(addr), start_patience())
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Ends it at once, as a crash does, except that no account or roster is lost: how well the server looks after
    /// its own data is not what we test.
    pub async fn kill(&self) -> Result<()> {
        if self.kind == XmppKind::Ejabberd {
            let file = self.process.log().with_file_name(ejabberd::WRITE_NOW);
            fs::write(&file, "").with_context(|| format!("writing {}", file.display()))?;
            self.process.wait_for_no_file(&file, patience()).await?;
        }
        self.process.kill().await
    }

    /// Which server this is.
    pub fn kind(&self) -> XmppKind {
        self.kind
    }

    /// The process, to be frozen or asked to end.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where clients connect, in plain TCP.
    pub fn c2s_addr(&self) -> SocketAddr {
        self.c2s.addr()
    }

    /// Where components connect.
    pub fn component_addr(&self) -> SocketAddr {
        self.component.addr()
    }
}
