//! Programs in channels (IRC's bot-mode).

use viaduct_gateway_tests::prelude::*;

use super::irc_connection_script::seat;

pub(crate) const CASES: &[Case] = &[case!(bots_wear_a_hat)];

/// Programs wear a hat (XEP-0317), as IRC's bot-mode tells.
async fn bots_wear_a_hat(t: Ctx) -> Result<()> {
    const BOTS: &Welcome<'static> = &Welcome {
        caps: &["message-tags"],
        isupport: &["CHANTYPES=#", "PREFIX=(ov)@+", "BOT=b"],
    };
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), BOTS).await?;
    let alice = format!("{}/alice", seat.room);
    let hats = |stanza: &Element| {
        let hat = stanza.find("hat", "urn:xmpp:hats:0");
        hat.and_then(|hat| hat.attr("title").map(str::to_owned))
    };
    let line = format!("@bot :alice!u@h PRIVMSG {} :beep", seat.channel);
    seat.session.send(line).await?;
    let shown = seat
        .phone
        .expect("her hat", |stanza| {
            stanza.is_presence() && stanza.is_from(&alice) && hats(stanza).is_some()
        })
        .await?;
    ensure!(hats(&shown).as_deref() == Some("Bot"), "{}", shown.xml());
    seat.phone.expect_body(&alice, "beep").await?;
    // Who comes later sees it at once, and it is not told again and again.
    let desk = t.client_of(&seat.phone, "desk").await?;
    let joined = desk.join(&seat.room, &seat.nick).await?;
    let there = joined.occupants.iter().find(|presence| presence.is_from(&alice));
    ensure!(there.and_then(hats).is_some(), "it is there at the join");
    let line = format!("@bot :alice!u@h PRIVMSG {} :boop", seat.channel);
    seat.session.send(line).await?;
    seat.phone.expect_body(&alice, "boop").await?;
    let again = |stanza: &Element| stanza.is_presence() && stanza.is_from(&alice);
    seat.phone
        .expect_none("her presence again", t.gateway(), again)
        .await
}
