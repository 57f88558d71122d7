//! Reading the configuration again while the gateway runs: what can be taken over is, what needs a restart is named, and
//! where anything is wrong nothing changes.

use std::path::PathBuf;
use std::sync::Arc;

use viaduct_core::context::Context;

use super::gateway::{Network, rules};
use super::steward::Obeyed;
use crate::config::{Changes, GatewaySettings, Keys, Settings, load_with_keys};

/// A gateway whose rules and tables can be replaced.
pub(super) struct Reloadable {
    /// The operator's name for it.
    pub(super) name: String,
    /// Its domain. One that has another domain now is another gateway.
    pub(super) domain: String,
    pub(super) ctx: Arc<Context>,
    pub(super) network: Network,
}

/// Reads the configuration again.
pub(super) struct Reloader {
    path: PathBuf,
    /// What holds.
    keys: Keys,
    gateways: Vec<Reloadable>,
}

impl Reloader {
    /// For these gateways; `keys` are the settings that they began with.
    pub(super) fn new(path: PathBuf, keys: Keys, gateways: Vec<Reloadable>) -> Self {
        Self { path, keys, gateways }
    }

    /// Reads it again. What happened, in words that name settings and no values.
    ///
    /// # Errors
    /// With what is wrong; then nothing has changed.
    pub(super) fn reload(&mut self) -> Obeyed {
        let unchanged = |words: String| format!("Nothing was changed. {words}");
        let (config, newer) =
            load_with_keys(&self.path, std::env::vars()).map_err(|error| unchanged(error.to_string()))?;
        let settings = Settings::resolve(config).map_err(|error| unchanged(error.to_string()))?;
        // Everything is made ready before anything is replaced; replacing cannot fail.
        let mut ready: Vec<Box<dyn FnOnce() + '_>> = Vec::new();
        for gateway in &self.gateways {
            let Some(settings) = settings.gateways.iter().find(|settings| gateway.is(settings)) else {
                continue;
            };
            let adopt = gateway
                .network
                .prepare(settings)
                .map_err(|error| unchanged(error.to_string()))?;
            ready.push(Box::new(move || {
                gateway.ctx.rules.replace(rules(settings));
                adopt();
            }));
        }
        for adopt in ready {
            adopt();
        }
        let changes = self.keys.changes(&newer);
        self.keys.take_over(&changes.live, &newer);
        Ok(in_words(&changes))
    }
}

impl Reloadable {
    fn is(&self, settings: &GatewaySettings) -> bool {
        self.name == settings.name && self.domain == settings.target.domain
    }
}

fn in_words(changes: &Changes) -> String {
    /// As many settings are named.
    const MOST: usize = 50;
    let listed = |keys: &[String]| {
        let mut text = keys.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
        if let Some(more) = keys.len().checked_sub(MOST).filter(|more| *more > 0) {
            text += &format!(" and {more} more");
        }
        text
    };
    let mut sentences = Vec::new();
    if !changes.live.is_empty() {
        sentences.push(format!("Taken over: {}.", listed(&changes.live)));
    }
    if !changes.restart.is_empty() {
        sentences.push(format!("Only after a restart: {}.", listed(&changes.restart)));
    }
    if sentences.is_empty() {
        return "The configuration has not changed.".into();
    }
    sentences.join(" ")
}
