//! The commands of every user.

use viaduct_bridge::{Answers, Name};

use super::{Definition, Reply, Run};
use crate::forms::{Shown, ShownField};
use crate::login::{Link, Login, shown_form};

/// All of them.
pub(super) static ALL: [Definition; 8] = [
    Definition {
        node: "register",
        title: "Register or change your registration",
        help: "tells the gateway who you are on the network, and logs you in",
        form: |login, stage, _| {
            (stage == 0).then(|| shown_form(&login.ctx.bridge.form(login.account.as_ref())))
        },
        run: register,
    },
    Definition {
        node: "logout",
        title: "Log out",
        help: "leaves the network; you stay registered",
        form: |_, _, _| None,
        run: logout,
    },
    Definition {
        node: "status",
        title: "Show how you are connected",
        help: "shows your connections, the last error, and the rooms that you are in",
        form: |_, _, _| None,
        run: |login, _| Reply::Result(status(login)),
    },
    Definition {
        node: "preferences",
        title: "Change your preferences",
        help: "what the gateway does for you",
        form: preferences_form,
        run: preferences,
    },
    Definition {
        node: "rooms",
        title: "List your rooms",
        help: "lists the rooms that you are in",
        form: |_, _, _| None,
        run: |login, _| Reply::Result(rooms(login)),
    },
    Definition {
        node: "leave",
        title: "Leave a room",
        help: "takes all your clients out of a room",
        form: leave_form,
        run: leave,
    },
    super::whois::WHOIS,
    Definition {
        node: "unregister",
        title: "Unregister",
        help: "takes you off the network and forgets all about you",
        form: unregister_form,
        run: unregister,
    },
];

fn register(login: &mut Login, run: Run<'_>) -> Reply {
    match login.begin_login(run.now, run.answers, run.asker, run.out) {
        Ok(()) => Reply::Later,
        Err(refused) => Reply::Failed(refused.1.text.unwrap_or_default()),
    }
}

fn logout(login: &mut Login, run: Run<'_>) -> Reply {
    login.log_out(run.out);
    Reply::Done("You have left the network.".into())
}

fn status(login: &Login) -> Shown {
    let field = |var: String, label: String, value: String| ShownField::text(var, label, value);
    let mut fields = vec![match &login.account {
        Some(account) => field("account".into(), "Registered as".into(), account.name.clone()),
        None => field("account".into(), "Registered as".into(), "not registered".into()),
    }];
    let mut servers: Vec<_> = login.servers.iter().collect();
    servers.sort_unstable_by_key(|(id, _)| *id);
    if servers.is_empty() {
        fields.push(field(
            "connection".into(),
            "Connection".into(),
            "not connected".into(),
        ));
    }
    for (id, server) in servers {
        let state = match &server.link {
            Link::Idle => "not connected".to_owned(),
            Link::Connecting => "connecting".to_owned(),
            Link::Online { nick } => format!("connected as {nick}"),
            Link::Offline { reason } => format!("connection lost, trying again: {reason}"),
            Link::Failed { failure } => format!("could not connect: {failure}"),
        };
        fields.push(field(
            format!("connection/{id}"),
            format!("Connection to {id}"),
            state,
        ));
    }
    fields.extend(rooms(login).fields);
    Shown {
        title: "Status".into(),
        fields,
        ..Shown::default()
    }
}

fn rooms(login: &Login) -> Shown {
    let mut rooms: Vec<_> = login
        .rooms
        .values()
        .filter(|room| !room.joined.is_empty())
        .collect();
    rooms.sort_unstable_by(|a, b| a.jid.cmp(&b.jid));
    let mut fields: Vec<ShownField> = rooms
        .iter()
        .map(|room| {
            let clients: Vec<&str> = room
                .joined
                .iter()
                .map(|joined| joined.resource.as_str())
                .collect();
            let text = format!("as {} with {}", room.my_nick(), clients.join(", "));
            ShownField::text(format!("room/{}", room.jid), room.jid.to_string(), text)
        })
        .collect();
    if fields.is_empty() {
        fields.push(ShownField::text("rooms", "Rooms", "You are in no room."));
    }
    Shown {
        title: "Your rooms".into(),
        fields,
        ..Shown::default()
    }
}

fn preferences_form(login: &Login, stage: usize, _: &Answers) -> Option<Shown> {
    let stay = login.preferences.stay_connected;
    (stage == 0).then(|| Shown {
        title: "Preferences".into(),
        instructions: "What the gateway does for you.".into(),
        form_type: None,
        fields: vec![ShownField::boolean(
            "stay_connected",
            "Stay on the network when your last client goes offline",
            stay,
        )],
    })
}

fn preferences(login: &mut Login, run: Run<'_>) -> Reply {
    if let Some(stay) = run.answers.get("stay_connected") {
        match stay.trim() {
            "1" | "true" | "yes" => login.preferences.stay_connected = true,
            "0" | "false" | "no" => login.preferences.stay_connected = false,
            other => return Reply::Failed(format!("'{other}' is neither yes nor no (stay_connected).")),
        }
    }
    login.write_record(run.out);
    let stay = if login.preferences.stay_connected {
        "stay"
    } else {
        "do not stay"
    };
    Reply::Done(format!(
        "Saved: you {stay} on the network when your last client goes offline."
    ))
}

fn leave_form(login: &Login, stage: usize, answers: &Answers) -> Option<Shown> {
    match stage {
        0 => {
            let mut rooms: Vec<(String, String)> = login
                .rooms
                .values()
                .filter(|room| !room.is_unused())
                .map(|room| (room.room.room.to_string(), room.jid.to_string()))
                .collect();
            rooms.sort_unstable();
            let mut field = ShownField::list("room", "Room", rooms);
            field.values = answers.get("room").cloned().into_iter().collect();
            let instructions = "Which room do you want to leave?".into();
            Some(Shown {
                title: "Leave a room".into(),
                instructions,
                form_type: None,
                fields: vec![field],
            })
        }
        1 => {
            let words = answers.get("words").cloned().unwrap_or_default();
            let field = ShownField::text("words", "Parting words (may be empty)", words);
            let instructions = "What shall the others read when you leave?".into();
            Some(Shown {
                title: "Leave a room".into(),
                instructions,
                form_type: None,
                fields: vec![field],
            })
        }
        _ => None,
    }
}

fn leave(login: &mut Login, run: Run<'_>) -> Reply {
    let wanted = run.answers.get("room").map_or("", |room| room.trim());
    let found = login
        .rooms
        .values()
        .find(|room| !room.is_unused() && (room.jid.as_str() == wanted || room.room.room.as_str() == wanted))
        .map(|room| {
            let clients = room
                .joined
                .iter()
                .map(|j| &j.resource)
                .chain(room.waiting.iter().map(|w| &w.resource));
            (room.room.clone(), clients.cloned().collect::<Vec<Name>>())
        });
    let Some((room, clients)) = found else {
        return Reply::Failed(format!("You are not in '{wanted}' (room)."));
    };
    let words = run
        .answers
        .get("words")
        .filter(|words| !words.is_empty())
        .map(|words| Name::from(words.as_str()));
    for client in clients {
        login.leave_room(&room, &client, words.clone(), run.out);
    }
    Reply::Done(format!("You have left {}.", room.room))
}

fn unregister_form(_: &Login, stage: usize, _: &Answers) -> Option<Shown> {
    (stage == 0).then(|| Shown {
        title: "Unregister".into(),
        instructions: "This takes you off the network and deletes what the gateway knows about you.".into(),
        form_type: None,
        fields: vec![ShownField::boolean("sure", "Yes, I am sure", false)],
    })
}

fn unregister(login: &mut Login, run: Run<'_>) -> Reply {
    if !matches!(
        run.answers.get("sure").map_or("", |sure| sure.trim()),
        "1" | "true" | "yes"
    ) {
        return Reply::Failed("Nothing was done: you did not say that you are sure (sure).".into());
    }
    if login.account.is_none() {
        return Reply::Failed("You are not registered.".into());
    }
    login.unregister(None, run.out);
    Reply::Done("You have unregistered.".into())
}
