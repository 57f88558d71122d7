//! Two gateways that are made to feed each other (promises, part C): by a bot on XMPP that copies a room of the one into a
//! room of the other, and a bot on IRC that copies the channels back.

use viaduct_gateway_tests::prelude::*;

pub(crate) const CASES: &[Case] = &[case!(bridges_in_a_circle_do_not_go_on_for_ever)];

/// The words of somebody, as bridges repeat them.
fn repeated(nick: &str, words: &str) -> String {
    format!("<{nick}> {words}")
}

async fn bridges_in_a_circle_do_not_go_on_for_ever(t: Ctx) -> Result<()> {
    let (here, there) = (t.channel(), t.channel_named("there"));
    let (room, far_room) = (t.room(&here), t.fixed_room(&there));
    let (nick, far_nick) = (t.nick("bot"), t.nick("farbot"));
    let (alice, relay) = (t.irc("alice").await?, t.irc("relay").await?);
    for channel in [&here, &there] {
        relay.join(channel).await?;
    }
    alice.join(&here).await?;
    let bot = t.client("bot").await?;
    bot.join(&room, &nick).await?;
    bot.join(&far_room, &far_nick).await?;

    alice.say(&here, "has anybody seen my keys?").await?;
    let (mut rounds, from) = (0, format!("{room}/"));
    let refused = loop {
        // From the room here to the room there…
        let heard = |stanza: &Element| {
            let mine = stanza.is_from(&format!("{room}/{nick}"));
            stanza.kind() == "groupchat" && stanza.is_from(&room) && !mine && stanza.body().is_some()
        };
        let heard = bot.expect("a message here", heard).await?;
        let who = heard.from().strip_prefix(&from).unwrap_or_default().to_owned();
        let id = bot
            .say(&far_room, &repeated(&who, &heard.body().unwrap_or_default()))
            .await?;
        let answer = bot.expect("an answer", |stanza| stanza.is_message() && stanza.id() == id);
        let answer = answer.await?;
        if answer.kind() == "error" {
            break answer;
        }
        // … and on IRC back.
        let said =
            |line: &Line| line.command == "PRIVMSG" && line.param(0) == there && line.nick() == far_nick;
        let said = relay.expect("the message there", said).await?;
        relay.say(&here, &repeated(said.nick(), said.last())).await?;
        rounds += 1;
        ensure!(rounds < 20, "it goes on and on: {said}");
    };
    let error = refused.error().context("it is an error")?;
    ensure!(
        error.text.is_some_and(|text| text.contains("come round")),
        "it is explained: {}",
        refused.xml()
    );
    ensure!(rounds > 1, "people may quote each other");
    // The circle is broken, and everything else goes on.
    bot.say(&far_room, "found them").await?;
    relay.expect_message(&far_nick, &there, "found them").await?;
    Ok(())
}
