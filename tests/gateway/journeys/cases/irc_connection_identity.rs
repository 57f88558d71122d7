//! How IRC servers tell users apart: addresses of their own, the answer to the question whose a connection is (RFC
//! 1413), and what a server that trusts the gateway is told (IRCv3 WebIRC). All of it from the configuration of the
//! whole, and the same after a restart.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::world::WorldOptions;

use super::irc_connection_script::own_ip;

pub(crate) const CASES: &[Case] = &[case!(servers_can_tell_users_apart)
    .own_world_with(with_identities)
    .only(&[Backend::Prosody])];

/// Where the gateway answers.
const PORT: u16 = 1113;

fn with_identities(options: &mut WorldOptions) {
    let (server, ident) = (own_ip(options, 30), own_ip(options, 31));
    options.extra_config = format!(
        "[gateway.irc.irc.ident]\nlisten = \"{ident}:{PORT}\"\n\
         [gateway.irc.irc.servers.\"open.test\"]\nhost = \"{server}\"\nports = [6667]\ntls = false\n\
         webirc = {{ password = \"sesame\", addresses = \"2001:db8::/64\", host = \"{{id}}.test.example\" }}\n"
    );
    // All of 127.0.0.0/8 is this machine's own.
    let setting = "VIADUCT_GATEWAY__IRC__IRC__OUTGOING_ADDRESSES";
    options
        .env
        .push((setting.to_owned(), "[\"127.99.0.0/16\"]".to_owned()));
}

/// What a server learns of a user before the user has said anything.
#[derive(PartialEq, Eq, Debug)]
struct Learnt {
    ip: String,
    id: String,
    webirc: String,
}

async fn learn(t: &Ctx, server: &IrcServer, phone: &Client, room: &str) -> Result<Learnt> {
    let nick = t.nick("bob");
    let script = async {
        let stream = server.accept_tcp().await?;
        let (theirs, ours) = (stream.peer_addr()?, stream.local_addr()?);
        let ident: SocketAddr = format!("{}:{PORT}", own_ip(t.world().options(), 31)).parse()?;
        // A server asks from the address that it listens at.
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(ours.ip(), 0))?;
        let mut question: TcpStream = socket.connect(ident).await?;
        let ports = format!("{}, {}\r\n", theirs.port(), ours.port());
        question.write_all(ports.as_bytes()).await?;
        let mut answer = String::new();
        question.read_to_string(&mut answer).await?;
        let start = format!("{} , {} : USERID : OTHER : ", theirs.port(), ours.port());
        let id = answer.strip_prefix(&start).with_context(|| answer.clone())?;
        let mut first = String::new();
        BufReader::new(stream).read_line(&mut first).await?;
        // The connection ends here, and the join with it.
        Ok(Learnt {
            ip: theirs.ip().to_string(),
            id: id.trim_end().to_owned(),
            webirc: first.trim_end().to_owned(),
        })
    };
    let join = Join::new(room, &nick);
    let (_, learnt) = tokio::try_join!(phone.join_refused(&join), script)?;
    Ok(learnt)
}

async fn servers_can_tell_users_apart(t: Ctx) -> Result<()> {
    let addr = format!("{}:6667", own_ip(t.world().options(), 30)).parse()?;
    let server = IrcServer::bind(addr, t.transcript().voice("server")).await?;
    let room = t.room_on("open.test", &t.channel());
    let (phone, other) = (t.client("phone").await?, t.client("other").await?);
    let mine = learn(&t, &server, &phone, &room).await?;
    let theirs = learn(&t, &server, &other, &room).await?;
    ensure!(mine.ip.starts_with("127.99."), "{mine:?}");
    let start = format!("WEBIRC sesame viaduct {}.test.example 2001:db8::", mine.id);
    ensure!(mine.webirc.starts_with(&start), "{mine:?}");
    ensure!(
        mine.ip != theirs.ip && mine.id != theirs.id && mine.webirc != theirs.webirc,
        "{mine:?} and {theirs:?}"
    );
    // What was noted is written behind; the gateway ends in peace, so that it is.
    let process = t.world().gateway().process();
    process.signal("TERM").await?;
    process.wait(std::time::Duration::from_secs(10)).await?;
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;
    let again = learn(&t, &server, &phone, &room).await?;
    ensure!(again == mine, "{again:?} was {mine:?}");
    let log = t.world().gateway().process().log_since(0);
    ensure!(!log.contains("sesame"), "the password is in the log");
    Ok(())
}
