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
    Account, BoxFuture, Command, EventSink, Failure, Name, Notebook, Outcome, RemoteEvent, ServerEvent,
    ServerId, Session, SessionContext,
};

use crate::client::Identity;
use crate::config::{IrcConfig, ServerPlan};
use crate::conn::actor::Actor;
use crate::conn::dial::{Dialled, Dialler, plain_warning};
use crate::conn::inbox::Inbox;
use crate::login;

/// How long [`Session::close`] waits for all servers.
const CLOSING: Duration = Duration::from_secs(4);

/// What all sessions of a bridge share.
pub(crate) struct Shared {
    pub(crate) config: IrcConfig,
    pub(crate) notebook: Arc<dyn Notebook>,
    pub(crate) dialler: Dialler,
    /// The only server, in the fixed form.
    pub(crate) fixed: Option<ServerId>,
}

/// What the tasks of one session share.
pub(crate) struct SessionState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sink: Arc<dyn EventSink>,
    user: Name,
    account: Option<Account>,
    /// Why the user is away, for servers that are connected later.
    away: Mutex<Option<Name>>,
}

impl SessionState {
    /// Connects to a server, with the user's certificate if it belongs there.
    pub(crate) async fn dial(&self, server: &ServerId, plan: &ServerPlan) -> Result<Dialled, Failure> {
        let certificate = self
            .account_for(server)
            .and_then(|account| account.secrets.get(login::CERTIFICATE));
        self.shared.dialler.dial(server, plan, certificate).await
    }

    /// Who the user is at a server.
    pub(crate) fn identity(
        &self,
        server: &ServerId,
        plan: &ServerPlan,
        nick: Name,
        encrypted: bool,
    ) -> Identity {
        let credentials = self.account_for(server).and_then(login::credentials);
        // Unencrypted, a password is used only where the operator chose plain text for this very server.
        let trusted = encrypted || !plan.plain_is_fallback;
        let warning = (!encrypted).then(|| plain_warning(server, credentials.is_some() && !trusted));
        let setting = |name: &str| {
            let account = self.account.as_ref()?;
            account
                .settings
                .get(name)
                .map(|text| text.trim())
                .filter(|text| !text.is_empty())
        };
        let realname = setting(login::REALNAME)
            .or(self.shared.config.realname.as_deref())
            .unwrap_or(&nick)
            .to_owned();
        Identity {
            username: login::username(&self.user),
            realname,
            server_password: plan.password.clone(),
            credentials: credentials.filter(|_| trusted),
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
                | Command::SetNick { server, .. } => server.clone(),
                Command::Join { room, .. }
                | Command::Leave { room, .. }
                | Command::SetTopic { room, .. }
                | Command::SetRank { room, .. }
                | Command::Kick { room, .. }
                | Command::SetBan { room, .. } => room.server.clone(),
                Command::Send { to, .. }
                | Command::React { to, .. }
                | Command::Retract { to, .. }
                | Command::Typing { to, .. } => to.server().clone(),
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
    let actor = Actor::new(state.clone(), server.clone(), inbox.clone());
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
    use crate::config::IrcConfig;
    use crate::conn::dial::Dialler;
    use crate::conn::inbox::Inbox;
    use crate::conn::link::Link;
    use crate::conn::tls::Tls;
    use crate::testing::Notes;

    struct Nobody;

    impl EventSink for Nobody {
        fn send(&self, _: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    /// There is one of each for every user and server: what grows here grows a thousand times.
    #[test]
    fn a_connection_is_small() {
        let config = IrcConfig::default();
        let notebook: Arc<dyn Notebook> = Arc::new(Notes::default());
        let tls = Tls::new(&config).expect("a valid configuration");
        let dialler = Dialler::new(OutgoingPolicy::default(), notebook.clone(), tls);
        let fixed = None;
        let shared = Shared {
            config,
            notebook,
            dialler,
            fixed,
        };
        let state = SessionState {
            shared: Arc::new(shared),
            sink: Arc::new(Nobody),
            user: Name::from("alice@example.org"),
            account: None,
            away: Mutex::new(None),
        };
        let server = ServerId(Name::from("irc.test"));
        let task = watched(Arc::new(state), server, Arc::new(Inbox::default()));
        assert!(size_of_val(&task) <= 1536, "{}", size_of_val(&task));
        assert!(size_of::<Client>() <= 768, "{}", size_of::<Client>());
        assert!(size_of::<Link>() <= 160, "{}", size_of::<Link>());
    }
}
