//! The migrations, embedded from the folder `migrations/` at the root of the repository.
//!
//! A migration is never edited once it is merged; it is followed by another. To add one: put a file named by a timestamp
//! and what it does there, and a line in [`ALL`] here. One text serves both databases, see [`for_sqlite`].

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::db::{Conn, Row};
use crate::error::{StoreError, in_words};

/// Version, what it does, and the text.
const ALL: &[(i64, &str, &str)] = &[
    (
        20_261_120_160_000,
        "create tables",
        include_str!("../../../migrations/20261120160000_create_tables.sql"),
    ),
    (
        20_261_120_190_000,
        "settings",
        include_str!("../../../migrations/20261120190000_settings.sql"),
    ),
    (
        20_261_120_193_000,
        "create contacts",
        include_str!("../../../migrations/20261120193000_create_contacts.sql"),
    ),
    (
        20_261_120_200_000,
        "remember warnings",
        include_str!("../../../migrations/20261120200000_remember_warnings.sql"),
    ),
    (
        20_261_120_210_000,
        "remember imports",
        include_str!("../../../migrations/20261120210000_remember_imports.sql"),
    ),
    (
        20_261_120_212_000,
        "create relations",
        include_str!("../../../migrations/20261120212000_create_relations.sql"),
    ),
];

/// Brings the tables up to date.
pub(crate) async fn run(conn: &mut Conn, database: &str) -> Result<(), StoreError> {
    let outcome = match conn {
        Conn::Sqlite(conn) => migrator(ALL, for_sqlite).run_direct(None, conn, false).await,
        Conn::Postgres(conn) => migrator(ALL, Cow::Borrowed).run_direct(None, conn, false).await,
    };
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Newer {
            database: database.to_owned(),
            version,
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => StoreError::Migration {
            database: database.to_owned(),
            reason: in_words(&error),
        },
        error => StoreError::Migration {
            database: database.to_owned(),
            reason: error.to_string(),
        },
    })
}

/// Whether the tables are those of this version, without changing anything. `None` where there are none yet.
pub(crate) async fn are_current(conn: &mut Conn) -> Result<Option<bool>, sqlx::Error> {
    let there = match conn {
        Conn::Sqlite(_) => "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
        Conn::Postgres(_) => {
            "SELECT count(*) FROM pg_class WHERE relname = '_sqlx_migrations' \
             AND relnamespace = current_schema()::regnamespace"
        }
    };
    let count = |rows: Vec<Row>| rows.first().ok_or(sqlx::Error::RowNotFound)?.int(0);
    if count(conn.fetch(there, &[]).await?)? == 0 {
        return Ok(None);
    }
    let last = "SELECT CAST(coalesce(max(version), 0) AS BIGINT) FROM _sqlx_migrations";
    let last = count(conn.fetch(last, &[]).await?)?;
    Ok((last > 0).then_some(Some(last) == ALL.last().map(|(version, ..)| *version)))
}

fn migrator(
    migrations: &[(i64, &'static str, &'static str)],
    translate: fn(&'static str) -> Cow<'static, str>,
) -> Migrator {
    let migrations = migrations.iter().map(|(version, what, text)| {
        let text = AssertSqlSafe(translate(text)).into_sql_str();
        Migration::new(*version, Cow::Borrowed(what), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(migrations.collect())
}

/// Makes SQLite's text of a migration. What this makes of a merged migration must stay the same for ever, since the
/// checksum of what was applied is kept in the database.
fn for_sqlite(text: &'static str) -> Cow<'static, str> {
    text.replace("BIGINT", "INTEGER")
        .replace("BYTEA", "BLOB")
        .replace("/*sqlite ", "")
        .replace(" */", "")
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::{ALL, for_sqlite, migrator, run};
    use crate::config::StoreConfig;
    use crate::connection::Home;
    use crate::db::Conn;

    /// What an older version has left is there after an upgrade.
    #[tokio::test]
    async fn an_old_database_is_brought_up_to_date() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = StoreConfig {
            url: format!("sqlite://{}/viaduct.db", dir.path().display()),
            ..StoreConfig::default()
        };
        let (_home, mut conn) = Home::open(&config).await.expect("a database");
        let Conn::Sqlite(old) = &mut conn else {
            panic!("this is SQLite");
        };
        let oldest = migrator(&ALL[..1], for_sqlite).run_direct(None, old, false).await;
        oldest.expect("the first tables");
        let login =
            "INSERT INTO login (id, gateway, jid, stay_connected) VALUES (1, 'g', 'me@example.org', 0)";
        conn.execute(login, &[]).await.expect("a user");
        for _ in 0..2 {
            run(&mut conn, "the test").await.expect("migrated");
        }
        let found = conn.fetch("SELECT id FROM login", &[]).await.expect("readable");
        assert_eq!(found[0].int(0).expect("a number"), 1);
        assert!(
            conn.fetch("SELECT login FROM warned", &[])
                .await
                .expect("a table")
                .is_empty()
        );
    }

    #[test]
    fn every_file_is_embedded_and_named_by_its_version() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder of migrations")
            .map(|entry| {
                entry
                    .expect("a file")
                    .file_name()
                    .into_string()
                    .expect("a plain name")
            })
            .filter(|name| Path::new(name).extension().is_some_and(|end| end == "sql"))
            .collect();
        let embedded: BTreeSet<String> = ALL
            .iter()
            .map(|(version, what, _)| format!("{version}_{}.sql", what.replace(' ', "_")))
            .collect();
        assert_eq!(files, embedded);
        assert!(ALL.is_sorted_by_key(|(version, ..)| *version));
    }

    #[test]
    fn sqlite_gets_its_own_words() {
        let made = for_sqlite("CREATE TABLE a (b BIGINT, c BYTEA) /*sqlite STRICT */;");
        assert_eq!(made, "CREATE TABLE a (b INTEGER, c BLOB) STRICT;");
    }
}
