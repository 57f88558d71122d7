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
    Account, Address, BoxFuture, Bridge as _, Closed, Command, Content, EventSink, Name, Notebook, Outcome,
    PersonId, Recipient, RemoteEvent, RoomEvent, RoomId, ServerEvent, ServerId, Session, SessionContext,
    TransactionId,
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

struct Sink(mpsc::Sender<RemoteEvent>);

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

/// One user of the bridge.
pub(crate) struct User {
    session: Box<dyn Session>,
    events: mpsc::Receiver<RemoteEvent>,
    nick: Name,
    next: i64,
}

impl User {
    pub(crate) fn new(bridge: &IrcBridge, nick: &str) -> Self {
        Self::with(bridge, nick, None)
    }

    pub(crate) fn with(bridge: &IrcBridge, nick: &str, account: Option<Account>) -> Self {
        let (sender, events) = mpsc::channel(10_000);
        let session = bridge.open(SessionContext {
            user: Name::from(format!("{nick}@example.org")),
            account,
            sink: Arc::new(Sink(sender)),
        });
        Self {
            session,
            events,
            nick: Name::from(nick),
            next: 0,
        }
    }

    pub(crate) fn submit(&self, command: Command) {
        self.session.submit(vec![command]);
    }

    pub(crate) fn txn(&mut self) -> TransactionId {
        self.next += 1;
        TransactionId(self.next)
    }

    pub(crate) fn join(&self, room: &str, key: Option<&str>) {
        self.submit(Command::Join {
            room: room_id(room),
            nick: self.nick.clone(),
            key: key.map(viaduct_bridge::Secret::new),
            since: None,
        });
    }

    pub(crate) fn say(&mut self, to: &str, text: &str) -> TransactionId {
        self.send(to, Content::plain(text))
    }

    pub(crate) fn send(&mut self, to: &str, content: Content) -> TransactionId {
        let txn = self.txn();
        let to = if to.starts_with('#') {
            Recipient::Room(room_id(to))
        } else {
            Recipient::Person(person_id(to))
        };
        let nick = self.nick.clone();
        self.submit(Command::Send {
            txn,
            to,
            content,
            nick,
            relation: None,
        });
        txn
    }

    /// The next event that fits; others are let pass.
    pub(crate) async fn expect<T>(&mut self, what: &str, fits: impl Fn(&RemoteEvent) -> Option<T>) -> T {
        let mut seen = Vec::new();
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the session lives");
                if let Some(found) = fits(&event) {
                    return found;
                }
                seen.push(event);
            }
        };
        let found = timeout(Duration::from_secs(20), search).await;
        match found {
            Ok(found) => found,
            Err(_) => panic!("{}: no {what}; instead {seen:#?}", self.nick),
        }
    }

    /// Joins a room and gives what it is like.
    pub(crate) async fn enter(&mut self, room: &str) -> RoomEvent {
        self.join(room, None);
        self.joined(room).await
    }

    pub(crate) async fn joined(&mut self, room: &str) -> RoomEvent {
        self.room_event(room, "snapshot", |event| {
            matches!(event, RoomEvent::Joined { .. })
        })
        .await
    }

    pub(crate) async fn room_event(
        &mut self,
        room: &str,
        what: &str,
        fits: impl Fn(&RoomEvent) -> bool,
    ) -> RoomEvent {
        let id = room_id(room);
        self.expect(what, |event| match event {
            RemoteEvent::Room { room, event } if *room == id && fits(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn server_event(
        &mut self,
        what: &str,
        fits: impl Fn(&ServerEvent) -> bool,
    ) -> ServerEvent {
        self.expect(what, |event| match event {
            RemoteEvent::Server { event, .. } if fits(event) => Some(event.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn outcome(&mut self, txn: TransactionId) -> Outcome {
        self.expect("outcome", |event| match event {
            RemoteEvent::Outcome { txn: t, outcome } if *t == txn => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Outcome of a command whose success may also be its echo.
    pub(crate) async fn settled(&mut self, txn: TransactionId) -> bool {
        self.expect("outcome or echo", |event| match event {
            RemoteEvent::Outcome { txn: t, outcome } if *t == txn => {
                Some(matches!(outcome, Outcome::Accepted { .. }))
            }
            RemoteEvent::Room {
                event: RoomEvent::Message(m),
                ..
            } if m.txn == Some(txn) => Some(true),
            RemoteEvent::Person {
                event: viaduct_bridge::PersonEvent::Message(m),
                ..
            } if m.txn == Some(txn) => Some(true),
            _ => None,
        })
        .await
    }

    pub(crate) async fn message(&mut self, room: &str) -> (String, String) {
        let event = self
            .room_event(room, "message", |event| matches!(event, RoomEvent::Message(_)))
            .await;
        match event {
            RoomEvent::Message(m) => (m.nick.to_string(), m.content.text.plain.to_string()),
            _ => unreachable!("only messages fit"),
        }
    }

    pub(crate) async fn close(self) {
        self.session.close(Some(Name::from("bye"))).await;
    }
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
