//! Runs the cases: worlds first, then many cases at a time, then those that want a world of their own.

mod attempt;
mod plan;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use clap::Parser as _;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use viaduct_test_support::world::World;

use crate::case::Case;
use crate::options::Options;
use crate::report::{Report, Verdict};
use crate::rows;
use attempt::Attempt;
use plan::Plan;

/// How many cases with a world of their own run at a time: their servers need the machine, too.
const OWN_WORLDS: usize = 2;

/// The `main` of a test binary with these cases.
pub fn main(modules: &[&[Case]]) -> ExitCode {
    // tests/run has a stage of their own for them, after everything that is quicker.
    if std::env::var_os("VIADUCT_JOURNEYS").is_some_and(|when| when == "later") {
        return ExitCode::SUCCESS;
    }
    let cases: Vec<Case> = modules.iter().flat_map(|module| module.iter().copied()).collect();
    let options = Options::parse();
    if options.rows {
        rows::print(&cases);
        return ExitCode::SUCCESS;
    }
    let plan = Plan::new(&cases, &options);
    if options.list {
        plan.print();
        return ExitCode::SUCCESS;
    }
    attempt::keep_panics_quiet();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("this machine can run threads");
    let report = runtime.block_on(async {
        tokio::select! {
            report = run(plan, &cases, &options) => report,
            // Dropping the run drops the worlds, and the servers with them.
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        }
    });
    match report {
        Ok(report) => report.finish(),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(plan: Plan, cases: &[Case], options: &Options) -> Result<Report> {
    let mut report = Report::default();
    if plan.checks_rows() {
        let begin = Instant::now();
        let verdict = Verdict::of(rows::check(cases));
        report.add("", rows::CHECK, begin.elapsed(), verdict);
    }
    let worlds = start_worlds(&plan, options, &mut report).await;
    run_shared(&plan, &worlds, options, &mut report).await;
    for world in worlds {
        end(world, options, &mut report).await;
    }
    run_alone(&plan, options, &mut report).await;
    Ok(report)
}

/// Starts the worlds that the plan needs, all at once. One that does not start is a failure of its own.
async fn start_worlds(plan: &Plan, options: &Options, report: &mut Report) -> Vec<Arc<World>> {
    let mut starts = JoinSet::new();
    for backend in plan.backends() {
        let world = plan::world_options(backend, options);
        starts.spawn(async move { (world.name(), Box::pin(World::start(world)).await) });
    }
    let mut worlds = Vec::new();
    for (name, world) in starts.join_all().await {
        match world {
            Ok(world) => {
                let took = world.started_in();
                println!(
                    "     {name}: ready after {:.1} s, in {}",
                    took.as_secs_f64(),
                    world.scratch().path().display()
                );
                worlds.push(Arc::new(world));
            }
            Err(error) => report.add(
                &name,
                "the_world_starts",
                Default::default(),
                Verdict::of(Err(error)),
            ),
        }
    }
    worlds
}

async fn run_shared(plan: &Plan, worlds: &[Arc<World>], options: &Options, report: &mut Report) {
    let places = Arc::new(Semaphore::new(options.jobs.max(1)));
    let mut running = JoinSet::new();
    for (case, backend, number) in plan.shared() {
        let name = backend.options().name();
        let Some(world) = worlds
            .iter()
            .find(|world| world.options().name() == name)
            .cloned()
        else {
            continue;
        };
        let places = places.clone();
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            let attempt = Attempt::run(case, world, number).await;
            (name, case, attempt)
        });
    }
    while let Some(done) = running.join_next().await {
        let (world, case, attempt) = done.expect("an attempt catches the panics of its case");
        report.add(&world, case.name(), attempt.took, attempt.verdict);
    }
}

async fn run_alone(plan: &Plan, options: &Options, report: &mut Report) {
    let places = Arc::new(Semaphore::new(OWN_WORLDS));
    let mut running = JoinSet::new();
    for (case, backend, number) in plan.alone() {
        let mut world = plan::world_options(backend, options);
        let (places, name) = (places.clone(), world.name());
        world.proxied = true;
        if let Some(change) = case.own_world_change() {
            change(&mut world);
        }
        let keep = options.keep;
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            (
                name,
                case,
                Box::pin(Attempt::run_alone(case, world, number, keep)).await,
            )
        });
    }
    while let Some(done) = running.join_next().await {
        let (world, case, attempt) = done.expect("an attempt catches the panics of its case");
        report.add(&world, case.name(), attempt.took, attempt.verdict);
    }
}

/// Looks after a world that was shared, and ends it.
async fn end(world: Arc<World>, options: &Options, report: &mut Report) {
    let name = world.options().name();
    report.add(
        &name,
        "the_gateway_is_well",
        Default::default(),
        Verdict::of(attempt::health(&world).await),
    );
    if options.keep || report.failed_in(&name) {
        println!(
            "     {name}: its files stay in {}",
            world.scratch().keep(true).display()
        );
    }
    // Every case is over, and with it every other handle to the world.
    if let Some(world) = Arc::into_inner(world)
        && let Err(error) = world.stop().await
    {
        report.add(
            &name,
            "the_world_ends",
            Default::default(),
            Verdict::of(Err(error)),
        );
    }
}
