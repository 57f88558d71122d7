//! Who is typing (XEP-0085), in both directions.

use viaduct_bridge::{RoomEvent, Typing};
use viaduct_core::effect::Input;

use crate::desk::{Desk, ROOM, stanzas};
use crate::relations::{desk, groupchat, has, room};

#[test]
fn typing_is_shown_while_it_lasts_and_never_kept() {
    let mut desk = desk();
    let types = |state| {
        room(RoomEvent::Typing {
            person: "bob".into(),
            state,
        })
    };
    let tell = |desk: &mut Desk, state| desk.input(Input::Remote(types(state)));
    let lines = tell(&mut desk, Typing::Active);
    assert!(
        has(&lines, &["<composing ", &format!("{ROOM}/bob"), "<no-store "]),
        "{lines:#?}"
    );
    assert!(
        has(&lines, &["SetTimer", "Typing(", "after: 6s"]) && !has(&lines, &["Write("]),
        "{lines:#?}"
    );
    let again = tell(&mut desk, Typing::Active);
    assert!(
        stanzas(&again).is_empty() && has(&again, &["SetTimer"]),
        "it goes on: {again:#?}"
    );
    assert!(has(&tell(&mut desk, Typing::Paused), &["<paused "]));
    assert!(has(&tell(&mut desk, Typing::Done), &["<active "]));
    assert!(tell(&mut desk, Typing::Done).is_empty());
    tell(&mut desk, Typing::Active);
    let said = desk.says("bob", "there");
    assert_eq!(stanzas(&said).len(), 1, "what is said ends it: {said:#?}");
    assert!(tell(&mut desk, Typing::Done).is_empty());
    desk.input(Input::LinkDown);
    assert!(
        stanzas(&tell(&mut desk, Typing::Active)).is_empty(),
        "it is not kept for later"
    );
    let later = desk.input(Input::LinkUp);
    assert!(!has(&later, &["<composing"]), "{later:#?}");
}

#[test]
fn typing_goes_out_where_the_network_has_it() {
    let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
    let mut able = desk();
    let lines = able.stanza(&groupchat(composing));
    assert!(has(&lines, &["Submit(Typing", "Active"]), "{lines:#?}");
    let lines = able.stanza(&groupchat(
        "<gone xmlns='http://jabber.org/protocol/chatstates'/>",
    ));
    assert!(has(&lines, &["Submit(Typing", "Done"]), "{lines:#?}");
    let mut unable = Desk::ready();
    unable.join(&["bob"]);
    assert!(
        unable.stanza(&groupchat(composing)).is_empty(),
        "and no error either"
    );
}
