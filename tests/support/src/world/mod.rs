//! One XMPP server, one IRC server and one gateway between them, started together.
//!
//! A world is shared by all tests that run in it at the same time, each with accounts and channels of its own;
//! tests that break servers have a world to themselves, with a [`Proxy`] on both sides of the gateway.

mod known;
mod slots;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::{Instant, sleep_until};

use crate::certificate::Authority;
use crate::gateway::{Gateway, GatewayKind, GatewayOptions};
use crate::patience::start_patience;
use crate::ports::Port;
use crate::process::User;
use crate::proxy::Proxy;
use crate::scratch::Scratch;
use crate::servers::{
    DOMAIN, FIXED_GATEWAY, GATEWAY, IrcKind, IrcServerOptions, Postgres, RealIrcServer, XmppKind,
    XmppOptions, XmppServer,
};
use crate::transcript::Transcript;
use crate::xmpp::{Client, Login, StanzaExt as _, ns, xml::tag};

use slots::Slots;
pub use slots::{Slot, SlotKind};

/// How often a gateway is asked whether it is there.
const ROUND: Duration = Duration::from_millis(100);

/// Which database the gateway keeps its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// The embedded default.
    Sqlite,
    /// A throw-away PostgreSQL, started with the world.
    Postgres,
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    /// The XMPP server.
    pub xmpp: XmppKind,
    /// The IRC server.
    pub irc: IrcKind,
    /// The gateway.
    pub gateway: GatewayKind,
    /// The gateway's database.
    pub store: StoreKind,
    /// Whether the gateway's connections to both servers go through proxies.
    pub proxied: bool,
    /// Whether people are to connect with their own clients: the standard ports if they are free, and TLS for
    /// clients that insist on it (Prosody).
    pub for_people: bool,
    /// More configuration for the gateway, appended as it is.
    pub extra_config: String,
    /// Variables for the gateway's environment.
    pub env: Vec<(String, String)>,
}

impl WorldOptions {
    /// Prosody, ngIRCd and viaduct on SQLite.
    pub fn prosody() -> Self {
        Self {
            xmpp: XmppKind::Prosody,
            irc: IrcKind::Ngircd,
            gateway: GatewayKind::Viaduct,
            store: StoreKind::Sqlite,
            proxied: false,
            for_people: false,
            extra_config: String::new(),
            env: Vec::new(),
        }
    }

    /// ejabberd, InspIRCd and viaduct on PostgreSQL.
    pub fn ejabberd() -> Self {
        let (xmpp, irc) = (XmppKind::Ejabberd, IrcKind::Inspircd);
        Self {
            xmpp,
            irc,
            store: StoreKind::Postgres,
            ..Self::prosody()
        }
    }

    /// The names of the two servers, as reports have them.
    pub fn name(&self) -> String {
        format!("{}+{}", self.xmpp.name(), self.irc.name())
    }
}

/// Servers and gateway, all running.
#[derive(Debug)]
pub struct World {
    options: WorldOptions,
    scratch: Scratch,
    authority: Authority,
    xmpp: XmppServer,
    irc: RealIrcServer,
    gateway: Gateway,
    postgres: Option<Postgres>,
    link: Option<Proxy>,
    irc_link: Option<Proxy>,
    irc_name: String,
    slots: Slots,
    _ports: Vec<Port>,
    started_in: Duration,
}

impl World {
    /// Starts everything, and waits until the gateway answers through the XMPP server.
    pub async fn start(options: WorldOptions) -> Result<Self> {
        let begin = Instant::now();
        let scratch = Scratch::new(options.xmpp.name())?;
        // Until all is well: the logs of what does not start are wanted.
        let kept = scratch.keep(true).display().to_string();
        let world = async {
            let world = Self::build(options, scratch).await?;
            world.await_gateway().await?;
            anyhow::Ok(world)
        };
        let mut world = world
            .await
            .with_context(|| format!("starting a world (its files are in {kept})"))?;
        world.scratch.keep(false);
        world.started_in = begin.elapsed();
        Ok(world)
    }

    async fn build(options: WorldOptions, scratch: Scratch) -> Result<Self> {
        let authority = Authority::new(&scratch.subdirectory("certificates", &User::Myself)?).await?;
        let irc_certificate = authority
            .issue("irc.test", &["irc.test", "tls.test", "untrusted.test"])
            .await?;
        let client_certificate = match options.for_people {
            true => Some(authority.issue(DOMAIN, &[DOMAIN]).await?),
            false => None,
        };
        let xmpp_options = XmppOptions {
            prefer_c2s_port: options.for_people.then_some(5222),
            certificate: client_certificate,
        };
        let irc_options = IrcServerOptions {
            prefer_port: options.for_people.then_some(6667),
            certificate: Some(irc_certificate),
            on_standard_port: options.gateway == GatewayKind::Biboumi && !options.proxied,
        };
        let xmpp = XmppServer::new(options.xmpp, &scratch, &xmpp_options)?;
        let irc = RealIrcServer::new(options.irc, &scratch, &irc_options)?;
        let (postgres, (), ()) =
            tokio::try_join!(start_postgres(&options, &scratch), xmpp.start(), irc.start())?;
        let store = match &postgres {
            Some(postgres) => Some(postgres.database().await?),
            None => None,
        };
        let (mut link, mut irc_link, mut ports) = (None, None, Vec::new());
        let mut irc_addr = irc.plain_addr();
        if options.proxied {
            let (link_port, irc_port) = (Port::reserve()?, Port::reserve()?);
            let irc_listen = match options.gateway {
                GatewayKind::Viaduct => irc_port.addr(),
                GatewayKind::Biboumi => (irc_port.private_ip(), 6667).into(),
            };
            link = Some(Proxy::start(link_port.addr(), xmpp.component_addr()).await?);
            irc_link = Some(Proxy::start(irc_listen, irc_addr).await?);
            irc_addr = irc_listen;
            ports.extend([link_port, irc_port]);
        }
        let irc_name = match options.gateway {
            GatewayKind::Viaduct => "irc.test".to_owned(),
            GatewayKind::Biboumi => irc_addr.ip().to_string(),
        };
        let slots = Slots::new(options.gateway)?;
        let closed = Port::reserve()?;
        let servers = known::servers(&irc_name, irc_addr, &irc, &authority, &slots, &closed);
        ports.push(closed);
        let gateway_options = GatewayOptions {
            kind: options.gateway,
            link: link.as_ref().map_or(xmpp.component_addr(), Proxy::addr),
            store,
            servers,
            extra_config: options.extra_config.clone(),
            env: options.env.clone(),
        };
        let gateway = Gateway::new(&scratch, &gateway_options)?;
        gateway.start().await?;
        Ok(Self {
            options,
            scratch,
            authority,
            xmpp,
            irc,
            gateway,
            postgres,
            link,
            irc_link,
            irc_name,
            slots,
            _ports: ports,
            started_in: Duration::ZERO,
        })
    }

    /// Waits until both domains of the gateway answer through the XMPP server.
    pub async fn await_gateway(&self) -> Result<()> {
        let probe = Login::new("probe", DOMAIN, "probe");
        let probe = Client::connect(self.xmpp.c2s_addr(), &probe, Transcript::alone().voice("probe")).await?;
        let deadline = Instant::now() + start_patience();
        for domain in [GATEWAY, FIXED_GATEWAY] {
            while !answers(&probe, domain).await? {
                if let Some(status) = self.gateway.process().ended().await? {
                    bail!(self.gateway.process().trouble(format!("ended with {status}")));
                }
                if Instant::now() > deadline {
                    bail!(
                        self.gateway
                            .process()
                            .trouble(format!("does not answer as {domain}"))
                    );
                }
            }
        }
        probe.close().await
    }

    /// Ends everything, the gateway first and politely. The directory goes away with the world.
    pub async fn stop(self) -> Result<()> {
        // How it ends is the matter of a test, not of the end of all tests.
        drop(self.gateway.terminate(Duration::from_secs(5)).await);
        self.gateway.kill().await?;
        self.xmpp.process().kill().await?;
        self.irc.process().kill().await?;
        if let Some(postgres) = &self.postgres {
            postgres.stop().await?;
        }
        Ok(())
    }

    /// What it is made of.
    pub fn options(&self) -> &WorldOptions {
        &self.options
    }

    /// The directory with the configuration, data and logs of all servers.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The authority that the gateway trusts for the servers of this world.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The XMPP server.
    pub fn xmpp(&self) -> &XmppServer {
        &self.xmpp
    }

    /// The real IRC server.
    pub fn irc(&self) -> &RealIrcServer {
        &self.irc
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The gateway's PostgreSQL; only in a world that has one.
    pub fn postgres(&self) -> &Postgres {
        self.postgres
            .as_ref()
            .expect("the test asks for a world with PostgreSQL")
    }

    /// The proxy between the gateway and the XMPP server; only in a world that is proxied.
    pub fn link(&self) -> &Proxy {
        self.link.as_ref().expect("the test asks for a proxied world")
    }

    /// The proxy between the gateway and the IRC server; only in a world that is proxied.
    pub fn irc_link(&self) -> &Proxy {
        self.irc_link.as_ref().expect("the test asks for a proxied world")
    }

    /// The name by which users of the gateway address the real IRC server.
    pub fn irc_name(&self) -> &str {
        &self.irc_name
    }

    /// A place for a scripted IRC server that the gateway can reach; it is free again when it is dropped.
    pub async fn slot(&self, kind: SlotKind) -> Result<Slot> {
        self.slots.take(kind).await
    }

    /// How long the start took.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }
}

async fn start_postgres(options: &WorldOptions, scratch: &Scratch) -> Result<Option<Postgres>> {
    match (options.store, options.gateway) {
        (StoreKind::Postgres, GatewayKind::Viaduct) => Ok(Some(Postgres::start(scratch).await?)),
        _ => Ok(None),
    }
}

/// Asks once. An error comes at once while no gateway is connected, so the answer is not fetched in a hurry; while
/// a connection breaks, no answer may come at all.
async fn answers(probe: &Client, domain: &str) -> Result<bool> {
    let id = probe.fresh_id();
    let question = tag("iq").attr("type", "get").attr("id", &id).attr("to", domain);
    probe
        .send(question.child(tag("query").ns(ns::DISCO_INFO)))
        .await?;
    let round = Instant::now() + ROUND;
    let answer = probe
        .maybe(ROUND, |stanza| stanza.is_iq() && stanza.id() == id)
        .await;
    let good = answer.is_some_and(|answer| answer.kind() == "result");
    if !good {
        sleep_until(round).await;
    }
    Ok(good)
}
