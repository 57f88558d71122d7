//! A look into the gateway's database, with the tools that come with it.

use std::process::Command;
use std::time::Duration;

use tokio::time::{interval, timeout};
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::patience::patience;
use viaduct_test_support::world::StoreKind;

/// All of its rows, as text.
pub(crate) fn dump(t: &Ctx) -> Result<String> {
    match t.world().options().store {
        StoreKind::Sqlite => run(Command::new("sqlite3").arg("-readonly").arg(file(t)).arg(".dump")),
        StoreKind::Postgres => run(Command::new("pg_dump").arg("--inserts").arg(url(t)?)),
    }
}

/// Waits until it is on record that the user's server has processed so many messages of one of the user's direct
/// chats.
pub(crate) async fn confirmed(t: &Ctx, user: &str, messages: usize) -> Result<()> {
    let question = format!(
        "SELECT COALESCE(MAX(pruned), 0) FROM portal JOIN login ON login.id = portal.login WHERE jid = '{user}'"
    );
    at_least(t, &question, messages)
        .await
        .context("the messages are not confirmed")
}

/// Waits until so many messages for the user are on record.
pub(crate) async fn kept(t: &Ctx, user: &str, messages: usize) -> Result<()> {
    let question = format!(
        "SELECT COUNT(*) FROM message JOIN portal ON portal.id = message.portal JOIN login ON login.id = portal.login \
         WHERE jid = '{user}'"
    );
    at_least(t, &question, messages)
        .await
        .context("the messages are not on record")
}

async fn at_least(t: &Ctx, question: &str, number: usize) -> Result<()> {
    let until = async {
        let mut ticks = interval(Duration::from_millis(50));
        while query(t, question)?.parse::<usize>()? < number {
            ticks.tick().await;
        }
        Ok(())
    };
    timeout(patience(), until).await?
}

/// The rows that have the text, in whatever column of whatever table.
pub(crate) fn rows_with(t: &Ctx, text: &str) -> Result<Vec<String>> {
    let all = dump(t)?;
    Ok(all
        .lines()
        .filter(|line| line.contains(text))
        .map(str::to_owned)
        .collect())
}

/// Waits until no row has the text.
pub(crate) async fn erased(t: &Ctx, text: &str) -> Result<()> {
    let until = async {
        let mut ticks = interval(Duration::from_millis(50));
        while !rows_with(t, text)?.is_empty() {
            ticks.tick().await;
        }
        anyhow::Ok(())
    };
    match timeout(patience(), until).await {
        Ok(done) => done,
        Err(_) => bail!("'{text}' is still on record: {:?}", rows_with(t, text)?),
    }
}

/// The first value that a query gives.
fn query(t: &Ctx, sql: &str) -> Result<String> {
    let value = match t.world().options().store {
        StoreKind::Sqlite => run(Command::new("sqlite3").arg("-readonly").arg(file(t)).arg(sql)),
        StoreKind::Postgres => run(Command::new("psql").args(["-XAtc", sql]).arg(url(t)?)),
    };
    Ok(value?.trim().to_owned())
}

fn file(t: &Ctx) -> std::path::PathBuf {
    t.world().scratch().path().join("viaduct/viaduct.db")
}

fn url(t: &Ctx) -> Result<String> {
    let config = t.world().scratch().path().join("viaduct/viaduct.toml");
    let config = std::fs::read_to_string(config)?;
    let url = config
        .lines()
        .find_map(|line| line.strip_prefix("url = \"")?.strip_suffix('"'));
    Ok(url.context("the database's URL")?.to_owned())
}

fn run(command: &mut Command) -> Result<String> {
    let done = command.output().context("reading the database")?;
    ensure!(
        done.status.success(),
        "the database can be read: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
