//! Commands about the connection to a server of the network.

use viaduct_bridge::{Name, ServerId};

use super::{At, Definition, Reply, Target, Who};
use crate::forms::{Shown, ShownField};
use crate::login::{Login, Pending};

pub(super) const DISCONNECT: Definition = Definition {
    node: "disconnect",
    title: "Disconnect from this server",
    help: "leaves all your rooms on a server and closes the connection to it",
    at: &[At::Server],
    who: Who::Member,
    form: |_, _, _, _| None,
    run: |login, run| {
        with_server(login, &run.target, |login, server| {
            login
                .leave_server(server, "You have left the server.", run.out)
                .then(|| format!("You have left {server}."))
        })
    },
};

pub(super) const RECONNECT: Definition = Definition {
    node: "reconnect",
    title: "Reconnect to this server",
    help: "closes the connection to a server and makes a new one; you stay in your rooms",
    at: &[At::Server],
    who: Who::Member,
    form: |_, _, _, _| None,
    run: |login, run| {
        with_server(login, &run.target, |login, server| {
            login
                .reconnect(server, run.out)
                .then(|| format!("Connecting to {server} anew."))
        })
    },
};

pub(super) const RAW: Definition = Definition {
    node: "raw",
    title: "Send a raw line to the server",
    help: "sends a line in the network's own language",
    at: &[At::Server],
    who: Who::Raw,
    form: |_, _, stage, _| {
        (stage == 0).then(|| Shown {
            title: "Raw line".into(),
            instructions: "It is sent as it is. What the server answers comes as messages from the server."
                .into(),
            form_type: None,
            fields: vec![ShownField {
                required: true,
                ..ShownField::text("line", "Line", "")
            }],
        })
    },
    run: |login, run| {
        let line: Name = run.answers.get("line").map_or("", |line| line.trim()).into();
        match server_of(login, &run.target) {
            Some(server) => {
                let (asker, done) = (run.asker, "The server has taken the line.".to_owned());
                match login.speak_raw(&server, line, Pending::Asked { asker, done }, run.out) {
                    Ok(()) => Reply::Later,
                    Err(problem) => Reply::Failed(problem.text.unwrap_or_default()),
                }
            }
            None => Reply::Failed("This is no server.".into()),
        }
    },
};

/// Does something about the server that a command is about, if the user is connected to it: what then is told.
fn with_server(
    login: &mut Login,
    target: &Target,
    act: impl FnOnce(&mut Login, &ServerId) -> Option<String>,
) -> Reply {
    let Some(server) = server_of(login, target) else {
        return Reply::Failed("This is no server.".into());
    };
    act(login, &server).map_or_else(
        || Reply::Failed(format!("You are not connected to {server}.")),
        Reply::Done,
    )
}

/// The server that a command is about.
pub(super) fn server_of(login: &Login, target: &Target) -> Option<ServerId> {
    match target {
        Target::Gateway => login.only_server(),
        Target::Server(server) => Some(server.clone()),
        Target::Room(room) => Some(room.server.clone()),
    }
}
