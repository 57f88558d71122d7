//! How servers are reached: TLS, certificates, plain text, and where users' words may lead.

use std::sync::Arc;
use std::time::Duration;

use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Command, Failure, Name, Notebook as _, Refusal, ServerEvent, ServerId};
use viaduct_irc::{IrcBridge, IrcConfig};

use crate::certificates::Authority;
use crate::scripted::Scripted;
use crate::support::{Notes, SERVER, name};
use crate::user::User;

fn bridge_of(config: &str, private: &[&str]) -> (IrcBridge, Arc<Notes>) {
    let config: IrcConfig = toml::from_str(config).expect("a valid table");
    let notes = Arc::new(Notes::default());
    let policy = OutgoingPolicy::new(private).expect("valid ranges");
    let bridge = IrcBridge::new(config, policy, notes.clone()).expect("a valid configuration");
    (bridge, notes)
}

fn connect(user: &User, server: &str) {
    user.submit(Command::Connect {
        server: ServerId(Name::from(server)),
        nick: name("alice"),
    });
}

async fn failure(user: &mut User) -> String {
    let event = user
        .server_event("failure", |e| matches!(e, ServerEvent::Failed { .. }))
        .await;
    match event {
        ServerEvent::Failed {
            failure:
                Failure::Permanent {
                    refusal: Refusal::Unreachable,
                    reason,
                },
        } => reason,
        other => panic!("{other:?}"),
    }
}

async fn online(user: &mut User) -> Option<Name> {
    match user
        .server_event("login", |e| {
            matches!(e, ServerEvent::Online { .. } | ServerEvent::Failed { .. })
        })
        .await
    {
        ServerEvent::Online { warning, .. } => warning,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(authority) = Authority::new(folder.path()) else {
        eprintln!("no openssl: skipped");
        return;
    };
    let right = authority.issue("right", SERVER);
    let wrong = authority.issue("wrong", "irc.other");
    let ca = authority.ca_file().display().to_string();
    for (certificate, setting, words) in [
        (&right, String::new(), Some("nobody who is trusted")),
        (&right, format!("ca_file = \"{ca}\""), None),
        (
            &wrong,
            format!("ca_file = \"{ca}\""),
            Some("belongs to another server"),
        ),
        (&wrong, "accept_invalid = true".to_owned(), None),
        (&wrong, format!("fingerprint = \"{}\"", wrong.fingerprint()), None),
        (
            &wrong,
            format!("fingerprint = \"{}\"", right.fingerprint()),
            Some("not the one that has been named for this server"),
        ),
    ] {
        let server = Scripted::tls(certificate).await;
        let config = format!(
            "allow_plain = true\n[servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{}]\n{setting}",
            server.port()
        );
        let (bridge, notes) = bridge_of(&config, &[]);
        let mut alice = User::new(&bridge, "alice");
        connect(&alice, SERVER);
        let peer = server.try_accept().await;
        match words {
            None => {
                let mut peer = peer.expect("the client accepts the certificate");
                peer.welcome().await;
                assert_eq!(online(&mut alice).await, None, "{setting}");
                assert!(notes.get(&format!("tls/{SERVER}")).is_some());
            }
            Some(words) => {
                let reason = failure(&mut alice).await;
                assert!(reason.contains(words), "{setting}: {reason}");
                // Never a fall-back, never another attempt.
                assert!(server.is_left_alone(Duration::from_millis(200)).await);
                assert!(notes.get(&format!("tls/{SERVER}")).is_none());
            }
        }
    }
}

#[tokio::test]
async fn plain_text_only_where_the_operator_allows_it() {
    // The default ports on loopback addresses that nothing else uses.
    let host = "127.83.12.7";
    let server = Scripted::at(&format!("{host}:6667")).await;

    let (bridge, _) = bridge_of("", &["127.0.0.0/8"]);
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, host);
    assert!(failure(&mut alice).await.contains("refused the connection"));

    let (bridge, notes) = bridge_of("allow_plain = true", &["127.0.0.0/8"]);
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, host);
    let mut peer = server.accept().await;
    peer.welcome().await;
    let warning = online(&mut alice).await.expect("a warning");
    assert!(warning.contains("not encrypted"), "{warning}");
    alice.close().await;

    // Once TLS has worked, a closed port is no reason to do without.
    notes.put(&format!("tls/{host}"), "works");
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, host);
    let reason = failure(&mut alice).await;
    assert!(reason.contains("TLS has worked"), "{reason}");
    assert!(server.is_left_alone(Duration::from_millis(200)).await);

    // A TLS port that is open and speaks something else is no reason either.
    let open = Scripted::at(&format!("{host}:6697")).await;
    let (bridge, _) = bridge_of("allow_plain = true", &["127.0.0.0/8"]);
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, host);
    let mut peer = open.accept().await;
    peer.say(":irc.test NOTICE * :this is not TLS").await;
    let reason = failure(&mut alice).await;
    assert!(reason.contains("TLS failed"), "{reason}");
    assert!(server.is_left_alone(Duration::from_millis(200)).await);
}

#[tokio::test]
async fn private_addresses_are_not_for_users() {
    for host in ["127.0.0.1", "localhost", "10.0.0.1", "::1", "169.254.169.254"] {
        let (bridge, _) = bridge_of("allow_plain = true", &[]);
        let mut alice = User::new(&bridge, "alice");
        connect(&alice, host);
        let reason = failure(&mut alice).await;
        assert!(reason.contains("private range"), "{host}: {reason}");
    }
    let (bridge, _) = bridge_of("", &[]);
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, "does-not-exist.invalid");
    let reason = failure(&mut alice).await;
    assert!(
        reason.contains("no server of this name") || reason.contains("in time"),
        "{reason}"
    );
}

#[tokio::test]
async fn the_fixed_form() {
    let server = Scripted::plain().await;
    let config = format!(
        "server = {{ host = \"127.0.0.1\", port = {}, tls = false }}",
        server.port()
    );
    let (bridge, _) = bridge_of(&config, &[]);
    use viaduct_bridge::Bridge as _;
    let home = bridge.home_server(None).expect("the only server");
    let mut alice = User::new(&bridge, "alice");
    connect(&alice, home.as_str());
    let mut peer = server.accept().await;
    peer.welcome().await;
    assert!(online(&mut alice).await.is_some());
    assert_eq!(bridge.title(), "127.0.0.1");
}
