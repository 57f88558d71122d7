//! The contract suite on IRC, with the real servers.

mod peer;
mod subject;

use subject::Irc;
use viaduct_contract::{chosen, run};
use viaduct_test_support::servers::IrcKind;

/// No server here has services, so nobody has a password to get wrong.
const WITHOUT_SERVICES: &[&str] = &[
    "login::a_good_login_gives_an_account",
    "login::a_bad_login_says_why",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ngircd() {
    run(&chosen(), async || Irc::start(IrcKind::Ngircd).await)
        .await
        .expect(WITHOUT_SERVICES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_inspircd() {
    run(&chosen(), async || Irc::start(IrcKind::Inspircd).await)
        .await
        .expect(WITHOUT_SERVICES);
}
