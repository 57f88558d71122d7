//! Presence between the user and people of the network (XEP-0100 §4.4.1, §5.3.1).

use viaduct_gateway_tests::prelude::*;

use super::registration_support::{befriend, register, send_presence};
use super::stage::Script;

pub(crate) const CASES: &[Case] = &[
    case!(contacts_show_what_is_known_of_them).rows("G45"),
    case!(contacts_who_are_away_say_why).rows("G45"),
    case!(people_speak_from_one_address).rows("G46"),
    case!(absence_is_passed_on).rows("G47"),
    case!(leaving_one_person_is_no_logout).rows("G52"),
];

/// Registers with the real IRC server and waits until the user is logged in.
async fn log_in(t: &Ctx, client: &Client, nick: &str) -> Result<()> {
    register(
        client,
        GATEWAY,
        &[("nick", nick), ("server", t.world().irc_name())],
    )
    .await?;
    client.expect_presence(GATEWAY, "").await?;
    Ok(())
}

/// Adds somebody to the contact list; gives the presence that follows the agreement.
pub(crate) async fn add(client: &Client, person: &str) -> Result<Element> {
    client.roster().await?;
    send_presence(client, person, "subscribe").await?;
    client.expect_presence(person, "subscribed").await?;
    let presence = |stanza: &Element| {
        stanza.is_presence() && stanza.is_from(person) && ["", "unavailable"].contains(&stanza.kind())
    };
    client.expect("their presence", presence).await
}

async fn contacts_show_what_is_known_of_them(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (alice, carol) = (t.irc("alice").await?, t.irc("carol").await?);
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    log_in(&t, &phone, &nick).await?;
    befriend(&phone, GATEWAY).await?;
    phone.join(&t.room(&channel), &nick).await?;

    let (with_us, elsewhere) = (t.person(alice.nick()), t.person(carol.nick()));
    let presence = add(&phone, &with_us).await?;
    ensure!(
        presence.kind().is_empty(),
        "alice is seen in a room: {}",
        presence.xml()
    );
    // People with whom no channel is shared are asked about.
    let presence = add(&phone, &elsewhere).await?;
    ensure!(presence.kind().is_empty(), "carol is there: {}", presence.xml());
    let nowhere = t.person(&t.nick("nobody"));
    let presence = add(&phone, &nowhere).await?;
    ensure!(
        presence.kind() == "unavailable",
        "nobody is there: {}",
        presence.xml()
    );

    // At login the contacts follow the gateway.
    let laptop = t.client_of(&phone, "laptop").await?;
    laptop.expect_presence(GATEWAY, "").await?;
    let presence = laptop.expect_presence(&with_us, "").await?;
    ensure!(
        presence.from() == with_us,
        "from the bare JID: {}",
        presence.xml()
    );
    laptop.expect_presence(&elsewhere, "").await?;
    laptop.expect_presence(&nowhere, "unavailable").await?;
    Ok(())
}

async fn contacts_who_are_away_say_why(t: Ctx) -> Result<()> {
    let welcome = Welcome {
        caps: &["away-notify"],
        ..Welcome::default()
    };
    let s = Script::set_with(&t, &welcome, &["@alice"], "+n").await?;
    let alice = s.server.person("alice");
    s.session.send(":alice!user@host AWAY :at lunch").await?;
    s.flush().await?;
    let presence = add(&s.phone, &alice).await?;
    ensure!(
        presence.kind().is_empty()
            && presence.child_text("show").as_deref() == Some("away")
            && presence.child_text("status").as_deref() == Some("at lunch"),
        "away, in her words: {}",
        presence.xml()
    );
    s.session.send(":alice!user@host AWAY").await?;
    s.flush().await?;
    send_presence(&s.phone, &alice, "probe").await?;
    let presence = s.phone.expect_presence(&alice, "").await?;
    ensure!(
        presence.child_text("show").is_none() && presence.child_text("status").is_none(),
        "back again: {}",
        presence.xml()
    );
    Ok(())
}

async fn people_speak_from_one_address(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    log_in(&t, &phone, &nick).await?;
    phone.join(&t.room(&channel), &nick).await?;
    let person = t.person(alice.nick());
    let presence = add(&phone, &person).await?;
    ensure!(presence.from() == person, "presence from {}", presence.from());
    alice.say(&nick, "one").await?;
    alice.notice(&nick, "two").await?;
    alice.act(&nick, "three").await?;
    for word in ["one", "two", "three"] {
        let wanted =
            |stanza: &Element| stanza.is_message() && stanza.body().is_some_and(|body| body.contains(word));
        let message = phone.expect(word, wanted).await?;
        ensure!(message.from() == person, "'{word}' from {}", message.from());
    }
    // Asked at a resource that nobody gave it, the answer still comes from the address.
    send_presence(&phone, &person, "probe").await?;
    let others = |stanza: &Element| !stanza.is_iq() && stanza.is_from(&person) && stanza.from() != person;
    phone
        .expect_none("another address of alice", GATEWAY, others)
        .await
}

async fn absence_is_passed_on(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    log_in(&t, &phone, &nick).await?;
    let person = t.person(alice.nick());
    let away = |to: &str| {
        tag("presence")
            .attr("to", to)
            .child(tag("show").text("away"))
            .child(tag("status").text("at lunch"))
    };
    let is_away = |line: &Line| line.is("301", &[]) && line.param(1) == nick;

    // The gateway is nobody whom the others would ask.
    phone.send(away(GATEWAY)).await?;
    phone.chat(&person, "presence to the gateway is sent").await?;
    alice
        .expect_message(&nick, alice.nick(), "presence to the gateway is sent")
        .await?;
    alice.say(&nick, "there?").await?;
    alice.expect_none("an absence", is_away).await?;

    // Presence to a person is for people.
    phone.send(away(&person)).await?;
    phone.chat(&person, "presence to a person is sent").await?;
    alice
        .expect_message(&nick, alice.nick(), "presence to a person is sent")
        .await?;
    alice.say(&nick, "and now?").await?;
    let reply = alice.expect("the absence", is_away).await?;
    ensure!(reply.last() == "at lunch", "with its text: {reply}");

    send_presence(&phone, &person, "probe").await?;
    send_presence(&phone, &person, "").await?;
    phone.chat(&person, "back again").await?;
    alice.expect_message(&nick, alice.nick(), "back again").await?;
    alice.say(&nick, "good").await?;
    alice.expect_none("an absence", is_away).await
}

async fn leaving_one_person_is_no_logout(t: Ctx) -> Result<()> {
    let (phone, alice, nick) = (t.client("phone").await?, t.irc("alice").await?, t.nick("bob"));
    let channel = t.channel();
    alice.join(&channel).await?;
    log_in(&t, &phone, &nick).await?;
    phone.join(&t.room(&channel), &nick).await?;
    let person = t.person(alice.nick());
    send_presence(&phone, &person, "").await?;
    send_presence(&phone, &person, "unavailable").await?;
    phone.chat(&person, "still here").await?;
    alice.expect_message(&nick, alice.nick(), "still here").await?;
    phone.say(&t.room(&channel), "in the room, too").await?;
    alice.expect_message(&nick, &channel, "in the room, too").await?;
    alice
        .expect_none("a leave", |line| {
            ["QUIT", "PART"].contains(&line.command.as_str()) && line.nick() == nick
        })
        .await?;
    let gone =
        |stanza: &Element| stanza.is_presence() && stanza.kind() == "unavailable" && stanza.from() == GATEWAY;
    phone.expect_none("a logout", GATEWAY, gone).await
}
