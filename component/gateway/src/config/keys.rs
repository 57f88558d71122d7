//! Which settings differ between two readings of the configuration, by their names alone: values may be secrets.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use figment::value::{Dict, Value};

/// The settings that are written down, by their full names, each with a digest of its value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Keys(BTreeMap<String, u64>);

/// What is different in another reading.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// What can be taken over while the gateway runs.
    pub live: Vec<String>,
    /// What cannot.
    pub restart: Vec<String>,
}

impl Keys {
    pub(super) fn of(tree: &Dict) -> Self {
        let mut keys = BTreeMap::new();
        collect("", tree, &mut keys);
        Self(keys)
    }

    /// What is different in a newer reading.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Changes {
        let mut changed: Vec<&String> = self.0.keys().chain(newer.0.keys()).collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|key| self.0.get(*key) != newer.0.get(*key));
        // A gateway that is another one now has to be connected anew with all that is its own.
        let moved: Vec<String> = changed
            .iter()
            .filter_map(|key| {
                key.strip_suffix(".domain")
                    .or_else(|| key.strip_suffix(".network"))
            })
            .map(|gateway| format!("{gateway}."))
            .collect();
        let stays = |key: &String| !is_live(key) || moved.iter().any(|gateway| key.starts_with(gateway));
        let (restart, live) = changed.into_iter().cloned().partition(stays);
        Changes { live, restart }
    }

    /// What holds after these settings of a newer reading were taken over.
    pub fn take_over(&mut self, live: &[String], newer: &Self) {
        for key in live {
            match newer.0.get(key) {
                Some(digest) => self.0.insert(key.clone(), *digest),
                None => self.0.remove(key),
            };
        }
    }
}

/// Whether a setting can be changed while the gateway runs.
fn is_live(key: &str) -> bool {
    if key.starts_with("access.") {
        return true;
    }
    let Some((_, own)) = key.strip_prefix("gateway.").and_then(|rest| rest.split_once('.')) else {
        return false;
    };
    match own.split_once('.') {
        None => matches!(own, "registration" | "allow_unregister" | "history" | "grace"),
        // The fixed server is part of every address, and the ident server listens.
        Some(("irc", key)) => !matches!(key.split('.').next(), Some("server" | "ident")),
        Some(_) => false,
    }
}

fn collect(above: &str, dict: &Dict, keys: &mut BTreeMap<String, u64>) {
    for (name, value) in dict {
        let key = if above.is_empty() {
            name.clone()
        } else {
            format!("{above}.{name}")
        };
        match value {
            // A table that is empty counts as well: that it is there may mean something.
            Value::Dict(_, dict) if !dict.is_empty() => collect(&key, dict, keys),
            value => {
                let mut hasher = DefaultHasher::new();
                plain(value, &mut hasher);
                keys.insert(key, hasher.finish());
            }
        }
    }
}

/// What a value says, without where it came from.
fn plain(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Array(_, values) => {
            values.len().hash(hasher);
            values.iter().for_each(|value| plain(value, hasher));
        }
        Value::Dict(_, dict) => {
            // A table in a list.
            for (name, value) in dict {
                name.hash(hasher);
                plain(value, hasher);
            }
        }
        Value::String(_, text) => text.hash(hasher),
        Value::Char(_, character) => character.hash(hasher),
        Value::Bool(_, yes) => yes.hash(hasher),
        Value::Num(_, number) => format!("{number:?}").hash(hasher),
        Value::Empty(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Changes, Keys};

    const OLD: &str = "[access]\nadmins = ['a@b']\n[gateway.irc]\ndomain = 'irc.b'\nsecret = 's'\nhistory = 20\n\
                       [gateway.irc.irc.servers.x]\nports = [1]\n";

    fn keys(text: &str) -> Keys {
        use figment::providers::{Format as _, Toml};
        let tree = figment::Figment::from(Toml::string(text));
        Keys::of(&tree.extract().expect("valid"))
    }

    fn changes(newer: &str) -> Changes {
        keys(OLD).changes(&keys(newer))
    }

    #[test]
    fn what_changed_is_named_and_told_apart() {
        assert_eq!(changes(OLD), Changes::default());
        // The same, written otherwise.
        assert_eq!(changes(&format!("# A comment.\n{OLD}")), Changes::default());
        let newer = OLD
            .replace("'a@b'", "'a@b', 'c@d'")
            .replace("secret = 's'", "secret = 'hunter2'")
            .replace("history = 20\n", "")
            .replace("[1]", "[1, 2]");
        let found = changes(&newer);
        assert_eq!(
            found.live,
            [
                "access.admins",
                "gateway.irc.history",
                "gateway.irc.irc.servers.x.ports"
            ]
        );
        assert_eq!(found.restart, ["gateway.irc.secret"]);
        let more = changes(&format!(
            "{OLD}[gateway.irc.irc.server]\nhost = 'y'\n[store]\nurl = 'z'\n"
        ));
        assert!(more.live.is_empty(), "{more:?}");
        assert_eq!(more.restart, ["gateway.irc.irc.server.host", "store.url"]);
        let moved = changes(&OLD.replace("irc.b", "irc.c").replace("20", "30"));
        assert_eq!(moved.restart, ["gateway.irc.domain", "gateway.irc.history"]);
    }

    #[test]
    fn what_was_not_taken_over_is_told_again() {
        let newer = keys(&OLD.replace("'s'", "'t'").replace("20", "30"));
        let mut holds = keys(OLD);
        let first = holds.changes(&newer);
        holds.take_over(&first.live, &newer);
        let second = holds.changes(&newer);
        assert_eq!((second.live.len(), second.restart), (0, first.restart));
    }
}
