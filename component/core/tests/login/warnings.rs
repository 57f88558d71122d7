//! What is said about a connection (that it is not encrypted, say) is said once.

use viaduct_bridge::{Name, RemoteEvent, ServerEvent, ServerId};
use viaduct_core::effect::Input;

use crate::desk::Desk;
use crate::links::restarted;

const OPEN: &str = "The connection is not encrypted.";

fn server() -> ServerId {
    ServerId("srv".into())
}

/// The connection is there. What is said about it to the user, and whether anything was remembered.
fn online(desk: &mut Desk, warning: Option<&str>) -> (usize, bool) {
    let event = ServerEvent::Online {
        nick: "me".into(),
        me: "me".into(),
        warning: warning.map(Name::from),
    };
    let lines = desk.input(Input::Remote(RemoteEvent::Server {
        server: server(),
        event,
    }));
    said(&lines)
}

fn said(lines: &[String]) -> (usize, bool) {
    let said = lines.iter().filter(|line| line.contains("not encrypted.</body>"));
    (said.count(), lines.iter().any(|line| line.contains("Warned")))
}

#[test]
fn a_warning_is_said_once_until_the_reason_was_gone() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    assert_eq!(online(&mut desk, Some(OPEN)), (1, true));
    for _ in 0..3 {
        assert_eq!(online(&mut desk, Some(OPEN)), (0, false));
    }
    assert_eq!(
        online(&mut desk, None),
        (0, true),
        "encrypted: that is remembered"
    );
    assert_eq!(online(&mut desk, None), (0, false));
    assert_eq!(online(&mut desk, Some(OPEN)), (1, true));
    let worse = "Your account was not used. The connection is not encrypted.";
    assert_eq!(
        online(&mut desk, Some(worse)),
        (1, true),
        "something else is news"
    );
}

#[test]
fn a_warning_is_not_said_again_after_a_restart() {
    let mut loaded = restarted(vec![]);
    loaded.warned = vec![(server(), OPEN.into())];
    let mut desk = Desk::new(Some(loaded));
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    assert_eq!(online(&mut desk, Some(OPEN)), (0, false));
    assert_eq!(online(&mut desk, None), (0, true));
    assert_eq!(online(&mut desk, Some(OPEN)), (1, true));
}

/// Anybody may take the name of services where there are none.
#[test]
fn nobody_is_advised_to_tell_a_password_to_who_claims_to_be_services() {
    let mut desk = Desk::ready();
    desk.join(&[]);
    let nick = "me".into();
    let event = ServerEvent::NickOwned { nick };
    let server = server();
    let lines = desk.input(Input::Remote(RemoteEvent::Server { server, event }));
    let told: Vec<&String> = lines.iter().filter(|line| line.contains("<body>")).collect();
    assert!(
        told.len() == 1
            && told[0].contains("register with gw.example")
            && told[0].contains("choose another nickname")
            && !told[0].contains("IDENTIFY"),
        "{told:?}"
    );
}

#[test]
fn a_warning_waits_for_somebody_who_hears_it() {
    let mut desk = Desk::new(Some(restarted(vec![])));
    desk.input(Input::Start);
    assert_eq!(online(&mut desk, Some(OPEN)), (0, false));
    let up = desk.input(Input::LinkUp);
    assert_eq!(said(&up), (1, true));
    desk.input(Input::LinkDown);
    let up = desk.input(Input::LinkUp);
    assert_eq!(said(&up), (0, false));
}
