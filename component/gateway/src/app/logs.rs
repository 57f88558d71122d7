//! Logs, and what a panic leaves in them.

use std::io::IsTerminal as _;
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

/// Libraries that would write stanzas, passwords and queries into the logs if they were let.
const QUIET: &[&str] = &[
    "tokio_xmpp=info",
    "xmpp_parsers=info",
    "rxml=info",
    "xso=info",
    "sqlx=warn",
];

/// Begins to log to the standard error, as `RUST_LOG` says; without it, what is worth knowing.
pub(super) fn begin(format: LogFormat) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    for directive in QUIET.iter().filter_map(|text| text.parse::<Directive>().ok()) {
        filter = filter.add_directive(directive);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // It would be said on the standard error; where that is a file on a full disk, saying so is a panic.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // It fails only where somebody else has begun already, as in a test.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    panic::set_hook(Box::new(report));
}

/// Logs where a panic was. A formatted message may quote what somebody wrote, so only fixed ones are logged.
fn report(info: &PanicHookInfo<'_>) {
    let words = info
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(its words are not logged)");
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    tracing::error!(place, "a bug in viaduct: {words}");
}
