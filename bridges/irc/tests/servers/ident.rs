//! Servers that ask whose a connection is (RFC 1413).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Bridge as _, Command, ServerEvent};
use viaduct_irc::{IrcBridge, IrcConfig};

use crate::namespace;
use crate::scripted::{Peer, Scripted};
use crate::support::{Notes, SERVER, Server, free_port, name, raw, server_id};
use crate::user::User;

fn bridge_with(ident: u16, port: u16, notes: &Arc<Notes>) -> IrcBridge {
    let config = format!(
        "ident = {{ listen = \"127.0.0.1:{ident}\" }}\n\
         [servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{port}]\ntls = false\nflood = \"off\"\n"
    );
    let config: IrcConfig = toml::from_str(&config).expect("a valid table");
    IrcBridge::new(config, OutgoingPolicy::default(), notes.clone()).expect("a valid configuration")
}

fn connect(user: &User, nick: &str) {
    user.submit(Command::Connect {
        server: server_id(),
        nick: name(nick),
    });
}

/// Asks as a server does; gives the answer.
async fn ask(ident: SocketAddr, question: &[u8]) -> String {
    let mut stream = TcpStream::connect(ident).await.expect("somebody listens");
    stream.write_all(question).await.expect("somebody reads");
    let mut answer = String::new();
    // A question that is too long is cut off, with what was not read of it.
    let _ = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
        .await
        .expect("an answer in time, or the end");
    answer
}

/// The user name for a connection.
async fn whose(ident: SocketAddr, peer: &Peer) -> String {
    let (ours, theirs) = (peer.local.port(), peer.remote.port());
    let answer = ask(ident, format!("{theirs}, {ours}\r\n").as_bytes()).await;
    let start = format!("{theirs} , {ours} : USERID : OTHER : ");
    let id = answer.strip_prefix(&start).unwrap_or_else(|| panic!("{answer}"));
    id.trim_end().to_owned()
}

#[tokio::test]
async fn each_user_has_a_name_of_their_own() {
    let server = Scripted::plain().await;
    let ident = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let notes = Arc::new(Notes::default());
    let bridge = bridge_with(ident.port(), server.port(), &notes);
    bridge.start().expect("the port is free");
    let again = bridge_with(ident.port(), server.port(), &notes);
    let error = again.start().expect_err("the port is taken").to_string();
    assert!(error.contains("ident.listen"), "{error}");

    let alice = User::new(&bridge, "alice");
    connect(&alice, "alice");
    // The answer is there as soon as the connection is: nothing of the login has been read yet.
    let first = server.accept().await;
    let bob = User::new(&bridge, "bob");
    connect(&bob, "bob");
    let second = server.accept().await;
    let (a, b) = (whose(ident, &first).await, whose(ident, &second).await);
    assert_ne!(a, b);
    assert!(!a.contains("alice") && a.len() <= 9, "{a}");

    // The connection of one, and the port of nobody.
    let ports = format!("{}, 1\r\n", first.remote.port());
    assert_eq!(
        ask(ident, ports.as_bytes()).await,
        format!("{} , 1 : ERROR : NO-USER\r\n", first.remote.port())
    );
    // What is no question is not waited for.
    assert_eq!(ask(ident, &[b'1'; 5000]).await, "");

    // A connection that is gone is nobody's; the same user has the same name again.
    let (ours, theirs) = (first.local.port(), first.remote.port());
    alice.close().await;
    let gone = ask(ident, format!("{theirs},{ours}\r\n").as_bytes()).await;
    assert_eq!(gone, format!("{theirs} , {ours} : ERROR : NO-USER\r\n"));
    let alice = User::new(&bridge, "alice");
    connect(&alice, "alice");
    let third = server.accept().await;
    assert_eq!(whose(ident, &third).await, a);
}

#[tokio::test]
async fn strangers_do_not_keep_servers_waiting() {
    let server = Scripted::plain().await;
    let ident = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let bridge = bridge_with(ident.port(), server.port(), &Arc::default());
    bridge.start().expect("the port is free");
    let alice = User::new(&bridge, "alice");
    connect(&alice, "alice");
    let peer = server.accept().await;
    let mut strangers = Vec::new();
    for _ in 0..300 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind(SocketAddr::from(([127, 83, 12, 12], 0)))
            .expect("our own");
        strangers.push(socket.connect(ident).await.expect("somebody listens"));
    }
    whose(ident, &peer).await;
    // Most of them were turned away at once, and the rest may ask.
    let mut turned_away = 0;
    for mut stranger in strangers {
        let answer = timeout(Duration::from_millis(10), stranger.read_u8()).await;
        turned_away += usize::from(answer.is_ok_and(|read| read.is_err()));
    }
    assert!(turned_away >= 200, "{turned_away}");
}

/// What a server knows a user as.
async fn username(server: &Server) -> String {
    let notes = Arc::new(Notes::default());
    let bridge = bridge_with(113, server.port, &notes);
    bridge.start().expect("the port is free");
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, "alice");
    alice
        .server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
    let mut watcher = raw(server.port, "watcher").await;
    watcher.say("WHOIS alice\r\n").await;
    let line = watcher.until(" 311 ").await;
    let name = line.split(' ').nth(4).expect("a user name").to_owned();
    alice.close().await;
    name
}

fn is_asked_for(name: &str) {
    // A user name that the server has not asked for begins with `~`, and this one would be the JID's.
    assert!(
        name.len() == 9 && name.chars().all(|c| c.is_ascii_alphanumeric()),
        "{name}"
    );
}

#[tokio::test]
async fn ngircd_asks() {
    if !namespace::inside("ident::ngircd_asks") {
        return;
    }
    // It asks only where it also looks names up.
    let Some(server) = crate::ngircd::start_with("Ident = yes\nDNS = yes").await else {
        return;
    };
    is_asked_for(&username(&server).await);
}

#[tokio::test]
async fn inspircd_asks() {
    if !namespace::inside("ident::inspircd_asks") {
        return;
    }
    let more = "<module name=\"ident\">\n<ident timeout=\"5\">\n";
    let Some(server) = crate::inspircd::start_with(&[], more).await else {
        return;
    };
    is_asked_for(&username(&server).await);
}
