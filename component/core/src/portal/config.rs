//! How a room is configured (XEP-0045 §10.2): a form whose fields are the room's settings on the network.
//!
//! A setting is one [`Setting`] in [`SETTINGS`]: how it is shown, and what its answer changes. Fields that are not
//! among them are ignored, so a form can be made longer elsewhere. What the network cannot change is shown as `fixed`
//! or not at all.

use viaduct_bridge::{Answers, Ban, Command, RoomChange, Secret};

use super::Room;
use crate::context::Context;
use crate::forms::{Shown, ShownField};
use crate::ns;
use crate::stanza::{Condition, Problem};

/// The bans that are of no one person, which the ban list of XEP-0045 §9.2 cannot show.
const BANS: &str = "{https://viaduct.im/room}bans";
/// The most bans that are shown.
const MOST_BANS: usize = 100;
/// The choices of how many people may be in a room (XEP-0045 §10.2), beside what is set.
const LIMITS: [u32; 6] = [10, 20, 30, 50, 100, 500];

/// One setting of a room.
struct Setting {
    /// The name of its field.
    var: &'static str,
    /// How it is shown.
    show: fn(&Room, &'static str) -> ShownField,
    /// What an answer changes.
    read: fn(&Room, &Answers, &str, &mut Wanted) -> Result<(), Problem>,
}

/// What a submitted form asks for.
#[derive(Default)]
struct Wanted {
    change: RoomChange,
    topic: Option<String>,
}

/// The settings of a room, in the order in which they are shown.
static SETTINGS: [Setting; 8] = [
    Setting {
        var: "muc#roomconfig_roomdesc",
        show: |room, var| {
            let topic = room.topic.as_ref().map_or("", |topic| &topic.text);
            ShownField::text(var, "Subject", topic)
        },
        read: |room, _, value, wanted| {
            let topic = room.topic.as_ref().map_or("", |topic| &topic.text);
            wanted.topic = (value != topic).then(|| value.to_owned());
            Ok(())
        },
    },
    Setting {
        var: "muc#roomconfig_changesubject",
        show: |room, var| {
            ShownField::boolean(var, "Everybody may change the subject", !room.flags.topic_locked)
        },
        read: |_, _, value, wanted| {
            wanted.change.topic_locked = Some(!yes(value)?);
            Ok(())
        },
    },
    Setting {
        var: "muc#roomconfig_publicroom",
        show: |room, var| ShownField::boolean(var, "The room is in the list of rooms", !room.flags.hidden),
        read: |_, _, value, wanted| {
            wanted.change.hidden = Some(!yes(value)?);
            Ok(())
        },
    },
    Setting {
        var: "muc#roomconfig_membersonly",
        show: |room, var| ShownField::boolean(var, "Only invited people may enter", room.flags.invite_only),
        read: |_, _, value, wanted| {
            wanted.change.invite_only = Some(yes(value)?);
            Ok(())
        },
    },
    Setting {
        var: "muc#roomconfig_moderatedroom",
        show: |room, var| ShownField::boolean(var, "Only people with voice may speak", room.flags.moderated),
        read: |_, _, value, wanted| {
            wanted.change.moderated = Some(yes(value)?);
            Ok(())
        },
    },
    Setting {
        var: "muc#roomconfig_passwordprotectedroom",
        show: |room, var| ShownField::boolean(var, "A password is needed to enter", room.flags.password),
        read: |room, form, value, wanted| {
            let new = form.get(SECRET).map_or("", String::as_str);
            wanted.change.password = match (yes(value)?, new.is_empty()) {
                (true, false) => Some(Some(Secret::new(new))),
                (true, true) if room.flags.password => None,
                (true, true) => {
                    let text = "A password is asked for, and none is given (muc#roomconfig_roomsecret).";
                    return Err(Problem::because(Condition::NotAcceptable, text));
                }
                (false, _) => room.flags.password.then_some(None),
            };
            Ok(())
        },
    },
    Setting {
        var: SECRET,
        // The password is not shown again.
        show: |_, var| ShownField {
            ty: "text-private",
            ..ShownField::text(var, "New password (empty: unchanged)", "")
        },
        // It is read together with the field before it.
        read: |_, _, _, _| Ok(()),
    },
    Setting {
        var: "muc#roomconfig_maxusers",
        show: |room, var| {
            let mut limits: Vec<u32> = LIMITS.into_iter().chain(room.flags.limit).collect();
            limits.sort_unstable();
            limits.dedup();
            let numbers = limits.iter().map(|limit| (limit.to_string(), limit.to_string()));
            let none = ("no limit".to_owned(), NO_LIMIT.to_owned());
            let options = std::iter::once(none).chain(numbers).collect();
            let set = room
                .flags
                .limit
                .map_or(NO_LIMIT.into(), |limit| limit.to_string());
            ShownField {
                required: false,
                values: vec![set],
                ..ShownField::list(var, "How many people may be in the room", options)
            }
        },
        read: |_, _, value, wanted| {
            let limit = match value {
                "" | NO_LIMIT => None,
                number => Some(number.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| {
                    let text = format!("'{number}' is not a number of people (muc#roomconfig_maxusers).");
                    Problem::because(Condition::NotAcceptable, text)
                })?),
            };
            wanted.change.limit = Some(limit);
            Ok(())
        },
    },
];

const SECRET: &str = "muc#roomconfig_roomsecret";
const NO_LIMIT: &str = "none";

impl Room {
    /// The form with the settings as they are. `bans`: those that are set, where the network tells.
    #[must_use]
    pub fn config_form(&self, bans: &[Ban]) -> Shown {
        let mut fields: Vec<ShownField> = SETTINGS
            .iter()
            .map(|setting| (setting.show)(self, setting.var))
            .collect();
        let fixed = |var: &str, label: &str, values: Vec<String>| ShownField {
            ty: "fixed",
            values,
            ..ShownField::text(var, label, "")
        };
        fields.push(fixed(
            "muc#roomconfig_whois",
            "Who may see who somebody is",
            vec!["anyone".into()],
        ));
        let masks = bans.iter().filter(|ban| ban.person.is_none());
        let masks: Vec<String> = masks.map(|ban| ban.mask.to_string()).take(MOST_BANS).collect();
        if !masks.is_empty() {
            fields.push(fixed(
                BANS,
                "Who is banned, beside the people in the ban list",
                masks,
            ));
        }
        Shown {
            title: format!("Settings of {}", self.room.room),
            instructions: "Only operators of the room can change these.".into(),
            form_type: Some(ns::MUC_ROOMCONFIG),
            fields,
        }
    }

    /// What a submitted form asks the network for. What was left out stays as it is.
    ///
    /// # Errors
    /// With the reason when it makes no sense: then nothing of it is done.
    pub fn config_commands(&self, ctx: &Context, form: &Answers) -> Result<Vec<Command>, Problem> {
        let mut wanted = Wanted::default();
        for setting in &SETTINGS {
            if let Some(value) = form.get(setting.var) {
                (setting.read)(self, form, value.trim(), &mut wanted)?;
            }
        }
        let mut commands = Vec::new();
        if wanted.change != RoomChange::default() {
            commands.push(Command::SetRoom {
                txn: ctx.ids.txn(),
                room: self.room.clone(),
                change: wanted.change,
            });
        }
        if let Some(topic) = wanted.topic {
            commands.push(self.set_topic(ctx, &topic));
        }
        Ok(commands)
    }
}

fn yes(value: &str) -> Result<bool, Problem> {
    match value {
        "1" | "true" | "yes" => Ok(true),
        "0" | "false" | "no" | "" => Ok(false),
        other => {
            let text = format!("'{other}' is neither yes nor no.");
            Err(Problem::because(Condition::NotAcceptable, text))
        }
    }
}
