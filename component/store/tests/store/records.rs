//! Every record comes back as it was written, also after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use viaduct_bridge::{
    Account, Content, MessageKind, Name, Scope, Secret, ServerId, Settings, Span, Style, Text, Timestamp,
    Topic, TransactionId,
};
use viaduct_core::options::Options;
use viaduct_core::records::{
    JoinedRecord, LoadedLogin, LoginId, LoginRecord, OutboxRecord, PortalId, PortalRecord, Position,
    Preferences, Said, SettingsRecord, Write,
};

use crate::support::{
    GATEWAY, commit, login, message, messages, name, on_both, person, portal, room, user_with_room,
    with_remote,
};

/// Names that would be something else if they were ever part of a statement.
const NASTY: [&str; 8] = [
    "'; DROP TABLE message; --",
    "\" OR \"\"=\"",
    "$1 ? ?1 :a @b {} %s",
    "back\\slash \u{7f}\t\r\n",
    "/* comment",
    "emoji 🦀 and ünïcödé, שלום",
    "",
    "NULL",
];

pub(crate) fn account() -> Account {
    Account {
        name: "Ålice".into(),
        settings: BTreeMap::from([
            ("host".into(), "irc.libera.chat".into()),
            (NASTY[0].into(), NASTY[1].into()),
        ]),
        secrets: BTreeMap::from([("password".into(), Secret::new("hunter2-account"))]),
    }
}

fn server(text: &str) -> ServerId {
    ServerId(name(text))
}

fn outbox(login: i64, txn: i64) -> OutboxRecord {
    OutboxRecord {
        txn: TransactionId(txn),
        login: LoginId(login),
        to: person("bob"),
        resource: name("phone"),
        addressed: name("bob%irc.libera.chat@irc.example.org"),
        client_id: Some(name("c1")),
        payload: name("<body>hi</body>"),
        content: Content {
            kind: MessageKind::Emote,
            text: Text {
                plain: name("waves\nand 'goes'"),
                spans: vec![Span {
                    start: 0,
                    end: 5,
                    style: Style::Bold,
                }],
            },
        },
    }
}

on_both! {
    async fn everything_comes_back_after_a_restart(db) {
        let store = db.open().await;
        let me = name("me@example.org");
        let record = LoginRecord {
            account: Some(account()),
            preferences: Preferences { stay_connected: true },
            ..login(7, "me@example.org")
        };
        let chan = PortalRecord {
            with: room("#chan"),
            key: Some(Secret::new("hunter2-room")),
            topic: Some(Topic { text: name("welcome"), by: Some(name("op")), at: Some(Timestamp(5)) }),
            kept: true,
            ..portal(11, 7)
        };
        let bob = PortalRecord { with: person("bob"), nick: name(""), ..portal(12, 7) };
        let joined = |resource: &str, cursor| JoinedRecord {
            portal: PortalId(11),
            resource: name(resource),
            nick: name("me"),
            cursor: Position(cursor),
        };
        let data = |bytes: &[u8]| -> Arc<[u8]> { bytes.into() };
        let set = |scope, persistent, network| SettingsRecord {
            login: viaduct_core::records::LoginId(7),
            scope,
            options: Options { persistent, ..Options::default() },
            network,
        };
        let mut network = Settings::default();
        network.set("realname", "Me");
        network.secrets.insert("password".into(), Secret::new("hunter3"));
        let usual = set(Scope::Everything, Some(true), Settings::default());
        let viaduct_bridge::Recipient::Room(chan_id) = room("#chan") else { panic!("a room") };
        let of_server = set(Scope::Server(chan_id.server.clone()), Some(true), Settings::default());
        let reset = set(of_server.scope.clone(), None, Settings::default());
        let of_chan = set(Scope::Room(chan_id), None, network);
        let contact = |local: &str| Write::Contact { login: LoginId(7), local: name(local) };
        commit(&store, vec![
            Write::Login(Box::new(record.clone())),
            Write::Settings(Box::new(usual.clone())),
            Write::Settings(Box::new(of_server)),
            Write::Settings(Box::new(of_chan.clone())),
            Write::Portal(Box::new(chan.clone())),
            Write::Portal(Box::new(bob.clone())),
            Write::Joined(Box::new(joined("phone", 0))),
            Write::Joined(Box::new(joined("desk", 1))),
            Write::Cursor { portal: PortalId(11), resource: name("phone"), position: Position(2) },
            Write::Cursor { portal: PortalId(12), resource: name(""), position: Position(9) },
            Write::ShownChange { portal: PortalId(11), seq: 2, data: data(&[2, 0, 255]) },
            Write::Shown { portal: PortalId(11), data: data(&[]) },
            Write::ShownChange { portal: PortalId(11), seq: 4, data: data(&[4]) },
            Write::ShownChange { portal: PortalId(11), seq: 3, data: data(&[3]) },
            Write::Outbox(Box::new(outbox(7, 21))),
            Write::Outbox(Box::new(outbox(7, 20))),
            contact("bob%irc.test"),
            contact("carol%irc.test"),
        ]).await;
        commit(&store, vec![Write::Settings(Box::new(reset))]).await;
        let warned = |of: &str, words: Option<&str>| Write::Warned {
            login: LoginId(7),
            server: server(of),
            words: words.map(name),
        };
        commit(&store, vec![warned("b", Some("open")), warned("a", Some("open")), warned("c", None)]).await;
        commit(&store, vec![warned("b", Some("open, still")), warned("a", None), warned("c", Some("open"))]).await;
        let gone = Write::ForgetContact { login: LoginId(7), local: name("carol%irc.test") };
        commit(&store, vec![contact("alice%irc.test"), contact("bob%irc.test"), gone]).await;
        let first = message(11, 1);
        let second = with_remote(message(11, 2), "remote-2");
        commit(&store, messages([first.clone(), second.clone()])).await;

        let expected = LoadedLogin {
            login: record,
            settings: vec![usual, of_chan],
            portals: vec![
                viaduct_core::records::LoadedPortal {
                    portal: chan,
                    joined: vec![joined("desk", 1), joined("phone", 2)],
                    shown: vec![data(&[]), data(&[3]), data(&[4])],
                    last: Position(2),
                    last_at: Timestamp(2000),
                },
                viaduct_core::records::LoadedPortal {
                    portal: bob,
                    joined: vec![JoinedRecord {
                        portal: PortalId(12),
                        resource: name(""),
                        nick: name(""),
                        cursor: Position(9),
                    }],
                    shown: vec![],
                    last: Position(0),
                    last_at: Timestamp(0),
                },
            ],
            outbox: vec![outbox(7, 20), outbox(7, 21)],
            warned: vec![(server("b"), name("open, still")), (server("c"), name("open"))],
            contacts: vec![name("alice%irc.test"), name("bob%irc.test")],
        };
        let gateway = name(GATEWAY);
        assert_eq!(store.load_login(&gateway, &me).await.expect("readable"), Some(expected.clone()));
        store.close().await;

        let store = db.open().await;
        assert_eq!(store.load_login(&gateway, &me).await.expect("readable"), Some(expected));
        let replayed = store.replay(PortalId(11), Position(0), Position(9), 9).await.expect("readable");
        assert_eq!(replayed, [first, second]);
        assert_eq!(store.highest_id(), 21);
        let nobody = store.load_login(&gateway, &name("you@example.org")).await.expect("readable");
        assert_eq!(nobody, None);
        let elsewhere = store.load_login(&name("irc2.example.org"), &me).await.expect("readable");
        assert_eq!(elsewhere, None);
        store.close().await;
    }
}

on_both! {
    /// What users and servers choose is data, whatever it looks like.
    async fn nothing_is_taken_for_sql(db) {
        let store = db.open().await;
        let gateway = name(GATEWAY);
        for (id, nasty) in (1..).zip(NASTY) {
            let text = name(nasty);
            let record = LoginRecord { account: Some(account()), ..login(id, nasty) };
            let chan = PortalRecord {
                with: room(nasty),
                local: text.clone(),
                nick: text.clone(),
                key: Some(Secret::new(nasty)),
                topic: Some(Topic { text: text.clone(), by: Some(text.clone()), at: None }),
                ..portal(id, id)
            };
            let inside = JoinedRecord {
                portal: PortalId(id),
                resource: text.clone(),
                nick: text.clone(),
                cursor: Position(1),
            };
            let pending = OutboxRecord {
                to: person(nasty),
                resource: text.clone(),
                addressed: text.clone(),
                client_id: Some(text.clone()),
                payload: text.clone(),
                content: Content::plain(text.clone()),
                ..outbox(id, id)
            };
            let mut said = with_remote(message(id, 1), nasty);
            said.client_id = Some(text.clone());
            said.said = Arc::new(Said { nick: text.clone(), occupant: text.clone(), payload: text.clone() });
            commit(&store, vec![
                Write::Login(Box::new(record.clone())),
                Write::Portal(Box::new(chan.clone())),
                Write::Joined(Box::new(inside.clone())),
                Write::Outbox(Box::new(pending.clone())),
                Write::Message(Box::new(said.clone())),
            ]).await;
            store.notebook().put(nasty, nasty);

            let loaded = store.load_login(&gateway, &text).await.expect("readable").expect("there");
            assert_eq!(loaded.login, record);
            assert_eq!(loaded.portals[0].portal, chan);
            assert_eq!(loaded.portals[0].joined, [inside]);
            assert_eq!(loaded.outbox, [pending]);
            assert_eq!(store.find(PortalId(id), nasty).await.expect("readable"), Some(said));
            commit(&store, vec![Write::Left { portal: PortalId(id), resource: text.clone() }]).await;
            let loaded = store.load_login(&gateway, &text).await.expect("readable").expect("there");
            assert_eq!(loaded.portals[0].joined, []);
        }
        store.close().await;
        let store = db.open().await;
        for nasty in NASTY {
            assert_eq!(store.notebook().get(nasty), Some(name(nasty)));
        }
        store.close().await;
    }
}

on_both! {
    async fn logins_are_listed_page_by_page(db) {
        let store = db.open().await;
        let mut guest = login(1, "guest@example.org");
        guest.preferences.stay_connected = true;
        let joined = |portal, resource: &str| Write::Joined(Box::new(JoinedRecord {
            portal: PortalId(portal),
            resource: name(resource),
            nick: name("me"),
            cursor: Position(0),
        }));
        let cursor = Write::Cursor { portal: PortalId(4), resource: name(""), position: Position(1) };
        let elsewhere = LoginRecord { gateway: name("other.example.org"), ..login(5, "me@example.org") };
        let mut writes = vec![
            Write::Login(Box::new(guest)),
            Write::Login(Box::new(LoginRecord { account: Some(account()), ..login(2, "me@example.org") })),
            Write::Login(Box::new(elsewhere)),
        ];
        writes.extend(user_with_room(3));
        writes.extend(user_with_room(4));
        writes.extend([joined(3, "phone"), joined(3, "desk"), cursor]);
        commit(&store, writes).await;

        let mut seen = Vec::new();
        let mut after: Option<Name> = None;
        loop {
            let page = store.logins(GATEWAY, after.as_ref(), 2).await.expect("readable");
            let Some(last) = page.last() else { break };
            after = Some(last.user.clone());
            let flags = |one: &viaduct_store::LoginSummary| {
                assert!(!one.has_unsettled);
                (one.has_account, one.has_joined, one.stay_connected)
            };
            seen.extend(page.iter().map(|one| (one.id.0, one.user.to_string(), flags(one))));
        }
        assert_eq!(seen, [
            (1, "guest@example.org".to_owned(), (false, false, true)),
            (2, "me@example.org".to_owned(), (true, false, false)),
            (3, "user3@example.org".to_owned(), (false, true, false)),
            (4, "user4@example.org".to_owned(), (false, false, false)),
        ]);
        store.close().await;
    }
}

on_both! {
    /// A message that the network has not answered for, or that the user's server may not have.
    async fn it_is_known_who_is_to_be_told_something(db) {
        let store = db.open().await;
        let unsettled = async || -> Vec<i64> {
            let page = store.logins(GATEWAY, None, 99).await.expect("readable");
            page.iter().filter(|one| one.has_unsettled).map(|one| one.id.0).collect()
        };
        let mut writes: Vec<Write> = (1..=4).flat_map(user_with_room).collect();
        let chat = |id: i64| PortalRecord { id: PortalId(id + 10), with: person("bob"), ..portal(id, id) };
        writes.extend((1..=4).map(|id| Write::Portal(Box::new(chat(id)))));
        let cursor = |id: i64, position| Write::Cursor {
            portal: PortalId(id + 10),
            resource: name(""),
            position: Position(position),
        };
        writes.extend((1..=4).map(|id| cursor(id, 0)));
        commit(&store, writes).await;
        // What was said in a room is in its archive.
        commit(&store, messages([message(4, 1)])).await;
        assert!(unsettled().await.is_empty());

        commit(&store, messages([message(11, 1), message(11, 2), message(12, 1)])).await;
        commit(&store, vec![Write::Outbox(Box::new(outbox(3, 30)))]).await;
        assert_eq!(unsettled().await, [1, 2, 3]);
        // A part of it has arrived; all of it; the network has answered.
        commit(&store, vec![cursor(1, 1), Write::Prune { portal: PortalId(11), upto: Position(1) }]).await;
        commit(&store, vec![cursor(2, 1)]).await;
        assert_eq!(unsettled().await, [1, 3]);
        commit(&store, vec![
            cursor(1, 2),
            Write::Settled { login: LoginId(3), txn: TransactionId(30) },
        ]).await;
        assert!(unsettled().await.is_empty());
        store.close().await;
    }
}

on_both! {
    async fn the_notebook_outlives_the_process(db) {
        let store = db.open().await;
        let notebook = store.notebook();
        assert_eq!(notebook.get("a"), None);
        notebook.put("a", "1");
        notebook.put("b", "1");
        notebook.put("a", "2");
        assert_eq!(notebook.get("a"), Some(name("2")));
        notebook.put(&"long".repeat(1000), "x");
        notebook.put("nul", "\0");
        store.close().await;
        let store = db.open().await;
        assert_eq!(store.notebook().get("a"), Some(name("2")));
        assert_eq!(store.notebook().get("b"), Some(name("1")));
        assert_eq!(store.notebook().get("nul"), None);
        assert_eq!(db.sql("SELECT count(*) FROM notebook").await, [2]);
        store.close().await;
    }
}

on_both! {
    /// An id that was given once is not given again, also when what it named is gone.
    async fn the_highest_id_is_never_forgotten(db) {
        let store = db.open().await;
        assert_eq!(store.highest_id(), 0);
        commit(&store, user_with_room(5)).await;
        commit(&store, vec![
            Write::Outbox(Box::new(outbox(5, 900))),
            Write::Settled { login: LoginId(5), txn: TransactionId(900) },
        ]).await;
        commit(&store, vec![Write::ForgetLogin(LoginId(5))]).await;
        store.close().await;
        let store = db.open().await;
        assert_eq!(store.highest_id(), 900);
        store.close().await;
    }
}
