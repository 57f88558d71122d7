//! The bridge: what IRC can do, and how it presents itself.

use std::io;
use std::sync::{Arc, OnceLock};

use unicode_normalization::UnicodeNormalization as _;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{
    Account, Address, Answers, BadAddress, BadSetting, Bridge, Capabilities, Form, Level, LoginFlow, Name,
    Notebook, Relations, Scope, Secret, ServerId, Session, SessionContext, Settings,
};

use crate::client::MAX_MESSAGE_BYTES;
use crate::config::{ConfigError, IrcConfig, Setup};
use crate::conn::dial::Dialler;
use crate::conn::ident::{self, Listening};
use crate::login::{self, IrcLogin};
use crate::session::{IrcSession, Shared};
use crate::settings;
use crate::users::Users;

/// What IRC can do. Levels are partial where servers differ.
const CAPABILITIES: Capabilities = Capabilities {
    direct_messages: Level::Full,
    private_messages: Level::Full,
    emotes: Level::Full,
    styling: Level::Partial,
    subject: Level::Full,
    nick_change: Level::Full,
    kick: Level::Full,
    ban: Level::Full,
    ranks: Level::Partial,
    create_rooms: Level::Full,
    room_passwords: Level::Full,
    away: Level::Full,
    raw: Level::Full,
    watch: Level::Partial,
    // What a server offers is told for each connection.
    relations: Relations {
        corrections: Level::Fallback,
        replies: Level::Partial,
        reactions: Level::Partial,
        retractions: Level::Partial,
        moderation: Level::Partial,
        typing: Level::Partial,
        read: Level::Partial,
    },
    resubmit: false,
    guests: true,
    max_message_bytes: MAX_MESSAGE_BYTES,
    max_nick_bytes: 30,
};

/// A configuration that can be adopted.
pub struct Prepared(Box<Setup>);

/// One configured IRC gateway: many servers, or the one of the configuration.
pub struct IrcBridge {
    shared: Arc<Shared>,
    /// The answers to servers, once they are given.
    ident: OnceLock<Listening>,
}

impl IrcBridge {
    /// Makes the bridge of a configuration. Connections that users ask for go where the policy permits; the notebook
    /// keeps what is learnt about servers.
    ///
    /// # Errors
    /// When the configuration makes no sense.
    pub fn new(
        config: IrcConfig,
        policy: OutgoingPolicy,
        notebook: Arc<dyn Notebook>,
    ) -> Result<Self, ConfigError> {
        let setup = Setup::new(config)?;
        let fixed = setup.addresses.fixed.clone();
        let setup = setup.shared();
        let users = Arc::new(Users::new(&*notebook));
        let dialler = Dialler::new(policy, notebook.clone(), setup.clone(), users.clone());
        let shared = Shared {
            setup,
            notebook,
            users,
            dialler,
            fixed,
        };
        Ok(Self {
            shared: Arc::new(shared),
            ident: OnceLock::new(),
        })
    }

    /// Makes sense of another configuration, and changes nothing yet. What cannot change while connections are there
    /// (the fixed server, since it is in the addresses; the answers to servers) stays as it is.
    ///
    /// # Errors
    /// When the configuration makes no sense.
    pub fn prepare(&self, config: IrcConfig) -> Result<Prepared, ConfigError> {
        config.check()?;
        let present = self.shared.setup.load();
        let server = present.config.server.clone();
        let ident = present.config.ident.clone();
        let config = IrcConfig {
            server,
            ident,
            ..config
        };
        Ok(Prepared(Box::new(Setup::new(config)?)))
    }

    /// From now on this holds. Connections that are there go on as they were made.
    pub fn adopt(&self, prepared: Prepared) {
        self.shared.setup.store(Arc::from(prepared.0));
    }
}

impl Bridge for IrcBridge {
    fn kind(&self) -> &'static str {
        "irc"
    }

    fn title(&self) -> String {
        let fixed = || self.shared.fixed.as_ref().map(ToString::to_string);
        let title = self.shared.setup.load().config.title.clone();
        title.or_else(fixed).unwrap_or_else(|| "IRC".to_owned())
    }

    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn parse(&self, localpart: &str) -> Result<Address, BadAddress> {
        self.shared
            .setup
            .load()
            .addresses
            .parse(localpart, &*self.shared.notebook)
    }

    fn localpart(&self, address: &Address) -> Option<String> {
        self.shared.setup.load().addresses.localpart(address)
    }

    fn parse_typed(&self, text: &str) -> Result<Address, BadAddress> {
        let setup = self.shared.setup.load();
        setup.addresses.parse_typed(text, &*self.shared.notebook)
    }

    fn prompt(&self) -> (&'static str, &'static str) {
        if self.shared.fixed.is_some() {
            ("Enter the nickname or the channel.", "Nickname or #channel")
        } else {
            (
                "Enter the nickname or the channel with its server, such as #debian%irc.oftc.net.",
                "name%server",
            )
        }
    }

    fn prompt_in(&self, language: &str) -> Option<(&'static str, &'static str)> {
        let primary = language.split('-').next().unwrap_or_default();
        if !primary.eq_ignore_ascii_case("de") {
            return None;
        }
        Some(if self.shared.fixed.is_some() {
            (
                "Bitte den Spitznamen oder den Kanal eingeben.",
                "Spitzname oder #kanal",
            )
        } else {
            (
                "Bitte den Spitznamen oder den Kanal mit seinem Server eingeben, etwa #debian%irc.oftc.net.",
                "name%server",
            )
        })
    }

    fn home_server(&self, account: Option<&Account>) -> Option<ServerId> {
        let fixed = self.shared.fixed.as_ref();
        match account {
            Some(account) => login::server_of(account, fixed),
            None => fixed.cloned(),
        }
    }

    fn nick_for(&self, wish: &str) -> Option<Name> {
        nick_for(wish, CAPABILITIES.max_nick_bytes)
    }

    fn form(&self, account: Option<&Account>) -> Form {
        login::form(self.shared.fixed.as_ref(), account)
    }

    fn log_in(&self, user: &str, account: Option<&Account>) -> Box<dyn LoginFlow> {
        Box::new(IrcLogin {
            shared: self.shared.clone(),
            addresses: self.shared.setup.load().addresses.clone(),
            user: user.to_owned(),
            account: account.cloned(),
            nick_for,
            max_nick: CAPABILITIES.max_nick_bytes,
        })
    }

    /// Must be called within a tokio runtime: the answers to servers are given on it.
    fn start(&self) -> io::Result<()> {
        let setup = self.shared.setup.load();
        let (Some(config), Some(registry)) = (&setup.config.ident, self.shared.dialler.ident()) else {
            return Ok(());
        };
        let listening = ident::listen(config.listen, registry.clone()).map_err(|error| {
            let words = format!(
                "ident.listen: there is no listening at {}: {error}",
                config.listen
            );
            io::Error::new(error.kind(), words)
        })?;
        // Only the first call finds a free port, so that there is only one.
        let _ = self.ident.set(listening);
        Ok(())
    }

    fn settings_form(&self, scope: &Scope, settings: &Settings) -> Form {
        settings::form(&self.shared.setup.load().config, scope, settings)
    }

    fn read_settings(
        &self,
        scope: &Scope,
        settings: &Settings,
        answers: &Answers,
    ) -> Result<Settings, BadSetting> {
        settings::read(&self.shared.setup.load().config, scope, settings, answers)
    }

    fn signed_up(&self, settings: &Settings, account: &Name, password: &Secret) -> Settings {
        settings::with_account(settings, account, password)
    }

    /// Must be called within a tokio runtime: the session's tasks run on it.
    fn open(&self, context: SessionContext) -> Box<dyn Session> {
        Box::new(IrcSession::open(self.shared.clone(), context))
    }
}

/// What servers would take of a wish (RFC 2812 §2.3.1): accents are taken off letters, spaces become `_`, what else
/// cannot be is left out.
fn nick_for(wish: &str, most: usize) -> Option<Name> {
    let mut nick = String::new();
    for c in wish.trim().nfkd() {
        match c {
            'a'..='z' | 'A'..='Z' | '[' | ']' | '\\' | '`' | '_' | '^' | '{' | '|' | '}' => nick.push(c),
            '0'..='9' | '-' => {
                if nick.is_empty() {
                    nick.push('_');
                }
                nick.push(c);
            }
            c if c.is_whitespace() => nick.push('_'),
            _ => {}
        }
        if nick.len() >= most {
            break;
        }
    }
    nick.chars().any(|c| c != '_').then(|| Name::from(nick))
}

#[cfg(test)]
mod tests {
    use super::nick_for;
    use proptest::prelude::*;

    #[test]
    fn nicknames_for_wishes() {
        for (wish, expected) in [
            ("Bob", Some("Bob")),
            ("José García", Some("Jose_Garcia")),
            ("4tune", Some("_4tune")),
            (" [x] ", Some("[x]")),
            ("日本", None),
            ("", None),
            ("___", None),
            ("Bob 😀", Some("Bob_")),
        ] {
            assert_eq!(nick_for(wish, 30).as_deref(), expected, "{wish}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_fit_and_stays(wish in any::<String>()) {
            if let Some(nick) = nick_for(&wish, 30) {
                prop_assert!(nick.len() <= 30 && crate::address::is_nick(&nick));
                prop_assert_eq!(nick_for(&nick, 30), Some(nick));
            }
        }
    }
}
