//! What a user can set for a server and for a channel, and what it comes to.
//!
//! What the operator has fixed for a server is not asked: ports and the check of certificates are the user's only
//! where the configuration says nothing about them.

mod form;

use encoding_rs::Encoding;
use viaduct_bridge::{Secret, Settings};

use crate::config::{Flood, IrcConfig, ServerPlan};
use crate::conn::tls::Trust;
use crate::proto::charset::named;
use crate::proto::line::Line;

const NICK: &str = "nick";
const USERNAME: &str = "username";
const REALNAME: &str = "realname";
const PASSWORD: &str = "password";
const ACCOUNT: &str = "sasl_account";
const ACCOUNT_PASSWORD: &str = "sasl_password";
const FORGET: &str = "forget_passwords";
const COMMANDS: &str = "after_connect_commands";
const TLS_PORTS: &str = "tls_ports";
const PORTS: &str = "ports";
const VERIFY: &str = "verify_cert";
const FINGERPRINT: &str = "fingerprint";
const ENCODING_IN: &str = "encoding_in";
const ENCODING_OUT: &str = "encoding_out";
const PER_SECOND: &str = "lines_per_second";
const MOTD: &str = "show_motd";

/// The most ports that are tried.
const MOST_PORTS: usize = 8;

pub(crate) use form::{form, read};

/// What a user has set for one server.
#[derive(Clone, Default)]
pub(crate) struct Personal {
    /// The nickname, whatever a join asks for.
    pub(crate) nick: Option<String>,
    /// The user name (ident).
    pub(crate) username: Option<String>,
    /// The real name.
    pub(crate) realname: Option<String>,
    /// The password of the server.
    pub(crate) password: Option<Secret>,
    /// The account and its password.
    pub(crate) account: Option<(String, Secret)>,
    /// Lines that are sent once the user is online.
    pub(crate) commands: Vec<Line>,
    /// Whether the user wants to read the message of the day.
    pub(crate) motd: bool,
    tls_ports: Vec<u16>,
    plain_ports: Vec<u16>,
    trust: Option<Trust>,
    encoding_in: Option<&'static Encoding>,
    encoding_out: Option<&'static Encoding>,
    per_second: Option<f64>,
}

/// What is set for a server, with an account there.
pub(crate) fn with_account(settings: &Settings, account: &str, password: &Secret) -> Settings {
    let mut new = settings.clone();
    new.values.insert(ACCOUNT.to_owned(), account.to_owned());
    new.secrets.insert(ACCOUNT_PASSWORD.to_owned(), password.clone());
    new
}

impl Personal {
    /// Reads what is set for a server. What was valid when it was set and is no longer is left out.
    pub(crate) fn of(settings: &Settings) -> Self {
        let text = |name| settings.value(name).map(str::to_owned);
        let secret = |name: &str| settings.secrets.get(name).cloned();
        let ports = |name| {
            settings
                .value(name)
                .and_then(|text| ports(text).ok())
                .unwrap_or_default()
        };
        let encoding = |name| settings.value(name).and_then(named);
        let trust = match settings.value(FINGERPRINT).and_then(Trust::fingerprint) {
            Some(trust) => Some(trust),
            None => (settings.value(VERIFY) == Some("0")).then_some(Trust::Anybody),
        };
        Self {
            nick: text(NICK),
            username: text(USERNAME),
            realname: text(REALNAME),
            password: secret(PASSWORD),
            account: text(ACCOUNT).zip(secret(ACCOUNT_PASSWORD)),
            commands: settings
                .value(COMMANDS)
                .map(|text| text.lines().filter_map(Line::raw).collect())
                .unwrap_or_default(),
            motd: settings.value(MOTD) == Some("1"),
            tls_ports: ports(TLS_PORTS),
            plain_ports: ports(PORTS),
            trust,
            encoding_in: encoding(ENCODING_IN),
            encoding_out: encoding(ENCODING_OUT),
            per_second: settings.value(PER_SECOND).and_then(|text| text.parse().ok()),
        }
    }

    /// Makes the operator's plan for a server the user's, as far as the operator leaves it to users.
    pub(crate) fn apply(&self, plan: &mut ServerPlan, config: &IrcConfig) {
        if plan.by_default {
            if !self.tls_ports.is_empty() {
                plan.tls_ports.clone_from(&self.tls_ports);
                // Who names the port for TLS means TLS.
                plan.plain_ports.clear();
                plan.plain_is_fallback = false;
                plan.personal = true;
            }
            if config.allow_plain && !self.plain_ports.is_empty() {
                plan.plain_ports.clone_from(&self.plain_ports);
                plan.plain_is_fallback = true;
                plan.personal = true;
            }
        }
        if plan.trust_is_users && self.trust.is_some() {
            plan.trust.clone_from(&self.trust);
            plan.personal = true;
        }
        if let Some(encoding) = self.encoding_in {
            plan.charset = encoding;
        }
        plan.charset_out = self.encoding_out;
        if self.password.is_some() {
            plan.password.clone_from(&self.password);
        }
        if let (Some(wanted), Flood::Rate { burst, per_second }) = (self.per_second, plan.flood) {
            plan.flood = Flood::Rate {
                burst,
                per_second: wanted.min(per_second),
            };
        } else if let Some(per_second) = self.per_second {
            plan.flood = Flood::Rate { burst: 8, per_second };
        }
    }
}

/// The encodings that a user has set for one channel: for reading and for writing.
pub(crate) fn channel_encodings(
    settings: &Settings,
) -> (Option<&'static Encoding>, Option<&'static Encoding>) {
    let encoding = |name| settings.value(name).and_then(named);
    (encoding(ENCODING_IN), encoding(ENCODING_OUT))
}

fn ports(text: &str) -> Result<Vec<u16>, String> {
    let ports: Result<Vec<u16>, String> = text
        .split([',', ';', ' '])
        .filter(|part| !part.is_empty())
        .map(|part| match part.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("'{part}' is no port (1 to 65535).")),
        })
        .collect();
    match ports {
        Ok(ports) if ports.len() > MOST_PORTS => Err(format!("At most {MOST_PORTS} ports can be tried.")),
        ports => ports,
    }
}
