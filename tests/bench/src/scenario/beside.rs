//! One user beside another whose room is flooded: how long single messages take, without the flood and with it.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use super::load::Template;
use crate::options::Options;
use crate::report::Samples;
use crate::stats::percentile;
use crate::world::World;

/// Messages of the flood, a second. More would measure how much of the machine the drivers take.
const FLOOD: f64 = 5_000.0;
/// Every second of a flood of five thousand messages has some hundred messages of others in it.
const PAUSE: Duration = Duration::from_millis(2);

/// Milliseconds of one user's messages from IRC, alone and beside the flood, in turns so that whatever else the machine
/// does meets both.
pub(crate) async fn beside(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    world.prepare(0..2).await?;
    world
        .enter(&[(0, "flooded".to_owned()), (1, "c1".to_owned())])
        .await?;
    let (mut calm, mut beside) = (Vec::new(), Vec::new());
    let mut next = 0;
    world.link.watch(&World::user(1));
    for turn in 0..8 {
        let flooded = turn % 2 == 1;
        let millis = talk(world, options.singles / 4 + 1, flooded, &mut next).await?;
        if flooded { &mut beside } else { &mut calm }.extend(millis);
        world.rest().await?;
    }
    let subject = world.subject;
    for (measure, millis, percent) in [
        ("beside.calm.p50", &calm, 50.0),
        ("beside.calm.p99", &calm, 99.0),
        ("beside.flood.p50", &beside, 50.0),
        ("beside.flood.p99", &beside, 99.0),
    ] {
        samples.add(measure, subject, percentile(millis, percent));
    }
    let grown = percentile(&beside, 99.0) / percentile(&calm, 99.0) - 1.0;
    samples.add("beside.grown", subject, grown * 100.0);
    Ok(())
}

/// As many single messages, alone or beside the flood.
async fn talk(world: &World, count: usize, flooded: bool, next: &mut u64) -> Result<Vec<f64>> {
    let mut flood = Template::text();
    let (begun, mut flooding, mut left) = (Instant::now(), 0, count);
    let more = || {
        let wanted = if flooded {
            begun.elapsed().as_secs_f64() * FLOOD
        } else {
            0.0
        };
        while (flooding as f64) < wanted {
            flooding += 1;
            world.irc.say("#flooded", flood.render(flooding));
        }
        left = left.saturating_sub(1);
        left > 0
    };
    singles(world, "#c1", next, more).await
}

/// Milliseconds that single messages from IRC take to whom we watch, one after the other: one in any case, and for as
/// long as `more` says so before the next.
pub(super) async fn singles(
    world: &World,
    channel: &str,
    next: &mut u64,
    mut more: impl FnMut() -> bool,
) -> Result<Vec<f64>> {
    let (link, irc) = (&world.link, &world.irc);
    let mut text = Template::text();
    let mut millis = Vec::new();
    loop {
        sleep(PAUSE).await;
        let last = !more();
        *next += 1;
        let number = *next;
        let start = Instant::now();
        irc.say(channel, text.render(number));
        world
            .until("a message beside something else", || link.watched().0 >= number)
            .await?;
        millis.push(link.watched().1.duration_since(start).as_secs_f64() * 1e3);
        if last {
            return Ok(millis);
        }
    }
}
