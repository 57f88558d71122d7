//! The import on databases of Biboumi's kind with rows as no Biboumi would write them, and with what it cannot know.

use std::path::Path;
use std::sync::Arc;
use std::task::Poll;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tempfile::TempDir;
use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Name, Recipient, RoomId, Scope, ServerId, Timestamp};
use viaduct_core::context::IdSource;
use viaduct_core::records::{
    ArchivePage, ArchiveQuery, LoadedLogin, PagePlace, PageRequest, Position, Write,
};
use viaduct_store::{SealingKey, Store, StoreConfig};

use super::Import;
use super::report::Report;
use super::source::Source;
use crate::app::no_notes::NoNotes;

const USER: &str = "bob@example.org";
const GATEWAY: &str = "irc.example.org";
/// Later than every line.
const NOW: Timestamp = Timestamp(2_000_000_000_000_000);

const TABLES: &str = "
    CREATE TABLE muclogline_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, uuid_ TEXT, owner_ TEXT, ircchanname_ TEXT,
        ircservername_ TEXT, date_ INTEGER, body_ TEXT, nick_ TEXT);
    CREATE TABLE globaloptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT, maxhistorylength_ INTEGER,
        recordhistory_ INTEGER, persistent_ INTEGER);
    CREATE TABLE ircserveroptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT, server_ TEXT, pass_ TEXT,
        tlsports_ TEXT, ports_ TEXT, verifycert_ INTEGER, nick_ TEXT, saslpassword_ TEXT, throttlelimit_ INTEGER);
    CREATE TABLE ircchanneloptions_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, owner_ TEXT, server_ TEXT, channel_ TEXT,
        encodingin_ TEXT, maxhistorylength_ INTEGER, persistent_ INTEGER, recordhistory_ INTEGER);
    CREATE TABLE roster (local TEXT, remote TEXT);
    CREATE TABLE after_connection_commands_ (id_ INTEGER PRIMARY KEY AUTOINCREMENT, fk_ INTEGER,
        afterconnectioncommand_ TEXT);
    CREATE INDEX archive_index ON muclogline_ (owner_, ircchanname_, ircservername_);
";

/// A database of Biboumi and one of ours.
struct Place {
    dir: TempDir,
}

impl Place {
    async fn new(rows: &str) -> Self {
        let place = Self {
            dir: tempfile::tempdir().expect("a directory"),
        };
        place.sql(TABLES).await;
        place.sql(rows).await;
        place
    }

    fn file(&self) -> String {
        self.dir.path().join("biboumi.sqlite").display().to_string()
    }

    async fn sql(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        let mut conn = options.connect().await.expect("a database");
        conn.execute(AssertSqlSafe(sql.to_owned()))
            .await
            .expect("valid SQL");
    }

    fn config(&self) -> StoreConfig {
        StoreConfig {
            url: format!("sqlite://{}", self.dir.path().join("viaduct.db").display()),
            key_file: self.dir.path().join("key"),
            ..StoreConfig::default()
        }
    }

    async fn store(&self) -> Store {
        let key = SealingKey::load_or_create(&self.dir.path().join("key")).expect("a key");
        Store::open(self.config(), key).await.expect("a store")
    }

    /// Runs the import; gives the report.
    async fn import(&self, dry: bool) -> String {
        let store = match dry {
            true => Store::look(self.config()).await.expect("something to look at"),
            false => Some(self.store().await),
        };
        let mut out = Vec::new();
        let mut import = self.prepare(store.clone(), dry, &mut out).await;
        import.all().await.expect("imported");
        drop(import);
        if let Some(store) = store {
            store.close().await;
        }
        String::from_utf8(out).expect("text")
    }

    /// A run that writes its report there.
    async fn prepare<'a>(
        &self,
        store: Option<Store>,
        dry: bool,
        out: &'a mut Vec<u8>,
    ) -> Import<&'a mut Vec<u8>> {
        let config = toml::from_str("").expect("a configuration");
        let bridge = viaduct_irc::IrcBridge::new(config, OutgoingPolicy::default(), Arc::new(NoNotes));
        Import {
            source: Source::open(&self.file()).await.expect("a source"),
            ids: IdSource::new(store.as_ref().map_or(0, Store::highest_id), NOW),
            store,
            dry,
            bridge: Arc::new(bridge.expect("a bridge")),
            domain: GATEWAY.into(),
            history: 20,
            secret: [7; 32],
            now: NOW,
            report: Report::new(out),
        }
    }

    async fn login(&self) -> LoadedLogin {
        let store = self.store().await;
        let login = store
            .load_login(&GATEWAY.into(), &USER.into())
            .await
            .expect("readable");
        store.close().await;
        login.expect("the user")
    }

    /// A page of the archive of `#a`.
    async fn page(&self, place: PagePlace, max: u32) -> ArchivePage {
        let login = self.login().await;
        let a = room("#a");
        let portal = login
            .portals
            .iter()
            .find(|portal| portal.portal.with == Recipient::Room(a.clone()));
        let portal = portal.expect("the room");
        let query = ArchiveQuery {
            portal: portal.portal.id,
            upto: portal.last,
            start: None,
            end: None,
            after_id: None,
            before_id: None,
            ids: None,
            with_nick: None,
            page: PageRequest { max, place },
        };
        let store = self.store().await;
        let page = store.archive_page(&query).await.expect("a page");
        store.close().await;
        page
    }
}

fn room(name: &str) -> RoomId {
    RoomId {
        server: ServerId("irc.test".into()),
        room: name.into(),
    }
}

/// So many lines of `#a`, from this number on, one each second.
fn lines(from: i64, count: i64) -> String {
    format!(
        "WITH RECURSIVE n (i) AS (VALUES ({from}) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {from} + {count})
         INSERT INTO muclogline_ (uuid_, owner_, ircchanname_, ircservername_, date_, body_, nick_)
         SELECT 'uuid-' || i, '{USER}', '#a', 'irc.test', 1000000 + i, 'line ' || i, 'Carol' FROM n;"
    )
}

fn bodies(page: &ArchivePage) -> Vec<String> {
    let text = |payload: &Name| payload.replace("<body>", "").replace("</body>", "");
    page.messages
        .iter()
        .map(|message| text(&message.said.payload))
        .collect()
}

#[tokio::test]
async fn an_archive_is_in_order_once_and_can_be_paged() {
    let place = Place::new(&lines(0, 2500)).await;
    assert!(place.import(true).await.contains("2500 lines"));
    assert!(
        !place.dir.path().join("viaduct.db").exists(),
        "a dry run makes nothing"
    );
    assert!(
        place
            .import(false)
            .await
            .contains("Taken over: 0 settings, 0 persistent channels, 2500 lines")
    );
    let last = place.page(PagePlace::Last, 2).await;
    assert_eq!(
        (bodies(&last), last.count),
        (vec!["line 2498".into(), "line 2499".into()], 2500)
    );
    assert_eq!(last.first_index, 2498);
    assert_eq!(last.messages[1].position, Position(0));
    let after = place.page(PagePlace::After("uuid-7".into()), 1).await;
    assert_eq!(
        (bodies(&after), after.messages[0].at),
        (vec!["line 8".into()], Timestamp(1_000_008_000_000))
    );
    // Twice is once.
    assert!(place.import(false).await.contains("Nothing changes"));
    assert_eq!(place.page(PagePlace::First, 0).await.count, 2500);
}

#[tokio::test]
async fn what_was_interrupted_goes_on() {
    let place = Place::new(&lines(0, 30)).await;
    place.import(false).await;
    // As if it had come no further than this: older lines are still to be taken, and newer ones have no place.
    let older =
        "INSERT INTO muclogline_ (id_, uuid_, owner_, ircchanname_, ircservername_, date_, body_, nick_)
        VALUES (-5, 'old', 'bob@example.org', '#a', 'irc.test', 5, 'older', 'Carol');";
    place.sql(&(older.to_owned() + &lines(30, 2))).await;
    let told = place.import(false).await;
    assert!(
        told.contains("1 lines of its archive") && told.contains("NOT taken: 2 lines that came after"),
        "{told}"
    );
    let first = place.page(PagePlace::First, 2).await;
    assert_eq!(
        (bodies(&first), first.count),
        (vec!["older".into(), "line 0".into()], 31)
    );
}

/// An import that is given up wherever it waits leaves nothing that the next could not go on with.
#[tokio::test]
async fn an_import_can_end_anywhere() {
    let setup =
        "INSERT INTO ircchanneloptions_ VALUES (1, 'bob@example.org', 'irc.test', '#a', '', 0, 1, 0);";
    for turns in [1, 4, 16, 40, 80, 160, 320, 640] {
        let place = Place::new(&(setup.to_owned() + &lines(0, 3500))).await;
        let store = place.store().await;
        let mut out = Vec::new();
        let mut import = place.prepare(Some(store.clone()), false, &mut out).await;
        let mut all = Box::pin(import.all());
        let mut left = turns;
        std::future::poll_fn(|context| {
            left -= 1;
            match all.as_mut().poll(context) {
                Poll::Pending if left > 0 => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(all);
        drop(import);
        store.close().await;
        place.import(false).await;
        let login = place.login().await;
        assert!(
            login.portals.len() == 1 && login.portals[0].portal.kept,
            "{turns}"
        );
        let page = place.page(PagePlace::First, 3500).await;
        assert_eq!(page.count, 3500, "{turns}");
        let expected: Vec<String> = (0..3500).map(|at| format!("line {at}")).collect();
        assert!(bodies(&page) == expected, "{turns}: in order");
        assert!(place.import(false).await.contains("Nothing changes"), "{turns}");
    }
}

#[tokio::test]
async fn lines_come_below_what_is_there() {
    let place = Place::new(&lines(0, 3)).await;
    place.import(false).await;
    let login = place.login().await;
    let portal = &login.portals[0];
    assert!(
        portal.older && portal.last == Position(0),
        "live messages begin with 1"
    );
    assert_eq!(portal.last_at, Timestamp(1_000_002_000_000));
    let mut live = place.page(PagePlace::Last, 1).await.messages.remove(0);
    live.position = Position(1);
    live.remote = None;
    let store = place.store().await;
    store
        .write(vec![Write::Message(Box::new(live))])
        .await
        .await
        .expect("written");
    store.close().await;
    assert!(place.import(false).await.contains("Nothing changes"));
    let all = place.page(PagePlace::First, 9).await;
    assert_eq!(bodies(&all), ["line 0", "line 1", "line 2", "line 2"]);
}

#[tokio::test]
async fn odd_lines_are_skipped_or_mended() {
    let rows =
        "INSERT INTO muclogline_ (uuid_, owner_, ircchanname_, ircservername_, date_, body_, nick_) VALUES
        ('a', 'bob@example.org', '#a', 'irc.test', 100, '/me waves <&>' || char(7), 'Carol'),
        ('b', 'bob@example.org', '#a', 'irc.test', 900, 'from the future of its successor', 'Carol'),
        (NULL, 'bob@example.org', '#a', 'irc.test', 'yesterday', 'no time', 'Carol'),
        ('c', 'bob@example.org', '#a', 'irc.test', 200, '', 'Carol'),
        ('c', 'bob@example.org', '#a', 'irc.test', 200, NULL, 'Carol'),
        ('c', 'bob@example.org', '#a', 'irc.test', 200, 'nobody', NULL),
        ('d', 'bob@example.org', '#a', 'irc.test', 300, CAST(x'66ff6f' AS TEXT), 'Carol'),
        ('e', 'no address', '#a', 'irc.test', 300, 'x', 'Carol'),
        ('f', 'bob@example.org', 'a', 'irc.test', 300, 'x', 'Carol'),
        ('g', 'bob@example.org', '#a', 'not a server', 300, 'x', 'Carol'),
        ('h', NULL, NULL, NULL, NULL, NULL, NULL);";
    let place = Place::new(rows).await;
    let told = place.import(false).await;
    for words in [
        "no address\n  everything: NOT taken",
        "a on irc.test: NOT taken: this is not a channel",
        "#a on not a server: NOT taken: ",
        "#a on irc.test: 4 lines",
        "NOT taken: 3 lines that say nothing",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let page = place.page(PagePlace::First, 9).await;
    let said: Vec<_> = page
        .messages
        .iter()
        .map(|message| message.at.0 / 1_000_000)
        .collect();
    assert_eq!(said, [100, 300, 300, 300], "times do not decrease");
    let said = bodies(&page);
    assert!(
        said[0].starts_with("/me waves &lt;&amp;&gt;") && !said[0].contains('\u{7}'),
        "{said:?}"
    );
    assert_eq!(said[3], "f\u{fffd}o");
}

#[tokio::test]
async fn settings_are_taken_where_they_can_be() {
    let rows = "INSERT INTO globaloptions_ VALUES (1, 'bob@example.org', 'many', 1, 0);
        INSERT INTO ircserveroptions_ VALUES
            (1, 'bob@example.org', 'irc.test', 'sesame', '6697;6670;', '6667;', 0, 'two words', 'hunter2', -1);
        INSERT INTO after_connection_commands_ VALUES (1, 1, ':secret'), (2, 1, 'MODE bob +x');
        INSERT INTO ircchanneloptions_ VALUES
            (1, 'bob@example.org', 'irc.test', '#Kept', 'klingon', 0, 1, 0),
            (2, 'bob@example.org', 'irc.test', '#b', '', 0, 0, -1),
            (3, 'bob@example.org', 'irc.test', '#a', NULL, 0, 5, 1);
        INSERT INTO roster VALUES ('carol%irc.test@irc.example.org', 'bob@example.org'),
            ('irc.test@irc.example.org', 'bob@example.org'), ('carol@elsewhere.org', 'bob@example.org');
        INSERT INTO muclogline_ (uuid_, owner_, ircchanname_, ircservername_, date_, body_, nick_)
            VALUES ('a', 'bob@example.org', '#b', 'irc.test', 1, 'not kept', 'Carol');";
    let place = Place::new(rows).await;
    let told = place.import(false).await;
    for words in [
        "everything: NOT taken: max_history_length: ",
        "irc.test: set password, sasl_password, verify_cert\n",
        "NOT taken: nick: ",
        "NOT taken: sasl_account: ",
        "NOT taken: after_connect_commands: it cannot be so here",
        "NOT taken: throttle_limit: ",
        "#Kept on irc.test: set persistent\n",
        "#Kept on irc.test: NOT taken: encoding_in: ",
        "#Kept on irc.test: is joined at the next start",
        "#b on irc.test: set record_history\n",
        "#b on irc.test: NOT taken: the archive, because none is kept",
        "#a on irc.test: NOT taken: persistent: '5'",
        "irc.test@irc.example.org: NOT taken: this is not a person",
        "carol@elsewhere.org: NOT taken: this is not at irc.example.org",
        "contacts: carol%irc.test\n",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    for secret in ["sesame", "hunter2", ":secret"] {
        assert!(!told.contains(secret), "{told}");
        assert!(!holds(place.dir.path(), secret), "{secret} is sealed");
    }
    let login = place.login().await;
    assert_eq!(login.contacts, [Name::from("carol%irc.test")]);
    let kept: Vec<_> = login.portals.iter().map(|portal| &portal.portal).collect();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].kept && kept[0].with == Recipient::Room(room("#kept")));
    assert_eq!(
        (kept[0].local.as_str(), kept[0].nick.as_str()),
        ("#kept%irc.test", "bob")
    );
    // What the user changes afterwards is not taken back by another run.
    let server = Scope::Server(ServerId("irc.test".into()));
    let mut changed = login
        .settings
        .iter()
        .find(|set| set.scope == server)
        .expect("set")
        .clone();
    changed.network.values.clear();
    let store = place.store().await;
    store
        .write(vec![Write::Settings(Box::new(changed))])
        .await
        .await
        .expect("written");
    store.close().await;
    let told = place.import(false).await;
    assert!(told.contains("Nothing changes"), "{told}");
    let login = place.login().await;
    let set = login
        .settings
        .iter()
        .find(|set| set.scope == server)
        .expect("set");
    assert!(set.network.value("verify_cert").is_none());
}

/// Whether a text stands in a file of ours.
fn holds(dir: &Path, text: &str) -> bool {
    ["viaduct.db", "viaduct.db-wal"].iter().any(|file| {
        let bytes = std::fs::read(dir.join(file)).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
