//! Self-ping (XEP-0410).

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::stage::{Stage, granted, refused};

pub(crate) const CASES: &[Case] = &[
    case!(a_self_ping_tells_who_is_in).rows("M105"),
    case!(a_self_ping_after_a_kick_tells_it).rows("M105"),
    case!(who_waits_for_the_network_is_still_in)
        .rows("M105")
        .own_world(),
];

async fn ping(client: &Client, to: &str) -> Result<Element> {
    client.get(to, tag("ping").ns(ns::PING)).await
}

async fn a_self_ping_tells_who_is_in(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let feature = "http://jabber.org/protocol/muc#self-ping-optimization".to_owned();
    let features = s.phone.disco_info(&s.room, None).await?.features();
    ensure!(features.contains(&feature), "{features:?}");
    granted(&ping(&s.phone, &s.me()).await?)?;

    // Neither somebody else nor another resource of the same user is in.
    let stranger = t.client("stranger").await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    for client in [&stranger, &laptop] {
        refused(&ping(client, &s.me()).await?, "not-acceptable")?;
    }
    refused(
        &ping(&stranger, &s.occupant(s.alice.nick())).await?,
        "not-acceptable",
    )?;
    laptop.join(&s.room, &s.nick).await?;
    granted(&ping(&laptop, &s.me()).await?)?;

    // Under a name that is not the own one there is somebody else, or nobody.
    let alice = s.occupant(s.alice.nick());
    let pong = async {
        let asked = s
            .alice
            .expect("a ping", |line| line.last().starts_with("\u{1}PING"))
            .await?;
        s.alice.notice(&s.nick, asked.last()).await
    };
    let (answer, ()) = tokio::try_join!(ping(&s.phone, &alice), pong)?;
    granted(&answer)?;
    refused(&ping(&s.phone, &s.occupant("nobody")).await?, "item-not-found")?;

    s.phone.leave(&s.room, &s.nick, "").await?;
    refused(&ping(&s.phone, &s.me()).await?, "not-acceptable")?;
    granted(&ping(&laptop, &s.me()).await?)
}

async fn a_self_ping_after_a_kick_tells_it(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice
        .send(format!("KICK {} {} :out", s.channel, s.nick))
        .await?;
    s.phone.expect_presence(&s.me(), "unavailable").await?;
    refused(&ping(&s.phone, &s.me()).await?, "not-acceptable")?;
    s.phone.join(&s.room, &s.nick).await?;
    granted(&ping(&s.phone, &s.me()).await?)
}

async fn who_waits_for_the_network_is_still_in(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    // Connections break, and new ones lead nowhere.
    t.world().irc_link().set(Way::Down, Flow::Stall);
    t.world().irc_link().cut();
    s.alice.expect_quit(&s.nick).await?;
    let lost = |stanza: &Element| stanza.from() == s.room && stanza.body().is_some();
    s.phone.expect("that the connection was lost", lost).await?;
    granted(&ping(&s.phone, &s.me()).await?).context("the network is away")?;
    refused(&ping(&laptop, &s.me()).await?, "not-acceptable")?;

    // A gateway that was restarted meanwhile does not know yet who else is in the room.
    let gateway = t.world().gateway();
    gateway.terminate(Duration::from_secs(10)).await?;
    gateway.start().await?;
    t.world().await_gateway().await?;
    granted(&ping(&s.phone, &s.me()).await?).context("the network is away, and the gateway new")?;
    refused(&ping(&laptop, &s.me()).await?, "not-acceptable")
}
