//! What waits for the network: how much may, and that each stanza is answered once whatever comes of it.

use viaduct_bridge::{Outcome, RemoteEvent, TransactionId};
use viaduct_core::effect::Input;

use super::desk::{Desk, PHONE, ROOM, registered, stanzas};

/// The user says something. The transaction, if it is taken, and what the user is told.
fn say(desk: &mut Desk, text: &str) -> (Option<TransactionId>, Vec<String>) {
    let lines = desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='groupchat' id='m'><body>{text}</body></message>"
    ));
    let sent = lines.iter().find(|line| line.starts_with("Submit(Send"));
    let txn = sent.and_then(|line| {
        let (_, rest) = line.split_once("TransactionId(")?;
        rest.split(')').next()?.parse().ok().map(TransactionId)
    });
    let told = stanzas(&lines).into_iter().map(str::to_owned).collect();
    (txn, told)
}

#[test]
fn few_large_messages_wait_or_many_small_ones() {
    let mut desk = Desk::with(None, |ctx| ctx.most_pending.bytes = 4_500);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.join(&[]);
    let large = "x".repeat(900);
    let taken: Vec<_> = (0..3).filter_map(|_| say(&mut desk, &large).0).collect();
    assert_eq!(taken.len(), 3, "{:?}", say(&mut desk, &large));
    let (sent, told) = say(&mut desk, "one more");
    assert_eq!(sent, None);
    assert!(
        told.len() == 1 && told[0].contains("type='wait'") && told[0].contains("<resource-constraint"),
        "{told:?}"
    );
    // What is answered makes room.
    for txn in taken {
        let outcome = Outcome::Accepted {
            ids: vec![],
            at: None,
        };
        desk.input(Input::Remote(RemoteEvent::Outcome { txn, outcome }));
    }
    for number in 0..50 {
        let (sent, told) = say(&mut desk, "small");
        assert!(sent.is_some(), "number {number} is refused: {told:?}");
    }
}

#[test]
fn who_unregisters_hears_once_of_each_stanza_that_waited() {
    let mut desk = Desk::new(Some(registered()));
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.join(&[]);
    let invites: String = ["bob", "carol", "dave"]
        .iter()
        .map(|person| format!("<invite to='{person}%srv@gw.example'/>"))
        .collect();
    desk.stanza(&format!(
        "<message id='three' from='{PHONE}' to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'>{invites}</x></message>"
    ));
    let gone = desk.stanza(&format!(
        "<iq type='set' id='r' from='{PHONE}' to='gw.example'><query xmlns='jabber:iq:register'><remove/></query></iq>"
    ));
    let told: Vec<_> = stanzas(&gone)
        .into_iter()
        .filter(|stanza| stanza.contains("id='three'"))
        .collect();
    assert!(told.len() == 1 && told[0].contains("type='error'"), "{told:?}");
}
