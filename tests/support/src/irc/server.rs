//! A scripted IRC server, for faults on demand and for what the real servers lack.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use viaduct_test_support::irc::{IrcServer, Welcome};
//! use viaduct_test_support::ports::Port;
//! use viaduct_test_support::transcript::Transcript;
//!
//! let port = Port::reserve()?;
//! let server = IrcServer::bind(port.addr(), Transcript::alone().voice("server")).await?;
//! let session = server.accept().await?;
//! let nick = session.welcome(&Welcome { caps: &["echo-message"], ..Welcome::default() }).await?;
//! session.expect_command("JOIN", &["#room"]).await?;
//! session.send(format!(":{nick}!u@h JOIN #room")).await?;
//! # Ok(())
//! # }
//! ```

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::line::Line;
use super::wire::IrcWire;
use crate::certificate::Certificate;
use crate::patience::patience;
use crate::transcript::Voice;

/// Listens on a loopback port; what happens on a connection is the test's business.
pub struct IrcServer {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    voice: Voice,
    sessions: AtomicU32,
}

/// A connection that was accepted. It answers PING by itself until the test says otherwise.
#[derive(Debug)]
pub struct IrcSession {
    wire: IrcWire,
    /// What the client has shown.
    certificate: Option<Vec<u8>>,
}

/// What a scripted server says to somebody who registers.
#[derive(Debug, Clone, Copy)]
pub struct Welcome<'a> {
    /// The IRCv3 capabilities that it has, with values (`sasl=PLAIN`) where they have some.
    pub caps: &'a [&'a str],
    /// The tokens of ISUPPORT.
    pub isupport: &'a [&'a str],
}

impl Default for Welcome<'_> {
    fn default() -> Self {
        let isupport = &[
            "CHANTYPES=#",
            "PREFIX=(qaohv)~&@%+",
            "CASEMAPPING=ascii",
            "CHANMODES=b,k,l,imnst",
            "NICKLEN=30",
        ];
        Self { caps: &[], isupport }
    }
}

impl std::fmt::Debug for IrcServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IrcServer")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl IrcServer {
    /// Listens without encryption.
    pub async fn bind(addr: SocketAddr, voice: Voice) -> Result<Self> {
        let listener = TcpListener::bind(addr)
            .await
            .with_context(|| format!("listening on {addr}"))?;
        Ok(Self {
            listener,
            tls: None,
            voice,
            sessions: AtomicU32::new(1),
        })
    }

    /// Listens with TLS. Clients are asked for a certificate, and may have none; whose it is, is the test's business.
    pub async fn bind_tls(addr: SocketAddr, certificate: &Certificate, voice: Voice) -> Result<Self> {
        let chain = CertificateDer::pem_file_iter(&certificate.chain)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(&certificate.key)?;
        let provider = Arc::new(default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config
            .with_client_cert_verifier(Arc::new(AnyCertificate))
            .with_single_cert(chain, key)?;
        Ok(Self {
            tls: Some(TlsAcceptor::from(Arc::new(config))),
            ..Self::bind(addr, voice).await?
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Waits for the next connection.
    pub async fn accept(&self) -> Result<IrcSession> {
        let stream = self.accept_tcp().await?;
        stream.set_nodelay(true)?;
        let name = format!(
            "{}#{}",
            self.voice.name(),
            self.sessions.fetch_add(1, Ordering::Relaxed)
        );
        let voice = self.voice.transcript().voice(&name);
        let mut certificate = None;
        let wire = match &self.tls {
            None => {
                let (reader, writer) = stream.into_split();
                IrcWire::new(reader, writer, voice, Box::new(pong))
            }
            Some(tls) => {
                let stream = timeout(patience(), tls.accept(stream))
                    .await
                    .context("the TLS handshake takes too long")?;
                let stream = stream.context("the TLS handshake fails")?;
                let shown = stream.get_ref().1.peer_certificates();
                certificate = shown.and_then(|chain| chain.first()).map(|first| first.to_vec());
                let (reader, writer) = tokio::io::split(stream);
                IrcWire::new(reader, writer, voice, Box::new(pong))
            }
        };
        Ok(IrcSession { wire, certificate })
    }

    /// Waits for the next connection and gives it raw, before any TLS.
    pub async fn accept_tcp(&self) -> Result<TcpStream> {
        match timeout(patience(), self.listener.accept()).await {
            Ok(accepted) => Ok(accepted?.0),
            Err(_) => Err(self.voice.failure("expected a connection: none came")),
        }
    }
}

fn pong(line: &Line) -> Option<Vec<String>> {
    line.is("PING", &[])
        .then(|| vec![format!(":irc.test PONG irc.test :{}", line.last())])
}

/// Takes whatever certificate a client shows, or none, as IRC servers do: what counts is its fingerprint. That the client
/// has the key is checked.
#[derive(Debug)]
struct AnyCertificate;

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl Deref for IrcSession {
    type Target = IrcWire;

    fn deref(&self) -> &IrcWire {
        &self.wire
    }
}

impl IrcSession {
    /// The certificate that the client has shown, in DER.
    pub fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// From now on lines go through the closure first: what it gives for a line is sent and the test does not
    /// see the line; for `None` the line waits for the test. This replaces the answer to PING too.
    pub fn respond(&self, script: impl FnMut(&Line) -> Option<Vec<String>> + Send + 'static) {
        self.wire.set_reflex(Box::new(script));
    }

    /// Like [`IrcSession::respond`], with PING still answered.
    pub fn respond_and_pong(&self, mut script: impl FnMut(&Line) -> Option<Vec<String>> + Send + 'static) {
        self.respond(move |line| pong(line).or_else(|| script(line)));
    }

    /// Takes somebody through registration: capabilities, NICK, USER, the welcome. Gives the nickname.
    pub async fn welcome(&self, welcome: &Welcome<'_>) -> Result<String> {
        let mut nick = String::new();
        let (mut user, mut negotiating) = (false, false);
        while nick.is_empty() || !user || negotiating {
            let wanted = |line: &Line| ["CAP", "NICK", "USER"].contains(&line.command.as_str());
            let line = self.expect("registration (CAP, NICK, USER)", wanted).await?;
            match (line.command.as_str(), line.param(0)) {
                ("NICK", wish) => nick = wish.to_owned(),
                ("USER", _) => user = true,
                (_, "END") => negotiating = false,
                (_, "LS") => {
                    negotiating = true;
                    self.send(format!(":irc.test CAP * LS :{}", welcome.caps.join(" ")))
                        .await?;
                }
                (_, "REQ") => {
                    negotiating = true;
                    self.send(format!(":irc.test CAP * ACK :{}", line.last())).await?;
                }
                _ => {}
            }
        }
        self.send(format!(":irc.test 001 {nick} :Welcome, {nick}"))
            .await?;
        self.send(format!(":irc.test 002 {nick} :Your host is irc.test"))
            .await?;
        self.send(format!(":irc.test 003 {nick} :This server was made for a test"))
            .await?;
        self.send(format!(
            ":irc.test 004 {nick} irc.test scripted io beiklmnopqstvah"
        ))
        .await?;
        self.send(format!(
            ":irc.test 005 {nick} {} :are supported",
            welcome.isupport.join(" ")
        ))
        .await?;
        self.send(format!(":irc.test 422 {nick} :There is no message of the day"))
            .await?;
        Ok(nick)
    }

    /// Waits for a JOIN of the channel and lets `nick` in, with the others (who may carry prefixes) there.
    pub async fn let_in(&self, nick: &str, channel: &str, others: &[&str]) -> Result<()> {
        let wanted =
            |line: &Line| line.command == "JOIN" && line.param(0).split(',').any(|name| name == channel);
        self.expect(&format!("JOIN {channel}"), wanted).await?;
        self.send(format!(":{nick}!user@host JOIN {channel}")).await?;
        self.send(format!(
            ":irc.test 353 {nick} = {channel} :{nick} {}",
            others.join(" ")
        ))
        .await?;
        self.send(format!(":irc.test 366 {nick} {channel} :End of /NAMES list."))
            .await
    }
}
