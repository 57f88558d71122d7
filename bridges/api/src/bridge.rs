//! The traits of a bridge.

use std::sync::Arc;

use crate::BoxFuture;
use crate::address::{Address, BadAddress};
use crate::capability::Capabilities;
use crate::command::Command;
use crate::event::RemoteEvent;
use crate::ids::{Name, ServerId};
use crate::login::{Account, Answers, Form, LoginFlow};
use crate::secret::Secret;
use crate::settings::{BadSetting, Scope, Settings};

/// One configured network.
pub trait Bridge: Send + Sync {
    /// The kind of network, as in the disco identity `gateway/<kind>` (`irc`, `matrix`).
    fn kind(&self) -> &'static str;

    /// The network's name for people, such as "IRC" or "Libera Chat".
    fn title(&self) -> String;

    /// What the network can do.
    fn capabilities(&self) -> &Capabilities;

    /// Reads the localpart of a JID of this gateway (as it is in the JID, escapes and all). Pure and quick.
    ///
    /// # Errors
    /// When it can be the address of nothing on this network.
    fn parse(&self, localpart: &str) -> Result<Address, BadAddress>;

    /// The localpart that [`Bridge::parse`] reads back. `None` for the server of a network that has only one: its
    /// address is the gateway itself.
    fn localpart(&self, address: &Address) -> Option<String>;

    /// Reads what a person types as an address (upper case, spaces around, the network's own way to write it).
    ///
    /// # Errors
    /// When it can be the address of nothing on this network.
    fn parse_typed(&self, text: &str) -> Result<Address, BadAddress>;

    /// What to ask for in `jabber:iq:gateway`: a description and a prompt.
    fn prompt(&self) -> (&'static str, &'static str);

    /// The same in another language (an RFC 5646 tag), if the bridge has it in that language.
    fn prompt_in(&self, language: &str) -> Option<(&'static str, &'static str)> {
        let _ = language;
        None
    }

    /// The server that a user's presence alone connects to: the network's only one, or the one of the account.
    fn home_server(&self, account: Option<&Account>) -> Option<ServerId>;

    /// The nickname that the network will have for one that a user wishes; equal to it if nothing must be changed.
    /// `None` if nothing is left of it.
    fn nick_for(&self, wish: &str) -> Option<Name>;

    /// The form that a user fills in to register, with what is on record in it.
    fn form(&self, account: Option<&Account>) -> Form;

    /// Begins a login (or a change of the one on record). Its first answers are those to [`Bridge::form`].
    fn log_in(&self, user: &str, account: Option<&Account>) -> Box<dyn LoginFlow>;

    /// What a user can set within a scope, with what is set now. Empty where there is nothing to set.
    fn settings_form(&self, scope: &Scope, settings: &Settings) -> Form {
        let _ = (scope, settings);
        Form::default()
    }

    /// Reads answers to [`Bridge::settings_form`]. A field that is missing stays as it was; one that is empty goes back
    /// to its default, but an empty secret stays.
    ///
    /// # Errors
    /// Names the field that cannot be so, and why.
    fn read_settings(
        &self,
        scope: &Scope,
        settings: &Settings,
        answers: &Answers,
    ) -> Result<Settings, BadSetting> {
        let _ = (scope, answers);
        Ok(settings.clone())
    }

    /// What is set for a server, with an account that the user has just registered there.
    fn signed_up(&self, settings: &Settings, account: &Name, password: &Secret) -> Settings {
        let _ = (account, password);
        settings.clone()
    }

    /// Starts what works beside the sessions, such as a listener. Called once, before the first session is opened, and
    /// not at all where the configuration is only checked.
    ///
    /// # Errors
    /// When it cannot work; in words for the operator.
    fn start(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// Opens a session. It connects nowhere until a command asks for it.
    fn open(&self, context: SessionContext) -> Box<dyn Session>;
}

/// What a session needs to know.
pub struct SessionContext {
    /// The user's bare JID.
    pub user: Name,
    /// What the user is registered with; `None` for a guest.
    pub account: Option<Account>,
    /// Where events go.
    pub sink: Arc<dyn EventSink>,
}

/// One login's connection to its network.
pub trait Session: Send + Sync {
    /// Takes commands, in order, without blocking. The caller bounds how many are unanswered at a time.
    fn submit(&self, commands: Vec<Command>);

    /// Leaves the network with these parting words, and resolves when the network has heard them or cannot.
    fn close(&self, reason: Option<Name>) -> BoxFuture<'_, ()>;
}

/// Where a session's events go. They are taken in order; the future resolves when there is room, so that a session
/// that is faster than its user slows down its own network and nobody else's.
pub trait EventSink: Send + Sync {
    /// Hands over what happened.
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>>;
}

/// Nobody listens any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the session has been closed")]
pub struct Closed;

/// Small facts that a bridge learns about servers and keeps over restarts, shared by all its users (that TLS has
/// worked there, how names are folded). Reading is from memory; writing is behind.
pub trait Notebook: Send + Sync {
    /// What was noted under this key.
    fn get(&self, key: &str) -> Option<Name>;
    /// Notes it.
    fn put(&self, key: &str, value: &str);
}
