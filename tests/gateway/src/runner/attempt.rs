//! One run of one case: its deadline, its panics, and what is shown when it fails.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::time::timeout;
use viaduct_test_support::process::tail;
use viaduct_test_support::world::{World, WorldOptions};

use crate::case::Case;
use crate::context::Ctx;
use crate::report::Verdict;

/// How many lines of the gateway's log a failure shows.
const LOG_LINES: usize = 40;

/// What came of a case.
pub(super) struct Attempt {
    pub(super) took: Duration,
    pub(super) verdict: Verdict,
}

tokio::task_local! {
    /// The message of the panic of the case that this task runs.
    static PANIC: RefCell<Option<String>>;
}

/// Keeps the panics of cases for their reports instead of printing them in the middle of everything.
pub(super) fn keep_panics_quiet() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
        let noted = PANIC.try_with(|slot| slot.replace(Some(info.to_string())));
        if noted.is_err() {
            others(info);
        }
    }));
}

impl Attempt {
    /// Runs a case in a world that others use as well.
    pub(super) async fn run(case: Case, world: Arc<World>, number: u32) -> Self {
        let begin = Instant::now();
        let log = world.gateway().process().log_length();
        let ctx = Ctx::new(world.clone(), number);
        let verdict = match attempt(case, ctx.clone()).await {
            Ok(()) => Verdict::Passed,
            Err(error) => failed(&error, &ctx, &world, log),
        };
        Self {
            took: begin.elapsed(),
            verdict,
        }
    }

    /// Runs a case in a world of its own.
    pub(super) async fn run_alone(case: Case, options: WorldOptions, number: u32, keep: bool) -> Self {
        let begin = Instant::now();
        let world = match World::start(options).await {
            Ok(world) => Arc::new(world),
            Err(error) => {
                return Self {
                    took: begin.elapsed(),
                    verdict: Verdict::of(Err(error)),
                };
            }
        };
        let mut attempt = Self::run(case, world.clone(), number).await;
        if matches!(attempt.verdict, Verdict::Passed)
            && let Err(error) = no_panic(&world)
        {
            attempt.verdict = Verdict::of(Err(error));
        }
        let failed = !matches!(attempt.verdict, Verdict::Passed);
        if keep || failed {
            let kept = world.scratch().keep(true).display().to_string();
            attempt.verdict = attempt.verdict.with(&format!("Its files stay in {kept}"));
        }
        if let Some(world) = Arc::into_inner(world) {
            // The case is over; how its servers end is not its matter.
            drop(world.stop().await);
        }
        attempt
    }
}

async fn attempt(case: Case, ctx: Ctx) -> Result<()> {
    let limit = case.time_limit();
    // A task of its own, so that a panic is an ordinary result.
    let mut task = tokio::spawn(PANIC.scope(RefCell::default(), async move {
        let outcome = CatchPanic(case.start(ctx)).await;
        let message = PANIC.with(|slot| slot.take());
        outcome.unwrap_or_else(|()| Err(anyhow!(message.unwrap_or_else(|| "it panicked".to_owned()))))
    }));
    match timeout(limit, &mut task).await {
        Ok(outcome) => outcome?,
        Err(_) => {
            task.abort();
            // What it holds (connections, places) must be free before the next case.
            drop(task.await);
            bail!("not done within {} s", limit.as_secs())
        }
    }
}

/// Gives an error where the future inside panics.
struct CatchPanic(crate::case::CaseFuture);

impl Future for CatchPanic {
    type Output = Result<Result<()>, ()>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let inner = std::panic::AssertUnwindSafe(|| self.0.as_mut().poll(cx));
        match std::panic::catch_unwind(inner) {
            Ok(poll) => poll.map(Ok),
            Err(_) => std::task::Poll::Ready(Err(())),
        }
    }
}

fn failed(error: &anyhow::Error, ctx: &Ctx, world: &World, log: u64) -> Verdict {
    let log = world.gateway().process().log_since(log);
    let log = tail(&log, LOG_LINES);
    let gateway = world.gateway().kind().name();
    let story = format!(
        "{error:#}\n\nWhat was said and heard:\n{}\nWhat {gateway} logged:\n{log}\n",
        ctx.transcript()
    );
    Verdict::Failed(story)
}

/// Fails if the gateway has ended, or has panicked anywhere.
pub(super) async fn health(world: &World) -> Result<()> {
    for process in world.gateway().processes() {
        if let Some(status) = process.ended().await? {
            bail!(process.trouble(format!("ended with {status} while the cases ran")));
        }
    }
    no_panic(world)
}

fn no_panic(world: &World) -> Result<()> {
    for process in world.gateway().processes() {
        let log = process.log_since(0);
        if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
            bail!("{} panicked: {line}", process.name());
        }
    }
    Ok(())
}
