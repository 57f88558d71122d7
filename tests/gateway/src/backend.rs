//! The combinations of servers that every case runs on.

use viaduct_test_support::world::WorldOptions;

/// A pair of an XMPP server and an IRC server. Two pairs cover four servers; cases that depend on one server say
/// so by naming the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// Prosody with ngIRCd, and the gateway on SQLite: the plain ones.
    Prosody,
    /// ejabberd with InspIRCd, and the gateway on PostgreSQL: the large ones, with all of IRCv3.
    Ejabberd,
}

impl Backend {
    /// All pairs.
    pub const ALL: &[Self] = &[Self::Prosody, Self::Ejabberd];

    /// The world that it stands for.
    pub fn options(self) -> WorldOptions {
        match self {
            Self::Prosody => WorldOptions::prosody(),
            Self::Ejabberd => WorldOptions::ejabberd(),
        }
    }
}
