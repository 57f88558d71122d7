//! What the user has read, between clients of the gateway and other clients of the network (XEP-0333, draft/read-marker).

use viaduct_gateway_tests::prelude::*;

use super::archive::query;
use super::irc_connection_script::seat;

pub(crate) const CASES: &[Case] = &[case!(what_was_read_is_known_on_both_sides)];

const MARKERS: &str = "urn:xmpp:chat-markers:0";

const WELCOME: &Welcome<'static> = &Welcome {
    caps: &["message-tags", "server-time", "draft/read-marker"],
    isupport: &["CHANTYPES=#", "PREFIX=(ov)@+"],
};

async fn what_was_read_is_known_on_both_sides(t: Ctx) -> Result<()> {
    let server = t.scripted().await?;
    let seat = seat(&t, &server, &server.room(&t.channel()), WELCOME).await?;
    let said = async |id: &str, second: u8| {
        let time = format!("2026-01-02T03:04:{second:02}.678Z");
        let line = format!(
            "@msgid={id};time={time} :alice!u@h PRIVMSG {} :words {id}",
            seat.channel
        );
        seat.session.send(line).await?;
        let shown = seat
            .phone
            .expect_body(&format!("{}/alice", seat.room), &format!("words {id}"))
            .await?;
        ensure!(shown.has_child("markable", MARKERS), "{}", shown.xml());
        anyhow::Ok(format!("timestamp={time}"))
    };
    let (first, second) = (said("A-1", 5).await?, said("A-2", 6).await?);

    let marker = tag("displayed").ns(MARKERS).attr("id", "A-1");
    let message = tag("message")
        .attr("type", "groupchat")
        .attr("to", &seat.room)
        .attr("id", seat.phone.fresh_id());
    seat.phone.send(message.child(marker)).await?;
    let wanted = |line: &Line| line.is("MARKREAD", &[&seat.channel, &first]);
    seat.session
        .expect("the time of the first message", wanted)
        .await?;

    // The server confirms it, and then tells what another client has read.
    for stamp in [&first, &second] {
        let line = format!(":irc.test MARKREAD {} {stamp}", seat.channel);
        seat.session.send(line).await?;
    }
    let from = format!("{}/{}", seat.room, seat.nick);
    let wanted = |stanza: &Element| stanza.is_from(&from) && stanza.has_child("displayed", MARKERS);
    let shown = seat.phone.expect("a marker of the user's own", wanted).await?;
    let displayed = shown
        .get_child("displayed", MARKERS)
        .with_context(|| shown.xml())?;
    ensure!(
        displayed.attr("id") == Some("A-2"),
        "only what is new: {}",
        shown.xml()
    );
    let page = query(&seat.phone, &seat.room, &[], "").await?;
    ensure!(
        page.ids() == ["A-1", "A-2"],
        "no archive has it: {:?}",
        page.ids()
    );
    Ok(())
}
