//! Registering an account from the connection itself (IRCv3 draft/account-registration,
//! <https://ircv3.net/specs/extensions/account-registration>).
//!
//! The lines hold a password or a code, so they go before everything else and are not kept; one at a time waits for
//! its answer.

use std::time::{Duration, Instant};

use viaduct_bridge::{
    Failure, Name, Outcome, Refusal, RemoteEvent, Reply, ServerEvent, SignUp, SignUpRules, SignedUp,
    TransactionId,
};

use crate::proto::caps::Cap;
use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::pending::outcome;
use super::{Client, Now, Security, refusal};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known of it, and what is under way.
#[derive(Default)]
pub(super) struct SigningUp {
    /// How the server says it is done.
    pub(super) rules: SignUpRules,
    told: Option<SignUpRules>,
    waiting: Option<Waiting>,
}

/// A step whose answer has not come.
struct Waiting {
    txn: TransactionId,
    verb: &'static str,
    until: Instant,
}

/// Reads the value of the capability.
pub(super) fn rules_of(value: &str) -> SignUpRules {
    let has = |token: &str| value.split(',').any(|other| other == token);
    SignUpRules {
        chooses_name: has("custom-account-name"),
        needs_email: has("email-required"),
    }
}

impl SigningUp {
    /// Who is online anew has been told nothing.
    pub(super) fn forget_told(&mut self) {
        self.told = None;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.until)
    }

    /// The answer will not come any more.
    pub(super) fn lost(&mut self, events: &mut Vec<RemoteEvent>) {
        if let Some(Waiting { txn, .. }) = self.waiting.take() {
            let reason = "The server did not answer. Perhaps the account is registered all the same.";
            let failure = Failure::Uncertain {
                reason: reason.into(),
            };
            events.push(outcome(txn, Outcome::Failed(failure)));
        }
    }
}

impl Client {
    /// Tells whether and how accounts can be registered, if that has changed.
    pub(super) fn tell_sign_up(&mut self) {
        let offered = self
            .caps
            .has(Cap::AccountRegistration)
            .then_some(self.modern.sign_up.rules);
        if self.is_online() && self.modern.sign_up.told != offered {
            self.modern.sign_up.told = offered;
            self.tell_server(ServerEvent::SignUp(offered));
        }
    }

    /// Does a step of the user's.
    pub(super) fn sign_up(&mut self, now: Now, txn: TransactionId, step: SignUp) {
        if !self.caps.has(Cap::AccountRegistration) {
            let feature = "registering an account";
            return self.fail(txn, Failure::Unsupported { feature });
        }
        if self.security == Security::PlainByFallback {
            let words = "The connection is not encrypted, so the password was not sent.";
            return self.fail(txn, Failure::refused(Refusal::NotAllowed, words));
        }
        if self.modern.sign_up.waiting.is_some() {
            return self.fail(
                txn,
                Failure::transient("The last request is still being worked on."),
            );
        }
        let (verb, line) = match step {
            SignUp::Begin {
                account,
                email,
                password,
            } => {
                // A star is the nickname, and no address.
                let (account, email) = (account.as_deref().unwrap_or("*"), email.as_deref().unwrap_or("*"));
                let line = Line::command("REGISTER").arg(account).arg(email);
                ("REGISTER", line.trailing(password.reveal()))
            }
            SignUp::Verify { account, code } => {
                let line = Line::command("VERIFY").arg(&account);
                ("VERIFY", line.trailing(code.reveal()))
            }
        };
        self.urgent.push(line);
        let until = now.at + PATIENCE;
        self.modern.sign_up.waiting = Some(Waiting { txn, verb, until });
    }

    /// REGISTER or VERIFY: how far it has come.
    pub(super) fn on_signed_up(&mut self, message: &Message<'_>) {
        let Some(Waiting { txn, .. }) = self.modern.sign_up.waiting.take() else {
            return self.server_says(message.last());
        };
        let reply = SignedUp {
            account: Name::from(message.param(1)),
            words: format::to_text(message.last()).plain,
            done: message.param(0).eq_ignore_ascii_case("SUCCESS"),
        };
        let answered = Outcome::Answered(Box::new(Reply::SignedUp(reply)));
        self.events.push(outcome(txn, answered));
    }

    /// FAIL REGISTER or FAIL VERIFY. Whether anybody waits for it.
    pub(super) fn sign_up_failed(&mut self, message: &Message<'_>) -> bool {
        let about = |waiting: &mut Waiting| waiting.verb.eq_ignore_ascii_case(message.param(0));
        let Some(waiting) = self.modern.sign_up.waiting.take_if(about) else {
            return false;
        };
        let words = format::to_text(message.last()).plain;
        self.fail(waiting.txn, refusal::of_reply(message.param(1), &words));
        true
    }

    pub(super) fn sign_up_tick(&mut self, now: Now) {
        if self
            .modern
            .sign_up
            .deadline()
            .is_some_and(|until| until <= now.at)
        {
            self.modern.sign_up.lost(&mut self.events);
        }
    }
}
