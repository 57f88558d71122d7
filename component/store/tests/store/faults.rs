//! When a commit fails.

use std::time::Duration;

use viaduct_bridge::MessageId;
use viaduct_core::records::{PortalId, Position, Write};
use viaduct_store::{CommitError, QueueFull, Store, StoreConfig, StoreError};

use crate::proxy::Proxy;
use crate::support::{Db, commit, message, messages, name, on_both, user_with_room};

async fn positions(store: &Store, portal: i64) -> Vec<i64> {
    let kept = store
        .replay(PortalId(portal), Position(0), Position(999), 999)
        .await
        .expect("readable");
    kept.iter().map(|message| message.position.0).collect()
}

on_both! {
    /// One bad write among many that arrive together harms only its own batch.
    async fn a_refused_batch_harms_no_other(db) {
        let store = db.open().await;
        commit(&store, (1..=9).flat_map(user_with_room).collect()).await;
        commit(&store, messages([message(5, 1)])).await;
        let mut tickets = Vec::new();
        for id in 1..=9 {
            // The place 1 of room 5 is taken.
            tickets.push(store.try_write(messages([message(id, 2), message(id, 1)])).expect("room in the queue"));
        }
        for (id, ticket) in (1..).zip(tickets) {
            match ticket.await {
                Ok(()) => assert_ne!(id, 5),
                Err(CommitError::Refused(_)) => assert_eq!(id, 5),
                Err(error) => panic!("{error}"),
            }
        }
        for id in 1..=9 {
            assert_eq!(positions(&store, id).await, if id == 5 { vec![1] } else { vec![1, 2] });
        }
        store.close().await;
    }
}

on_both! {
    /// An actor that runs ahead of its commits leaves no gap when one fails.
    async fn after_a_failure_a_lane_takes_nothing(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        let mut lane = store.lane();
        let first = lane.write(messages([message(1, 1)])).await;
        let twice = lane.write(messages([message(1, 1)])).await;
        let later = lane.write(messages([message(1, 2)])).await;
        assert_eq!(first.await, Ok(()));
        assert!(matches!(twice.await, Err(CommitError::Refused(_))));
        assert_eq!(later.await, Err(CommitError::Earlier));
        assert!(lane.has_failed());
        assert_eq!(lane.write(messages([message(1, 3)])).await.await, Err(CommitError::Earlier));
        assert_eq!(positions(&store, 1).await, [1]);
        let mut lane = store.lane();
        assert_eq!(lane.write(messages([message(1, 2)])).await.await, Ok(()));
        assert_eq!(positions(&store, 1).await, [1, 2]);
        store.close().await;
    }
}

on_both! {
    /// What the database cannot hold is refused, and the content of a failed batch is not referred to later.
    async fn what_cannot_be_kept_is_refused(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        let mut long = message(1, 1);
        long.remote = Some(MessageId(name(&"x".repeat(5000))));
        let outcome = store.write(messages([message(1, 1), long])).await.await;
        assert!(matches!(outcome, Err(CommitError::Refused(_))), "{outcome:?}");
        let outcome = store.write(messages([message(1, 1), message(1, 1)])).await.await;
        assert!(matches!(outcome, Err(CommitError::Refused(_))), "{outcome:?}");
        let orphan = Write::Portal(Box::new(crate::support::portal(2, 99)));
        let outcome = store.write(vec![orphan]).await.await;
        assert!(matches!(outcome, Err(CommitError::Refused(_))), "{outcome:?}");
        commit(&store, messages([message(1, 1)])).await;
        assert_eq!(positions(&store, 1).await, [1]);
        assert_eq!(db.sql("SELECT count(*) FROM said").await, [1]);
        store.close().await;
    }
}

/// An operator at work with another program.
#[tokio::test]
async fn a_locked_database_is_reported_and_survived() {
    use sqlx::{Connection as _, Executor as _};
    let db = Db::sqlite();
    let store = impatient(&db).await;
    commit(&store, user_with_room(1)).await;
    let mut other = sqlx::SqliteConnection::connect(&db.config().url)
        .await
        .expect("the database");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let ticket = store.write(messages([message(1, 1)])).await;
    let error = tokio::time::timeout(Duration::from_secs(30), ticket)
        .await
        .expect("it gives up")
        .expect_err("locked");
    assert!(error.to_string().contains("another program"), "{error}");
    other.execute("ROLLBACK").await.expect("unlocked");
    commit(&store, messages([message(1, 1)])).await;
    assert_eq!(positions(&store, 1).await, [1]);
    store.close().await;
}

/// A store that waits for its database no longer than it must.
async fn impatient(db: &Db) -> Store {
    let config = StoreConfig {
        patience: 0,
        ..db.config()
    };
    let key = viaduct_store::SealingKey::load_or_create(&config.key_file).expect("a key");
    Store::open(config, key).await.expect("the store opens")
}

/// A backup that takes longer than SQLite itself would wait: what is written meanwhile is late, and that is all.
#[tokio::test]
async fn a_lock_that_passes_is_waited_for() {
    use sqlx::{Connection as _, Executor as _};
    let db = Db::sqlite();
    let store = db.open().await;
    commit(&store, user_with_room(1)).await;
    let mut other = sqlx::SqliteConnection::connect(&db.config().url)
        .await
        .expect("the database");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let mut ticket = store.write(messages([message(1, 1)])).await;
    // Two tries of two seconds each end in between.
    let early = tokio::time::timeout(Duration::from_millis(4500), &mut ticket).await;
    assert!(early.is_err(), "it waits: {early:?}");
    let mut lane = store.lane();
    let later = lane
        .try_write(messages([message(1, 2)]))
        .expect("room in the queue");
    other.execute("ROLLBACK").await.expect("unlocked");
    assert_eq!((ticket.await, later.await), (Ok(()), Ok(())));
    assert_eq!(positions(&store, 1).await, [1, 2]);
    store.close().await;
}

/// What waits to be written is bounded, and who comes too much waits or is told, and loses nothing.
#[tokio::test]
async fn a_full_queue_gives_back_what_it_cannot_take() {
    use sqlx::{Connection as _, Executor as _};
    let db = Db::sqlite();
    let store = db.open().await;
    commit(&store, user_with_room(1)).await;
    let mut other = sqlx::SqliteConnection::connect(&db.config().url)
        .await
        .expect("the database");
    other.execute("BEGIN IMMEDIATE").await.expect("the lock");
    let (mut tickets, mut position) = (Vec::new(), 0);
    let refused = loop {
        let next: Vec<_> = (position + 1..=position + 4000)
            .map(|position| message(1, position))
            .collect();
        match store.try_write(messages(next)) {
            Ok(ticket) => tickets.push(ticket),
            Err(QueueFull(writes)) => break writes,
        }
        position += 4000;
    };
    assert_eq!(position, 16_000);
    assert_eq!(
        refused,
        messages((16_001..=20_000).map(|position| message(1, position)))
    );
    let mut waiting = std::pin::pin!(store.write(refused));
    assert!(futures::poll!(&mut waiting).is_pending());
    other.execute("ROLLBACK").await.expect("unlocked");
    tickets.push(waiting.await);
    for ticket in tickets {
        assert_eq!(ticket.await, Ok(()));
    }
    assert_eq!(db.sql("SELECT count(*) FROM message").await, [20_000]);
    // More than there is room for, all at once.
    let huge = (20_001..=40_000).map(|position| message(1, position));
    commit(&store, messages(huge)).await;
    store.close().await;
}

/// The server ends our session (a restart, an operator): the writer comes back by itself, with its lock.
#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    let Some(db) = Db::postgres().await else { return };
    let store = db.open().await;
    commit(&store, user_with_room(1)).await;
    for position in 1..=3 {
        let end = "SELECT pg_terminate_backend(pid)::INT::BIGINT FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        db.sql(end).await;
        commit(&store, messages([message(1, position)])).await;
        let error = db.try_open().await.expect_err("the lock is held again");
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }
    assert_eq!(positions(&store, 1).await, [1, 2, 3]);
    store.close().await;
    db.drop().await;
}

/// A store whose connections go through a proxy.
async fn open_through_proxy(db: &Db) -> (Proxy, Store) {
    let url = db.config().url;
    let (before, rest) = url.rsplit_once('@').expect("a user in the URL");
    let (server, name) = rest.split_once('/').expect("a database in the URL");
    let proxy = Proxy::before(server.to_owned()).await;
    let config = StoreConfig {
        url: format!("{before}@127.0.0.1:{}/{name}", proxy.port),
        ..db.config()
    };
    let key = viaduct_store::SealingKey::load_or_create(&config.key_file).expect("a key");
    let store = Store::open(config, key).await.expect("the store opens");
    (proxy, store)
}

/// The server commits, but its answer is lost: after reconnecting, the writer sees that it is done and does not do it
/// again.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_repeated() {
    let Some(db) = Db::postgres().await else { return };
    let (proxy, store) = open_through_proxy(&db).await;
    commit(&store, user_with_room(1)).await;
    for position in 1..=3 {
        proxy.swallow_next();
        commit(&store, messages([message(1, position)])).await;
    }
    assert_eq!(positions(&store, 1).await, [1, 2, 3]);
    assert_eq!(db.sql("SELECT count(*) FROM said WHERE views = 1").await, [3]);
    store.close().await;
    db.drop().await;
}

/// A server that does not wait for its disk may come back from a crash without its last commits. Nobody goes on as if it
/// had them: what follows is refused until it is read anew.
#[tokio::test]
async fn commits_that_the_server_has_lost_are_noticed() {
    let Some(db) = Db::postgres().await else { return };
    let store = db.open().await;
    commit(&store, user_with_room(1)).await;
    let (mut busy, mut idle) = (store.lane(), store.lane());
    busy.write(messages([message(1, 1)]))
        .await
        .await
        .expect("committed");
    // As after such a crash.
    db.sql("DELETE FROM message").await;
    db.sql("DELETE FROM said").await;
    db.sql("UPDATE epoch SET batch = batch - 1").await;
    let end = "SELECT pg_terminate_backend(pid)::INT::BIGINT FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    db.sql(end).await;
    let next = busy.write(messages([message(1, 2)])).await;
    assert_eq!(next.await, Err(CommitError::Forgotten));
    let other = idle.write(messages([message(1, 2)])).await;
    assert_eq!(other.await, Err(CommitError::Earlier));
    assert!(busy.has_failed() && idle.has_failed());
    let mut lane = store.lane();
    let again = lane.write(messages([message(1, 1)])).await;
    assert_eq!(again.await, Ok(()));
    assert_eq!(positions(&store, 1).await, [1]);
    assert_eq!(db.sql("SELECT count(*) FROM said WHERE views = 1").await, [1]);
    store.close().await;
    db.drop().await;
}

/// The server is away for some time, at a commit whose answer is lost with it: it is waited for, and nothing is done
/// twice.
#[tokio::test]
async fn a_server_that_comes_back_is_waited_for() {
    let Some(db) = Db::postgres().await else { return };
    let (proxy, store) = open_through_proxy(&db).await;
    commit(&store, user_with_room(1)).await;
    let mut lane = store.lane();
    proxy.go_away();
    proxy.swallow_next();
    let mut tickets = Vec::new();
    for position in 1..=3 {
        tickets.push(lane.write(messages([message(1, position)])).await);
        // Each in a commit of its own.
        proxy.has_refused(2 * position).await;
    }
    proxy.come_back();
    for ticket in tickets {
        assert_eq!(ticket.await, Ok(()));
    }
    assert_eq!(positions(&store, 1).await, [1, 2, 3]);
    store.close().await;
    db.drop().await;
}

/// The server dies at a commit, which then has not happened, and is done again.
#[tokio::test]
async fn a_commit_that_broke_is_repeated() {
    let Some(db) = Db::postgres().await else { return };
    let store = db.open().await;
    commit(&store, user_with_room(1)).await;
    db.sql("CREATE SEQUENCE tries").await;
    // A sequence is no part of a transaction: the second try finds the next number.
    let die = "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
               $$ BEGIN IF nextval('tries') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; \
               RETURN NULL; END $$";
    db.sql(die).await;
    let at_commit = "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED \
                     FOR EACH ROW EXECUTE FUNCTION die()";
    db.sql(at_commit).await;
    commit(&store, messages([message(1, 1)])).await;
    assert_eq!(positions(&store, 1).await, [1]);
    assert_eq!(db.sql("SELECT last_value FROM tries").await, [2]);
    store.close().await;
    db.drop().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_in_words() {
    let db = Db::sqlite();
    let open = async |url: String| {
        let config = StoreConfig { url, ..db.config() };
        let key = viaduct_store::SealingKey::load_or_create(&config.key_file).expect("a key");
        Store::open(config, key)
            .await
            .expect_err("it cannot be opened")
            .to_string()
    };
    let nowhere = open(format!("sqlite://{}/missing/viaduct.db", db.dir.path().display())).await;
    assert!(nowhere.contains("make its directory"), "{nowhere}");
    for url in [
        "mysql://host/viaduct",
        "",
        "/var/lib/viaduct.db",
        "sqlite::memory:",
        "sqlite://",
    ] {
        let error = open(url.to_owned()).await;
        assert!(error.contains("sqlite:///"), "{url}: {error}");
    }
    let error = open("postgres://viaduct:hunter2@127.0.0.1:1/viaduct".to_owned()).await;
    assert!(
        error.contains("cannot be reached") && !error.contains("hunter2"),
        "{error}"
    );
    std::fs::write(
        db.file(),
        "this is no database, but it is long enough to be looked at".repeat(99),
    )
    .expect("written");
    let error = open(db.config().url).await;
    assert!(error.contains("no SQLite database"), "{error}");
}

on_both! {
    async fn a_database_of_a_newer_version_is_refused(db) {
        db.open().await.close().await;
        let newer = "UPDATE _sqlx_migrations SET version = 99991231000000 \
                     WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
        db.sql(newer).await;
        let error = db.try_open().await.expect_err("newer");
        assert!(matches!(error, StoreError::Newer { version: 99_991_231_000_000, .. }), "{error}");
    }
}
