//! The contract suite on IRC, with the real servers.

mod peer;
mod subject;

use subject::{Ground, Irc};
use viaduct_contract::{chosen, run};
use viaduct_test_support::anyhow::Result;
use viaduct_test_support::servers::IrcKind;

/// No server here has services, so nobody has a password to get wrong.
const WITHOUT_SERVICES: &[&str] = &[
    "login::a_good_login_gives_an_account",
    "login::a_bad_login_says_why",
];

/// InspIRCd takes a second to let somebody in, so that most of the time is spent waiting.
const AT_A_TIME: usize = 6;

async fn keeps_the_contract(ground: Ground) {
    let report = run(&chosen(), AT_A_TIME, async || Irc::start(&ground).await).await;
    report.expect(WITHOUT_SERVICES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ngircd_unencrypted() -> Result<()> {
    keeps_the_contract(Ground::plain(IrcKind::Ngircd)?).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_inspircd_with_tls() -> Result<()> {
    keeps_the_contract(Ground::with_tls(IrcKind::Inspircd).await?).await;
    Ok(())
}
