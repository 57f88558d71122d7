//! Accounts of the network: who somebody is, whatever they are called (XEP-0421).

use viaduct_bridge::{Departure, Member, Name, PersonEvent, PersonId, RemoteEvent, RoomEvent};
use viaduct_core::effect::Input;

use super::desk::{Desk, joined, member, room_id, shown, stanzas};

/// The occupant-id in the first stanza.
fn id_in(lines: &[String]) -> String {
    let rest = stanzas(lines)[0]
        .split("occupant-id xmlns='urn:xmpp:occupant-id:0' id='")
        .nth(1);
    rest.expect("an occupant-id")[..24].to_owned()
}

fn told(desk: &mut Desk, nick: &str, account: Option<&str>) -> Vec<String> {
    let person = PersonId {
        server: room_id().server,
        person: nick.into(),
    };
    let account = account.map(Name::from);
    let event = PersonEvent::Account { account };
    desk.input(Input::Remote(RemoteEvent::Person { person, event }))
}

fn comes(desk: &mut Desk, nick: &str, account: Option<&str>) -> Vec<String> {
    desk.room(RoomEvent::MemberJoined(Member {
        account: account.map(Name::from),
        ..member(nick)
    }))
}

fn leaves(desk: &mut Desk, nick: &str) {
    desk.room(RoomEvent::MemberLeft {
        person: nick.into(),
        how: Departure::Left,
        reason: None,
    });
}

#[test]
fn who_comes_back_with_the_same_account_is_the_same_person() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let by_name = id_in(&desk.says("bob", "x"));
    let news = told(&mut desk, "bob", Some("robert"));
    assert_eq!(shown(&news), ["+bob"], "it is shown");
    let by_account = id_in(&news);
    assert_ne!(by_name, by_account);
    assert!(told(&mut desk, "bob", Some("robert")).is_empty(), "once");
    leaves(&mut desk, "bob");
    assert_eq!(id_in(&comes(&mut desk, "rob", Some("robert"))), by_account);
    assert_eq!(
        id_in(&comes(&mut desk, "bob", None)),
        by_name,
        "the name is anybody's"
    );
    assert_ne!(
        id_in(&comes(&mut desk, "eve", Some("bob"))),
        by_name,
        "an account is no nickname"
    );
}

#[test]
fn a_name_does_not_keep_an_account_that_its_owner_left() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    let by_account = id_in(&told(&mut desk, "bob", Some("robert")));
    desk.confirm();
    // Entered again: the list of names tells of no account, so what is known is believed until somebody tells.
    let again = desk.room(joined(&["bob"]));
    assert!(shown(&again).is_empty(), "{again:?}");
    assert_eq!(id_in(&desk.says("bob", "x")), by_account);
    let news = told(&mut desk, "bob", None);
    assert_eq!(shown(&news), ["+bob"]);
    assert_ne!(id_in(&news), by_account, "somebody else has the name");
}
