//! Prosody: its configuration for tests.

use anyhow::Result;

use super::xmpp::Setup;
use super::{DOMAIN, FIXED_GATEWAY, GATEWAY, OTHER_DOMAIN, SECRET};
use crate::process::{Spec, User};

/// Prosody refuses to be root.
pub(super) fn user() -> Result<User> {
    User::service("prosody")
}

pub(super) fn prepare(setup: &Setup<'_>, user: &User) -> Result<Spec> {
    let file = setup.directory.join("prosody.cfg.lua");
    user.write(&file, &configuration(setup))?;
    let spec = Spec::new("prosody", "prosody", setup.directory, user)?;
    Ok(spec
        .args(["--config"])
        .args([file.display()])
        .args(["-F"])
        .env("HOME", setup.directory.display()))
}

fn configuration(setup: &Setup<'_>) -> String {
    let directory = setup.directory.display();
    let (c2s, component) = (setup.c2s, setup.component);
    let (tls, ssl) = match &setup.options.certificate {
        Some(made) => {
            let (key, chain) = (made.key.display(), made.chain.display());
            (
                r#""tls";"#,
                format!(r#"ssl = {{ key = "{key}"; certificate = "{chain}" }}"#),
            )
        }
        None => ("", String::new()),
    };
    format!(
        r#"
-- Made by viaduct's tests.
daemonize = false
pidfile = "{directory}/prosody.pid"
data_path = "{directory}"
certificates = "{directory}"
log = {{ {{ levels = {{ min = "info" }}, to = "console", timestamps = "%H:%M:%S" }} }}

interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {c2s} }}
component_ports = {{ {component} }}
component_interfaces = {{ "127.0.0.1" }}
c2s_direct_tls_ports = {{}}
legacy_ssl_ports = {{}}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{}}

modules_enabled = {{
    {tls}
    "blocklist"; "bookmarks"; "carbons"; "csi_simple"; "disco"; "lastactivity"; "mam"; "offline"; "pep"; "ping";
    "private"; "register"; "roster"; "saslauth"; "smacks"; "time"; "uptime"; "vcard4"; "vcard_legacy"; "version";
}}
modules_disabled = {{ "s2s"; "limits"; "admin_socket" }}

-- Accounts are made in-band, on loopback, without encryption.
allow_registration = true
authentication = "internal_plain"
storage = "internal"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
{ssl}

-- A component that comes back takes the place of its dead connection.
component_conflict_resolve = "kick_old"
c2s_stanza_size_limit = 16 * 1024 * 1024
component_stanza_size_limit = 16 * 1024 * 1024
default_archive_policy = true
archive_expires_after = "never"

VirtualHost "{DOMAIN}"
VirtualHost "{OTHER_DOMAIN}"

Component "{GATEWAY}"
    component_secret = "{SECRET}"
Component "{FIXED_GATEWAY}"
    component_secret = "{SECRET}"
"#
    )
}
