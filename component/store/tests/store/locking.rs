//! One copy of the gateway at a time.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use viaduct_core::records::{PortalId, Position};
use viaduct_store::{CommitError, StoreError};

use crate::support::{Db, commit, message, messages, on_both, user_with_room};

on_both! {
    async fn a_second_copy_is_refused_while_the_first_is_there(db) {
        let first = db.open().await;
        for _ in 0..2 {
            let error = db.try_open().await.expect_err("in use");
            assert!(matches!(error, StoreError::InUse { .. }), "{error}");
            assert!(error.to_string().contains("stop that one first"), "{error}");
        }
        // What the first one does is not disturbed by that.
        commit(&first, user_with_room(1)).await;
        first.close().await;
        db.open().await.close().await;
    }
}

on_both! {
    async fn who_lost_the_database_cannot_write(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        db.sql("UPDATE epoch SET epoch = epoch + 1").await;
        for _ in 0..2 {
            let outcome = store.write(messages([message(1, 1)])).await.await;
            assert_eq!(outcome, Err(CommitError::Superseded));
        }
        let kept = store.replay(PortalId(1), Position(0), Position(9), 9).await.expect("readable");
        assert_eq!(kept, []);
        store.close().await;
    }
}

on_both! {
    async fn what_comes_after_closing_fails(db) {
        let store = db.open().await;
        let mut lane = store.lane();
        let ticket = store.write(user_with_room(1)).await;
        store.close().await;
        assert_eq!(ticket.await, Ok(()), "what was handed in before is committed");
        assert_eq!(store.write(user_with_room(2)).await.await, Err(CommitError::Closed));
        assert_eq!(lane.write(user_with_room(2)).await.await, Err(CommitError::Closed));
        store.close().await;
    }
}

/// Not a test but the process that [`the_lock_dies_with_its_process`] kills.
#[tokio::test]
#[ignore = "run by another test, in a process of its own"]
async fn hold_the_lock_until_killed() {
    let db = Db::borrowed(std::env::var("VIADUCT_TEST_HOLD").expect("the other test says which"));
    let store = db.open().await;
    println!("\nheld");
    // Should the other process end before it kills this one, its end of the pipe ends too.
    let orphaned = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    orphaned.await.expect("it ends").expect("readable");
    store.close().await;
}

on_both! {
    async fn the_lock_dies_with_its_process(db) {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "--nocapture", "locking::hold_the_lock_until_killed"])
            .env("VIADUCT_TEST_HOLD", db.describe())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a second process");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "held")), "the second process has the database");
        let error = db.try_open().await.expect_err("in use");
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        if db.is_sqlite() {
            assert!(error.to_string().contains(&format!("process {}", child.id())), "{error}");
        }
        child.kill().expect("killed");
        child.wait().expect("dead");
        // A PostgreSQL server takes a moment to notice.
        let store = loop {
            match db.try_open().await {
                Ok(store) => break store,
                Err(StoreError::InUse { .. }) if !db.is_sqlite() => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        store.close().await;
    }
}
