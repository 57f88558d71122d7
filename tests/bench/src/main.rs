//! `cargo run --release -p viaduct-bench`: what viaduct costs, beside Biboumi and the bound, in one run.
//!
//! The bench plays the XMPP server (`link`) and the IRC server (`irc`) in one thread, with one measured process
//! (`subject`, `process`) between them. `scenario` says what is measured, `report` shows it. All programs take turns
//! in every round, each with a fresh process and a fresh database, so that whatever else the machine does meets all
//! of them. CPU seconds are the figures to compare; messages a second depend on what is left of the machine.

#[cfg(test)]
mod drivers_test;
mod echo;
mod irc;
mod link;
mod options;
mod process;
mod report;
mod scenario;
mod stats;
mod subject;
mod world;
mod xml;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Parser;
use tokio::task::LocalSet;

use options::{Options, Part};
use report::Samples;
use subject::Subject;
use world::World;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(server) = options.echo {
        echo::run(server).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let subjects = options.subjects();
    if subjects.iter().any(|subject| subject.is_viaduct()) {
        subject::find_viaduct(!options.no_build)?;
    }
    let start = Instant::now();
    let mut samples = Samples::default();
    let rounds = async {
        for (round, subject, group) in plan(&options) {
            eprintln!(
                "{:5.0} s: round {}, {}, {group:?}",
                start.elapsed().as_secs_f64(),
                round + 1,
                subject.name()
            );
            measure(group, subject, &options, &mut samples).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        _ = tokio::signal::ctrl_c() => samples.problem("interrupted".to_owned()),
    }
    eprintln!("{:5.0} s: done", start.elapsed().as_secs_f64());
    match options.json {
        true => println!("{:#}", samples.json()),
        false => println!("{}", samples.table(&subjects)),
    }
    Ok(if samples.is_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every measurement, in its turn.
fn plan(options: &Options) -> Vec<(usize, Subject, Group)> {
    let mut plan = Vec::new();
    for round in 0..options.rounds {
        for subject in options.subjects() {
            let groups = Group::ALL
                .into_iter()
                .filter(|group| group.is_wanted(options, subject, round));
            plan.extend(groups.map(|group| (round, subject, group)));
        }
    }
    plan
}

/// What shares a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Talk,
    Crowd,
    Beside,
    Netsplit,
    Memory,
}

impl Group {
    const ALL: [Self; 5] = [
        Self::Talk,
        Self::Crowd,
        Self::Beside,
        Self::Netsplit,
        Self::Memory,
    ];

    fn is_wanted(self, options: &Options, subject: Subject, round: usize) -> bool {
        let any = |parts: &[Part]| parts.iter().any(|part| options.wants(*part));
        match self {
            Self::Talk => any(&[Part::Out, Part::In, Part::Latency, Part::Join]),
            Self::Crowd => any(&[Part::Crowd]) && subject != Subject::Echo,
            // With history Biboumi is slower than the flood: what comes behind it would wait for minutes.
            Self::Beside => {
                any(&[Part::Beside]) && !matches!(subject, Subject::Echo | Subject::BiboumiHistory)
            }
            Self::Netsplit => any(&[Part::Netsplit]) && subject != Subject::Echo,
            // It hardly varies and takes long.
            Self::Memory => any(&[Part::Memory]) && (round == 0 || options.only == [Part::Memory]),
        }
    }
}

/// Runs one group on a fresh process; what goes wrong is noted and the run goes on.
async fn measure(group: Group, subject: Subject, options: &Options, samples: &mut Samples) {
    let tasks = LocalSet::new();
    let work = async {
        let world = World::start(subject, options.folder.as_deref()).await?;
        let result = match group {
            Group::Talk => scenario::talk(&world, options, samples).await,
            Group::Crowd => scenario::crowd(&world, options, samples).await,
            Group::Beside => scenario::beside(&world, options, samples).await,
            Group::Netsplit => scenario::netsplit(&world, options, samples).await,
            Group::Memory => scenario::memory(&world, options, samples).await,
        };
        if options.keep || result.is_err() {
            eprintln!("         its files: {}", world.keep_files());
        }
        result
    };
    if let Err(error) = tasks.run_until(work).await {
        eprintln!("         {error:#}");
        samples.problem(format!("{}, {group:?}: {error:#}", subject.name()));
    }
}
