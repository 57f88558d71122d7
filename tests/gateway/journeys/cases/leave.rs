//! Leaving a room (XEP-0045 §7.14).

use viaduct_gateway_tests::prelude::*;

pub(crate) const CASES: &[Case] = &[case!(farewell_reaches_the_channel).rows("M54")];

async fn farewell_reaches_the_channel(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&room, &nick).await?;

    let gone = phone.leave(&room, &nick, "time for bed").await?;
    ensure!(gone.nick() == nick, "{}", gone.xml());
    let wanted = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == nick;
    let left = alice.expect("the leave", wanted).await?;
    ensure!(
        left.last().contains("time for bed"),
        "the farewell is passed on: {left}"
    );
    Ok(())
}
