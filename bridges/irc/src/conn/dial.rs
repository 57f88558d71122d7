//! Reaching a server: names to addresses, the outgoing policy on each address, TLS first, plain text only by the
//! operator's word and where the server has not asked for TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::warn;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Failure, Name, Notebook, Refusal, Secret, ServerId};

use crate::client::Security;
use crate::config::{Present, ServerPlan};
use crate::users::Users;

use super::ident::{Registered, Registry};
use super::link::{Link, Stream};
use super::sts;
use super::tls::{Tls, certificate_words};

const RESOLVE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(8);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// For everything together.
const ALL: Duration = Duration::from_secs(20);
/// Looking names up blocks threads: a thousand users of a dead resolver must not take a thousand.
const LOOKUPS: usize = 8;
/// More addresses of one name than this are not tried.
const MOST_ADDRESSES: usize = 8;

/// What makes connections.
pub(crate) struct Dialler {
    policy: OutgoingPolicy,
    notebook: Arc<dyn Notebook>,
    setup: Present,
    lookups: Semaphore,
    users: Arc<Users>,
    /// Whose connections there are, where servers may ask.
    ident: Option<Arc<Registry>>,
}

/// A connection that was made.
pub(crate) struct Dialled {
    pub(crate) link: Link,
    pub(crate) security: Security,
    pub(crate) port: u16,
}

/// Where to, and as whom.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a> {
    /// The user's bare JID.
    pub(crate) user: &'a str,
    pub(crate) server: &'a ServerId,
    pub(crate) plan: &'a ServerPlan,
    /// The user's certificate.
    pub(crate) certificate: Option<&'a Secret>,
    /// With TLS at this port and nowhere else: the server has just asked for it.
    pub(crate) upgrade: Option<u16>,
}

/// Why an address was not reached.
enum Miss {
    /// Nothing listens there.
    Closed,
    /// This kind of address does not work here at all (no IPv6, say).
    NoRoute,
    /// Something else, in words.
    Other(String),
}

impl Dialler {
    pub(crate) fn new(
        policy: OutgoingPolicy,
        notebook: Arc<dyn Notebook>,
        setup: Present,
        users: Arc<Users>,
    ) -> Self {
        let ident = setup.load().config.ident.as_ref().map(|_| Arc::default());
        Self {
            policy,
            notebook,
            setup,
            lookups: Semaphore::new(LOOKUPS),
            users,
            ident,
        }
    }

    /// Whose connections there are, where servers may ask.
    pub(crate) fn ident(&self) -> Option<&Arc<Registry>> {
        self.ident.as_ref()
    }

    /// Connects to a server.
    ///
    /// # Errors
    /// In words for the user. A bad certificate is the end of it: nothing else is tried.
    pub(crate) async fn dial(&self, route: &Route<'_>) -> Result<Dialled, Failure> {
        match timeout(ALL, self.dial_all(route)).await {
            Ok(result) => result,
            Err(_) => Err(unreachable(route.server, "it did not answer in time")),
        }
    }

    async fn dial_all(&self, route: &Route<'_>) -> Result<Dialled, Failure> {
        let Route { server, plan, .. } = *route;
        // One setup for the whole attempt: what is checked, and what is said of it, belong together.
        let setup = self.setup.load_full();
        let addresses = self.resolve(server, plan).await?;
        let (ports, must_encrypt) = self.tls_ports(route);
        let mut misses = Vec::new();
        for port in ports {
            for ip in &addresses {
                match self.connect(route, SocketAddr::new(*ip, port)).await {
                    Ok((stream, registered)) => {
                        match self.handshake(&setup.tls, route, stream).await? {
                            Ok(link) => {
                                let link = link.registered(registered);
                                // TLS on a port that only the server's own policy has named is bound to that policy: when
                                // it is over, the server may be found on the ports that all servers have. What a user
                                // has found at ports of their own, or trusts, is nobody else's rule.
                                if !plan.personal && plan.tls_ports.contains(&port) {
                                    self.note_tls(server);
                                }
                                let security = match setup.tls.verifies(server.as_str(), plan.trust.as_ref())
                                {
                                    true => Security::Verified,
                                    false => Security::Unverified,
                                };
                                return Ok(Dialled { link, security, port });
                            }
                            Err(words) => misses.push(Miss::Other(words)),
                        }
                    }
                    Err(miss) => misses.push(miss),
                }
            }
        }
        if must_encrypt {
            let words = words_of(misses);
            let words = format!("{words}, and it has asked to be reached encrypted only");
            return Err(unreachable(server, &words));
        }
        if plan.plain_is_fallback {
            let closed = misses.iter().any(|miss| matches!(miss, Miss::Closed))
                && misses
                    .iter()
                    .all(|miss| matches!(miss, Miss::Closed | Miss::NoRoute));
            if !closed {
                return Err(unreachable(server, &words_of(misses)));
            }
            if self.notebook.get(&tls_key(server)).is_some() {
                let words =
                    "its port for TLS is closed, and it is not used unencrypted since TLS has worked with it";
                return Err(unreachable(server, words));
            }
        }
        let security = if plan.plain_is_fallback {
            Security::PlainByFallback
        } else {
            Security::PlainByChoice
        };
        for port in plan.plain_ports.iter().copied() {
            for ip in &addresses {
                match self.connect(route, SocketAddr::new(*ip, port)).await {
                    Ok((stream, registered)) => {
                        let link = Link::new(Stream::Plain(stream)).registered(registered);
                        return Ok(Dialled { link, security, port });
                    }
                    Err(miss) => misses.push(miss),
                }
            }
        }
        Err(unreachable(server, &words_of(misses)))
    }

    /// The ports to try with TLS, and whether nothing else may be tried because the server wants it so (IRCv3 sts).
    fn tls_ports(&self, route: &Route<'_>) -> (Vec<u16>, bool) {
        let Route { server, plan, .. } = *route;
        if let Some(port) = route.upgrade {
            return (vec![port], true);
        }
        // Where the operator has named ports, or chosen between TLS and plain text, that is the last word.
        let policy = plan
            .by_default
            .then(|| sts::in_force(&*self.notebook, server, SystemTime::now()))
            .flatten();
        let others = plan
            .tls_ports
            .iter()
            .copied()
            .filter(|port| Some(*port) != policy);
        (policy.into_iter().chain(others).collect(), policy.is_some())
    }

    /// Connects to one address. Where servers may ask whose a connection is, it is on record before they can.
    async fn connect(
        &self,
        route: &Route<'_>,
        address: SocketAddr,
    ) -> Result<(TcpStream, Option<Registered>), Miss> {
        let (socket, registered) = self.socket(route, address).map_err(|error| miss(&error))?;
        Ok((connect(socket, address).await?, registered))
    }

    /// A socket that is ready to be connected, from the user's own address if there is one of the kind.
    pub(super) fn socket(
        &self,
        route: &Route<'_>,
        to: SocketAddr,
    ) -> io::Result<(TcpSocket, Option<Registered>)> {
        let (socket, any) = match to {
            SocketAddr::V4(_) => (TcpSocket::new_v4()?, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (TcpSocket::new_v6()?, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        };
        let address = |pool| self.users.address(route.user, pool, to.is_ipv6());
        let setup = self.setup.load();
        let source = setup.config.outgoing_addresses.as_ref().and_then(address);
        if let Some(source) = source {
            bind_freely(&socket, source).inspect_err(|error| {
                warn!(%source, %error, "an address of outgoing_addresses cannot be used");
            })?;
        }
        let registered = match &self.ident {
            Some(registry) => {
                if source.is_none() {
                    socket.bind(SocketAddr::new(any, 0))?;
                }
                let id = self.users.id(route.user);
                Some(registry.register(socket.local_addr()?, to, id))
            }
            None => None,
        };
        Ok((socket, registered))
    }

    /// The addresses of a server that may be connected to. They are checked, and then connected to themselves: a name
    /// cannot change its mind in between.
    async fn resolve(&self, server: &ServerId, plan: &ServerPlan) -> Result<Vec<IpAddr>, Failure> {
        let mut all: Vec<IpAddr> = Vec::new();
        if let Ok(ip) = plan.host.parse() {
            all.push(ip);
        } else {
            let lookup = async {
                let _permit = self.lookups.acquire().await;
                lookup_host((plan.host.as_str(), 0)).await
            };
            match timeout(RESOLVE, lookup).await {
                Ok(Ok(found)) => {
                    for address in found {
                        if !all.contains(&address.ip()) {
                            all.push(address.ip());
                        }
                    }
                }
                Ok(Err(_)) => return Err(unreachable(server, "there is no server of this name")),
                Err(_) => return Err(unreachable(server, "its address could not be found in time")),
            }
        }
        let found = all.len();
        // The operator has named the server, but not the ports that a user may try there.
        let exempt = plan.by_operator && plan.has_usual_ports();
        all.retain(|ip| exempt || self.policy.permits(*ip));
        if all.is_empty() && found > 0 {
            let words = "its address is in a private range, where this gateway does not connect to";
            return Err(unreachable(server, words));
        }
        all.truncate(MOST_ADDRESSES);
        Ok(all)
    }

    /// Speaks TLS. The outer error is final (the certificate), the inner one is about this address only.
    async fn handshake(
        &self,
        tls: &Tls,
        route: &Route<'_>,
        stream: TcpStream,
    ) -> Result<Result<Link, String>, Failure> {
        let server = route.server;
        let config = tls
            .config(server.as_str(), route.plan.trust.as_ref(), route.certificate)
            .map_err(|words| unreachable(server, &words))?;
        let name = ServerName::try_from(server.as_str().to_owned())
            .map_err(|_| unreachable(server, "its name cannot be checked against a certificate"))?;
        let connector = TlsConnector::from(config);
        match timeout(HANDSHAKE, Box::pin(connector.connect(name, stream))).await {
            Ok(Ok(stream)) => Ok(Ok(Link::new(Stream::Tls(Box::new(stream))))),
            Ok(Err(error)) => {
                let tls = error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<rustls::Error>());
                match tls.and_then(certificate_words) {
                    Some(words) => {
                        let words = format!("its certificate is not accepted: {words}");
                        Err(unreachable(server, &words))
                    }
                    None => Ok(Err(match tls {
                        Some(error) => format!("TLS failed ({error})"),
                        None => format!("TLS failed ({})", io_words(&error)),
                    })),
                }
            }
            Err(_) => Ok(Err("TLS was not answered in time".to_owned())),
        }
    }

    fn note_tls(&self, server: &ServerId) {
        let key = tls_key(server);
        if self.notebook.get(&key).is_none() {
            self.notebook.put(&key, "works");
        }
    }
}

fn tls_key(server: &ServerId) -> String {
    format!("tls/{server}")
}

/// Binds a socket to an address that need not be one of an interface: where a whole range is routed to this machine
/// nobody wants to list it. What is not routed here gets no answers.
fn bind_freely(socket: &TcpSocket, source: IpAddr) -> io::Result<()> {
    let options = socket2::SockRef::from(socket);
    match source {
        IpAddr::V4(_) => options.set_freebind_v4(true)?,
        IpAddr::V6(_) => options.set_freebind_v6(true)?,
    }
    socket.bind(SocketAddr::new(source, 0))
}

/// Connects a socket.
async fn connect(socket: TcpSocket, address: SocketAddr) -> Result<TcpStream, Miss> {
    match timeout(CONNECT, socket.connect(address)).await {
        Ok(Ok(stream)) => {
            // Neither makes a connection worthless where it is not possible.
            let _ = stream.set_nodelay(true);
            let keepalive = socket2::TcpKeepalive::new()
                .with_time(Duration::from_secs(120))
                .with_interval(Duration::from_secs(30));
            let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
            Ok(stream)
        }
        Ok(Err(error)) => Err(miss(&error)),
        Err(_) => Err(Miss::Other("it did not answer in time".to_owned())),
    }
}

fn miss(error: &io::Error) -> Miss {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Miss::Closed,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Miss::NoRoute,
        _ => Miss::Other(io_words(error)),
    }
}

fn words_of(misses: Vec<Miss>) -> String {
    let mut words = "it has no address that can be reached from here".to_owned();
    for miss in misses {
        match miss {
            Miss::Other(other) => return other,
            Miss::Closed => "it refused the connection".clone_into(&mut words),
            Miss::NoRoute => {}
        }
    }
    words
}

/// An IO error without numbers that mean nothing to a user.
pub(crate) fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was cut off".to_owned(),
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        io::ErrorKind::TimedOut => "the connection timed out".to_owned(),
        io::ErrorKind::HostUnreachable => "there is no way to it".to_owned(),
        _ => error.to_string(),
    }
}

fn unreachable(server: &ServerId, words: &str) -> Failure {
    Failure::refused(
        Refusal::Unreachable,
        format!("{server} cannot be reached: {words}."),
    )
}

/// What users of an unencrypted connection are told.
pub(crate) fn plain_warning(server: &ServerId, account_unused: bool) -> Name {
    let rest = if account_unused {
        " Your account, passwords and commands were not used for that reason."
    } else {
        ""
    };
    Name::from(format!(
        "The connection to {server} is not encrypted: what you write and read can be seen on the way.{rest}"
    ))
}
