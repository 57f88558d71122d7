//! Messages in rooms (XEP-0045 §7.4).

use viaduct_gateway_tests::prelude::*;

pub(crate) const CASES: &[Case] = &[case!(words_go_both_ways).rows("M38")];

async fn words_go_both_ways(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;

    phone.say(&room, "hello from XMPP").await?;
    alice.expect_message(&nick, &channel, "hello from XMPP").await?;
    let reflection = phone.expect_body(&room, "hello from XMPP").await?;
    ensure!(
        reflection.from() == format!("{room}/{nick}"),
        "reflected from {}",
        reflection.from()
    );

    alice.say(&channel, "hello from IRC").await?;
    let message = phone.expect_body(&room, "hello from IRC").await?;
    ensure!(
        message.from() == format!("{room}/{}", alice.nick()),
        "from {}",
        message.from()
    );
    ensure!(message.kind() == "groupchat", "type {}", message.kind());

    // Once each.
    t.flush(&alice, &channel, &phone, &room).await?;
    let again = |stanza: &Element| stanza.is_from(&room) && stanza.body().is_some();
    phone.expect_none("a second copy", &room, again).await?;
    alice
        .expect_none("a second copy", |line| line.command == "PRIVMSG")
        .await
}
