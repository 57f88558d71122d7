//! A database for each test, and records to put into it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use tempfile::TempDir;
use viaduct_bridge::{MessageId, Name, PersonId, Recipient, RoomId, ServerId, Timestamp};
use viaduct_core::records::{
    LoginId, LoginRecord, MessageRecord, PortalId, PortalRecord, Position, Preferences, Said, Write,
};
use viaduct_store::{SealingKey, Store, StoreConfig, StoreError};

/// Makes one test for each database.
macro_rules! on_both {
    ($(#[$about:meta])* async fn $name:ident($db:ident) $body:block) => {
        $(#[$about])*
        async fn $name($db: &$crate::support::Db) $body

        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::$name(&$crate::support::Db::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(db) = $crate::support::Db::postgres().await {
                    super::$name(&db).await;
                    db.drop().await;
                }
            }
        }
    };
}
pub(crate) use on_both;

/// A database of one test.
pub(crate) struct Db {
    pub(crate) dir: Dir,
    /// The server and the database on it, when it is PostgreSQL.
    server: Option<(String, String)>,
}

/// Where the files of a test are.
pub(crate) enum Dir {
    Own(TempDir),
    Borrowed(PathBuf),
}

impl Dir {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Own(dir) => dir.path(),
            Self::Borrowed(path) => path,
        }
    }

    fn new() -> Self {
        Self::Own(tempfile::tempdir().expect("a directory"))
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Db {
    pub(crate) fn sqlite() -> Self {
        Self {
            dir: Dir::new(),
            server: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(server) = std::env::var("VIADUCT_TEST_POSTGRES") else {
            // Not with eprintln: that is shown for failing tests only.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED on PostgreSQL: VIADUCT_TEST_POSTGRES is not set"
            );
            return None;
        };
        let name = format!(
            "viaduct_{}_{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let mut admin = PgConnection::connect(&server).await.expect("the test server");
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        admin
            .execute(AssertSqlSafe(create))
            .await
            .expect("a database on the test server");
        Some(Self {
            dir: Dir::new(),
            server: Some((server, name)),
        })
    }

    pub(crate) async fn drop(self) {
        if let Some((server, name)) = self.server {
            let mut admin = PgConnection::connect(&server).await.expect("the test server");
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            admin
                .execute(AssertSqlSafe(drop))
                .await
                .expect("dropping the test's database");
        }
    }

    /// The same database, for another process.
    pub(crate) fn describe(&self) -> String {
        let (server, name) = self.server.clone().unwrap_or_default();
        format!("{}\n{server}\n{name}", self.dir.path().display())
    }

    /// The database that another process described.
    pub(crate) fn borrowed(described: String) -> Self {
        let mut parts = described.split('\n').map(str::to_owned);
        let mut next = || parts.next().expect("three parts");
        let (dir, server, name) = (next(), next(), next());
        Self {
            dir: Dir::Borrowed(dir.into()),
            server: (!server.is_empty()).then_some((server, name)),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.server.is_none()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("viaduct.db")
    }

    pub(crate) fn config(&self) -> StoreConfig {
        let url = match &self.server {
            None => format!("sqlite://{}", self.file().display()),
            Some((server, name)) => {
                let (before, _) = server.rsplit_once('/').expect("a URL with a database");
                format!("{before}/{name}")
            }
        };
        StoreConfig {
            url,
            key_file: self.dir.path().join("key"),
            ..StoreConfig::default()
        }
    }

    pub(crate) async fn try_open(&self) -> Result<Store, StoreError> {
        let config = self.config();
        let key = SealingKey::load_or_create(&config.key_file)?;
        Store::open(config, key).await
    }

    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.expect("the store opens")
    }

    /// Runs SQL behind the store's back and gives the numbers of the first column.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<i64> {
        let sql = AssertSqlSafe(sql.to_owned());
        let url = self.config().url;
        if self.is_sqlite() {
            let mut conn = SqliteConnection::connect(&url).await.expect("the database");
            let rows = conn.fetch_all(sqlx::query(sql)).await.expect("the query works");
            rows.iter().map(|row| row.get(0)).collect()
        } else {
            let mut conn = PgConnection::connect(&url).await.expect("the database");
            let rows = conn.fetch_all(sqlx::query(sql)).await.expect("the query works");
            rows.iter().map(|row| row.get(0)).collect()
        }
    }

    /// The names of all tables that viaduct made.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let url = self.config().url;
        let mut names: Vec<String> = if self.is_sqlite() {
            let mut conn = SqliteConnection::connect(&url).await.expect("the database");
            let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            let rows = conn.fetch_all(sql).await.expect("the tables");
            rows.iter().map(|row| row.get(0)).collect()
        } else {
            let mut conn = PgConnection::connect(&url).await.expect("the database");
            let sql = "SELECT tablename::TEXT FROM pg_tables WHERE schemaname = current_schema()";
            let rows = conn.fetch_all(sql).await.expect("the tables");
            rows.iter().map(|row| row.get(0)).collect()
        };
        names.retain(|name| name != "_sqlx_migrations");
        names.sort_unstable();
        names
    }

    /// How many rows each table has, without empty ones.
    pub(crate) async fn rows(&self) -> Vec<(String, i64)> {
        let mut all = Vec::new();
        for table in self.tables().await {
            let rows = self.sql(&format!("SELECT count(*) FROM {table}")).await[0];
            if rows > 0 {
                all.push((table, rows));
            }
        }
        all
    }
}

pub(crate) const GATEWAY: &str = "irc.example.org";

pub(crate) fn name(text: &str) -> Name {
    text.into()
}

pub(crate) fn login(id: i64, user: &str) -> LoginRecord {
    LoginRecord {
        id: LoginId(id),
        gateway: name(GATEWAY),
        user: name(user),
        account: None,
        preferences: Preferences::default(),
    }
}

pub(crate) fn room(text: &str) -> Recipient {
    Recipient::Room(RoomId {
        server: ServerId(name("irc.libera.chat")),
        room: name(text),
    })
}

pub(crate) fn person(text: &str) -> Recipient {
    Recipient::Person(PersonId {
        server: ServerId(name("irc.libera.chat")),
        person: name(text),
    })
}

pub(crate) fn portal(id: i64, login: i64) -> PortalRecord {
    PortalRecord {
        id: PortalId(id),
        login: LoginId(login),
        with: room("#chan"),
        local: name("#chan%irc.libera.chat"),
        nick: name("me"),
        key: None,
        topic: None,
        kept: false,
    }
}

pub(crate) fn said(nick: &str, payload: &str) -> Arc<Said> {
    Arc::new(Said {
        nick: name(nick),
        occupant: name("o"),
        payload: name(payload),
    })
}

pub(crate) fn message(portal: i64, position: i64) -> MessageRecord {
    MessageRecord {
        portal: PortalId(portal),
        position: Position(position),
        at: Timestamp(position * 1000),
        said: said("alice", &format!("<body>{position}</body>")),
        remote: None,
        client_id: None,
    }
}

pub(crate) fn with_remote(message: MessageRecord, id: &str) -> MessageRecord {
    MessageRecord {
        remote: Some(MessageId(name(id))),
        ..message
    }
}

/// A user with one room.
pub(crate) fn user_with_room(id: i64) -> Vec<Write> {
    vec![
        Write::Login(Box::new(login(id, &format!("user{id}@example.org")))),
        Write::Portal(Box::new(portal(id, id))),
    ]
}

pub(crate) fn messages(all: impl IntoIterator<Item = MessageRecord>) -> Vec<Write> {
    all.into_iter()
        .map(|message| Write::Message(Box::new(message)))
        .collect()
}

/// Writes and waits for the commit.
pub(crate) async fn commit(store: &Store, writes: Vec<Write>) {
    store.write(writes).await.await.expect("committed");
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    pub(crate) fn word(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).expect("an index")]
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.below(from.len() as u64);
        &from[usize::try_from(at).expect("an index")]
    }
}
