//! What the operator says of registration: closed, and not left in-band (XEP-0077 §3.1, §3.2).

use viaduct_bridge::{Account, Step};
use viaduct_core::access::{Access, Registration};
use viaduct_core::context::{Context, Rules};
use viaduct_core::effect::{FlowId, Input};
use viaduct_core::records::LoadedLogin;

use super::desk::{Desk, PHONE, ROOM, registered, rules, stanzas};

const REGISTER: &str = "jabber:iq:register";

fn ready(loaded: Option<LoadedLogin>, change: impl FnOnce(&mut Context)) -> Desk {
    let mut desk = Desk::with(loaded, change);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk
}

fn closed(ctx: &mut Context) {
    ctx.rules.replace(Rules {
        registration: Registration::Closed,
        ..rules()
    });
}

/// The one answer to a request to the gateway.
fn ask(desk: &mut Desk, ty: &str, payload: &str) -> String {
    let lines = desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='{ty}' id='q'>{payload}</iq>"
    ));
    let answers = stanzas(&lines);
    let answer = answers.iter().find(|answer| answer.contains("id='q'"));
    (*answer.unwrap_or_else(|| panic!("no answer: {lines:?}"))).to_owned()
}

fn advertises(desk: &mut Desk) -> bool {
    let info = ask(
        desk,
        "get",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
    );
    info.contains(REGISTER)
}

/// The words of the commands that are offered.
fn offers(desk: &mut Desk, command: &str) -> bool {
    let items = ask(
        desk,
        "get",
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
    );
    items.contains(&format!("node='{command}'"))
}

fn execute(desk: &mut Desk, command: &str) -> String {
    let payload = format!("<command xmlns='http://jabber.org/protocol/commands' node='{command}'/>");
    ask(desk, "set", &payload)
}

#[test]
fn nobody_new_is_registered_where_registration_is_closed() {
    let mut desk = ready(None, closed);
    for (ty, payload) in [
        ("get", format!("<query xmlns='{REGISTER}'/>")),
        (
            "set",
            format!("<query xmlns='{REGISTER}'><nick>me</nick></query>"),
        ),
    ] {
        let answer = ask(&mut desk, ty, &payload);
        assert!(
            answer.contains("<service-unavailable") && answer.contains("is closed"),
            "{answer}"
        );
    }
    assert!(!advertises(&mut desk) && !offers(&mut desk, "register"));
    assert!(execute(&mut desk, "register").contains("<forbidden"));
    let join = desk.stanza(&format!(
        "<presence from='{PHONE}' to='{ROOM}/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    ));
    assert!(
        join.join("").contains("<forbidden") && join.join("").contains("takes no new users"),
        "{join:?}"
    );
}

#[test]
fn who_is_registered_goes_on_where_registration_is_closed() {
    let mut desk = ready(Some(registered()), closed);
    let answer = ask(&mut desk, "get", &format!("<query xmlns='{REGISTER}'/>"));
    assert!(answer.contains("<registered/>"), "{answer}");
    assert!(advertises(&mut desk) && offers(&mut desk, "register"));
    let join = desk.join(&["bob"]).join("");
    assert!(join.contains(&format!("from='{ROOM}/bob'")), "{join}");
    let removal = format!("<query xmlns='{REGISTER}'><remove/></query>");
    assert!(ask(&mut desk, "set", &removal).contains("type='result'"));
    assert!(!advertises(&mut desk), "and who has left does not come back");
}

#[test]
fn nobody_leaves_by_themselves_where_the_operator_forbids_it() {
    let mut desk = ready(Some(registered()), |ctx| {
        ctx.rules.replace(Rules {
            allow_unregister: false,
            ..rules()
        })
    });
    let removal = format!("<query xmlns='{REGISTER}'><remove/></query>");
    let answer = ask(&mut desk, "set", &removal);
    assert!(
        answer.contains("<not-allowed") && answer.contains("operator"),
        "{answer}"
    );
    assert!(!offers(&mut desk, "unregister") && offers(&mut desk, "logout"));
    let answer = execute(&mut desk, "unregister");
    assert!(
        answer.contains("<forbidden") && answer.contains("operator"),
        "{answer}"
    );
    let still = ask(&mut desk, "get", &format!("<query xmlns='{REGISTER}'/>"));
    assert!(still.contains("<registered/>"), "{still}");

    let mut stranger = ready(None, |ctx| {
        ctx.rules.replace(Rules {
            allow_unregister: false,
            ..rules()
        })
    });
    assert!(ask(&mut stranger, "set", &removal).contains("<registration-required"));
}

#[test]
fn who_is_shut_out_is_told_so_even_where_registration_is_closed() {
    let mut desk = ready(None, |ctx| {
        closed(ctx);
        ctx.rules.replace(Rules {
            access: Access::default(),
            ..rules()
        });
    });
    let answer = ask(&mut desk, "get", &format!("<query xmlns='{REGISTER}'/>"));
    assert!(
        answer.contains("<forbidden") && answer.contains("not open to users of example"),
        "{answer}"
    );
    assert!(!advertises(&mut desk) && !offers(&mut desk, "register"));
}

#[test]
fn a_change_that_is_being_checked_does_not_survive_its_user() {
    let mut desk = ready(Some(registered()), |_| {});
    let query = |inner: &str| format!("<query xmlns='{REGISTER}'>{inner}</query>");
    let change = query("<nick>other</nick>");
    let begun = desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='set' id='change'>{change}</iq>"
    ));
    assert!(begun.iter().any(|line| line.starts_with("Login")), "{begun:?}");
    let gone = desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='set' id='gone'>{}</iq>",
        query("<remove/>")
    ));
    let answer = |id: &str| {
        let answers = stanzas(&gone);
        let mut answers = answers
            .into_iter()
            .filter(|stanza| stanza.contains(&format!("id='{id}'")));
        (answers.next().unwrap_or_default().to_owned(), answers.count())
    };
    assert!(answer("gone").0.contains("type='result'"), "{gone:?}");
    let (refused, more) = answer("change");
    assert!(
        refused.contains("You have unregistered.") && more == 0,
        "{gone:?}"
    );
    // What the network finds out after all changes nothing.
    let account = Account {
        name: "other".into(),
        ..Account::default()
    };
    let late = desk.input(Input::LoginStep {
        flow: FlowId(1),
        step: Step::Done(account),
    });
    assert!(late.is_empty(), "{late:?}");
    let form = ask(&mut desk, "get", &query(""));
    assert!(!form.contains("<registered/>"), "{form}");
}

#[test]
fn a_guest_can_be_forgotten_too() {
    let mut desk = Desk::ready();
    let sure = "<x xmlns='jabber:x:data' type='submit'><field var='sure'><value>1</value></field></x>";
    let forget = |desk: &mut Desk| {
        let shown = execute(desk, "unregister");
        let session = shown
            .split("sessionid='")
            .nth(1)
            .and_then(|rest| rest.split('\'').next());
        let session = session.unwrap_or_else(|| panic!("a form: {shown}"));
        desk.stanza(&format!(
            "<iq from='{PHONE}' to='gw.example' type='set' id='q'><command node='unregister' sessionid='{session}' \
             xmlns='http://jabber.org/protocol/commands'>{sure}</command></iq>"
        ))
        .join("\n")
    };
    assert!(forget(&mut desk).contains("You are not registered."));
    desk.join(&["bob"]);
    let gone = forget(&mut desk);
    assert!(
        gone.contains("is deleted") && gone.contains("ForgetLogin") && gone.contains("type='unavailable'"),
        "{gone}"
    );
}
