//! Settings of the user: for everything, for a server, for a room.

use viaduct_bridge::{Answers, Scope};

use super::{At, Definition, Reply, Run, Target, Who};
use crate::forms::{Shown, ShownField};
use crate::login::Login;

pub(super) const CONFIGURE: Definition = Definition {
    node: "configure",
    title: "Your settings for this address",
    help: "what the gateway does for you at a server or in a room",
    at: &[At::Server, At::Room],
    who: Who::Member,
    form,
    run: configure,
};

/// What owners have in their clients' configuration of the room. Operators of IRC are administrators, to whom clients do
/// not offer that.
pub(super) const ROOM: Definition = Definition {
    node: "room-settings",
    title: "Settings of this room",
    help: "how a room is, for everybody in it: only its operators can change it",
    at: &[At::Room],
    who: Who::Chair,
    form: |login, target, stage, _| match target {
        Target::Room(id) if stage == 0 => login.settings_form_of(id),
        _ => None,
    },
    run: |login, run| {
        let Target::Room(id) = &run.target else {
            return Reply::Failed("This is no room.".into());
        };
        match login.configure_room(id, &run.answers, run.asker, run.out) {
            Ok(true) => Reply::Later,
            Ok(false) => Reply::Done("Nothing was to be changed.".into()),
            Err(problem) => Reply::Failed(problem.text.unwrap_or_default()),
        }
    },
};

const STAY: &str = "stay_connected";

/// What is set by a form on this.
fn scope_of(login: &Login, target: &Target) -> Scope {
    match target {
        Target::Gateway => login.only_server().map_or(Scope::Everything, Scope::Server),
        Target::Server(server) => Scope::Server(server.clone()),
        Target::Room(room) => Scope::Room(room.clone()),
    }
}

fn form(login: &Login, target: &Target, stage: usize, _: &Answers) -> Option<Shown> {
    let scope = scope_of(login, target);
    let what = match &scope {
        Scope::Everything => login.ctx.bridge.title(),
        Scope::Server(server) => server.to_string(),
        Scope::Room(room) => room.room.to_string(),
    };
    (stage == 0).then(|| Shown {
        title: format!("Your settings for {what}"),
        instructions: "These settings are only for you.".into(),
        form_type: None,
        fields: login.own_fields(&scope),
    })
}

/// Takes the answers; says what is wrong with them, if something is.
fn store(login: &mut Login, scope: &Scope, run: &mut Run<'_>) -> Result<(), String> {
    let own = login.own_settings(scope, &run.answers);
    let own = own.map_err(|problem| problem.text.unwrap_or_default())?;
    login.set_own(&own, run.out);
    Ok(())
}

fn configure(login: &mut Login, mut run: Run<'_>) -> Reply {
    let scope = scope_of(login, &run.target);
    if let Err(why) = store(login, &scope, &mut run) {
        return Reply::Failed(why);
    }
    let connected = |server| login.servers.contains_key(server);
    let text = match &scope {
        Scope::Server(server) if connected(server) => {
            "Saved. What concerns the connection itself counts from the next one: 'reconnect' makes it now."
        }
        _ => "Saved.",
    };
    Reply::Done(text.into())
}

pub(super) fn preferences_form(login: &Login, _: &Target, stage: usize, _: &Answers) -> Option<Shown> {
    let stay = login.preferences.stay_connected;
    (stage == 0).then(|| {
        let label = "Stay on the network when my last client goes offline";
        let mut all = vec![ShownField::boolean(STAY, label, stay)];
        all.extend(login.own_fields(&Scope::Everything));
        Shown {
            title: "Preferences".into(),
            instructions:
                "What the gateway does for you, where you have not set it otherwise for a server or a \
                           room. A field that you leave out stays as it is."
                    .into(),
            form_type: None,
            fields: all,
        }
    })
}

pub(super) fn preferences(login: &mut Login, mut run: Run<'_>) -> Reply {
    let stay = match run.answers.get(STAY).map(|stay| stay.trim()) {
        None => login.preferences.stay_connected,
        Some("1" | "true" | "yes") => true,
        Some("0" | "false" | "no" | "") => false,
        Some(other) => return Reply::Failed(format!("'{other}' is neither yes nor no ({STAY}).")),
    };
    if let Err(why) = store(login, &Scope::Everything, &mut run) {
        return Reply::Failed(why);
    }
    login.preferences.stay_connected = stay;
    login.write_record(run.out);
    let stay = if stay { "stay" } else { "do not stay" };
    Reply::Done(format!(
        "Saved: you {stay} on the network when your last client goes offline."
    ))
}
