//! What is measured, on one fresh process per round: one user's talk, a crowd's talk, one user beside a flood, memory.

mod beside;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use crate::options::{Options, Part};
use crate::report::Samples;
use crate::stats::percentile;
use crate::subject::Subject;
use crate::world::World;
pub(crate) use beside::beside;
use load::{Load, Outcome, Template, Way};

/// Messages before each measurement, not counted.
const WARM_UP: u64 = 500;
/// People of the gateway in each channel.
const PER_CHANNEL: usize = 10;

/// One user, one channel: both directions, latency, the join of a large channel.
pub(crate) async fn talk(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    let subject = world.subject;
    let mut stanza = Template::stanza(&World::user(0), &World::room("c0"));
    let mut text = Template::text();
    let out = if subject == Subject::Echo {
        Way::Echo
    } else {
        Way::Out
    };
    if out == Way::Out {
        world.prepare(0..1).await?;
        world.enter(&[(0, "c0".to_owned())]).await?;
    }
    if options.wants(Part::Out) {
        let outcome = run(world, options, out, 1, |n| world.link.push(stanza.render(n))).await?;
        samples.add_load(OUT, subject, &outcome, 1);
        if subject == Subject::Echo {
            // Parsed once and serialised once: the bound of the other direction too.
            samples.add_load(IN, subject, &outcome, 1);
        }
    }
    if options.wants(Part::In) && out == Way::Out {
        let outcome = run(world, options, Way::In, 1, |n| {
            world.irc.say("#c0", text.render(n))
        })
        .await?;
        samples.add_load(IN, subject, &outcome, 1);
    }
    if options.wants(Part::Latency) {
        let (shown, wire) =
            latency(world, options.singles, out, |n| world.link.push(stanza.render(n))).await?;
        samples.add_latency("latency.out", subject, &shown);
        if out == Way::Out {
            samples.add_latency("latency.wire", subject, &wire);
            let inward = |n| world.irc.say("#c0", text.render(n));
            samples.add_latency(
                "latency.in",
                subject,
                &latency(world, options.singles, Way::In, inward).await?.0,
            );
        }
    }
    if options.wants(Part::Join) && out == Way::Out {
        world.irc.haunt("#large", options.people);
        let before = world.rest().await?;
        let start = Instant::now();
        world.enter(&[(0, "large".to_owned())]).await?;
        samples.add("join.wall", subject, start.elapsed().as_secs_f64());
        samples.add("join.cpu", subject, world.rest().await?.since(&before));
    }
    Ok(())
}

/// Many users in channels of ten: what one outsider says in all channels, and what all the users say.
pub(crate) async fn crowd(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    let (subject, users) = (world.subject, options.crowd);
    ensure!(
        users.is_multiple_of(PER_CHANNEL),
        "--crowd is to be a multiple of {PER_CHANNEL}"
    );
    world.prepare(0..users).await?;
    world.enter(&seats(0..users)).await?;
    let channels: Vec<String> = (0..users / PER_CHANNEL).map(|n| format!("#c{n}")).collect();
    let mut text = Template::text();
    let fanout = PER_CHANNEL as u64;
    let outcome = run(world, options, Way::In, fanout, |n| {
        world
            .irc
            .say(&channels[n as usize % channels.len()], text.render(n));
    })
    .await?;
    samples.add_load(CROWD_IN, subject, &outcome, fanout);
    let mut stanzas: Vec<Template> = seats(0..users)
        .iter()
        .map(|(user, channel)| Template::stanza(&World::user(*user), &World::room(channel)))
        .collect();
    let outcome = run(world, options, Way::Out, fanout, |n| {
        world.link.push(stanzas[n as usize % users].render(n));
    })
    .await?;
    samples.add_load(CROWD_OUT, subject, &outcome, fanout);
    Ok(())
}

/// Resident memory at rest: nobody, one user, a hundred, many; and what it costs to let them all in.
pub(crate) async fn memory(world: &World, options: &Options, samples: &mut Samples) -> Result<()> {
    let subject = world.subject;
    world.rest().await?;
    samples.add("memory.idle", subject, world.memory()?.rss);
    samples.add("memory.idle.anonymous", subject, world.memory()?.anonymous);
    if subject == Subject::Echo {
        return Ok(());
    }
    let mut step = 0;
    let mut sizes = Vec::new();
    for users in [1, 100, options.users] {
        world.prepare(step..users).await?;
        let before = world.rest().await?;
        world.enter(&seats(step..users)).await?;
        let cpu = world.rest().await?.since(&before);
        sizes.push(world.memory()?.rss);
        if users == options.users && users > step {
            let joined = (users - step) as f64;
            samples.add("memory.join", subject, cpu / joined * 1000.0);
            samples.add("memory.user", subject, (sizes[2] - sizes[1]) / joined);
        }
        step = users.max(step);
    }
    for (measure, size) in ["memory.1", "memory.100", "memory.many"].into_iter().zip(sizes) {
        samples.add(measure, subject, size);
    }
    Ok(())
}

/// Who sits in which channel.
fn seats(users: std::ops::Range<usize>) -> Vec<(usize, String)> {
    users
        .map(|user| (user, format!("c{}", user / PER_CHANNEL)))
        .collect()
}

async fn run(
    world: &World,
    options: &Options,
    way: Way,
    fanout: u64,
    mut send: impl FnMut(u64),
) -> Result<Outcome> {
    let time = Duration::from_secs_f64(options.seconds);
    let load = Load {
        messages: options.messages,
        time,
        window: options.window,
        fanout,
    };
    let warm_up = Load {
        messages: WARM_UP.min(options.messages),
        time: time / 8,
        window: options.window / 10 + 1,
        ..load
    };
    warm_up.run(world, way, &mut send).await?;
    load.run(world, way, send).await
}

/// Milliseconds until each single message was shown, and until it reached IRC.
async fn latency(
    world: &World,
    count: usize,
    way: Way,
    mut send: impl FnMut(u64),
) -> Result<(Vec<f64>, Vec<f64>)> {
    let (link, irc) = (&world.link, &world.irc);
    let (mut shown, mut wire) = (Vec::new(), Vec::new());
    world.rest().await?;
    link.reset(true);
    irc.arrived.set(0);
    for number in 1..=count as u64 {
        // Whatever the last message left to do is over, and the program waits.
        sleep(Duration::from_millis(2)).await;
        let start = Instant::now();
        send(number);
        let there = || link.delivered.get() >= number && (way != Way::Out || irc.arrived.get() >= number);
        world.until("a single message", there).await?;
        shown.push(link.last.get().duration_since(start).as_secs_f64() * 1e3);
        if way == Way::Out {
            wire.push(irc.last.get().duration_since(start).as_secs_f64() * 1e3);
        }
    }
    Ok((shown, wire))
}

/// The measures of one load: CPU, rate, the drivers' share; and its name.
type Keys = [&'static str; 4];
const OUT: Keys = ["out.cpu", "out.rate", "out.driver", "1 user, to IRC"];
const IN: Keys = ["in.cpu", "in.rate", "in.driver", "1 user, from IRC"];
const CROWD_OUT: Keys = [
    "crowd.out.cpu",
    "crowd.out.rate",
    "crowd.out.driver",
    "crowd, to IRC",
];
const CROWD_IN: Keys = [
    "crowd.in.cpu",
    "crowd.in.rate",
    "crowd.in.driver",
    "crowd, from IRC",
];

impl Samples {
    fn add_load(
        &mut self,
        [cpu, rate, driver, what]: Keys,
        subject: Subject,
        outcome: &Outcome,
        fanout: u64,
    ) {
        self.add(cpu, subject, outcome.cpu_per_10_000());
        self.add(rate, subject, outcome.rate() * fanout as f64);
        self.add(driver, subject, outcome.driver * 100.0);
        let (name, sent) = (subject.name(), outcome.sent);
        if outcome.refused > 0 {
            self.problem(format!(
                "{name}, {what}: {} of {sent} messages were refused",
                outcome.refused
            ));
        }
        if outcome.disordered > 0 {
            let count = outcome.disordered;
            self.problem(format!(
                "{name}, {what}: {count} messages came out of order or twice"
            ));
        }
    }

    fn add_latency(&mut self, measure: &'static str, subject: Subject, millis: &[f64]) {
        let (p50, p99) = match measure {
            "latency.out" => ("latency.out.p50", "latency.out.p99"),
            "latency.wire" => ("latency.wire.p50", "latency.wire.p99"),
            _ => ("latency.in.p50", "latency.in.p99"),
        };
        self.add(p50, subject, percentile(millis, 50.0));
        self.add(p99, subject, percentile(millis, 99.0));
    }
}
