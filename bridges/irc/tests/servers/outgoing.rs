//! Connections come from addresses of their users.

use std::net::IpAddr;
use std::sync::Arc;

use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Command, ServerEvent};
use viaduct_irc::{IrcBridge, IrcConfig};

use crate::namespace::{self, ip};
use crate::scripted::Scripted;
use crate::support::{Notes, SERVER, name, raw, server_id};
use crate::user::User;

fn bridge(host: &str, port: u16, addresses: &str, notes: &Arc<Notes>) -> IrcBridge {
    let config = format!(
        "outgoing_addresses = {addresses}\n\
         [servers.\"{SERVER}\"]\nhost = \"{host}\"\nports = [{port}]\ntls = false\nflood = \"off\"\n"
    );
    let config: IrcConfig = toml::from_str(&config).expect("a valid table");
    IrcBridge::new(config, OutgoingPolicy::default(), notes.clone()).expect("a valid configuration")
}

fn connect(bridge: &IrcBridge, nick: &str) -> User {
    let user = User::new(bridge, nick);
    user.submit(Command::Connect {
        server: server_id(),
        nick: name(nick),
    });
    user
}

/// All of 127.0.0.0/8 is this machine's own, so that this needs no namespace.
#[tokio::test]
async fn each_user_has_an_address_of_their_own() {
    let server = Scripted::plain().await;
    let notes = Arc::new(Notes::default());
    let mut seen = Vec::new();
    // The second round is after a restart.
    for _ in 0..2 {
        let bridge = bridge("127.0.0.1", server.port(), "\"127.66.0.0/16\"", &notes);
        for nick in ["alice", "bob"] {
            let user = connect(&bridge, nick);
            seen.push(server.accept().await.remote.ip());
            user.close().await;
        }
    }
    for ip in &seen {
        let IpAddr::V4(v4) = ip else { panic!("{ip}") };
        assert_eq!(v4.octets()[..2], [127, 66], "{seen:?}");
    }
    assert_eq!(seen[..2], seen[2..], "the same always");
    assert_ne!(seen[0], seen[1], "and nobody else's");

    // Where there is no address of the kind, the system chooses.
    let bridge = bridge("127.0.0.1", server.port(), "[\"2001:db8::/64\"]", &notes);
    let _alice = connect(&bridge, "alice");
    assert_eq!(server.accept().await.remote.ip(), IpAddr::from([127, 0, 0, 1]));
}

/// Ranges that are routed to this machine and are on no interface, and a server that bans by address.
#[tokio::test]
async fn a_server_sees_addresses_of_a_routed_range() {
    if !namespace::inside("outgoing::a_server_sees_addresses_of_a_routed_range") {
        return;
    }
    ip(&["-6", "route", "add", "local", "2001:db8:1::/64", "dev", "lo"]);
    ip(&["route", "add", "local", "198.51.100.0/24", "dev", "lo"]);
    let bind = "<bind address=\"::1\" port=\"PORT\" type=\"clients\">\n";
    let Some(server) = crate::inspircd::start_with(&[], bind).await else {
        return;
    };
    let notes = Arc::new(Notes::default());
    let mut watcher = raw(server.port, "watcher").await;
    for (host, prefix) in [("::1", "2001:db8:1:"), ("127.0.0.1", "198.51.100.")] {
        let addresses = "[\"2001:db8:1::/64\", \"198.51.100.0/24\"]";
        let bridge = bridge(host, server.port, addresses, &notes);
        let mut shown = Vec::new();
        for nick in ["alice", "bob"] {
            let mut user = connect(&bridge, nick);
            user.server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
                .await;
            watcher.say(&format!("WHOIS {nick}\r\n")).await;
            let line = watcher.until(" 311 ").await;
            shown.push(line.split(' ').nth(5).expect("a host").to_owned());
            user.close().await;
        }
        assert!(shown.iter().all(|host| host.starts_with(prefix)), "{shown:?}");
        assert_ne!(shown[0], shown[1]);
    }
}
