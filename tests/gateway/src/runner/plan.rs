//! What is to be run, and on what.

use viaduct_test_support::world::WorldOptions;

use crate::backend::Backend;
use crate::case::Case;
use crate::options::Options;
use crate::rows;

/// The cases that the command line asks for, each with its number, which becomes part of its names.
pub(super) struct Plan {
    entries: Vec<(Case, Backend, u32)>,
    checks_rows: bool,
}

impl Plan {
    pub(super) fn new(cases: &[Case], options: &Options) -> Self {
        let wanted = |name: &str| {
            options.filters.is_empty()
                || options
                    .filters
                    .iter()
                    .any(|filter| name.contains(filter.as_str()))
        };
        let runs_on = |backend: &Backend| options.only.is_none_or(|only| only == *backend);
        let cases = cases.iter().filter(|case| wanted(case.name()));
        let pairs = cases.flat_map(|case| {
            case.backends()
                .iter()
                .copied()
                .filter(runs_on)
                .map(|backend| (*case, backend))
        });
        let entries = (1..)
            .zip(pairs)
            .map(|(number, (case, backend))| (case, backend, number))
            .collect();
        Self {
            entries,
            checks_rows: wanted(rows::CHECK),
        }
    }

    pub(super) fn checks_rows(&self) -> bool {
        self.checks_rows
    }

    pub(super) fn shared(&self) -> impl Iterator<Item = (Case, Backend, u32)> {
        self.entries
            .iter()
            .copied()
            .filter(|(case, ..)| case.own_world_change().is_none())
    }

    pub(super) fn alone(&self) -> impl Iterator<Item = (Case, Backend, u32)> {
        self.entries
            .iter()
            .copied()
            .filter(|(case, ..)| case.own_world_change().is_some())
    }

    /// The combinations of servers for which a shared world is needed.
    pub(super) fn backends(&self) -> impl Iterator<Item = Backend> {
        Backend::ALL
            .iter()
            .copied()
            .filter(|backend| self.shared().any(|(_, needed, _)| needed == *backend))
    }

    pub(super) fn print(&self) {
        if self.checks_rows {
            println!("{}", rows::CHECK);
        }
        for (case, backend, _) in &self.entries {
            println!("{} ({})", case.name(), backend.options().name());
        }
    }
}

/// The world for a combination of servers, as the command line wants it.
pub(super) fn world_options(backend: Backend, options: &Options) -> WorldOptions {
    let mut world = backend.options();
    world.gateway = options.gateway.into();
    if let Some(store) = options.store {
        world.store = store.into();
    }
    world
}
