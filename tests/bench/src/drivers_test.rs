//! The drivers against a hand-made gateway: what they must do for viaduct to be measured fairly.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::irc::{Irc, MODERN};
use crate::link::Link;

/// Sends, and gives what comes up to and including `last`.
async fn talk(socket: &mut TcpStream, text: &str, last: &str) -> String {
    socket
        .write_all(text.as_bytes())
        .await
        .expect("the driver is there");
    let mut came = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&came).contains(last) {
            assert_ne!(socket.read_buf(&mut came).await.expect("the driver is there"), 0);
        }
    };
    let ended = timeout(Duration::from_secs(10), read).await;
    let came = String::from_utf8_lossy(&came).into_owned();
    assert!(ended.is_ok(), "waited for {last:?}, got {came:?}");
    came
}

/// Comes back when everything before it has been looked at.
const FENCE: &str = "<iq to='irc.localhost' id='fence'/>";

async fn attached() -> (Rc<Link>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut socket = TcpStream::connect(listener.local_addr().expect("bound"))
        .await
        .expect("it listens");
    let hello = "<?xml version='1.0'?><stream:stream to='irc.localhost'><handshake>00</handshake>";
    socket.write_all(hello.as_bytes()).await.expect("it listens");
    let link = Link::accept(&listener, Rc::new(Notify::new()))
        .await
        .expect("a handshake");
    let header = talk(&mut socket, "", "<handshake/>").await;
    assert!(header.ends_with("<handshake/>"), "{header}");
    (link, socket)
}

#[tokio::test(flavor = "current_thread")]
async fn routes_to_the_own_domain_in_order() {
    let work = async {
        let (link, mut socket) = attached().await;
        let ping = "<iq type='get' from='irc.localhost' to='irc.localhost' id='7'><ping xmlns='urn:xmpp:ping'/></iq>";
        link.push(b"<message id='1'/>");
        assert_eq!(
            talk(&mut socket, ping, "</iq>").await,
            format!("<message id='1'/>{ping}")
        );
        let version =
            "<iq type=\"get\" from=\"#c%h@irc.localhost\" to=\"u1@localhost/r\" id=\"8\"><query/></iq>";
        let answer = talk(&mut socket, version, "</iq>").await;
        assert!(answer.starts_with("<iq from='u1@localhost/r' to='#c%h@irc.localhost' id='8' type='error'>"));
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test(flavor = "current_thread")]
async fn counts_what_comes() {
    let work = async {
        let (link, mut socket) = attached().await;
        link.reset(true);
        let message = |number: u64| {
            format!("<message to='u1@localhost/r' type='groupchat'><body>m{number:09} x</body></message>")
        };
        let all = [
            message(1),
            message(3),
            message(2),
            "<message type='error' to='u1@localhost'/>".to_owned(),
        ];
        talk(&mut socket, &(all.concat() + FENCE), "fence").await;
        assert_eq!(
            (link.delivered.get(), link.disordered.get(), link.refused.get()),
            (3, 1, 1)
        );
        let inside = "<presence from='#c%h@irc.localhost/n' to='u1@localhost/r'><x><status code='110'/></x></presence>\
                      <message from='#c%h@irc.localhost' to='u1@localhost/r' type='groupchat'><subject/></message>";
        assert!(!link.is_inside("#c%h@irc.localhost", "u1@localhost/r"));
        talk(&mut socket, &(inside.to_owned() + FENCE), "fence").await;
        assert!(link.is_inside("#c%h@irc.localhost", "u1@localhost/r"));
    };
    LocalSet::new().run_until(work).await;
}

async fn logged_in(irc: &Irc, nick: &str) -> TcpStream {
    let mut socket = TcpStream::connect(("127.0.0.1", irc.port))
        .await
        .expect("it listens");
    let login = format!("CAP LS 302\r\nNICK {nick}\r\nUSER u 0 * :u\r\nPING 1\r\n");
    let welcome = talk(&mut socket, &login, "PONG").await;
    let modern = welcome.contains("CAP * LS :echo-message");
    assert_eq!(welcome.contains("421"), !modern, "{welcome}");
    assert_eq!(welcome.contains(" 376 "), !modern, "{welcome}");
    if modern {
        let caps = "CAP REQ :echo-message server-time message-tags\r\nCAP END\r\n";
        assert!(
            talk(&mut socket, caps, "/MOTD command.\r\n")
                .await
                .contains("CAP * ACK")
        );
    }
    let names = talk(&mut socket, "JOIN #c\r\n", "/NAMES list\r\n").await;
    assert!(
        names.contains(&format!(":{nick}!user@127.0.0.1 JOIN #c\r\n")),
        "{names}"
    );
    assert!(
        names.contains(" 353 ") && names.contains("@outsider") && names.contains(" 366 "),
        "{names}"
    );
    socket
}

#[tokio::test(flavor = "current_thread")]
async fn an_old_irc_server() {
    let work = async {
        let irc = Irc::listen("", Rc::new(Notify::new())).await.expect("a port");
        let mut one = logged_in(&irc, "one").await;
        let mut two = logged_in(&irc, "two").await;
        assert_eq!(
            talk(&mut one, "", "JOIN #c\r\n").await,
            ":two!user@127.0.0.1 JOIN #c\r\n"
        );
        let pong = talk(&mut one, "PRIVMSG #c :m000000001 x\r\nPING :f1\r\n", ":f1\r\n").await;
        assert_eq!(pong, ":irc.bench PONG irc.bench :f1\r\n");
        let heard = talk(&mut two, "", "\r\n").await;
        assert_eq!(heard, ":one!user@127.0.0.1 PRIVMSG #c :m000000001 x\r\n");
        assert_eq!(irc.arrived.get(), 1);
        irc.say("#c", b"hello");
        let heard = talk(&mut two, "", "\r\n").await;
        assert_eq!(heard, ":outsider!out@side.example PRIVMSG #c :hello\r\n");
        drop(two);
        talk(&mut one, "", ":two!user@127.0.0.1 QUIT :gone\r\n").await;
    };
    LocalSet::new().run_until(work).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_modern_irc_server_echoes_before_the_pong() {
    let work = async {
        let irc = Irc::listen(MODERN, Rc::new(Notify::new())).await.expect("a port");
        let mut one = logged_in(&irc, "one").await;
        let came = talk(&mut one, "PRIVMSG #c :m000000001 x\r\nPING :f1\r\n", ":f1\r\n").await;
        let lines: Vec<&str> = came.lines().collect();
        assert!(lines[0].starts_with("@msgid=bench1;time=20"), "{came}");
        assert!(
            lines[0].ends_with(" :one!user@127.0.0.1 PRIVMSG #c :m000000001 x"),
            "{came}"
        );
        assert_eq!(lines[1], ":irc.bench PONG irc.bench :f1");
    };
    LocalSet::new().run_until(work).await;
}
