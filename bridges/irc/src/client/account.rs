//! Logging in with an account (IRCv3 SASL 3.2), within the registration: the strongest way that both sides have, then
//! the next one if the server refuses it.

use viaduct_bridge::{Failure, Refusal};

use crate::proto::line::Line;
use crate::proto::sasl::{self, BadChallenge, Challenge, Mechanism};
use crate::proto::scram::{Scram, ScramError};

use super::identity::Credentials;
use super::{Client, End, Phase};

/// A login with an account on its way.
pub(super) struct Login {
    credentials: Credentials,
    encrypted: bool,
    /// What the server offers, as it says it.
    mechanisms: String,
    /// What has been tried; the last is being tried now.
    tried: Vec<Mechanism>,
    challenge: Challenge,
    /// Whether the credentials of the mechanism are still to be shown: once.
    awaited: bool,
    scram: Option<Scram>,
    /// Why we have given up the mechanism ourselves.
    given_up: Option<String>,
    done: bool,
}

impl Login {
    pub(super) fn new(credentials: Credentials, encrypted: bool) -> Self {
        Self {
            credentials,
            encrypted,
            mechanisms: String::new(),
            tried: Vec::new(),
            challenge: Challenge::default(),
            awaited: false,
            scram: None,
            given_up: None,
            done: false,
        }
    }

    /// The server names its mechanisms.
    pub(super) fn offered(&mut self, mechanisms: &str) {
        mechanisms.clone_into(&mut self.mechanisms);
    }

    /// Whether anything has been tried.
    pub(super) fn is_begun(&self) -> bool {
        !self.tried.is_empty()
    }

    /// Whether the user is logged in.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// Takes up the next mechanism, if there is one.
    fn next(&mut self) -> Option<Mechanism> {
        let mechanism = Mechanism::ALL.into_iter().find(|mechanism| {
            !self.tried.contains(mechanism)
                && self.has_what_it_takes(*mechanism)
                && mechanism.offered_in(&self.mechanisms)
        })?;
        self.tried.push(mechanism);
        self.challenge = Challenge::default();
        self.awaited = true;
        self.scram = match (&self.credentials.password, mechanism) {
            (Some(password), Mechanism::ScramSha256) => Some(Scram::new(&self.credentials.account, password)),
            _ => None,
        };
        Some(mechanism)
    }

    fn has_what_it_takes(&self, mechanism: Mechanism) -> bool {
        let Credentials {
            account,
            password,
            certificate,
        } = &self.credentials;
        let named = password.is_some() && !account.is_empty();
        match mechanism {
            Mechanism::External => *certificate,
            Mechanism::ScramSha256 => named,
            // Many services have no SCRAM for accounts that are older than it, so that after its refusal the password
            // is shown; but not to everybody on the way, to whom it has just been kept secret.
            Mechanism::Plain => named && (self.encrypted || !self.tried.contains(&Mechanism::ScramSha256)),
        }
    }

    /// The answer to a piece of a challenge.
    fn answer(&mut self, chunk: &str) -> Result<Vec<Line>, String> {
        let challenge = match self.challenge.take(chunk) {
            Ok(Some(challenge)) => challenge,
            Ok(None) => return Ok(Vec::new()),
            Err(BadChallenge) => return Err("what the server sends cannot be read".to_owned()),
        };
        if let Some(scram) = &mut self.scram {
            return match scram.respond(&challenge) {
                Ok(answer) => Ok(sasl::response(&answer)),
                // Only this mechanism is out of the question, not the server.
                Err(error @ ScramError::TooMany(_)) => {
                    self.given_up = Some(error.to_string());
                    Ok(vec![Line::command("AUTHENTICATE").arg("*")])
                }
                Err(error) => Err(error.to_string()),
            };
        }
        if !std::mem::take(&mut self.awaited) {
            return Ok(Vec::new());
        }
        Ok(match (&self.credentials.password, self.tried.last()) {
            (Some(password), Some(Mechanism::Plain)) => {
                sasl::plain(&self.credentials.account, password.reveal())
            }
            _ => sasl::external(),
        })
    }
}

impl Client {
    /// AUTHENTICATE from the server.
    pub(super) fn on_challenge(&mut self, chunk: &str) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        let Some(login) = registration.login.as_mut().filter(|login| login.is_begun()) else {
            return;
        };
        match login.answer(chunk) {
            Ok(lines) => self.urgent.extend(lines),
            Err(words) => self.login_failed(&words),
        }
    }

    /// The server says that the login succeeded.
    pub(super) fn on_logged_in(&mut self) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        let Some(login) = registration.login.as_mut().filter(|login| login.is_begun()) else {
            return;
        };
        // Who leaves out the proof may be who could not give it.
        if login
            .scram
            .as_ref()
            .is_some_and(|scram| !scram.server_is_proven())
        {
            self.login_failed(
                "the server did not prove that it knows the account; it may be somebody else's",
            );
            return;
        }
        login.done = true;
        self.urgent.push(Line::command("CAP").arg("END"));
    }

    /// The server says that the login failed.
    pub(super) fn on_login_refused(&mut self, words: &str) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        let login = registration.login.as_mut();
        if let Some(login) = login.filter(|login| login.is_begun() && !login.is_done()) {
            let given_up = login.given_up.take();
            self.authenticate(given_up.as_deref().unwrap_or(words));
        }
    }

    /// Tries the next mechanism; if there is none left, these words are why the login failed.
    pub(super) fn authenticate(&mut self, words: &str) {
        let Phase::Registering(registration) = &mut self.phase else {
            return;
        };
        match registration.login.as_mut().and_then(Login::next) {
            Some(mechanism) => self
                .urgent
                .push(Line::command("AUTHENTICATE").arg(mechanism.name())),
            None => self.login_failed(words),
        }
    }

    fn login_failed(&mut self, words: &str) {
        let reason = format!("The login to {} failed: {words}", self.server);
        self.finish(End::Refused(Failure::refused(Refusal::NotAuthorized, reason)));
    }
}
