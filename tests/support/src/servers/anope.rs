//! Anope 2.0, the services of an IRC network: accounts with `NickServ` and logins to them (SASL PLAIN and EXTERNAL),
//! linked to an InspIRCd of their own.
//!
//! The network is started at the place of a scripted server, so that a gateway reaches it by a name that it knows
//! already. It has TLS there: without it no certificate could log in, and a password were shown to everybody.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;

use super::irc::{IrcKind, IrcServerOptions, RealIrcServer};
use crate::certificate::Authority;
use crate::irc::IrcPeer;
use crate::patience::start_patience;
use crate::process::{Process, Spec, User};
use crate::scratch::Scratch;
use crate::transcript::{Transcript, Voice};
use crate::world::Slot;

/// The name of the services as a server of the network.
pub(super) const NAME: &str = "services.test";
/// The password between the services and the IRC server.
pub(super) const LINK_PASSWORD: &str = "link-secret";
/// What the services log when both sides know all of each other.
const LINKED: &str = "services.test (Services) is done syncing";

/// An IRC network with services. Both programs end with the value.
#[derive(Debug)]
pub struct ServicedNetwork {
    irc: RealIrcServer,
    services: Process,
    slot: Slot,
}

impl ServicedNetwork {
    /// Starts the server at a place of the standard kind, then the services, and waits until they are linked.
    pub async fn start(scratch: &Scratch, authority: &Authority, slot: Slot) -> Result<Self> {
        let certificate = authority.issue(slot.name(), &[slot.name()]).await?;
        let SocketAddr::V4(plain) = slot.plain_addr() else {
            anyhow::bail!("places have addresses of the old kind");
        };
        // The address is this place's alone.
        let link = SocketAddr::from((*plain.ip(), LINK_PORT));
        let options = IrcServerOptions {
            certificate: Some(certificate),
            place: Some((slot.plain_addr(), slot.tls_addr())),
            link: Some(link),
            name: Some(slot.name().to_owned()),
            ..IrcServerOptions::default()
        };
        let irc = RealIrcServer::new(IrcKind::Inspircd, scratch, &options)?;
        irc.start().await?;
        let user = User::service("irc")?;
        let directory = scratch.subdirectory(&format!("anope-{}", slot.name()), &user)?;
        user.write(
            &directory.join("services.conf"),
            &configuration(&directory.display().to_string(), *plain.ip()),
        )?;
        user.write(&directory.join("motd"), "Services of the test\n")?;
        let own = directory.display();
        let spec = Spec::new("anope", "anope", &directory, &user)?.args([
            "--nofork".to_owned(),
            format!("--confdir={own}"),
            format!("--dbdir={own}"),
            format!("--logdir={own}"),
            "--modulesdir=/usr/lib/anope".to_owned(),
            "--localedir=/usr/share/anope/locale".to_owned(),
        ]);
        let services = Process::new(spec);
        services.start().await?;
        services.wait_for_log(LINKED, start_patience()).await?;
        let this = Self { irc, services, slot };
        this.await_sasl().await?;
        Ok(this)
    }

    /// Waits until the server offers logins: it tells who has asked by version 302 as soon as the services are there.
    async fn await_sasl(&self) -> Result<()> {
        let peer = self
            .peer("probe", &[], Transcript::alone().voice("probe"))
            .await?;
        peer.send("CAP LS 302").await?;
        peer.expect("the offer of SASL", |line| {
            line.command == "CAP" && line.last().contains("sasl")
        })
        .await?;
        peer.quit("").await
    }

    /// The name by which users of the gateway address the network.
    pub fn name(&self) -> &str {
        self.slot.name()
    }

    /// Somebody on it, with these capabilities.
    pub async fn peer(&self, nick: &str, caps: &[&str], voice: Voice) -> Result<IrcPeer> {
        IrcPeer::connect_with_caps(self.irc.plain_addr(), nick, caps, voice).await
    }

    /// Registers an account of this name with `NickServ`; gives who has it now, logged in.
    pub async fn register(&self, account: &str, password: &str, voice: Voice) -> Result<IrcPeer> {
        let peer = self.peer(account, &["account-notify"], voice).await?;
        peer.say("NickServ", &format!("REGISTER {password}")).await?;
        // RPL_LOGGEDIN.
        peer.expect("to be logged in", |line| {
            line.command == "900" && line.param(2) == account
        })
        .await?;
        Ok(peer)
    }

    /// The IRC server.
    pub fn irc(&self) -> &RealIrcServer {
        &self.irc
    }

    /// The services, to be killed or frozen.
    pub fn services(&self) -> &Process {
        &self.services
    }

    /// Ends both.
    pub async fn stop(self) -> Result<()> {
        self.services.kill().await?;
        self.irc.process().kill().await
    }
}

/// Where the server takes the services, on the address of the place.
const LINK_PORT: u16 = 7000;

fn configuration(directory: &str, ip: Ipv4Addr) -> String {
    format!(
        r#"# Made by viaduct's tests.
uplink {{ host = "{ip}"; ipv6 = no; ssl = no; port = {LINK_PORT}; password = "{LINK_PASSWORD}" }}
serverinfo {{ name = "{NAME}"; description = "Services"; localhost = "{ip}"; id = "00B"; pid = "{directory}/anope.pid"; motd = "{directory}/motd" }}
module {{ name = "inspircd3"; use_server_side_mlock = no; use_server_side_topiclock = no }}
networkinfo {{ networkname = "testnet"; nicklen = 30; userlen = 10; hostlen = 64; chanlen = 60; modelistsize = 100 }}
options
{{
    casemap = "rfc1459"; strictpasswords = no; badpasslimit = 0; badpasstimeout = 1h; updatetimeout = 2m
    expiretimeout = 30m; readtimeout = 5s; warningtimeout = 4h; timeoutcheck = 3s; retrywait = 1s
}}
log {{ target = "services.log"; logage = 1; servers = "*"; commands = "*"; other = "*"; rawio = no; debug = no }}
mail {{ usemail = no }}
module {{ name = "db_flatfile"; database = "anope.db"; keepbackups = 0; fork = no }}
module {{ name = "enc_sha256" }}
service {{ nick = "NickServ"; user = "services"; host = "{NAME}"; gecos = "Nicknames" }}
module
{{
    name = "nickserv"; client = "NickServ"; forceemail = no; defaults = "ns_secure"; regdelay = 0s; expire = 21d
    killquick = 20s; kill = 60s; guestnickprefix = "Guest"; nonicknameownership = no; passlen = 50
}}
module {{ name = "ns_register"; registration = "none" }}
command {{ service = "NickServ"; name = "REGISTER"; command = "nickserv/register" }}
module {{ name = "ns_identify" }}
command {{ service = "NickServ"; name = "IDENTIFY"; command = "nickserv/identify" }}
module {{ name = "ns_logout" }}
command {{ service = "NickServ"; name = "LOGOUT"; command = "nickserv/logout" }}
module {{ name = "ns_cert"; max = 5 }}
command {{ service = "NickServ"; name = "CERT"; command = "nickserv/cert" }}
module {{ name = "m_sasl" }}
"#
    )
}
