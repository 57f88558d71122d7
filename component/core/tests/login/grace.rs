//! A place in a room is kept for some time for a client that was lost.

use viaduct_core::effect::{Input, Timer};
use viaduct_core::records::PortalId;

use crate::desk::{Desk, GRACE, PHONE, ROOM, shown, stanzas};

/// The phone is gone: the server says so to what it is sent.
fn bounce(desk: &mut Desk) -> Vec<String> {
    desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='error'><error type='cancel'><service-unavailable \
         xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    ))
}

fn timer(lines: &[String]) -> Option<Timer> {
    let line = lines.iter().find(|line| line.contains("SetTimer"))?;
    assert!(line.contains(&format!("after: {GRACE:?}")), "{line}");
    let id = line.split("Grace(PortalId(").nth(1)?.split(')').next()?;
    Some(Timer::Grace(PortalId(id.parse().ok()?)))
}

#[test]
fn a_place_is_kept_for_a_client_that_was_lost() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    desk.confirm();
    let lost = bounce(&mut desk);
    assert!(!lost.join("").contains("Leave"), "{lost:?}");
    let grace = timer(&lost).expect("a time is set");
    assert!(timer(&bounce(&mut desk)).is_none(), "once");
    // What is said meanwhile is in the archive.
    assert!(desk.says("bob", "anybody?").join("").contains("anybody?"));

    let over = desk.input(Input::Timer(grace.clone())).join("\n");
    assert!(over.contains("Leave {"), "nobody came back: {over}");
    let again = desk.input(Input::Timer(grace)).join("\n");
    assert!(!again.contains("Leave {"), "{again}");
}

#[test]
fn who_comes_back_in_time_has_never_been_away() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    desk.confirm();
    let grace = timer(&bounce(&mut desk)).expect("a time is set");
    let back = desk.stanza(&format!(
        "<presence from='{PHONE}' to='{ROOM}/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    assert!(
        !back.join("").contains("Join {"),
        "the user is still there: {back:?}"
    );
    assert_eq!(shown(&back), ["+bob", "+me"]);
    let over = desk.input(Input::Timer(grace)).join("\n");
    assert!(!over.contains("Leave {"), "{over}");
    let said = desk.says("bob", "welcome back");
    assert_eq!(stanzas(&said).len(), 1, "{said:?}");
}
