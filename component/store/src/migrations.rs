//! The migrations, embedded from the folder `migrations/` at the root of the repository.
//!
//! A migration is never edited once it is merged; it is followed by another. To add one: put a file named by a timestamp
//! and what it does there, and a line in [`ALL`] here. One text serves both databases, see [`for_sqlite`].

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::db::Conn;
use crate::error::{StoreError, in_words};

/// Version, what it does, and the text.
const ALL: &[(i64, &str, &str)] = &[
    (
        20_261_120_160_000,
        "create tables",
        include_str!("../../../migrations/20261120160000_create_tables.sql"),
    ),
    (
        20_261_120_200_000,
        "create relations",
        include_str!("../../../migrations/20261120200000_create_relations.sql"),
    ),
];

/// Brings the tables up to date.
pub(crate) async fn run(conn: &mut Conn, database: &str) -> Result<(), StoreError> {
    let outcome = match conn {
        Conn::Sqlite(conn) => migrator(for_sqlite).run_direct(None, conn, false).await,
        Conn::Postgres(conn) => migrator(Cow::Borrowed).run_direct(None, conn, false).await,
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

fn migrator(translate: fn(&'static str) -> Cow<'static, str>) -> Migrator {
    let migrations = ALL.iter().map(|(version, what, text)| {
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

    use super::{ALL, for_sqlite};

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
