//! SCRAM-SHA-256 with a server that plays the other side of it: the password stays at home, and a server that does not
//! know it gets nothing else either.

use std::num::NonZeroU32;
use std::sync::Arc;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Account, Command, Failure, Refusal, Secret, ServerEvent};
use viaduct_irc::{IrcBridge, IrcConfig};

use crate::certificates::Authority;
use crate::scripted::{Peer, Scripted};
use crate::support::{Notes, SERVER, name, server_id};
use crate::user::User;

const SALT: &[u8] =
    b"a salt of some length that makes the challenge longer than one line of 400 characters, \
    a salt of some length that makes the challenge longer than one line of 400 characters, \
    a salt of some length that makes the challenge longer than one line of 400 characters, \
    a salt of some length that makes the challenge longer than one line of 400 characters";
const ITERATIONS: u32 = 4096;

/// What the server knows of an account (RFC 5802 §3).
fn keys(password: &str) -> (hmac::Key, Vec<u8>) {
    let mut salted = [0; 32];
    let count = NonZeroU32::new(ITERATIONS).expect("not zero");
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        count,
        SALT,
        password.as_bytes(),
        &mut salted,
    );
    let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
    let salted = key(&salted);
    let client = hmac::sign(&salted, b"Client Key");
    let server = hmac::sign(&salted, b"Server Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    (key(server.as_ref()), stored.as_ref().to_vec())
}

async fn read(peer: &mut Peer) -> String {
    let line = peer.until("AUTHENTICATE ").await;
    let encoded = line.trim_start_matches("AUTHENTICATE ");
    String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("text")
}

async fn challenge(peer: &mut Peer, text: &str) {
    let encoded = STANDARD.encode(text);
    let mut rest = encoded.as_str();
    while rest.len() >= 400 {
        let (chunk, after) = rest.split_at(400);
        peer.say(&format!("AUTHENTICATE {chunk}")).await;
        rest = after;
    }
    let last = if rest.is_empty() { "+" } else { rest };
    peer.say(&format!("AUTHENTICATE {last}")).await;
}

/// Plays the server up to the client's nonce; gives the client's message without its header.
async fn up_to_the_nonce(peer: &mut Peer) -> String {
    peer.until("USER ").await;
    peer.say(":irc.test CAP * LS :sasl=PLAIN,SCRAM-SHA-256").await;
    peer.until("CAP REQ").await;
    peer.say(":irc.test CAP * ACK :sasl").await;
    assert_eq!(peer.until("AUTHENTICATE ").await, "AUTHENTICATE SCRAM-SHA-256");
    peer.say("AUTHENTICATE +").await;
    let first = read(peer).await;
    first.strip_prefix("n,,").expect("no channel binding").to_owned()
}

/// Plays the server up to the client's proof, which it checks; gives what the server must sign.
async fn up_to_the_proof(peer: &mut Peer, password: &str) -> String {
    let bare = up_to_the_nonce(peer).await;
    let nonce = bare.strip_prefix("n=jilles,r=").expect("the account");
    let server_first = format!("r={nonce}server,s={},i={ITERATIONS}", STANDARD.encode(SALT));
    challenge(peer, &server_first).await;
    let last = read(peer).await;
    let (without_proof, proof) = last.rsplit_once(",p=").expect("a proof");
    assert_eq!(without_proof, format!("c=biws,r={nonce}server"));
    let all = format!("{bare},{server_first},{without_proof}");
    let (_, stored) = keys(password);
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &stored), all.as_bytes());
    let proof = STANDARD.decode(proof).expect("base64");
    let client_key: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    assert_eq!(
        digest::digest(&digest::SHA256, &client_key).as_ref(),
        stored,
        "the client knows the password"
    );
    all
}

fn alice(server: &Scripted) -> User {
    alice_with(&format!(
        "[servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{}]\ntls = false",
        server.port()
    ))
}

fn alice_with(config: &str) -> User {
    let config: IrcConfig = toml::from_str(config).expect("a valid table");
    let notes = Arc::new(Notes::default());
    let bridge = IrcBridge::new(config, OutgoingPolicy::default(), notes).expect("valid");
    let mut account = Account {
        name: "alice".into(),
        ..Account::default()
    };
    for (name, value) in [("nick", "alice"), ("server", SERVER), ("username", "jilles")] {
        account.settings.insert(name.into(), value.into());
    }
    account.secrets.insert("password".into(), Secret::new("sesame"));
    let alice = User::with(&bridge, "alice", Some(account));
    alice.submit(Command::Connect {
        server: server_id(),
        nick: name("alice"),
    });
    alice
}

#[tokio::test]
async fn both_sides_prove_that_they_know_the_password() {
    let server = Scripted::plain().await;
    let mut alice = alice(&server);
    let mut peer = server.accept().await;
    let all = up_to_the_proof(&mut peer, "sesame").await;
    let (server_key, _) = keys("sesame");
    let signature = hmac::sign(&server_key, all.as_bytes());
    challenge(&mut peer, &format!("v={}", STANDARD.encode(signature))).await;
    assert_eq!(peer.until("AUTHENTICATE").await, "AUTHENTICATE +");
    peer.say(":irc.test 903 alice :SASL authentication successful")
        .await;
    peer.until("CAP END").await;
    peer.greet_alice().await;
    alice
        .server_event("login", |e| matches!(e, ServerEvent::Online { .. }))
        .await;
}

#[tokio::test]
async fn a_server_that_does_not_know_the_password_is_left() {
    for wrong in [true, false] {
        let server = Scripted::plain().await;
        let mut alice = alice(&server);
        let mut peer = server.accept().await;
        up_to_the_proof(&mut peer, "sesame").await;
        if wrong {
            challenge(&mut peer, &format!("v={}", STANDARD.encode([7; 32]))).await;
        } else {
            peer.say(":irc.test 903 alice :SASL authentication successful")
                .await;
        }
        let event = alice
            .server_event("failure", |e| {
                matches!(e, ServerEvent::Failed { .. } | ServerEvent::Online { .. })
            })
            .await;
        let ServerEvent::Failed {
            failure:
                Failure::Permanent {
                    refusal: Refusal::NotAuthorized,
                    reason,
                },
        } = event
        else {
            panic!("{event:?}");
        };
        assert!(reason.contains("did not prove"), "{reason}");
        // The password is not shown after that, nor is anything else said.
        assert_eq!(peer.line().await, None);
    }
}

#[tokio::test]
async fn a_server_that_asks_for_too_much_is_asked_for_something_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(authority) = Authority::new(folder.path()) else {
        eprintln!("no openssl: skipped");
        return;
    };
    let server = Scripted::tls(&authority.issue("server", SERVER)).await;
    let ca = authority.ca_file().display().to_string();
    let mut alice = alice_with(&format!(
        "[servers.\"{SERVER}\"]\nhost = \"127.0.0.1\"\nports = [{}]\nca_file = \"{ca}\"",
        server.port()
    ));
    let mut peer = server.accept().await;
    let bare = up_to_the_nonce(&mut peer).await;
    let nonce = bare.strip_prefix("n=jilles,r=").expect("the account");
    challenge(&mut peer, &format!("r={nonce}server,s=AAAA,i=4000000000")).await;
    assert_eq!(peer.until("AUTHENTICATE").await, "AUTHENTICATE *");
    peer.say(":irc.test 906 alice :SASL authentication aborted").await;
    assert_eq!(peer.until("AUTHENTICATE").await, "AUTHENTICATE PLAIN");
    peer.say(":irc.test 904 alice :No such luck").await;
    alice
        .server_event(
            "failure",
            |e| matches!(e, ServerEvent::Failed { failure } if failure.to_string().contains("No such luck")),
        )
        .await;
}
