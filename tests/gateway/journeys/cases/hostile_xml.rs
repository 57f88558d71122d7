//! Ten thousand odd stanzas (issue 2, 'It must show' 4): the stream survives, others notice nothing, every IQ is
//! answered once.

use std::collections::HashMap;

use viaduct_gateway_tests::prelude::*;

use super::hostile_stanzas::{Generator, Odd, targets};
use super::link_fake::Second;

pub(crate) const CASES: &[Case] = &[
    case!(ten_thousand_odd_stanzas_through_the_server)
        .own_world()
        .deadline(240),
    case!(ten_thousand_odd_stanzas_from_a_strange_server).deadline(240),
];

const STANZAS: usize = 10_000;
/// So many are sent before their answers are waited for.
const BATCH: usize = 250;

/// What was asked, and how often it was answered.
#[derive(Default)]
struct Ledger {
    requests: HashMap<String, String>,
    silent: HashMap<String, String>,
    answers: HashMap<String, usize>,
}

impl Ledger {
    fn note(&mut self, odd: Odd) -> String {
        if let Some(id) = odd.request {
            self.requests.insert(id, odd.xml.clone());
        }
        if let Some(id) = odd.silent {
            self.silent.insert(id, odd.xml.clone());
        }
        odd.xml
    }

    fn answered(&mut self, stanzas: &[Element]) {
        let answers = stanzas
            .iter()
            .filter(|stanza| stanza.is_iq() && ["result", "error"].contains(&stanza.kind()));
        for stanza in answers {
            *self.answers.entry(stanza.id().to_owned()).or_default() += 1;
        }
    }

    fn open(&self) -> usize {
        self.requests
            .keys()
            .filter(|id| !self.answers.contains_key(*id))
            .count()
    }

    fn check(&self) -> Result<()> {
        let times = |id: &String| self.answers.get(id).copied().unwrap_or(0);
        let wrong: Vec<String> = self
            .requests
            .iter()
            .filter(|(id, _)| times(id) != 1)
            .map(|(id, xml)| format!("{} answers to {}", times(id), shortened(xml)))
            .chain(
                self.silent
                    .iter()
                    .filter(|(id, _)| times(id) != 0)
                    .map(|(_, xml)| format!("an answer to {}", shortened(xml))),
            )
            .collect();
        ensure!(
            wrong.is_empty(),
            "{} IQs went wrong, such as:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(8)].join("\n")
        );
        ensure!(
            self.requests.len() > 2_000,
            "only {} of them ask for an answer",
            self.requests.len()
        );
        Ok(())
    }
}

fn shortened(xml: &str) -> String {
    xml.chars().take(300).collect()
}

async fn ten_thousand_odd_stanzas_through_the_server(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;
    let streams = t.world().link().connections();

    let mallory = t.client("mallory").await?;
    let mut generator = Generator::for_client(42, targets(&t));
    let mut ledger = Ledger::default();
    for round in 0..STANZAS / BATCH {
        for _ in 0..BATCH {
            let xml = ledger.note(generator.next());
            mallory.send(xml).await?;
        }
        // Somebody else talks meanwhile.
        phone.say(&room, &format!("still here {round}")).await?;
        alice
            .expect_message(&nick, &channel, &format!("still here {round}"))
            .await?;
        t.flush(&alice, &channel, &phone, &room).await?;
        mallory.settle(t.gateway()).await?;
        ledger.answered(&mallory.take_all(|_| true));
    }
    while ledger.open() > 0 {
        let answer = mallory
            .expect(&format!("{} more answers", ledger.open()), |stanza| {
                stanza.is_iq()
            })
            .await;
        match answer {
            Ok(answer) => ledger.answered(&[answer]),
            Err(_) => break,
        }
    }
    ledger.check()?;
    ensure!(
        t.world().link().connections() == streams,
        "the component streams were opened again"
    );
    let others = |stanza: &Element| stanza.is_from(&room) && stanza.kind() == "error";
    phone.expect_none("an error", &room, others).await
}

async fn ten_thousand_odd_stanzas_from_a_strange_server(t: Ctx) -> Result<()> {
    let second = Second::start(&t, "").await?;
    let link = second.attached(GATEWAY).await?;
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let bob = format!("bob@{DOMAIN}/phone");
    link.join(&bob, &room, &nick).await?;

    let from = [
        "mallory@localhost/m",
        "eve@localhost",
        "localhost",
        "m@other.example/x",
        "irc.localhost/x",
    ];
    let from = from.map(str::to_owned).to_vec();
    let mut here = targets(&t);
    // The other domain has a stream of its own.
    here.retain(|jid| jid != FIXED_GATEWAY);
    let mut generator = Generator::for_server(4242, here, from);
    let mut ledger = Ledger::default();
    for round in 0..STANZAS / BATCH {
        for _ in 0..BATCH {
            let odd = generator.next();
            // What pretends to come from the gateway itself goes nowhere.
            let own = odd.xml.contains("from='irc.localhost/x'");
            let odd = if own {
                Odd {
                    request: None,
                    silent: None,
                    ..odd
                }
            } else {
                odd
            };
            link.send(&ledger.note(odd)).await?;
        }
        link.say(&bob, &room, &format!("still here {round}")).await?;
        alice
            .expect_message(&nick, &channel, &format!("still here {round}"))
            .await?;
        alice.say(&channel, &format!("so am I {round}")).await?;
        link.expect(&format!("'so am I {round}'"), |stanza| {
            stanza.body() == Some(format!("so am I {round}"))
        })
        .await?;
        link.settle(&format!("mallory@{DOMAIN}/m")).await?;
        ledger.answered(&link.take_all());
    }
    while ledger.open() > 0 {
        match link.expect("more answers", |stanza| stanza.is_iq()).await {
            Ok(answer) => ledger.answered(&[answer]),
            Err(_) => break,
        }
    }
    ledger.check()?;
    second.only_one_stream_each()?;
    second.stop().await
}
