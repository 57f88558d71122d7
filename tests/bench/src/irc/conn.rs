//! One connection of the gateway to the IRC driver: its socket, its login, its commands.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Notify;

use super::parse::Line;
use super::{HOST, Irc};
use crate::xml::seq;

/// Room for one read.
const READ: usize = 64 * 1024;
/// Bytes of names in one line of a NAMES reply.
const NAMES: usize = 400;

/// A connection.
#[derive(Debug, Default)]
pub(super) struct Conn {
    pub(super) out: RefCell<Vec<u8>>,
    pub(super) caps: Caps,
    wake: Notify,
    nick: RefCell<Vec<u8>>,
    user: Cell<bool>,
    negotiating: Cell<bool>,
    registered: Cell<bool>,
    quit: Cell<bool>,
}

/// What the gateway asked for.
#[derive(Debug, Default)]
pub(super) struct Caps {
    pub(super) echo: Cell<bool>,
    pub(super) tags: Cell<bool>,
    pub(super) time: Cell<bool>,
}

impl Conn {
    /// Serves a socket until it ends.
    pub(super) fn serve(irc: Rc<Irc>, socket: TcpStream) {
        // Only a socket that is gone already refuses the option.
        let _ = socket.set_nodelay(true);
        let (read, write) = socket.into_split();
        let conn = Rc::new(Self::default());
        tokio::task::spawn_local(Rc::clone(&conn).write(write));
        tokio::task::spawn_local(conn.read(irc, read));
    }

    /// Queues one line, in parts and without its end.
    pub(super) fn send(&self, parts: &[&[u8]]) {
        let mut out = self.out.borrow_mut();
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(b"\r\n");
        self.wake.notify_one();
    }

    /// Queues a numeric reply.
    pub(super) fn reply(&self, code: &[u8], parts: &[&[u8]]) {
        let nick = self.nick.borrow();
        let nick: &[u8] = if nick.is_empty() { b"*" } else { &nick };
        let head: [&[u8]; 6] = [b":", HOST.as_bytes(), b" ", code, b" ", nick];
        self.send(&[&head.concat(), b" ", &parts.concat()]);
    }

    async fn read(self: Rc<Self>, irc: Rc<Irc>, mut socket: OwnedReadHalf) {
        let mut buf = Vec::with_capacity(READ);
        while !self.quit.get() {
            buf.reserve(READ.saturating_sub(buf.len()).max(512));
            match socket.read_buf(&mut buf).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let before = irc.arrived.get();
            let mut start = 0;
            while let Some(end) = buf[start..].iter().position(|&b| b == b'\n') {
                let line = &buf[start..start + end];
                self.line(&irc, &Line::parse(line.strip_suffix(b"\r").unwrap_or(line)));
                start += end + 1;
            }
            buf.drain(..start);
            if irc.arrived.get() != before {
                irc.last.set(Instant::now());
                irc.progress.notify_one();
            }
        }
        self.leave(&irc);
    }

    async fn write(self: Rc<Self>, mut socket: OwnedWriteHalf) {
        let mut chunk = Vec::new();
        while !self.quit.get() {
            self.wake.notified().await;
            loop {
                chunk.clear();
                std::mem::swap(&mut chunk, &mut *self.out.borrow_mut());
                if chunk.is_empty() {
                    break;
                }
                if socket.write_all(&chunk).await.is_err() {
                    return;
                }
            }
            // A thousand connections are not to keep a thousand large buffers.
            if chunk.capacity() > 4096 && self.out.borrow().is_empty() {
                chunk = Vec::new();
            }
        }
    }

    fn leave(self: &Rc<Self>, irc: &Irc) {
        irc.conns.borrow_mut().retain(|_, other| !Rc::ptr_eq(self, other));
        irc.broadcast(self, &[&self.prefix(), b" QUIT :gone"]);
        for channel in irc.channels.borrow_mut().values_mut() {
            channel.members.retain(|member| !Rc::ptr_eq(member, self));
        }
        self.quit.set(true);
        self.wake.notify_one();
    }

    fn prefix(&self) -> Vec<u8> {
        [b":", &self.nick.borrow()[..], b"!user@127.0.0.1"].concat()
    }

    fn line(self: &Rc<Self>, irc: &Irc, line: &Line) {
        let target = line.param(0);
        match line.command {
            b"PRIVMSG" | b"NOTICE" => {
                if seq(line.param(1)).is_some() {
                    irc.arrived.set(irc.arrived.get() + 1);
                }
                irc.relay(Some(self), &self.prefix(), line.command, target, line.param(1));
            }
            b"PING" => self.send(&[b":", HOST.as_bytes(), b" PONG ", HOST.as_bytes(), b" :", target]),
            b"NICK" => self.change_nick(irc, target),
            b"USER" => {
                self.user.set(true);
                self.welcome();
            }
            b"CAP" if !irc.caps.is_empty() => self.cap(irc, line),
            b"JOIN" => target.split(|&b| b == b',').for_each(|name| self.join(irc, name)),
            b"PART" => target.split(|&b| b == b',').for_each(|name| self.part(irc, name)),
            b"NAMES" => self.names(irc, target),
            b"WHO" => self.who(irc, target),
            b"MODE" if target.starts_with(b"#") && line.param(1).ends_with(b"b") => {
                self.reply(b"368", &[target, b" :End of channel ban list"]);
            }
            b"MODE" if target.starts_with(b"#") => self.reply(b"324", &[target, b" +nt"]),
            b"MODE" => self.reply(b"221", &[b"+i"]),
            b"WHOIS" => self.reply(b"318", &[target, b" :End of /WHOIS list"]),
            b"LIST" => self.reply(b"323", &[b":End of /LIST"]),
            b"AWAY" if target.is_empty() => self.reply(b"305", &[b":You are no longer away"]),
            b"AWAY" => self.reply(b"306", &[b":You are away"]),
            b"QUIT" => {
                self.send(&[b"ERROR :Closing link"]);
                self.quit.set(true);
            }
            b"PONG" | b"PASS" | b"" => {}
            unknown => self.reply(b"421", &[unknown, b" :Unknown command"]),
        }
    }

    fn cap(&self, irc: &Irc, line: &Line) {
        let answer = |verb: &[u8], list: &[u8]| {
            self.send(&[b":", HOST.as_bytes(), b" CAP * ", verb, b" :", list]);
        };
        match line.param(0) {
            b"LS" => {
                self.negotiating.set(!self.registered.get());
                answer(b"LS", irc.caps.as_bytes());
            }
            b"REQ" => {
                self.negotiating.set(!self.registered.get());
                let asked: Vec<&[u8]> = line
                    .param(1)
                    .split(|&b| b == b' ')
                    .filter(|c| !c.is_empty())
                    .collect();
                if !asked
                    .iter()
                    .all(|cap| irc.caps.split(' ').any(|ours| ours.as_bytes() == *cap))
                {
                    return answer(b"NAK", line.param(1));
                }
                let has = |cap: &[u8]| asked.contains(&cap);
                self.caps.echo.set(self.caps.echo.get() || has(b"echo-message"));
                self.caps.tags.set(self.caps.tags.get() || has(b"message-tags"));
                self.caps.time.set(self.caps.time.get() || has(b"server-time"));
                answer(b"ACK", line.param(1));
            }
            b"END" => {
                self.negotiating.set(false);
                self.welcome();
            }
            b"LIST" => answer(b"LIST", b""),
            _ => self.reply(b"410", &[line.param(0), b" :Invalid CAP command"]),
        }
    }

    fn welcome(&self) {
        if self.registered.get()
            || self.negotiating.get()
            || !self.user.get()
            || self.nick.borrow().is_empty()
        {
            return;
        }
        self.registered.set(true);
        self.reply(b"001", &[b":Welcome"]);
        self.reply(b"002", &[b":Your host is irc.bench"]);
        self.reply(b"003", &[b":This server was created for a measurement"]);
        self.reply(b"004", &[HOST.as_bytes(), b" bench-1 io ovbklmnst"]);
        let support =
            b"CHANTYPES=# PREFIX=(ov)@+ CHANMODES=b,k,l,imnst CASEMAPPING=ascii NICKLEN=30 NETWORK=bench";
        self.reply(b"005", &[support, b" :are supported by this server"]);
        self.reply(b"375", &[b":- irc.bench"]);
        self.reply(b"376", &[b":End of /MOTD command."]);
    }

    fn change_nick(self: &Rc<Self>, irc: &Irc, nick: &[u8]) {
        let folded = nick.to_ascii_lowercase();
        if irc
            .conns
            .borrow()
            .get(&folded)
            .is_some_and(|other| !Rc::ptr_eq(self, other))
        {
            return self.reply(b"433", &[nick, b" :Nickname is already in use"]);
        }
        if self.registered.get() {
            let line: [&[u8]; 3] = [&self.prefix(), b" NICK :", nick];
            irc.broadcast(self, &line);
        }
        let mut conns = irc.conns.borrow_mut();
        conns.remove(&self.nick.borrow().to_ascii_lowercase());
        *self.nick.borrow_mut() = nick.to_vec();
        conns.insert(folded, Rc::clone(self));
        drop(conns);
        self.welcome();
    }

    fn join(self: &Rc<Self>, irc: &Irc, name: &[u8]) {
        let joined = irc.channel(name, |channel| {
            if channel.has(self) {
                return false;
            }
            channel.members.push(Rc::clone(self));
            channel
                .members
                .iter()
                .for_each(|member| member.send(&[&self.prefix(), b" JOIN ", name]));
            true
        });
        if joined {
            self.reply(b"332", &[name, b" :A topic"]);
            self.reply(b"333", &[name, b" outsider 1700000000"]);
            self.names(irc, name);
        }
    }

    fn part(self: &Rc<Self>, irc: &Irc, name: &[u8]) {
        irc.channel(name, |channel| {
            if channel.has(self) {
                channel
                    .members
                    .iter()
                    .for_each(|member| member.send(&[&self.prefix(), b" PART ", name]));
                channel.members.retain(|member| !Rc::ptr_eq(member, self));
            }
        });
    }

    fn names(&self, irc: &Irc, name: &[u8]) {
        let mut names: Vec<u8> = Vec::new();
        for nick in irc.people(name) {
            if names.len() + nick.len() > NAMES {
                self.reply(b"353", &[b"= ", name, b" :", &names]);
                names.clear();
            }
            names.extend_from_slice(&nick);
            names.push(b' ');
        }
        self.reply(b"353", &[b"= ", name, b" :", &names]);
        self.reply(b"366", &[name, b" :End of /NAMES list"]);
    }

    fn who(&self, irc: &Irc, name: &[u8]) {
        for nick in irc.people(name) {
            let (nick, flags): (&[u8], &[u8]) = match nick.strip_prefix(b"@") {
                Some(bare) => (bare, b" H@ :0 "),
                None => (&nick, b" H :0 "),
            };
            let person: [&[u8]; 7] = [
                name,
                b" user host.example ",
                HOST.as_bytes(),
                b" ",
                nick,
                flags,
                b"somebody",
            ];
            self.reply(b"352", &person);
        }
        self.reply(b"315", &[name, b" :End of /WHO list"]);
    }
}

impl Irc {
    /// The people of a channel, an operator with `@`.
    fn people(&self, name: &[u8]) -> Vec<Vec<u8>> {
        let channels = self.channels.borrow();
        let Some(channel) = channels.get(name) else {
            return Vec::new();
        };
        let members = channel.members.iter().map(|member| member.nick.borrow().clone());
        members
            .chain(channel.ghosts.iter().map(|ghost| ghost.as_bytes().to_vec()))
            .collect()
    }
}
