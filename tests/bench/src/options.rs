//! The command line.

use clap::{Parser, ValueEnum};

use crate::subject::Subject;

/// Measures what viaduct costs, beside Biboumi and a bare echo component, and prints medians and ratios.
///
/// Each program is attached directly to a driver that plays the XMPP server and the IRC server, on loopback.
/// viaduct is taken from $VIADUCT_BIN, or built.
#[derive(Debug, Parser)]
#[command(name = "viaduct-bench")]
pub(crate) struct Options {
    /// Measure only this (repeatable).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<Part>,

    /// Measure only this program (repeatable).
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) subject: Vec<Subject>,

    /// How often everything is measured, one program after the other; memory is measured once unless `--only memory`.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,

    /// Messages in each direction, at most.
    #[arg(long, default_value_t = 40_000)]
    pub(crate) messages: u64,

    /// Seconds after which no further message is sent, whatever `--messages` says.
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,

    /// Messages in flight, at most.
    #[arg(long, default_value_t = 500)]
    pub(crate) window: u64,

    /// Users in the crowd, ten in each channel.
    #[arg(long, default_value_t = 100)]
    pub(crate) crowd: usize,

    /// Users in the last step of the memory measurement, ten in each channel.
    #[arg(long, default_value_t = 1000)]
    pub(crate) users: usize,

    /// People in the large channel.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) people: usize,

    /// Single messages whose latency is taken, in each direction.
    #[arg(long, default_value_t = 300)]
    pub(crate) singles: usize,

    /// Print JSON with every sample instead of the table.
    #[arg(long)]
    pub(crate) json: bool,

    /// Where databases and logs go while it runs (default: the system's temporary folder).
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<std::path::PathBuf>,

    /// Keep databases and logs (those of a measurement that failed are kept anyway).
    #[arg(long)]
    pub(crate) keep: bool,

    /// Do not build viaduct; take the release build that is there.
    #[arg(long)]
    pub(crate) no_build: bool,

    /// Be the echo component, for the server at this address (the bench starts itself so).
    #[arg(long, hide = true, value_name = "ADDRESS")]
    pub(crate) echo: Option<std::net::SocketAddr>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// One user, one channel, XMPP to IRC.
    Out,
    /// One user, one channel, IRC to XMPP.
    In,
    /// One message at a time, both ways.
    Latency,
    /// The join of a large channel.
    Join,
    /// Many users in channels of ten, both ways.
    Crowd,
    /// One user beside another whose room is flooded.
    Beside,
    /// Resident memory at rest.
    Memory,
}

impl Options {
    /// Whether a part is wanted.
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// The programs to measure, in order.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        match self.subject.as_slice() {
            [] => Subject::USUAL.to_vec(),
            some => some.to_vec(),
        }
    }
}
