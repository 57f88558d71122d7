//! Biboumi, the gateway that viaduct is measured against, behind the same interface.
//!
//! It knows IRC servers by their host name alone and expects them on port 6667, so the tests give it loopback
//! addresses for names. It has one domain per process.

use std::path::Path;

use anyhow::{Context, Result};

use super::GatewayOptions;
use crate::process::{Process, Spec, User};
use crate::scratch::Scratch;
use crate::servers::{DOMAIN, FIXED_GATEWAY, GATEWAY, SECRET};

pub(super) fn prepare(scratch: &Scratch, options: &GatewayOptions) -> Result<Vec<Process>> {
    let fixed = &options
        .servers
        .first()
        .context("a gateway needs an IRC server")?
        .name;
    Ok(vec![
        one(scratch, options, GATEWAY, ("", options.store.as_deref()))?,
        one(scratch, options, FIXED_GATEWAY, (fixed, None))?,
    ])
}

/// Where the database of the domain with many servers is, if that is SQLite.
pub(super) fn database(scratch: &Scratch) -> String {
    file(&scratch.path().join(directory(GATEWAY)))
}

fn directory(domain: &str) -> String {
    format!("biboumi-{domain}")
}

fn file(directory: &Path) -> String {
    format!("{}/biboumi.sqlite", directory.display())
}

fn one(
    scratch: &Scratch,
    options: &GatewayOptions,
    domain: &str,
    (fixed_server, store): (&str, Option<&str>),
) -> Result<Process> {
    let user = User::service("_biboumi")?;
    let place = scratch.subdirectory(&directory(domain), &user)?;
    let config = place.join("biboumi.cfg");
    let (ip, port) = (options.link.ip(), options.link.port());
    let settings = [
        ("hostname", domain.to_owned()),
        ("password", SECRET.to_owned()),
        ("xmpp_server_ip", ip.to_string()),
        ("port", port.to_string()),
        ("admin", format!("admin@{DOMAIN}")),
        ("fixed_irc_server", fixed_server.to_owned()),
        ("db_name", store.map_or_else(|| file(&place), str::to_owned)),
        ("identd_port", "0".to_owned()),
        ("log_level", "1".to_owned()),
        ("log_file", String::new()),
    ];
    let settings = settings
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect::<String>();
    user.write(&config, &(settings + &options.extra_config))?;
    let spec = Spec::new("biboumi", "biboumi", &place, &user)?.args([config.display()]);
    Ok(Process::new(spec))
}
