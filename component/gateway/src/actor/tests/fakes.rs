//! A core that does what stanzas tell it, a store that commits when it is told to, and a link without a socket.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jid::BareJid;
use tokio::sync::oneshot;
use tokio::time::sleep;
use viaduct_bridge::loopback::{LoopbackBridge, LoopbackNetwork, Settings};
use viaduct_bridge::{BoxFuture, Name, Timestamp, TransactionId};
use viaduct_core::access::{Access, Registration};
use viaduct_core::context::{Context, Entropy, IdSource, MostPending, RuleBook, Rules};
use viaduct_core::effect::{Effect, Effects, Input, Mark, ReplayRequest, Timer};
use viaduct_core::errand::{Errand, Order, Reach, RequestId, Said};
use viaduct_core::login::Referring;
use viaduct_core::records::{
    ArchiveError, ArchivePage, ArchiveQuery, LoadedLogin, LoginId, MessageRecord, PortalId, Position, Write,
};
use viaduct_core::refer::{Found, Lookup, Which};
use viaduct_core::stanza::{Incoming, Kind};
use viaduct_core::xml::{Stanza, Xml};

use crate::actor::{Alarm, Core, Gateway, Lane, Memory, Remembering, Router, Steward, Trouble};
use crate::link::{Link, Room, Upward};

pub(super) const DOMAIN: &str = "irc.example.org";

/// Everything a test can look at and turn.
pub(super) struct Stage {
    pub(super) router: Arc<Router>,
    pub(super) link: Arc<Link>,
    pub(super) memory: Arc<FakeMemory>,
    pub(super) heard: Arc<Mutex<Vec<String>>>,
    pub(super) alarm: Arc<Bell>,
}

impl Stage {
    /// A gateway whose link is up.
    pub(super) fn new() -> Self {
        Self::with_room(Room::default())
    }

    pub(super) fn with_room(room: Room) -> Self {
        let link = Arc::new(Link::new(DOMAIN.into(), room));
        let memory = Arc::new(FakeMemory::default());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let alarm = Arc::new(Bell::default());
        let spawn = Box::new(|future| drop(tokio::spawn(future)));
        let ctx = Context {
            domain: DOMAIN.into(),
            bridge: Arc::new(LoopbackBridge::new(
                LoopbackNetwork::new(Settings::default()),
                spawn,
            )),
            rules: RuleBook::new(Rules {
                access: Access::new(vec![BareJid::new("example.org").expect("a domain")], Vec::new()),
                registration: Registration::Optional,
                allow_unregister: true,
                history_default: 20,
                grace: Duration::from_secs(600),
            }),
            ids: IdSource::new(0, Timestamp(1)),
            entropy: Box::new(NoEntropy),
            occupant_secret: [0; 32],
            version: "0",
            most_pending: MostPending {
                commands: 100,
                bytes: 20_000,
            },
            aftermath: None,
        };
        let (core_heard, core_memory) = (Arc::clone(&heard), Arc::clone(&memory));
        let gateway = Gateway {
            ctx: Arc::new(ctx),
            link: Arc::clone(&link),
            memory: Arc::clone(&memory) as Arc<dyn Memory>,
            make: Box::new(move |_, _| {
                core_memory.loads.lock().expect("no panic").push(());
                Box::new(FakeCore {
                    heard: Arc::clone(&core_heard),
                    busy: false,
                })
            }),
            alarm: Arc::clone(&alarm) as Arc<dyn Alarm>,
            steward: Arc::new(Nobody),
        };
        let router = Router::new(Arc::new(gateway));
        router.complete();
        link.test_begin();
        Self {
            router,
            link,
            memory,
            heard,
            alarm,
        }
    }

    /// A message of a user. Its id is what the core is to do.
    pub(super) fn say(&self, id: &str) {
        self.say_as("me@example.org/r", id);
    }

    pub(super) fn say_as(&self, from: &str, id: &str) {
        let xml =
            format!("<message xmlns='jabber:component:accept' from='{from}' to='x@{DOMAIN}' id='{id}'/>");
        let incoming = Incoming::parse(xml.parse().expect("XML")).expect("a stanza");
        self.router.stanza(Box::new(incoming), 100);
    }

    /// Lets everything happen that can.
    pub(super) async fn settle(&self) {
        sleep(Duration::from_millis(60)).await;
    }

    /// The ids of what was sent, in order; fences are given back, as often as it takes.
    pub(super) async fn sent(&self) -> Vec<String> {
        let mut text = String::new();
        for _ in 0..3 {
            self.settle().await;
            text.push_str(&self.link.test_take(true));
        }
        self.settle().await;
        let ids = text
            .split(" id='")
            .skip(1)
            .filter_map(|rest| rest.split('\'').next());
        ids.filter(|id| !id.starts_with("viaduct-fence"))
            .map(str::to_owned)
            .collect()
    }

    /// What the core has heard since the last call.
    pub(super) fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().expect("no panic"))
    }
}

#[derive(Default)]
pub(super) struct Bell(pub(super) Mutex<Vec<String>>);

impl Alarm for Bell {
    fn fatal(&self, words: String) {
        self.0.lock().expect("no panic").push(words);
    }
}

/// Does nothing, and says what it was to do.
struct Nobody;

impl Steward for Nobody {
    fn obey(&self, order: Order) -> BoxFuture<'static, Result<String, String>> {
        Box::pin(async move { Err(format!("{order:?}")) })
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn bytes(&self) -> [u8; 16] {
        [0; 16]
    }
}

/// A core whose inputs say what comes out.
struct FakeCore {
    heard: Arc<Mutex<Vec<String>>>,
    busy: bool,
}

impl Core for FakeCore {
    fn handle(&mut self, _: Timestamp, input: Input, out: &mut Effects) {
        let words = match input {
            Input::Stanza(stanza) => {
                let id = stanza.id.clone().unwrap_or_default();
                for word in id.split('+') {
                    self.act(word, out);
                }
                id
            }
            Input::Confirmed(marks) => {
                let of = |mark: &Mark| match mark {
                    Mark::Cursor { position, .. } => position.0.to_string(),
                    other => format!("{other:?}"),
                };
                format!("confirmed {}", marks.iter().map(of).collect::<Vec<_>>().join(","))
            }
            Input::Errand { id, errand } => {
                // Who is asked for a report says nothing: a login that does not answer.
                if errand != Errand::Report {
                    let said = if self.busy { Said::Yes } else { Said::No };
                    out.push(Effect::Said { errand: id, said });
                }
                format!("{errand:?}")
            }
            Input::Related(related) => {
                let found = related
                    .found
                    .map_or_else(|| "nothing".into(), |found| found.known);
                let words = format!("related {found}");
                self.heard.lock().expect("no panic").push(words);
                return self.handle(Timestamp(0), related.input, out);
            }
            Input::Timer(_) => "timer".to_owned(),
            Input::Remote(event) => format!("remote {event:?}"),
            other => format!("{other:?}"),
        };
        self.heard.lock().expect("no panic").push(words);
    }

    fn refers(&self, to: Referring<'_>) -> Option<Lookup> {
        let Referring::Stanza(stanza) = to else {
            return None;
        };
        let id = stanza.id.as_deref()?;
        id.contains("refer").then(|| Lookup {
            portal: PortalId(1),
            which: Which::Known(id.into()),
            reactions_of: None,
        })
    }

    fn is_idle(&self) -> bool {
        !self.busy
    }
}

impl FakeCore {
    fn act(&mut self, word: &str, out: &mut Effects) {
        let (word, number) = word.split_once('-').unwrap_or((word, "0"));
        let number: i64 = number.parse().expect("a number");
        match word {
            "write" => out.write(Write::Settled {
                login: LoginId(1),
                txn: TransactionId(number),
            }),
            "send" => out.send(stanza(&format!("sent-{number}"))),
            "mark" => out.send_marked(stanza(&format!("marked-{number}")), cursor(number)),
            "replay" => out.push(Effect::Replay(Box::new(ReplayRequest {
                portal: PortalId(1),
                from: "f".into(),
                to: "t".into(),
                resource: "r".into(),
                after: Position(0),
                upto: Position(number),
                limit: 10,
            }))),
            "timer" => out.push(Effect::SetTimer {
                timer: Timer::Commands,
                after: Duration::from_secs(1),
            }),
            "busy" => self.busy = number > 0,
            "ask" => out.push(Effect::Reach {
                request: RequestId(number),
                reach: Reach::Everybody {
                    errand: Errand::Count,
                    most: 1,
                },
            }),
            "order" => out.push(Effect::Order {
                request: RequestId(number),
                order: Order::Stop {
                    again: true,
                    after: Duration::ZERO,
                    announcement: "bye".into(),
                },
            }),
            "open" => out.push(Effect::OpenSession(None)),
            "refer" => {}
            "panic" => panic!("as the test wants it"),
            other => panic!("what is {other}?"),
        }
    }
}

fn cursor(position: i64) -> Mark {
    Mark::Cursor {
        portal: PortalId(1),
        resource: Name::from("r"),
        position: Position(position),
    }
}

fn stanza(id: &str) -> Stanza {
    let mut xml = Xml::stanza(Kind::Message.name(), DOMAIN, "me@example.org/r");
    xml.attr("id", id);
    xml.finish()
}

/// A store whose commits wait until they are let.
#[derive(Default)]
pub(super) struct FakeMemory {
    /// How often a login was made.
    loads: Mutex<Vec<()>>,
    /// Whether commits wait.
    held: Arc<Mutex<bool>>,
    /// Whether loading and reading fail.
    broken: Mutex<bool>,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

struct Waiting {
    writes: usize,
    done: oneshot::Sender<Result<(), Trouble>>,
}

impl FakeMemory {
    pub(super) fn hold(&self) {
        *self.held.lock().expect("no panic") = true;
    }

    /// Ends the waiting commits, and gives how many writes each had.
    pub(super) fn commit(&self, result: &Result<(), Trouble>) -> Vec<usize> {
        let waiting = std::mem::take(&mut *self.waiting.lock().expect("no panic"));
        let end = |waiting: Waiting| {
            let _ = waiting.done.send(result.clone());
            waiting.writes
        };
        waiting.into_iter().map(end).collect()
    }

    pub(super) fn loads(&self) -> usize {
        self.loads.lock().expect("no panic").len()
    }

    pub(super) fn set_broken(&self, broken: bool) {
        *self.broken.lock().expect("no panic") = broken;
    }

    fn broken<T>(&self) -> Option<Remembering<T>> {
        let broken = *self.broken.lock().expect("no panic");
        broken.then(|| -> Remembering<T> { Box::pin(async { Err(Trouble::Failed("broken".into())) }) })
    }
}

impl Memory for FakeMemory {
    fn lane(&self) -> Box<dyn Lane> {
        Box::new(FakeLane {
            held: Arc::clone(&self.held),
            waiting: Arc::clone(&self.waiting),
        })
    }

    fn load(&self, _: &BareJid) -> Remembering<Option<Box<LoadedLogin>>> {
        self.broken().unwrap_or_else(|| Box::pin(async { Ok(None) }))
    }

    fn archive(&self, _: ArchiveQuery) -> Remembering<Result<ArchivePage, ArchiveError>> {
        Box::pin(async { Ok(Err(ArchiveError::NoSuchMessage)) })
    }

    fn replay(&self, _: PortalId, _: Position, _: Position, _: u32) -> Remembering<Vec<MessageRecord>> {
        self.broken()
            .unwrap_or_else(|| Box::pin(async { Ok(Vec::new()) }))
    }

    fn find(&self, lookup: Lookup) -> Remembering<Option<Found>> {
        let Which::Known(known) = lookup.which else {
            return Box::pin(async { Ok(None) });
        };
        let found = Found {
            known,
            ids: Vec::new(),
            at: Timestamp(0),
            mine: false,
            message: None,
            reactions: Vec::new(),
        };
        self.broken()
            .unwrap_or_else(|| Box::pin(async { Ok(Some(found)) }))
    }

    fn history(
        &self,
        _: PortalId,
        _: Position,
        _: u32,
        _: Option<Timestamp>,
    ) -> Remembering<Vec<MessageRecord>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

struct FakeLane {
    held: Arc<Mutex<bool>>,
    waiting: Arc<Mutex<Vec<Waiting>>>,
}

impl Lane for FakeLane {
    fn write(&mut self, writes: Vec<Write>) -> Remembering<()> {
        if !*self.held.lock().expect("no panic") {
            return Box::pin(async { Ok(()) });
        }
        let (done, ticket) = oneshot::channel();
        self.waiting.lock().expect("no panic").push(Waiting {
            writes: writes.len(),
            done,
        });
        Box::pin(async {
            ticket
                .await
                .unwrap_or_else(|_| Err(Trouble::Failed("gone".into())))
        })
    }
}
