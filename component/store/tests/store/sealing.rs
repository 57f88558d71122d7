//! Secrets at rest.

use viaduct_bridge::Secret;
use viaduct_core::records::{LoginId, LoginRecord, PortalRecord, Write};
use viaduct_store::{SealingKey, Store, StoreError};

use crate::records::account;
use crate::support::{
    Db, GATEWAY, commit, login, message, messages, name, on_both, portal, said, user_with_room,
};

on_both! {
    async fn no_secret_is_in_the_database(db) {
        let store = db.open().await;
        let record = LoginRecord { account: Some(account()), ..login(1, "me@example.org") };
        let chan = PortalRecord { key: Some(Secret::new("hunter2-room")), ..portal(1, 1) };
        commit(&store, vec![Write::Login(Box::new(record)), Write::Portal(Box::new(chan))]).await;
        for open in [true, false] {
            if !open {
                store.close().await;
            }
            if db.is_sqlite() {
                let mut files = 0;
                for entry in std::fs::read_dir(db.dir.path()).expect("the directory") {
                    let path = entry.expect("a file").path();
                    let bytes = std::fs::read(&path).expect("readable");
                    let found = bytes.windows(7).any(|part| part == b"hunter2");
                    assert!(!found, "a secret is in {}", path.display());
                    files += 1;
                }
                assert!(files >= if open { 5 } else { 3 }, "the files were looked at");
            } else {
                let sql = "SELECT count(*) FROM login l JOIN portal p ON p.login = l.id \
                           WHERE encode(l.account, 'escape') LIKE '%hunter2%' \
                           OR encode(p.room_key, 'escape') LIKE '%hunter2%'";
                assert_eq!(db.sql(sql).await, [0]);
                assert_eq!(db.sql("SELECT octet_length(account)::BIGINT / 100 FROM login").await, [1]);
            }
        }
    }
}

on_both! {
    async fn a_wrong_key_is_named(db) {
        db.open().await.close().await;
        let key_file = db.config().key_file;
        std::fs::remove_file(&key_file).expect("the key is there");
        let error = db.try_open().await.expect_err("another key");
        assert!(matches!(error, StoreError::WrongKey { .. }), "{error}");
        assert!(error.to_string().contains(&key_file.display().to_string()), "{error}");
    }
}

on_both! {
    /// Who can write to the database cannot give one user another's account.
    async fn a_sealed_account_belongs_to_its_user(db) {
        let store = db.open().await;
        let record = |id, user: &str| LoginRecord { account: Some(account()), ..login(id, user) };
        commit(&store, vec![
            Write::Login(Box::new(record(1, "me@example.org"))),
            Write::Login(Box::new(record(2, "you@example.org"))),
        ]).await;
        db.sql("UPDATE login SET account = (SELECT account FROM login WHERE id = 1) WHERE id = 2").await;
        assert!(store.load_login(&name(GATEWAY), &name("me@example.org")).await.is_ok());
        let error = store.load_login(&name(GATEWAY), &name("you@example.org")).await.expect_err("not theirs");
        assert!(matches!(error, StoreError::Row { table: "login", .. }), "{error}");
        store.close().await;
    }
}

on_both! {
    async fn migrating_needs_no_key(db) {
        Store::migrate(&db.config()).await.expect("migrated");
        assert!(!db.config().key_file.exists());
        Store::migrate(&db.config()).await.expect("nothing left to do");
        let store = db.open().await;
        store.close().await;
        let key = SealingKey::load_or_create(&db.config().key_file).expect("the key");
        assert!(!format!("{key:?} {:?}", db.config()).contains("hunter2"));
    }
}

/// Not even in those parts of the file that are not used any more.
#[tokio::test]
async fn what_is_forgotten_is_not_in_the_file() {
    let db = Db::sqlite();
    let store = db.open().await;
    let mut writes = user_with_room(1);
    writes.extend(messages((1..=500).map(|position| {
        let mut message = message(1, position);
        message.said = said(
            "alice",
            &format!("<body>indiscreet {}</body>", "word ".repeat(400)),
        );
        message
    })));
    commit(&store, writes).await;
    store.close().await;
    let in_file = || {
        let bytes = std::fs::read(db.file()).expect("readable");
        bytes.windows(10).any(|part| part == b"indiscreet")
            || bytes.windows(13).any(|part| part == b"user1@example")
    };
    assert!(in_file());
    let store = db.open().await;
    commit(&store, vec![Write::ForgetLogin(LoginId(1))]).await;
    store.close().await;
    assert!(!in_file());
}
