//! The configuration is read again while the gateway runs (the command `reload`, and SIGHUP).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use viaduct_gateway_tests::prelude::*;

use super::commands_support::begin;

pub(crate) const CASES: &[Case] = &[
    case!(what_can_change_is_taken_over_and_the_rest_is_named).own_world(),
    case!(a_wrong_configuration_changes_nothing).own_world(),
    case!(a_signal_reloads_as_well)
        .own_world()
        .only(&[Backend::Prosody]),
];

/// The configuration of the gateway of a case.
struct Config {
    file: PathBuf,
    text: String,
}

impl Config {
    fn of(t: &Ctx) -> Result<Self> {
        let file = t.world().gateway().process().log().with_file_name("viaduct.toml");
        let text = fs::read_to_string(&file)?;
        Ok(Self { file, text })
    }

    /// With another administrator, and this at the end.
    fn write(&self, admin: &str, more: &str) -> Result<()> {
        let old = format!("admins = [\"admin@{DOMAIN}\"]");
        ensure!(self.text.contains(&old), "the configuration has administrators");
        let new = format!("admins = [\"admin@{DOMAIN}\", \"{admin}\"]");
        let text = self.text.replace(&old, &new);
        Ok(fs::write(&self.file, format!("{text}\n{more}\n"))?)
    }
}

/// What the command says.
async fn reload(admin: &Client) -> Result<String> {
    let done = begin(admin, "reload").await?;
    let note = done.note().with_context(|| done.xml.clone())?;
    Ok(note.text())
}

/// Whether somebody runs the gateway.
async fn is_admin(client: &Client) -> Result<bool> {
    let items = client.disco_items(GATEWAY, Some(ns::COMMANDS)).await?;
    Ok(items.xml().contains("#announce"))
}

async fn what_can_change_is_taken_over_and_the_rest_is_named(t: Ctx) -> Result<()> {
    let config = Config::of(&t)?;
    let (channel, nick) = (t.channel(), t.nick("bob"));
    let room = t.room(&channel);
    let alice = t.irc("alice").await?;
    alice.join(&channel).await?;
    let (phone, admin) = (t.client("phone").await?, t.admin().await?);
    phone.join(&room, &nick).await?;
    alice.fence().await?;
    ensure!(!is_admin(&phone).await?, "not yet");
    ensure!(
        reload(&admin).await?.contains("has not changed"),
        "nothing has changed"
    );

    // A server under a name that nobody knew, at the place of the one that is there.
    let server = t.world().irc().plain_addr();
    let late = format!(
        "[gateway.irc.irc.servers.\"late.test\"]\nhost = \"{}\"\nports = [{}]\ntls = false\n[gateway.new]\ndomain = \
         \"new.{DOMAIN}\"\nsecret = \"hunter2\"\nnetwork = \"irc\"",
        server.ip(),
        server.port()
    );
    config.write(phone.bare(), &late)?;
    let log = t.world().gateway().process();
    let before = log.log_length();
    let words = reload(&admin).await?;
    for part in [
        "Taken over: access.admins",
        "late.test",
        "Only after a restart:",
        "gateway.new.secret",
    ] {
        ensure!(words.contains(part), "'{part}' is said: {words}");
    }
    ensure!(
        !words.contains("hunter2") && !log.log_since(before).contains("hunter2"),
        "no secrets"
    );
    ensure!(is_admin(&phone).await?, "the new rules hold for who is there");
    let desk = t.client("desk").await?;
    desk.join(&t.room_on("late.test", &channel), &t.nick("eve"))
        .await?;
    alice.expect_join(&t.nick("eve"), &channel).await?;
    // What was there goes on.
    phone.say(&room, "still here").await?;
    phone.expect_body(&format!("{room}/{nick}"), "still here").await?;
    let left = alice.take_all(|line| line.command == "QUIT" || line.command == "PART");
    ensure!(left.is_empty(), "nobody was disconnected: {left:?}");
    let again = reload(&admin).await?;
    ensure!(
        !again.contains("Taken over") && again.contains("gateway.new.secret"),
        "what still waits is said again: {again}"
    );
    Ok(())
}

async fn a_wrong_configuration_changes_nothing(t: Ctx) -> Result<()> {
    let config = Config::of(&t)?;
    let (phone, admin) = (t.client("phone").await?, t.admin().await?);
    for (more, words) in [
        ("[xmpp", "is not valid TOML"),
        ("[outgoin]", "do you mean 'outgoing'"),
        // Only the bridge knows that this is wrong, after the other gateway has found nothing.
        (
            "[gateway.irc.irc.servers.\"x.test\"]\nports = []",
            "ports is empty",
        ),
    ] {
        config.write(phone.bare(), more)?;
        let said = reload(&admin).await?;
        ensure!(
            said.contains("Nothing was changed.") && said.contains(words),
            "{more}: {said}"
        );
        ensure!(
            !is_admin(&phone).await?,
            "{more}: not even what is right was taken over"
        );
    }
    config.write(phone.bare(), "")?;
    ensure!(
        reload(&admin).await?.contains("access.admins"),
        "once it is right it is taken over"
    );
    ensure!(is_admin(&phone).await?, "and holds");
    Ok(())
}

async fn a_signal_reloads_as_well(t: Ctx) -> Result<()> {
    let config = Config::of(&t)?;
    let phone = t.client("phone").await?;
    config.write(phone.bare(), "")?;
    let process = t.world().gateway().process();
    process.signal("HUP").await?;
    let words = "Taken over: access.admins";
    process.wait_for_log(words, Duration::from_secs(10)).await?;
    ensure!(is_admin(&phone).await?, "the new rules hold");
    Ok(())
}
