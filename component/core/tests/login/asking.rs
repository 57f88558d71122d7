//! Questions to the network: who waits gets one answer, whatever becomes of the question.

use super::desk::{Desk, PHONE, ROOM, joined, stanzas};
use viaduct_bridge::{
    Failure, ListedRoom, Outcome, Rank, RemoteEvent, Reply, RoomEvent, RoomList, ServerEvent, ServerId,
    TransactionId,
};
use viaduct_core::effect::Input;

const SERVER: &str = "srv@gw.example";

fn ask(desk: &mut Desk, id: &str, to: &str, payload: &str) -> Vec<String> {
    desk.stanza(&format!(
        "<iq type='get' id='{id}' from='{PHONE}' to='{to}'>{payload}</iq>"
    ))
}

fn rooms(desk: &mut Desk, id: &str) -> Vec<String> {
    let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    ask(desk, id, SERVER, query)
}

fn outcome(desk: &mut Desk, txn: i64, outcome: Outcome) -> Vec<String> {
    let txn = TransactionId(txn);
    desk.input(Input::Remote(RemoteEvent::Outcome { txn, outcome }))
}

fn list(names: &[&str]) -> Outcome {
    let room = |name| ListedRoom {
        name,
        shown: name,
        people: 2,
        subject: "",
    };
    let rooms: RoomList = names.iter().copied().map(room).collect();
    Outcome::Answered(Box::new(Reply::Rooms(rooms)))
}

/// The transaction of the one question among the lines.
fn asked(lines: &[String]) -> Option<i64> {
    let line = lines.iter().find(|line| line.starts_with("Submit(Ask"))?;
    let (_, rest) = line.split_once("TransactionId(")?;
    rest.split(')').next()?.parse().ok()
}

#[test]
fn one_question_answers_all_who_wait() {
    let mut desk = Desk::ready();
    let txn = asked(&rooms(&mut desk, "one")).expect("the network is asked");
    assert_eq!(asked(&rooms(&mut desk, "two")), None, "it is asked already");
    let told = outcome(&mut desk, txn, list(&["#a", "#b"]));
    let told = stanzas(&told);
    assert_eq!(told.len(), 2, "{told:?}");
    for (stanza, id) in told.iter().zip(["one", "two"]) {
        assert!(stanza.contains(&format!("id='{id}'")), "{stanza}");
        assert_eq!(stanza.matches("<item ").count(), 2, "{stanza}");
    }
    // The list is kept, and a second answer is nobody's.
    let again = rooms(&mut desk, "three");
    assert!(asked(&again).is_none() && stanzas(&again).len() == 1, "{again:?}");
    assert!(stanzas(&outcome(&mut desk, txn, list(&["#c"]))).is_empty());
}

#[test]
fn a_failure_is_told_to_all_who_wait() {
    let mut desk = Desk::ready();
    let txn = asked(&rooms(&mut desk, "one")).expect("the network is asked");
    rooms(&mut desk, "two");
    let told = outcome(&mut desk, txn, Outcome::Failed(Failure::transient("no time")));
    let told = stanzas(&told);
    assert_eq!(told.len(), 2, "{told:?}");
    for stanza in told {
        assert!(
            stanza.contains("<remote-server-timeout") && stanza.contains("no time"),
            "{stanza}"
        );
    }
    // Nothing is kept of it.
    assert!(asked(&rooms(&mut desk, "three")).is_some());
}

#[test]
fn a_list_without_a_room_is_asked_for_again() {
    let mut desk = Desk::ready();
    let txn = asked(&rooms(&mut desk, "one")).expect("the network is asked");
    let told = outcome(&mut desk, txn, list(&[]));
    assert!(stanzas(&told)[0].contains("type='result'"), "{told:?}");
    assert!(asked(&rooms(&mut desk, "two")).is_some());
}

#[test]
fn cards_connect_nobody() {
    let mut desk = Desk::ready();
    let card = "<vCard xmlns='vcard-temp'/>";
    let refused = ask(&mut desk, "one", "bob%srv@gw.example", card);
    assert!(asked(&refused).is_none(), "{refused:?}");
    assert!(
        stanzas(&refused)[0].contains("<remote-server-timeout"),
        "{refused:?}"
    );
    desk.input(Input::Remote(RemoteEvent::Server {
        server: ServerId("srv".into()),
        event: ServerEvent::Online {
            nick: "me".into(),
            me: "me".into(),
            warning: None,
        },
    }));
    let lines = ask(&mut desk, "two", "bob%srv@gw.example", card);
    assert!(asked(&lines).is_some(), "{lines:?}");
}

/// A list takes memory while it comes in, and a user may have any number of servers.
#[test]
fn only_some_lists_come_in_at_a_time() {
    let mut desk = Desk::ready();
    let query = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    let list_of =
        |desk: &mut Desk, n: usize| ask(desk, &format!("id{n}"), &format!("srv{n}@gw.example"), query);
    let first = asked(&list_of(&mut desk, 0)).expect("the network is asked");
    assert!(asked(&list_of(&mut desk, 1)).is_some());
    let refused = list_of(&mut desk, 2);
    assert!(
        asked(&refused).is_none() && stanzas(&refused)[0].contains("<resource-constraint"),
        "{refused:?}"
    );
    outcome(&mut desk, first, list(&["#a"]));
    assert!(asked(&list_of(&mut desk, 2)).is_some());
}

#[test]
fn who_waits_for_too_much_is_told() {
    let mut desk = Desk::ready();
    for n in 0..50 {
        assert!(stanzas(&rooms(&mut desk, &format!("id{n}"))).is_empty());
    }
    let refused = rooms(&mut desk, "one too many");
    assert!(
        stanzas(&refused)[0].contains("<resource-constraint"),
        "{refused:?}"
    );
}

/// A server that is slow to show its bans must not keep an operator from the rest.
#[test]
fn the_form_of_a_room_comes_without_bans_where_they_are_not_told() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let RoomEvent::Joined {
        me,
        mut members,
        topic,
        flags,
    } = joined(&[])
    else {
        unreachable!("it is the event of a room that was joined")
    };
    members[0].rank = Rank::OPERATOR;
    desk.room(RoomEvent::Joined {
        me,
        members,
        topic,
        flags,
    });
    desk.input(Input::Remote(RemoteEvent::Server {
        server: ServerId("srv".into()),
        event: ServerEvent::Online {
            nick: "me".into(),
            me: "me".into(),
            warning: None,
        },
    }));
    let query = "<query xmlns='http://jabber.org/protocol/muc#owner'/>";
    let lines = ask(&mut desk, "form", ROOM, query);
    let txn = asked(&lines).unwrap_or_else(|| panic!("the network is asked: {lines:?}"));
    let told = outcome(&mut desk, txn, Outcome::Failed(Failure::transient("no time")));
    let told = stanzas(&told);
    assert!(
        told.len() == 1 && told[0].contains("type='result'") && told[0].contains("<field"),
        "{told:?}"
    );
}
