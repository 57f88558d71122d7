//! The process before this one was killed: who was there is told once that messages may be lost.

use viaduct_bridge::Timestamp;
use viaduct_core::effect::Input;

use super::desk::{Desk, NOW, PHONE, registered, stanzas};

fn told(lines: &[String]) -> usize {
    let says = |stanza: &&str| stanza.contains("may not have arrived");
    stanzas(lines).into_iter().filter(|stanza| says(stanza)).count()
}

/// A login of a gateway that came after one that was killed.
fn after_a_crash() -> Desk {
    let until = Timestamp(NOW.0 + 1_000_000);
    Desk::with(Some(registered()), |ctx| ctx.aftermath = Some(until))
}

fn appear(desk: &mut Desk) -> Vec<String> {
    desk.stanza(&format!("<presence from='{PHONE}' to='gw.example'/>"))
}

#[test]
fn who_turns_out_to_be_there_is_told_once() {
    let mut desk = after_a_crash();
    desk.input(Input::Start);
    // Nobody knows yet whether the user is there.
    assert_eq!(told(&desk.input(Input::LinkUp)), 0);
    assert_eq!(told(&appear(&mut desk)), 1);
    assert_eq!(told(&appear(&mut desk)), 0);
    desk.input(Input::LinkDown);
    assert_eq!(told(&desk.input(Input::LinkUp)), 0);
}

#[test]
fn who_comes_much_later_has_lost_nothing() {
    let mut desk = after_a_crash();
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.now.0 += 2_000_000;
    assert_eq!(told(&appear(&mut desk)), 0);
}

#[test]
fn after_an_orderly_end_there_is_nothing_to_tell() {
    let mut desk = Desk::new(Some(registered()));
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    assert_eq!(told(&appear(&mut desk)), 0);
}
