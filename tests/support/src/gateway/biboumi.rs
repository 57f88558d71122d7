//! Biboumi, the gateway that viaduct is measured against, behind the same interface.
//!
//! It knows IRC servers by their host name alone and expects them on port 6667, so the tests give it loopback
//! addresses for names. It has one domain per process.

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
        one(scratch, options, GATEWAY, "")?,
        one(scratch, options, FIXED_GATEWAY, fixed)?,
    ])
}

fn one(scratch: &Scratch, options: &GatewayOptions, domain: &str, fixed_server: &str) -> Result<Process> {
    let user = User::service("_biboumi")?;
    let directory = scratch.subdirectory(&format!("biboumi-{domain}"), &user)?;
    let file = directory.join("biboumi.cfg");
    let (ip, port) = (options.link.ip(), options.link.port());
    let settings = [
        ("hostname", domain.to_owned()),
        ("password", SECRET.to_owned()),
        ("xmpp_server_ip", ip.to_string()),
        ("port", port.to_string()),
        ("admin", format!("admin@{DOMAIN}")),
        ("fixed_irc_server", fixed_server.to_owned()),
        ("db_name", format!("{}/biboumi.sqlite", directory.display())),
        ("identd_port", "0".to_owned()),
        ("log_level", "1".to_owned()),
        ("log_file", String::new()),
    ];
    let settings = settings
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect::<String>();
    user.write(&file, &(settings + &options.extra_config))?;
    let spec = Spec::new("biboumi", "biboumi", &directory, &user)?.args([file.display()]);
    Ok(Process::new(spec))
}
