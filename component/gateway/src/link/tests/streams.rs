//! Beginning, surviving and ending a stream.

use std::time::Duration;

use tokio::time::timeout;

use super::server::{DOMAIN, World, message};
use crate::link::connect::{connect, stream_error};
use crate::link::{ConnectError, Limits, Patience, Room, Target};

#[tokio::test]
async fn the_handshake_is_that_of_the_xep() {
    let world = World::new().await;
    let mut peer = world.greet().await;
    let sent = peer.until("</handshake>").await;
    // sha1("stream-1" + "s3cret")
    assert!(
        sent.ends_with(">6c63a68231d01df48d8d9ee1d5eabeb4661b2e7c</handshake>"),
        "{sent}"
    );
    peer.say("<handshake/>").await;
    world.until_up(true).await;
}

#[tokio::test]
async fn what_the_server_says_against_it_is_told_in_words() {
    for (condition, words) in [
        ("not-authorized", "does not accept the secret of irc.example.org"),
        ("host-unknown", "knows no component irc.example.org"),
        ("conflict", "component_conflict_resolve = \"kick_old\""),
        ("policy-violation", "policy-violation (go away)"),
    ] {
        let world = World::new().await;
        let target = Target {
            server: world.listener.local_addr().expect("an address").to_string(),
            allow_plain: false,
            domain: DOMAIN.to_owned(),
            secret: viaduct_bridge::Secret::new("wrong"),
        };
        // The first connection is the supervisor's.
        let _first = world.greet().await;
        let patience = Patience::default();
        let attempt = connect(&target, Limits::default(), &patience);
        let refusal = async {
            let mut peer = world.greet().await;
            peer.until("</handshake>").await;
            peer.say(&format!(
                "<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                 <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>go away</text></stream:error></stream:stream>"
            ))
            .await;
            peer
        };
        let (result, _peer) = tokio::join!(attempt, refusal);
        let error = result.err().expect("an error").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn it_stays_on_this_machine_unless_told_otherwise() {
    let target = Target {
        server: "192.0.2.1:5347".to_owned(),
        allow_plain: false,
        domain: DOMAIN.to_owned(),
        secret: viaduct_bridge::Secret::new("x"),
    };
    let result = connect(&target, Limits::default(), &Patience::default()).await;
    assert!(matches!(result.err(), Some(ConnectError::NotLocal { .. })));
}

#[tokio::test]
async fn it_comes_back_after_every_end() {
    let world = World::new().await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    peer.say("</stream:stream>").await;
    world.until_up(false).await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    peer.say("this is no XML <<<").await;
    world.until_up(false).await;
    let peer = world.accept().await;
    world.until_up(true).await;
    drop(peer);
    world.until_up(false).await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    peer.say("<message from='a@b' to='c@irc.example.org' id='alive'/>")
        .await;
    world.heard.until("alive").await;
}

#[tokio::test]
async fn odd_stanzas_do_not_end_the_stream() {
    let world = World::new().await;
    let mut peer = world.accept().await;
    let deep = format!("{}{}", "<a>".repeat(10_000), "</a>".repeat(10_000));
    let long = "x".repeat(9_000);
    let huge = "y".repeat(200_000);
    for (number, inner) in [
        format!("<presence from='a@b/c' to='x@{DOMAIN}' id='p'><show>odd</show><priority>300</priority></presence>"),
        format!("<iq from='a@b/c' to='x@{DOMAIN}' type='get' id='deep'>{deep}</iq>"),
        format!("<message from='a@b/c' to='x@{DOMAIN}' id='long'><y z='{long}'/></message>"),
        format!("<message from='a@b/c' to='x@{DOMAIN}' id='huge'><body>{huge}</body></message>"),
        format!("<message from='a@b/c' to='x@{DOMAIN}' type='error' id='quiet'><y z='{long}'/></message>"),
        format!("<message from='a@b/c' to='x@{DOMAIN}' id='pi'><?php evil ?></message>"),
        format!("<iq from='a@b/c' to='\u{1f600}@{DOMAIN}' type='get' id='emoji'/>"),
        format!("<iq from='a@b/c' to='x@{DOMAIN}' type='set' id='{long}'><q/></iq>"),
        "<message xmlns='jabber:client' from='a@b/c' to='d@irc.example.org'/>".to_owned(),
        "<message from='a@b/c' to='d@elsewhere.example' id='not-ours'/>".to_owned(),
        "<iq from='evil@irc.example.org/x' to='d@irc.example.org' type='get' id='forged'/>".to_owned(),
        format!("<iq from='a@b/\u{1f600}' to='d@{DOMAIN}' type='get' id='from-emoji'/>"),
        "<iq from='a@b/c' to='@@@' type='get' id='broken'/>".to_owned(),
        "<unknown xmlns='urn:x'/>".to_owned(),
        "<message/>".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        peer.say(&format!("{inner}<message from='a@b/c' to='d@{DOMAIN}' id='after-{number}'/>")).await;
        world.heard.until(&format!("after-{number}")).await;
    }
    // The end of the stream brings everything that was sent before it.
    world.link.close();
    let sent = peer.until("</stream:stream>").await;
    for id in ["deep", "long", "huge", "pi", "emoji", "from-emoji", &long] {
        assert_eq!(
            sent.matches(&format!(" id='{id}'>")).count(),
            1,
            "one answer to {id}: {sent}"
        );
    }
    for id in ["quiet", "forged", "not-ours", "broken"] {
        assert!(!sent.contains(&format!(" id='{id}'>")), "no answer to {id}");
    }
    assert!(
        !world
            .heard
            .until("p")
            .await
            .iter()
            .any(|id| id == "forged" || id == "not-ours")
    );
}

#[tokio::test]
async fn the_end_is_proper() {
    let world = World::new().await;
    let peer = world.accept().await;
    world.until_up(true).await;
    world.link.answer(message("last"));
    world.link.close();
    let sent = peer.rest().await;
    assert!(
        sent.contains("id='last'") && sent.ends_with("</stream:stream>"),
        "{sent}"
    );
    timeout(Duration::from_secs(5), world.running)
        .await
        .expect("soon")
        .expect("no panic");
}

#[tokio::test]
async fn a_silent_server_is_asked_and_left() {
    let patience = Patience {
        silence: Duration::from_millis(100),
        answer: Duration::from_millis(200),
        ..Patience::default()
    };
    let world = World::with(Room::default(), patience).await;
    let mut peer = world.accept().await;
    let (first, _) = peer.fence().await;
    peer.give_back(&first).await;
    let (probe, _) = peer.fence().await;
    peer.give_back(&probe).await;
    let (_unanswered, _) = peer.fence().await;
    world.until_up(false).await;
    world.accept().await;
}

#[test]
fn a_stream_error_without_a_reason_is_readable() {
    let element = "<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>"
        .parse()
        .expect("XML");
    let words = stream_error(&element, DOMAIN).to_string();
    assert_eq!(
        words,
        "the XMPP server ended the stream of irc.example.org: no reason given"
    );
}
