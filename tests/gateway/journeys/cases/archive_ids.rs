//! The ids of messages and people: stanza-id (XEP-0359) and occupant-id (XEP-0421).

use std::collections::HashSet;
use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::archive::query;
use super::stage::{Stage, is_presence_of};

pub(crate) const CASES: &[Case] = &[
    case!(every_copy_has_the_same_ids).rows("M34 M106 M107"),
    case!(forged_ids_are_replaced).rows("M43 M106 M107"),
    case!(people_keep_their_occupant_id).rows("M106"),
    case!(occupant_ids_outlive_the_gateway).rows("M106").own_world(),
];

async fn every_copy_has_the_same_ids(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.say(&s.channel, "by alice").await?;
    let by_alice = s.phone.expect_body(&s.room, "by alice").await?;
    s.phone.say(&s.room, "by bob").await?;
    let by_bob = s.phone.expect_body(&s.me(), "by bob").await?;
    let live = [by_alice, by_bob];

    let laptop = t.client_of(&s.phone, "laptop").await?;
    let history = laptop.join(&s.room, &s.nick).await?.history;
    let archive = query(&s.phone, &s.room, &[], "").await?;
    let messages = archive.messages();
    ensure!(
        history.len() == 2 && messages.len() == 2,
        "two messages: {history:?} {messages:?}"
    );

    let mut all = HashSet::new();
    for (at, message) in live.iter().enumerate() {
        let id = message.stanza_id(&s.room).with_context(|| message.xml())?;
        let occupant = message.occupant_id().with_context(|| message.xml())?;
        ensure!(
            all.insert(id) && all.insert(occupant),
            "different ones: {}",
            message.xml()
        );
        ensure!(archive.ids()[at] == id, "the archive's: {:?}", archive.ids());
        for copy in [message, &history[at], messages[at]] {
            let ids = copy.find_all("stanza-id", ns::SID).len();
            let occupants = copy.find_all("occupant-id", ns::OCCUPANT_ID).len();
            ensure!(
                (ids, occupants) == (1, 1)
                    && copy.stanza_id(&s.room) == Some(id)
                    && copy.occupant_id() == Some(occupant)
                    && copy.id() == message.id(),
                "{id} and {occupant}: {}",
                copy.xml()
            );
        }
    }
    let features = s.phone.disco_info(&s.room, None).await?.features();
    for feature in [ns::SID, ns::OCCUPANT_ID] {
        ensure!(features.contains(&feature.to_owned()), "{features:?}");
    }
    Ok(())
}

async fn forged_ids_are_replaced(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let laptop = s.laptop(&t).await?;
    let forged = tag("stanza-id")
        .ns(ns::SID)
        .attr("by", &s.room)
        .attr("id", "forged");
    let occupant = tag("occupant-id").ns(ns::OCCUPANT_ID).attr("id", "forged");
    let message = tag("message")
        .attr("type", "groupchat")
        .attr("to", &s.room)
        .attr("id", "forgery")
        .child(tag("body").text("who am I?"))
        .child(&forged)
        .child(&occupant);
    s.phone.send(message).await?;
    let mine = s.joined.me.occupant_id().with_context(|| s.joined.me.xml())?;
    for client in [&s.phone, &laptop] {
        let copy = client.expect_body(&s.me(), "who am I?").await?;
        ensure!(
            copy.find_all("stanza-id", ns::SID).len() == 1
                && copy.stanza_id(&s.room).is_some_and(|id| id != "forged"),
            "one stanza-id, the room's: {}",
            copy.xml()
        );
        ensure!(
            copy.find_all("occupant-id", ns::OCCUPANT_ID).len() == 1 && copy.occupant_id() == Some(mine),
            "one occupant-id, bob's: {}",
            copy.xml()
        );
    }
    // The same in presence.
    s.phone
        .send(
            tag("presence")
                .attr("to", s.me())
                .child("<show>dnd</show>")
                .child(occupant),
        )
        .await?;
    for client in [&s.phone, &laptop] {
        let changed = |stanza: &Element| {
            is_presence_of(&s.me())(stanza) && stanza.child_text("show").as_deref() == Some("dnd")
        };
        let presence = client.expect("the changed presence", changed).await?;
        ensure!(
            presence.find_all("occupant-id", ns::OCCUPANT_ID).len() == 1
                && presence.occupant_id() == Some(mine),
            "{}",
            presence.xml()
        );
    }
    Ok(())
}

async fn people_keep_their_occupant_id(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let carol = s.carol(&t).await?;
    let laptop = t.client_of(&s.phone, "laptop").await?;
    let joined = laptop.join(&s.room, &s.nick).await?;
    let id_of = |presence: &Element| -> Result<String> {
        let id = presence.occupant_id().with_context(|| presence.xml())?;
        ensure!(!id.is_empty() && id.chars().count() <= 128, "{}", presence.xml());
        ensure!(
            !id.contains("alice") && !id.contains("bob") && !id.contains("carol"),
            "an id that tells nothing: {id}"
        );
        Ok(id.to_owned())
    };
    let alice = id_of(joined.occupant(s.alice.nick()).context("alice")?)?;
    let carols = id_of(joined.occupant(carol.nick()).context("carol")?)?;
    let mine = id_of(&joined.me)?;
    ensure!(
        HashSet::from([&alice, &carols, &mine]).len() == 3,
        "one for each: {alice} {carols} {mine}"
    );
    ensure!(id_of(&s.joined.me)? == mine, "the same for every resource");

    // Over a change of the nickname, in every stanza about it.
    let caroline = t.nick("caroline");
    carol.send(format!("NICK {caroline}")).await?;
    let gone = s
        .phone
        .expect_presence(&s.occupant(carol.nick()), "unavailable")
        .await?;
    let back = s.phone.expect_presence(&s.occupant(&caroline), "").await?;
    carol.say(&s.channel, "it is still me").await?;
    let said = s.phone.expect_body(&s.room, "it is still me").await?;
    for stanza in [&gone, &back, &said] {
        ensure!(id_of(stanza)? == carols, "{}", stanza.xml());
    }
    // The own one, too.
    let robert = t.nick("robert");
    s.phone.change_nick(&s.room, &robert).await?;
    let back = s.phone.expect_presence(&s.occupant(&robert), "").await?;
    ensure!(id_of(&back)? == mine, "{}", back.xml());

    // And when somebody comes back.
    s.alice.send(format!("PART {}", s.channel)).await?;
    let gone = s
        .phone
        .expect_presence(&s.occupant(s.alice.nick()), "unavailable")
        .await?;
    s.alice.join(&s.channel).await?;
    let back = s.phone.expect_presence(&s.occupant(s.alice.nick()), "").await?;
    for stanza in [&gone, &back] {
        ensure!(id_of(stanza)? == alice, "{}", stanza.xml());
    }

    // In another room the same person, under the same name, has another one.
    let other = t.channel_named("other");
    s.alice.join(&other).await?;
    let elsewhere = s.phone.join(&t.room(&other), &robert).await?;
    let there = elsewhere.occupant(s.alice.nick()).context("alice")?;
    ensure!(id_of(there)? != alice, "{}", there.xml());
    ensure!(id_of(&elsewhere.me)? != mine, "{}", elsewhere.me.xml());
    Ok(())
}

async fn occupant_ids_outlive_the_gateway(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    s.alice.say(&s.channel, "before").await?;
    let before = s.phone.expect_body(&s.room, "before").await?;
    // Somebody goes by another name than the one they came with.
    let (carol, caroline) = (s.carol(&t).await?, t.nick("caroline"));
    carol.say(&s.channel, "it is me").await?;
    let carols = s.phone.expect_body(&s.room, "it is me").await?;
    carol.send(format!("NICK {caroline}")).await?;
    s.phone.expect_presence(&s.occupant(&caroline), "").await?;
    s.flush(&t).await?;

    let gateway = t.world().gateway();
    gateway.terminate(Duration::from_secs(10)).await?;
    gateway.start().await?;
    t.world().await_gateway().await?;
    s.alice.expect_join(&s.nick, &s.channel).await?;

    s.alice.say(&s.channel, "after").await?;
    let after = s.phone.expect_body(&s.room, "after").await?;
    ensure!(
        before.occupant_id().is_some() && after.occupant_id() == before.occupant_id(),
        "{} and {}",
        before.xml(),
        after.xml()
    );
    carol.say(&s.channel, "it is still me").await?;
    let still = s
        .phone
        .expect_body(&s.occupant(&caroline), "it is still me")
        .await?;
    ensure!(
        carols.occupant_id().is_some() && still.occupant_id() == carols.occupant_id(),
        "{} and {}",
        carols.xml(),
        still.xml()
    );
    s.phone.leave(&s.room, &s.nick, "").await?;
    let again = s.phone.join(&s.room, &s.nick).await?;
    ensure!(
        again.me.occupant_id() == s.joined.me.occupant_id(),
        "{}",
        again.me.xml()
    );
    let alice = again.occupant(s.alice.nick()).context("alice")?;
    ensure!(alice.occupant_id() == before.occupant_id(), "{}", alice.xml());
    Ok(())
}
