//! The identification protocol (RFC 1413): IRC servers ask whose a connection is, so that they can tell the users of
//! this gateway apart, and ban one without banning all.
//!
//! A connection is noted before it is made, and is on record for as long as its socket is open. The answer is what
//! stands for the user everywhere, and never the JID. Anybody can ask: connections to this listener are few, short,
//! and those of strangers do not take the place of those of servers.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};
use viaduct_bridge::Name;

/// The longest question: two port numbers and some blanks.
const MOST_QUESTION: usize = 64;
/// How long a question and its answer may take. Servers give up after 5 to 10 seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many may be asking at a time: of those that we are connected to, and of all others.
const SERVERS: usize = 256;
const STRANGERS: usize = 32;
/// The pause after the system had no room for another connection.
const NO_ROOM: Duration = Duration::from_millis(200);

/// Whose connections there are.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    pairs: HashMap<Pair, Vec<Entry>>,
    /// How many there are to each address.
    servers: HashMap<IpAddr, usize>,
}

/// Our port, and the other end.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    local: u16,
    remote: SocketAddr,
}

struct Entry {
    /// Our address; none if the system chooses it.
    local: Option<IpAddr>,
    id: Name,
}

/// A connection on record. It is taken off the record when this is dropped.
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pair: Pair,
    local: Option<IpAddr>,
}

impl Registry {
    /// Puts a connection on record, which is bound to its own end and not made yet.
    pub(crate) fn register(self: &Arc<Self>, local: SocketAddr, remote: SocketAddr, id: Name) -> Registered {
        let pair = Pair {
            local: local.port(),
            remote: canonical(remote),
        };
        let local = Some(local.ip().to_canonical()).filter(|ip| !ip.is_unspecified());
        let mut connections = self.lock();
        *connections.servers.entry(pair.remote.ip()).or_default() += 1;
        connections
            .pairs
            .entry(pair)
            .or_default()
            .push(Entry { local, id });
        drop(connections);
        Registered {
            registry: self.clone(),
            pair,
            local,
        }
    }

    /// The answer to a question that came from one address to another.
    fn answer(&self, question: &str, from: IpAddr, to: IpAddr) -> String {
        let ports = question
            .split_once(',')
            .and_then(|(local, remote)| Some((port(local)?, port(remote)?)));
        let Some((local, remote)) = ports else {
            return "0 , 0 : ERROR : INVALID-PORT\r\n".to_owned();
        };
        match self.whose(local, SocketAddr::new(from, remote), to) {
            // OTHER: this is no name by which the user can be written to (RFC 1413 §5).
            Some(id) => format!("{local} , {remote} : USERID : OTHER : {id}\r\n"),
            None => format!("{local} , {remote} : ERROR : NO-USER\r\n"),
        }
    }

    fn whose(&self, local: u16, remote: SocketAddr, to: IpAddr) -> Option<Name> {
        let remote = canonical(remote);
        let to = to.to_canonical();
        let connections = self.lock();
        let entries = connections.pairs.get(&Pair { local, remote })?;
        // A firewall that sends questions on to another port may have changed the address that they went to: then the
        // ports decide, if they can.
        let exact = entries.iter().find(|entry| entry.local == Some(to));
        let only = entries.first().filter(|_| entries.len() == 1);
        exact.or(only).map(|entry| entry.id.clone())
    }

    /// Whether there is a connection to this address.
    fn knows(&self, ip: IpAddr) -> bool {
        self.lock().servers.contains_key(&ip.to_canonical())
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        // Nothing that is done under the lock can leave it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut connections = self.registry.lock();
        if let Some(entries) = connections.pairs.get_mut(&self.pair) {
            if let Some(at) = entries.iter().position(|entry| entry.local == self.local) {
                entries.swap_remove(at);
            }
            if entries.is_empty() {
                connections.pairs.remove(&self.pair);
            }
        }
        let server = self.pair.remote.ip();
        if let Some(count) = connections.servers.get_mut(&server) {
            *count -= 1;
            if *count == 0 {
                connections.servers.remove(&server);
            }
        }
    }
}

/// The listener at work. It ends when this is dropped.
pub(crate) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers at an address. Must be called within a tokio runtime.
///
/// # Errors
/// When there is no listening at this address.
pub(crate) fn listen(address: SocketAddr, registry: Arc<Registry>) -> io::Result<Listening> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    Ok(Listening(tokio::spawn(serve(listener, registry))))
}

async fn serve(listener: TcpListener, registry: Arc<Registry>) {
    let servers = Arc::new(Semaphore::new(SERVERS));
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Only this one connection, or no room for any: then it would fail again at once.
                warn!(%error, "a question about a connection (ident) was not taken");
                sleep(NO_ROOM).await;
                continue;
            }
        };
        let places = if registry.knows(from.ip()) {
            &servers
        } else {
            &strangers
        };
        // Who finds no place is not kept waiting.
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let registry = registry.clone();
        tokio::spawn(async move {
            // Whatever goes wrong is the asker's concern.
            if let Ok(Err(error)) = timeout(PATIENCE, answer(stream, &registry)).await {
                debug!(%error, "a question about a connection (ident) was not answered");
            }
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, registry: &Registry) -> io::Result<()> {
    let (from, to) = (stream.peer_addr()?.ip(), stream.local_addr()?.ip());
    let mut question = Vec::new();
    while !question.contains(&b'\n') {
        let mut chunk = [0; MOST_QUESTION];
        let read = stream.read(&mut chunk).await?;
        question.extend_from_slice(&chunk[..read]);
        if read == 0 || question.len() > MOST_QUESTION {
            return Ok(());
        }
    }
    let line = question.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let answer = registry.answer(&String::from_utf8_lossy(line), from, to);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};
    use std::sync::Arc;

    use viaduct_bridge::outgoing::OutgoingPolicy;
    use viaduct_bridge::{Name, Notebook, ServerId};

    use super::Registry;
    use crate::config::IrcConfig;
    use crate::conn::dial::{Dialler, Route};
    use crate::conn::tls::Tls;
    use crate::testing::Notes;
    use crate::users::Users;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn questions_and_answers() {
        let registry = Arc::new(Registry::default());
        let alice = registry.register(
            address("0.0.0.0:4000"),
            address("192.0.2.1:6697"),
            Name::from("aaa"),
        );
        let (server, us) = (ip("192.0.2.1"), ip("198.51.100.1"));
        let ask = |question: &str| registry.answer(question, server, us);
        assert_eq!(ask("4000,6697\r"), "4000 , 6697 : USERID : OTHER : aaa\r\n");
        assert_eq!(ask(" 4000 , 6697 "), "4000 , 6697 : USERID : OTHER : aaa\r\n");
        assert_eq!(ask("4000, 6667"), "4000 , 6667 : ERROR : NO-USER\r\n");
        for odd in ["", "4000", "0,6697", "4000,65536", "-1,2", "a,b", "1,2,3"] {
            assert_eq!(ask(odd), "0 , 0 : ERROR : INVALID-PORT\r\n", "{odd}");
        }
        // Only the server itself is told.
        let stranger = registry.answer("4000,6697", ip("192.0.2.2"), us);
        assert_eq!(stranger, "4000 , 6697 : ERROR : NO-USER\r\n");
        // An IPv4 connection may be seen through an IPv6 listener.
        let mapped = registry.answer("4000,6697", ip("::ffff:192.0.2.1"), ip("::ffff:198.51.100.1"));
        assert!(mapped.ends_with("aaa\r\n"), "{mapped}");
        drop(alice);
        assert_eq!(ask("4000,6697"), "4000 , 6697 : ERROR : NO-USER\r\n");
        let connections = registry.lock();
        assert!(connections.pairs.is_empty() && connections.servers.is_empty());
    }

    /// A server may ask as soon as it sees the first packet.
    #[tokio::test]
    async fn a_connection_is_on_record_before_it_is_made() {
        let config = "ident = { listen = '127.0.0.1:113' }\noutgoing_addresses = '127.66.0.0/16'";
        let config: IrcConfig = toml::from_str(config).expect("valid");
        let notebook: Arc<dyn Notebook> = Arc::new(Notes::default());
        let users = Arc::new(Users::new(&*notebook));
        let tls = Tls::new(&config).expect("valid");
        let policy = OutgoingPolicy::default();
        let dialler = Dialler::new(policy, notebook, tls, users.clone(), &config);
        let route = Route {
            user: "alice@example.org",
            server: &ServerId(Name::from("irc.test")),
            plan: &config.plan("irc.test"),
            certificate: None,
            upgrade: None,
        };
        let server = address("127.0.0.1:6667");
        let (socket, registered) = dialler.socket(&route, server).expect("a socket");
        let local = socket.local_addr().expect("it is bound");
        let registry = dialler.ident().expect("servers may ask");
        let whose = || registry.whose(local.port(), server, local.ip());
        assert_eq!(whose(), Some(users.id("alice@example.org")));
        drop(registered);
        assert_eq!(whose(), None);
    }

    #[test]
    fn addresses_tell_the_same_ports_apart() {
        let registry = Arc::new(Registry::default());
        let server = address("[2001:db8:9::1]:6697");
        let register = |local, id| registry.register(address(local), server, Name::from(id));
        let _alice = register("[2001:db8::a]:4000", "aaa");
        let bob = register("[2001:db8::b]:4000", "bbb");
        let whose = |to| registry.whose(4000, server, ip(to));
        assert_eq!(whose("2001:db8::a").as_deref(), Some("aaa"));
        assert_eq!(whose("2001:db8::b").as_deref(), Some("bbb"));
        assert_eq!(whose("2001:db8::c"), None, "it could be either");
        drop(bob);
        assert_eq!(whose("2001:db8::c").as_deref(), Some("aaa"));
        assert!(registry.knows(server.ip()) && !registry.knows(ip("2001:db8::a")));
    }
}
