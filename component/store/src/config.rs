//! The `[store]` section of the configuration.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// Where viaduct remembers things, and how.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// The database: `sqlite:///var/lib/viaduct/viaduct.db`, or `postgres://user:password@host/name`. A SQLite file is
    /// made where there is none (its directory must be there); a PostgreSQL database must exist.
    pub url: String,
    /// The file with the key that seals credentials: 32 random bytes as 64 hexadecimal digits or as base64. Made at the
    /// first start if there is none. Keep it away from the database and its backups: whoever has both can read the
    /// credentials, and without it nobody can.
    pub key_file: PathBuf,
    /// What a commit waits for, with SQLite. PostgreSQL goes by its own `synchronous_commit`.
    pub synchronous: Synchronous,
    /// How many seconds what is to be written waits for a database that is away or locked (a server that is restarted, a
    /// backup), before it is refused.
    pub patience: u32,
}

/// What a SQLite commit waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Synchronous {
    /// Until the operating system has it: a crash of viaduct loses nothing, a crash of the machine may lose the last
    /// commits (but never damages the database).
    #[default]
    Normal,
    /// Until the disk has it: nothing is lost when the machine crashes, at the price of a disk flush for every commit.
    Full,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:///var/lib/viaduct/viaduct.db".to_owned(),
            key_file: PathBuf::from("/etc/viaduct/key"),
            synchronous: Synchronous::default(),
            patience: 60,
        }
    }
}

impl StoreConfig {
    /// The URL for people: without the password that may be in it.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return self.url.clone();
        };
        // A password may also stand in the query (`?password=…`), so nothing of that is shown.
        let rest = rest.split('?').next().unwrap_or_default();
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{host}")
            }
            None => format!("{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &self.shown_url())
            .field("key_file", &self.key_file)
            .field("synchronous", &self.synchronous)
            .field("patience", &self.patience)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::StoreConfig;

    #[test]
    fn no_password_is_shown() {
        for (url, shown) in [
            (
                "sqlite:///var/lib/viaduct/viaduct.db",
                "sqlite:///var/lib/viaduct/viaduct.db",
            ),
            (
                "postgres://viaduct:hunter2@db.example/viaduct",
                "postgres://viaduct@db.example/viaduct",
            ),
            (
                "postgres://v:p@ss@db/viaduct?password=hunter2",
                "postgres://v@db/viaduct",
            ),
            ("postgres:///viaduct", "postgres:///viaduct"),
        ] {
            let config = StoreConfig {
                url: url.to_owned(),
                ..StoreConfig::default()
            };
            assert_eq!(config.shown_url(), shown);
            assert!(!format!("{config:?}").contains("hunter2"));
        }
    }
}
