//! What a case is, and how it is registered.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;
use viaduct_test_support::world::WorldOptions;

use crate::backend::Backend;
use crate::context::Ctx;

/// What a case's function gives.
pub type CaseFuture = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// A test, made by [`case!`](crate::case!) and refined by its methods.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    path: &'static str,
    run: fn(Ctx) -> CaseFuture,
    rows: &'static str,
    backends: &'static [Backend],
    own_world: Option<fn(&mut WorldOptions)>,
    deadline: Duration,
}

/// Makes a [`Case`] of an async function that takes a [`Ctx`] and gives a `Result<()>`. Its name is the module's
/// and the function's.
#[macro_export]
macro_rules! case {
    ($function:ident) => {
        $crate::Case::new(concat!(module_path!(), "::", stringify!($function)), |ctx| {
            Box::pin($function(ctx))
        })
    };
}

impl Case {
    /// Used by [`case!`](crate::case!).
    pub const fn new(path: &'static str, run: fn(Ctx) -> CaseFuture) -> Self {
        let deadline = Duration::from_secs(60);
        Self {
            path,
            run,
            rows: "",
            backends: Backend::ALL,
            own_world: None,
            deadline,
        }
    }

    /// The rows of `conformance.md` that it covers, separated by spaces: it must fail when what they demand is
    /// taken out of the gateway.
    #[must_use]
    pub const fn rows(self, rows: &'static str) -> Self {
        Self { rows, ..self }
    }

    /// Runs on these combinations of servers only.
    #[must_use]
    pub const fn only(self, backends: &'static [Backend]) -> Self {
        Self { backends, ..self }
    }

    /// Runs in a world that no other case is in, with proxies on both sides of the gateway; such cases come after
    /// the others.
    #[must_use]
    pub const fn own_world(self) -> Self {
        self.own_world_with(|_| {})
    }

    /// Like [`Case::own_world`], with another configuration.
    #[must_use]
    pub const fn own_world_with(self, change: fn(&mut WorldOptions)) -> Self {
        Self {
            own_world: Some(change),
            ..self
        }
    }

    /// How many seconds it may take; 60 unless said otherwise. The start of its own world does not count.
    #[must_use]
    pub const fn deadline(self, seconds: u64) -> Self {
        Self {
            deadline: Duration::from_secs(seconds),
            ..self
        }
    }

    /// Its name: the last module and the function.
    pub fn name(&self) -> &'static str {
        let mut from_the_end = self.path.rmatch_indices("::").map(|(index, _)| index);
        let second = from_the_end.nth(1);
        second.map_or(self.path, |index| &self.path[index + 2..])
    }

    pub(crate) fn row_list(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.rows.split_whitespace()
    }

    pub(crate) fn backends(&self) -> &'static [Backend] {
        self.backends
    }

    pub(crate) fn own_world_change(&self) -> Option<fn(&mut WorldOptions)> {
        self.own_world
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.deadline
    }

    pub(crate) fn start(&self, ctx: Ctx) -> CaseFuture {
        (self.run)(ctx)
    }
}
