//! The programs that are measured: how each is configured and started, and what it needs before a user may join.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::irc::MODERN;
use crate::link::DOMAIN;
use crate::process::Process;

/// A program under measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Subject {
    /// viaduct, on an IRC server without any capability (acceptance by the PING fence).
    Viaduct,
    /// viaduct, on an IRC server with echo-message, message-tags and server-time.
    ViaductEcho,
    /// Biboumi without history.
    Biboumi,
    /// Biboumi with history, its default.
    BiboumiHistory,
    /// The bound: every stanza parsed and serialised once by our XML library.
    Echo,
}

impl Subject {
    /// What is measured when nothing else is asked for.
    pub(crate) const USUAL: [Self; 5] = [
        Self::Viaduct,
        Self::ViaductEcho,
        Self::Biboumi,
        Self::BiboumiHistory,
        Self::Echo,
    ];

    /// Its name on the command line and in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Viaduct => "viaduct",
            Self::ViaductEcho => "viaduct-echo",
            Self::Biboumi => "biboumi",
            Self::BiboumiHistory => "biboumi-history",
            Self::Echo => "echo",
        }
    }

    /// Whether it is viaduct.
    pub(crate) fn is_viaduct(self) -> bool {
        matches!(self, Self::Viaduct | Self::ViaductEcho)
    }

    /// Whether it is Biboumi.
    pub(crate) fn is_biboumi(self) -> bool {
        matches!(self, Self::Biboumi | Self::BiboumiHistory)
    }

    /// The capabilities of the IRC server it meets.
    pub(crate) fn caps(self) -> &'static str {
        if self == Self::ViaductEcho { MODERN } else { "" }
    }

    /// Starts it, with its files in `folder`.
    pub(crate) fn start(self, folder: &Path, xmpp_port: u16, irc_port: u16) -> Result<Process> {
        let log = folder.join("log");
        let shown = folder
            .to_str()
            .context("the temporary folder's name is no text")?;
        match self {
            Self::Viaduct | Self::ViaductEcho => {
                let config = include_str!("../viaduct.toml")
                    .replace("{xmpp}", &xmpp_port.to_string())
                    .replace("{irc}", &irc_port.to_string())
                    .replace("{folder}", shown);
                fs::write(folder.join("viaduct.toml"), config)?;
                Process::start(&viaduct()?, &["run", "--config", "viaduct.toml"], folder, &log)
            }
            Self::Biboumi | Self::BiboumiHistory => {
                let config = format!(
                    "hostname={DOMAIN}\npassword=bench\nxmpp_server_ip=127.0.0.1\nport={xmpp_port}\n\
                     db_name={shown}/biboumi.sqlite\nidentd_port=0\nlog_level=2\npersistent_by_default=false\n"
                );
                fs::write(folder.join("biboumi.cfg"), config)?;
                Process::start(Path::new("biboumi"), &["biboumi.cfg"], folder, &log)
            }
            Self::Echo => {
                let address = format!("127.0.0.1:{xmpp_port}");
                Process::start(&std::env::current_exe()?, &["--echo", &address], folder, &log)
            }
        }
    }

    /// The ad-hoc forms a user fills in before the first join: (JID, fields).
    ///
    /// Biboumi keeps the address, the ports, the pace and the history switch per user, in its database.
    pub(crate) fn forms(self, irc_port: u16) -> Vec<(String, String)> {
        if !self.is_biboumi() {
            return Vec::new();
        }
        let field = |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
        let server = [
            field("address", "127.0.0.1"),
            field("ports", &irc_port.to_string()),
            "<field var='tls_ports'/>".to_owned(),
            field("throttle_limit", "-1"),
        ];
        let history = field(
            "record_history",
            if self == Self::BiboumiHistory {
                "true"
            } else {
                "false"
            },
        );
        vec![
            (format!("{}@{DOMAIN}", crate::irc::HOST), server.concat()),
            (DOMAIN.to_owned(), history),
        ]
    }
}

/// The viaduct to measure.
fn viaduct() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("VIADUCT_BIN") {
        return Ok(std::path::absolute(path)?);
    }
    let own = std::env::current_exe()?;
    let target = own
        .parent()
        .and_then(Path::parent)
        .context("the bench is in no target folder")?;
    Ok(target.join("release/viaduct"))
}

/// Sees to it that there is a viaduct: `$VIADUCT_BIN`, or one that is built for release now or (`build` false) was.
pub(crate) fn find_viaduct(build: bool) -> Result<()> {
    if !build || std::env::var_os("VIADUCT_BIN").is_some() {
        let path = viaduct()?;
        ensure!(
            path.exists(),
            "there is no {}: build it, or set VIADUCT_BIN",
            path.display()
        );
        return Ok(());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "viaduct"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("starting cargo")?;
    ensure!(status.success(), "viaduct does not build: {status}");
    Ok(())
}
