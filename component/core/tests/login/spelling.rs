//! Rooms and people whose names turn out to have several spellings.

use viaduct_bridge::{
    Content, Message, PersonEvent, PersonId, RemoteEvent, RoomEvent, RoomId, ServerEvent, ServerId,
};
use viaduct_core::effect::Input;

use super::desk::{Desk, NOW, PHONE, joined, stanzas};

const FIRST: &str = "#a[b]%srv@gw.example";
const OTHER: &str = "#a{b}%srv@gw.example";

fn join(desk: &mut Desk, room: &str) -> Vec<String> {
    desk.stanza(&format!(
        "<presence from='{PHONE}' to='{room}/me' id='j'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ))
}

fn room(desk: &mut Desk, room: &str, event: RoomEvent) -> Vec<String> {
    let room = RoomId {
        server: ServerId("srv".into()),
        room: room.into(),
    };
    desk.input(Input::Remote(RemoteEvent::Room { room, event }))
}

/// The server says how it folds names, as it does when the user comes online.
fn online(desk: &mut Desk) -> Vec<String> {
    desk.fold_brackets();
    let event = ServerEvent::Online {
        nick: "me".into(),
        me: "me".into(),
        warning: None,
    };
    let server = ServerId("srv".into());
    desk.input(Input::Remote(RemoteEvent::Server { server, event }))
}

fn redirected(lines: &[String], from: &str) -> bool {
    stanzas(lines).iter().any(|line| {
        line.contains(&format!("from='{from}"))
            && line.contains("type='modify'")
            && line.contains(">xmpp:%23a%5Bb%5D%25srv@gw.example</redirect>")
            && line.contains("use that address")
    })
}

#[test]
fn a_room_keeps_the_jid_under_which_it_was_first_seen() {
    let mut desk = Desk::ready();
    join(&mut desk, FIRST);
    online(&mut desk);
    let lines = room(&mut desk, "#a{b}", joined(&["bob"])).join("");
    assert!(lines.contains(&format!("from='{FIRST}/bob'")), "{lines}");
    let said = desk.stanza(&format!(
        "<message from='{PHONE}' to='{FIRST}' type='groupchat' id='m'><body>hello</body></message>"
    ));
    assert!(
        said.iter()
            .any(|line| line.starts_with("Submit(Send") && line.contains("#a{b}")),
        "{said:?}"
    );

    // Its other spellings lead there.
    assert!(redirected(&join(&mut desk, OTHER), OTHER));
    for stanza in [
        format!("<message from='{PHONE}' to='{OTHER}' type='groupchat' id='m'><body>hello</body></message>"),
        format!(
            "<iq from='{PHONE}' to='{OTHER}' type='get' id='q'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        ),
    ] {
        let lines = desk.stanza(&stanza);
        assert!(redirected(&lines, OTHER), "{stanza}: {lines:?}");
    }
    let quiet = desk.stanza(&format!(
        "<presence from='{PHONE}' to='{OTHER}/me' type='unavailable'/>"
    ));
    assert_eq!(stanzas(&quiet), Vec::<&str>::new());
}

#[test]
fn two_spellings_that_are_asked_for_at_once_become_one_room() {
    let mut desk = Desk::ready();
    join(&mut desk, FIRST);
    join(&mut desk, OTHER);
    let lines = online(&mut desk);
    assert!(redirected(&lines, OTHER), "{lines:?}");
    let lines = room(&mut desk, "#a{b}", joined(&["bob"])).join("");
    assert!(
        lines.contains(&format!("from='{FIRST}/bob'")) && !lines.contains(OTHER),
        "{lines}"
    );
}

#[test]
fn a_room_that_nobody_could_enter_keeps_no_jid() {
    let mut desk = Desk::ready();
    online(&mut desk);
    join(&mut desk, OTHER);
    let failure = viaduct_bridge::Failure::transient("not now");
    room(&mut desk, "#a{b}", RoomEvent::Refused { failure });
    let lines = join(&mut desk, FIRST);
    assert!(
        lines.iter().any(|line| line.starts_with("Submit(Join")),
        "{lines:?}"
    );
    let lines = room(&mut desk, "#a{b}", joined(&[])).join("");
    assert!(lines.contains(&format!("from='{FIRST}/me'")), "{lines}");
}

#[test]
fn a_person_answers_from_where_they_were_addressed() {
    let mut desk = Desk::ready();
    let writes = |desk: &mut Desk, to: &str| {
        desk.stanza(&format!(
            "<message from='{PHONE}' to='{to}%srv@gw.example' type='chat' id='m'><body>hello</body></message>"
        ));
    };
    writes(&mut desk, "b[]");
    online(&mut desk);
    writes(&mut desk, "c[]");
    for (person, written) in [("b{}", "b[]"), ("c{}", "c[]"), ("d{}", "d{}")] {
        let message = Message {
            ids: vec![],
            txn: None,
            sender: person.into(),
            nick: person.into(),
            at: NOW,
            content: Content::plain("hi"),
            relation: None,
            missed: false,
        };
        let person = PersonId {
            server: ServerId("srv".into()),
            person: person.into(),
        };
        let event = PersonEvent::Message(message);
        let lines = desk.input(Input::Remote(RemoteEvent::Person { person, event }));
        let from = format!("from='{written}%srv@gw.example'");
        assert!(lines.join("").contains(&from), "{lines:?}");
    }
}
