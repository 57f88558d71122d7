//! viaduct: its configuration for tests, and where the program is.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{GatewayOptions, KnownServer};
use crate::process::{Process, Spec, User};
use crate::scratch::Scratch;
use crate::servers::{DOMAIN, FIXED_GATEWAY, GATEWAY, SECRET};

/// The program: `VIADUCT_BIN`, or what cargo built beside the program that runs.
pub fn viaduct_program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("VIADUCT_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("asking where we are")?;
    // target/debug/NAME, or target/debug/deps/NAME-HASH.
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|place| place.join("viaduct"))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "there is no 'viaduct' near {}; build it, or set VIADUCT_BIN",
            own.display()
        )
    })
}

pub(super) fn prepare(scratch: &Scratch, options: &GatewayOptions) -> Result<Process> {
    let directory = scratch.subdirectory("viaduct", &User::Myself)?;
    let file = directory.join("viaduct.toml");
    fs::write(&file, configuration(&directory, options)?)?;
    let program = viaduct_program()?;
    let mut spec = Spec::new(
        "viaduct",
        &program.display().to_string(),
        &directory,
        &User::Myself,
    )?;
    spec = spec.args(["run", "--config"]).args([file.display()]);
    spec = spec
        .env("RUST_LOG", "info,viaduct=debug")
        .env("RUST_BACKTRACE", 1);
    spec.env.extend(options.env.iter().cloned());
    Ok(Process::new(spec))
}

fn configuration(directory: &Path, options: &GatewayOptions) -> Result<String> {
    let Some(fixed) = options.servers.first() else {
        bail!("a gateway needs an IRC server")
    };
    let directory = directory.display();
    let link = options.link;
    let store = options
        .store
        .clone()
        .unwrap_or_else(|| format!("sqlite://{directory}/viaduct.db"));
    let mut text = format!(
        r#"# Made by viaduct's tests.
[xmpp]
server = "{link}"

[store]
url = "{store}"
key_file = "{directory}/key"

[access]
allow = ["{DOMAIN}"]
admins = ["admin@{DOMAIN}"]

[outgoing]
allow_private = ["127.0.0.0/8"]

[gateway.fixed]
domain = "{FIXED_GATEWAY}"
secret = "{SECRET}"
network = "irc"

[gateway.fixed.irc]
server = {{ {} }}
flood = "off"

[gateway.irc]
domain = "{GATEWAY}"
secret = "{SECRET}"
network = "irc"

[gateway.irc.irc]
allow_plain = true
flood = "off"
"#,
        fixed_server(fixed)
    );
    for server in &options.servers {
        write!(
            text,
            "\n[gateway.irc.irc.servers.\"{}\"]\n{}",
            server.name,
            override_of(server)
        )?;
    }
    writeln!(text, "\n{}", options.extra_config)?;
    Ok(text)
}

fn fixed_server(server: &KnownServer) -> String {
    let (port, tls) = server.port.unwrap_or((6697, true));
    format!(r#"host = "{}", port = {port}, tls = {tls}"#, server.ip)
}

fn override_of(server: &KnownServer) -> String {
    let mut text = format!("host = \"{}\"\n", server.ip);
    if let Some((port, tls)) = server.port {
        text += &format!("ports = [{port}]\ntls = {tls}\n");
    }
    if let Some(ca_file) = &server.ca_file {
        text += &format!("ca_file = \"{}\"\n", ca_file.display());
    }
    if let Some(pace) = &server.flood {
        text += &format!("flood = {pace}\n");
    }
    text
}
