//! Servers that trust the gateway are told who is who (IRCv3 WebIRC).

use viaduct_bridge::{Command, ServerEvent};

use crate::scripted::Scripted;
use crate::support::{Server, bridge, name, raw, server_id};
use crate::user::User;

fn connect(port: u16, config: &str, nick: &str) -> User {
    let (bridge, _) = bridge(port, config);
    let user = User::new(&bridge, nick);
    user.submit(Command::Connect {
        server: server_id(),
        nick: name(nick),
    });
    user
}

/// The host that a server shows.
async fn shown(server: &Server, config: &str) -> String {
    let mut user = connect(server.port, config, "alice");
    user.server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
    let mut watcher = raw(server.port, "watcher").await;
    watcher.say("WHOIS alice\r\n").await;
    let line = watcher.until(" 311 ").await;
    user.close().await;
    line.split(' ').nth(5).expect("a host").to_owned()
}

#[tokio::test]
async fn inspircd_shows_the_address_of_a_user() {
    let more = "<module name=\"cgiirc\">\n<cgihost type=\"webirc\" password=\"secret\" mask=\"127.0.0.1\">\n";
    let Some(server) = crate::inspircd::start_with(&[], more).await else {
        return;
    };
    let webirc = "webirc = { password = 'secret', addresses = ['2001:db8::/64', '192.0.2.0/24'] }";
    let host = shown(&server, webirc).await;
    assert!(host.starts_with("2001:db8::"), "{host}");
}

#[tokio::test]
async fn ngircd_shows_the_address_of_a_user() {
    let options = "Ident = no\nDNS = no\nWebircPassword = secret";
    let Some(server) = crate::ngircd::start_with(options).await else {
        return;
    };
    let webirc = "webirc = { password = 'secret', addresses = '192.0.2.0/24' }";
    let host = shown(&server, webirc).await;
    assert!(host.starts_with("192.0.2."), "{host}");
}

#[tokio::test]
async fn each_user_has_a_name_of_their_own() {
    let server = Scripted::plain().await;
    let webirc = "webirc = { password = 'secret', addresses = '::/64', host = '{id}.users.example.org' }";
    let _alice = connect(server.port(), webirc, "alice");
    let line = server.accept().await.line().await.expect("the first line");
    let words: Vec<&str> = line.split(' ').collect();
    let ["WEBIRC", "secret", "viaduct", host, ip] = words[..] else {
        panic!("{line}");
    };
    let id = host.strip_suffix(".users.example.org").expect("a user's host");
    assert!(id.len() == 9 && !id.contains("alice"), "{host}");
    assert!(ip.starts_with("0::"), "{ip}");
}
