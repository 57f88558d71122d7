//! What is written together has the effect that it would have one by one, and what is to go goes.

use std::sync::Arc;

use viaduct_bridge::{Content, Name, ServerId, TransactionId};
use viaduct_core::records::{
    JoinedRecord, LoadedLogin, LoginId, LoginRecord, MessageRecord, OutboxRecord, PortalId, Position,
    Preferences, Write,
};
use viaduct_store::Store;

use crate::support::{
    Db, Dice, GATEWAY, commit, login, message, messages, name, on_both, person, portal, said, user_with_room,
    with_remote,
};

fn outbox(login: i64, txn: i64) -> Write {
    Write::Outbox(Box::new(OutboxRecord {
        txn: TransactionId(txn),
        login: LoginId(login),
        to: person("bob"),
        resource: name("phone"),
        addressed: name("bob@irc.example.org"),
        client_id: None,
        payload: name("<body/>"),
        content: Content::plain("hi"),
    }))
}

fn any_write(dice: &mut Dice, next: &mut [i64; 4]) -> Write {
    let id = i64::try_from(dice.below(3)).expect("small") + 1;
    let portal_id = PortalId(id);
    let resource = name(dice.word(&["phone", "desk", ""]));
    let position = Position(i64::try_from(dice.below(50)).expect("small"));
    let data: Arc<[u8]> = vec![u8::try_from(dice.below(256)).expect("a byte")].into();
    match dice.below(13) {
        0 => Write::Login(Box::new(LoginRecord {
            preferences: Preferences {
                stay_connected: dice.one_in(2),
            },
            ..login(id, &format!("user{id}@example.org"))
        })),
        1 => {
            let mut record = portal(id, id);
            record.nick = name(dice.word(&["a", "b", "c"]));
            Write::Portal(Box::new(record))
        }
        2 => Write::Joined(Box::new(JoinedRecord {
            portal: portal_id,
            // The empty resource stands for a direct chat, which nobody joins.
            resource: name(dice.word(&["phone", "desk"])),
            nick: name(dice.word(&["a", "b"])),
            cursor: position,
        })),
        3 => Write::Left {
            portal: portal_id,
            resource,
        },
        4 => Write::Cursor {
            portal: portal_id,
            resource,
            position,
        },
        5 => Write::Shown {
            portal: portal_id,
            data,
        },
        6 => Write::ShownChange {
            portal: portal_id,
            seq: position.0 + 1,
            data,
        },
        7 => outbox(id, position.0),
        8 => Write::Settled {
            login: LoginId(id),
            txn: TransactionId(position.0),
        },
        10 => Write::Warned {
            login: LoginId(id),
            server: ServerId(name(dice.word(&["a", "b"]))),
            words: dice.one_in(2).then(|| name(dice.word(&["x", "y"]))),
        },
        9 if dice.one_in(3) => Write::Prune {
            portal: portal_id,
            upto: position,
        },
        _ => {
            let next = &mut next[usize::try_from(id).expect("small")];
            *next += 1;
            let mut record = message(id, *next);
            record.said = said("alice", dice.word(&["<a/>", "<b/>", "<c/>"]));
            if dice.one_in(2) {
                record = with_remote(record, &format!("r{}", dice.below(20)));
            }
            Write::Message(Box::new(record))
        }
    }
}

/// All that can be read.
async fn everything(store: &Store) -> Vec<(Option<LoadedLogin>, Vec<MessageRecord>)> {
    let mut all = Vec::new();
    for id in 1..=3 {
        let user = Name::from(format!("user{id}@example.org"));
        let loaded = store.load_login(&name(GATEWAY), &user).await.expect("readable");
        let kept = store
            .replay(PortalId(id), Position(i64::MIN), Position(i64::MAX), 10_000)
            .await
            .expect("readable");
        all.push((loaded, kept));
    }
    all
}

/// Content that is stored for nobody, or counted wrongly.
async fn wrong_content(db: &Db) -> i64 {
    db.sql(
        "SELECT count(*) FROM said s WHERE s.views <> (SELECT count(*) FROM message m WHERE m.said = s.id) \
         OR s.views = 0",
    )
    .await[0]
}

on_both! {
    async fn together_is_the_same_as_one_by_one(db) {
        let other = if db.is_sqlite() { Db::sqlite() } else { Db::postgres().await.expect("a second database") };
        for seed in 0..6 {
            let (one, all) = (db.open().await, other.open().await);
            let begin: Vec<Write> = (1..=3).flat_map(user_with_room).collect();
            commit(&one, begin.clone()).await;
            commit(&all, begin).await;
            let mut dice = Dice(seed);
            let mut next = [0; 4];
            for _ in 0..4 {
                let writes: Vec<Write> = (0..60).map(|_| any_write(&mut dice, &mut next)).collect();
                for write in writes.clone() {
                    commit(&one, vec![write]).await;
                }
                commit(&all, writes).await;
                for (all, one) in everything(&all).await.into_iter().zip(everything(&one).await) {
                    assert_eq!(all, one, "seed {seed}");
                }
            }
            for (store, db) in [(&one, db), (&all, &other)] {
                assert_eq!(wrong_content(db).await, 0, "seed {seed}");
                commit(store, (1..=3).map(|id| Write::ForgetLogin(LoginId(id))).collect()).await;
                store.close().await;
                assert_eq!(db.rows().await, [("epoch".to_owned(), 1)], "seed {seed}");
            }
        }
        other.drop().await;
    }
}

on_both! {
    async fn a_forgotten_login_leaves_nothing_and_others_lose_nothing(db) {
        let store = db.open().await;
        for id in [1, 2] {
            let mut writes = user_with_room(id);
            writes.push(Write::Joined(Box::new(JoinedRecord {
                portal: PortalId(id),
                resource: name("phone"),
                nick: name("me"),
                cursor: Position(0),
            })));
            writes.push(Write::Shown { portal: PortalId(id), data: b"shown"[..].into() });
            writes.push(outbox(id, 1));
            // More than is erased at once, half of it shared with the other.
            writes.extend(messages((1..=2500).map(|position| {
                let mut message = message(id, position);
                if position % 2 == 0 {
                    message.said = said("alice", &format!("<mine of='{id}' at='{position}'/>"));
                }
                message
            })));
            commit(&store, writes).await;
        }
        let kept = store.replay(PortalId(2), Position(0), Position(9999), 9999).await.expect("readable");
        let before = everything_of(&store, 2).await;
        commit(&store, vec![Write::ForgetLogin(LoginId(1))]).await;
        assert_eq!(store.load_login(&name(GATEWAY), &name("user1@example.org")).await.expect("readable"), None);
        // The rest goes with the following commits.
        let last = message(2, 2501);
        commit(&store, messages([last.clone()])).await;
        store.close().await;

        let store = db.open().await;
        let mut expected = kept;
        expected.push(last);
        for _ in 0..3 {
            commit(&store, vec![Write::Settled { login: LoginId(2), txn: TransactionId(99) }]).await;
        }
        assert_eq!(db.sql("SELECT count(*) FROM message WHERE portal = 1").await, [0]);
        assert_eq!(db.sql("SELECT count(*) FROM erased").await, [0]);
        assert_eq!(wrong_content(db).await, 0);
        let after = store.replay(PortalId(2), Position(0), Position(9999), 9999).await.expect("readable");
        assert_eq!(after, expected);
        assert_ne!(before, everything_of(&store, 2).await, "one message was added");
        commit(&store, vec![Write::ForgetLogin(LoginId(2))]).await;
        for _ in 0..3 {
            commit(&store, vec![Write::Settled { login: LoginId(2), txn: TransactionId(99) }]).await;
        }
        store.close().await;
        assert_eq!(db.rows().await, [("epoch".to_owned(), 1)]);
    }
}

async fn everything_of(store: &Store, id: i64) -> String {
    let user = Name::from(format!("user{id}@example.org"));
    format!(
        "{:?}",
        store.load_login(&name(GATEWAY), &user).await.expect("readable")
    )
}

on_both! {
    async fn a_pruned_chat_remembers_where_it_was(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        commit(&store, messages((1..=5).map(|position| message(1, position)))).await;
        commit(&store, vec![Write::Prune { portal: PortalId(1), upto: Position(5) }]).await;
        let user = name("user1@example.org");
        for _ in 0..2 {
            let loaded = store.load_login(&name(GATEWAY), &user).await.expect("readable").expect("there");
            assert_eq!(loaded.portals[0].last, Position(5));
            assert_eq!(loaded.portals[0].last_at.0, 5000);
            commit(&store, vec![Write::Portal(Box::new(portal(1, 1)))]).await;
        }
        assert_eq!(db.sql("SELECT count(*) FROM message").await, [0]);
        assert_eq!(db.sql("SELECT count(*) FROM said").await, [0]);
        commit(&store, messages([message(1, 6)])).await;
        // Pruning more than is there means what is there.
        commit(&store, vec![Write::Prune { portal: PortalId(1), upto: Position(i64::MAX) }]).await;
        commit(&store, messages([message(1, 7)])).await;
        let left = store.replay(PortalId(1), Position(0), Position(9), 9).await.expect("readable");
        assert_eq!(left, [message(1, 7)]);
        store.close().await;
    }
}

on_both! {
    /// A hundred users of one channel have one content and a hundred small rows.
    async fn the_same_message_is_stored_once(db) {
        let store = db.open().await;
        commit(&store, (1..=100).flat_map(user_with_room).collect()).await;
        for position in 1..=3 {
            // In three commits, so that it is also found again from before.
            for part in [1..=30, 31..=60, 61..=100] {
                commit(&store, messages(part.map(|id| with_remote(message(id, position), &format!("m{position}"))))).await;
            }
        }
        assert_eq!(db.sql("SELECT count(*) FROM message").await, [300]);
        assert_eq!(db.sql("SELECT count(*) FROM said").await, [3]);
        assert_eq!(wrong_content(db).await, 0);
        store.close().await;
    }
}

on_both! {
    /// Content that went is not referred to again.
    async fn content_that_went_is_stored_anew(db) {
        let store = db.open().await;
        commit(&store, user_with_room(1)).await;
        for position in 1..=4 {
            let mut again = message(1, position);
            again.said = said("alice", "<body>again</body>");
            commit(&store, messages([again.clone()])).await;
            let found = store.replay(PortalId(1), Position(0), Position(9), 9).await.expect("readable");
            assert_eq!(found, [again]);
            commit(&store, vec![Write::Prune { portal: PortalId(1), upto: Position(position) }]).await;
            assert_eq!(db.sql("SELECT count(*) FROM said").await, [0]);
        }
        store.close().await;
    }
}
