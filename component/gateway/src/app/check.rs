//! `viaduct check`: everything once, in words.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpStream;
use tokio::time::timeout;
use viaduct_store::{SealingKey, Store, StoreError};

use super::gateway::network;
use super::no_notes::NoNotes;
use crate::config::{GatewaySettings, Settings};
use crate::link::try_out;

/// How long a server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has been found out.
#[derive(Default)]
struct Report {
    wrong: usize,
}

impl Report {
    fn ok(words: &str) {
        println!("ok     {words}");
    }

    fn wrong(&mut self, words: &str) {
        println!("WRONG  {words}");
        self.wrong += 1;
    }
}

/// Tries everything once.
pub(super) async fn check(settings: Settings) -> Result<ExitCode> {
    let mut report = Report::default();
    let running = check_store(&settings, &mut report).await;
    for gateway in &settings.gateways {
        let domain = &gateway.target.domain;
        match network(gateway, &settings.outgoing, Arc::new(NoNotes)) {
            Ok(_) => {}
            Err(error) => report.wrong(&error.to_string()),
        }
        if running {
            // A second connection would be refused, or end the first.
            match connects(&gateway.target.server).await {
                Ok(()) => Report::ok(&format!(
                    "{domain}: {} accepts connections; the handshake is not tried while a viaduct runs",
                    gateway.target.server
                )),
                Err(error) => report.wrong(&format!("{domain}: {}: {error}", gateway.target.server)),
            }
        } else {
            match try_out(&gateway.target).await {
                Ok(()) => Report::ok(&format!(
                    "{domain}: the XMPP server at {} lets us in",
                    gateway.target.server
                )),
                Err(error) => report.wrong(&format!("{domain}: {error}")),
            }
        }
        for server in servers(gateway) {
            match connects(&server).await {
                Ok(()) => Report::ok(&format!(
                    "{domain}: the IRC server at {server} accepts connections"
                )),
                Err(error) => report.wrong(&format!(
                    "{domain}: the IRC server at {server} cannot be reached: {error}"
                )),
            }
        }
    }
    Ok(match report.wrong {
        0 => ExitCode::SUCCESS,
        1 => {
            println!("One thing is wrong.");
            ExitCode::FAILURE
        }
        many => {
            println!("{many} things are wrong.");
            ExitCode::FAILURE
        }
    })
}

/// Opens the database. Whether another viaduct is at work on it.
async fn check_store(settings: &Settings, report: &mut Report) -> bool {
    let config = &settings.store;
    if let Some(file) = config.sqlite_file()
        && !file.exists()
    {
        // Made here, it would belong to whoever checks, and not to whoever runs.
        for (what, path) in [("database", file), ("key", config.key_file.as_path())] {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            if path.exists() {
                Report::ok(&format!("{}: the {what} is there", path.display()));
            } else if folder.is_dir() {
                Report::ok(&format!(
                    "{}: the {what} will be made at the first start",
                    path.display()
                ));
            } else {
                report.wrong(&format!(
                    "{}: the {what} cannot be made, because there is no directory {}; make it, and let the user that \
                     viaduct runs as own it",
                    path.display(),
                    folder.display()
                ));
            }
        }
        return false;
    }
    let opened = match SealingKey::load_or_create(&config.key_file) {
        Ok(key) => Store::open(config.clone(), key).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(store) => {
            store.close().await;
            Report::ok(&format!("{}: the database can be used", config.shown_url()));
            false
        }
        Err(StoreError::InUse { .. }) => {
            Report::ok(&format!(
                "{}: a viaduct is at work on the database",
                config.shown_url()
            ));
            true
        }
        Err(error) => {
            report.wrong(&error.to_string());
            false
        }
    }
}

/// The servers that the operator has named.
fn servers(gateway: &GatewaySettings) -> Vec<String> {
    match &gateway.network {
        #[cfg(feature = "irc")]
        crate::config::NetworkSettings::Irc(config) => {
            let usual = |tls: bool| if tls { 6697 } else { 6667 };
            let fixed = config.server.iter().map(|server| {
                let (host, port) = match config.servers.get(&server.host) {
                    Some(over) => (
                        over.host.as_ref().unwrap_or(&server.host),
                        over.ports.as_ref().and_then(|ports| ports.first().copied()),
                    ),
                    None => (&server.host, None),
                };
                address(host, port.or(server.port).unwrap_or(usual(server.tls)))
            });
            let others = config
                .servers
                .iter()
                .filter(|(name, _)| config.server.as_ref().is_none_or(|fixed| fixed.host != **name));
            let others = others.map(|(name, server)| {
                let port = server.ports.as_ref().and_then(|ports| ports.first().copied());
                address(
                    server.host.as_ref().unwrap_or(name),
                    port.unwrap_or(usual(server.tls.unwrap_or(true))),
                )
            });
            fixed.chain(others).collect()
        }
        #[cfg(not(feature = "irc"))]
        _ => Vec::new(),
    }
}

#[cfg(feature = "irc")]
fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

async fn connects(server: &str) -> Result<(), String> {
    match timeout(PATIENCE, TcpStream::connect(server)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
