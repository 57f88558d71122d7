//! What is printed: a line for each case as it ends, the stories of the failures, and the sum.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

/// How a case ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// As it should.
    Passed,
    /// Not; with the story.
    Failed(String),
}

impl Verdict {
    /// Of a result.
    pub(crate) fn of(result: Result<()>) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(error) => Self::Failed(format!("{error:#}\n")),
        }
    }

    /// With a line added to the story of a failure.
    pub(crate) fn with(self, line: &str) -> Self {
        match self {
            Self::Passed => Self::Passed,
            Self::Failed(story) => Self::Failed(format!("{story}{line}\n")),
        }
    }
}

/// The cases that have ended.
#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failures: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    world: String,
    name: String,
    story: String,
}

impl Report {
    /// Adds a case and prints its line.
    pub(crate) fn add(&mut self, world: &str, name: &str, took: Duration, verdict: Verdict) {
        let mark = match &verdict {
            Verdict::Passed => "ok  ",
            Verdict::Failed(_) => "FAIL",
        };
        println!("{mark} {world:17} {:6.2} s  {name}", took.as_secs_f64());
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(story) => {
                self.failures.push(Failure {
                    world: world.to_owned(),
                    name: name.to_owned(),
                    story,
                });
            }
        }
    }

    /// Whether something has failed in this world.
    pub(crate) fn failed_in(&self, world: &str) -> bool {
        self.failures.iter().any(|failure| failure.world == world)
    }

    /// Prints the stories and the sum, and gives the exit status.
    pub(crate) fn finish(self) -> ExitCode {
        for Failure { world, name, story } in &self.failures {
            println!("\n════ {name} ({world})\n{story}");
        }
        println!("{} passed, {} failed", self.passed, self.failures.len());
        match self.failures.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}
