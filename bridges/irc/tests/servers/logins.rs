//! Registering with the gateway: accounts are tried before they are kept, and shown to their own server only.

use std::collections::BTreeMap;

use viaduct_bridge::{Account, Bridge as _, Command, Failure, Refusal, Secret, ServerEvent, Step};
use viaduct_irc::IrcBridge;

use crate::certificates::Authority;
use crate::scripted::{Peer, Scripted};
use crate::support::{SERVER, bridge, name, server_id};
use crate::user::User;

/// `\0jilles\0sesame` with the account as both identities.
const RIGHT: &str = "AUTHENTICATE amlsbGVzAGppbGxlcwBzZXNhbWU=";

async fn log_in(bridge: &IrcBridge, account: Option<&Account>, answers: &[(&str, &str)]) -> Step {
    let answers: BTreeMap<String, String> = answers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    bridge.log_in("alice@example.org", account).next(answers).await
}

/// Plays a server with SASL PLAIN.
async fn ask_for_password(peer: &mut Peer) {
    peer.until("USER ").await;
    peer.say(":irc.test CAP * LS :sasl=PLAIN multi-prefix").await;
    peer.until("CAP REQ").await;
    peer.say(":irc.test CAP * ACK :multi-prefix sasl").await;
    peer.until("AUTHENTICATE PLAIN").await;
    peer.say("AUTHENTICATE +").await;
    let answer = peer.until("AUTHENTICATE").await;
    if answer == RIGHT {
        peer.say(":irc.test 903 alice :SASL authentication successful")
            .await;
        peer.until("CAP END").await;
        peer.greet_alice().await;
    } else {
        peer.say(":irc.test 904 alice :No such luck").await;
    }
}

#[tokio::test]
async fn a_nickname_is_enough() {
    let (bridge, _) = bridge(1, "");
    let form = bridge.form(None);
    let names: Vec<_> = form.fields.iter().map(|field| field.name).collect();
    assert_eq!(
        names,
        ["nick", "name", "server", "username", "password", "certificate"]
    );
    let Step::Done(account) = log_in(&bridge, None, &[("nick", "Jose_G"), ("name", "J. G.")]).await else {
        panic!("nothing to check");
    };
    assert_eq!(account.name, "Jose_G");
    assert_eq!(bridge.home_server(Some(&account)), None);
    let shown = bridge.form(Some(&account));
    assert_eq!(shown.fields[0].value, "Jose_G");
    let Step::Failed { field, failure } = log_in(&bridge, None, &[("nick", "José G.")]).await else {
        panic!("no such nickname on IRC");
    };
    assert!(
        field == Some("nick") && failure.to_string().contains("'Jose_G' can"),
        "another is proposed: {failure}"
    );
    for (answers, field) in [
        (vec![("nick", "")], "nick"),
        (
            vec![("nick", "a"), ("username", "a"), ("password", "x")],
            "server",
        ),
        (
            vec![
                ("nick", "a"),
                ("server", "not a server"),
                ("username", "a"),
                ("password", "x"),
            ],
            "server",
        ),
        (
            vec![("nick", "a"), ("server", SERVER), ("username", "a")],
            "password",
        ),
        (
            vec![("nick", "a"), ("server", SERVER), ("password", "x")],
            "username",
        ),
        (
            vec![("nick", "a"), ("server", SERVER), ("certificate", "x")],
            "certificate",
        ),
    ] {
        let step = log_in(&bridge, None, &answers).await;
        assert!(
            matches!(&step, Step::Failed { field: Some(f), .. } if *f == field),
            "{answers:?}: {step:?}"
        );
    }
}

#[tokio::test]
async fn an_account_is_tried() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let answers = |password| {
        vec![
            ("nick", "alice"),
            ("server", SERVER),
            ("username", "jilles"),
            ("password", password),
        ]
    };

    let play = async {
        let mut peer = server.accept().await;
        ask_for_password(&mut peer).await;
    };
    let wrong = answers("wrong");
    let (step, ()) = tokio::join!(log_in(&bridge, None, &wrong), play);
    let Step::Failed {
        field: Some("password"),
        failure:
            Failure::Permanent {
                refusal: Refusal::NotAuthorized,
                reason,
            },
    } = step
    else {
        panic!("{step:?}");
    };
    assert!(reason.contains("No such luck"), "{reason}");

    let play = async {
        let mut peer = server.accept().await;
        ask_for_password(&mut peer).await;
        peer.until("QUIT").await;
    };
    let right = answers("sesame");
    let (step, ()) = tokio::join!(log_in(&bridge, None, &right), play);
    let Step::Done(account) = step else {
        panic!("{step:?}");
    };
    assert!(!format!("{account:?}").contains("sesame"));
    assert_eq!(bridge.home_server(Some(&account)), Some(server_id()));

    // A password left empty stays, for the same account at the same server.
    let play = async {
        let mut peer = server.accept().await;
        ask_for_password(&mut peer).await;
        peer.until("QUIT").await;
    };
    let kept = answers("");
    let (step, ()) = tokio::join!(log_in(&bridge, Some(&account), &kept), play);
    assert!(
        matches!(&step, Step::Done(new) if new.secrets == account.secrets),
        "{step:?}"
    );
    let other = [
        ("nick", "alice"),
        ("server", "irc.other"),
        ("username", "jilles"),
        ("password", ""),
    ];
    let step = log_in(&bridge, Some(&account), &other).await;
    assert!(
        matches!(
            &step,
            Step::Failed {
                field: Some("password"),
                ..
            }
        ),
        "{step:?}"
    );

    // The session logs in with it.
    let mut alice = User::with(&bridge, "alice", Some(account));
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    let mut peer = server.accept().await;
    ask_for_password(&mut peer).await;
    alice
        .server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;

    let port = server.port();
    drop((server, peer));
    let (gone, _) = crate::support::bridge(port, "");
    let right = answers("sesame");
    let step = log_in(&gone, None, &right).await;
    assert!(
        matches!(
            &step,
            Step::Failed {
                field: None,
                failure: Failure::Permanent {
                    refusal: Refusal::Unreachable,
                    ..
                }
            }
        ),
        "{step:?}"
    );
}

#[tokio::test]
async fn credentials_go_to_their_own_server_only() {
    let server = Scripted::plain().await;
    let (bridge, _) = bridge(server.port(), "");
    let mut account = Account {
        name: "alice".into(),
        ..Account::default()
    };
    for (name, value) in [
        ("nick", "alice"),
        ("server", "irc.elsewhere"),
        ("username", "jilles"),
        ("name", "A. L."),
    ] {
        account.settings.insert(name.into(), value.into());
    }
    account.secrets.insert("password".into(), Secret::new("sesame"));
    let mut alice = User::with(&bridge, "alice", Some(account));
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    let mut peer = server.accept().await;
    let user = peer.until("USER").await;
    assert_eq!(user, "USER alice 0 * :A. L.");
    peer.say(":irc.test CAP * LS :sasl=PLAIN").await;
    assert_eq!(peer.until("CAP").await, "CAP END");
    peer.greet_alice().await;
    alice
        .server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
}

#[tokio::test]
async fn an_account_is_not_used_unencrypted_by_fallback() {
    let host = "127.83.12.8";
    let server = Scripted::at(&format!("{host}:6667")).await;
    let config: viaduct_irc::IrcConfig = toml::from_str("allow_plain = true").expect("valid");
    let policy = viaduct_bridge::outgoing::OutgoingPolicy::new(&["127.0.0.0/8"]).expect("valid");
    let bridge = IrcBridge::new(
        config,
        policy,
        std::sync::Arc::new(crate::support::Notes::default()),
    )
    .expect("valid");
    let answers = [
        ("nick", "alice"),
        ("server", host),
        ("username", "jilles"),
        ("password", "sesame"),
    ];
    let play = async {
        let mut peer = server.accept().await;
        peer.until("USER").await;
        peer.say(":irc.test CAP * LS :sasl=PLAIN").await;
        // The password does not follow.
        let next = peer.line().await;
        assert!(
            next.as_ref().is_some_and(|line| line.starts_with("QUIT")),
            "{next:?}"
        );
    };
    let (step, ()) = tokio::join!(log_in(&bridge, None, &answers), play);
    assert!(
        matches!(
            &step,
            Step::Failed {
                failure: Failure::Permanent {
                    refusal: Refusal::Unreachable,
                    ..
                },
                ..
            }
        ),
        "{step:?}"
    );
}

#[tokio::test]
async fn a_certificate_logs_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(authority) = Authority::new(folder.path()) else {
        return;
    };
    let server = Scripted::tls(&authority.issue("server", SERVER)).await;
    let config = format!(
        "[servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{}]\nca_file = \"{}\"",
        server.port(),
        authority.ca_file().display()
    );
    let config: viaduct_irc::IrcConfig = toml::from_str(&config).expect("valid");
    let notes = std::sync::Arc::new(crate::support::Notes::default());
    let bridge =
        IrcBridge::new(config, viaduct_bridge::outgoing::OutgoingPolicy::default(), notes).expect("valid");
    let pem = authority.issue("user", "alice").pem().replace('\n', " ");
    let answers = [
        ("nick", "alice"),
        ("server", SERVER),
        ("certificate", pem.as_str()),
    ];
    let play = async {
        let mut peer = server.accept().await;
        peer.until("USER").await;
        peer.say(":irc.test CAP * LS :sasl=EXTERNAL").await;
        peer.until("CAP REQ").await;
        peer.say(":irc.test CAP * ACK :sasl").await;
        peer.until("AUTHENTICATE EXTERNAL").await;
        peer.say("AUTHENTICATE +").await;
        peer.until("AUTHENTICATE +").await;
        peer.say(":irc.test 903 alice :ok").await;
        peer.until("CAP END").await;
        peer.greet_alice().await;
        peer.until("QUIT").await;
    };
    let (step, ()) = tokio::join!(log_in(&bridge, None, &answers), play);
    assert!(
        matches!(&step, Step::Done(account) if account.secrets.contains_key("certificate")),
        "{step:?}"
    );
}
