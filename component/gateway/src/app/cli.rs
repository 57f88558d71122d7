//! The command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use viaduct_store::Store;

use super::logs::{self, LogFormat};
use super::{check, run};
use crate::config::{Keys, Settings, load_with_keys};
use crate::import;

/// An XMPP gateway: IRC channels and people in any XMPP client.
///
/// viaduct is a component (XEP-0114) of an XMPP server that runs already, such as Prosody or ejabberd. Its users
/// join #channel%irc.server@irc.example.org as they join any group chat.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLE)]
pub struct Cli {
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM or Ctrl-C.
    #[command(after_help = EXAMPLE)]
    Run(ConfigArg),
    /// Try everything once (configuration, database, XMPP server, network) and say in words what is wrong.
    #[command(after_help = "Exits with 0 if all is well. It is safe while the gateway runs.")]
    Check(ConfigArg),
    /// Bring the database up to date and do nothing else. `run` does that by itself.
    Migrate(ConfigArg),
    /// Take over what Biboumi remembers: settings, persistent channels, contacts and archives of its users.
    #[command(after_help = IMPORT)]
    ImportBiboumi(ImportArgs),
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The gateway that takes Biboumi's place: NAME of [gateway.NAME]. Needed where there are several.
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// Biboumi's database (db_name in its configuration): sqlite:///var/lib/biboumi/biboumi.sqlite, or
    /// postgres://user:password@host/name. A password may be given in the environment instead.
    #[arg(long, value_name = "URL", env = "BIBOUMI_URL", hide_env_values = true)]
    from: String,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
}

const IMPORT: &str = "\
Stop Biboumi and viaduct before. Biboumi's database is only read. What users have set in viaduct already stays. Lines of
archives come before everything that is there already, with the ids that clients know. An import that was interrupted can
be repeated, and one that is repeated changes nothing: what was taken over once is not taken again.

  viaduct import-biboumi --config /etc/viaduct/viaduct.toml \\
      --from sqlite:///var/lib/biboumi/biboumi.sqlite --dry-run";

#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// The configuration file; config/viaduct.example.toml explains all of it.
    #[arg(long, short, value_name = "FILE", default_value = "/etc/viaduct/viaduct.toml")]
    config: PathBuf,
}

const EXAMPLE: &str = "\
Example: a gateway to IRC for the users of example.org, beside Prosody

  1. /etc/prosody/prosody.cfg.lua, at its end, and then: prosodyctl reload

       component_conflict_resolve = \"kick_old\"
       Component \"irc.example.org\"
           component_secret = \"something long and random\"

  2. /etc/viaduct/viaduct.toml

       [gateway.irc]
       domain = \"irc.example.org\"
       secret = \"something long and random\"
       network = \"irc\"

  3. viaduct check --config /etc/viaduct/viaduct.toml
     viaduct run --config /etc/viaduct/viaduct.toml

  4. In a client of example.org, join the group chat #viaduct%irc.libera.chat@irc.example.org

Logs go to the standard error; RUST_LOG=debug shows more. Settings can come from the environment:
VIADUCT_GATEWAY__IRC__SECRET is secret under [gateway.irc].";

/// Does what the command line says.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    logs::begin(cli.log_format);
    let done = match &cli.command {
        Command::Run(arg) => settings_with_keys(&arg.config)
            .and_then(|(settings, keys)| block_on(run::run(settings, arg.config.clone(), keys))),
        Command::Check(arg) => check_all(&arg.config),
        Command::ImportBiboumi(args) => settings(&args.config.config).and_then(|settings| {
            let gateway = args.gateway.as_deref();
            block_on(import::biboumi(settings, gateway, &args.from, args.dry_run))
        }),
        Command::Migrate(arg) => settings(&arg.config).and_then(|settings| {
            block_on(async move {
                Ok(Store::migrate(&settings.store)
                    .await
                    .map(|()| ExitCode::SUCCESS)?)
            })
        }),
    };
    done.unwrap_or_else(|error| {
        eprintln!("viaduct: {error:#}");
        ExitCode::FAILURE
    })
}

fn settings(path: &Path) -> Result<Settings> {
    settings_with_keys(path).map(|(settings, _)| settings)
}

fn settings_with_keys(path: &Path) -> Result<(Settings, Keys)> {
    let (config, keys) = load_with_keys(path, std::env::vars())?;
    Ok((Settings::resolve(config)?, keys))
}

fn check_all(path: &Path) -> Result<ExitCode> {
    let settings = settings(path)?;
    println!("ok     {}: the configuration can be used", path.display());
    block_on(check::check(settings))
}

fn block_on(future: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let done = runtime.block_on(future);
    // Whatever still runs now is not worth waiting for.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("component_secret") && help.contains("check"));
    }
}
