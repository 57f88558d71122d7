//! A TCP proxy on loopback that breaks connections on demand.
//!
//! "Up" is from the party that connected to the one that listens, "down" is back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::patience::patience;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the party that connected.
    Up,
    /// To the party that connected.
    Down,
}

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    Pass,
    /// They wait in the sender's socket until the flow passes again.
    Stall,
    /// They pass, each piece this much later.
    Delay(Duration),
}

/// What every connection follows.
#[derive(Debug, Clone, Copy)]
struct Policy {
    up: Flow,
    down: Flow,
    /// Counts the cuts: a connection made under an earlier number ends.
    cuts: u64,
    open: bool,
}

/// A listener whose connections go on to another address.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    policy: watch::Sender<Policy>,
    injections: broadcast::Sender<(Way, Vec<u8>)>,
    bytes: Arc<[AtomicU64; 2]>,
    connections: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on one address and passes connections on to the other.
    pub async fn start(listen: SocketAddr, target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("listening on {listen}"))?;
        let addr = listener.local_addr()?;
        let (policy, follow) = watch::channel(Policy {
            up: Flow::Pass,
            down: Flow::Pass,
            cuts: 0,
            open: true,
        });
        let (injections, _) = broadcast::channel(64);
        let (counter, connections) = watch::channel(0);
        let bytes = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let shared = Shared {
            target,
            follow,
            injections: injections.clone(),
            bytes: bytes.clone(),
        };
        let task = tokio::spawn(serve(listener, shared, counter));
        Ok(Self {
            addr,
            policy,
            injections,
            bytes,
            connections,
            task,
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Breaks all connections (TCP reset both ways). New ones are still accepted.
    pub fn cut(&self) {
        self.policy.send_modify(|policy| policy.cuts += 1);
    }

    /// Breaks all connections, and every new one at once, until [`Proxy::open`].
    pub fn close(&self) {
        self.policy.send_modify(|policy| {
            policy.cuts += 1;
            policy.open = false;
        });
    }

    /// Lets connections through again after [`Proxy::close`].
    pub fn open(&self) {
        self.policy.send_modify(|policy| policy.open = true);
    }

    /// Says what happens to the bytes that go one way, on all connections, from now on.
    pub fn set(&self, way: Way, flow: Flow) {
        self.policy.send_modify(|policy| match way {
            Way::Up => policy.up = flow,
            Way::Down => policy.down = flow,
        });
    }

    /// Lets bytes pass both ways again.
    pub fn resume(&self) {
        self.set(Way::Up, Flow::Pass);
        self.set(Way::Down, Flow::Pass);
    }

    /// Puts bytes of our own between those of all connections, between two reads of the proxy.
    pub fn inject(&self, way: Way, bytes: &[u8]) {
        // Without a connection there is nobody to receive them.
        drop(self.injections.send((way, bytes.to_vec())));
    }

    /// How many bytes have passed that way.
    pub fn bytes(&self, way: Way) -> u64 {
        self.bytes[index(way)].load(Ordering::Relaxed)
    }

    /// How many connections have been let through since the start.
    pub fn connections(&self) -> u64 {
        *self.connections.borrow()
    }

    /// Waits until this many connections have been let through since the start.
    pub async fn wait_for_connections(&self, count: u64) -> Result<()> {
        let mut connections = self.connections.clone();
        let enough = timeout(patience(), connections.wait_for(|so_far| *so_far >= count)).await;
        enough.with_context(|| format!("{} connections came, not {count}", self.connections()))??;
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn index(way: Way) -> usize {
    match way {
        Way::Up => 0,
        Way::Down => 1,
    }
}

#[derive(Clone)]
struct Shared {
    target: SocketAddr,
    follow: watch::Receiver<Policy>,
    injections: broadcast::Sender<(Way, Vec<u8>)>,
    bytes: Arc<[AtomicU64; 2]>,
}

async fn serve(listener: TcpListener, shared: Shared, counter: watch::Sender<u64>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                if !shared.follow.borrow().open {
                    reset(&client);
                    continue;
                }
                let (shared, counter) = (shared.clone(), counter.clone());
                connections.spawn(async move {
                    match TcpStream::connect(shared.target).await {
                        Ok(server) => {
                            counter.send_modify(|count| *count += 1);
                            carry(client, server, shared).await;
                        }
                        // The listener behind us is dead, so we are as well.
                        Err(_) => reset(&client),
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, server: TcpStream, shared: Shared) {
    for stream in [&client, &server] {
        // Without it only the timing of small pieces differs.
        drop(stream.set_nodelay(true));
    }
    let mut follow = shared.follow.clone();
    let cuts = follow.borrow().cuts;
    let (client_reader, client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let pumps = async {
        // An end in order is waited for on both sides; a failure of one ends both.
        tokio::try_join!(
            pump(client_reader, server_writer, Way::Up, &shared),
            pump(server_reader, client_writer, Way::Down, &shared),
        )
    };
    tokio::select! {
        _ = pumps => {}
        // The pumps reset their connections when they are dropped half-way.
        _ = follow.wait_for(|policy| policy.cuts != cuts) => {}
    }
}

/// Resets its connection when it is dropped before its end.
struct Writer(Option<OwnedWriteHalf>);

impl Writer {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Some(half) => half.write_all(bytes).await,
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends the connection in order.
    fn end(&mut self) {
        drop(self.0.take());
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(half) = self.0.take() {
            reset(half.as_ref());
            // It would else say an orderly goodbye first.
            half.forget();
        }
    }
}

fn reset(stream: &TcpStream) {
    // A connection that has failed already needs no reset.
    drop(stream.set_zero_linger());
}

/// Carries bytes one way until their sender ends in order, or something fails.
async fn pump(mut reader: OwnedReadHalf, half: OwnedWriteHalf, way: Way, shared: &Shared) -> io::Result<()> {
    let mut writer = Writer(Some(half));
    let mut follow = shared.follow.clone();
    let mut injections = shared.injections.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    let flow_of = |policy: &Policy| if way == Way::Up { policy.up } else { policy.down };
    loop {
        let flowing = follow
            .wait_for(|policy| flow_of(policy) != Flow::Stall)
            .await
            .map(|policy| flow_of(&policy));
        let flow = flowing.map_err(io::Error::other)?;
        let length = tokio::select! {
            // A change of the policy is looked at before more is read.
            _ = follow.changed() => continue,
            injected = injections.recv() => match injected {
                Ok((to, bytes)) if to == way => {
                    writer.write(&bytes).await?;
                    bytes.len()
                }
                _ => continue,
            },
            read = reader.read(&mut buffer) => match read? {
                0 => {
                    writer.end();
                    return Ok(());
                }
                length => {
                    if let Flow::Delay(time) = flow {
                        tokio::time::sleep(time).await;
                    }
                    writer.write(&buffer[..length]).await?;
                    length
                }
            },
        };
        shared.bytes[index(way)].fetch_add(length as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("it is bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    tokio::io::copy(&mut reader, &mut writer).await
                });
            }
        });
        addr
    }

    async fn through(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.addr()).await.expect("the proxy listens")
    }

    async fn ask(stream: &mut TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
        stream.write_all(question).await?;
        let mut answer = vec![0; question.len()];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn carries_stalls_and_goes_on() {
        let proxy = Proxy::start(([127, 0, 0, 1], 0).into(), echo().await)
            .await
            .expect("it starts");
        let mut stream = through(&proxy).await;
        assert_eq!(ask(&mut stream, b"one").await.expect("it passes"), b"one");
        proxy.set(Way::Down, Flow::Stall);
        let stalled = timeout(Duration::from_millis(50), ask(&mut stream, b"two")).await;
        assert!(stalled.is_err(), "a stalled way carries nothing");
        proxy.resume();
        let mut late = [0; 3];
        stream.read_exact(&mut late).await.expect("it comes late");
        assert_eq!(&late, b"two");
        proxy.inject(Way::Down, b"three");
        let mut injected = [0; 5];
        stream.read_exact(&mut injected).await.expect("it is injected");
        assert_eq!(
            (&injected, proxy.connections(), proxy.bytes(Way::Up)),
            (b"three", 1, 6)
        );
    }

    #[tokio::test]
    async fn cuts_closes_and_opens() {
        let proxy = Proxy::start(([127, 0, 0, 1], 0).into(), echo().await)
            .await
            .expect("it starts");
        let mut stream = through(&proxy).await;
        ask(&mut stream, b"one").await.expect("it passes");
        proxy.cut();
        let error = stream.read_u8().await.expect_err("the connection is cut");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        proxy.close();
        assert!(
            ask(&mut through(&proxy).await, b"two").await.is_err(),
            "a closed proxy carries nothing"
        );
        proxy.open();
        assert_eq!(
            ask(&mut through(&proxy).await, b"two").await.expect("it passes"),
            b"two"
        );
        proxy.wait_for_connections(2).await.expect("two were let through");
    }
}
