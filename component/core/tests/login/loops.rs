//! Two gateways that bridge each other's rooms do not go on for ever.

use viaduct_bridge::{Outcome, RemoteEvent, TransactionId};
use viaduct_core::effect::Input;

use crate::desk::{Desk, PHONE, ROOM};

/// The user's bot says something in the room. What reaches the network, if anything does, and what the bot is told.
fn say(desk: &mut Desk, text: &str) -> (Option<String>, String) {
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    let lines = desk.stanza(&format!(
        "<message from='{PHONE}' to='{ROOM}' type='groupchat' id='m'><body>{text}</body></message>"
    ));
    let sent = lines.iter().find(|line| line.starts_with("Submit(Send"));
    let part = |line: &str, before: &str, after: &str| {
        let rest = line.split(before).nth(1).expect("it is there");
        rest.split(after).next().expect("it ends").to_owned()
    };
    if let Some(sent) = sent {
        let txn = part(sent, "TransactionId(", ")").parse().expect("a number");
        desk.input(Input::Remote(RemoteEvent::Outcome {
            txn: TransactionId(txn),
            outcome: Outcome::Accepted {
                ids: vec![],
                at: None,
            },
        }));
    }
    let plain = sent.map(|line| part(line, "plain: ", ", spans").trim_matches('"').to_owned());
    (plain, lines.join("\n"))
}

#[test]
fn two_gateways_that_bridge_each_other_come_to_an_end() {
    let (mut here, mut there) = (Desk::ready(), Desk::ready());
    for desk in [&mut here, &mut there] {
        desk.join(&["alice"]);
        desk.confirm();
    }
    // What is said in one room is repeated in the other by a bot of the user, with the name of who said it; the two
    // networks do the same.
    let (mut text, mut rounds) = ("has anybody seen my keys?".to_owned(), 0);
    let told = loop {
        here.says("alice", &text);
        let (sent, told) = say(&mut there, &format!("<alice> {text}"));
        let Some(sent) = sent else { break told };
        there.says("relay", &sent);
        text = format!("<relay> {sent}");
        here.now.0 += 1_000_000;
        there.now.0 += 1_000_000;
        rounds += 1;
        assert!(rounds < 20, "it goes on and on: {text}");
    };
    assert_eq!(rounds, 5);
    assert!(
        told.contains("type='error'") && told.contains("come round"),
        "{told}"
    );
    // It is one message that is refused, not its sender.
    let (sent, _) = say(&mut there, "found them");
    assert_eq!(sent.as_deref(), Some("found them"));
}
