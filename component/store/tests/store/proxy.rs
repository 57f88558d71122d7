//! A PostgreSQL server whose answers to a commit are lost on the way, and that is away for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes everything on, until it is told to swallow the answer to the next `COMMIT` and end that connection.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    swallow: Arc<AtomicBool>,
    away: Arc<AtomicBool>,
    refused: watch::Receiver<i64>,
}

impl Proxy {
    /// Begins to listen in front of a server (`host:port`).
    pub(crate) async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let swallow = Arc::new(AtomicBool::new(false));
        let away = Arc::new(AtomicBool::new(false));
        let (told, gone) = (Arc::clone(&swallow), Arc::clone(&away));
        let (refuse, refused) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if gone.load(Ordering::SeqCst) {
                    refuse.send_modify(|times| *times += 1);
                    continue;
                }
                let server = TcpStream::connect(&server).await.expect("the server");
                tokio::spawn(pass(client, server, Arc::clone(&told)));
            }
        });
        Self {
            port,
            swallow,
            away,
            refused,
        }
    }

    /// New connections are ended at once; those that are there stay.
    pub(crate) fn go_away(&self) {
        self.away.store(true, Ordering::SeqCst);
    }

    /// Takes connections again.
    pub(crate) fn come_back(&self) {
        self.away.store(false, Ordering::SeqCst);
    }

    /// Waits until so many connections were ended since it went away first.
    pub(crate) async fn has_refused(&self, times: i64) {
        let mut refused = self.refused.clone();
        refused
            .wait_for(|so_far| *so_far >= times)
            .await
            .expect("the proxy is there");
    }

    /// Swallows the answer to the next commit.
    pub(crate) fn swallow_next(&self) {
        self.swallow.store(true, Ordering::SeqCst);
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, swallow: Arc<AtomicBool>) {
    let (mut up, mut down) = ([0; 65536], [0; 65536]);
    let mut swallowing = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(bytes) if bytes > 0 => {
                    let commit = up[..bytes].windows(6).any(|part| part == b"COMMIT");
                    swallowing |= commit && swallow.swap(false, Ordering::SeqCst);
                    if server.write_all(&up[..bytes]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(bytes) if bytes > 0 && !swallowing => {
                    if client.write_all(&down[..bytes]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
