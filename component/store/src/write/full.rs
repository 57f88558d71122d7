//! The writer on a full disk. SQLite is told to make the file no larger, which it reports as it reports a full disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use viaduct_bridge::{Name, Timestamp};
use viaduct_core::records::{
    LoginId, LoginRecord, MessageRecord, PortalId, Position, Preferences, Said, Write,
};

use super::{Interner, Queue, Writer, standing};
use crate::config::StoreConfig;
use crate::connection::Home;
use crate::error::CommitError;
use crate::migrations;
use crate::notebook::Notes;
use crate::seal::SealingKey;

/// As many pages as the tables need and a few more.
const PAGES: &str = "PRAGMA max_page_count = 60";

fn login(id: i64) -> Write {
    Write::Login(Box::new(LoginRecord {
        id: LoginId(id),
        gateway: Name::from("irc.example.org"),
        user: format!("{id}{}", "x".repeat(1500)).into(),
        account: None,
        preferences: Preferences::default(),
    }))
}

fn message(position: i64) -> Write {
    Write::Message(Box::new(MessageRecord {
        portal: PortalId(1),
        position: Position(position),
        at: Timestamp(1),
        said: Arc::new(Said {
            nick: Name::from("a"),
            occupant: Name::from("o"),
            payload: Name::from("<body/>"),
        }),
        remote: None,
        client_id: None,
    }))
}

#[tokio::test]
async fn a_full_disk_is_reported_and_survived() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = StoreConfig {
        url: format!("sqlite://{}/viaduct.db", dir.path().display()),
        key_file: dir.path().join("key"),
        ..StoreConfig::default()
    };
    let (home, mut conn) = Home::open(&config).await.expect("a database");
    migrations::run(&mut conn, "the test").await.expect("migrated");
    conn.execute(PAGES, &[]).await.expect("a limit");
    let (queue, requests) = Queue::new();
    let notes = Arc::new(Notes::new(HashMap::new()));
    let writer = Writer {
        home,
        standing: standing(&mut conn).await.expect("readable"),
        conn: Some(conn),
        interner: Interner::new(1),
        key: SealingKey::load_or_create(&config.key_file).expect("a key"),
        notes: Arc::clone(&notes),
        requests,
        era: queue.era(),
        checkpointer: None,
        patience: Duration::from_secs(60),
        troubled: false,
    };
    let writer = tokio::spawn(writer.work());

    let mut kept = Vec::new();
    let error = loop {
        let id = i64::try_from(kept.len()).expect("few") + 1;
        assert!(id < 1000, "the disk is never full");
        match queue.write(vec![login(id)], None).await.await {
            Ok(()) => kept.push(id),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CommitError::Unavailable(_)), "{error}");
    assert!(
        error.to_string().contains("disk that holds the database is full"),
        "{error}"
    );
    assert!(!kept.is_empty());

    // Somebody makes room, and everything goes on.
    let forget = kept.iter().map(|id| Write::ForgetLogin(LoginId(*id))).collect();
    assert_eq!(queue.write(forget, None).await.await, Ok(()));
    assert_eq!(queue.write(vec![login(1), message(1)], None).await.await, Ok(()));
    notes.close();
    writer.await.expect("the writer ends");
}
