//! The commands of those who run the gateway (XEP-0133): who is there, how, ending that, and telling everybody
//! something. What they ask of other users goes through [`errand`](crate::errand); `gathered` puts the answers in words.

use std::time::Duration;

use jid::Jid;
use viaduct_bridge::{Address, Answers, Name, ServerId};

use super::{At, Definition, Reply, Run, Who};
use crate::errand::{Errand, Order, Reach};
use crate::forms::{Shown, ShownField};
use crate::login::{Asking, Login};
use crate::ns;
use crate::stanza::{Condition, Problem};

/// The most users that a list names, whatever is asked for.
const MOST_LISTED: usize = 1000;
/// The most users whose connections are told of at once.
const MOST_TOLD: usize = 100;
/// The most users that a command acts on at once.
const MOST_NAMED: usize = 50;
/// The longest announcement.
const LONGEST_ANNOUNCEMENT: usize = 4000;
/// Commands of XEP-0133 that nobody may run here: secrets and contact lists are the users' own.
const NOBODYS: [&str; 4] = [
    "add-user",
    "change-user-password",
    "get-user-password",
    "get-user-roster",
];

const fn definition(
    node: &'static str,
    title: &'static str,
    help: &'static str,
    form: fn(&Login, &super::Target, usize, &Answers) -> Option<Shown>,
    run: fn(&mut Login, Run<'_>) -> Reply,
) -> Definition {
    let at = &[At::Gateway];
    let who = Who::Admin;
    Definition {
        node,
        title,
        help,
        at,
        who,
        form,
        run,
    }
}

/// All of them.
pub(super) static ALL: [Definition; 9] = [
    definition(
        "http://jabber.org/protocol/admin#get-online-users-num",
        "Count the users who are online",
        "tells how many users are online",
        |_, _, _, _| None,
        |login, run| {
            let everybody = Reach::Everybody {
                errand: Errand::Count,
                most: 0,
            };
            later(login.reach(run.asker, Asking::Number, everybody, run.out))
        },
    ),
    definition(
        "http://jabber.org/protocol/admin#get-online-users-list",
        "List the users who are online",
        "lists the users who are online",
        |_, _, stage, _| (stage == 0).then(|| most_form("Users who are online")),
        |login, run| {
            let most = most(&run.answers, MOST_LISTED);
            let everybody = Reach::Everybody {
                errand: Errand::Count,
                most,
            };
            later(login.reach(run.asker, Asking::List, everybody, run.out))
        },
    ),
    definition(
        "users",
        "Show how users are connected",
        "shows who is online: with which clients, to which servers since when, in which rooms",
        |_, _, stage, _| {
            (stage == 0).then(|| Shown {
                form_type: None,
                ..most_form("Users and their connections")
            })
        },
        |login, run| {
            let most = most(&run.answers, MOST_TOLD);
            let everybody = Reach::Everybody {
                errand: Errand::Report,
                most,
            };
            later(login.reach(run.asker, Asking::Users, everybody, run.out))
        },
    ),
    definition(
        "http://jabber.org/protocol/admin#user-stats",
        "Show how a user is connected",
        "shows a user's clients, connections and rooms",
        |_, _, stage, _| (stage == 0).then(stats_form),
        stats,
    ),
    definition(
        "http://jabber.org/protocol/admin#end-user-session",
        "Disconnect users",
        "disconnects users from the network, or from one server of it; they may come back",
        |_, _, stage, _| (stage == 0).then(end_form),
        end,
    ),
    definition(
        "http://jabber.org/protocol/admin#announce",
        "Tell everybody something",
        "sends a message to all users who are online",
        |_, _, stage, _| (stage == 0).then(|| announcement_form("Announcement", Vec::new(), true)),
        announce,
    ),
    definition(
        "http://jabber.org/protocol/admin#restart",
        "Restart the gateway",
        "announces a restart, takes everybody out, and restarts the gateway",
        |_, _, stage, _| (stage == 0).then(|| stop_form("Restart")),
        |login, run| stop(login, run, true),
    ),
    definition(
        "http://jabber.org/protocol/admin#shutdown",
        "Shut the gateway down",
        "announces the end, takes everybody out, and stops the gateway",
        |_, _, stage, _| (stage == 0).then(|| stop_form("Shut down")),
        |login, run| stop(login, run, false),
    ),
    definition(
        "reload",
        "Read the configuration again",
        "takes over what has changed in the configuration file, and says what needs a restart",
        |_, _, _, _| None,
        |login, run| later(login.order(run.asker, Order::Reload, run.out)),
    ),
];

/// For the record: whom or what a command was about.
pub(super) fn target_of(answers: &Answers) -> String {
    let named = ["accountjids", "accountjid", "x-server", "delay", "max_items"];
    let targets = named.iter().filter_map(|name| Some((name, answers.get(*name)?)));
    let targets = targets.filter(|(_, value)| !value.is_empty());
    let mut targets: Vec<String> = targets
        .map(|(name, value)| {
            let value: String = value.chars().take(1000).collect();
            format!("{name}={}", value.replace(char::is_control, " "))
        })
        .collect();
    if targets.is_empty() {
        targets.push("the gateway".into());
    }
    targets.join(" ")
}

fn later(asked: Result<(), String>) -> Reply {
    match asked {
        Ok(()) => Reply::Later,
        Err(why) => Reply::Failed(why),
    }
}

/// A form that asks for how many items there may be (XEP-0133 §4.18).
fn most_form(title: &str) -> Shown {
    let mut options: Vec<(String, String)> = ["25", "50", "75", "100", "150", "200"]
        .iter()
        .map(|number| ((*number).to_owned(), (*number).to_owned()))
        .collect();
    options.push(("All".into(), "none".into()));
    let mut field = ShownField::list("max_items", "Maximum number of users to show", options);
    field.values = vec!["25".into()];
    field.required = false;
    Shown {
        title: title.into(),
        form_type: Some(ns::ADMIN),
        fields: vec![field],
        ..Shown::default()
    }
}

fn most(answers: &Answers, limit: usize) -> usize {
    let wish = answers.get("max_items").map_or("25", |wish| wish.trim());
    match wish {
        "" => 25,
        "none" => limit,
        wish => wish.parse().unwrap_or(25).min(limit),
    }
}

fn stats_form() -> Shown {
    Shown {
        title: "How a user is connected".into(),
        form_type: Some(ns::ADMIN),
        fields: vec![ShownField {
            ty: "jid-single",
            required: true,
            ..ShownField::text("accountjid", "The user's JID", "")
        }],
        ..Shown::default()
    }
}

fn stats(login: &mut Login, run: Run<'_>) -> Reply {
    let text = run.answers.get("accountjid").map_or("", |text| text.trim());
    let Ok(jid) = Jid::new(text) else {
        return Reply::Failed(no_jid(text));
    };
    let reach = Reach::These(vec![(jid.to_bare(), Errand::Report)]);
    later(login.reach(run.asker, Asking::Stats, reach, run.out))
}

fn end_form() -> Shown {
    Shown {
        title: "Disconnect users".into(),
        instructions: "With a resource (user@host/resource), only that client is taken out of its rooms."
            .into(),
        form_type: Some(ns::ADMIN),
        fields: vec![
            ShownField {
                required: true,
                ..ShownField::jids("accountjids", "The users' JIDs", Vec::new())
            },
            ShownField::text(
                "x-server",
                "Only from this server of the network (may be empty)",
                "",
            ),
        ],
    }
}

fn end(login: &mut Login, run: Run<'_>) -> Reply {
    let server = match server_named(login, &run.answers) {
        Ok(server) => server,
        Err(why) => return Reply::Failed(why),
    };
    let named = jids(run.answers.get("accountjids").map_or("", String::as_str));
    if named.len() > MOST_NAMED {
        return Reply::Failed(format!("Please name {MOST_NAMED} users at most at a time."));
    }
    let mut these = Vec::with_capacity(named.len());
    for text in named {
        let Ok(jid) = Jid::new(text) else {
            return Reply::Failed(no_jid(text));
        };
        let resource = jid.resource().map(|resource| Name::from(resource.as_str()));
        let server = server.clone();
        these.push((jid.to_bare(), Errand::End { resource, server }));
    }
    later(login.reach(run.asker, Asking::End, Reach::These(these), run.out))
}

/// The server that a form names, if it does.
fn server_named(login: &Login, answers: &Answers) -> Result<Option<ServerId>, String> {
    let text = answers.get("x-server").map_or("", |text| text.trim());
    let text = text
        .strip_suffix(&format!("@{}", login.ctx.domain))
        .unwrap_or(text);
    if text.is_empty() {
        return Ok(None);
    }
    match login.ctx.bridge.parse_typed(text) {
        Ok(Address::Server(server)) => Ok(Some(server)),
        Ok(_) => Err(format!("'{text}' is no server.")),
        Err(bad) => Err(bad.reason),
    }
}

/// One JID on each line, or (as in the chat) several with spaces between them.
fn jids(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .flat_map(|line| {
            // A resource may have spaces in it, what comes before it may not.
            if line.split_whitespace().all(|word| word.contains('@')) {
                line.split_whitespace().collect()
            } else {
                vec![line]
            }
        })
        .collect()
}

pub(super) fn no_jid(text: &str) -> String {
    format!("'{text}' is not a JID such as me@example.org.")
}

fn announcement_form(title: &str, mut fields: Vec<ShownField>, required: bool) -> Shown {
    fields.push(ShownField {
        ty: "text-multi",
        required,
        ..ShownField::text("announcement", "Announcement", "")
    });
    Shown {
        title: title.into(),
        form_type: Some(ns::ADMIN),
        fields,
        ..Shown::default()
    }
}

fn announcement(answers: &Answers) -> Result<String, String> {
    let text = answers.get("announcement").map_or("", |text| text.trim());
    if text.len() > LONGEST_ANNOUNCEMENT {
        return Err(format!(
            "An announcement may have {LONGEST_ANNOUNCEMENT} bytes at most."
        ));
    }
    Ok(text.to_owned())
}

fn announce(login: &mut Login, run: Run<'_>) -> Reply {
    let text = match announcement(&run.answers).and_then(|text| login.may_announce().map(|()| text)) {
        Ok(text) => Name::from(text),
        Err(why) => return Reply::Failed(why),
    };
    let everybody = Reach::Everybody {
        errand: Errand::Announce(text),
        most: 0,
    };
    later(login.reach(run.asker, Asking::Announce, everybody, run.out))
}

fn stop_form(title: &str) -> Shown {
    let delays = [
        ("at once", "0"),
        ("30 seconds", "30"),
        ("60 seconds", "60"),
        ("90 seconds", "90"),
        ("2 minutes", "120"),
        ("3 minutes", "180"),
        ("4 minutes", "240"),
        ("5 minutes", "300"),
    ];
    let delays = delays
        .iter()
        .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    let mut delay = ShownField::list("delay", "How long until then", delays.collect());
    delay.values = vec!["60".into()];
    announcement_form(title, vec![delay], false)
}

fn stop(login: &mut Login, run: Run<'_>, again: bool) -> Reply {
    let mut text = match announcement(&run.answers) {
        Ok(text) => text,
        Err(why) => return Reply::Failed(why),
    };
    let seconds = run
        .answers
        .get("delay")
        .and_then(|delay| delay.trim().parse().ok());
    let after = Duration::from_secs(seconds.unwrap_or(60));
    if text.is_empty() {
        let what = if again { "is restarted" } else { "is shut down" };
        let when = match after.as_secs() {
            0 => "now".to_owned(),
            seconds => format!("in {seconds} seconds"),
        };
        text = format!("This gateway {what} {when}.");
    }
    let announcement = Name::from(text);
    let order = Order::Stop {
        again,
        after,
        announcement,
    };
    later(login.order(run.asker, order, run.out))
}

impl Login {
    /// Why a command of XEP-0133 that is not here cannot be run (§5), if it is one.
    pub(super) fn not_for_admins(&self, node: &str) -> Option<Problem> {
        let name = node.strip_prefix(ns::ADMIN)?.strip_prefix('#')?;
        Some(if !self.ctx.rules().access.is_admin(&self.user) {
            let text = "The operator has not permitted you to run this command.";
            Problem::because(Condition::Forbidden, text)
        } else if NOBODYS.contains(&name) {
            let text = "Nobody may do this here: secrets and contact lists are the users' own.";
            Problem::because(Condition::NotAllowed, text)
        } else {
            let text = format!("This gateway has no command '{name}'.");
            Problem::because(Condition::FeatureNotImplemented, text)
        })
    }
}
