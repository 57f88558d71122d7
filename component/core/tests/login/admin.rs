//! The commands of those who run the gateway, and what other logins do on their errands (XEP-0133).

use std::time::Duration;

use viaduct_core::access::Access;
use viaduct_core::context::{Context, Rules};
use viaduct_core::effect::Input;
use viaduct_core::errand::{Errand, ErrandId, Gathered, Heard, Report, RequestId, Said};
use viaduct_core::records::LoadedLogin;

use super::desk::{Desk, NOW, PHONE, ROOM, registered, rules, stanzas};

const ADMIN: &str = "http://jabber.org/protocol/admin";

/// The user of the desk runs the gateway.
fn runs(ctx: &mut Context) {
    let jid = |text: &str| jid::BareJid::new(text).expect("a JID in the test");
    let access = Access::new(vec![jid("example")], vec![jid("me@example")]);
    ctx.rules.replace(Rules { access, ..rules() });
}

fn ready(loaded: Option<LoadedLogin>, change: impl FnOnce(&mut Context)) -> Desk {
    let mut desk = Desk::with(loaded, change);
    desk.input(Input::Start);
    desk.input(Input::LinkUp);
    desk
}

/// Everything that comes of a message to the gateway.
fn chat(desk: &mut Desk, body: &str) -> String {
    desk.stanza(&format!(
        "<message from='{PHONE}' to='gw.example' type='chat'><body>{body}</body></message>"
    ))
    .join("\n")
}

fn execute(desk: &mut Desk, node: &str) -> String {
    let lines = desk.stanza(&format!(
        "<iq from='{PHONE}' to='gw.example' type='set' id='q'><command \
         xmlns='http://jabber.org/protocol/commands' node='{node}'/></iq>"
    ));
    lines.join("\n")
}

/// The number of the request among the lines.
fn request(lines: &str) -> RequestId {
    let number = lines
        .split("RequestId(")
        .nth(1)
        .and_then(|rest| rest.split(')').next());
    RequestId(
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("no request: {lines}")),
    )
}

fn reached(desk: &mut Desk, request: RequestId, heard: Vec<(&str, Heard)>) -> String {
    let heard = heard
        .into_iter()
        .map(|(user, heard)| (user.into(), heard))
        .collect();
    let gathered = Gathered {
        heard,
        ..Gathered::default()
    };
    desk.input(Input::Reached { request, gathered }).join("\n")
}

fn errand(desk: &mut Desk, errand: Errand) -> Vec<String> {
    let id = ErrandId(1);
    desk.input(Input::Errand { id, errand })
}

fn end(resource: Option<&str>, server: Option<&str>) -> Errand {
    Errand::End {
        resource: resource.map(Into::into),
        server: server.map(|server| viaduct_bridge::ServerId(server.into())),
    }
}

#[test]
fn only_who_runs_the_gateway_finds_and_runs_its_commands() {
    let commands = [
        "get-online-users-num",
        "get-online-users-list",
        "user-stats",
        "end-user-session",
        "announce",
        "restart",
        "shutdown",
    ];
    let items = "<iq from='me@example/phone' to='gw.example' type='get' id='q'><query \
                 xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/></iq>";
    let (mut user, mut admin) = (ready(None, |_| {}), ready(None, runs));
    let (seen, all) = (user.stanza(items).join(""), admin.stanza(items).join(""));
    let help = chat(&mut user, "help");
    for command in commands {
        let node = format!("{ADMIN}#{command}");
        assert!(all.contains(&format!("node='{node}'")), "{command}: {all}");
        assert!(
            !seen.contains(&node) && !help.contains(command),
            "{command}: {seen} {help}"
        );
        let refused = execute(&mut user, &node);
        assert!(
            refused.contains("<forbidden") && !refused.contains("Reach"),
            "{refused}"
        );
        assert!(chat(&mut user, command).contains("I do not know"), "{command}");
    }
    assert!(execute(&mut user, "users").contains("<forbidden"));
    for (node, condition) in [
        ("get-idle-users", "feature-not-implemented"),
        ("change-user-password", "not-allowed"),
    ] {
        let node = format!("{ADMIN}#{node}");
        assert!(execute(&mut admin, &node).contains(condition), "{node}");
        assert!(execute(&mut user, &node).contains("<forbidden"), "{node}");
    }
}

#[test]
fn an_answer_from_others_comes_back_to_who_asked() {
    let mut admin = ready(None, runs);
    let lines = execute(&mut admin, &format!("{ADMIN}#get-online-users-num"));
    assert!(
        lines.contains("Audit") && lines.contains("get-online-users-num"),
        "{lines}"
    );
    assert!(
        !lines.contains("<iq"),
        "nothing is said before the others have answered: {lines}"
    );
    let request = request(&lines);
    let gathered = Gathered {
        more: 7,
        late: 1,
        ..Gathered::default()
    };
    let answer = admin
        .input(Input::Reached {
            request,
            gathered: gathered.clone(),
        })
        .join("");
    for part in [
        "id='q'",
        "status='completed'",
        "onlineusersnum",
        ">7<",
        "x-late",
        ADMIN,
    ] {
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    assert!(
        admin.input(Input::Reached { request, gathered }).is_empty(),
        "one answer to one request"
    );
}

#[test]
fn users_are_disconnected_by_their_jids() {
    let mut admin = ready(None, runs);
    let lines = chat(
        &mut admin,
        "end-user-session accountjids=\"you@example they@example/desk\" x-server=srv",
    );
    for part in [
        "Audit { action: \"end-user-session\", target: \"accountjids=you@example they@example/desk x-server=srv\" }",
        "End { resource: None, server: Some(ServerId(\"srv\")) }",
        "End { resource: Some(\"desk\"), server: Some(ServerId(\"srv\")) }",
    ] {
        assert!(lines.contains(part), "{part} is not in {lines}");
    }
    let heard = vec![
        ("you@example", Heard::Said(Said::Yes)),
        ("they@example", Heard::Nobody),
    ];
    let answer = reached(&mut admin, request(&lines), heard);
    assert!(answer.contains("you@example is disconnected."), "{answer}");
    assert!(answer.contains("does not know they@example."), "{answer}");
    let wrong = chat(&mut admin, "end-user-session accountjids=@");
    assert!(
        wrong.contains("is not a JID") && !wrong.contains("Reach"),
        "{wrong}"
    );
    let many = vec!["a@b"; 51].join(" ");
    let many = chat(&mut admin, &format!("end-user-session accountjids=\"{many}\""));
    assert!(
        many.contains("50 users at most") && !many.contains("Reach"),
        "{many}"
    );
}

#[test]
fn who_is_not_at_work_is_told_of_from_the_record() {
    let mut admin = ready(None, runs);
    let lines = chat(&mut admin, "user-stats accountjid=you@example/any");
    assert!(lines.contains("[(BareJid(\"you@example\"), Report)]"), "{lines}");
    let mut record = registered();
    record.contacts = vec!["carol%srv".into(), "dave%srv".into()];
    let heard = vec![("you@example", Heard::AtRest(Box::new(record)))];
    let answer = reached(&mut admin, request(&lines), heard);
    assert!(
        answer.contains("Contacts on the network: 2") && answer.contains("not connected"),
        "{answer}"
    );
}

#[test]
fn long_lists_are_cut_with_a_count() {
    let mut admin = ready(None, runs);
    let lines = chat(&mut admin, "users max_items=none");
    assert!(lines.contains("most: 100"), "{lines}");
    let report = Report {
        online: true,
        resources: vec!["phone".into()],
        contacts: 0,
        lines: (0..30)
            .map(|n| (format!("room-{n}"), "as me".to_owned()))
            .collect(),
    };
    let heard = vec![("you@example".into(), Heard::Said(Said::Report(Box::new(report))))];
    let gathered = Gathered {
        heard,
        more: 3,
        late: 0,
    };
    let request = request(&lines);
    let answer = admin.input(Input::Reached { request, gathered }).join("");
    assert!(
        answer.contains("you@example: with phone, room-0: as me"),
        "{answer}"
    );
    assert!(
        answer.contains("19 more are left out") && answer.contains("Not shown: 3"),
        "{answer}"
    );
    assert!(chat(&mut admin, "get-online-users-list max_items=none").contains("most: 1000"));
}

#[test]
fn requests_to_others_are_bounded() {
    let mut admin = ready(None, runs);
    let asked: Vec<String> = (0..21)
        .map(|_| chat(&mut admin, "get-online-users-num"))
        .collect();
    assert!(asked[19].contains("Reach"), "{}", asked[19]);
    assert!(
        asked[20].contains("Too many of your commands") && !asked[20].contains("Reach"),
        "{}",
        asked[20]
    );
    reached(&mut admin, request(&asked[0]), vec![]);
    assert!(chat(&mut admin, "get-online-users-num").contains("Reach"));
}

#[test]
fn a_login_ends_on_an_errand() {
    let mut desk = Desk::ready();
    assert_eq!(
        errand(&mut desk, Errand::Count),
        ["Said { errand: ErrandId(1), said: No }"]
    );
    desk.join(&["alice"]);
    let lines = errand(&mut desk, Errand::Count);
    assert_eq!(lines, ["Said { errand: ErrandId(1), said: Yes }"]);
    let lines = errand(&mut desk, end(None, None));
    let out = stanzas(&lines).join("\n");
    assert!(
        out.contains("code='307'") && out.contains("has ended your session"),
        "{out}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("CloseSession")),
        "{lines:?}"
    );
    assert!(
        lines.last().is_some_and(|line| line.contains("said: Yes")),
        "{lines:?}"
    );
    assert!(errand(&mut desk, end(None, None)).join("").contains("said: No"));
    // The user may come back.
    assert!(desk.join(&["alice"]).join("").contains("code='110'"));
}

#[test]
fn one_resource_or_one_server_is_ended_alone() {
    let mut desk = Desk::ready();
    desk.join(&["alice"]);
    let other = format!(
        "<presence from='me@example/desk' to='{ROOM}/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    );
    desk.stanza(&other);
    desk.confirm();
    assert!(
        errand(&mut desk, end(None, Some("elsewhere")))
            .join("")
            .contains("said: No")
    );
    assert!(
        errand(&mut desk, end(Some("tablet"), None))
            .join("")
            .contains("said: No")
    );
    let lines = errand(&mut desk, end(Some("desk"), None)).join("\n");
    assert!(
        lines.contains("to='me@example/desk'") && lines.contains("code='307'"),
        "{lines}"
    );
    assert!(
        !lines.contains("CloseSession") && !lines.contains("to='me@example/phone'"),
        "{lines}"
    );
    let lines = errand(&mut desk, end(None, Some("srv"))).join("\n");
    assert!(
        lines.contains("to='me@example/phone'") && lines.contains("Disconnect"),
        "{lines}"
    );
}

#[test]
fn what_is_announced_is_said_once_to_who_is_at_work() {
    let mut desk = Desk::ready();
    let text = || Errand::Announce("One\nTwo".into());
    assert!(stanzas(&errand(&mut desk, text())).is_empty());
    desk.join(&[]);
    let lines = errand(&mut desk, text());
    let said = stanzas(&lines);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("to='me@example'") && said[0].contains("<body>One\nTwo</body>"),
        "{said:?}"
    );

    let mut admin = ready(None, runs);
    let first = chat(&mut admin, "announce announcement=hello");
    assert!(
        first.contains("Announce(\"hello\")") && !first.contains("target: \"hello"),
        "{first}"
    );
    let again = chat(&mut admin, "announce announcement=hello");
    assert!(
        again.contains("a moment ago") && !again.contains("Reach"),
        "{again}"
    );
    admin.now.0 = NOW.0 + 10_000_000;
    assert!(chat(&mut admin, "announce announcement=hello").contains("Announce"));
}

#[test]
fn new_rules_hold_from_the_next_stanza_on() {
    let mut desk = Desk::ready();
    assert!(execute(&mut desk, "reload").contains("<forbidden"));
    desk.rules(|rules| Rules {
        access: Access::default(),
        ..rules
    });
    assert!(chat(&mut desk, "help").contains("<forbidden"));
    let me = jid::BareJid::new("me@example").expect("a JID in the test");
    desk.rules(|rules| Rules {
        access: Access::new(vec![], vec![me]),
        ..rules
    });
    let lines = chat(&mut desk, "reload");
    assert!(lines.contains("Audit") && lines.contains("Reload"), "{lines}");
    let result = Err("Nothing was changed. Line 3 is wrong.".to_owned());
    let answer = desk.input(Input::Obeyed {
        request: request(&lines),
        result,
    });
    assert!(answer.join("").contains("Line 3 is wrong."), "{answer:?}");
}

#[test]
fn a_stop_is_ordered_with_its_delay_and_puts_everybody_out() {
    let mut admin = ready(None, runs);
    let lines = chat(&mut admin, "restart delay=30");
    let after = Duration::from_secs(30);
    assert!(
        lines.contains(&format!("again: true, after: {after:?}")),
        "{lines}"
    );
    assert!(lines.contains("is restarted in 30 seconds"), "{lines}");
    let answer = admin.input(Input::Obeyed {
        request: request(&lines),
        result: Ok("So it is.".into()),
    });
    assert!(answer.join("").contains("So it is."), "{answer:?}");
    assert!(chat(&mut admin, "shutdown delay=7").contains("not among the choices"));
    assert!(chat(&mut admin, "shutdown delay=0 announcement=bye").contains("again: false"));

    let mut desk = Desk::ready();
    desk.join(&["alice"]);
    let lines = errand(&mut desk, Errand::Close("bye".into())).join("\n");
    assert!(
        lines.contains("code='332'") && lines.contains("code='110'") && lines.contains("bye"),
        "{lines}"
    );
    assert!(
        lines.contains("<presence from='gw.example' to='me@example' type='unavailable'"),
        "{lines}"
    );
}
