//! kill -9 of the gateway at ten moments during traffic both ways (issue 2, 'It must show' 5).
//!
//! The ledger: each message of the user was reflected and is on IRC once; or was refused with an error and is not
//! there; or was said to be uncertain; or died unanswered on the way to the gateway, and is not there. (The server
//! tells nobody about what it wrote into a socket that then broke. What the gateway has read it must account for; that
//! there may be more, the user is told once after each kill.)

use std::collections::HashMap;

use viaduct_gateway_tests::prelude::*;

use super::faults::{archive, bodies_of};
use super::hostile_dice::Dice;

pub(crate) const CASES: &[Case] = &[case!(the_gateway_is_killed_at_ten_moments)
    .own_world()
    .deadline(240)];

const KILLS: usize = 10;
/// Messages each way around each kill.
const ROUND: usize = 24;

/// What became of a message of the user, as its client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Reflected,
    Refused,
    Uncertain,
    Unanswered,
}

async fn the_gateway_is_killed_at_ten_moments(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let mut dice = Dice::new(2026);
    let (mut mine, mut hers, mut seen, mut had) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut floor = Vec::new();
    for round in 0..KILLS {
        let moment = dice.below(ROUND);
        for number in 0..ROUND {
            let text = format!("mine {round}.{number}");
            let id = phone.say(&room, &text).await?;
            mine.push((id, text));
            hers.push(format!("hers {round}.{number}"));
            alice.say(&channel, &hers[hers.len() - 1]).await?;
            if number == moment {
                // Somewhere on the way: at once, or when some part of the traffic is through.
                let (some_id, some) = mine[mine.len() - 1 - dice.below(number + 1)].clone();
                match round % 4 {
                    0 => phone.settle(DOMAIN).await?,
                    1 => on_irc(&alice, &nick, &some, &mut seen).await?,
                    2 => until(&phone, &mut had, |stanza| stanza.id() == some_id).await?,
                    _ => {
                        let some = &hers[hers.len() - 1 - dice.below(number + 1)];
                        until(&phone, &mut had, |stanza| stanza.body().as_ref() == Some(some)).await?;
                    }
                }
                t.note(&format!("kill {round} after {number} messages"));
                t.world().gateway().kill().await?;
            }
        }
        alice.fence().await?;
        alice.take_all(|line| line.command == "JOIN");
        t.world().gateway().start().await?;
        alice.expect_join(&nick, &channel).await?;
        t.world().await_gateway().await?;
        // The client is still in, without having joined again, and what is said from here on arrives.
        hers.push(format!("hers {round}.fence"));
        alice.say(&channel, &hers[hers.len() - 1]).await?;
        until(&phone, &mut had, |stanza| stanza.body().as_ref() == hers.last()).await?;
        floor.push(hers.len());
        let text = format!("mine {round}.fence");
        let id = phone.say(&room, &text).await?;
        mine.push((id.clone(), text));
        until(&phone, &mut had, |stanza| {
            stanza.id() == id && stanza.kind() == "groupchat"
        })
        .await?;
    }
    phone.settle(t.gateway()).await?;
    alice.fence().await?;
    seen.extend(alice.take_all(|line| line.command == "PRIVMSG" && line.nick() == nick));

    had.extend(phone.take_all(|stanza| stanza.is_message()));
    let stanzas = had;
    let told = stanzas
        .iter()
        .filter(|stanza| is_told(stanza, t.gateway()))
        .count();
    ensure!(told == KILLS, "of {KILLS} kills the user was told {told} times");
    ledger(&mine, &stanzas, &seen)?;
    incoming(&stanzas, &room, alice.nick(), &hers)?;
    no_gap_while_attached(&stanzas, &room, alice.nick(), &hers, &floor)?;
    let ids: Vec<String> = archive(&phone, &room, 100)
        .await?
        .into_iter()
        .map(|(id, _)| id)
        .collect();
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    ensure!(unique.len() == ids.len(), "the archive has an id twice");
    let left = |stanza: &Element| stanza.is_presence() && stanza.has_status(110);
    phone.expect_none("a leave or join", t.gateway(), left).await
}

/// Whether the gateway says that messages may be lost.
fn is_told(stanza: &Element, gateway: &str) -> bool {
    stanza.is_from(gateway)
        && stanza.kind() == "chat"
        && stanza
            .body()
            .is_some_and(|text| text.contains("may not have arrived"))
}

/// Takes messages, in order, up to the one that is meant.
async fn until(phone: &Client, had: &mut Vec<Element>, last: impl Fn(&Element) -> bool) -> Result<()> {
    loop {
        had.push(
            phone
                .expect("the next message", |stanza| stanza.is_message())
                .await?,
        );
        if had.last().is_some_and(&last) {
            return Ok(());
        }
    }
}

/// Takes what the user says on IRC, in order, up to the given text.
async fn on_irc(alice: &IrcPeer, nick: &str, text: &str, seen: &mut Vec<Line>) -> Result<()> {
    loop {
        let next = |line: &Line| line.command == "PRIVMSG" && line.nick() == nick;
        seen.push(alice.expect(&format!("'{text}' on IRC"), next).await?);
        if seen.last().is_some_and(|line| line.last() == text) {
            return Ok(());
        }
    }
}

fn ledger(mine: &[(String, String)], stanzas: &[Element], seen: &[Line]) -> Result<()> {
    let mut on_irc: HashMap<&str, usize> = HashMap::new();
    for line in seen {
        *on_irc
            .entry(line.params.last().map_or("", String::as_str))
            .or_default() += 1;
    }
    let (mut problems, mut counts) = (Vec::new(), HashMap::new());
    for (id, text) in mine {
        let answers: Vec<&Element> = stanzas.iter().filter(|stanza| stanza.id() == id).collect();
        let reflected: Vec<_> = answers
            .iter()
            .filter(|stanza| stanza.kind() == "groupchat")
            .collect();
        let errors: Vec<_> = answers.iter().filter_map(|stanza| stanza.error()).collect();
        // Twice the same stanza is one, told again after the restart.
        let uncertain = errors.iter().any(|error| {
            error
                .text
                .as_deref()
                .is_some_and(|text| text.contains("may not have arrived"))
        });
        let fate = match (reflected.is_empty(), errors.is_empty()) {
            (false, true) => Fate::Reflected,
            (true, false) if uncertain => Fate::Uncertain,
            (true, false) => Fate::Refused,
            (true, true) => Fate::Unanswered,
            (false, false) => {
                problems.push(format!("'{text}' was reflected and refused: {errors:?}"));
                continue;
            }
        };
        *counts.entry(format!("{fate:?}")).or_insert(0) += 1;
        let times = on_irc.get(text.as_str()).copied().unwrap_or(0);
        let balanced = match fate {
            Fate::Reflected => times == 1,
            Fate::Uncertain => times <= 1,
            Fate::Refused | Fate::Unanswered => times == 0,
        };
        if !balanced {
            problems.push(format!("'{text}' is {fate:?} and {times} times on IRC"));
        }
    }
    ensure!(
        problems.is_empty(),
        "{counts:?}; the ledger does not balance:\n{}",
        problems.join("\n")
    );
    let reflected = counts.get("Reflected").copied().unwrap_or(0);
    ensure!(reflected > KILLS, "hardly anything arrived: {counts:?}");
    let order: Vec<&str> = seen.iter().map(Line::last).collect();
    let place = |text: &str| mine.iter().position(|(_, other)| other == text);
    ensure!(
        order.iter().map(|text| place(text)).is_sorted(),
        "out of order on IRC: {order:?}"
    );
    Ok(())
}

/// What came from IRC is in order, and nothing has two ids.
fn incoming(stanzas: &[Element], room: &str, alice: &str, hers: &[String]) -> Result<()> {
    let got = bodies_of(stanzas, room, &format!("{room}/{alice}"))?;
    let places: Vec<usize> = got
        .iter()
        .filter_map(|body| hers.iter().position(|said| said == body))
        .collect();
    let rises = places.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(rises, "out of order, or under two ids: {got:?}");
    Ok(())
}

/// In each round, what is missing is one stretch: from the kill until the user was back in the channel.
fn no_gap_while_attached(
    stanzas: &[Element],
    room: &str,
    alice: &str,
    hers: &[String],
    floor: &[usize],
) -> Result<()> {
    let got = bodies_of(stanzas, room, &format!("{room}/{alice}"))?;
    let mut start = 0;
    for end in floor {
        let round: Vec<bool> = hers[start..*end].iter().map(|said| got.contains(said)).collect();
        let changes = round.windows(2).filter(|pair| pair[0] != pair[1]).count();
        ensure!(
            changes <= 2 && (changes < 2 || round[0]),
            "more than one gap in {:?}: {round:?}",
            &hers[start..*end]
        );
        start = *end;
    }
    Ok(())
}
