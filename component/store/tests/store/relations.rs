//! Messages that others refer to: found by their ids within one conversation, and erased when they are taken back.

use std::sync::Arc;

use viaduct_bridge::{MessageId, Timestamp};
use viaduct_core::records::{MessageRecord, PortalId, Position, Said, Write, archive_id};
use viaduct_core::refer::{AliasRecord, Found, Lookup, ReactionsRecord, Which};
use viaduct_store::Store;

use crate::support::{commit, message, messages, name, on_both, user_with_room, with_remote};

async fn find(store: &Store, portal: i64, which: Which) -> Option<Found> {
    let lookup = Lookup {
        portal: PortalId(portal),
        which,
        reactions_of: Some(name("bob")),
    };
    store.find_related(&lookup).await.expect("a readable store")
}

fn remote(id: &str) -> Which {
    Which::Remote(MessageId(name(id)))
}

fn known(id: &str) -> Which {
    Which::Known(name(id))
}

fn alias(portal: i64, id: &str, of: &str, part: i64) -> Write {
    Write::Alias(Box::new(AliasRecord {
        portal: PortalId(portal),
        remote: MessageId(name(id)),
        known: name(of),
        part,
        at: Timestamp(7),
        mine: true,
    }))
}

fn reactions(texts: &[&str]) -> Write {
    Write::Reactions(Box::new(ReactionsRecord {
        portal: PortalId(1),
        known: name("m1"),
        sender: name("bob"),
        texts: texts.iter().map(|text| name(text)).collect(),
    }))
}

/// The same message with nothing left of what it said.
fn tombstone(message: &MessageRecord) -> Write {
    Write::Retracted(Box::new(MessageRecord {
        said: Arc::new(Said {
            payload: name("<retracted/>"),
            ..(*message.said).clone()
        }),
        ..message.clone()
    }))
}

on_both! {
    /// By every id that it has, and only in the conversation in which it was said.
    async fn a_message_is_found_by_its_ids(db) {
        let store = db.open().await;
        let mut writes = user_with_room(1);
        writes.extend(user_with_room(2));
        let mut said = with_remote(message(1, 1), "m1");
        said.client_id = Some(name("c1"));
        let unnamed = message(1, 2);
        writes.extend(messages([said.clone(), unnamed.clone(), message(2, 1)]));
        writes.push(alias(1, "m1-second", "m1", 1));
        commit(&store, writes).await;
        for which in [known("m1"), remote("m1"), remote("m1-second"), Which::Client(name("c1"))] {
            let found = find(&store, 1, which.clone()).await.expect("it is there");
            let ids: Vec<&str> = found.ids.iter().map(|id| id.0.as_str()).collect();
            assert_eq!((found.known.as_str(), ids), ("m1", vec!["m1", "m1-second"]), "{which:?}");
            assert_eq!(found.message.as_ref(), Some(&said));
            assert_eq!(find(&store, 2, which.clone()).await, None, "{which:?} in another's room");
        }
        let placed = archive_id(&unnamed);
        let found = find(&store, 1, known(&placed)).await.expect("by its place");
        assert!(found.ids.is_empty());
        assert_eq!(find(&store, 1, remote(&placed)).await, None, "a place is no id of the network");
        assert_eq!(find(&store, 2, known(&placed)).await, None);
        store.close().await;
    }
}

on_both! {
    /// The newest message that was said until then, and nothing that was given up.
    async fn a_message_is_found_by_its_time(db) {
        let store = db.open().await;
        let mut writes = user_with_room(1);
        let said = |position, at, payload: &str| {
            let mut row = message(1, position);
            row.at = Timestamp(at);
            row.said = Arc::new(Said { payload: name(payload), ..(*row.said).clone() });
            row
        };
        writes.extend(messages([
            said(1, 10, "<body>one</body>"),
            said(2, 20, "<body>two</body>"),
            said(3, 30, "<reactions/>"),
            said(4, 40, "<body>four</body>"),
        ]));
        commit(&store, writes).await;
        for (at, wanted) in [(9, None), (10, Some(1)), (19, Some(1)), (35, Some(2)), (40, Some(4)), (99, Some(4))] {
            let found = find(&store, 1, Which::Upto(Timestamp(at))).await;
            let place = found.and_then(|found| found.message).map(|message| message.position.0);
            assert_eq!(place, wanted, "at {at}");
        }
        let (portal, upto) = (PortalId(1), Position(2));
        commit(&store, vec![Write::Prune { portal, upto }]).await;
        assert_eq!(find(&store, 1, Which::Upto(Timestamp(20))).await, None);
        store.close().await;
    }
}

on_both! {
    /// Of a direct chat nothing is kept but the ids, in the order of the parts.
    async fn the_ids_of_a_direct_chat_stay(db) {
        let store = db.open().await;
        let mut writes = user_with_room(1);
        writes.extend([alias(1, "b", "mine", 1), alias(1, "a", "mine", 0)]);
        commit(&store, writes).await;
        for which in [known("mine"), remote("a"), remote("b")] {
            let found = find(&store, 1, which).await.expect("it is there");
            let ids: Vec<&str> = found.ids.iter().map(|id| id.0.as_str()).collect();
            assert_eq!(ids, ["a", "b"]);
            assert!(found.mine && found.message.is_none() && found.at == Timestamp(7));
        }
        store.close().await;
    }
}

on_both! {
    async fn reactions_are_as_they_were_last(db) {
        let store = db.open().await;
        let mut writes = user_with_room(1);
        writes.extend(messages([with_remote(message(1, 1), "m1")]));
        writes.extend([reactions(&["a"]), reactions(&["a", "b c"])]);
        commit(&store, writes).await;
        let now = async || find(&store, 1, known("m1")).await.expect("it is there").reactions;
        assert_eq!(now().await, [name("a"), name("b c")]);
        commit(&store, vec![reactions(&[])]).await;
        assert!(now().await.is_empty());
        store.close().await;
    }
}

on_both! {
    /// Each view by itself; and when the last view has lost it, nothing of it is in the database.
    async fn what_is_taken_back_is_erased(db) {
        let store = db.open().await;
        let said = |portal| MessageRecord {
            said: crate::support::said("alice", "<body>the secret</body>"),
            ..with_remote(message(portal, 1), "m1")
        };
        let mut writes = Vec::new();
        for user in 1..=3 {
            writes.extend(user_with_room(user));
            writes.extend(messages([said(user)]));
        }
        commit(&store, writes).await;
        let shows = async |portal: i64| {
            let all = store.replay(PortalId(portal), Position(0), Position(9), 9).await;
            all.expect("readable")[0].said.payload.to_string()
        };
        commit(&store, vec![tombstone(&said(1))]).await;
        assert_eq!(shows(1).await, "<retracted/>");
        assert_eq!(shows(2).await, "<body>the secret</body>");
        assert_eq!(db.sql("SELECT count(*) FROM said WHERE payload LIKE '%secret%'").await, [1]);
        // Two views at once, and one of them twice.
        commit(&store, vec![tombstone(&said(2)), tombstone(&said(3)), tombstone(&said(2))]).await;
        assert_eq!(shows(3).await, "<retracted/>");
        assert_eq!(db.sql("SELECT count(*) FROM said WHERE payload LIKE '%secret%'").await, [0]);
        assert_eq!(db.sql("SELECT count(*) FROM unseen").await, [0]);
        // Somebody whose connection is slow hears it only now: it must be readable all the same.
        commit(&store, [user_with_room(4), messages([said(4)])].concat()).await;
        assert_eq!(shows(4).await, "<body>the secret</body>");
        // Said and taken back in one go.
        let quick = with_remote(message(1, 2), "m2");
        let both = [messages([quick.clone()]), vec![tombstone(&quick)]].concat();
        commit(&store, both).await;
        let found = find(&store, 1, remote("m2")).await.and_then(|found| found.message);
        assert_eq!(found.expect("it is there").said.payload.as_str(), "<retracted/>");
        store.close().await;
    }
}
