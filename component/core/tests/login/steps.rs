//! Logins of more than one step: forms and pages, in the ad-hoc command and in the chat.

use std::time::Duration;

use viaduct_bridge::{Account, Failure, Field, FieldKind, Form, Refusal, Step, Timestamp};
use viaduct_core::effect::{FlowId, Input, Timer};

use super::desk::{Desk, NOW, PHONE, stanzas};

fn code() -> Step {
    Step::Form(Form {
        title: "Code".into(),
        instructions: "A code was sent to you.".into(),
        fields: vec![Field {
            name: "code",
            label: "The code".into(),
            kind: FieldKind::Text,
            required: true,
            value: String::new(),
        }],
    })
}

fn page() -> Step {
    let url = "https://example.net/login?a=b".into();
    Step::OpenUrl { url }
}

fn done() -> Step {
    Step::Done(Account {
        name: "me".into(),
        ..Account::default()
    })
}

/// The network's next step of the first login.
fn step(desk: &mut Desk, step: Step) -> Vec<String> {
    let flow = FlowId(1);
    desk.input(Input::LoginStep { flow, step })
}

fn command(desk: &mut Desk, id: &str, attrs: &str, form: &str) -> Vec<String> {
    desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='set' id='{id}'><command \
         xmlns='http://jabber.org/protocol/commands' node='register' {attrs}>{form}</command></iq>"
    ))
}

fn submit(field: &str, value: &str) -> String {
    format!("<x xmlns='jabber:x:data' type='submit'><field var='{field}'><value>{value}</value></field></x>")
}

/// Begins the command and answers its first form; gives its session.
fn begin(desk: &mut Desk) -> String {
    let begun = command(desk, "c1", "", "");
    let session = stanzas(&begun)[0]
        .split("sessionid='")
        .nth(1)
        .and_then(|rest| rest.split('\'').next())
        .expect("a session")
        .to_owned();
    let attrs = format!("sessionid='{session}' action='complete'");
    let asked = command(desk, "c2", &attrs, &submit("nick", "me"));
    assert!(
        stanzas(&asked).is_empty(),
        "the network is asked first: {asked:?}"
    );
    assert!(asked.iter().any(|line| line.starts_with("Login {")), "{asked:?}");
    session
}

fn chat(desk: &mut Desk, body: &str) -> Vec<String> {
    desk.stanza(&format!(
        "<message from='{PHONE}' to='gw.example' type='chat' id='m'><body>{body}</body></message>"
    ))
}

/// The one stanza, which has all of the words.
fn says(lines: &[String], words: &[&str]) {
    let stanzas = stanzas(lines);
    assert_eq!(stanzas.len(), 1, "{lines:?}");
    for word in words {
        assert!(stanzas[0].contains(word), "'{word}' is in it: {}", stanzas[0]);
    }
}

fn goes_to_the_network(lines: &[String], answer: &str) {
    assert!(stanzas(lines).is_empty(), "{lines:?}");
    let login = lines.iter().find(|line| line.starts_with("Login {"));
    let login = login.unwrap_or_else(|| panic!("the flow goes on: {lines:?}"));
    assert!(login.contains("FlowId(1)") && login.contains(answer), "{login}");
}

fn ends(lines: &[String]) -> bool {
    lines.iter().any(|line| line == "EndLogin(FlowId(1))")
}

#[test]
fn a_command_goes_through_all_steps() {
    let mut desk = Desk::ready();
    let session = begin(&mut desk);
    let shown = step(&mut desk, code());
    says(
        &shown,
        &[
            "id='c2'",
            "status='executing'",
            "var='code'",
            "<next/>",
            "A code was sent",
        ],
    );
    let attrs = format!("sessionid='{session}' action='next'");
    let empty = command(&mut desk, "c3", &attrs, &submit("code", ""));
    says(&empty, &["id='c3'", "bad-payload", "The code"]);
    let back = format!("sessionid='{session}' action='prev'");
    says(&command(&mut desk, "c4", &back, ""), &["id='c4'", "bad-action"]);
    let given = command(&mut desk, "c5", &attrs, &submit("code", "123"));
    goes_to_the_network(&given, r#"{"code": "123"}"#);
    let early = command(&mut desk, "c6", &attrs, &submit("code", "124"));
    says(&early, &["id='c6'", "still being worked on"]);
    let shown = step(&mut desk, page());
    says(
        &shown,
        &["id='c5'", "type='fixed'", "https://example.net/login?a=b"],
    );
    goes_to_the_network(&command(&mut desk, "c7", &attrs, ""), "answers: {}");
    let registered = step(&mut desk, done());
    assert!(
        stanzas(&registered)[0].contains("id='c7'") && stanzas(&registered)[0].contains("status='completed'"),
        "{registered:?}"
    );
}

#[test]
fn a_login_can_fail_at_any_step() {
    let mut desk = Desk::ready();
    let session = begin(&mut desk);
    step(&mut desk, code());
    let attrs = format!("sessionid='{session}' action='next'");
    command(&mut desk, "c3", &attrs, &submit("code", "123"));
    let failure = Failure::refused(Refusal::NotAuthorized, "This code is too old.");
    let field = Some("code");
    let failed = step(&mut desk, Step::Failed { field, failure });
    says(
        &failed,
        &["id='c3'", "status='completed'", "type='error'", "too old. (code)"],
    );
}

#[test]
fn who_cancels_or_stays_away_ends_the_login() {
    let mut desk = Desk::ready();
    let session = begin(&mut desk);
    step(&mut desk, code());
    let attrs = format!("sessionid='{session}' action='cancel'");
    assert!(ends(&command(&mut desk, "c3", &attrs, "")));

    let mut desk = Desk::ready();
    begin(&mut desk);
    step(&mut desk, code());
    desk.now = Timestamp(NOW.0 + i64::try_from(Duration::from_secs(700).as_micros()).expect("small"));
    assert!(ends(&desk.input(Input::Timer(Timer::Commands))));

    let mut desk = Desk::ready();
    chat(&mut desk, "register nick=me");
    step(&mut desk, code());
    desk.now = Timestamp(NOW.0 + i64::try_from(Duration::from_secs(700).as_micros()).expect("small"));
    assert!(ends(&desk.input(Input::Timer(Timer::Commands))));
    assert!(
        chat(&mut desk, "answer 123")
            .iter()
            .all(|line| !line.starts_with("Login {"))
    );
}

#[test]
fn who_begins_anew_ends_what_waits_for_them() {
    let mut desk = Desk::ready();
    let session = begin(&mut desk);
    step(&mut desk, code());
    assert!(ends(&chat(&mut desk, "register nick=me")));
    let attrs = format!("sessionid='{session}' action='next'");
    says(
        &command(&mut desk, "c3", &attrs, &submit("code", "1")),
        &["session-expired"],
    );
}

#[test]
fn the_chat_goes_through_all_steps() {
    let mut desk = Desk::ready();
    let asked = chat(&mut desk, "register nick=me");
    assert!(stanzas(&asked).is_empty(), "{asked:?}");
    says(&chat(&mut desk, "answer 1"), &["still being worked on"]);
    says(
        &step(&mut desk, code()),
        &["A code was sent to you.", "The code: send"],
    );
    says(&chat(&mut desk, "answer"), &["Please fill in"]);
    goes_to_the_network(&chat(&mut desk, "answer a=b c"), r#"{"code": "a=b c"}"#);
    says(
        &step(&mut desk, page()),
        &["https://example.net/login?a=b", "send \u{27}answer\u{27}"],
    );
    goes_to_the_network(&chat(&mut desk, "answer"), "answers: {}");
    step(&mut desk, code());
    assert!(ends(&chat(&mut desk, "cancel")));
}

#[test]
fn a_registration_by_form_says_that_there_is_more() {
    let mut desk = Desk::ready();
    desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='set' id='r'><query xmlns='jabber:iq:register'>{}</query></iq>",
        submit("nick", "me")
    ));
    let told = step(&mut desk, code());
    says(&told, &["id='r'", "type='error'", "Use the command"]);
    assert!(ends(&told));
}
