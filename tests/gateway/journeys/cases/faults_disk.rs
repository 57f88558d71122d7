//! The file of the database cannot be written: the disk is full, or another program has locked it (promises, part B).

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::patience::patience;

use super::faults::archive;
use super::faults_store::{Said, Scene};

pub(crate) const CASES: &[Case] = &[
    case!(a_full_disk_is_told_and_recovered_from)
        .own_world()
        .only(&[Backend::Prosody])
        .deadline(120),
    case!(a_database_that_is_locked_for_a_while_is_waited_for)
        .own_world()
        .only(&[Backend::Prosody])
        .deadline(120),
];

fn database(t: &Ctx) -> PathBuf {
    t.world().scratch().path().join("viaduct/viaduct.db")
}

/// Lets no file of the gateway grow beyond this size, in bytes. It takes no rights, and the gateway meets what it would
/// meet on a full disk: what it has written can be read, and more cannot be written.
async fn limit(t: &Ctx, size: &str) -> Result<()> {
    let pid = t.world().gateway().process().pid().context("the gateway runs")?;
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={size}:")])
        .status()
        .await?;
    ensure!(status.success(), "prlimit: {status}");
    Ok(())
}

/// What a message came to: whether it was carried.
async fn fate(phone: &Client, id: &str) -> Result<bool> {
    let answer = |stanza: &Element| stanza.is_message() && stanza.id() == id;
    let deadline = Instant::now() + patience() * 2;
    loop {
        // A login that is built anew takes its time.
        match phone.maybe(patience(), answer).await {
            Some(stanza) if stanza.kind() == "groupchat" => return Ok(true),
            Some(stanza) => {
                let error = stanza.error().context("it is an error")?;
                ensure!(error.kind == "wait", "it may be tried again: {}", stanza.xml());
                return Ok(false);
            }
            None => ensure!(Instant::now() < deadline, "the message {id} is not answered"),
        }
    }
}

async fn a_full_disk_is_told_and_recovered_from(t: Ctx) -> Result<()> {
    let scene = Scene::new(&t).await?;
    let Scene {
        alice,
        phone,
        channel,
        room,
        nick,
    } = &scene;
    phone.say(room, "before").await?;
    alice.expect_message(nick, channel, "before").await?;
    phone.expect_body(room, "before").await?;
    phone.settle(t.gateway()).await?;
    // As large as the log of the database is now, it stays.
    let log = fs::metadata(database(&t).with_extension("db-wal"))?.len();
    limit(&t, &log.to_string()).await?;
    let mut refused = Vec::new();
    for number in 0..3 {
        // More than the last page of the log may have room for.
        let text = format!("refused {number} {}", "x".repeat(9000));
        let id = phone.say(room, &text).await?;
        ensure!(!fate(phone, &id).await?, "there was room for message {number}");
        refused.push(text);
    }
    let claimed = |line: &Line| line.command == "PRIVMSG" && line.last().starts_with("refused");
    alice.fence().await?;
    alice.expect_none("what was refused", claimed).await?;

    limit(&t, "unlimited").await?;
    let deadline = Instant::now() + patience() * 6;
    let mut tries = 0;
    loop {
        let id = phone.say(room, &format!("after {tries}")).await?;
        if fate(phone, &id).await? {
            break;
        }
        ensure!(Instant::now() < deadline, "it does not recover by itself");
        tries += 1;
    }
    alice
        .expect_message(nick, channel, &format!("after {tries}"))
        .await?;
    t.flush(alice, channel, phone, room).await?;
    alice.expect_none("what was refused", claimed).await?;
    let archived = archive(phone, room, 50).await?;
    let told = |word: &str| archived.iter().filter(|(_, body)| body.starts_with(word)).count();
    ensure!(
        (told("before"), told("refused"), told("after")) == (1, 0, 1),
        "archived: {archived:?}"
    );
    Ok(())
}

async fn a_database_that_is_locked_for_a_while_is_waited_for(t: Ctx) -> Result<()> {
    let scene = Scene::new(&t).await?;
    let mut said = Said::default();
    said.more(&scene, 20).await?;
    let mut other = Command::new("sqlite3")
        .arg(database(&t))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut orders = other.stdin.take().context("it is piped")?;
    let answers = other.stdout.take().context("it is piped")?;
    let locked = ".timeout 5000\nBEGIN EXCLUSIVE;\nSELECT 'locked';\n";
    orders.write_all(locked.as_bytes()).await?;
    let first = BufReader::new(answers).lines().next_line().await?;
    ensure!(first.as_deref() == Some("locked"), "sqlite3 says {first:?}");
    said.more(&scene, 20).await?;
    // Longer than SQLite waits by itself, twice.
    let process = t.world().gateway().process();
    process.wait_for_log("tries=3", patience() * 2).await?;
    said.more(&scene, 20).await?;
    orders.write_all(b"ROLLBACK;\n").await?;
    drop(orders);
    scene.balances(&t, &said.hers, &said.mine).await?;
    other.wait().await?;
    Ok(())
}
