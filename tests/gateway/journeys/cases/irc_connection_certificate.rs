//! Accounts that prove themselves with a certificate (SASL EXTERNAL).

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::irc::IrcServer;

use super::irc_connection_script::{polite, register};
use super::registration_support::removal;

pub(crate) const CASES: &[Case] = &[
    case!(a_certificate_logs_in_where_it_belongs_and_nowhere_else),
    case!(a_certificate_that_the_network_does_not_know_registers_nobody),
];

const WELCOME: &Welcome<'static> = &Welcome {
    caps: &["sasl=EXTERNAL,PLAIN"],
    isupport: &["CHANTYPES=#"],
};

/// A connection whose login by certificate is answered with this numeric.
async fn asked(server: &IrcServer, numeric: &'static str) -> Result<IrcSession> {
    let session = server.accept().await?;
    session.respond_and_pong(move |line| match (line.command.as_str(), line.param(0)) {
        ("AUTHENTICATE", "EXTERNAL") => Some(vec!["AUTHENTICATE +".into()]),
        // The identity is that of the certificate.
        ("AUTHENTICATE", "+") => Some(vec![format!(":irc.test {numeric} * :as you like")]),
        ("AUTHENTICATE", _) => None,
        _ => polite(line),
    });
    Ok(session)
}

async fn a_certificate_logs_in_where_it_belongs_and_nowhere_else(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let (home, elsewhere) = (t.standard_slot().await?, t.standard_slot().await?);
    let authority = t.world().authority();
    let own = authority.issue(&nick, &["bob.test"]).await?;
    let mut servers = Vec::new();
    for slot in [&home, &elsewhere] {
        let certificate = authority.issue(slot.name(), &[slot.name()]).await?;
        servers.push(
            slot.open_tls(&certificate, t.transcript().voice(slot.name()))
                .await?,
        );
    }
    let pem = own.pem()?;
    let fields = [
        ("nick", nick.as_str()),
        ("server", home.name()),
        ("certificate", &pem),
    ];
    // Tried before it is kept.
    let script = async {
        let session = asked(&servers[0], "903").await?;
        ensure!(
            session.certificate() == Some(&own.der()?),
            "it shows the certificate"
        );
        // The gateway may hang up as soon as it knows.
        drop(session.welcome(WELCOME).await);
        session.expect_closed().await
    };
    let (answer, ()) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    ensure!(answer.kind() == "result", "{}", answer.xml());
    // And used: the user comes online there by presence.
    let session = asked(&servers[0], "903").await?;
    ensure!(
        session.certificate() == Some(&own.der()?),
        "it shows the certificate"
    );
    session.welcome(WELCOME).await?;

    // Another server asks for one as well, and is shown none.
    let (channel, room) = (t.channel(), t.room_on(elsewhere.name(), &t.channel()));
    let script = async {
        let session = asked(&servers[1], "903").await?;
        ensure!(
            session.certificate().is_none(),
            "nobody else is shown the certificate"
        );
        session.welcome(WELCOME).await?;
        session.let_in(&nick, &channel, &["@alice"]).await?;
        let tried = session.take_all(|line| line.command == "AUTHENTICATE");
        ensure!(tried.is_empty(), "nor is it told of the account: {tried:?}");
        Ok(session)
    };
    let (_other, _) = tokio::try_join!(script, phone.join(&room, &nick))?;
    phone.ok("set", t.gateway(), removal()).await?;
    session.expect_closed().await
}

async fn a_certificate_that_the_network_does_not_know_registers_nobody(t: Ctx) -> Result<()> {
    let (phone, nick) = (t.client("phone").await?, t.nick("bob"));
    let server = t.scripted_tls().await?;
    let name = server.jid().split('@').next().context("a name")?.to_owned();
    let pem = t.world().authority().issue(&nick, &["bob.test"]).await?.pem()?;
    let fields = [("nick", nick.as_str()), ("server", &name), ("certificate", &pem)];
    let script = async {
        let session = asked(&server, "904").await?;
        // The gateway may hang up as soon as it knows.
        drop(session.welcome(WELCOME).await);
        session.expect_closed().await
    };
    let (answer, ()) = tokio::try_join!(register(&phone, t.gateway(), &fields), script)?;
    let error = answer.error().context("it is refused")?;
    let words = error.text.context("in words")?;
    ensure!(words.contains("as you like"), "the network's own words: {words}");
    ensure!(
        !answer.xml().contains("PRIVATE KEY"),
        "the key is not echoed: {}",
        answer.xml()
    );
    Ok(())
}
