//! Registering with the gateway: a nickname is enough; an account at one server is tried before it is kept.

use std::sync::Arc;

use viaduct_bridge::{
    Account, Answers, BoxFuture, Failure, Field, FieldKind, Form, LoginFlow, Name, Refusal, Secret, ServerId,
    Step,
};

use crate::address::{Addresses, server_name};
use crate::client::{Credentials, End, Identity, Security};
use crate::conn::dial::Route;
use crate::conn::{probe, tls};
use crate::session::Shared;

/// The fields of the form, and the names of settings and secrets.
pub(crate) const NICK: &str = "nick";
pub(crate) const REALNAME: &str = "name";
pub(crate) const SERVER: &str = "server";
pub(crate) const USERNAME: &str = "username";
pub(crate) const PASSWORD: &str = "password";
pub(crate) const CERTIFICATE: &str = "certificate";

/// The longest user name that every server takes.
const MOST_USERNAME: usize = 9;

/// The form, with what is on record in it.
pub(crate) fn form(fixed: Option<&ServerId>, account: Option<&Account>) -> Form {
    let setting = |name: &str| {
        let settings = account.map(|account| &account.settings);
        settings
            .and_then(|settings| settings.get(name))
            .cloned()
            .unwrap_or_default()
    };
    let field = |name, label: &str, kind, required| Field {
        name,
        label: label.to_owned(),
        kind,
        required,
        value: if kind == FieldKind::Secret {
            String::new()
        } else {
            setting(name)
        },
    };
    let mut fields = vec![
        field(NICK, "Nickname", FieldKind::Text, true),
        field(
            REALNAME,
            "Real name, shown to everybody (may be left empty)",
            FieldKind::Text,
            false,
        ),
    ];
    if fixed.is_none() {
        let label = "Server of your account, such as irc.libera.chat (only if you have an account)";
        fields.push(field(SERVER, label, FieldKind::Text, false));
    }
    fields.extend([
        field(
            USERNAME,
            "Account (SASL), if you have one",
            FieldKind::Text,
            false,
        ),
        field(PASSWORD, "Password of the account", FieldKind::Secret, false),
        field(
            CERTIFICATE,
            "Certificate with its key instead of a password (PEM)",
            FieldKind::Secret,
            false,
        ),
    ]);
    let mut instructions = "Choose the nickname that you want to have on IRC. If you have an account with a \
                            server's services, give it too: you are logged in before you enter a channel."
        .to_owned();
    if account.is_some() {
        instructions += " Leave a password empty to keep the one on record.";
    }
    Form {
        title: "Register with IRC".to_owned(),
        instructions,
        fields,
    }
}

/// The server that an account is at.
pub(crate) fn server_of(account: &Account, fixed: Option<&ServerId>) -> Option<ServerId> {
    fixed.cloned().or_else(|| {
        let name = server_name(account.settings.get(SERVER)?)?;
        Some(ServerId(Name::from(name)))
    })
}

/// What an account proves itself with, if with anything.
pub(crate) fn credentials(account: &Account) -> Option<Credentials> {
    let password = account
        .secrets
        .get(PASSWORD)
        .filter(|secret| !secret.is_empty())
        .cloned();
    let certificate = account
        .secrets
        .get(CERTIFICATE)
        .is_some_and(|pem| !pem.is_empty());
    let name = account.settings.get(USERNAME).cloned().unwrap_or_default();
    (certificate || password.is_some() && !name.is_empty()).then_some(Credentials {
        account: name,
        password,
        certificate,
    })
}

/// The IRC user name (ident) of a JID: what is left of its localpart.
pub(crate) fn username(jid: &str) -> String {
    let local = jid.split('@').next().unwrap_or_default();
    let name: String = local
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(MOST_USERNAME)
        .collect();
    if name.is_empty() { "user".to_owned() } else { name }
}

/// One login on its way. It has one step.
pub(crate) struct IrcLogin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) addresses: Addresses,
    pub(crate) user: String,
    pub(crate) account: Option<Account>,
    /// Makes a nickname of a wish.
    pub(crate) nick_for: fn(&str, usize) -> Option<Name>,
    pub(crate) max_nick: usize,
}

impl LoginFlow for IrcLogin {
    fn next(&mut self, answers: Answers) -> BoxFuture<'_, Step> {
        Box::pin(async move {
            match self.read(&answers) {
                Ok(account) => self.verify(account).await,
                Err(step) => step,
            }
        })
    }
}

impl IrcLogin {
    /// The account that the answers describe.
    fn read(&self, answers: &Answers) -> Result<Account, Step> {
        let answer = |name: &str| answers.get(name).map(|text| text.trim()).unwrap_or_default();
        let nick = (self.nick_for)(answer(NICK), self.max_nick)
            .ok_or_else(|| failed(NICK, Refusal::NotAcceptable, "This cannot be a nickname on IRC."))?;
        if *nick != *answer(NICK) {
            let words = format!("'{}' cannot be a nickname on IRC; '{nick}' can.", answer(NICK));
            return Err(failed(NICK, Refusal::NotAcceptable, &words));
        }
        let mut account = Account {
            name: nick.to_string(),
            ..Account::default()
        };
        let mut set = |name: &str, value: &str| {
            if !value.is_empty() {
                account.settings.insert(name.to_owned(), value.to_owned());
            }
        };
        set(NICK, &nick);
        set(REALNAME, answer(REALNAME));
        set(USERNAME, answer(USERNAME));
        if self.shared.fixed.is_none() && !answer(SERVER).is_empty() {
            let notebook = &*self.shared.notebook;
            match self.addresses.parse_typed(answer(SERVER), notebook) {
                Ok(viaduct_bridge::Address::Server(server)) => set(SERVER, server.as_str()),
                _ => {
                    return Err(failed(
                        SERVER,
                        Refusal::NotAcceptable,
                        "This is not the name of an IRC server.",
                    ));
                }
            }
        }
        for name in [PASSWORD, CERTIFICATE] {
            // The line ends of a certificate are part of it.
            let value = answers.get(name).map(|text| text.trim()).unwrap_or_default();
            if !value.is_empty() {
                account.secrets.insert(name.to_owned(), Secret::new(value));
            } else if let Some(kept) = self.kept(&account, name) {
                account.secrets.insert(name.to_owned(), kept);
            }
        }
        let fixed = self.shared.fixed.as_ref();
        let wants_login = account.settings.contains_key(USERNAME) || !account.secrets.is_empty();
        if wants_login && server_of(&account, fixed).is_none() {
            let words = "Name the server that your account is at: its password is shown to no other.";
            return Err(failed(SERVER, Refusal::NotAcceptable, words));
        }
        if wants_login && credentials(&account).is_none() {
            return Err(if account.settings.contains_key(USERNAME) {
                failed(PASSWORD, Refusal::NotAcceptable, "The account has a password.")
            } else {
                failed(
                    USERNAME,
                    Refusal::NotAcceptable,
                    "The password belongs to an account: name it.",
                )
            });
        }
        Ok(account)
    }

    /// The secret on record, if it was given for the same account at the same server.
    fn kept(&self, new: &Account, name: &str) -> Option<Secret> {
        let old = self.account.as_ref()?;
        let same = |key| old.settings.get(key) == new.settings.get(key);
        let secret = (same(USERNAME) && same(SERVER)).then(|| old.secrets.get(name))?;
        secret.cloned()
    }

    /// Tries the credentials, if there are any.
    async fn verify(&self, account: Account) -> Step {
        let server = server_of(&account, self.shared.fixed.as_ref());
        let (Some(credentials), Some(server)) = (credentials(&account), server) else {
            return Step::Done(account);
        };
        let field = if credentials.certificate {
            CERTIFICATE
        } else {
            PASSWORD
        };
        if let Some(pem) = account.secrets.get(CERTIFICATE)
            && let Err(words) = tls::read_certificate(pem)
        {
            return failed(CERTIFICATE, Refusal::NotAcceptable, &words);
        }
        match Box::pin(self.try_login(&account, server, credentials)).await {
            Ok(()) => Step::Done(account),
            Err(failure) => {
                let refused = matches!(
                    &failure,
                    Failure::Permanent {
                        refusal: Refusal::NotAuthorized,
                        ..
                    }
                );
                let field = refused.then_some(field);
                Step::Failed { field, failure }
            }
        }
    }

    async fn try_login(
        &self,
        account: &Account,
        server: ServerId,
        credentials: Credentials,
    ) -> Result<(), Failure> {
        let plan = self.shared.config.plan(server.as_str());
        let mut upgrade = None;
        loop {
            let route = Route {
                user: &self.user,
                server: &server,
                plan: &plan,
                certificate: account.secrets.get(CERTIFICATE),
                upgrade,
            };
            let dialled = self.shared.dialler.dial(&route).await?;
            let security = dialled.security;
            // Unencrypted, the server may still say where it speaks TLS; the password is not for such a connection.
            let only_upgrade = security == Security::PlainByFallback;
            let identity = Identity {
                nick: Name::from(account.name.as_str()),
                username: username(&self.user),
                realname: account.settings.get(REALNAME).unwrap_or(&account.name).clone(),
                webirc: self.shared.webirc(&plan, &self.user),
                server_password: plan.password.clone(),
                credentials: (!only_upgrade).then(|| credentials.clone()),
                security,
                only_upgrade,
                warning: None,
                away: None,
                commands: Vec::new(),
                motd: false,
            };
            match probe::log_in(&server, &plan, dialled, identity, &*self.shared.notebook).await {
                Ok(()) => return Ok(()),
                Err(End::Upgrade { port }) => upgrade = Some(port),
                Err(End::Refused(failure)) => return Err(failure),
                Err(End::Lost(words)) => return Err(Failure::refused(Refusal::Unreachable, words)),
            }
        }
    }
}

fn failed(field: &'static str, refusal: Refusal, words: &str) -> Step {
    Step::Failed {
        field: Some(field),
        failure: Failure::refused(refusal, words),
    }
}

#[cfg(test)]
mod tests {
    use super::username;

    #[test]
    fn user_names() {
        for (jid, expected) in [
            ("alice@example.org", "alice"),
            ("a.very.long.name@example.org", "a.very.lo"),
            (r"_o\27hara@example.org", "o27hara"),
            ("日本@example.org", "user"),
            ("", "user"),
        ] {
            assert_eq!(username(jid), expected, "{jid}");
        }
    }
}
