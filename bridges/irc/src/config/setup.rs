//! What the configuration comes to, as a whole: what is read again replaces it in one step.

use std::sync::Arc;

use arc_swap::ArcSwap;
use viaduct_bridge::{Name, ServerId};

use super::{ConfigError, IrcConfig};
use crate::address::{Addresses, server_name};
use crate::conn::tls::Tls;

/// The configuration, and what is made of it before anybody connects.
pub(crate) struct Setup {
    pub(crate) config: IrcConfig,
    pub(crate) tls: Tls,
    pub(crate) addresses: Addresses,
}

/// The setup that holds now. Reading it takes no lock, since it is asked for with every stanza.
pub(crate) type Present = Arc<ArcSwap<Setup>>;

impl Setup {
    /// Makes sense of a configuration.
    pub(crate) fn new(config: IrcConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let tls = Tls::new(&config)?;
        let fixed = match &config.server {
            Some(fixed) => {
                let name = server_name(&fixed.host).ok_or_else(|| ConfigError::Server(fixed.host.clone()))?;
                Some(ServerId(Name::from(name)))
            }
            None => None,
        };
        let known = config
            .servers
            .keys()
            .filter_map(|name| server_name(name))
            .collect();
        let addresses = Addresses { fixed, known };
        Ok(Self {
            config,
            tls,
            addresses,
        })
    }

    /// For those who share it.
    pub(crate) fn shared(self) -> Present {
        Arc::new(ArcSwap::from_pointee(self))
    }
}
