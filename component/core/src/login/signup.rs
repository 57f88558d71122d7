//! Registering an account with a server of the network, and logging in with it from then on.

use viaduct_bridge::{Command, Name, Scope, Secret, ServerId, SignUp, SignUpRules, SignedUp};

use super::Login;
use super::pending::Pending;
use super::register::Asker;
use super::servers::Link;
use crate::effect::Effects;
use crate::stanza::{Condition, Problem};

impl Login {
    /// How accounts can be registered with a server that the user is connected to.
    pub(crate) fn sign_up_rules(&self, id: &ServerId) -> Option<SignUpRules> {
        let server = self.servers.get(id)?;
        matches!(server.link, Link::Online { .. })
            .then_some(server.sign_up)
            .flatten()
    }

    /// The account that waits for its owner's code.
    pub(crate) fn unverified(&self, id: &ServerId) -> Option<&Name> {
        let waiting = self.servers.get(id)?.unverified.as_ref()?;
        Some(&waiting.0)
    }

    /// Gives the server a step. It answers later.
    pub(crate) fn sign_up(
        &mut self,
        id: &ServerId,
        step: SignUp,
        asker: Asker,
        out: &mut Effects,
    ) -> Result<(), Problem> {
        if self.sign_up_rules(id).is_none() {
            let text = format!("{id} does not offer this, or you are not connected to it.");
            return Err(Problem::because(Condition::ServiceUnavailable, text));
        }
        self.pending.room_for(1, self.ctx.most_pending)?;
        let txn = self.ctx.ids.txn();
        let password = match &step {
            SignUp::Begin { password, .. } => Some(password.clone()),
            SignUp::Verify { .. } => None,
        };
        let server = id.clone();
        let pending = Pending::SignUp {
            asker,
            server: server.clone(),
            password,
        };
        self.pending.insert(txn, pending);
        self.submit(Command::SignUp { txn, server, step }, out);
        Ok(())
    }

    /// The server says how far it has come.
    pub(super) fn signed_up(
        &mut self,
        (id, asker): (&ServerId, Asker),
        password: Option<Secret>,
        reply: SignedUp,
        out: &mut Effects,
    ) {
        let SignedUp { account, words, done } = reply;
        let waiting = self.server(id).unverified.take();
        let password = password.or_else(|| {
            let same = |(name, _): &(Name, Secret)| *name == account;
            waiting.filter(same).map(|(_, password)| password)
        });
        let what_now = match (done, password) {
            (true, Some(password)) => {
                let scope = Scope::Server(id.clone());
                let (options, network) = self.set_in(&scope);
                let network = self.ctx.bridge.signed_up(&network, &account, &password);
                self.set(&scope, options, network, out);
                format!("From the next connection to {id} on you are logged in as {account}.")
            }
            (true, None) => {
                format!(
                    "To be logged in as {account}, set the account and its password: 'configure' on {id}."
                )
            }
            (false, password) => {
                self.server(id).unverified = password.map(|password| (account.clone(), password));
                format!("When you have the code for {account}, run 'account-verify' on {id}.")
            }
        };
        self.answer_command(asker, Ok(format!("{words}\n{what_now}")), out);
    }
}
