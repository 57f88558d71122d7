//! An IRC server that does exactly what a test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Certificate;

/// Both directions of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A listening server.
pub(crate) struct Scripted {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

/// One connection to it.
pub(crate) struct Peer {
    /// The other end, and ours.
    pub(crate) remote: SocketAddr,
    pub(crate) local: SocketAddr,
    stream: BufReader<Box<dyn Stream>>,
    seen: Vec<String>,
}

impl Scripted {
    pub(crate) async fn plain() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub(crate) async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free address");
        Self { listener, tls: None }
    }

    pub(crate) async fn tls(certificate: &Certificate) -> Self {
        Self::tls_at("127.0.0.1:0", certificate).await
    }

    pub(crate) async fn tls_at(address: &str, certificate: &Certificate) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = CertificateDer::pem_file_iter(&certificate.chain)
            .expect("readable")
            .collect::<Result<Vec<_>, _>>()
            .expect("certificates");
        let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("a key");
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate and its key");
        let mut server = Self::at(address).await;
        server.tls = Some(TlsAcceptor::from(Arc::new(config)));
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("bound").port()
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> Peer {
        self.try_accept().await.expect("the client speaks TLS")
    }

    /// The next connection, unless TLS fails.
    pub(crate) async fn try_accept(&self) -> std::io::Result<Peer> {
        let accept = timeout(Duration::from_secs(20), self.listener.accept());
        let (stream, remote) = accept.await.expect("a client comes in time").expect("accepted");
        let local = stream.local_addr()?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.accept(stream).await?),
            None => Box::new(stream),
        };
        Ok(Peer {
            remote,
            local,
            stream: BufReader::new(stream),
            seen: Vec::new(),
        })
    }

    /// Whether nobody comes for a while.
    pub(crate) async fn is_left_alone(&self, long: Duration) -> bool {
        timeout(long, self.listener.accept()).await.is_err()
    }
}

impl Peer {
    /// Sends lines.
    pub(crate) async fn say(&mut self, text: &str) {
        let text = text.replace('\n', "\r\n") + "\r\n";
        self.write(text.as_bytes()).await;
    }

    /// The login is done.
    pub(crate) async fn greet_alice(&mut self) {
        self.say(":irc.test 001 alice :Welcome\n:irc.test 376 alice :End")
            .await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the client reads");
        self.stream.flush().await.expect("the client reads");
    }

    /// The next line; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(20), self.stream.read_line(&mut line));
        let read = read
            .await
            .unwrap_or_else(|_| panic!("nothing more after {:?}", self.seen))
            .unwrap_or(0);
        self.seen.push(line.clone());
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Reads until a line begins with this.
    pub(crate) async fn until(&mut self, start: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.line().await {
            if line.starts_with(start) {
                return line;
            }
            seen.push(line);
        }
        panic!("no '{start}' before the end; instead {seen:?}")
    }

    /// Lets the client log in, without capabilities.
    pub(crate) async fn welcome(&mut self) {
        self.welcome_with("").await;
    }

    /// Lets the client log in; none of these capabilities is one that it asks for.
    pub(crate) async fn welcome_with(&mut self, caps: &str) {
        let nick = self.until("NICK ").await;
        let nick = nick.trim_start_matches("NICK ").to_owned();
        self.until("USER ").await;
        self.say(&format!(":irc.test CAP * LS :{caps}")).await;
        assert_eq!(self.until("CAP").await, "CAP END");
        self.say(&format!(
            ":irc.test 001 {nick} :Welcome\n:irc.test 005 {nick} CASEMAPPING=ascii :are\n:irc.test 376 {nick} :End"
        ))
        .await;
    }

    /// Lets the client into a channel where nobody else is.
    pub(crate) async fn let_in(&mut self, nick: &str, channel: &str) {
        self.until(&format!("JOIN {channel}")).await;
        self.say(&format!(":{nick}!u@h JOIN {channel}\n:irc.test 353 {nick} = {channel} :{nick}\n:irc.test 366 {nick} {channel} :End"))
            .await;
        self.until(&format!("MODE {channel}")).await;
        self.say(&format!(":irc.test 324 {nick} {channel} +n")).await;
    }
}
