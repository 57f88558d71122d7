//! People of the network in the contact list (XEP-0100 §4.6, §4.7; RFC 6121 §4.3).

use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::login_contacts::add;
use super::registration_support::{ensure_error, send_presence};
use super::stage::{Script, answer_modes, greet};

pub(crate) const CASES: &[Case] = &[
    case!(a_contact_is_shown_as_the_server_tells).rows("G45 G55 G59 G64"),
    case!(contacts_are_watched_again_after_a_reconnect).rows("G55"),
    case!(contacts_outlive_a_restart)
        .rows("G55 G64")
        .own_world()
        .only(&[Backend::Prosody]),
    case!(who_can_be_nobody_is_refused).rows("G57 G64"),
];

const MONITOR: Welcome<'_> = Welcome {
    caps: &["away-notify", "extended-monitor"],
    isupport: &["CHANTYPES=#", "CASEMAPPING=ascii", "MONITOR=100", "NICKLEN=30"],
};

async fn a_contact_is_shown_as_the_server_tells(t: Ctx) -> Result<()> {
    let s = Script::set_with(&t, &MONITOR, &["alice"], "+n").await?;
    let (phone, carol) = (&s.phone, s.server.person("carol"));
    let about_carol = |stanza: &Element| stanza.is_presence() && stanza.is_from(&carol);
    phone.roster().await?;
    // Who has not subscribed is shown nothing. (That they have not, servers keep from clients who know it.)
    send_presence(phone, &carol, "probe").await?;
    phone.expect_none("carol", GATEWAY, about_carol).await?;

    send_presence(phone, &carol, "subscribe").await?;
    s.session.expect_command("MONITOR", &["+", "carol"]).await?;
    s.session
        .send(format!(":irc.test 730 {} :Carol!u@h", s.nick))
        .await?;
    phone.expect_presence(&carol, "subscribed").await?;
    let here = phone.expect_presence(&carol, "").await?;
    ensure!(
        here.from() == carol && here.child_text("show").is_none(),
        "{}",
        here.xml()
    );
    s.session.send(":Carol!u@h AWAY :at lunch").await?;
    let away = phone.expect_presence(&carol, "").await?;
    ensure!(
        away.child_text("show").as_deref() == Some("away")
            && away.child_text("status").as_deref() == Some("at lunch"),
        "{}",
        away.xml()
    );
    // A probe is answered from what is known: the server is not asked again.
    send_presence(phone, &carol, "probe").await?;
    let again = phone.expect_presence(&carol, "").await?;
    ensure!(
        again.child_text("status").as_deref() == Some("at lunch"),
        "{}",
        again.xml()
    );
    s.session.send(format!(":irc.test 731 {} :carol", s.nick)).await?;
    phone.expect_presence(&carol, "unavailable").await?;
    // What is no news is not told.
    s.session.send(format!(":irc.test 731 {} :carol", s.nick)).await?;
    s.flush().await?;
    phone.expect_none("more of carol", &s.room, about_carol).await?;

    send_presence(phone, &carol, "unsubscribe").await?;
    s.session.expect_command("MONITOR", &["-", "carol"]).await?;
    phone.settle(GATEWAY).await?;
    phone.take_all(about_carol);
    s.session
        .send(format!(":irc.test 730 {} :carol!u@h", s.nick))
        .await?;
    s.flush().await?;
    phone.expect_none("carol", &s.room, about_carol).await
}

async fn contacts_are_watched_again_after_a_reconnect(t: Ctx) -> Result<()> {
    let s = Script::set_with(&t, &MONITOR, &["alice"], "+n").await?;
    let (phone, carol) = (&s.phone, s.server.person("carol"));
    phone.roster().await?;
    send_presence(phone, &carol, "subscribe").await?;
    s.session.expect_command("MONITOR", &["+", "carol"]).await?;
    s.session
        .send(format!(":irc.test 730 {} :carol!u@h", s.nick))
        .await?;
    phone.expect_presence(&carol, "").await?;

    s.session.send("ERROR :Closing link").await?;
    s.session.cut().await;
    phone.expect_presence(&carol, "unavailable").await?;
    let session = greet(&s.server, &MONITOR, &s.nick).await?;
    answer_modes(&session, &s.nick, "+n");
    session.let_in(&s.nick, &s.channel, &["alice"]).await?;
    session.expect_command("MONITOR", &["+", "carol"]).await?;
    session
        .send(format!(":irc.test 730 {} :carol!u@h", s.nick))
        .await?;
    phone.expect_presence(&carol, "").await?;
    Ok(())
}

async fn contacts_outlive_a_restart(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let (alice, carol) = (t.irc("alice").await?, t.irc("carol").await?);
    let phone = t.client("phone").await?;
    phone.join(&t.room(&channel), &nick).await?;
    let (stays, goes) = (t.person(alice.nick()), t.person(carol.nick()));
    for person in [&stays, &goes] {
        ensure!(add(&phone, person).await?.kind().is_empty(), "{person} is there");
    }
    let status = t.world().gateway().terminate(Duration::from_secs(5)).await?;
    ensure!(status.success(), "{status}");
    carol.quit("good night").await?;
    phone.take_all(|stanza| stanza.is_presence());
    t.world().gateway().start().await?;
    t.world().await_gateway().await?;
    // Nothing was asked for.
    phone.expect_presence(&goes, "unavailable").await?;
    phone.expect_presence(&stays, "").await?;
    Ok(())
}

async fn who_can_be_nobody_is_refused(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    phone.roster().await?;
    let nobody = format!("not a nick%{}@{GATEWAY}", t.world().irc_name()).replace(' ', "\\20");
    send_presence(&phone, &nobody, "subscribe").await?;
    phone.expect_presence(&nobody, "unsubscribed").await?;
    let id = phone.chat(&nobody, "hello").await?;
    ensure_error(&phone.expect_error(&id).await?, "item-not-found", "cancel", "404")?;
    Ok(())
}
