//! One user beside others to whose rooms much happens at once: a netsplit and its end, the join of a large channel. How
//! long single messages to that user take meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::beside::singles;
use super::{PER_CHANNEL, percentile};
use crate::options::Options;
use crate::report::Samples;
use crate::world::World;

/// How long something may take at most.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the network splits and heals.
const TURNS: usize = 8;

/// Everybody far away goes in one moment and comes back in another: milliseconds of another user's messages, calm and
/// meanwhile. That each of them leaves once and comes back once is checked.
pub(crate) async fn netsplit(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    let (subject, watched) = (world.subject, PER_CHANNEL);
    world.irc.haunt("#split", options.split);
    world.prepare(0..watched + 1).await?;
    let mut seats: Vec<(usize, String)> = (0..watched).map(|user| (user, "split".to_owned())).collect();
    seats.push((watched, "calm".to_owned()));
    world.enter(&seats).await?;
    world.link.watch(&World::user(watched));
    let (mut calm, mut storm, mut cpu, mut next) = (Vec::new(), Vec::new(), 0.0, 0);
    for _ in 0..TURNS {
        let mut left = options.singles / TURNS + 1;
        let some = || {
            left = left.saturating_sub(1);
            left > 0
        };
        calm.extend(singles(world, "#calm", &mut next, some).await?);
        let before = world.rest().await?;
        let shown = world.link.presences.get();
        let all = (options.split * watched) as u64;
        for (gone, wanted) in [(true, shown + all), (false, shown + 2 * all)] {
            world.irc.split("#split", gone);
            let begun = Instant::now();
            let under_way = || world.link.presences.get() < wanted;
            let more = || under_way() && begun.elapsed() < PATIENCE;
            storm.extend(singles(world, "#calm", &mut next, more).await?);
            world.until("the end of a netsplit", || !under_way()).await?;
        }
        cpu += world.rest().await?.since(&before);
        let shown = world.link.presences.get() - shown;
        ensure!(
            shown == 2 * all,
            "a netsplit of {} people before {watched} users was shown by {shown} presences",
            options.split
        );
    }
    for (measure, millis, percent) in [
        ("netsplit.calm.p50", &calm, 50.0),
        ("netsplit.calm.p99", &calm, 99.0),
        ("netsplit.calm.max", &calm, 100.0),
        ("netsplit.storm.p50", &storm, 50.0),
        ("netsplit.storm.p99", &storm, 99.0),
        ("netsplit.storm.max", &storm, 100.0),
    ] {
        samples.add(measure, subject, percentile(millis, percent));
    }
    samples.add("netsplit.cpu", subject, cpu / TURNS as f64);
    Ok(())
}

/// A user joins a channel with very many people in it, while another one is spoken to.
pub(crate) async fn join(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    let subject = world.subject;
    let (watched, joining) = (1, 2);
    world.prepare(1..3).await?;
    world.enter(&[(watched, "calm".to_owned())]).await?;
    world.link.watch(&World::user(watched));
    let mut next = 0;
    let mut left = options.singles;
    let some = || {
        left = left.saturating_sub(1);
        left > 0
    };
    let calm = singles(world, "#calm", &mut next, some).await?;
    world.rest().await?;
    world.join(joining, "large");
    let (room, user) = (World::room("large"), World::user(joining));
    let begun = Instant::now();
    let under_way = || !world.link.is_inside(&room, &user) && begun.elapsed() < PATIENCE;
    let meanwhile = singles(world, "#calm", &mut next, under_way).await?;
    ensure!(
        begun.elapsed() < PATIENCE,
        "the join of a large channel takes too long"
    );
    samples.add("join.calm.max", subject, percentile(&calm, 100.0));
    samples.add("join.beside.max", subject, percentile(&meanwhile, 100.0));
    Ok(())
}
