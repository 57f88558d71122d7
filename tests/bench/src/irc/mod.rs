//! The driver that plays the IRC server: one server, its channels, the gateway's connections and some ghosts.
//!
//! It knows enough of RFC 2812 for a gateway to log in, join, talk and leave; it refuses nothing and checks nothing.
//! Everything happens in one thread, in order: what a connection sends is answered and fanned out before the next
//! line is looked at, so a PONG comes after whatever the lines before its PING caused.

mod clock;
mod conn;
mod parse;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use conn::Conn;

/// The name of the server, and of its host in the gateway's addresses.
pub(crate) const HOST: &str = "irc.bench";
/// The person on IRC who is in every channel and is no user of the gateway.
pub(crate) const OUTSIDER: &str = "outsider";
/// The capabilities of a modern server, as far as the driver keeps their promises.
pub(crate) const MODERN: &str = "echo-message message-tags multi-prefix server-time";

/// The server.
#[derive(Debug)]
pub(crate) struct Irc {
    /// Where it listens.
    pub(crate) port: u16,
    /// Numbered messages that came from the gateway.
    pub(crate) arrived: Cell<u64>,
    /// When the last one came.
    pub(crate) last: Cell<Instant>,
    caps: &'static str,
    progress: Rc<Notify>,
    conns: RefCell<HashMap<Vec<u8>, Rc<Conn>>>,
    channels: RefCell<HashMap<Vec<u8>, Channel>>,
    message_ids: Cell<u64>,
    clock: clock::Clock,
}

#[derive(Debug, Default)]
struct Channel {
    members: Vec<Rc<Conn>>,
    ghosts: Vec<String>,
}

impl Irc {
    /// Listens on a free loopback port. `caps` empty: a server that has never heard of CAP.
    pub(crate) async fn listen(caps: &'static str, progress: Rc<Notify>) -> Result<Rc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let irc = Rc::new(Self {
            port: listener.local_addr()?.port(),
            arrived: Cell::default(),
            last: Cell::new(Instant::now()),
            caps,
            progress,
            conns: RefCell::default(),
            channels: RefCell::default(),
            message_ids: Cell::default(),
            clock: clock::Clock::default(),
        });
        let server = Rc::clone(&irc);
        tokio::task::spawn_local(async move {
            while let Ok((socket, _)) = listener.accept().await {
                Conn::serve(Rc::clone(&server), socket);
            }
        });
        Ok(irc)
    }

    /// Puts `count` silent people in a channel.
    pub(crate) fn haunt(&self, channel: &str, count: usize) {
        let ghosts = (0..count).map(|n| format!("ghost{n:05}"));
        self.channel(channel.as_bytes(), |channel| channel.ghosts.extend(ghosts));
    }

    /// The silent people of a channel go all at once, as in a netsplit, or come back. Those who ask who is there are told
    /// of them in any case.
    pub(crate) fn split(&self, channel: &str, gone: bool) {
        let channels = self.channels.borrow();
        let Some(there) = channels.get(channel.as_bytes()) else {
            return;
        };
        let what = match gone {
            true => "QUIT :hub.bench leaf.bench".to_owned(),
            false => format!("JOIN {channel}"),
        };
        for ghost in there.ghosts.iter().filter(|ghost| !ghost.starts_with('@')) {
            let line = format!(":{ghost}!ghost@far.example {what}");
            there
                .members
                .iter()
                .for_each(|member| member.send(&[line.as_bytes()]));
        }
    }

    /// The outsider says something in a channel.
    pub(crate) fn say(&self, channel: &str, text: &[u8]) {
        let source = format!(":{OUTSIDER}!out@side.example");
        self.relay(None, source.as_bytes(), b"PRIVMSG", channel.as_bytes(), text);
    }

    fn channel<T>(&self, name: &[u8], change: impl FnOnce(&mut Channel) -> T) -> T {
        let mut channels = self.channels.borrow_mut();
        if let Some(channel) = channels.get_mut(name) {
            return change(channel);
        }
        let channel = channels.entry(name.to_vec()).or_default();
        channel.ghosts.push(format!("@{OUTSIDER}"));
        change(channel)
    }

    /// One message to everybody in a channel or to one nick; to its sender only where echo-message is on.
    fn relay(&self, sender: Option<&Conn>, source: &[u8], command: &[u8], target: &[u8], text: &[u8]) {
        let id = self.message_ids.get() + 1;
        self.message_ids.set(id);
        let deliver = |to: &Conn| {
            self.tags(to, id);
            to.send(&[source, b" ", command, b" ", target, b" :", text]);
        };
        let is_sender = |conn: &Rc<Conn>| sender.is_some_and(|sender| std::ptr::eq(sender, &**conn));
        if let Some(channel) = self.channels.borrow().get(target) {
            let others = channel
                .members
                .iter()
                .filter(|member| member.caps.echo.get() || !is_sender(member));
            others.for_each(|member| deliver(member));
        } else if let Some(person) = self.conns.borrow().get(&target.to_ascii_lowercase()) {
            deliver(person);
            if let Some(sender) = sender.filter(|sender| sender.caps.echo.get() && !is_sender(person)) {
                deliver(sender);
            }
        } else if let Some(sender) = sender {
            sender.reply(b"401", &[target, b" :No such nick/channel"]);
        }
    }

    /// A line that everybody who shares a channel with `conn` sees once, `conn` included.
    fn broadcast(&self, conn: &Rc<Conn>, line: &[&[u8]]) {
        let channels = self.channels.borrow();
        let mut seen: Vec<*const Conn> = Vec::new();
        for channel in channels.values().filter(|channel| channel.has(conn)) {
            for member in &channel.members {
                if !seen.contains(&Rc::as_ptr(member)) {
                    seen.push(Rc::as_ptr(member));
                    member.send(line);
                }
            }
        }
    }

    fn tags(&self, to: &Conn, id: u64) {
        let mut out = to.out.borrow_mut();
        if to.caps.tags.get() {
            out.extend_from_slice(format!("@msgid=bench{id}").as_bytes());
        }
        if to.caps.time.get() {
            out.extend_from_slice(if to.caps.tags.get() { b";time=" } else { b"@time=" });
            self.clock.write(&mut out);
        }
        if to.caps.tags.get() || to.caps.time.get() {
            out.push(b' ');
        }
    }
}

impl Channel {
    fn has(&self, conn: &Rc<Conn>) -> bool {
        self.members.iter().any(|member| Rc::ptr_eq(member, conn))
    }
}
