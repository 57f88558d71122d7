//! The stored form of what users have set. A promise, like that of the other values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use viaduct_bridge::{Name, RoomId, Scope, Secret, ServerId, Settings};
use viaduct_core::options::Options;
use zeroize::Zeroizing;

use super::{ReadSecret, Unreadable};

/// A scope as the columns server and room.
pub(crate) fn scope_to_columns(scope: &Scope) -> (&str, &str) {
    match scope {
        Scope::Everything => ("", ""),
        Scope::Server(server) => (server.as_str(), ""),
        Scope::Room(room) => (room.server.as_str(), &room.room),
    }
}

pub(crate) fn scope_from_columns(server: Name, room: Name) -> Scope {
    match (server.is_empty(), room.is_empty()) {
        (true, _) => Scope::Everything,
        (false, true) => Scope::Server(ServerId(server)),
        (false, false) => Scope::Room(RoomId {
            server: ServerId(server),
            room,
        }),
    }
}

#[derive(Serialize, Deserialize)]
struct StoredOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history_at_join: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    persistent: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connection_messages: Option<bool>,
}

pub(crate) fn options_to_json(options: &Options) -> String {
    let stored = StoredOptions {
        history: options.history,
        history_at_join: options.history_at_join,
        persistent: options.persistent,
        connection_messages: options.connection_messages,
    };
    serde_json::to_string(&stored).expect("numbers and truth values are JSON")
}

pub(crate) fn options_from_json(json: &str) -> Result<Options, Unreadable> {
    let stored: StoredOptions =
        serde_json::from_str(json).map_err(|_| "the options are not as expected".to_owned())?;
    Ok(Options {
        history: stored.history,
        history_at_join: stored.history_at_join,
        persistent: stored.persistent,
        connection_messages: stored.connection_messages,
    })
}

#[derive(Serialize)]
struct StoredSettings<'a> {
    values: BTreeMap<&'a str, &'a str>,
    secrets: BTreeMap<&'a str, &'a str>,
}

#[derive(Deserialize)]
struct ReadSettings {
    values: BTreeMap<String, String>,
    secrets: BTreeMap<String, ReadSecret>,
}

pub(crate) fn settings_to_json(settings: &Settings) -> Zeroizing<Vec<u8>> {
    let values = settings
        .values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let secrets = settings
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.reveal()));
    let stored = StoredSettings {
        values: values.collect(),
        secrets: secrets.collect(),
    };
    // Large enough from the start in the ordinary case: a vector that grows leaves copies behind.
    let mut json = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *json, &stored).expect("maps from strings to strings are JSON");
    json
}

pub(crate) fn settings_from_json(json: &[u8]) -> Result<Settings, Unreadable> {
    let read: ReadSettings =
        serde_json::from_slice(json).map_err(|_| "the settings are not as expected".to_owned())?;
    let secrets = read.secrets.into_iter();
    Ok(Settings {
        values: read.values,
        secrets: secrets
            .map(|(name, ReadSecret(secret))| (name, Secret::new(secret)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use viaduct_bridge::{RoomId, Scope, Secret, ServerId, Settings};
    use viaduct_core::options::Options;

    use super::*;

    #[test]
    fn what_is_stored_reads_back() {
        let mut settings = Settings::default();
        settings.set("realname", "Ünïcödé \"quoted\" \n two lines");
        settings
            .secrets
            .insert("password".into(), Secret::new("p\"a\\s\ns"));
        assert_eq!(settings_from_json(&settings_to_json(&settings)), Ok(settings));
        let options = Options {
            history: Some(false),
            history_at_join: Some(7),
            persistent: None,
            connection_messages: Some(true),
        };
        assert_eq!(options_from_json(&options_to_json(&options)), Ok(options));
        let server = ServerId("irc.test".into());
        let room = RoomId {
            server: server.clone(),
            room: "#a".into(),
        };
        for scope in [Scope::Everything, Scope::Server(server), Scope::Room(room)] {
            let (server, room) = scope_to_columns(&scope);
            assert_eq!(scope_from_columns(server.into(), room.into()), scope);
        }
    }

    /// What is in databases already must stay readable.
    #[test]
    fn the_stored_form_is_a_promise() {
        assert_eq!(options_from_json("{}"), Ok(Options::default()));
        let options = options_from_json(r#"{"history":false,"persistent":true}"#).expect("readable");
        assert_eq!((options.history, options.persistent), (Some(false), Some(true)));
        let settings = settings_from_json(br#"{"values":{"a":"b"},"secrets":{"c":"d"}}"#).expect("readable");
        assert_eq!(settings.value("a"), Some("b"));
        assert_eq!(settings.secrets["c"], Secret::new("d"));
    }
}
