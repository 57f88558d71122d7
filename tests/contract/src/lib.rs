//! One suite of cases for every bridge.
//!
//! A [`Subject`] is a bridge and a network for it, with means to act as somebody of that network who does not use
//! the bridge. [`run`] plays all [`cases`] on a new subject each, and [`Report`] tells what came of them. The same
//! cases run on the loopback network (`tests/loopback.rs`) and on IRC (`tests/irc`).
//!
//! A case shows what it is named after. Beside that, some rules hold in every case and are checked after each
//! (`rules.rs`): above all, that a command with a [`TransactionId`](viaduct_bridge::TransactionId) has exactly one
//! end. What a bridge declares in its [`Capabilities`](viaduct_bridge::Capabilities) is compared with what it does
//! in both directions, in `cases/declared.rs` and `cases/limits.rs`; `tests/lies` shows that a bridge that
//! declares something else than it does is found out.
//!
//! # Adding a case
//!
//! Write an `async fn(&Scene) -> Found` in the module under `cases/` that it belongs to, and add its name to the
//! list in `cases/mod.rs`. Wait for events, never for time: to show that something does *not* come, let something
//! follow that does come, and look at what was before it.
//!
//! # Adding a bridge
//!
//! Implement [`Subject`] and [`Foreigner`], and write a test that calls [`run`] and then [`Report::expect`], with
//! the names of the cases that cannot be tried on that network.

mod cases;
mod finding;
pub mod loopback;
mod recorder;
mod rules;
mod scene;
mod subject;
mod user;

pub use cases::{Case, cases};
pub use finding::{Finding, Found, broken, skipped};
pub use subject::{Door, Fault, Foreigner, Heard, Logins, Step, Subject};

use futures::StreamExt as _;
use scene::Scene;

/// The cases whose names contain the text in `VIADUCT_CONTRACT_CASE`: all of them where that is not set.
#[must_use]
pub fn chosen() -> Vec<Case> {
    let wanted = std::env::var("VIADUCT_CONTRACT_CASE").unwrap_or_default();
    let mut cases = cases();
    cases.retain(|case| case.name.contains(&wanted));
    cases
}

/// What came of the cases.
#[derive(Debug)]
pub struct Report {
    results: Vec<(&'static str, Found)>,
}

/// Plays each of the cases on a subject of its own, so many of them at a time.
pub async fn run<S: Subject>(cases: &[Case], at_a_time: usize, make: impl AsyncFn() -> S) -> Report {
    let make = &make;
    let plays = cases
        .iter()
        .map(async |case| (case.name, play(case, &make().await).await));
    let plays = futures::stream::iter(plays);
    let results = plays.buffered(at_a_time).collect().await;
    Report { results }
}

/// Plays one case.
pub async fn play(case: &Case, subject: &dyn Subject) -> Found {
    let scene = Scene::new(subject);
    let played = (case.run)(&scene).await;
    match played {
        Ok(()) => scene.settle().await,
        Err(_) => {
            // What happens at the end of a case that has failed is of no interest.
            drop(scene.end().await);
            played
        }
    }
}

impl Report {
    /// The cases that the bridge failed, and how.
    #[must_use]
    pub fn broken(&self) -> Vec<(&'static str, &str)> {
        self.pick(|finding| match finding {
            Finding::Broken(what) => Some(what),
            Finding::Skipped(_) => None,
        })
    }

    /// The cases that were not tried, and why.
    #[must_use]
    pub fn skipped(&self) -> Vec<(&'static str, &str)> {
        self.pick(|finding| match finding {
            Finding::Skipped(why) => Some(why),
            Finding::Broken(_) => None,
        })
    }

    fn pick<'a>(&'a self, pick: impl Fn(&'a Finding) -> Option<&'a String>) -> Vec<(&'static str, &'a str)> {
        let results = self.results.iter();
        results
            .filter_map(|(name, result)| Some((*name, pick(result.as_ref().err()?)?.as_str())))
            .collect()
    }

    /// Fails unless the bridge keeps the contract, and unless exactly these of the cases could not be tried.
    ///
    /// # Panics
    /// That is how it fails.
    pub fn expect(&self, skipped: &[&str]) {
        let broken = self.broken();
        let text: Vec<_> = broken
            .iter()
            .map(|(case, what)| format!("{case}: {what}"))
            .collect();
        assert!(
            broken.is_empty(),
            "the contract is broken:\n\n{}\n",
            text.join("\n\n")
        );
        let played = |name: &&&str| self.results.iter().any(|(case, _)| *case == **name);
        let skipped: Vec<_> = skipped.iter().filter(played).copied().collect();
        let found: Vec<_> = self.skipped().iter().map(|(case, _)| *case).collect();
        assert_eq!(found, skipped, "cases that were not tried: {:?}", self.skipped());
    }
}
