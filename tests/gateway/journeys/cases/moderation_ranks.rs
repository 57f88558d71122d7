//! Voice and moderators (XEP-0045 §8.3 to §8.5, §9.6 to §9.8).

use viaduct_gateway_tests::prelude::*;

use super::stage::{Script, Stage, granted, is_presence_of, list, refused, set_role, stands_as};

pub(crate) const CASES: &[Case] = &[
    case!(voice_is_given_and_taken).rows("M77"),
    case!(a_rank_is_given_on_the_network_first).rows("M77 M79"),
    case!(lists_of_roles_tell_who_has_them).rows("M77"),
    case!(a_network_without_voice_gives_none).rows("M77"),
    case!(the_voice_of_the_mighty_cannot_be_taken).rows("M78"),
    case!(moderators_are_made_and_unmade).rows("M79"),
    case!(owners_and_admins_stay_moderators).rows("M79"),
];

/// The modes that alice sees somebody set for somebody.
async fn sees_mode(s: &Stage, by: &str, mode: &str, whom: &str) -> Result<()> {
    s.alice
        .expect(&format!("{mode} for {whom}"), |line| {
            line.is("MODE", &[&s.channel, mode, whom]) && line.nick() == by
        })
        .await?;
    Ok(())
}

async fn voice_is_given_and_taken(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let carol = s.carol(&t).await?;
    s.alice.mode(&s.channel, "+m").await?;
    s.promote(&t).await?;
    let laptop = s.laptop(&t).await?;

    for (role, mode, affiliation) in [("participant", "+v", "member"), ("visitor", "-v", "none")] {
        granted(&set_role(&s.phone, &s.room, carol.nick(), role).await?)?;
        sees_mode(&s, &s.nick, mode, carol.nick()).await?;
        for client in [&s.phone, &laptop] {
            let now = client.expect_presence(&s.occupant(carol.nick()), "").await?;
            stands_as(&now, affiliation, role)?;
        }
    }
    Ok(())
}

async fn a_rank_is_given_on_the_network_first(t: Ctx) -> Result<()> {
    let s = Script::set_with(&t, &Welcome::default(), &["@alice", "carol"], "+nm").await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    s.phone.take_all(|_| true);
    s.session.respond(|_| None);
    for (role, mode) in [("participant", "+v"), ("moderator", "+o")] {
        // Refused: an error, and nothing is shown.
        let script = async {
            s.session
                .expect_command("MODE", &[&s.channel, mode, "carol"])
                .await?;
            let fence = s.session.expect_command("PING", &[]).await?;
            s.session
                .send(format!(
                    ":irc.test 482 {} {} :You're not channel operator",
                    s.nick, s.channel
                ))
                .await?;
            s.session
                .send(format!(":irc.test PONG irc.test :{}", fence.last()))
                .await
        };
        let (answer, ()) = tokio::try_join!(set_role(&s.phone, &s.room, "carol", role), script)?;
        refused(&answer, "forbidden")?;
        s.phone
            .expect_none("news of carol", GATEWAY, is_presence_of(&s.room))
            .await?;

        // Done: nothing is shown before.
        let script = async {
            s.session
                .expect_command("MODE", &[&s.channel, mode, "carol"])
                .await?;
            let fence = s.session.expect_command("PING", &[]).await?;
            s.phone
                .expect_none("a change that was not made", GATEWAY, |stanza| {
                    stanza.is_from(&s.room)
                })
                .await?;
            s.line(&s.nick, "MODE", &format!("{mode} carol")).await?;
            s.session
                .send(format!(":irc.test PONG irc.test :{}", fence.last()))
                .await
        };
        let (answer, ()) = tokio::try_join!(set_role(&s.phone, &s.room, "carol", role), script)?;
        granted(&answer)?;
        let now = s.phone.expect_presence(&s.occupant("carol"), "").await?;
        ensure!(now.role() == role, "{}", now.xml());
    }
    Ok(())
}

async fn lists_of_roles_tell_who_has_them(t: Ctx) -> Result<()> {
    let others = ["~olga", "@alice", "%hans", "+carol", "dora"];
    let s = Script::set_with(&t, &Welcome::default(), &others, "+nm").await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    for (role, wanted) in [
        (
            "moderator",
            vec![
                ("alice", "admin"),
                (s.nick.as_str(), "admin"),
                ("hans", "member"),
                ("olga", "owner"),
            ],
        ),
        ("participant", vec![("carol", "member")]),
        ("visitor", vec![("dora", "none")]),
    ] {
        let answer = list(&s.phone, &s.room, "role", role).await?;
        granted(&answer)?;
        let mut items = answer.find_all("item", ns::MUC_ADMIN);
        items.sort_unstable_by_key(|item| item.attr("nick").map(str::to_owned));
        let got: Vec<_> = items
            .iter()
            .map(|item| {
                let get = |name| item.attr(name).unwrap_or_default().to_owned();
                (get("nick"), get("affiliation"), get("role"), get("jid"))
            })
            .collect();
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(nick, affiliation)| {
                // One finds oneself in the list by one's own address.
                let jid = if nick == s.nick {
                    s.phone.bare().to_owned()
                } else {
                    s.server.person(nick)
                };
                (nick.to_owned(), affiliation.to_owned(), role.to_owned(), jid)
            })
            .collect();
        ensure!(got == wanted, "{role}: {got:?}");
    }
    Ok(())
}

async fn a_network_without_voice_gives_none(t: Ctx) -> Result<()> {
    let welcome = Welcome {
        isupport: &["CHANTYPES=#", "PREFIX=(o)@", "CHANMODES=b,k,l,imnst"],
        ..Welcome::default()
    };
    let s = Script::set_with(&t, &welcome, &["@alice", "carol"], "+nm").await?;
    s.line("alice", "MODE", &format!("+o {}", s.nick)).await?;
    s.flush().await?;
    let answer = set_role(&s.phone, &s.room, "carol", "participant").await?;
    refused(&answer, "not-allowed")?;
    let asked = s.session.take_all(|line| line.is("MODE", &[&s.channel, "+v"]));
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}

/// Bob, an operator, is refused these changes, and nothing comes of them.
async fn cannot(s: &Script, nicks: &[&str], role: &str) -> Result<()> {
    s.flush().await?;
    for nick in nicks {
        let answer = set_role(&s.phone, &s.room, nick, role).await?;
        refused(&answer, "not-allowed").with_context(|| format!("{role} for {nick}"))?;
    }
    s.phone.say(&s.room, "that was all").await?;
    s.session
        .expect_command("PRIVMSG", &[&s.channel, "that was all"])
        .await?;
    let asked = s.session.take_all(|line| line.command == "MODE");
    ensure!(asked.is_empty(), "{asked:?}");
    Ok(())
}

async fn the_voice_of_the_mighty_cannot_be_taken(t: Ctx) -> Result<()> {
    let others = ["~olga", "&anna", "@alice", "%hans"];
    let s = Script::set_with(&t, &Welcome::default(), &others, "+nm").await?;
    s.line("olga", "MODE", &format!("+o {}", s.nick)).await?;
    cannot(&s, &["olga", "anna", "alice"], "visitor").await?;

    // A half-operator may moderate, but not people at or above that level.
    s.line("olga", "MODE", &format!("-o+h {0} {0}", s.nick)).await?;
    cannot(&s, &["olga", "anna", "alice", "hans"], "visitor").await?;

    // Nor is it for an owner to take it, who stands above an admin.
    s.line("olga", "MODE", &format!("-h+q {0} {0}", s.nick)).await?;
    cannot(&s, &["olga", "anna", "alice"], "visitor").await
}

async fn moderators_are_made_and_unmade(t: Ctx) -> Result<()> {
    let s = Stage::set(&t).await?;
    let carol = s.carol(&t).await?;
    s.promote(&t).await?;
    for (role, mode, affiliation) in [("moderator", "+o", "admin"), ("participant", "-o", "none")] {
        granted(&set_role(&s.phone, &s.room, carol.nick(), role).await?)?;
        sees_mode(&s, &s.nick, mode, carol.nick()).await?;
        let now = s.phone.expect_presence(&s.occupant(carol.nick()), "").await?;
        stands_as(&now, affiliation, role)?;
    }
    // And by others.
    s.alice.mode(&s.channel, &format!("+o {}", carol.nick())).await?;
    let now = s.phone.expect_presence(&s.occupant(carol.nick()), "").await?;
    stands_as(&now, "admin", "moderator")
}

async fn owners_and_admins_stay_moderators(t: Ctx) -> Result<()> {
    let others = ["~olga", "&anna", "@alice"];
    let s = Script::set(&t, &others).await?;
    s.line("olga", "MODE", &format!("+o {}", s.nick)).await?;
    cannot(&s, &["olga", "anna"], "participant").await
}
