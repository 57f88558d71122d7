//! Names that have several spellings on IRC, and names that have one spelling too few in JIDs.

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, answer_modes, greet, is_presence_of};

pub(crate) const CASES: &[Case] = &[
    case!(a_room_keeps_the_jid_under_which_it_was_first_seen).rows("G10 M57"),
    case!(what_jids_fold_and_irc_does_not_stays_apart).rows("G10 M57"),
];

async fn a_room_keeps_the_jid_under_which_it_was_first_seen(t: Ctx) -> Result<()> {
    let folding = Welcome {
        isupport: &["CHANTYPES=#", "CASEMAPPING=rfc1459", "PREFIX=(ov)@+"],
        ..Welcome::default()
    };
    let (nick, server) = (t.nick("bob"), t.scripted().await?);
    let (asked, folded) = (t.channel_named("a[b]"), t.channel_named("a{b}"));
    let (room, other) = (server.room(&asked), server.room(&folded));
    let phone = t.client("phone").await?;
    let script = async {
        let session = greet(&server, &folding, &nick).await?;
        answer_modes(&session, &nick, "+n");
        session.expect_command("JOIN", &[&folded]).await?;
        for line in [
            format!(":{nick}!u@h JOIN {asked}"),
            format!(":irc.test 353 {nick} = {asked} :{nick} @alice"),
            format!(":irc.test 366 {nick} {asked} :End"),
        ] {
            session.send(line).await?;
        }
        Ok(session)
    };
    // That the two are one is told only when the room has been asked for.
    let (session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    ensure!(
        joined.me.from() == format!("{room}/{nick}"),
        "{}",
        joined.me.xml()
    );
    session
        .send(format!(":alice!u@h PRIVMSG {folded} :hello"))
        .await?;
    phone.expect_body(&format!("{room}/alice"), "hello").await?;
    phone.say(&room, "hello yourself").await?;
    session
        .expect_command("PRIVMSG", &[&folded, "hello yourself"])
        .await?;

    let laptop = t.client_of(&phone, "laptop").await?;
    laptop.ask_to_join(&Join::new(&other, &nick)).await?;
    let refusal = laptop
        .expect_presence(&format!("{other}/{nick}"), "error")
        .await?;
    let error = refusal.error().context("an error")?;
    ensure!(
        error.condition == "redirect" && error.kind == "modify",
        "{}",
        refusal.xml()
    );
    let text = error.text.unwrap_or_default();
    ensure!(text.contains(&room), "it says where: {}", refusal.xml());
    let uri = refusal
        .find("redirect", ns::STANZA_ERRORS)
        .map(Element::text)
        .unwrap_or_default();
    ensure!(uri.starts_with("xmpp:%23a%5Bb%5D"), "{}", refusal.xml());
    laptop.join(&room, &nick).await?;
    Ok(())
}

async fn what_jids_fold_and_irc_does_not_stays_apart(t: Ctx) -> Result<()> {
    let s = Script::set(&t, &["alice"]).await?;
    let (large, small) = (t.channel_named("É"), t.channel_named("é"));
    let rooms = [
        (large.clone(), s.server.room(&large.replace('É', r"\c3\89"))),
        (small.clone(), s.server.room(&small)),
    ];
    for (channel, room) in &rooms {
        let (_, joined) = tokio::try_join!(
            s.session.let_in(&s.nick, channel, &["@carol"]),
            s.phone.join(room, &s.nick)
        )?;
        ensure!(
            joined.me.from() == format!("{room}/{}", s.nick),
            "{}",
            joined.me.xml()
        );
    }
    for (channel, room) in &rooms {
        let words = format!("this is {channel}");
        s.session
            .send(format!(":carol!u@h PRIVMSG {channel} :{words}"))
            .await?;
        s.phone.expect_body(&format!("{room}/carol"), &words).await?;
    }
    // Nor are people: what does not show makes another person, and another JID.
    s.line("al\u{200b}ice", "JOIN", "").await?;
    let here = s.phone.expect("somebody new", is_presence_of(&s.room)).await?;
    let jid = here.muc_item("jid").unwrap_or_default().to_owned();
    ensure!(jid == s.server.person(r"al\e2\80\8bice"), "{}", here.xml());
    s.session
        .send(format!(":al\u{200b}ice!u@h PRIVMSG {} :psst", s.nick))
        .await?;
    let message = s
        .phone
        .expect("a message", |stanza| stanza.body().as_deref() == Some("psst"))
        .await?;
    ensure!(message.from() == jid, "{}", message.xml());
    s.phone.chat(&jid, "who are you?").await?;
    s.session
        .expect_command("PRIVMSG", &["al\u{200b}ice", "who are you?"])
        .await?;
    Ok(())
}
