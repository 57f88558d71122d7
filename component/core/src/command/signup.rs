//! Commands to register an account with a server of the network.

use viaduct_bridge::{Name, Secret, ServerId, SignUp};

use super::network::server_of;
use super::{At, Definition, Reply, Run, Who};
use crate::forms::{Shown, ShownField};
use crate::login::Login;

const ACCOUNT: &str = "account";
const EMAIL: &str = "email";
const PASSWORD: &str = "password";
const CODE: &str = "code";

pub(super) const BEGIN: Definition = Definition {
    node: "account-register",
    title: "Register an account with this server",
    help: "makes your nickname, or a name that you choose, yours on a server",
    at: &[At::Server],
    who: Who::Newcomer,
    form: |login, target, stage, _| {
        let rules = server_of(login, target).and_then(|server| login.sign_up_rules(&server));
        let rules = rules.filter(|_| stage == 0)?;
        let mut fields = Vec::new();
        if rules.chooses_name {
            fields.push(ShownField::text(
                ACCOUNT,
                "Name of the account (empty: my nickname)",
                "",
            ));
        }
        let label = if rules.needs_email {
            "E-mail address, which the server may write to"
        } else {
            "E-mail address (may stay empty)"
        };
        fields.push(ShownField {
            required: rules.needs_email,
            ..ShownField::text(EMAIL, label, "")
        });
        fields.push(ShownField {
            ty: "text-private",
            required: true,
            ..ShownField::text(PASSWORD, "Password of the account", "")
        });
        Some(Shown {
            title: "A new account".into(),
            instructions: "The account is with the server, not with this gateway.".into(),
            form_type: None,
            fields,
        })
    },
    run: |login, run| {
        let answer = |name: &str| {
            let text = run.answers.get(name).map_or("", |text| text.trim());
            (!text.is_empty()).then(|| Name::from(text))
        };
        let Some(password) = run.answers.get(PASSWORD).filter(|text| is_sane(text)) else {
            return Reply::Failed("A password without line ends is needed (password).".into());
        };
        let (account, email) = (answer(ACCOUNT), answer(EMAIL));
        for (name, word) in [(ACCOUNT, &account), (EMAIL, &email)] {
            if word
                .as_ref()
                .is_some_and(|word| word.contains(char::is_whitespace))
            {
                return Reply::Failed(format!("There can be no spaces in this ({name})."));
            }
        }
        let step = SignUp::Begin {
            account,
            email,
            password: Secret::new(password),
        };
        submit(login, step, run)
    },
};

pub(super) const VERIFY: Definition = Definition {
    node: "account-verify",
    title: "Confirm your new account",
    help: "gives a server the code that it has sent to your e-mail address",
    at: &[At::Server],
    who: Who::Newcomer,
    form: |login, target, stage, _| {
        let server = server_of(login, target).filter(|_| stage == 0)?;
        let account = login.unverified(&server).map_or("", Name::as_str);
        let required = |field: ShownField| ShownField {
            required: true,
            ..field
        };
        Some(Shown {
            title: "Confirm your new account".into(),
            instructions: "The code is in the message that the server has sent to your e-mail address."
                .into(),
            form_type: None,
            fields: vec![
                required(ShownField::text(ACCOUNT, "Name of the account", account)),
                required(ShownField::text(CODE, "Code", "")),
            ],
        })
    },
    run: |login, run| {
        let answer = |name: &str| run.answers.get(name).map_or("", |text| text.trim());
        let (account, code) = (answer(ACCOUNT), answer(CODE));
        if account.is_empty() || account.contains(char::is_whitespace) {
            return Reply::Failed("Say of which account it is, in one word (account).".into());
        }
        if code.is_empty() || !is_sane(code) {
            return Reply::Failed("Say the code (code).".into());
        }
        let step = SignUp::Verify {
            account: account.into(),
            code: Secret::new(code),
        };
        submit(login, step, run)
    },
};

fn is_sane(text: &str) -> bool {
    !text.is_empty() && !text.contains(['\r', '\n', '\0'])
}

fn submit(login: &mut Login, step: SignUp, run: Run<'_>) -> Reply {
    let Some(server): Option<ServerId> = server_of(login, &run.target) else {
        return Reply::Failed("This is no server.".into());
    };
    match login.sign_up(&server, step, run.asker, run.out) {
        Ok(()) => Reply::Later,
        Err(problem) => Reply::Failed(problem.text.unwrap_or_default()),
    }
}
