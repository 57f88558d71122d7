//! A clock that is set back or forward changes no order.

use viaduct_bridge::Timestamp;
use viaduct_core::effect::Input;

use crate::desk::{Desk, NOW};
use crate::links::restarted;

const HOUR: i64 = 3_600_000_000;

/// The place and the time of the message that was kept.
fn kept(lines: &[String]) -> (i64, i64) {
    let line = lines
        .iter()
        .find(|line| line.starts_with("Write(Message"))
        .expect("it is kept");
    let number = |before: &str| {
        let rest = line.split(before).nth(1).expect("it is there");
        rest.split(')')
            .next()
            .expect("it ends")
            .parse()
            .expect("a number")
    };
    (number("position: Position("), number("at: Timestamp("))
}

/// What is said in a room, each at its own time: places count up, and times never decrease.
fn in_order(desk: &mut Desk, times: &[i64]) {
    let mut before = (0, 0);
    for (number, at) in times.iter().enumerate() {
        desk.now = Timestamp(NOW.0 + at);
        let next = kept(&desk.says("bob", &format!("message {number}")));
        assert!(
            (before.0 == 0 || next.0 == before.0 + 1) && next.1 >= before.1,
            "{before:?} and then {next:?}"
        );
        assert!(next.1 >= desk.now.0, "not before it was said");
        before = next;
    }
}

const JUMPS: [i64; 6] = [0, 1_000_000, 2_000_000 - HOUR, 3_000_000 - HOUR, HOUR, 4_000_000];

#[test]
fn a_clock_that_is_set_back_does_not_turn_the_archive_around() {
    let mut desk = Desk::ready();
    desk.join(&["bob"]);
    desk.confirm();
    in_order(&mut desk, &JUMPS);
}

#[test]
fn nor_does_it_over_a_restart() {
    let mut desk = Desk::new(Some(restarted(vec![])));
    desk.now = Timestamp(NOW.0 - HOUR);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk.room(crate::desk::joined(&["bob"]));
    let first = kept(&desk.says("bob", "an hour earlier"));
    // The place after the last one on record, and no time before its.
    assert_eq!(first, (6, NOW.0));
    in_order(&mut desk, &JUMPS);
}
