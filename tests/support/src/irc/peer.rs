//! A raw IRC client: a person on the other side of the gateway.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use tokio::net::TcpStream;

use super::line::Line;
use super::wire::IrcWire;
use crate::servers::OPERATOR;
use crate::transcript::Voice;

/// A connection to an IRC server that answers PING by itself and leaves everything else to the test.
#[derive(Debug)]
pub struct IrcPeer {
    wire: IrcWire,
    nick: String,
    fences: AtomicU32,
}

impl Deref for IrcPeer {
    type Target = IrcWire;

    fn deref(&self) -> &IrcWire {
        &self.wire
    }
}

impl IrcPeer {
    /// Connects, registers with the nickname, and waits until the server has said all it says at first.
    pub async fn connect(addr: SocketAddr, nick: &str, voice: Voice) -> Result<Self> {
        Self::connect_with_caps(addr, nick, &[], voice).await
    }

    /// Like [`IrcPeer::connect`], asking for IRCv3 capabilities, all of which the server must grant.
    pub async fn connect_with_caps(
        addr: SocketAddr,
        nick: &str,
        caps: &[&str],
        voice: Voice,
    ) -> Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let (reader, writer) = stream.into_split();
        let pong = |line: &Line| {
            line.is("PING", &[])
                .then(|| vec![format!("PONG :{}", line.last())])
        };
        let wire = IrcWire::new(reader, writer, voice, Box::new(pong));
        let this = Self {
            wire,
            nick: nick.to_owned(),
            fences: AtomicU32::new(1),
        };
        if !caps.is_empty() {
            this.send(format!("CAP REQ :{}", caps.join(" "))).await?;
            this.expect("CAP ACK", |line| line.command == "CAP" && line.param(1) == "ACK")
                .await?;
        }
        this.send(format!("NICK {nick}")).await?;
        this.send(format!("USER {nick} 0 * :{nick} of the test")).await?;
        if !caps.is_empty() {
            this.send("CAP END").await?;
        }
        this.expect("the end of the welcome", |line| {
            ["376", "422"].contains(&line.command.as_str())
        })
        .await?;
        this.fence().await?;
        this.take_all(|_| true);
        Ok(this)
    }

    /// The nickname with which it connected.
    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// Waits until the server has done everything that was sent to it.
    pub async fn fence(&self) -> Result<()> {
        let token = format!("fence-{}", self.fences.fetch_add(1, Ordering::Relaxed));
        self.send(format!("PING :{token}")).await?;
        self.expect("the answer to PING", |line| {
            line.command == "PONG" && line.last() == token
        })
        .await?;
        Ok(())
    }

    /// Joins a channel and waits for the list of names, which it gives.
    pub async fn join(&self, channel: &str) -> Result<Vec<String>> {
        self.send(format!("JOIN {channel}")).await?;
        self.expect("the end of names", |line| {
            line.command == "366" && same(line.param(1), channel)
        })
        .await?;
        self.take_all(|line| line.command == "JOIN" && line.nick() == self.nick);
        let names = self.take_all(|line| line.command == "353" && same(line.param(2), channel));
        Ok(names
            .iter()
            .flat_map(|line| line.last().split(' '))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect())
    }

    /// Says something to a channel or person.
    pub async fn say(&self, target: &str, text: &str) -> Result<()> {
        self.send(format!("PRIVMSG {target} :{text}")).await
    }

    /// Sends a notice.
    pub async fn notice(&self, target: &str, text: &str) -> Result<()> {
        self.send(format!("NOTICE {target} :{text}")).await
    }

    /// Does something (`/me`).
    pub async fn act(&self, target: &str, text: &str) -> Result<()> {
        self.say(target, &format!("\u{1}ACTION {text}\u{1}")).await
    }

    /// Changes modes and waits until the server has done it.
    pub async fn mode(&self, target: &str, modes: &str) -> Result<()> {
        self.send(format!("MODE {target} {modes}")).await?;
        self.fence().await
    }

    /// Changes modes without having the right to, as an IRC operator: that is how a channel gets a founder.
    pub async fn force_mode(&self, channel: &str, modes: &str) -> Result<()> {
        self.send(format!("SAMODE {channel} {modes}")).await?;
        self.fence().await?;
        // A server without that command lets its operators use the ordinary one.
        let unknown = self.take_all(|line| line.is("421", &[]) && line.param(1) == "SAMODE");
        if unknown.is_empty() {
            Ok(())
        } else {
            self.mode(channel, modes).await
        }
    }

    /// Sets the topic and waits until the server has done it.
    pub async fn topic(&self, channel: &str, text: &str) -> Result<()> {
        self.send(format!("TOPIC {channel} :{text}")).await?;
        self.fence().await
    }

    /// Becomes an IRC operator.
    pub async fn become_operator(&self) -> Result<()> {
        let (name, password) = OPERATOR;
        self.send(format!("OPER {name} {password}")).await?;
        self.expect_command("381", &[]).await?;
        Ok(())
    }

    /// Waits for a message (PRIVMSG) with this text from a person, to a channel or to us.
    pub async fn expect_message(&self, nick: &str, target: &str, text: &str) -> Result<Line> {
        let what = format!("'{text}' from {nick} to {target}");
        let wanted = |line: &Line| {
            line.command == "PRIVMSG"
                && line.nick() == nick
                && same(line.param(0), target)
                && line.last() == text
        };
        self.expect(&what, wanted).await
    }

    /// Waits until the person joins the channel.
    pub async fn expect_join(&self, nick: &str, channel: &str) -> Result<Line> {
        let wanted =
            |line: &Line| line.command == "JOIN" && line.nick() == nick && same(line.param(0), channel);
        self.expect(&format!("{nick} to join {channel}"), wanted).await
    }

    /// Waits until the person leaves the channel by PART; gives the line with the reason.
    pub async fn expect_part(&self, nick: &str, channel: &str) -> Result<Line> {
        let wanted =
            |line: &Line| line.command == "PART" && line.nick() == nick && same(line.param(0), channel);
        self.expect(&format!("{nick} to leave {channel}"), wanted).await
    }

    /// Waits until the person leaves the network; gives the line with the reason.
    pub async fn expect_quit(&self, nick: &str) -> Result<Line> {
        self.expect(&format!("{nick} to quit"), |line| {
            line.command == "QUIT" && line.nick() == nick
        })
        .await
    }

    /// Fails if a line for which `unwanted` holds has come, or comes before the server has answered a PING.
    pub async fn expect_none(&self, what: &str, unwanted: impl Fn(&Line) -> bool) -> Result<()> {
        self.fence().await?;
        match self.leftovers().iter().find(|line| unwanted(line)) {
            None => Ok(()),
            Some(line) => Err(self
                .voice()
                .failure(format!("{what} should not come, but: {line}"))),
        }
    }

    /// Leaves the network and waits for the server to hang up.
    pub async fn quit(&self, reason: &str) -> Result<()> {
        self.send(format!("QUIT :{reason}")).await?;
        self.expect_closed().await
    }
}

/// Names of channels, as both real servers compare those that the tests use.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
