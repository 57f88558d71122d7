//! Runs a command with a throw-away PostgreSQL, whose URL it finds in `VIADUCT_TEST_POSTGRES`.
//!
//! ```text
//! cargo run -p viaduct-test-support --bin with-postgres -- cargo test
//! ```

use std::process::ExitCode;

use anyhow::{Context, Result};
use tokio::process::Command;
use viaduct_test_support::scratch::Scratch;
use viaduct_test_support::servers::Postgres;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().context("usage: with-postgres PROGRAM [ARGUMENT]…")?;
    let scratch = Scratch::new("postgres")?;
    let postgres = Postgres::start(&scratch).await?;
    let mut command = Command::new(&program);
    command.args(words).env("VIADUCT_TEST_POSTGRES", postgres.url());
    let status = command
        .status()
        .await
        .with_context(|| format!("running {}", program.display()))?;
    postgres.stop().await?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
