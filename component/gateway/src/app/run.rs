//! `viaduct run`: from the first line of the log to the last.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::timeout;
use viaduct_bridge::{Notebook, Timestamp};
use viaduct_core::errand::Order;
use viaduct_store::{SealingKey, Store};

use super::gateway::{self, Running, Shared};
use super::reload::{Reloadable, Reloader};
use super::signals::{Hangup, Signals, tell_systemd};
use super::steward::{Ending, Obeyed, Steward, due};
use crate::actor::Alarm;
use crate::config::{Keys, Settings};

/// How long the logins may take to end.
const LOGINS: Duration = Duration::from_millis(3700);
/// How long the store may take after that.
const STORE: Duration = Duration::from_millis(700);
/// How long the links may take after that.
const LINKS: Duration = Duration::from_millis(500);

/// Under this key the notebook says that a gateway is at work: who finds it at the start comes after one that was killed.
const AT_WORK: &str = "viaduct.at-work";
/// How long after such a start users are told of it.
const AFTERMATH: Duration = Duration::from_secs(300);

/// The status of a process that wants to be started again (EX_TEMPFAIL of sysexits.h): `Restart=on-failure` of systemd, and
/// `on-failure` of container runtimes, take every status but 0 for that.
const RESTART: u8 = 75;

/// Passes the word on that the process cannot go on.
struct Bell(mpsc::Sender<String>);

impl Alarm for Bell {
    fn fatal(&self, words: String) {
        // One is enough.
        let _ = self.0.try_send(words);
    }
}

/// Runs the gateways until a signal comes.
pub(super) async fn run(settings: Settings, path: PathBuf, keys: Keys) -> Result<ExitCode> {
    let mut hangup = Hangup::new().context("signals cannot be received")?;
    let mut signals = Signals::new().context("signals cannot be received")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "viaduct starts");
    let key = SealingKey::load_or_create(&settings.store.key_file)?;
    let store = tokio::select! {
        store = Store::open(settings.store.clone(), key) => store?,
        signal = signals.next() => {
            tracing::info!(signal, "stopping before the database was open");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let aftermath = begin(&*store.notebook());
    let (bell, mut rung) = mpsc::channel(1);
    let (steward, mut orders) = Steward::new();
    let shared = Shared {
        store: store.clone(),
        outgoing: settings.outgoing.clone(),
        limits: settings.limits,
        alarm: Arc::new(Bell(bell)),
        steward: Arc::new(steward),
        aftermath,
    };
    let gateways = settings
        .gateways
        .iter()
        .map(|settings| gateway::start(settings, &shared));
    let (gateways, reloadable): (Vec<Running>, Vec<Reloadable>) = gateways.collect::<Result<_>>()?;
    let mut reloader = Reloader::new(path, keys, reloadable);
    tell_systemd("READY=1");

    let mut ending: Option<Ending> = None;
    let code = loop {
        tokio::select! {
            signal = signals.next() => {
                tracing::info!(signal, "stopping");
                break ExitCode::SUCCESS;
            }
            Some(words) = rung.recv() => {
                tracing::error!("viaduct cannot go on: {words}");
                break ExitCode::FAILURE;
            }
            Some((order, done)) = orders.recv() => {
                let obeyed = match order {
                    Order::Stop { again, after, announcement } => {
                        let announced = Ending::announce(&gateways, again, after, announcement);
                        let words = announced.in_words();
                        ending = Some(announced);
                        Ok(words)
                    }
                    Order::Reload => reload(&mut reloader),
                };
                // Who asked may have gone.
                let _ = done.send(obeyed);
            }
            () = hangup.next() => {
                // The log is the answer.
                let _ = reload(&mut reloader);
            }
            () = due(ending.as_ref()) => {
                let again = ending.as_ref().is_some_and(|ending| ending.again);
                tracing::info!(again, "stopping, as an administrator wants it");
                // Nobody is put out by a signal: that is a pause which clients need not notice.
                if let Some(ending) = &ending {
                    ending.put_everybody_out(&gateways).await;
                }
                break if again { ExitCode::from(RESTART) } else { ExitCode::SUCCESS };
            }
        }
    };
    tell_systemd("STOPPING=1");
    tokio::select! {
        () = stop(&store, gateways) => tracing::info!("stopped"),
        signal = signals.next() => {
            tracing::warn!(signal, "stopping at once");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(code)
}

/// Notes that a gateway is at work. If one was before it and did not end its note: until when users are told.
fn begin(notebook: &dyn Notebook) -> Option<Timestamp> {
    let now = Timestamp::from_system(SystemTime::now());
    let crashed = notebook.get(AT_WORK).is_some_and(|note| !note.is_empty());
    notebook.put(AT_WORK, "yes");
    if !crashed {
        return None;
    }
    tracing::warn!(
        "the last run of the gateway ended without taking leave: users are told that messages may be lost"
    );
    let micros = i64::try_from(AFTERMATH.as_micros()).unwrap_or(i64::MAX);
    Some(Timestamp(now.0.saturating_add(micros)))
}

/// Reads the configuration again, and says in the log what came of it.
fn reload(reloader: &mut Reloader) -> Obeyed {
    let obeyed = reloader.reload();
    match &obeyed {
        Ok(words) => tracing::info!("the configuration was read again. {words}"),
        Err(words) => tracing::error!("the configuration cannot be used. {words}"),
    }
    obeyed
}

/// Ends everything in order: the logins leave their networks, the store keeps what they said, the streams close.
async fn stop(store: &Store, gateways: Vec<Running>) {
    join_all(gateways.iter().map(|gateway| {
        gateway.stop_starting();
        gateway.router.stop(LOGINS)
    }))
    .await;
    store.notebook().put(AT_WORK, "");
    if timeout(STORE, store.close()).await.is_err() {
        tracing::error!("the database did not take everything in time");
    }
    let links = gateways.into_iter().map(|gateway| async move {
        gateway.link.close();
        let _ = timeout(LINKS, gateway.supervisor).await;
    });
    join_all(links).await;
}
