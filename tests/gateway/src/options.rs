//! The command line of the journeys.

use clap::{Parser, ValueEnum};
use viaduct_test_support::gateway::GatewayKind;
use viaduct_test_support::world::StoreKind;

use crate::backend::Backend;

/// Runs the journeys on real servers.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Runs only the cases whose name contains one of these.
    pub(crate) filters: Vec<String>,

    /// Prints the names of the cases and runs nothing.
    #[arg(long)]
    pub(crate) list: bool,

    /// Prints which cases cover which rows of the conformance checklist and runs nothing.
    #[arg(long)]
    pub(crate) rows: bool,

    /// Runs on one combination of servers.
    #[arg(long)]
    pub(crate) only: Option<Backend>,

    /// The gateway that is tested.
    #[arg(long, default_value = "viaduct")]
    pub(crate) gateway: Gateway,

    /// The gateway's database, instead of SQLite with Prosody and PostgreSQL with ejabberd.
    #[arg(long)]
    pub(crate) store: Option<Store>,

    /// How many cases run at a time.
    #[arg(long, default_value_t = 12)]
    pub(crate) jobs: usize,

    /// Leaves the servers' files in place, also when all is well.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Which gateway.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Gateway {
    /// The one of this repository.
    Viaduct,
    /// Debian's Biboumi, to try the harness.
    Biboumi,
}

/// Which database.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Store {
    /// Embedded.
    Sqlite,
    /// A throw-away server.
    Postgres,
}

impl From<Gateway> for GatewayKind {
    fn from(gateway: Gateway) -> Self {
        match gateway {
            Gateway::Viaduct => Self::Viaduct,
            Gateway::Biboumi => Self::Biboumi,
        }
    }
}

impl From<Store> for StoreKind {
    fn from(store: Store) -> Self {
        match store {
            Store::Sqlite => Self::Sqlite,
            Store::Postgres => Self::Postgres,
        }
    }
}
