//! The database fails under a running gateway (promises, part B).

use std::fs;

use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::patience::patience;
use viaduct_test_support::process::{Spec, User};

use super::faults::{archive, bodies_of};

pub(crate) const CASES: &[Case] = &[
    case!(a_crash_of_postgres_is_a_pause)
        .own_world()
        .only(&[Backend::Ejabberd])
        .deadline(120),
    case!(a_postgres_that_is_away_for_a_while_is_waited_for)
        .own_world()
        .only(&[Backend::Ejabberd])
        .deadline(120),
    case!(a_frozen_postgres_delays_and_loses_nothing)
        .own_world()
        .only(&[Backend::Ejabberd])
        .deadline(120),
];

/// The processes of PostgreSQL that serve connections (of the gateway, nobody else has any).
fn backends(t: &Ctx) -> Result<Vec<String>> {
    let directory = t.world().scratch().path().join("postgres");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let Ok(command) = fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let ours = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(&directory));
        if ours && String::from_utf8_lossy(&command).contains("127.0.0.1(") {
            found.push(pid);
        }
    }
    ensure!(
        !found.is_empty(),
        "nothing of PostgreSQL runs in {}",
        directory.display()
    );
    Ok(found)
}

async fn signal(pids: &[String], signal: &str) -> Result<()> {
    let command = format!("kill -{signal} {}", pids.join(" "));
    let status = tokio::process::Command::new("/bin/sh")
        .args(["-c", &command])
        .status()
        .await?;
    ensure!(status.success(), "{command}: {status}");
    Ok(())
}

/// A user in a channel, with alice.
pub(super) struct Scene {
    pub(super) alice: IrcPeer,
    pub(super) phone: Client,
    pub(super) channel: String,
    pub(super) room: String,
    pub(super) nick: String,
}

impl Scene {
    pub(super) async fn new(t: &Ctx) -> Result<Self> {
        let (channel, nick) = (t.channel(), t.nick("bob"));
        let room = t.room(&channel);
        let (alice, phone) = (t.irc("alice").await?, t.client("phone").await?);
        alice.join(&channel).await?;
        phone.join(&room, &nick).await?;
        t.flush(&alice, &channel, &phone, &room).await?;
        alice.take_all(|line| line.command == "JOIN");
        Ok(Self {
            alice,
            phone,
            channel,
            room,
            nick,
        })
    }

    /// What both sides have of each other balances, also in the archive.
    pub(super) async fn balances(&self, t: &Ctx, hers: &[String], mine: &[(String, String)]) -> Result<()> {
        let Self {
            alice,
            phone,
            channel,
            room,
            nick,
        } = self;
        t.flush(alice, channel, phone, room).await?;
        let id = phone.say(room, "mine last").await?;
        phone
            .expect("the reflection", |stanza| {
                stanza.id() == id && stanza.kind() == "groupchat"
            })
            .await?;
        let stanzas = phone.take_all(|stanza| stanza.is_message());
        let got = bodies_of(&stanzas, room, &format!("{room}/{}", alice.nick()))?;
        let got: Vec<String> = got
            .into_iter()
            .filter(|body| !body.starts_with("flush-"))
            .collect();
        super::faults::same(&got, hers)?;
        alice.fence().await?;
        let heard = alice.take_all(|line| line.command == "PRIVMSG" && line.nick() == nick);
        for (id, text) in mine {
            let on_irc = heard.iter().filter(|line| line.last() == text).count();
            let reflected = stanzas
                .iter()
                .any(|stanza| stanza.id() == id && stanza.kind() == "groupchat");
            ensure!(
                on_irc == 1 && reflected,
                "'{text}': {on_irc} on IRC, reflected {reflected}"
            );
        }
        let order: Vec<String> = heard.iter().map(|line| line.last().to_owned()).collect();
        let wanted: Vec<String> = mine.iter().map(|(_, text)| text.clone()).collect();
        super::faults::same(&order[..order.len() - 1], &wanted).context("on IRC")?;
        let left = |line: &Line| ["PART", "QUIT"].contains(&line.command.as_str()) && line.nick() == nick;
        alice.expect_none("a leave", left).await?;
        let archived: Vec<String> = archive(phone, room, 50)
            .await?
            .into_iter()
            .map(|(_, body)| body)
            .collect();
        let archived: Vec<String> = archived
            .into_iter()
            .filter(|body| body.starts_with("hers"))
            .collect();
        super::faults::same(&archived, hers).context("the archive")
    }
}

/// The harness lets PostgreSQL forget its last commits in a crash, for speed. Here they are what it is about.
async fn keep_commits(t: &Ctx) -> Result<()> {
    let directory = t.world().gateway().process().log().with_file_name("");
    let config = fs::read_to_string(directory.join("viaduct.toml"))?;
    let url = config
        .lines()
        .find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'));
    let url = url.context("the configuration names the database")?;
    let statement = "ALTER ROLE CURRENT_USER SET synchronous_commit = on";
    let psql = Spec::new("psql", "psql", &directory, &User::Myself)?;
    psql.args([url, "-c", statement]).run().await?;
    t.world().gateway().kill().await?;
    t.world().gateway().start().await?;
    t.world().await_gateway().await
}

/// What both sides say, numbered through.
#[derive(Default)]
pub(super) struct Said {
    pub(super) hers: Vec<String>,
    pub(super) mine: Vec<(String, String)>,
}

impl Said {
    /// Each side says so many more messages.
    pub(super) async fn more(&mut self, scene: &Scene, count: usize) -> Result<()> {
        for _ in 0..count {
            let number = self.hers.len();
            self.hers.push(format!("hers {number}"));
            scene.alice.say(&scene.channel, &self.hers[number]).await?;
            let text = format!("mine {number}");
            self.mine.push((scene.phone.say(&scene.room, &text).await?, text));
        }
        scene.alice.fence().await
    }
}

async fn a_crash_of_postgres_is_a_pause(t: Ctx) -> Result<()> {
    keep_commits(&t).await?;
    let scene = Scene::new(&t).await?;
    let mut said = Said::default();
    said.more(&scene, 30).await?;
    // PostgreSQL takes this for a crash: it drops every connection, recovers, and goes on.
    signal(&backends(&t)?[..1], "KILL").await?;
    said.more(&scene, 30).await?;
    scene.balances(&t, &said.hers, &said.mine).await
}

async fn a_postgres_that_is_away_for_a_while_is_waited_for(t: Ctx) -> Result<()> {
    keep_commits(&t).await?;
    let scene = Scene::new(&t).await?;
    let (mut said, process) = (Said::default(), t.world().gateway().process());
    said.more(&scene, 30).await?;
    t.world().postgres().kill().await?;
    said.more(&scene, 30).await?;
    // It has been tried a third time in vain, and a fourth.
    process.wait_for_log("tries=4", patience()).await?;
    said.more(&scene, 30).await?;
    let early =
        |stanza: &Element| stanza.kind() == "groupchat" && stanza.body().as_deref() == Some("mine 89");
    scene
        .phone
        .expect_none("an early reflection", DOMAIN, early)
        .await?;
    t.world().postgres().start_again().await?;
    said.more(&scene, 30).await?;
    scene.balances(&t, &said.hers, &said.mine).await
}

async fn a_frozen_postgres_delays_and_loses_nothing(t: Ctx) -> Result<()> {
    let scene = Scene::new(&t).await?;
    let frozen = backends(&t)?;
    signal(&frozen, "STOP").await?;
    let mut said = Said::default();
    said.more(&scene, 60).await?;
    scene.phone.settle(DOMAIN).await?;
    // Nothing is confirmed to anybody that is not on record.
    let early =
        |stanza: &Element| stanza.is_message() && stanza.body().is_some_and(|body| body.starts_with("mine"));
    scene
        .phone
        .expect_none("an early reflection", DOMAIN, early)
        .await?;
    signal(&frozen, "CONT").await?;
    scene.balances(&t, &said.hers, &said.mine).await
}
