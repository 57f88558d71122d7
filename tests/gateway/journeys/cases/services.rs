//! Real services on a real IRC server (Anope on InspIRCd): accounts, logins to them, and who people are by them.

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::servers::ServicedNetwork;

use super::commands_support::Stage as Step;
use super::registration_support::{by_form, ensure_error, form, is_registered, register, removal};

pub(crate) const CASES: &[Case] = &[
    case!(a_password_logs_in_before_the_first_join).only(&[Backend::Ejabberd]),
    case!(a_wrong_password_is_told_and_registers_nobody).only(&[Backend::Ejabberd]),
    case!(a_certificate_logs_in).only(&[Backend::Ejabberd]),
    case!(an_account_set_for_a_server_logs_in).only(&[Backend::Ejabberd]),
    case!(the_account_is_who_somebody_is).only(&[Backend::Ejabberd]),
    case!(an_owned_nickname_is_told_once).only(&[Backend::Ejabberd]),
];

const PASSWORD: &str = "right-7d1f";

/// Registers an account by hand; nobody is left in it.
async fn account(t: &Ctx, network: &ServicedNetwork, name: &str) -> Result<String> {
    let name = t.nick(name);
    let owner = network
        .register(&name, PASSWORD, t.transcript().voice("owner"))
        .await?;
    owner.quit("").await?;
    Ok(name)
}

/// Somebody in the channel who is told of accounts.
async fn watcher(t: &Ctx, network: &ServicedNetwork, channel: &str) -> Result<IrcPeer> {
    let caps = ["extended-join", "account-notify", "account-tag"];
    let watcher = network
        .peer(&t.nick("watcher"), &caps, t.transcript().voice("watcher"))
        .await?;
    watcher.join(channel).await?;
    Ok(watcher)
}

/// That somebody comes into the channel as this account.
async fn comes_as(watcher: &IrcPeer, nick: &str, account: &str) -> Result<()> {
    let join = watcher
        .expect("JOIN", |line| line.command == "JOIN" && line.nick() == nick)
        .await?;
    ensure!(join.param(1) == account, "logged in before it: {join}");
    Ok(())
}

async fn a_password_logs_in_before_the_first_join(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let account = account(&t, &network, "bob").await?;
    let (channel, phone, nick) = (t.channel(), t.client("phone").await?, t.nick("robert"));
    let watcher = watcher(&t, &network, &channel).await?;
    let fields = [
        ("nick", nick.as_str()),
        ("server", network.name()),
        ("username", &account),
        ("password", PASSWORD),
    ];
    register(&phone, GATEWAY, &fields).await?;
    phone.join(&t.room_on(network.name(), &channel), &nick).await?;
    comes_as(&watcher, &nick, &account).await?;
    phone.ok("set", GATEWAY, removal()).await?;
    network.stop().await
}

async fn a_wrong_password_is_told_and_registers_nobody(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let account = account(&t, &network, "bob").await?;
    let (phone, nick, secret) = (t.client("phone").await?, t.nick("robert"), "wrong-9c3a");
    let fields = [
        ("nick", nick.as_str()),
        ("server", network.name()),
        ("username", &account),
        ("password", secret),
    ];
    let answer = phone.set(GATEWAY, by_form(&fields)).await?;
    let words = ensure_error(&answer, "not-acceptable", "modify", "406")?;
    ensure!(
        words.contains("SASL authentication failed"),
        "the network's own words: {words}"
    );
    ensure!(!answer.xml().contains(secret), "{}", answer.xml());
    ensure!(!is_registered(&phone, GATEWAY).await?, "nobody is registered");
    network.stop().await
}

async fn a_certificate_logs_in(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let account = account(&t, &network, "bob").await?;
    let (channel, phone, nick) = (t.channel(), t.client("phone").await?, t.nick("robert"));
    let room = t.room_on(network.name(), &channel);
    let pem = t
        .world()
        .authority()
        .issue(&account, &["bob.test"])
        .await?
        .pem()?;
    // The services do not know the certificate yet; the password does it.
    let both = [
        ("nick", nick.as_str()),
        ("server", network.name()),
        ("username", &account),
        ("password", PASSWORD),
        ("certificate", &pem),
    ];
    register(&phone, GATEWAY, &both).await?;
    phone.join(&room, &nick).await?;
    let services = format!("nickserv%{}@{GATEWAY}", network.name());
    phone.chat(&services, "CERT ADD").await?;
    phone
        .expect("that the certificate is known", |stanza| {
            stanza.is_message()
                && stanza.from() == services
                && stanza.body().is_some_and(|body| body.contains("added to"))
        })
        .await?;
    phone.ok("set", GATEWAY, removal()).await?;
    phone
        .expect_presence(&format!("{room}/{nick}"), "unavailable")
        .await?;

    // From now on it is enough.
    let watcher = watcher(&t, &network, &channel).await?;
    let alone = [
        ("nick", nick.as_str()),
        ("server", network.name()),
        ("certificate", &pem),
    ];
    register(&phone, GATEWAY, &alone).await?;
    phone.join(&room, &nick).await?;
    comes_as(&watcher, &nick, &account).await?;
    phone.ok("set", GATEWAY, removal()).await?;
    network.stop().await
}

async fn an_account_set_for_a_server_logs_in(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let account = account(&t, &network, "bob").await?;
    let (channel, phone, nick) = (t.channel(), t.client("phone").await?, t.nick("robert"));
    let watcher = watcher(&t, &network, &channel).await?;
    let server = format!("{}@{GATEWAY}", network.name());
    let command = || tag("command").ns(ns::COMMANDS).attr("node", "configure");
    let begun = Step::of(&phone.set(&server, command().attr("action", "execute")).await?)?;
    let fields = [("sasl_account", account.as_str()), ("sasl_password", PASSWORD)];
    let complete = command()
        .attr("sessionid", &begun.session)
        .attr("action", "complete")
        .child(form(None, &fields));
    let done = Step::of(&phone.set(&server, complete).await?)?;
    ensure!(done.status == "completed", "{}", done.xml);
    phone.join(&t.room_on(network.name(), &channel), &nick).await?;
    comes_as(&watcher, &nick, &account).await?;
    network.stop().await
}

async fn the_account_is_who_somebody_is(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let (channel, phone) = (t.channel(), t.client("phone").await?);
    let room = t.room_on(network.name(), &channel);
    let voice = |name: &str| t.transcript().voice(name);
    let (carol, dave) = (t.nick("carol"), t.nick("dave"));
    let first = network.register(&carol, PASSWORD, voice("carol")).await?;
    let silent = network.register(&dave, PASSWORD, voice("dave")).await?;
    first.join(&channel).await?;
    silent.join(&channel).await?;
    phone.join(&room, &t.nick("bob")).await?;
    let of = |stanza: &Element| stanza.occupant_id().map(str::to_owned);

    // Who says nothing is asked about after a while.
    let silently = format!("{room}/{dave}");
    let told = phone.expect_presence(&silently, "").await?;
    let silent_id = of(&told);

    // What is said comes with the account.
    first.say(&channel, "one").await?;
    let id = of(&phone.expect_body(&format!("{room}/{carol}"), "one").await?);
    ensure!(id.is_some(), "there is an occupant-id");
    let other = t.nick("karla");
    first.send(format!("NICK {other}")).await?;
    first.say(&channel, "two").await?;
    let said = phone.expect_body(&format!("{room}/{other}"), "two").await?;
    ensure!(of(&said) == id, "the same person by another name: {}", said.xml());

    // Back under a third name, logged in by hand: told when they come.
    first.quit("").await?;
    let third = t.nick("carola");
    let second = network
        .peer(&third, &["account-notify"], voice("carol again"))
        .await?;
    second
        .say("NickServ", &format!("IDENTIFY {carol} {PASSWORD}"))
        .await?;
    second
        .expect("to be logged in", |line| line.command == "900")
        .await?;
    second.join(&channel).await?;
    let shown = phone.expect_presence(&format!("{room}/{third}"), "").await?;
    ensure!(of(&shown) == id, "the same person, come back: {}", shown.xml());

    // Somebody else takes the first name.
    let impostor = network.peer(&carol, &[], voice("impostor")).await?;
    impostor.join(&channel).await?;
    impostor.say(&channel, "three").await?;
    let said = phone.expect_body(&format!("{room}/{carol}"), "three").await?;
    ensure!(
        of(&said).is_some() && of(&said) != id,
        "not the same: {}",
        said.xml()
    );
    // And logs in while they are there.
    impostor
        .say("NickServ", &format!("IDENTIFY {carol} {PASSWORD}"))
        .await?;
    let from = format!("{room}/{carol}");
    phone
        .expect("the owner of the account", |stanza| {
            stanza.is_presence() && stanza.from() == from && of(stanza) == id
        })
        .await?;

    // Who was known by being asked about is known when they are back.
    silent.quit("").await?;
    let back = network
        .peer(&t.nick("david"), &["account-notify"], voice("dave again"))
        .await?;
    back.say("NickServ", &format!("IDENTIFY {dave} {PASSWORD}"))
        .await?;
    back.expect("to be logged in", |line| line.command == "900")
        .await?;
    back.join(&channel).await?;
    let shown = phone
        .expect_presence(&format!("{room}/{}", back.nick()), "")
        .await?;
    ensure!(
        silent_id.is_some() && of(&shown) == silent_id,
        "the same person, whose account was asked for: {}",
        shown.xml()
    );
    network.stop().await
}

async fn an_owned_nickname_is_told_once(t: Ctx) -> Result<()> {
    let network = t.serviced().await?;
    let account = account(&t, &network, "bob").await?;
    let (channel, phone) = (t.channel(), t.client("phone").await?);
    let server = format!("{}@{GATEWAY}", network.name());
    phone.join(&t.room_on(network.name(), &channel), &account).await?;
    let about = |stanza: &Element| {
        stanza.is_message()
            && stanza.from() == server
            && stanza
                .body()
                .is_some_and(|body| body.contains("belongs to an account"))
    };
    let told = phone.expect("what to do", about).await?;
    let words = told.body().context("words")?.clone();
    ensure!(
        words.contains(&account) && words.contains("register with"),
        "it says what to do: {words}"
    );
    // The services say it again to who takes the name again.
    let services = format!("nickserv%{}@{GATEWAY}", network.name());
    let theirs = "[notice] This nick is owned by someone else.  Please choose another.";
    phone.expect_body(&services, theirs).await?;
    let room = t.room_on(network.name(), &channel);
    let (other, back) = (t.nick("robert"), account.clone());
    phone.change_nick(&room, &other).await?;
    phone.expect_presence(&format!("{room}/{other}"), "").await?;
    phone.change_nick(&room, &back).await?;
    phone.expect_presence(&format!("{room}/{back}"), "").await?;
    phone.expect_body(&services, theirs).await?;
    phone.expect_none("the same words again", &server, about).await?;
    network.stop().await
}
