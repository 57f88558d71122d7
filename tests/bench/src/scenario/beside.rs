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
        let millis = singles(world, options.singles / 4 + 1, flooded, &mut next).await?;
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

async fn singles(world: &World, count: usize, flooded: bool, next: &mut u64) -> Result<Vec<f64>> {
    let (link, irc) = (&world.link, &world.irc);
    let (mut text, mut flood) = (Template::text(), Template::text());
    let (begun, mut flooding) = (Instant::now(), 0);
    let mut pour = || {
        let wanted = if flooded {
            begun.elapsed().as_secs_f64() * FLOOD
        } else {
            0.0
        };
        while (flooding as f64) < wanted {
            flooding += 1;
            irc.say("#flooded", flood.render(flooding));
        }
    };
    let mut millis = Vec::with_capacity(count);
    for _ in 0..count {
        sleep(PAUSE).await;
        pour();
        *next += 1;
        let number = *next;
        let start = Instant::now();
        irc.say("#c1", text.render(number));
        world
            .until("a message beside the flood", || link.watched().0 >= number)
            .await?;
        millis.push(link.watched().1.duration_since(start).as_secs_f64() * 1e3);
    }
    Ok(millis)
}
