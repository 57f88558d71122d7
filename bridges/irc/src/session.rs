//! One login: routes commands to its servers, each of which has a task of its own.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::error;
use viaduct_bridge::{
    Account, BoxFuture, Command, EventSink, Failure, Name, Notebook, Outcome, RemoteEvent, Scope,
    ServerEvent, ServerId, Session, SessionContext, Settings,
};

use crate::client::{Credentials, Identity, Security, Webirc};
use crate::config::{Present, ServerPlan};
use crate::conn::actor::Actor;
use crate::conn::dial::{Dialled, Dialler, Route, plain_warning};
use crate::conn::inbox::Inbox;
use crate::login;
use crate::proto::charset::Charsets;
use crate::settings::{Personal, channel_encodings};
use crate::users::Users;

/// How long [`Session::close`] waits for all servers.
const CLOSING: Duration = Duration::from_secs(4);

/// What all sessions of a bridge share.
pub(crate) struct Shared {
    pub(crate) setup: Present,
    pub(crate) notebook: Arc<dyn Notebook>,
    pub(crate) dialler: Dialler,
    pub(crate) users: Arc<Users>,
    /// The only server, in the fixed form.
    pub(crate) fixed: Option<ServerId>,
}

impl Shared {
    /// How a user is presented to a server that trusts this gateway.
    pub(crate) fn webirc(&self, plan: &ServerPlan, user: &str) -> Option<Webirc> {
        let config = plan.webirc.as_ref()?;
        self.users.webirc(user, config)
    }
}

/// What the tasks of one session share.
pub(crate) struct SessionState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sink: Arc<dyn EventSink>,
    user: Name,
    account: Option<Account>,
    /// Why the user is away, for servers that are connected later.
    away: Mutex<Option<Name>>,
    /// What the user has set.
    settings: Mutex<HashMap<Scope, Settings>>,
}

impl SessionState {
    /// What holds for a server: the operator's word, and what the user has set within it.
    pub(crate) fn plan(&self, server: &ServerId) -> (ServerPlan, Personal) {
        let setup = self.shared.setup.load();
        let config = &setup.config;
        let mut plan = config.plan(server.as_str());
        let settings = lock(&self.settings);
        let personal = settings.get(&Scope::Server(server.clone())).map(Personal::of);
        let personal = personal.unwrap_or_default();
        personal.apply(&mut plan, config);
        (plan, personal)
    }

    /// What others read when the user leaves: the user's words, or the operator's.
    pub(crate) fn parting_words(&self, own: Option<&Name>) -> Name {
        let operators = || Name::from(self.shared.setup.load().config.quit_message.as_str());
        own.cloned().unwrap_or_else(operators)
    }

    /// How text is read and written on a connection to a server.
    pub(crate) fn charsets(&self, server: &ServerId, plan: &ServerPlan) -> Charsets {
        let settings = lock(&self.settings);
        let rooms = settings.iter().filter_map(|(scope, settings)| match scope {
            Scope::Room(room) if room.server == *server => {
                let (reading, writing) = channel_encodings(settings);
                Some((room.room.clone(), reading, writing))
            }
            _ => None,
        });
        Charsets::new(plan.charset, plan.charset_out, rooms)
    }

    /// Connects to a server, with the user's certificate if it belongs there.
    pub(crate) async fn dial(
        &self,
        server: &ServerId,
        plan: &ServerPlan,
        upgrade: Option<u16>,
    ) -> Result<Dialled, Failure> {
        let certificate = self
            .account_for(server)
            .and_then(|account| account.secrets.get(login::CERTIFICATE));
        let route = Route {
            user: &self.user,
            server,
            plan,
            certificate,
            upgrade,
        };
        self.shared.dialler.dial(&route).await
    }

    /// Who the user is at a server.
    pub(crate) fn identity(
        &self,
        server: &ServerId,
        (plan, personal): (&ServerPlan, &Personal),
        nick: Name,
        security: Security,
    ) -> Identity {
        let own = personal.account.clone().map(|(account, password)| Credentials {
            account,
            password: Some(password),
            certificate: false,
        });
        let credentials = own.or_else(|| self.account_for(server).and_then(login::credentials));
        let nick = personal.nick.as_deref().map_or(nick, Name::from);
        // Unencrypted, a password is used only where the operator chose plain text for this very server.
        let trusted = security != Security::PlainByFallback;
        let secrets = credentials.is_some() || personal.password.is_some() || !personal.commands.is_empty();
        let warning = (!security.is_encrypted()).then(|| plain_warning(server, secrets && !trusted));
        let setting = |name: &str| {
            let account = self.account.as_ref()?;
            account
                .settings
                .get(name)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        let setup = self.shared.setup.load();
        let realname_otherwise = setting(login::REALNAME)
            .or(setup.config.realname.as_deref())
            .unwrap_or(&nick)
            .to_owned();
        Identity {
            username: personal
                .username
                .clone()
                .unwrap_or_else(|| login::username(&self.user)),
            realname: personal
                .realname
                .clone()
                .unwrap_or_else(|| realname_otherwise.clone()),
            realname_otherwise,
            webirc: self.shared.webirc(plan, &self.user),
            // The user's own password is as secret as the account's.
            server_password: plan.password.clone().filter(|_| trusted),
            // They may hold a password as well.
            commands: if trusted {
                personal.commands.clone()
            } else {
                Vec::new()
            },
            motd: personal.motd,
            credentials: credentials.filter(|_| trusted),
            security,
            only_upgrade: false,
            warning,
            away: lock(&self.away).clone(),
            nick,
        }
    }

    /// The account, if it is one at this server.
    fn account_for(&self, server: &ServerId) -> Option<&Account> {
        let account = self.account.as_ref()?;
        (login::server_of(account, self.shared.fixed.as_ref()).as_ref() == Some(server)).then_some(account)
    }
}

/// One login's connections to IRC servers.
pub(crate) struct IrcSession {
    state: Arc<SessionState>,
    servers: Mutex<HashMap<ServerId, Connection>>,
    runtime: Handle,
}

struct Connection {
    inbox: Arc<Inbox>,
    task: JoinHandle<()>,
}

impl IrcSession {
    /// Opens a session. Must be called within a tokio runtime.
    pub(crate) fn open(shared: Arc<Shared>, context: SessionContext) -> Self {
        let state = SessionState {
            shared,
            sink: context.sink,
            user: context.user,
            account: context.account,
            away: Mutex::new(None),
            settings: Mutex::new(HashMap::new()),
        };
        Self {
            state: Arc::new(state),
            servers: Mutex::new(HashMap::new()),
            runtime: Handle::current(),
        }
    }

    /// Gives a command to the task of its server, starting it where there is none.
    fn route(&self, server: ServerId, command: Command) {
        let mut servers = lock(&self.servers);
        let mut command = command;
        if let Some(connection) = servers.get(&server) {
            match connection.inbox.push(command) {
                Ok(()) => return,
                Err(back) => command = back,
            }
        }
        let inbox = Arc::new(Inbox::default());
        // A new inbox takes everything.
        let _ = inbox.push(command);
        let watched = watched(self.state.clone(), server.clone(), inbox.clone());
        let task = self.runtime.spawn(watched);
        servers.insert(server, Connection { inbox, task });
    }
}

impl Session for IrcSession {
    fn submit(&self, commands: Vec<Command>) {
        for command in commands {
            let server = match &command {
                Command::Connect { server, .. }
                | Command::Disconnect { server, .. }
                | Command::SetNick { server, .. }
                | Command::Raw { server, .. }
                | Command::SignUp { server, .. } => server.clone(),
                Command::Join { room, .. }
                | Command::Leave { room, .. }
                | Command::SetTopic { room, .. }
                | Command::SetRank { room, .. }
                | Command::Kick { room, .. }
                | Command::SetBan { room, .. }
                | Command::SetRoom { room, .. }
                | Command::Invite { room, .. } => room.server.clone(),
                Command::Send { to, .. }
                | Command::React { to, .. }
                | Command::Retract { to, .. }
                | Command::Typing { to, .. }
                | Command::MarkRead { to, .. } => to.server().clone(),
                Command::Configure { scope, settings } => {
                    lock(&self.state.settings).insert(scope.clone(), settings.clone());
                    // What can change on a connection does at once; nothing is connected for it.
                    if let Scope::Server(server) = scope
                        && let Some(connection) = lock(&self.servers).get(server)
                    {
                        let _ = connection.inbox.push(command);
                    }
                    continue;
                }
                Command::Ask { question, .. } => question.server().clone(),
                Command::Watch { person } | Command::Unwatch { person } => {
                    // Nothing is connected for this alone.
                    if let Some(connection) = lock(&self.servers).get(&person.server) {
                        let _ = connection.inbox.push(command);
                    }
                    continue;
                }
                Command::SetAway { text } => {
                    lock(&self.state.away).clone_from(text);
                    for connection in lock(&self.servers).values() {
                        // Where nobody reads any more there is no connection to be away on.
                        let _ = connection.inbox.push(command.clone());
                    }
                    continue;
                }
            };
            self.route(server, command);
        }
    }

    fn close(&self, reason: Option<Name>) -> BoxFuture<'_, ()> {
        let connections: Vec<Connection> = lock(&self.servers).drain().map(|(_, c)| c).collect();
        Box::pin(async move {
            for connection in &connections {
                connection.inbox.close(reason.clone());
            }
            let stops: Vec<_> = connections.iter().map(|c| c.task.abort_handle()).collect();
            let all = futures::future::join_all(connections.into_iter().map(|c| c.task));
            if timeout(CLOSING, all).await.is_err() {
                for stop in stops {
                    stop.abort();
                }
            }
        })
    }
}

impl Drop for IrcSession {
    fn drop(&mut self) {
        for connection in lock(&self.servers).values() {
            connection.inbox.close(None);
        }
    }
}

/// Runs the task of a server. A bug in it ends this one connection, and the user is told.
async fn watched(state: Arc<SessionState>, server: ServerId, inbox: Arc<Inbox>) {
    let actor = Box::new(Actor::new(state.clone(), server.clone(), inbox.clone()));
    if AssertUnwindSafe(actor.run()).catch_unwind().await.is_ok() {
        return;
    }
    error!(irc.server = %server, "the task of an IRC connection panicked; the connection is closed");
    let failure = Failure::Uncertain {
        reason: format!("The connection to {server} failed inside the gateway."),
    };
    let unanswered = inbox.abandon().into_iter().filter_map(|command| command.txn());
    let mut events: Vec<RemoteEvent> = unanswered
        .map(|txn| RemoteEvent::Outcome {
            txn,
            outcome: Outcome::Failed(failure.clone()),
        })
        .collect();
    events.push(RemoteEvent::Server {
        server,
        event: ServerEvent::Failed { failure },
    });
    // If nobody listens, nobody needs to know.
    let _ = state.sink.send(events).await;
}

/// Locks; what these locks guard is whole even if somebody panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::mem::{size_of, size_of_val};
    use std::sync::{Arc, Mutex};

    use viaduct_bridge::outgoing::OutgoingPolicy;
    use viaduct_bridge::{BoxFuture, Closed, EventSink, Name, Notebook, RemoteEvent, ServerId};

    use super::{SessionState, Shared, watched};
    use crate::client::Client;
    use crate::config::{IrcConfig, Setup};
    use crate::conn::dial::Dialler;
    use crate::conn::inbox::Inbox;
    use crate::conn::link::Link;
    use crate::testing::Notes;
    use crate::users::Users;

    struct Nobody;

    impl EventSink for Nobody {
        fn send(&self, _: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    /// There is one of each for every user and server: what grows here grows a thousand times.
    #[test]
    fn a_connection_is_small() {
        let notebook: Arc<dyn Notebook> = Arc::new(Notes::default());
        let setup = Setup::new(IrcConfig::default())
            .expect("a valid configuration")
            .shared();
        let users = Arc::new(Users::new(&*notebook));
        let policy = OutgoingPolicy::default();
        let dialler = Dialler::new(policy, notebook.clone(), setup.clone(), users.clone());
        let fixed = None;
        let shared = Shared {
            setup,
            notebook,
            dialler,
            users,
            fixed,
        };
        let state = SessionState {
            shared: Arc::new(shared),
            sink: Arc::new(Nobody),
            user: Name::from("alice@example.org"),
            account: None,
            away: Mutex::new(None),
            settings: Mutex::default(),
        };
        let server = ServerId(Name::from("irc.test"));
        let task = watched(Arc::new(state), server, Arc::new(Inbox::default()));
        assert!(size_of_val(&task) <= 1536, "{}", size_of_val(&task));
        assert!(size_of::<Client>() <= 864, "{}", size_of::<Client>());
        assert!(size_of::<Link>() <= 160, "{}", size_of::<Link>());
    }
}
