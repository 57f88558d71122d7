//! People whose presence the user has subscribed to: who is shown, when, and how often.

use viaduct_bridge::{Name, PersonEvent, PersonId, RemoteEvent, RoomEvent, ServerEvent, ServerId};
use viaduct_core::effect::Input;

use super::desk::{Desk, PHONE, joined, member, registered, stanzas};

const BOB: &str = "bob%srv@gw.example";

fn bob() -> PersonId {
    PersonId {
        server: ServerId("srv".into()),
        person: "bob".into(),
    }
}

fn server(desk: &mut Desk, event: ServerEvent) -> Vec<String> {
    let server = ServerId("srv".into());
    desk.input(Input::Remote(RemoteEvent::Server { server, event }))
}

fn tells(desk: &mut Desk, event: PersonEvent) -> Vec<String> {
    let person = bob();
    desk.input(Input::Remote(RemoteEvent::Person { person, event }))
}

fn online() -> ServerEvent {
    ServerEvent::Online {
        nick: "me".into(),
        me: "me".into(),
        warning: None,
    }
}

fn here() -> PersonEvent {
    PersonEvent::Online { nick: "Bob".into() }
}

fn presence(desk: &mut Desk, ty: &str) -> Vec<String> {
    desk.stanza(&format!("<presence from='{PHONE}' to='{BOB}' type='{ty}'/>"))
}

/// What bob's presences among the lines say, in their order.
fn shown(lines: &[String]) -> Vec<String> {
    let of_bob = |line: &&str| line.starts_with("<presence") && line.contains(&format!("from='{BOB}'"));
    stanzas(lines)
        .into_iter()
        .filter(of_bob)
        .map(|line| {
            let types = ["subscribed", "unsubscribed", "unavailable"];
            let ty = types.iter().find(|ty| line.contains(&format!("type='{ty}'")));
            let status = line
                .split("<status>")
                .nth(1)
                .and_then(|rest| rest.split('<').next());
            match (ty, line.contains("<show>away</show>"), status) {
                (Some(ty), ..) => (*ty).to_owned(),
                (None, true, Some(words)) => format!("away: {words}"),
                (None, true, None) => "away".to_owned(),
                (None, false, _) => "here".to_owned(),
            }
        })
        .collect()
}

fn asked(lines: &[String], what: &str) -> bool {
    lines
        .iter()
        .any(|line| line.starts_with(&format!("Submit({what} ")))
}

/// A user who is connected and has bob as a contact, of whom nothing is known yet.
fn subscribed() -> Desk {
    let mut desk = Desk::ready();
    desk.join(&[]);
    server(&mut desk, online());
    let lines = presence(&mut desk, "subscribe");
    assert_eq!(shown(&lines), ["subscribed"]);
    assert!(asked(&lines, "Watch"), "{lines:?}");
    let remembered = lines.iter().position(|line| line.starts_with("Write(Contact"));
    let agreed = lines.iter().position(|line| line.starts_with("<presence"));
    assert!(remembered.is_some() && remembered < agreed, "{lines:?}");
    desk
}

#[test]
fn what_the_network_tells_is_shown_and_nothing_twice() {
    let mut desk = subscribed();
    let away = |words: Option<&str>| PersonEvent::Away {
        text: words.map(Name::from),
    };
    for (event, expected) in [
        (here(), vec!["here"]),
        (here(), vec![]),
        (away(Some("")), vec!["away"]),
        (away(Some("at lunch")), vec!["away: at lunch"]),
        (away(Some("")), vec![]),
        (away(None), vec!["here"]),
        (away(Some("")), vec!["away"]),
        (PersonEvent::Offline, vec!["unavailable"]),
        (PersonEvent::Offline, vec![]),
        (PersonEvent::Gone { reason: None }, vec![]),
        (here(), vec!["here"]),
    ] {
        let lines = tells(&mut desk, event.clone());
        assert_eq!(shown(&lines), expected, "{event:?}");
    }
    assert_eq!(
        shown(&presence(&mut desk, "probe")),
        ["here"],
        "a probe is answered at once"
    );
}

#[test]
fn what_a_room_shows_of_somebody_is_known_of_them() {
    let mut desk = subscribed();
    tells(&mut desk, PersonEvent::Offline);
    assert_eq!(
        shown(&desk.room(RoomEvent::MemberJoined(member("bob")))),
        ["here"]
    );
    let left = RoomEvent::MemberLeft {
        person: "bob".into(),
        how: viaduct_bridge::Departure::Left,
        reason: None,
    };
    assert_eq!(
        shown(&desk.room(left)),
        Vec::<String>::new(),
        "bob left the room only"
    );
    assert_eq!(
        shown(&tells(&mut desk, PersonEvent::Gone { reason: None })),
        ["unavailable"]
    );
    assert_eq!(shown(&desk.room(joined(&["bob"]))), ["here"]);
}

#[test]
fn somebody_with_another_name_is_another_contact() {
    let mut desk = subscribed();
    tells(&mut desk, here());
    let renamed = PersonEvent::Renamed {
        to: "rob".into(),
        nick: "Rob".into(),
    };
    assert_eq!(shown(&tells(&mut desk, renamed)), ["unavailable"]);
}

/// A room is told anew when it was left and entered: who is not in it any more is looked at, too.
#[test]
fn who_is_missing_from_a_room_that_is_told_anew_is_looked_at() {
    let mut desk = subscribed();
    assert_eq!(
        shown(&desk.room(RoomEvent::MemberJoined(member("bob")))),
        ["here"]
    );
    let nothing = shown(&tells(&mut desk, PersonEvent::Offline));
    assert!(nothing.is_empty(), "the room still shows bob: {nothing:?}");
    assert_eq!(shown(&desk.room(joined(&[]))), ["unavailable"]);
    assert_eq!(shown(&desk.room(joined(&["bob"]))), ["here"]);
}

#[test]
fn a_stranger_who_takes_the_name_of_a_contact_is_the_contact() {
    let mut desk = subscribed();
    tells(&mut desk, PersonEvent::Offline);
    let person = PersonId {
        server: ServerId("srv".into()),
        person: "stranger".into(),
    };
    let event = PersonEvent::Renamed {
        to: "bob".into(),
        nick: "Bob".into(),
    };
    let lines = desk.input(Input::Remote(RemoteEvent::Person { person, event }));
    assert_eq!(shown(&lines), ["here"]);
}

#[test]
fn a_lost_connection_hides_everybody_and_a_new_one_asks_again() {
    let mut desk = subscribed();
    tells(&mut desk, here());
    let lost = ServerEvent::Offline {
        reason: "gone".into(),
        retry_in: std::time::Duration::from_secs(1),
    };
    assert_eq!(shown(&server(&mut desk, lost)), ["unavailable"]);
    let back = server(&mut desk, online());
    assert!(asked(&back, "Watch") && shown(&back).is_empty(), "{back:?}");
    assert_eq!(shown(&tells(&mut desk, here())), ["here"]);
}

#[test]
fn a_restart_asks_again_where_the_user_is_connected_and_nowhere_else() {
    let mut loaded = registered();
    loaded.contacts = vec!["bob%srv".into()];
    let mut desk = Desk::new(Some(loaded));
    let start = desk.input(Input::Start);
    assert!(!start.iter().any(|line| line.starts_with("Submit")), "{start:?}");
    let up = desk.input(Input::LinkUp);
    assert_eq!(
        shown(&up),
        ["unavailable"],
        "nobody is connected, so nobody is seen"
    );
    assert!(!up.iter().any(|line| line.starts_with("Submit")), "{up:?}");
    desk.join(&[]);
    assert!(asked(&server(&mut desk, online()), "Watch"));
    assert_eq!(shown(&tells(&mut desk, here())), ["here"]);
}

#[test]
fn nobody_is_shown_to_who_has_not_subscribed() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    server(&mut desk, online());
    assert_eq!(shown(&tells(&mut desk, here())), Vec::<String>::new());
    assert_eq!(shown(&presence(&mut desk, "probe")), ["unsubscribed"]);

    let mut desk = subscribed();
    let lines = presence(&mut desk, "unsubscribe");
    assert_eq!(shown(&lines), ["unsubscribed", "unavailable"]);
    assert!(
        asked(&lines, "Unwatch") && lines.iter().any(|line| line.starts_with("Write(ForgetContact")),
        "{lines:?}"
    );
    assert_eq!(shown(&tells(&mut desk, here())), Vec::<String>::new());
    assert_eq!(shown(&presence(&mut desk, "probe")), ["unsubscribed"]);
}

#[test]
fn while_the_link_is_down_nothing_is_sent_and_afterwards_how_it_is_now() {
    let mut desk = subscribed();
    tells(&mut desk, here());
    desk.input(Input::LinkDown);
    for event in [PersonEvent::Offline, here(), PersonEvent::Offline] {
        assert_eq!(shown(&tells(&mut desk, event)), Vec::<String>::new());
    }
    // What was sent last may be lost with the link, so it is sent again.
    assert_eq!(shown(&desk.input(Input::LinkUp)), ["unavailable"]);
    desk.input(Input::LinkDown);
    assert_eq!(shown(&desk.input(Input::LinkUp)), ["unavailable"]);
}
