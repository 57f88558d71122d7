//! What remembering costs, printed. Not a test: figures depend on the machine.
//!
//! `cargo run --release -p viaduct-store --example throughput [rows] [url]`; SQLite in a temporary directory unless a URL
//! is given.

use std::sync::Arc;
use std::time::{Duration, Instant};

use viaduct_bridge::{
    Content, MessageId, Name, PersonId, Recipient, RoomId, ServerId, Timestamp, TransactionId,
};
use viaduct_core::records::{
    ArchiveQuery, LoginId, LoginRecord, MessageRecord, OutboxRecord, PagePlace, PageRequest, PortalId,
    PortalRecord, Position, Preferences, Said, Write, placed_id,
};
use viaduct_store::{CommitTicket, SealingKey, Store, StoreConfig};

const USERS: i64 = 100;

#[tokio::main]
async fn main() {
    let rows: i64 = std::env::args()
        .nth(1)
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(400_000);
    let dir = tempfile::tempdir().expect("a directory");
    let url = std::env::args().nth(2);
    let config = StoreConfig {
        url: url.unwrap_or_else(|| format!("sqlite://{}/viaduct.db", dir.path().display())),
        key_file: dir.path().join("key"),
        ..StoreConfig::default()
    };
    let before = resident();
    let key = SealingKey::load_or_create(&config.key_file).expect("a key");
    let store = Store::open(config, key).await.expect("the store opens");
    println!(
        "memory: {} KiB, of which {} since before the store was opened",
        resident(),
        resident() - before
    );
    let people: Vec<Write> = (1..=3 * USERS + 2).flat_map(user_with_room).collect();
    store.write(people).await.await.expect("committed");

    fan_out(&store, "100 views of each message", 0, rows, false).await;
    fan_out(&store, "the same, with ids of the network", USERS, rows, true).await;
    one_user(&store, 2 * USERS + 1, rows / 4).await;
    outgoing(&store, 2 * USERS + 2, rows / 10).await;
    lonely(&store, 2 * USERS + 3, 5000).await;
    pages(&store, "of a small archive", 2 * USERS + 4, 100).await;
    pages(&store, "of a large archive", 2 * USERS + 5, 1_000_000).await;
    println!("memory: {} KiB", resident());
    let begun = Instant::now();
    store.close().await;
    println!("closed in {:?}", begun.elapsed());
}

/// Every user of a channel sees every message; each is a lane of its own and hands in ten messages at a time.
async fn fan_out(store: &Store, what: &str, first: i64, rows: i64, named: bool) {
    let mut lanes: Vec<_> = (0..USERS).map(|_| store.lane()).collect();
    let mut tickets: Vec<CommitTicket> = Vec::new();
    let measure = Measure::begin();
    for round in 0..rows / USERS / 10 {
        let said: Vec<_> = (1..=10).map(|at| said(round * 10 + at)).collect();
        for (user, lane) in (1..).zip(&mut lanes) {
            let messages = (1..).zip(&said).map(|(at, said)| {
                let position = round * 10 + at;
                message(
                    first + user,
                    position,
                    said,
                    named.then(|| format!("{:022x}", position * 0x9e37_79b9_7f4a)),
                )
            });
            let ticket = lane.write(messages.collect()).await;
            tickets.push(ticket);
        }
    }
    wait(tickets).await;
    measure.end(what, rows);
}

async fn one_user(store: &Store, portal: i64, rows: i64) {
    let mut lane = store.lane();
    let mut tickets = Vec::new();
    let measure = Measure::begin();
    for position in 1..=rows {
        let ticket = lane
            .write(vec![message(portal, position, &said(position), None)])
            .await;
        tickets.push(ticket);
    }
    wait(tickets).await;
    measure.end("one user, one message at a time, not waiting", rows);
}

/// What the user says: kept before it is sent, settled and placed after.
async fn outgoing(store: &Store, id: i64, rows: i64) {
    let mut lane = store.lane();
    let mut tickets = Vec::new();
    let measure = Measure::begin();
    for txn in 1..=rows {
        let kept = lane.write(vec![outbox(id, txn)]).await;
        tickets.push(kept);
        if txn > 200 {
            let txn = txn - 200;
            let settled = Write::Settled {
                login: LoginId(id),
                txn: TransactionId(txn),
            };
            let ticket = lane
                .write(vec![settled, message(id, txn, &said(txn), None)])
                .await;
            tickets.push(ticket);
        }
    }
    wait(tickets).await;
    measure.end("outgoing: outbox, settled, message, not waiting", rows);
}

/// One message at a time, each waited for.
async fn lonely(store: &Store, portal: i64, rows: i64) {
    let mut lane = store.lane();
    let mut times = Vec::new();
    let measure = Measure::begin();
    for position in 1..=rows {
        let begun = Instant::now();
        lane.write(vec![message(portal, position, &said(position), None)])
            .await
            .await
            .expect("committed");
        times.push(begun.elapsed());
    }
    measure.end("one message at a time, each waited for", rows);
    spread(times);
}

async fn pages(store: &Store, what: &str, portal: i64, rows: i64) {
    let mut tickets = Vec::new();
    for from in (1..=rows).step_by(1000) {
        let upto = rows.min(from + 999);
        let messages = (from..=upto).map(|position| message(portal, position, &said(position), None));
        tickets.push(store.write(messages.collect()).await);
    }
    wait(tickets).await;
    let middle = placed_id(PortalId(portal), Position(rows / 2));
    let whole = ArchiveQuery {
        portal: PortalId(portal),
        upto: Position(rows),
        start: None,
        end: None,
        after_id: None,
        before_id: None,
        ids: None,
        with_nick: None,
        page: PageRequest {
            max: 50,
            place: PagePlace::First,
        },
    };
    let at = |place| ArchiveQuery {
        page: PageRequest { max: 50, place },
        ..whole.clone()
    };
    let third = ArchiveQuery {
        start: Some(Timestamp(rows / 3 * 1000)),
        end: Some(Timestamp(rows / 3 * 2000)),
        ..whole.clone()
    };
    let nick = ArchiveQuery {
        with_nick: Some(Name::from("nobody")),
        ..whole.clone()
    };
    for (kind, query, times) in [
        ("first", whole.clone(), 500),
        ("last", at(PagePlace::Last), 500),
        ("after the middle", at(PagePlace::After(middle)), 500),
        ("from a time to a time", third, 500),
        ("of one nickname (all is looked at)", nick, 3),
    ] {
        let mut spent = Vec::new();
        let measure = Measure::begin();
        for _ in 0..times {
            let begun = Instant::now();
            store.archive_page(&query).await.expect("a page");
            spent.push(begun.elapsed());
        }
        measure.end(&format!("page of 50 {what}, {kind}"), times);
        spread(spent);
    }
}

async fn wait(tickets: Vec<CommitTicket>) {
    for ticket in tickets {
        ticket.await.expect("committed");
    }
}

fn spread(mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!(
        "    p50 {:?}, p90 {:?}, p99 {:?}, max {:?}",
        at(50),
        at(90),
        at(99),
        at(100)
    );
}

struct Measure {
    begun: Instant,
    cpu: u64,
}

impl Measure {
    fn begin() -> Self {
        Self {
            begun: Instant::now(),
            cpu: cpu_ticks(),
        }
    }

    fn end(self, what: &str, rows: i64) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let cpu = (cpu_ticks() - self.cpu) as f64 / 100.0;
        let rows = rows as f64;
        println!(
            "{what}: {:.0}/s, {:.2} µs CPU each",
            rows / seconds,
            cpu / rows * 1e6
        );
    }
}

/// User and system time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let (_, rest) = stat.rsplit_once(')').expect("a name in parentheses");
    rest.split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().expect("a number"))
        .sum()
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("the line");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}

fn user_with_room(id: i64) -> [Write; 2] {
    let server = ServerId(Name::from("irc.example.org"));
    [
        Write::Login(Box::new(LoginRecord {
            id: LoginId(id),
            gateway: Name::from("irc.example.org"),
            user: format!("user{id}@example.org").into(),
            account: None,
            preferences: Preferences::default(),
        })),
        Write::Portal(Box::new(PortalRecord {
            id: PortalId(id),
            login: LoginId(id),
            with: Recipient::Room(RoomId {
                server,
                room: Name::from("#chan"),
            }),
            local: Name::from("#chan%irc.example.org"),
            nick: Name::from("me"),
            key: None,
            topic: None,
            kept: false,
        })),
    ]
}

fn said(position: i64) -> Arc<Said> {
    Arc::new(Said {
        nick: Name::from("somebody"),
        occupant: Name::from("dGhpcyBpcyBhbiBvY2N1cGFudC1pZCBvZiAzMiBieXRlcw=="),
        payload: format!(
            "<body>message {position}, which has about eighty bytes, as most have that people write</body>"
        )
        .into(),
    })
}

fn message(portal: i64, position: i64, said: &Arc<Said>, remote: Option<String>) -> Write {
    Write::Message(Box::new(MessageRecord {
        portal: PortalId(portal),
        position: Position(position),
        at: Timestamp(position * 1000),
        said: Arc::clone(said),
        remote: remote.map(|id| MessageId(id.into())),
        client_id: None,
    }))
}

fn outbox(login: i64, txn: i64) -> Write {
    let server = ServerId(Name::from("irc.example.org"));
    Write::Outbox(Box::new(OutboxRecord {
        txn: TransactionId(txn),
        login: LoginId(login),
        to: Recipient::Person(PersonId {
            server,
            person: Name::from("bob"),
        }),
        resource: Name::from("phone"),
        addressed: Name::from("bob%irc.example.org@irc.example.org"),
        client_id: Some(Name::from("0f5a7d3e-5f64-4f2c-9d8e")),
        payload: said(txn).payload.clone(),
        content: Content::plain(
            "a message that has about eighty bytes, as most have that people write to others",
        ),
    }))
}
