//! Connecting to the component listener of the XMPP server, and the handshake of XEP-0114 §3.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use minidom::Element;
use sha1::{Digest, Sha1};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_xmpp::xmlstream::{ReadError, StreamHeader, Timeouts, XmlStream, initiate_stream};
use viaduct_bridge::Secret;
use viaduct_core::ns;

use super::limits::Limits;
use super::wire::{Wire, WireEnds};

/// The namespace of stream errors and the stream itself (RFC 6120 §4.8.1).
pub(super) const STREAM: &str = "http://etherx.jabber.org/streams";

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub struct Target {
    /// `host:port` of the component listener.
    pub server: String,
    /// Whether it may be on another machine although the connection is not encrypted.
    pub allow_plain: bool,
    /// The component domain.
    pub domain: String,
    /// The secret that the server knows for it.
    pub secret: Secret,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until the connection and its handshake are complete.
    pub connect: Duration,
    /// How long the server may be silent before it is asked whether it is there.
    pub silence: Duration,
    /// How long it may take to answer that.
    pub answer: Duration,
    /// How long what was sent may go unconfirmed.
    pub confirm: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            answer: Duration::from_secs(20),
            confirm: Duration::from_secs(60),
        }
    }
}

/// Why there is no stream. The texts are for the operator.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The name of the server cannot be resolved.
    #[error("the name of the XMPP server in [xmpp] server = \"{server}\" cannot be resolved: {error}")]
    Resolve {
        /// As configured.
        server: String,
        /// Why.
        error: io::Error,
    },
    /// The server is on another machine.
    #[error(
        "the XMPP server at {address} is on another machine, and a component connection is not encrypted: its secret \
         and all messages would cross the network in plain text. Put a tunnel between them, or set \
         [xmpp] allow_plain = true if that network is yours alone"
    )]
    NotLocal {
        /// Where it is.
        address: SocketAddr,
    },
    /// Nobody listens, or not for us.
    #[error(
        "nothing accepts component connections at {server}: {error}. Is the XMPP server running, and is its component \
         port (Prosody: component_ports, ejabberd: a listener with module ejabberd_service) the one in [xmpp] server?"
    )]
    Connect {
        /// As configured.
        server: String,
        /// Why.
        error: io::Error,
    },
    /// The secret is wrong.
    #[error(
        "the XMPP server does not accept the secret of {domain}. Make the secret of this gateway the same as \
         component_secret (Prosody) or password (ejabberd) for {domain} in the server's configuration"
    )]
    WrongSecret {
        /// For which domain.
        domain: String,
    },
    /// The server does not know the domain.
    #[error(
        "the XMPP server knows no component {domain}. Add Component \"{domain}\" (Prosody) or {domain} under hosts of \
         the ejabberd_service listener (ejabberd), with the secret of this gateway, and reload the server"
    )]
    UnknownHost {
        /// Which domain.
        domain: String,
    },
    /// There is a component with this domain already.
    #[error(
        "the XMPP server says that {domain} is connected already. If another program serves it, stop that; if it is a \
         connection of ours that broke, the server lets it go after some time, or at once with \
         component_conflict_resolve = \"kick_old\" (Prosody)"
    )]
    Conflict {
        /// Which domain.
        domain: String,
    },
    /// Another stream error.
    #[error("the XMPP server ended the stream of {domain}: {condition}{}", text.as_ref().map_or(String::new(), |text| format!(" ({text})")))]
    Stream {
        /// Which domain.
        domain: String,
        /// The condition of RFC 6120 §4.9.3.
        condition: String,
        /// What the server says about it.
        text: Option<String>,
    },
    /// It does not answer.
    #[error(
        "the XMPP server at {server} accepted the connection but said nothing; is this its component port?"
    )]
    Silent {
        /// As configured.
        server: String,
    },
    /// It speaks something else.
    #[error("what answers at {server} does not speak the component protocol: {error}")]
    NoComponentPort {
        /// As configured.
        server: String,
        /// What is wrong.
        error: String,
    },
}

impl ConnectError {
    /// Whether only the operator can change it, so that there is no hurry to try again.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        matches!(
            self,
            Self::NotLocal { .. }
                | Self::WrongSecret { .. }
                | Self::UnknownHost { .. }
                | Self::Conflict { .. }
        )
    }
}

/// A stream after its handshake.
pub(super) struct Connected {
    pub(super) stream: XmlStream<Wire, Element>,
    pub(super) ends: WireEnds,
    pub(super) writer: OwnedWriteHalf,
}

/// Connects and shakes hands.
pub(super) async fn connect(
    target: &Target,
    limits: Limits,
    patience: &Patience,
) -> Result<Connected, ConnectError> {
    let attempt = async {
        let socket = dial(target).await?;
        shake_hands(socket, target, limits, patience).await
    };
    match timeout(patience.connect, Box::pin(attempt)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Silent {
            server: target.server.clone(),
        }),
    }
}

/// Tries every address of the server.
async fn dial(target: &Target) -> Result<TcpStream, ConnectError> {
    let server = target.server.clone();
    let addresses = match lookup_host(&target.server).await {
        Ok(addresses) => addresses,
        Err(error) => return Err(ConnectError::Resolve { server, error }),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        if !target.allow_plain && !address.ip().to_canonical().is_loopback() {
            return Err(ConnectError::NotLocal { address });
        }
        match TcpStream::connect(address).await {
            Ok(socket) => {
                let keepalive = TcpKeepalive::new()
                    .with_time(Duration::from_secs(30))
                    .with_interval(Duration::from_secs(10));
                // Both only make the link better; it works without them.
                let tuned = socket
                    .set_nodelay(true)
                    .and(SockRef::from(&socket).set_tcp_keepalive(&keepalive));
                if let Err(error) = tuned {
                    tracing::debug!(%error, "the socket to the XMPP server could not be tuned");
                }
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(ConnectError::Connect { server, error: last })
}

async fn shake_hands(
    socket: TcpStream,
    target: &Target,
    limits: Limits,
    patience: &Patience,
) -> Result<Connected, ConnectError> {
    let strange = |error: String| ConnectError::NoComponentPort {
        server: target.server.clone(),
        error,
    };
    let (wire, ends) = Wire::new(socket, limits);
    let header = StreamHeader {
        from: None,
        to: Some(target.domain.as_str().into()),
        id: None,
    };
    let timeouts = Timeouts {
        read_timeout: patience.silence,
        response_timeout: patience.answer,
    };
    let mut pending = initiate_stream(wire, ns::COMPONENT, header, timeouts)
        .await
        .map_err(|error| strange(error.to_string()))?;
    let id = pending.take_header().id;
    let mut stream: XmlStream<Wire, Element> = pending.skip_features();
    if let Some(id) = id {
        let handshake = Element::builder("handshake", ns::COMPONENT)
            .append(digest(&id, &target.secret))
            .build();
        // A server that refuses the domain may have closed already: what it said is still to be read.
        let _ = stream.send(&handshake).await;
    }
    loop {
        match stream.next().await {
            Some(Ok(element)) if element.is("handshake", ns::COMPONENT) => break,
            Some(Ok(element)) if element.is("error", STREAM) => {
                return Err(stream_error(&element, &target.domain));
            }
            Some(Ok(element)) => return Err(strange(format!("it sent <{}/> first", element.name()))),
            Some(Err(ReadError::SoftTimeout)) => {}
            Some(Err(error)) => return Err(strange(error.to_string())),
            None => return Err(strange("it closed the connection".to_owned())),
        }
    }
    let writer = ends
        .take_writer()
        .ok_or_else(|| strange("the connection has no writer".to_owned()))?;
    Ok(Connected { stream, ends, writer })
}

/// XEP-0114 §3: the SHA-1 of stream id and secret, in lower-case hexadecimal.
fn digest(id: &str, secret: &Secret) -> String {
    let mut hash = Sha1::new();
    hash.update(id.as_bytes());
    hash.update(secret.reveal().as_bytes());
    hash.finalize()
        .iter()
        .fold(String::with_capacity(40), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Reads a stream error (RFC 6120 §4.9).
pub(super) fn stream_error(element: &Element, domain: &str) -> ConnectError {
    let domain = domain.to_owned();
    let mut conditions = element.children().filter(|child| child.name() != "text");
    let condition = conditions
        .next()
        .map_or("no reason given", Element::name)
        .to_owned();
    let text = element
        .children()
        .find(|child| child.name() == "text")
        .map(Element::text);
    match condition.as_str() {
        "not-authorized" => ConnectError::WrongSecret { domain },
        "host-unknown" | "host-gone" => ConnectError::UnknownHost { domain },
        "conflict" => ConnectError::Conflict { domain },
        _ => ConnectError::Stream {
            domain,
            condition,
            text,
        },
    }
}
