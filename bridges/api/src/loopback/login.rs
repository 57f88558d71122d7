//! Registering with the loopback network: a nickname, its password if it has one, a server.

use super::address::{fold, is_person};
use super::link::no_such_server;
use super::network::LoopbackNetwork;
use crate::BoxFuture;
use crate::failure::{Failure, Refusal};
use crate::ids::{Name, ServerId};
use crate::login::{Account, Answers, Field, FieldKind, Form, LoginFlow, Step};
use crate::secret::Secret;

/// The field for the nickname.
pub(super) const NICK: &str = "nick";
/// The field for the nickname's password.
pub(super) const PASSWORD: &str = "password";
/// The field for the server.
pub(super) const SERVER: &str = "server";

/// The form, with what is on record in it.
pub(super) fn form(account: Option<&Account>, home: &ServerId) -> Form {
    let on_record = |name: &str| account.and_then(|account| account.settings.get(name)).cloned();
    let field = |name, label: &str, kind, required, value| Field {
        name,
        label: label.into(),
        kind,
        required,
        value,
    };
    let nick = on_record(NICK).unwrap_or_default();
    let server = on_record(SERVER).unwrap_or_else(|| home.to_string());
    Form {
        title: "Loopback".into(),
        instructions: "Choose a nickname. The password is needed only for a nickname that has an owner."
            .into(),
        fields: vec![
            field(NICK, "Nickname", FieldKind::Text, true, nick),
            field(PASSWORD, "Password", FieldKind::Secret, false, String::new()),
            field(SERVER, "Server", FieldKind::Text, true, server),
        ],
    }
}

/// One login on its way. It has one step.
pub(super) struct OneForm {
    pub(super) network: LoopbackNetwork,
    pub(super) on_record: Option<Account>,
}

impl LoginFlow for OneForm {
    fn next(&mut self, answers: Answers) -> BoxFuture<'_, Step> {
        let step = self.judge(&answers).unwrap_or_else(|failed| failed);
        Box::pin(std::future::ready(step))
    }
}

impl OneForm {
    /// Checks the answers with the network: `Ok` is a login that worked, `Err` one that did not.
    fn judge(&self, answers: &Answers) -> Result<Step, Step> {
        let answer = |name| {
            answers
                .get(name)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        let failed = |field, failure| Step::Failed { field, failure };

        let nick = answer(NICK).filter(|nick| is_person(nick)).ok_or_else(|| {
            let reason = "this cannot be a nickname";
            failed(Some(NICK), Failure::refused(Refusal::NotAcceptable, reason))
        })?;
        let home = self.network.home();
        let server = ServerId(fold(answer(SERVER).unwrap_or(home.as_str())));
        let password = answers
            .get(PASSWORD)
            .filter(|password| !password.is_empty())
            .map(Secret::new)
            .or_else(|| self.kept_password(nick, &server));

        let mut world = self.network.lock();
        let Some(place) = world.servers.get_mut(&server) else {
            return Err(failed(Some(SERVER), no_such_server(server.as_str())));
        };
        if let Some(failure) = place.faults.refuses.clone() {
            return Err(failed(None, failure));
        }
        let wanted = place.passwords.get(&fold(nick));
        if wanted.is_some() && password.as_ref() != wanted {
            return Err(failed(Some(PASSWORD), wrong_password()));
        }
        Ok(Step::Done(account(nick, &server, password)))
    }

    /// The password on record, which an empty field leaves as it is: for the nickname and server that it was given
    /// for, and never for others.
    fn kept_password(&self, nick: &str, server: &ServerId) -> Option<Secret> {
        let account = self.on_record.as_ref()?;
        let same_server = account
            .settings
            .get(SERVER)
            .is_some_and(|old| old == server.as_str());
        let same_nick = fold(&account.name) == fold(nick);
        let password = account.secrets.get(PASSWORD)?;
        (same_server && same_nick).then(|| password.clone())
    }
}

fn account(nick: &str, server: &ServerId, password: Option<Secret>) -> Account {
    let mut account = Account {
        name: nick.into(),
        ..Account::default()
    };
    account.settings.insert(NICK.into(), nick.into());
    account.settings.insert(SERVER.into(), server.to_string());
    if let Some(password) = password {
        account.secrets.insert(PASSWORD.into(), password);
    }
    account
}

/// The server of an account.
pub(super) fn server_of(account: &Account) -> Option<ServerId> {
    let server = account.settings.get(SERVER)?;
    Some(ServerId(Name::from(server.as_str())))
}

/// The nickname has an owner, who has another password.
pub(super) fn wrong_password() -> Failure {
    Failure::refused(Refusal::NotAuthorized, "the password is wrong")
}
