//! The real servers behave as the journeys need them: they survive being killed, and speak TLS.

use anyhow::{Context as _, Result, ensure};
use viaduct_test_support::certificate::Authority;
use viaduct_test_support::irc::{IrcPeer, IrcServer, Welcome};
use viaduct_test_support::patience::patience;
use viaduct_test_support::ports::Port;
use viaduct_test_support::process::{Process, Spec, User};
use viaduct_test_support::scratch::Scratch;
use viaduct_test_support::servers::{
    DOMAIN, IrcKind, IrcServerOptions, Postgres, RealIrcServer, XmppKind, XmppOptions, XmppServer,
};
use viaduct_test_support::transcript::Transcript;
use viaduct_test_support::xmpp::{Client, Login};

/// Clients talk, the server crashes, and the accounts are still there afterwards.
async fn xmpp(kind: XmppKind) -> Result<()> {
    let scratch = Scratch::new("test")?;
    let server = XmppServer::new(kind, &scratch, &XmppOptions::default())?;
    server.start().await?;
    let transcript = Transcript::alone();
    let [one, two] = ["one", "two"].map(|user| (Login::new(user, DOMAIN, "r"), transcript.voice(user)));
    let first = Client::connect(server.c2s_addr(), &one.0, one.1.clone()).await?;
    let second = Client::connect(server.c2s_addr(), &two.0, two.1.clone()).await?;
    first.go_online().await?;
    second.go_online().await?;
    first.chat(second.jid(), "hello <you> & 'all'").await?;
    second.expect_body(first.bare(), "hello <you> & 'all'").await?;
    second.close().await?;

    server.kill().await?;
    first.expect_closed().await?;
    server.start().await?;
    let login = Login {
        register: false,
        ..one.0
    };
    let again = Client::connect(server.c2s_addr(), &login, one.1).await?;
    again.go_online().await?;
    server.process().freeze().await?;
    server.process().thaw().await?;
    again.settle(DOMAIN).await
}

#[tokio::test]
async fn prosody_comes_back_with_its_accounts() -> Result<()> {
    xmpp(XmppKind::Prosody).await
}

#[tokio::test]
async fn ejabberd_comes_back_with_its_accounts() -> Result<()> {
    xmpp(XmppKind::Ejabberd).await
}

/// People talk, one of them is an operator, and TLS clients can check the certificate.
async fn irc(kind: IrcKind) -> Result<()> {
    let scratch = Scratch::new("test")?;
    let authority = Authority::new(&scratch.subdirectory("certificates", &User::Myself)?).await?;
    let certificate = authority.issue("irc.test", &["irc.test"]).await?;
    let options = IrcServerOptions {
        certificate: Some(certificate),
        ..IrcServerOptions::default()
    };
    let server = RealIrcServer::new(kind, &scratch, &options)?;
    server.start().await?;

    let transcript = Transcript::alone();
    let alice = IrcPeer::connect(server.plain_addr(), "alice", transcript.voice("alice")).await?;
    let bob = IrcPeer::connect(server.plain_addr(), "bob", transcript.voice("bob")).await?;
    ensure!(
        alice.join("#c").await? == ["@alice"],
        "who makes a channel is its operator"
    );
    bob.join("#c").await?;
    alice.become_operator().await?;
    // The other prefixes exist.
    for (mode, prefix) in [("q", "~"), ("a", "&"), ("o", "@"), ("h", "%"), ("v", "+")] {
        alice.force_mode("#c", &format!("+{mode} bob")).await?;
        alice.send("NAMES #c").await?;
        let names = alice.expect_command("353", &[]).await?;
        ensure!(
            names.last().contains(&format!("{prefix}bob")),
            "+{mode} is {prefix}: {names}"
        );
        alice.force_mode("#c", &format!("-{mode} bob")).await?;
    }
    for number in 0..200 {
        bob.say("#c", &format!("line {number}")).await?;
    }
    // Nobody is held back for flooding.
    for number in 0..200 {
        alice
            .expect_message("bob", "#c", &format!("line {number}"))
            .await?;
    }

    let addr = server.tls_addr().context("it has a certificate")?;
    handshake(&scratch, &authority, addr.port()).await?;
    server.process().kill().await?;
    bob.expect_closed().await?;
    server.start().await?;
    IrcPeer::connect(server.plain_addr(), "bob", transcript.voice("bob"))
        .await?
        .quit("bye")
        .await
}

#[tokio::test]
async fn ngircd_has_what_the_journeys_need() -> Result<()> {
    irc(IrcKind::Ngircd).await
}

#[tokio::test]
async fn inspircd_has_what_the_journeys_need() -> Result<()> {
    irc(IrcKind::Inspircd).await
}

/// Somebody else's TLS client connects and checks the certificate for `irc.test`.
async fn handshake(scratch: &Scratch, authority: &Authority, port: u16) -> Result<()> {
    let spec = Spec::new("s_client", "openssl", scratch.path(), &User::Myself)?
        .args([
            "s_client",
            "-verify_return_error",
            "-verify_hostname",
            "irc.test",
            "-brief",
            "-connect",
        ])
        .args([
            format!("127.0.0.1:{port}"),
            "-CAfile".into(),
            authority.ca_file().display().to_string(),
        ]);
    let client = Process::new(spec);
    client.start().await?;
    client.wait_for_log("Verification: OK", patience()).await?;
    client.kill().await
}

#[tokio::test]
async fn a_scripted_server_speaks_tls() -> Result<()> {
    let scratch = Scratch::new("test")?;
    let authority = Authority::new(scratch.path()).await?;
    let certificate = authority.issue("irc.test", &["irc.test"]).await?;
    let port = Port::reserve()?;
    let server = IrcServer::bind_tls(port.addr(), &certificate, Transcript::alone().voice("server")).await?;
    let (session, checked) = tokio::join!(server.accept(), handshake(&scratch, &authority, port.number()));
    checked?;
    session?.expect_closed().await
}

#[tokio::test]
async fn a_scripted_server_welcomes_a_client() -> Result<()> {
    let port = Port::reserve()?;
    let transcript = Transcript::alone();
    let server = IrcServer::bind(port.addr(), transcript.voice("server")).await?;
    let caps = ["echo-message", "server-time"];
    let serve = async {
        let session = server.accept().await?;
        let nick = session
            .welcome(&Welcome {
                caps: &caps,
                ..Welcome::default()
            })
            .await?;
        session.let_in(&nick, "#c", &["@alice", "+carol"]).await?;
        anyhow::Ok(session)
    };
    let visit = async {
        let peer = IrcPeer::connect_with_caps(port.addr(), "bob", &caps, transcript.voice("bob")).await?;
        ensure!(
            peer.join("#c").await? == ["bob", "@alice", "+carol"],
            "all are shown"
        );
        Ok(peer)
    };
    let (session, peer) = tokio::try_join!(serve, visit)?;
    session.respond_and_pong(|line| {
        line.is("PRIVMSG", &["#c"])
            .then(|| vec![format!(":bob!u@h {}", line.raw)])
    });
    peer.say("#c", "hello").await?;
    peer.expect_message("bob", "#c", "hello").await?;
    session.cut().await;
    peer.expect_closed().await
}

#[tokio::test]
async fn postgres_makes_databases() -> Result<()> {
    let scratch = Scratch::new("test")?;
    let postgres = Postgres::start(&scratch).await?;
    let (one, two) = (postgres.database().await?, postgres.database().await?);
    ensure!(one != two, "each is new");
    for (url, statement) in [(&one, "create table t (n int)"), (&two, "create table t (n int)")] {
        Spec::new("psql", "psql", scratch.path(), &User::Myself)?
            .args([url.as_str(), "-c", statement])
            .run()
            .await?;
    }
    postgres.stop().await
}
