//! The commands of every user.

use viaduct_bridge::{Answers, Name};

use super::{At, Definition, Reply, Run, Target, Who, configure, network};
use crate::forms::{Shown, ShownField};
use crate::login::{Login, shown_form};
use crate::portal::Room;

/// All of them.
pub(super) static ALL: [Definition; 15] = [
    Definition {
        node: "register",
        title: "Register or change your registration",
        help: "tells the gateway who you are on the network, and logs you in",
        at: &[At::Gateway],
        who: Who::Registering,
        form: |login, _, stage, _| {
            (stage == 0).then(|| shown_form(&login.ctx.bridge.form(login.account.as_ref())))
        },
        run: register,
    },
    Definition {
        node: "logout",
        title: "Log out",
        help: "leaves the network; you stay registered",
        at: &[At::Gateway],
        who: Who::User,
        form: |_, _, _, _| None,
        run: logout,
    },
    Definition {
        node: "status",
        title: "Show connection status",
        help: "shows your connections, the last error, and the rooms that you are in",
        at: &[At::Gateway, At::Server, At::Room],
        who: Who::User,
        form: |_, _, _, _| None,
        run: |login, run| Reply::Result(status(login, &run)),
    },
    Definition {
        node: "preferences",
        title: "Change your preferences",
        help: "what the gateway does for you",
        at: &[At::Gateway],
        who: Who::Member,
        form: configure::preferences_form,
        run: configure::preferences,
    },
    configure::CONFIGURE,
    configure::ROOM,
    network::DISCONNECT,
    network::RECONNECT,
    network::RAW,
    super::signup::BEGIN,
    super::signup::VERIFY,
    super::whois::WHOIS,
    Definition {
        node: "rooms",
        title: "List your rooms",
        help: "lists the rooms that you are in",
        at: &[At::Gateway],
        who: Who::User,
        form: |_, _, _, _| None,
        run: |login, _| Reply::Result(rooms(login, &|_| true)),
    },
    Definition {
        node: "leave",
        title: "Leave a room",
        help: "takes all your clients out of a room",
        at: &[At::Gateway, At::Room],
        who: Who::User,
        form: leave_form,
        run: leave,
    },
    Definition {
        node: "unregister",
        title: "Unregister",
        help: "takes you off the network and forgets all about you",
        at: &[At::Gateway],
        who: Who::Leaving,
        form: unregister_form,
        run: unregister,
    },
];

fn register(login: &mut Login, run: Run<'_>) -> Reply {
    match login.begin_login(run.answers, run.asker, run.out) {
        Ok(()) => Reply::Later,
        Err(refused) => Reply::Failed(refused.1.text.unwrap_or_default()),
    }
}

fn logout(login: &mut Login, run: Run<'_>) -> Reply {
    login.log_out(run.out);
    Reply::Done("You have left the network.".into())
}

/// How the user is connected: everywhere, or at what the command was run on.
fn status(login: &Login, run: &Run<'_>) -> Shown {
    let server = match &run.target {
        Target::Gateway => None,
        Target::Server(server) => Some(server),
        Target::Room(room) => Some(&room.server),
    };
    let mut fields = Vec::new();
    if server.is_none() {
        let account = login.account.as_ref();
        let account = account.map_or_else(|| "none".into(), |account| format!("as {}", account.name));
        fields.push(ShownField::text("account", "Registration", account));
    }
    let mut servers: Vec<_> = login.servers.iter().collect();
    servers.retain(|(id, _)| server.is_none_or(|server| *id == server));
    servers.sort_unstable_by_key(|(id, _)| *id);
    if servers.is_empty() {
        fields.push(ShownField::text("connection", "Connection", "not connected"));
    }
    for (id, server) in servers {
        let label = format!("Connection to {id}");
        let state = server.link.to_string();
        fields.push(ShownField::text(format!("connection/{id}"), label, state));
    }
    fields.extend(
        rooms(login, &|room| match &run.target {
            Target::Gateway => true,
            Target::Server(server) => room.room.server == *server,
            Target::Room(id) => room.room == *id,
        })
        .fields,
    );
    Shown {
        title: "Status".into(),
        fields,
        ..Shown::default()
    }
}

impl Login {
    /// The rooms that the user is in, each with the nickname and the clients there.
    pub(crate) fn rooms_in_words(&self, wanted: &dyn Fn(&Room) -> bool) -> Vec<(String, String)> {
        let rooms = self.rooms.values();
        let rooms = rooms.filter(|room| (!room.joined.is_empty() || room.kept) && wanted(room));
        let mut rooms: Vec<_> = rooms.collect();
        rooms.sort_unstable_by(|a, b| a.jid.cmp(&b.jid));
        let in_words = |room: &Room| {
            let joined = room.joined.iter();
            let clients: Vec<&str> = joined.map(|joined| joined.resource.as_str()).collect();
            let with = if clients.is_empty() {
                "no client".to_owned()
            } else {
                clients.join(", ")
            };
            (room.jid.to_string(), format!("as {} with {with}", room.my_nick()))
        };
        rooms.iter().map(|room| in_words(room)).collect()
    }
}

fn rooms(login: &Login, wanted: &dyn Fn(&Room) -> bool) -> Shown {
    let rooms = login.rooms_in_words(wanted).into_iter();
    let mut fields: Vec<ShownField> = rooms
        .map(|(room, text)| ShownField::text(format!("room/{room}"), room, text))
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

fn leave_form(login: &Login, target: &Target, stage: usize, answers: &Answers) -> Option<Shown> {
    let shown = |instructions: &str, field| {
        Some(Shown {
            title: "Leave a room".into(),
            instructions: instructions.into(),
            form_type: None,
            fields: vec![field],
        })
    };
    // On a room itself it is known which one.
    let stage = if matches!(target, Target::Room(_)) {
        stage + 1
    } else {
        stage
    };
    match stage {
        0 => {
            let rooms = login.rooms.values().filter(|room| !room.is_unused());
            let mut rooms: Vec<(String, String)> = rooms
                .map(|room| {
                    let name = match login.only_server() {
                        Some(_) => room.room.room.to_string(),
                        None => format!("{} on {}", room.room.room, room.room.server),
                    };
                    (name, room.jid.to_string())
                })
                .collect();
            rooms.sort_unstable();
            let chosen = answers.get("room").cloned();
            let chosen = chosen.or_else(|| rooms.first().map(|(_, jid)| jid.clone()));
            let mut field = ShownField::list("room", "Room", rooms);
            field.values = chosen.into_iter().collect();
            shown("Which room do you want to leave?", field)
        }
        1 => {
            let words = answers.get("words").cloned().unwrap_or_default();
            let field = ShownField::text("words", "Parting words (may be empty)", words);
            shown("What shall the others read when you leave?", field)
        }
        _ => None,
    }
}

fn leave(login: &mut Login, run: Run<'_>) -> Reply {
    let wanted = run.answers.get("room").map_or("", |room| room.trim());
    let found = login.rooms.values().find(|room| {
        let meant = match &run.target {
            Target::Room(id) => room.room == *id,
            _ => room.jid.as_str() == wanted || room.room.room.as_str() == wanted,
        };
        meant && !room.is_unused()
    });
    let Some(room) = found.map(|room| room.room.clone()) else {
        return Reply::Failed(match &run.target {
            Target::Room(room) => format!("You are not in {}.", room.room),
            _ => format!("You are not in '{wanted}' (room)."),
        });
    };
    let words = run
        .answers
        .get("words")
        .filter(|words| !words.is_empty())
        .map(|words| Name::from(words.as_str()));
    login.give_up_room(&room, words, run.out);
    Reply::Done(match login.only_server() {
        Some(_) => format!("You have left {}.", room.room),
        None => format!("You have left {} on {}.", room.room, room.server),
    })
}

fn unregister_form(_: &Login, _: &Target, stage: usize, _: &Answers) -> Option<Shown> {
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
    let registered = login.account.is_some();
    if !registered && !login.is_on_record() {
        return Reply::Failed("You are not registered.".into());
    }
    login.unregister(None, run.out);
    Reply::Done(if registered {
        "You have unregistered.".into()
    } else {
        // Who came into a room without registering has left traces too.
        "You were not registered. What the gateway knew about you is deleted.".into()
    })
}
