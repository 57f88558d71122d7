//! One gateway, put together: its network, its link, its actors.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow};
use jid::BareJid;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Bridge, Name, Notebook, Timestamp};
use viaduct_core::context::{Context, Entropy, IdSource, MostPending, RuleBook, Rules};
use viaduct_core::effect::{Effects, Input};
use viaduct_core::login::{Login, Referring};
use viaduct_core::refer::Lookup;
use viaduct_store::{LoginSummary, Store};

use super::reload::Reloadable;
use super::stored::Stored;
use crate::actor::{Alarm, Core, Gateway, Router, Steward};
use crate::config::GatewaySettings;
use crate::link::{Limits, Link, Room, Supervisor, Upward};

/// How much of one user may be unanswered by the network. Each byte is there several times: on its way to the store, to
/// the network, and until it can be shown.
const MOST_PENDING: MostPending = MostPending {
    commands: 4096,
    bytes: 2 << 20,
};
/// How many logins are read from the record at a time.
const PAGE: u32 = 500;
/// The pause between the starts of two logins that have something to go on with.
const PACE: Duration = Duration::from_millis(5);
/// The same for those who are only asked whether they are there.
const SLOW_PACE: Duration = Duration::from_millis(50);

impl Core for Login {
    fn handle(&mut self, now: Timestamp, input: Input, out: &mut Effects) {
        Self::handle(self, now, input, out);
    }

    fn refers(&self, to: Referring<'_>) -> Option<Lookup> {
        Self::refers(self, to)
    }

    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
}

/// Randomness from the operating system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system always has randomness after it has booted");
        bytes
    }
}

/// A gateway at work.
pub(super) struct Running {
    pub(super) router: Arc<Router>,
    pub(super) link: Arc<Link>,
    pub(super) supervisor: JoinHandle<()>,
    starter: JoinHandle<()>,
}

/// What all gateways of a process share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) outgoing: OutgoingPolicy,
    pub(super) limits: Limits,
    pub(super) alarm: Arc<dyn Alarm>,
    pub(super) steward: Arc<dyn Steward>,
    /// Until when users are told that the process before this one ended without taking leave.
    pub(super) aftermath: Option<Timestamp>,
}

/// The bridge of a network, which takes another configuration while it is at work.
#[non_exhaustive]
pub(crate) enum Network {
    /// IRC.
    #[cfg(feature = "irc")]
    Irc(Arc<viaduct_irc::IrcBridge>),
}

impl Network {
    /// The bridge.
    pub(crate) fn bridge(&self) -> Arc<dyn Bridge> {
        match *self {
            #[cfg(feature = "irc")]
            Self::Irc(ref bridge) => Arc::clone(bridge) as Arc<dyn Bridge>,
        }
    }

    /// Makes sense of another configuration. What comes back replaces the present one; that cannot fail.
    ///
    /// # Errors
    /// When the configuration makes no sense.
    pub(super) fn prepare(&self, settings: &GatewaySettings) -> Result<Box<dyn FnOnce() + '_>> {
        match *self {
            #[cfg(feature = "irc")]
            Self::Irc(ref bridge) => {
                let crate::config::NetworkSettings::Irc(config) = &settings.network;
                let prepared = bridge
                    .prepare((**config).clone())
                    .map_err(|error| anyhow!("gateway.{}.irc: {error}", settings.name))?;
                Ok(Box::new(move || bridge.adopt(prepared)))
            }
        }
    }
}

/// Makes the bridge of a network.
///
/// # Errors
/// When its configuration makes no sense.
pub(crate) fn network(
    settings: &GatewaySettings,
    outgoing: &OutgoingPolicy,
    notebook: Arc<dyn Notebook>,
) -> Result<Network> {
    match &settings.network {
        #[cfg(feature = "irc")]
        crate::config::NetworkSettings::Irc(config) => {
            let bridge = viaduct_irc::IrcBridge::new((**config).clone(), outgoing.clone(), notebook)
                .map_err(|error| anyhow!("gateway.{}.irc: {error}", settings.name))?;
            Ok(Network::Irc(Arc::new(bridge)))
        }
        #[cfg(not(feature = "irc"))]
        _ => Err(anyhow!(
            "gateway.{}: no network; {outgoing:?} {}",
            settings.name,
            notebook.get("").is_some()
        )),
    }
}

/// Starts a gateway.
pub(super) fn start(settings: &GatewaySettings, shared: &Shared) -> Result<(Running, Reloadable)> {
    let domain = Name::from(settings.target.domain.as_str());
    let notebook = shared.store.notebook();
    let occupant_secret = occupant_secret(&*notebook, &domain)?;
    let network = network(settings, &shared.outgoing, notebook)?;
    let bridge = network.bridge();
    bridge
        .start()
        .map_err(|error| anyhow!("gateway.{}.{}: {error}", settings.name, bridge.kind()))?;
    let ctx = Arc::new(Context {
        domain: domain.clone(),
        bridge,
        rules: RuleBook::new(rules(settings)),
        ids: IdSource::new(
            shared.store.highest_id(),
            Timestamp::from_system(SystemTime::now()),
        ),
        entropy: Box::new(SystemEntropy),
        occupant_secret,
        version: env!("CARGO_PKG_VERSION"),
        most_pending: MOST_PENDING,
        aftermath: shared.aftermath,
    });
    let link = Arc::new(Link::new(domain.clone(), Room::default()));
    let reloadable = Reloadable {
        name: settings.name.clone(),
        domain: settings.target.domain.clone(),
        ctx: Arc::clone(&ctx),
        network,
    };
    let make_ctx = Arc::clone(&ctx);
    let gateway = Arc::new(Gateway {
        ctx,
        link: Arc::clone(&link),
        memory: Arc::new(Stored {
            store: shared.store.clone(),
            gateway: domain.clone(),
        }),
        make: Box::new(move |user, loaded| Box::new(Login::new(Arc::clone(&make_ctx), user, loaded))),
        alarm: Arc::clone(&shared.alarm),
        steward: Arc::clone(&shared.steward),
    });
    let router = Router::new(gateway);
    let supervisor = Supervisor::new(settings.target.clone(), shared.limits);
    let supervisor = tokio::spawn(supervisor.run(Arc::clone(&link), Arc::clone(&router) as Arc<dyn Upward>));
    let starter = tokio::spawn(start_logins(shared.store.clone(), domain, Arc::clone(&router)));
    let running = Running {
        router,
        link,
        supervisor,
        starter,
    };
    Ok((running, reloadable))
}

/// What the operator may change while a gateway runs.
pub(super) fn rules(settings: &GatewaySettings) -> Rules {
    Rules {
        access: settings.access.clone(),
        registration: settings.registration.into(),
        allow_unregister: settings.allow_unregister,
        history_default: settings.history,
        grace: settings.grace,
    }
}

impl Running {
    /// No login is started any more by itself.
    pub(super) fn stop_starting(&self) {
        self.starter.abort();
    }
}

/// When a login is started after a restart of the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    /// At once: it goes on where it was, or has something to say.
    Now,
    /// When those are at work: the user is asked whether they are there, since nobody else will tell.
    Later,
    /// When it is needed.
    Never,
}

impl Start {
    fn of(login: &LoginSummary) -> Self {
        let stays = login.has_account && login.stay_connected;
        if login.has_joined || stays || login.has_unsettled {
            Self::Now
        } else if login.has_account {
            Self::Later
        } else {
            Self::Never
        }
    }
}

/// Starts the logins that have something to go on with.
async fn start_logins(store: Store, gateway: Name, router: Arc<Router>) {
    let start = |user: &Name| {
        if let Ok(user) = BareJid::new(user) {
            router.start(&user);
        }
    };
    let mut later: Vec<Name> = Vec::new();
    let mut after: Option<Name> = None;
    loop {
        let page = match store.logins(&gateway, after.as_ref(), PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%gateway, %error, "the logins cannot be read; it is tried again");
                sleep(Duration::from_secs(5)).await;
                continue;
            }
        };
        let Some(last) = page.last() else { break };
        after = Some(last.user.clone());
        for login in page {
            match Start::of(&login) {
                Start::Now => {
                    start(&login.user);
                    sleep(PACE).await;
                }
                Start::Later => later.push(login.user),
                Start::Never => {}
            }
        }
    }
    tracing::info!(%gateway, logins = router.actors(), "logins that were at work are at work again");
    router.complete();
    for user in later {
        start(&user);
        sleep(SLOW_PACE).await;
    }
}

/// The secret of a gateway's occupant-ids: made once, and kept.
pub(crate) fn occupant_secret(notebook: &dyn Notebook, domain: &str) -> Result<[u8; 32]> {
    let key = format!("viaduct.occupant-secret.{domain}");
    if let Some(text) = notebook.get(&key) {
        let mut secret = [0; 32];
        let digits = |at: usize| {
            text.get(2 * at..2 * at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let read = secret
            .iter_mut()
            .enumerate()
            .try_for_each(|(at, byte)| digits(at).map(|digit| *byte = digit));
        return read
            .map(|()| secret)
            .with_context(|| format!("the note {key} in the database is damaged"));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    notebook.put(&key, &text);
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use viaduct_core::records::LoginId;
    use viaduct_store::LoginSummary;

    use super::Start;

    #[test]
    fn only_who_has_something_to_go_on_with_is_started() {
        let nothing = LoginSummary {
            id: LoginId(1),
            user: "me@example.org".into(),
            has_account: false,
            has_joined: false,
            stay_connected: false,
            has_unsettled: false,
        };
        let start = |change: fn(&mut LoginSummary)| {
            let mut login = nothing.clone();
            change(&mut login);
            Start::of(&login)
        };
        assert_eq!(start(|_| {}), Start::Never);
        // A guest has nobody to stay connected as.
        assert_eq!(start(|login| login.stay_connected = true), Start::Never);
        assert_eq!(start(|login| login.has_joined = true), Start::Now);
        assert_eq!(start(|login| login.has_unsettled = true), Start::Now);
        assert_eq!(start(|login| login.has_account = true), Start::Later);
        let stays = start(|login| (login.has_account, login.stay_connected) = (true, true));
        assert_eq!(stays, Start::Now);
    }
}
