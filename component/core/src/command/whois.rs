//! The command `whois`: what the network tells of somebody.

use viaduct_bridge::{Answers, Question, Reply as Told};

use super::{At, Definition, Reply, Run, Target, Who};
use crate::effect::Effects;
use crate::forms::{Shown, ShownField};
use crate::login::{Asker, Login, describe};

/// The command.
pub(super) const WHOIS: Definition = Definition {
    node: "whois",
    title: "Show who somebody is",
    help: "shows what the network tells of somebody",
    at: &[At::Gateway],
    who: Who::User,
    form,
    run,
};

fn form(_: &Login, _: &Target, stage: usize, answers: &Answers) -> Option<Shown> {
    (stage == 0).then(|| {
        let whom = answers.get("who").cloned().unwrap_or_default();
        let mut field = ShownField::text("who", "Whose address (as you would write to them)", whom);
        field.required = true;
        Shown {
            title: "Who is it?".into(),
            instructions: "Whom do you want to know about?".into(),
            form_type: None,
            fields: vec![field],
        }
    })
}

fn run(login: &mut Login, run: Run<'_>) -> Reply {
    let whom = run.answers.get("who").map_or("", |whom| whom.trim());
    let whom = whom
        .strip_suffix(&format!("@{}", login.ctx.domain))
        .unwrap_or(whom);
    let person = match login.person_typed(whom) {
        Ok(person) => person,
        Err(why) => return Reply::Failed(why),
    };
    // Who asks this in so many words means it: a connection is made where there is none.
    match login.inquire_for_command(Question::Profile(person), run.asker, run.out) {
        Ok(()) => Reply::Later,
        Err(why) => Reply::Failed(why),
    }
}

impl Login {
    /// What somebody is told who asked the network by a command.
    pub(crate) fn answer_whois(&mut self, asker: Asker, answer: Result<&Told, String>, out: &mut Effects) {
        let reply = match answer {
            Ok(Told::Profile(profile)) => {
                let lines = describe(profile);
                let fields = lines
                    .into_iter()
                    .map(|(label, value)| {
                        ShownField::text(label.to_lowercase().replace(' ', "_"), label, value)
                    })
                    .collect();
                Reply::Result(Shown {
                    title: "Who is it?".into(),
                    fields,
                    ..Shown::default()
                })
            }
            Ok(_) => Reply::Failed("The network gave no answer.".into()),
            Err(why) => Reply::Failed(why),
        };
        self.reply_to(asker, &reply, out);
    }
}
