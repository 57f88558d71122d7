//! What the other cases build on: scripted servers can be reached, links can be broken, servers come back.

use viaduct_gateway_tests::prelude::*;

pub(crate) const CASES: &[Case] = &[
    case!(a_scripted_server_is_reached_through_the_gateway),
    case!(broken_connections_are_noticed).own_world(),
    case!(a_killed_xmpp_server_gets_its_gateway_back).own_world(),
];

async fn a_scripted_server_is_reached_through_the_gateway(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let server = t.scripted().await?;
    let room = server.room(&channel);
    let phone = t.client("phone").await?;
    let script = async {
        let session = server.accept().await?;
        let nick = session.welcome(&Welcome::default()).await?;
        session.let_in(&nick, &channel, &["@alice"]).await?;
        session
            .send(format!(":irc.test 331 {nick} {channel} :No topic is set"))
            .await?;
        Ok(session)
    };
    let (session, joined) = tokio::try_join!(script, phone.join(&room, &nick))?;
    ensure!(joined.nicks() == ["alice"], "{:?}", joined.nicks());
    session
        .send(format!(":alice!u@h PRIVMSG {channel} :hello"))
        .await?;
    phone.expect_body(&format!("{room}/alice"), "hello").await?;
    Ok(())
}

async fn broken_connections_are_noticed(t: Ctx) -> Result<()> {
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let phone = t.client("phone").await?;
    phone.join(&t.room(&channel), &nick).await?;
    alice.expect_join(&nick, &channel).await?;

    t.world().irc_link().cut();
    alice.expect_quit(&nick).await?;

    let before = t.world().link().connections();
    t.world().link().cut();
    t.world().link().wait_for_connections(before + 1).await?;
    t.world().await_gateway().await
}

async fn a_killed_xmpp_server_gets_its_gateway_back(t: Ctx) -> Result<()> {
    let phone = t.client("phone").await?;
    t.world().xmpp().kill().await?;
    phone.expect_closed().await?;
    t.world().xmpp().start().await?;
    t.world().await_gateway().await?;
    let phone = t.client_of(&phone, "phone").await?;
    phone.settle(t.gateway()).await
}
