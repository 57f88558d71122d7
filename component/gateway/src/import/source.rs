//! A database of Biboumi, SQLite or PostgreSQL, as it is found: nothing in it is taken to be as it should.
//!
//! Every value is read as text, so that a number that is none is told to the operator and ends nothing. A column that an
//! older Biboumi did not have reads as missing. All reads see one state of the database, also while Biboumi runs.

use std::collections::HashSet;
use std::str::FromStr as _;

use anyhow::{Context as _, Result, bail};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, Row as _, SqliteConnection};
use viaduct_store::StoreConfig;

/// How many servers, channels, contacts and commands of one user are read at most.
const MOST_ROWS: usize = 2000;

/// The values of a row, in the order in which they were asked for.
pub(super) type Fields = Vec<Option<String>>;

/// A value for a query.
#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Int(i64),
}

/// The database.
pub(super) struct Source {
    conn: Conn,
    /// `table.column` of all there are.
    columns: HashSet<String>,
}

enum Conn {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// A line of an archive.
pub(super) struct Line {
    /// Its number: later lines have higher ones.
    pub(super) id: i64,
    /// Its archive id.
    pub(super) uuid: Option<String>,
    /// When it was said, in seconds.
    pub(super) date: Option<i64>,
    /// What was said.
    pub(super) body: Option<String>,
    /// By whom.
    pub(super) nick: Option<String>,
}

/// The columns of a table that are read, in this order.
type Columns = &'static [&'static str];

/// What is set for everything.
pub(super) const GLOBAL: Columns = &["maxhistorylength_", "recordhistory_", "persistent_"];
/// What is set for a server. The first two say which, and which row its commands belong to.
pub(super) const SERVER: Columns = &[
    "server_",
    "id_",
    "nick_",
    "username_",
    "realname_",
    "pass_",
    "saslpassword_",
    "tlsports_",
    "ports_",
    "verifycert_",
    "trustedfingerprint_",
    "encodingin_",
    "encodingout_",
    "address_",
    "throttlelimit_",
];
/// What is set for a channel. The first two say which.
pub(super) const CHANNEL: Columns = &[
    "channel_",
    "server_",
    "encodingin_",
    "encodingout_",
    "persistent_",
    "recordhistory_",
];
const LINE: Columns = &["id_", "uuid_", "date_", "body_", "nick_"];

impl Source {
    /// Opens the database for reading.
    pub(super) async fn open(url: &str) -> Result<Self> {
        let shown = StoreConfig {
            url: url.to_owned(),
            ..StoreConfig::default()
        }
        .shown_url();
        let conn = connect(url)
            .await
            .with_context(|| format!("{shown} cannot be opened"))?;
        let mut source = Self {
            conn,
            columns: HashSet::new(),
        };
        source
            .begin()
            .await
            .with_context(|| format!("{shown} cannot be read"))?;
        if !source.columns.contains("muclogline_.owner_") {
            bail!("{shown} is no database of Biboumi: it has no table of that kind");
        }
        Ok(source)
    }

    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let columns = match &mut self.conn {
            Conn::Sqlite(conn) => {
                conn.execute("BEGIN").await?;
                "SELECT CAST(m.name || '.' || c.name AS BLOB) FROM sqlite_master m, pragma_table_info(m.name) c \
                 WHERE m.type = 'table'"
            }
            Conn::Postgres(conn) => {
                conn.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                "SELECT convert_to(table_name || '.' || column_name, 'UTF8') FROM information_schema.columns \
                 WHERE table_schema = current_schema()"
            }
        };
        let rows: Vec<Fields> = self.stream(columns.to_owned(), &[]).try_collect().await?;
        self.columns = rows.into_iter().flatten().flatten().collect();
        Ok(())
    }

    /// The first user after this one, in the order of the database.
    pub(super) async fn next_owner(&mut self, after: &str) -> Result<Option<String>, sqlx::Error> {
        let tables = [
            ("muclogline_", "owner_"),
            ("globaloptions_", "owner_"),
            ("ircserveroptions_", "owner_"),
            ("ircchanneloptions_", "owner_"),
            ("roster", "remote"),
        ];
        // One look into the index of each table, however many rows a user has.
        let all: Vec<String> = tables
            .iter()
            .filter(|(table, column)| self.has(table, column))
            .map(|(table, column)| {
                format!(
                    "SELECT min({column}) AS owner FROM {table} WHERE {column} > {}",
                    self.mark(1)
                )
            })
            .collect();
        let owner = self.text("min(owner)");
        let sql = format!("SELECT {owner} FROM ({}) AS o", all.join(" UNION ALL "));
        let rows = self.rows(sql, &[Value::Text(after)]).await?;
        let owner = rows.into_iter().flatten().flatten().next();
        // What is not UTF-8 cannot be asked for, and would be found for ever.
        Ok(owner.filter(|owner| owner != after))
    }

    /// What a user has set for everything.
    pub(super) async fn global(&mut self, owner: &str) -> Result<Option<Fields>, sqlx::Error> {
        let rows = self.of_owner("globaloptions_", GLOBAL, owner).await?;
        Ok(rows.into_iter().next())
    }

    /// What a user has set for servers.
    pub(super) async fn servers(&mut self, owner: &str) -> Result<Vec<Fields>, sqlx::Error> {
        self.of_owner("ircserveroptions_", SERVER, owner).await
    }

    /// What a user has set for channels.
    pub(super) async fn channels(&mut self, owner: &str) -> Result<Vec<Fields>, sqlx::Error> {
        self.of_owner("ircchanneloptions_", CHANNEL, owner).await
    }

    /// The commands that belong to the settings of a server.
    pub(super) async fn commands(&mut self, of: i64) -> Result<Vec<String>, sqlx::Error> {
        let (table, column) = ("after_connection_commands_", "afterconnectioncommand_");
        if !self.has(table, column) {
            return Ok(Vec::new());
        }
        let (text, mark) = (self.text(column), self.mark(1));
        let sql = format!("SELECT {text} FROM {table} WHERE fk_ = {mark} ORDER BY id_ LIMIT {MOST_ROWS}");
        let rows = self.rows(sql, &[Value::Int(of)]).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// The JIDs of the gateway to whose presence a user has subscribed.
    pub(super) async fn contacts(&mut self, owner: &str) -> Result<Vec<String>, sqlx::Error> {
        if !self.has("roster", "local") {
            return Ok(Vec::new());
        }
        let (text, mark) = (self.text("local"), self.mark(1));
        let sql = format!("SELECT DISTINCT {text} FROM roster WHERE remote = {mark} LIMIT {MOST_ROWS}");
        let rows = self.rows(sql, &[Value::Text(owner)]).await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// The first channel (and its server) after this one of which a user has an archive.
    pub(super) async fn next_archive(
        &mut self,
        owner: &str,
        after: &(String, String),
    ) -> Result<Option<(String, String)>, sqlx::Error> {
        let sql = format!(
            "SELECT {}, {} FROM muclogline_ WHERE owner_ = {} AND (ircchanname_, ircservername_) > ({}, {}) \
             ORDER BY ircchanname_, ircservername_ LIMIT 1",
            self.text("ircchanname_"),
            self.text("ircservername_"),
            self.mark(1),
            self.mark(2),
            self.mark(3),
        );
        let values = [Value::Text(owner), Value::Text(&after.0), Value::Text(&after.1)];
        let row = self.rows(sql, &values).await?.into_iter().next();
        let found = row.map(|row| {
            let mut fields = row.into_iter().map(Option::unwrap_or_default);
            (
                fields.next().unwrap_or_default(),
                fields.next().unwrap_or_default(),
            )
        });
        Ok(found.filter(|found| found != after))
    }

    /// How many lines of an archive came after this one.
    pub(super) async fn newer(
        &mut self,
        owner: &str,
        (channel, server): &(String, String),
        than: i64,
    ) -> Result<u64, sqlx::Error> {
        let sql = format!(
            "SELECT {} FROM muclogline_ WHERE owner_ = {} AND ircchanname_ = {} AND ircservername_ = {} AND id_ > {}",
            self.text("count(*)"),
            self.mark(1),
            self.mark(2),
            self.mark(3),
            self.mark(4),
        );
        let values = [
            Value::Text(owner),
            Value::Text(channel),
            Value::Text(server),
            Value::Int(than),
        ];
        let count = self
            .rows(sql, &values)
            .await?
            .into_iter()
            .flatten()
            .flatten()
            .next();
        Ok(count.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// The lines of an archive that came before this one, the newest first.
    pub(super) fn lines(
        &mut self,
        owner: &str,
        (channel, server): &(String, String),
        before: i64,
    ) -> BoxStream<'_, Result<Line, sqlx::Error>> {
        let sql = format!(
            "SELECT {} FROM muclogline_ WHERE owner_ = {} AND ircchanname_ = {} AND ircservername_ = {} \
             AND id_ < {} ORDER BY id_ DESC",
            self.list("muclogline_", LINE),
            self.mark(1),
            self.mark(2),
            self.mark(3),
            self.mark(4),
        );
        let values = [
            Value::Text(owner),
            Value::Text(channel),
            Value::Text(server),
            Value::Int(before),
        ];
        let lines = self.stream(sql, &values).try_filter_map(|row| {
            let mut fields = row.into_iter();
            let mut next = || fields.next().flatten();
            let line = next().and_then(|id| id.parse().ok()).map(|id| Line {
                id,
                uuid: next(),
                date: next().and_then(|date| date.parse().ok()),
                body: next(),
                nick: next(),
            });
            std::future::ready(Ok(line))
        });
        lines.boxed()
    }

    async fn of_owner(
        &mut self,
        table: &str,
        columns: Columns,
        owner: &str,
    ) -> Result<Vec<Fields>, sqlx::Error> {
        if !self.has(table, "owner_") {
            return Ok(Vec::new());
        }
        let (list, mark) = (self.list(table, columns), self.mark(1));
        let sql = format!("SELECT {list} FROM {table} WHERE owner_ = {mark} ORDER BY id_ LIMIT {MOST_ROWS}");
        self.rows(sql, &[Value::Text(owner)]).await
    }

    fn has(&self, table: &str, column: &str) -> bool {
        self.columns.contains(&format!("{table}.{column}"))
    }

    fn list(&self, table: &str, columns: Columns) -> String {
        let column = |column: &&str| match self.has(table, column) {
            true => self.text(column),
            false => "NULL".to_owned(),
        };
        columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// The bytes of a value as text. SQLite holds whatever was written, also what is not UTF-8.
    fn text(&self, value: &str) -> String {
        match self.conn {
            Conn::Sqlite(_) => format!("CAST({value} AS BLOB)"),
            Conn::Postgres(_) => format!("convert_to(CAST({value} AS TEXT), 'UTF8')"),
        }
    }

    fn mark(&self, number: usize) -> String {
        match self.conn {
            Conn::Sqlite(_) => format!("?{number}"),
            Conn::Postgres(_) => format!("${number}"),
        }
    }

    async fn rows(&mut self, sql: String, values: &[Value<'_>]) -> Result<Vec<Fields>, sqlx::Error> {
        self.stream(sql, values).try_collect().await
    }

    /// Runs a query, whose text is made of the names above alone; what comes from outside is in the values.
    fn stream(&mut self, sql: String, values: &[Value<'_>]) -> BoxStream<'_, Result<Fields, sqlx::Error>> {
        macro_rules! stream {
            ($conn:expr) => {{
                let mut query = sqlx::query(AssertSqlSafe(sql));
                for value in values {
                    query = match value {
                        Value::Text(text) => query.bind((*text).to_owned()),
                        Value::Int(int) => query.bind(*int),
                    };
                }
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let rows = query.fetch(&mut **$conn).map(move |row| {
                    let row = row?;
                    let field = |at| Ok(row.try_get::<Option<&[u8]>, _>(at)?.map(text));
                    (0..row.len()).map(field).collect()
                });
                rows.boxed()
            }};
        }
        match &mut self.conn {
            Conn::Sqlite(conn) => stream!(conn),
            Conn::Postgres(conn) => stream!(conn),
        }
    }
}

async fn connect(url: &str) -> Result<Conn> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let options = PgConnectOptions::from_str(url)
            .ok()
            .context("write where the database is as postgres://user:password@host/name")?;
        return Ok(Conn::Postgres(Box::new(
            options.disable_statement_logging().connect().await?,
        )));
    }
    let options = match url.starts_with("sqlite:") {
        true => SqliteConnectOptions::from_str(url)
            .ok()
            .context("write the path of the database file as sqlite:///var/lib/biboumi/biboumi.sqlite")?,
        false if url.contains("://") => {
            bail!("a database is written as sqlite:///path or postgres://user:password@host/name")
        }
        false => SqliteConnectOptions::new().filename(url),
    };
    let options = options.read_only(true).disable_statement_logging();
    Ok(Conn::Sqlite(Box::new(options.connect().await?)))
}
