//! Starting servers, and talking to the bridge as the core does.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{
    Address, BoxFuture, Bridge as _, Closed, EventSink, Name, Notebook, PersonId, RemoteEvent, RoomId,
    ServerId,
};
use viaduct_irc::{IrcBridge, IrcConfig};

/// The name under which the bridge knows the server under test.
pub(crate) const SERVER: &str = "irc.test";

/// A server process that ends with the test.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) port: u16,
    command: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a program that listens on a port, with its configuration written into a folder of its own.
    pub(crate) async fn start(
        program: &str,
        config: impl FnOnce(u16, &Path) -> (String, Vec<String>),
    ) -> Option<Self> {
        if !Path::new(program).exists() {
            eprintln!("{program} is not installed: skipped");
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        open_to_all(folder.path());
        let (text, args) = config(port, folder.path());
        std::fs::write(folder.path().join("server.conf"), text).expect("the configuration is written");
        let command = std::iter::once(program.to_owned()).chain(args).collect();
        let mut server = Self {
            child: None,
            port,
            command,
            _folder: folder,
        };
        server.run().await;
        Some(server)
    }

    /// Starts the process (again).
    pub(crate) async fn run(&mut self) {
        let mut process = Process::new("setpriv");
        process.args([
            "--reuid",
            "irc",
            "--regid",
            "irc",
            "--clear-groups",
            "--pdeathsig",
            "KILL",
        ]);
        process.args(&self.command).stdin(Stdio::null());
        if std::env::var_os("SHOW_SERVERS").is_none() {
            process.stdout(Stdio::null()).stderr(Stdio::null());
        }
        self.child = Some(process.spawn().expect("setpriv starts"));
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{} did not start", self.command[0]);
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

#[cfg(unix)]
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("our own folder");
}

/// A notebook in memory.
#[derive(Default)]
pub(crate) struct Notes(Mutex<HashMap<String, Name>>);

impl Notebook for Notes {
    fn get(&self, key: &str) -> Option<Name> {
        self.0.lock().expect("whole").get(key).cloned()
    }
    fn put(&self, key: &str, value: &str) {
        self.0
            .lock()
            .expect("whole")
            .insert(key.to_owned(), Name::from(value));
    }
}

pub(crate) struct Sink(pub(crate) mpsc::Sender<RemoteEvent>);

impl EventSink for Sink {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        Box::pin(async move {
            for event in events {
                self.0.send(event).await.map_err(|_| Closed)?;
            }
            Ok(())
        })
    }
}

/// A bridge that knows one server on loopback.
pub(crate) fn bridge(port: u16, more: &str) -> (IrcBridge, Arc<Notes>) {
    let flood = if more.contains("flood") {
        ""
    } else {
        "flood = \"off\"\n"
    };
    let text =
        format!("[servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{port}]\ntls = false\n{flood}{more}");
    let config: IrcConfig = toml::from_str(&text).expect("a valid table");
    let notes = Arc::new(Notes::default());
    let bridge =
        IrcBridge::new(config, OutgoingPolicy::default(), notes.clone()).expect("a valid configuration");
    (bridge, notes)
}

pub(crate) fn server_id() -> ServerId {
    ServerId(Name::from(SERVER))
}

pub(crate) fn room_id(room: &str) -> RoomId {
    RoomId {
        server: server_id(),
        room: Name::from(room),
    }
}

pub(crate) fn person_id(person: &str) -> PersonId {
    PersonId {
        server: server_id(),
        person: Name::from(person),
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::from(text)
}

/// Reads an address as the gateway does, to see that the test speaks of the same ids.
pub(crate) fn parsed(bridge: &IrcBridge, localpart: &str) -> Address {
    bridge.parse(localpart).expect("a valid address")
}

/// A plain IRC client, for what the bridge has no command for.
pub(crate) struct Raw {
    stream: tokio::io::BufReader<TcpStream>,
}

/// Logs a plain client in.
pub(crate) async fn raw(port: u16, nick: &str) -> Raw {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the server listens");
    let mut raw = Raw {
        stream: tokio::io::BufReader::new(stream),
    };
    raw.say(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}\r\n"))
        .await;
    raw.until(" 001 ").await;
    raw.say("PING :ready\r\n").await;
    raw.until("ready").await;
    raw
}

impl Raw {
    pub(crate) async fn say(&mut self, text: &str) {
        use tokio::io::AsyncWriteExt as _;
        self.stream
            .write_all(text.as_bytes())
            .await
            .expect("the server reads");
    }

    /// Reads until a line has this in it.
    pub(crate) async fn until(&mut self, what: &str) -> String {
        use tokio::io::AsyncBufReadExt as _;
        let search = async {
            loop {
                let mut line = String::new();
                let read = self
                    .stream
                    .read_line(&mut line)
                    .await
                    .expect("the server writes text");
                assert!(read > 0, "the server closed the connection before '{what}'");
                if let Some(token) = line.strip_prefix("PING ") {
                    let pong = format!("PONG {token}");
                    self.say(&pong).await;
                }
                if line.contains(what) {
                    return line;
                }
            }
        };
        timeout(Duration::from_secs(20), search)
            .await
            .unwrap_or_else(|_| panic!("no '{what}'"))
    }
}
