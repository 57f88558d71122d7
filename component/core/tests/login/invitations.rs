//! Invitations: what is asked of the network for one stanza, and that its sender hears of it once.

use super::desk::{Desk, PHONE, ROOM, stanzas};
use viaduct_bridge::{Failure, Outcome, Refusal, RemoteEvent, TransactionId};
use viaduct_core::effect::Input;

fn invite(desk: &mut Desk, people: &[&str]) -> Vec<String> {
    let invites: String = people
        .iter()
        .map(|person| format!("<invite to='{person}%srv@gw.example'/>"))
        .collect();
    desk.stanza(&format!(
        "<message id='i' from='{PHONE}' to='{ROOM}'><x xmlns='http://jabber.org/protocol/muc#user'>{invites}</x></message>"
    ))
}

/// The transactions of the invitations among the lines.
fn asked(lines: &[String]) -> Vec<TransactionId> {
    let invitations = lines.iter().filter(|line| line.starts_with("Submit(Invite"));
    let number = |line: &String| {
        let (_, rest) = line.split_once("TransactionId(")?;
        rest.split(')').next()?.parse().ok().map(TransactionId)
    };
    invitations.filter_map(number).collect()
}

fn outcome(desk: &mut Desk, txn: TransactionId, outcome: Outcome) -> Vec<String> {
    desk.input(Input::Remote(RemoteEvent::Outcome { txn, outcome }))
}

#[test]
fn however_many_cannot_be_invited_one_error_says_so() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let all = asked(&invite(&mut desk, &["bob", "carol", "dave"]));
    assert_eq!(all.len(), 3);
    let accepted = Outcome::Accepted {
        ids: vec![],
        at: None,
    };
    assert!(stanzas(&outcome(&mut desk, all[0], accepted.clone())).is_empty());
    let failed = Outcome::Failed(Failure::refused(Refusal::NotFound, "No such nick"));
    let told: Vec<String> = [all[1], all[2]]
        .into_iter()
        .flat_map(|txn| outcome(&mut desk, txn, failed.clone()))
        .collect();
    let told = stanzas(&told);
    assert!(
        told.len() == 1 && told[0].starts_with("<message") && told[0].contains("No such nick"),
        "{told:?}"
    );
    // Of what was done nothing is said.
    let one = asked(&invite(&mut desk, &["bob"]));
    assert!(stanzas(&outcome(&mut desk, one[0], accepted)).is_empty());
}

#[test]
fn where_not_all_may_wait_nobody_is_invited() {
    let mut desk = Desk::with(None, |ctx| ctx.most_pending.commands = 2);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.join(&[]);
    let refused = invite(&mut desk, &["bob", "carol", "dave"]);
    assert!(asked(&refused).is_empty(), "{refused:?}");
    let told = stanzas(&refused);
    assert!(
        told.len() == 1 && told[0].contains("<resource-constraint"),
        "{told:?}"
    );
    assert_eq!(asked(&invite(&mut desk, &["bob", "carol"])).len(), 2);
}
