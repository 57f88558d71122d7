//! Strict Transport Security (IRCv3 sts): a server that says so is reached with TLS, then and later.

use std::sync::Arc;
use std::time::Duration;

use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Bridge as _, Command, Failure, Notebook as _, ServerEvent, Step};
use viaduct_irc::{IrcBridge, IrcConfig};

use crate::certificates::Authority;
use crate::scripted::Scripted;
use crate::support::{Notes, SERVER, name, server_id};
use crate::user::User;

/// A server that listens on the usual port without TLS, and with TLS where nobody would look for it.
struct Stage {
    _folder: tempfile::TempDir,
    host: &'static str,
    authority: Authority,
    plain: Scripted,
    secure: Option<Scripted>,
    bridge: IrcBridge,
    notes: Arc<Notes>,
}

const PORT: u16 = 7697;

impl Stage {
    /// On a loopback address that nothing else uses; `None` where there is no `openssl`.
    async fn new(host: &'static str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let Some(authority) = Authority::new(folder.path()) else {
            eprintln!("no openssl: skipped");
            return None;
        };
        let ca = authority.ca_file().display().to_string();
        let config =
            format!("allow_plain = true\n[servers.\"{SERVER}\"]\nhost = \"{host}\"\nca_file = \"{ca}\"");
        let config: IrcConfig = toml::from_str(&config).expect("a valid table");
        let notes = Arc::new(Notes::default());
        let bridge = IrcBridge::new(config, OutgoingPolicy::default(), notes.clone()).expect("valid");
        let mut stage = Self {
            _folder: folder,
            host,
            authority,
            plain: Scripted::at(&format!("{host}:6667")).await,
            secure: None,
            bridge,
            notes,
        };
        stage.open().await;
        Some(stage)
    }

    async fn open(&mut self) {
        let certificate = self.authority.issue("server", SERVER);
        self.secure = Some(Scripted::tls_at(&format!("{}:{PORT}", self.host), &certificate).await);
    }

    fn secure(&self) -> &Scripted {
        self.secure.as_ref().expect("it is open")
    }

    fn connect(&self) -> User {
        let alice = User::new(&self.bridge, "alice");
        alice.submit(Command::Connect {
            server: server_id(),
            nick: name("alice"),
        });
        alice
    }

    /// The plain port tells where TLS is; nothing else is said there.
    async fn send_on(&self) {
        let mut peer = self.plain.accept().await;
        peer.until("USER").await;
        peer.say(&format!(
            ":irc.test CAP * LS :multi-prefix sts=port={PORT},duration=9"
        ))
        .await;
        assert_eq!(peer.line().await, None);
    }

    fn policy(&self) -> Option<String> {
        let note = self.notes.get(&format!("sts/{SERVER}"));
        note.map(|note| note.to_string()).filter(|note| !note.is_empty())
    }
}

async fn online(user: &mut User) {
    let event = user
        .server_event("login", |e| {
            matches!(e, ServerEvent::Online { .. } | ServerEvent::Failed { .. })
        })
        .await;
    assert!(
        matches!(event, ServerEvent::Online { warning: None, .. }),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_server_that_wants_tls_gets_it() {
    let Some(mut stage) = Stage::new("127.83.12.9").await else {
        return;
    };
    // It says so without TLS, and promises nothing: the next time is as the first.
    for round in ["first", "second"] {
        let mut alice = stage.connect();
        stage.send_on().await;
        let mut peer = stage.secure().accept().await;
        peer.welcome().await;
        online(&mut alice).await;
        assert_eq!(stage.policy(), None, "{round}");
        alice.close().await;
    }

    // With TLS it asks for more: from now on nothing is said to it without.
    let mut alice = stage.connect();
    stage.send_on().await;
    let mut peer = stage.secure().accept().await;
    peer.welcome_with("sts=port=1,duration=864000").await;
    online(&mut alice).await;
    let policy = stage.policy().expect("a policy");
    assert!(policy.starts_with(&format!("{PORT} ")), "{policy}");
    stage.notes.put(&format!("sts/{SERVER}"), "");
    alice.close().await;
    assert_eq!(
        stage.policy(),
        Some(policy),
        "it counts from the end of the connection"
    );

    let mut alice = stage.connect();
    let mut peer = stage.secure().accept().await;
    peer.welcome_with("sts=duration=864000").await;
    online(&mut alice).await;
    alice.close().await;

    drop(peer);
    stage.secure = None;
    let mut alice = stage.connect();
    let event = alice
        .server_event("failure", |e| matches!(e, ServerEvent::Failed { .. }))
        .await;
    let ServerEvent::Failed {
        failure: Failure::Permanent { reason, .. },
    } = &event
    else {
        panic!("{event:?}");
    };
    assert!(reason.contains("encrypted only"), "{reason}");
    assert!(stage.plain.is_left_alone(Duration::from_millis(200)).await);

    // Until it says that it is over.
    stage.open().await;
    let mut alice = stage.connect();
    let mut peer = stage.secure().accept().await;
    peer.welcome_with("sts=duration=0").await;
    online(&mut alice).await;
    alice.close().await;
    assert_eq!(stage.policy(), None);
    let _alice = stage.connect();
    stage.send_on().await;
}

#[tokio::test]
async fn an_account_is_tried_where_tls_is() {
    let Some(stage) = Stage::new("127.83.12.10").await else {
        return;
    };
    let play = async {
        stage.send_on().await;
        let mut peer = stage.secure().accept().await;
        peer.until("USER").await;
        peer.say(":irc.test CAP * LS :sasl=PLAIN").await;
        peer.until("CAP REQ").await;
        peer.say(":irc.test CAP * ACK :sasl").await;
        peer.until("AUTHENTICATE PLAIN").await;
        peer.say("AUTHENTICATE +").await;
        peer.until("AUTHENTICATE").await;
        peer.say(":irc.test 903 alice :ok").await;
        peer.until("CAP END").await;
        peer.greet_alice().await;
        peer.until("QUIT").await;
    };
    let answers = [
        ("nick", "alice"),
        ("server", SERVER),
        ("username", "jilles"),
        ("password", "sesame"),
    ];
    let answers = answers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut flow = stage.bridge.log_in("alice@example.org", None);
    let (step, ()) = tokio::join!(flow.next(answers.collect()), play);
    assert!(matches!(step, Step::Done(_)), "{step:?}");
}

#[tokio::test]
async fn inspircd_asks_for_tls() {
    use std::os::unix::fs::PermissionsExt as _;
    let (host, port) = ("127.83.12.11", 7698);
    let folder = tempfile::tempdir().expect("a folder");
    let Some(authority) = Authority::new(folder.path()) else {
        eprintln!("no openssl: skipped");
        return;
    };
    let certificate = authority.issue("server", SERVER);
    // The server runs as somebody else.
    for (path, mode) in [(folder.path(), 0o755), (&*certificate.key, 0o644)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our own");
    }
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let more = format!(
        "<module name=\"ssl_gnutls\">\n\
         <sslprofile name=\"own\" provider=\"gnutls\" certfile=\"{chain}\" keyfile=\"{key}\">\n\
         <bind address=\"{host}\" port=\"6667\" type=\"clients\">\n\
         <bind address=\"{host}\" port=\"{port}\" type=\"clients\" sslprofile=\"own\">\n\
         <module name=\"ircv3_sts\">\n<sts host=\"{SERVER}\" duration=\"30d\" port=\"{port}\">\n"
    );
    let Some(_server) = crate::inspircd::start_with(&[], &more).await else {
        return;
    };
    let ca = authority.ca_file().display().to_string();
    let config = format!("allow_plain = true\n[servers.\"{SERVER}\"]\nhost = \"{host}\"\nca_file = \"{ca}\"");
    let config: IrcConfig = toml::from_str(&config).expect("a valid table");
    let notes = Arc::new(Notes::default());
    let bridge = IrcBridge::new(config, OutgoingPolicy::default(), notes.clone()).expect("valid");
    let mut alice = User::new(&bridge, "alice");
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    online(&mut alice).await;
    let policy = notes.get(&format!("sts/{SERVER}")).expect("a policy");
    assert!(policy.starts_with(&format!("{port} ")), "{policy}");
}
