//! ejabberd: its configuration for tests, and how it starts without Erlang's distribution.
//!
//! `ejabberdctl` would start a named node, and with it the port mapper daemon `epmd`, which outlives it. A test
//! needs neither: the virtual machine is started directly, nameless, and accounts are made in-band.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::xmpp::Setup;
use super::{DOMAIN, FIXED_GATEWAY, GATEWAY, OTHER_DOMAIN, SECRET};
use crate::process::{Spec, User};

/// Mnesia keeps what it has committed to itself for some seconds, so a server that is killed right after an
/// account was made does not know it afterwards. With this it writes everything when it finds the file
/// [`WRITE_NOW`], and removes that.
const WRITER: &str = "Loop = fun(Again) -> \
    case filelib:is_file(\"write-now\") of \
        true -> disk_log:sync(latest_log), file:delete(\"write-now\"); \
        false -> ok \
    end, \
    timer:sleep(20), Again(Again) end, \
    spawn(fun() -> Loop(Loop) end).";

/// The file, in the server's directory, that asks it to write what it holds in memory.
pub(super) const WRITE_NOW: &str = "write-now";

/// Its own user, as an operator would run it.
pub(super) fn user() -> Result<User> {
    User::service("ejabberd")
}

/// The log line that says that connections are taken at the address.
pub(super) fn accepts(addr: SocketAddr) -> String {
    format!("Start accepting TCP connections at {addr}")
}

pub(super) fn prepare(setup: &Setup<'_>, user: &User) -> Result<Spec> {
    let directory = setup.directory.display();
    let file = setup.directory.join("ejabberd.yml");
    user.write(&file, &configuration(setup))?;
    let spec = Spec::new("ejabberd", "erl", setup.directory, user)?;
    Ok(spec
        .args(["-noinput", "-start_epmd", "false", "+K", "true", "-mnesia", "dir"])
        .args([format!("\"{directory}/spool\""), "-s".into(), "ejabberd".into()])
        .args(["-eval", WRITER])
        .env("ERL_LIBS", libraries()?.display())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_CRASH_DUMP_SECONDS", 0)
        .env("EJABBERD_CONFIG_PATH", file.display())
        .env("EJABBERD_LOG_PATH", format!("{directory}/ejabberd-own.log"))
        .env("HOME", directory))
}

/// The directory that holds `ejabberd-VERSION`.
fn libraries() -> Result<PathBuf> {
    let mut places = vec![PathBuf::from("/usr/lib")];
    for entry in fs::read_dir(Path::new("/usr/lib"))?.flatten() {
        if entry.file_name().to_string_lossy().ends_with("-linux-gnu") {
            places.push(entry.path());
        }
    }
    let holds_ejabberd = |place: &PathBuf| {
        let mut entries = fs::read_dir(place).into_iter().flatten().flatten();
        entries.any(|entry| entry.file_name().to_string_lossy().starts_with("ejabberd-"))
    };
    places
        .into_iter()
        .find(holds_ejabberd)
        .context("ejabberd is not installed (tests/run installs what is needed)")
}

fn configuration(setup: &Setup<'_>) -> String {
    let (c2s, component) = (setup.c2s, setup.component);
    format!(
        r#"# Made by viaduct's tests.
hosts: ["{DOMAIN}", "{OTHER_DOMAIN}"]
loglevel: info
log_rotate_count: 0

listen:
  - port: {c2s}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 16777216
    shaper: none
    access: all
    backlog: 1000
  - port: {component}
    ip: "127.0.0.1"
    module: ejabberd_service
    # Without this the first component to connect gets the stanzas of all hosts with its secret.
    global_routes: false
    max_stanza_size: 16777216
    shaper: none
    access: all
    hosts:
      "{GATEWAY}": {{password: "{SECRET}"}}
      "{FIXED_GATEWAY}": {{password: "{SECRET}"}}

# Accounts are made in-band, on loopback, without encryption.
auth_method: internal
auth_password_format: plain
registration_timeout: infinity

modules:
  mod_adhoc: {{}}
  mod_blocking: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_disco: {{}}
  mod_last: {{}}
  mod_mam:
    default: always
  mod_offline:
    access_max_user_messages: none
  mod_ping: {{}}
  mod_privacy: {{}}
  mod_private: {{}}
  mod_pubsub:
    plugins: [flat, pep]
  mod_register:
    access: all
    ip_access: all
  mod_roster: {{}}
  mod_stream_mgmt: {{}}
  mod_time: {{}}
  mod_vcard: {{}}
  mod_version: {{}}
"#
    )
}
