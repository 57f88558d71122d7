//! What a case works with: a world, and names in it that are its own.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use viaduct_test_support::irc::{IrcPeer, IrcServer};
use viaduct_test_support::servers::{DOMAIN, FIXED_GATEWAY, GATEWAY, IrcKind, ServicedNetwork, XmppKind};
use viaduct_test_support::transcript::Transcript;
use viaduct_test_support::world::{Slot, SlotKind, World};
use viaduct_test_support::xmpp::{Client, Login};

/// The world of a case and everything it makes there. Clones are the same.
#[derive(Debug, Clone)]
pub struct Ctx(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: Arc<World>,
    /// A number that no other case of this run has; part of every name.
    number: u32,
    transcript: Transcript,
    flushes: AtomicU32,
}

/// A scripted IRC server at a place that the gateway knows.
#[derive(Debug)]
pub struct Scripted {
    server: IrcServer,
    slot: Slot,
}

impl Deref for Scripted {
    type Target = IrcServer;

    fn deref(&self) -> &IrcServer {
        &self.server
    }
}

impl Scripted {
    /// The JID of the server on the gateway.
    pub fn jid(&self) -> String {
        format!("{}@{GATEWAY}", self.slot.name())
    }

    /// The JID of a channel of it.
    pub fn room(&self, channel: &str) -> String {
        format!("{channel}%{}@{GATEWAY}", self.slot.name())
    }

    /// The JID of a person on it.
    pub fn person(&self, nick: &str) -> String {
        format!("{nick}%{}@{GATEWAY}", self.slot.name())
    }
}

impl Ctx {
    pub(crate) fn new(world: Arc<World>, number: u32) -> Self {
        let (transcript, flushes) = (Transcript::shared(), AtomicU32::new(0));
        Self(Arc::new(Inner {
            world,
            number,
            transcript,
            flushes,
        }))
    }

    /// The servers and the gateway. To break them, the case must have a world of its own.
    pub fn world(&self) -> &World {
        &self.0.world
    }

    /// The record of everything that is said and heard in this case.
    pub fn transcript(&self) -> &Transcript {
        &self.0.transcript
    }

    /// Writes a line into the record, to structure it.
    pub fn note(&self, text: &str) {
        self.0.transcript.voice("—").note(text);
    }

    /// Which XMPP server this is.
    pub fn xmpp_kind(&self) -> XmppKind {
        self.world().xmpp().kind()
    }

    /// Which IRC server this is.
    pub fn irc_kind(&self) -> IrcKind {
        self.world().irc().kind()
    }

    // Names.

    /// A nickname (or anything else) that is this case's own.
    pub fn nick(&self, name: &str) -> String {
        format!("{name}-{}", self.0.number)
    }

    /// The channel of this case.
    pub fn channel(&self) -> String {
        self.channel_named("c")
    }

    /// Another channel of this case.
    pub fn channel_named(&self, name: &str) -> String {
        format!("#{name}-{}", self.0.number)
    }

    /// The gateway domain with many IRC servers.
    pub fn gateway(&self) -> &'static str {
        GATEWAY
    }

    /// The JID of the real IRC server: `irc.test@irc.localhost`.
    pub fn server(&self) -> String {
        format!("{}@{GATEWAY}", self.world().irc_name())
    }

    /// The JID of a channel of the real IRC server: `#chan%irc.test@irc.localhost`.
    pub fn room(&self, channel: &str) -> String {
        format!("{channel}%{}@{GATEWAY}", self.world().irc_name())
    }

    /// The JID of a channel of an IRC server that the gateway knows by another name; `world::known` lists them.
    pub fn room_on(&self, server: &str, channel: &str) -> String {
        format!("{channel}%{server}@{GATEWAY}")
    }

    /// The JID of a person on the real IRC server: `nick%irc.test@irc.localhost`.
    pub fn person(&self, nick: &str) -> String {
        format!("{nick}%{}@{GATEWAY}", self.world().irc_name())
    }

    /// The JID of a channel at the domain with one fixed server: `#chan@fixed.localhost`.
    pub fn fixed_room(&self, channel: &str) -> String {
        format!("{channel}@{FIXED_GATEWAY}")
    }

    /// The JID of a person at the domain with one fixed server: `nick@fixed.localhost`.
    pub fn fixed_person(&self, nick: &str) -> String {
        format!("{nick}@{FIXED_GATEWAY}")
    }

    // XMPP users.

    /// A new account with one resource of this name, online.
    pub async fn client(&self, name: &str) -> Result<Client> {
        let client = self.offline_client(name, DOMAIN).await?;
        client.go_online().await?;
        Ok(client)
    }

    /// A new account on the given domain, connected, that has sent no presence.
    pub async fn offline_client(&self, name: &str, domain: &str) -> Result<Client> {
        self.log_in(&Login::new(&self.nick(name), domain, name), name)
            .await
    }

    /// A further resource of an account, online.
    pub async fn client_of(&self, client: &Client, resource: &str) -> Result<Client> {
        let another = client.connect_again(resource).await?;
        another.go_online().await?;
        Ok(another)
    }

    /// The operator of the gateway, online with a resource of this case's own.
    pub async fn admin(&self) -> Result<Client> {
        let client = self
            .log_in(&Login::new("admin", DOMAIN, &self.nick("case")), "admin")
            .await?;
        client.go_online().await?;
        Ok(client)
    }

    async fn log_in(&self, login: &Login, name: &str) -> Result<Client> {
        let voice = self.0.transcript.voice(name);
        let client = Client::connect(self.world().xmpp().c2s_addr(), login, voice).await;
        client.with_context(|| format!("logging in as {}@{}", login.user, login.domain))
    }

    // IRC people and servers.

    /// Somebody on the real IRC server; the nickname is [`Ctx::nick`] of the name.
    pub async fn irc(&self, name: &str) -> Result<IrcPeer> {
        self.irc_with_caps(name, &[]).await
    }

    /// Like [`Ctx::irc`], with IRCv3 capabilities.
    pub async fn irc_with_caps(&self, name: &str, caps: &[&str]) -> Result<IrcPeer> {
        let addr = self.world().irc().plain_addr();
        let voice = self.0.transcript.voice(name);
        let peer = IrcPeer::connect_with_caps(addr, &self.nick(name), caps, voice).await;
        peer.with_context(|| format!("connecting {name} to the IRC server"))
    }

    /// A plain scripted IRC server.
    pub async fn scripted(&self) -> Result<Scripted> {
        let slot = self.world().slot(SlotKind::Plain).await?;
        let server = slot.open(self.0.transcript.voice("server")).await?;
        Ok(Scripted { server, slot })
    }

    /// A scripted IRC server with TLS on the standard port, with a certificate as it should be.
    pub async fn scripted_tls(&self) -> Result<Scripted> {
        let slot = self.world().slot(SlotKind::Standard).await?;
        let certificate = self
            .world()
            .authority()
            .issue(slot.name(), &[slot.name()])
            .await?;
        let server = slot
            .open_tls(&certificate, self.0.transcript.voice("server"))
            .await?;
        Ok(Scripted { server, slot })
    }

    /// A place for scripted servers on the standard ports, of which the case opens what it wants.
    pub async fn standard_slot(&self) -> Result<Slot> {
        self.world().slot(SlotKind::Standard).await
    }

    /// A real IRC server with services, at a place with TLS on the standard port. It ends with the value.
    pub async fn serviced(&self) -> Result<ServicedNetwork> {
        let slot = self.standard_slot().await?;
        ServicedNetwork::start(self.world().scratch(), self.world().authority(), slot).await
    }

    // Fences.

    /// Waits until everything that the peer has done in the channel has gone through the gateway to the client:
    /// the peer says a word there, and the client waits for it in the room.
    pub async fn flush(&self, peer: &IrcPeer, channel: &str, client: &Client, room: &str) -> Result<()> {
        let word = format!("flush-{}", self.0.flushes.fetch_add(1, Ordering::Relaxed));
        peer.say(channel, &word).await?;
        client.expect_body(room, &word).await?;
        Ok(())
    }
}
