//! What reading costs, asked of the database itself: which rows are visited, not how long it takes.

use std::path::Path;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _, SqliteConnection};

use super::{archive, login, message, related};
use crate::config::StoreConfig;
use crate::connection::Home;
use crate::db::sqlite;
use crate::migrations;
use crate::write::{BULK, QUERIES};

async fn database(dir: &Path) -> SqliteConnection {
    let config = StoreConfig {
        url: format!("sqlite://{}/viaduct.db", dir.display()),
        ..StoreConfig::default()
    };
    let (_home, mut conn) = Home::open(&config).await.expect("a database");
    migrations::run(&mut conn, "the test").await.expect("migrated");
    conn.close().await.expect("closed");
    sqlite::options(&config)
        .expect("a URL")
        .connect()
        .await
        .expect("a connection")
}

async fn plan(conn: &mut SqliteConnection, sql: &str) -> Vec<String> {
    let rows = conn
        .fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
        .await
        .expect("a plan");
    rows.iter().map(|row| row.get::<String, _>("detail")).collect()
}

#[tokio::test]
async fn no_query_scans_a_table() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut conn = database(dir.path()).await;
    for sql in message::QUERIES
        .iter()
        .chain(archive::QUERIES)
        .chain(login::QUERIES)
        .chain(related::QUERIES)
        .chain(QUERIES)
    {
        for step in plan(&mut conn, sql).await {
            assert!(!scans(&step), "{sql}\n{step}");
            assert!(
                !step.contains("TEMP B-TREE"),
                "{sql}\nis sorted after all was read: {step}"
            );
        }
    }
    for bulk in message::BULK.iter().chain(archive::BULK).chain(BULK) {
        for step in plan(&mut conn, &sqlite::text(bulk, 64)).await {
            assert!(!scans(&step), "{}\n{step}", bulk.then);
        }
    }
}

/// Whether a step of a plan reads a whole table. What comes in and what a recursion has found so far are none, and the
/// rows of `erased` and `unseen` are work to be done, in order and only as many as are asked for.
fn scans(step: &str) -> bool {
    step.strip_prefix("SCAN ").is_some_and(|what| {
        !["half", "r", "erased", "unseen", "d"].contains(&what)
            && !what.contains("CONSTANT ROW")
            && !what.contains("-ROW VALUES")
    })
}

/// A time is found by looking at as many messages as the number of them has binary digits.
#[tokio::test]
async fn a_time_is_found_by_halving() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut conn = database(dir.path()).await;
    for (portal, messages) in [(1, 100), (2, 100_000)] {
        let fill = format!(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {messages}) \
             INSERT INTO message (portal, position, at, said, named) SELECT {portal}, i, i / 3, 1, 0 FROM n"
        );
        conn.execute(AssertSqlSafe(fill)).await.expect("filled");
        let digits = i64::from(i64::BITS - i64::leading_zeros(messages));
        let visited = archive::FIRST_SINCE.replace(
            "SELECT low FROM half WHERE low >= high",
            "SELECT count(*) FROM half",
        );
        for at in [-1, 0, 7, messages / 3 - 1, messages] {
            let run = async |sql: String, conn: &mut SqliteConnection| -> i64 {
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                query
                    .bind(portal)
                    .bind(1)
                    .bind(messages + 1)
                    .bind(at)
                    .fetch_one(conn)
                    .await
                    .expect("an answer")
            };
            let found = run(archive::FIRST_SINCE.to_owned(), &mut conn).await;
            let first = (at * 3).clamp(1, messages + 1);
            assert_eq!(found, first, "the first of {messages} at {at}");
            assert!(
                run(visited.clone(), &mut conn).await <= digits + 2,
                "{messages} messages"
            );
        }
    }
}
