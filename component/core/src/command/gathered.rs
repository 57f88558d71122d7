//! What administrators are told when other logins have answered (XEP-0133 §4.10, §4.15, §4.20).

use viaduct_bridge::Name;

use super::Reply;
use super::admin::no_jid;
use crate::effect::Effects;
use crate::errand::{Gathered, Heard, Report, Said};
use crate::forms::{Shown, ShownField};
use crate::login::{Asker, Asking, Login, cut};
use crate::ns;

impl Login {
    /// What a command is told that has asked others something.
    pub(crate) fn answer_gathered(
        &mut self,
        asker: Asker,
        asking: Asking,
        gathered: Gathered,
        out: &mut Effects,
    ) {
        let reply = match asking {
            Asking::Number => number(&gathered),
            Asking::List => list(gathered),
            Asking::Users => users(gathered),
            Asking::Stats => self.stats_of(gathered),
            Asking::End => ended(gathered),
            Asking::Announce => Reply::Done(match gathered.more {
                1 => "One user was told.".into(),
                more => format!("{more} users were told."),
            }),
            // Orders are answered in words.
            Asking::Order => Reply::Failed("There was no answer.".into()),
        };
        self.reply_to(asker, &reply, out);
    }

    fn stats_of(&self, gathered: Gathered) -> Reply {
        let Some((user, heard)) = gathered.heard.into_iter().next() else {
            return Reply::Failed("There was no answer.".into());
        };
        let report = match heard {
            Heard::Said(Said::Report(report)) => *report,
            Heard::AtRest(record) => match jid::BareJid::new(&user) {
                Ok(jid) => self.report_of(jid, *record),
                Err(_) => return Reply::Failed(no_jid(&user)),
            },
            Heard::Nobody => return Reply::Failed(format!("The gateway does not know {user}.")),
            Heard::Said(_) | Heard::Late => return Reply::Failed(format!("{user} did not answer in time.")),
        };
        let several = |var: &str, label: &str, values| ShownField {
            ty: "text-multi",
            values,
            ..ShownField::text(var, label, "")
        };
        let resources = report.resources.iter().map(ToString::to_string).collect();
        let fields = vec![
            ShownField::text(
                "rostersize",
                "Contacts on the network",
                report.contacts.to_string(),
            ),
            several("onlineresources", "Clients", resources),
            several("x-connections", "Connections and rooms", lines_of(&report)),
        ];
        Reply::Result(Shown {
            title: format!("How {user} is connected"),
            form_type: Some(ns::ADMIN),
            fields,
            ..Shown::default()
        })
    }
}

fn lines_of(report: &Report) -> Vec<String> {
    if report.lines.is_empty() {
        return vec!["not connected".into()];
    }
    let lines = report.lines.iter();
    lines.map(|(label, value)| format!("{label}: {value}")).collect()
}

fn number(gathered: &Gathered) -> Reply {
    let number = gathered.more.to_string();
    let mut fields = vec![ShownField::text("onlineusersnum", "Users who are online", number)];
    fields.extend(silent(gathered));
    Reply::Result(Shown {
        title: "Users who are online".into(),
        form_type: Some(ns::ADMIN),
        fields,
        ..Shown::default()
    })
}

fn list(gathered: Gathered) -> Reply {
    let silent = silent(&gathered);
    let jids = gathered
        .heard
        .into_iter()
        .map(|(user, _)| user.to_string())
        .collect();
    let mut fields = vec![ShownField {
        ty: "text-multi",
        values: jids,
        ..ShownField::text("onlineuserjids", "Users who are online", "")
    }];
    fields.extend(not_shown(gathered.more));
    fields.extend(silent);
    Reply::Result(Shown {
        title: "Users who are online".into(),
        form_type: Some(ns::ADMIN),
        fields,
        ..Shown::default()
    })
}

fn users(gathered: Gathered) -> Reply {
    /// The most that is told of one user here; `user-stats` tells the rest.
    const MOST_LINES: usize = 12;
    let mut fields = Vec::with_capacity(gathered.heard.len() + 2);
    let rest = [not_shown(gathered.more), silent(&gathered)];
    for (user, heard) in gathered.heard {
        let Heard::Said(Said::Report(report)) = heard else {
            continue;
        };
        let resources: Vec<&str> = report.resources.iter().map(Name::as_str).collect();
        let mut values = vec![match resources.as_slice() {
            [] => "no client".to_owned(),
            resources => format!("with {}", resources.join(", ")),
        }];
        values.extend(lines_of(&report));
        cut(&mut values, MOST_LINES, |more| {
            format!("{more} more are left out")
        });
        fields.push(ShownField {
            ty: "text-multi",
            values,
            ..ShownField::text(format!("user/{user}"), user.to_string(), "")
        });
    }
    if fields.is_empty() {
        fields.push(ShownField::text("users", "Users", "Nobody is online."));
    }
    fields.extend(rest.into_iter().flatten());
    Reply::Result(Shown {
        title: "Users and their connections".into(),
        fields,
        ..Shown::default()
    })
}

fn not_shown(more: usize) -> Option<ShownField> {
    (more > 0).then(|| ShownField::text("x-more", "Not shown", more.to_string()))
}

fn silent(gathered: &Gathered) -> Option<ShownField> {
    let late = gathered.late;
    (late > 0).then(|| ShownField::text("x-late", "Did not answer in time", late.to_string()))
}

fn ended(gathered: Gathered) -> Reply {
    let mut any = false;
    let lines = gathered.heard.into_iter().map(|(user, heard)| match heard {
        Heard::Said(Said::Yes) => {
            any = true;
            format!("{user} is disconnected.")
        }
        Heard::Said(_) | Heard::AtRest(_) => format!("{user} was not connected."),
        Heard::Nobody => format!("The gateway does not know {user}."),
        Heard::Late => format!("{user} did not answer in time."),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if any {
        Reply::Done(text)
    } else {
        Reply::Failed(text)
    }
}
