//! What an import needs: where an archive begins, what was taken before, and looking without touching.

use viaduct_bridge::{RoomId, Scope, ServerId};
use viaduct_core::records::{ImportedRecord, LoginId, PortalId, Position, Write};
use viaduct_store::{ArchiveEdge, Store, StoreError};

use crate::support::{commit, login, message, messages, on_both, portal};

fn taken(scope: Scope, lines: Option<(i64, i64)>) -> Write {
    Write::Imported(Box::new(ImportedRecord {
        login: LoginId(1),
        scope,
        lines,
    }))
}

on_both! {
    async fn what_was_taken_is_noted(db) {
        assert!(Store::look(db.config()).await.expect("nothing yet").is_none());
        let store = db.open().await;
        let chan = Scope::Room(RoomId { server: ServerId("s".into()), room: "#a".into() });
        commit(&store, vec![Write::Login(Box::new(login(1, "me@example.org"))), Write::Portal(Box::new(portal(11, 1)))]).await;
        let edge = store.archive_edge(PortalId(11)).await.expect("readable");
        assert_eq!(edge, ArchiveEdge { oldest: None, pruned: false });
        commit(&store, vec![taken(Scope::Everything, None), taken(chan.clone(), None)]).await;
        commit(&store, messages([message(11, 0), message(11, -1), message(11, 1)])).await;
        commit(&store, vec![taken(chan.clone(), Some((9, 4)))]).await;
        assert!(matches!(Store::look(db.config()).await, Err(StoreError::InUse { .. })));
        store.close().await;

        let store = Store::look(db.config()).await.expect("readable").expect("there");
        let noted = store.imported(LoginId(1)).await.expect("readable");
        let lines: Vec<_> = noted.into_iter().map(|record| (record.scope, record.lines)).collect();
        assert_eq!(lines, [(Scope::Everything, None), (chan, Some((9, 4)))]);
        let edge = store.archive_edge(PortalId(11)).await.expect("readable");
        assert_eq!(edge.oldest.map(|(position, _)| position), Some(Position(-1)));
        assert!(!edge.pruned);
        assert!(store.write(vec![taken(Scope::Everything, None)]).await.await.is_err(), "it is only looked at");
        store.close().await;

        // It goes with its user, and an archive that was emptied says so.
        let store = db.open().await;
        commit(&store, vec![Write::Prune { portal: PortalId(11), upto: Position(0) }]).await;
        assert!(store.archive_edge(PortalId(11)).await.expect("readable").pruned);
        commit(&store, vec![Write::ForgetLogin(LoginId(1))]).await;
        assert!(store.imported(LoginId(1)).await.expect("readable").is_empty());
        store.close().await;
    }
}
