//! What the operator says of registration (XEP-0077 §3.1, §3.2, §11): closed, and not left in-band.

use std::fs;
use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::registration_support::{
    by_form, ensure_error, is_registered, question, register, removal, send_presence,
};

pub(crate) const CASES: &[Case] = &[case!(a_closed_gateway_goes_on_for_who_is_registered)
    .rows("G12 G76 G41")
    .own_world()];

/// Ends the gateway and starts it with these lines more in the table of [`GATEWAY`].
async fn restart_with(t: &Ctx, lines: &str) -> Result<()> {
    let file = t.world().scratch().path().join("viaduct/viaduct.toml");
    let text = fs::read_to_string(&file).context("the gateway's configuration")?;
    let domain = format!("domain = \"{GATEWAY}\"\n");
    ensure!(text.contains(&domain), "the table of {GATEWAY} is there: {text}");
    fs::write(&file, text.replace(&domain, &format!("{domain}{lines}")))?;
    let status = t.world().gateway().terminate(Duration::from_secs(5)).await?;
    ensure!(status.success(), "{status}");
    t.world().gateway().start().await?;
    t.world().await_gateway().await
}

async fn advertises(client: &Client) -> Result<bool> {
    let features = client.disco_info(GATEWAY, None).await?.features();
    Ok(features.iter().any(|feature| feature == ns::REGISTER))
}

async fn a_closed_gateway_goes_on_for_who_is_registered(t: Ctx) -> Result<()> {
    let (old, new) = (t.client("old").await?, t.client("new").await?);
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let fields = [("nick", nick.as_str()), ("server", t.world().irc_name())];
    register(&old, GATEWAY, &fields).await?;
    restart_with(&t, "registration = \"closed\"\nallow_unregister = false\n").await?;

    ensure!(!advertises(&new).await?, "nobody is invited to register");
    for answer in [
        new.get(GATEWAY, question()).await?,
        new.set(GATEWAY, by_form(&fields)).await?,
    ] {
        let words = ensure_error(&answer, "service-unavailable", "cancel", "503")?;
        ensure!(words.contains("closed"), "it says why: {words}");
    }
    new.roster().await?;
    send_presence(&new, GATEWAY, "subscribe").await?;
    new.expect_presence(GATEWAY, "unsubscribed").await?;

    ensure!(advertises(&old).await?, "who is registered may change that");
    ensure!(is_registered(&old, GATEWAY).await?, "who was registered still is");
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    old.join(&t.room(&channel), &nick).await?;
    alice.expect_join(&nick, &channel).await?;

    let answer = old.set(GATEWAY, removal()).await?;
    let words = ensure_error(&answer, "not-allowed", "cancel", "405")?;
    ensure!(
        words.contains("operator"),
        "it says who can do something: {words}"
    );
    ensure!(is_registered(&old, GATEWAY).await?, "nothing has happened");
    Ok(())
}
