//! A login on a desk: stanzas and events in, effects out, as lines of text. Time stands still unless it is moved, ids are
//! counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use viaduct_bridge::{
    Account, Address, Answers, BadAddress, BoxFuture, Bridge, Capabilities, Failure, Form, Level, LoginFlow,
    Member, Name, PersonId, Rank, Relations, RemoteEvent, RoomEvent, RoomFlags, RoomId, ServerId, Session,
    SessionContext, Step, Timestamp,
};
use viaduct_core::access::{Access, Registration};
use viaduct_core::context::{Context, Entropy, IdSource, MostPending, RuleBook, Rules};
use viaduct_core::effect::{Effect, Effects, Input, Mark, Related};
use viaduct_core::login::{Login, Referring};
use viaduct_core::records::{LoadedLogin, LoginId, LoginRecord, Preferences};
use viaduct_core::refer::{Found, Lookup};
use viaduct_core::stanza::Incoming;

pub(crate) const ROOM: &str = "#room%srv@gw.example";
pub(crate) const PHONE: &str = "me@example/phone";

/// The moment at which everything happens, unless said otherwise.
pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000_000_000);

/// How long a place is kept for a client that was lost.
pub(crate) const GRACE: Duration = Duration::from_secs(77);

/// A network with `name%server` addresses that does nothing by itself.
struct TestBridge {
    capabilities: Capabilities,
    /// Whether square brackets are curly ones, as a server may say after a while.
    folds: Arc<AtomicBool>,
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn bytes(&self) -> [u8; 16] {
        [7; 16]
    }
}

impl Bridge for TestBridge {
    fn kind(&self) -> &'static str {
        "test"
    }
    fn title(&self) -> String {
        "Test".into()
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    fn parse(&self, localpart: &str) -> Result<Address, BadAddress> {
        let Some((name, server)) = localpart.rsplit_once('%') else {
            return Ok(Address::Server(ServerId(localpart.into())));
        };
        let server = ServerId(server.into());
        let folded = name.replace('[', "{").replace(']', "}");
        let name = if self.folds.load(Ordering::Relaxed) {
            folded.as_str()
        } else {
            name
        };
        Ok(if name.starts_with('#') {
            Address::Room(RoomId {
                server,
                room: name.into(),
            })
        } else {
            Address::Person(PersonId {
                server,
                person: name.into(),
            })
        })
    }
    fn localpart(&self, address: &Address) -> Option<String> {
        Some(match address {
            Address::Server(server) => server.to_string(),
            Address::Room(RoomId { server, room: name })
            | Address::Person(PersonId { server, person: name }) => {
                format!("{name}%{server}")
            }
        })
    }
    fn parse_typed(&self, text: &str) -> Result<Address, BadAddress> {
        self.parse(text.trim())
    }
    fn prompt(&self) -> (&'static str, &'static str) {
        ("", "")
    }
    fn home_server(&self, _: Option<&Account>) -> Option<ServerId> {
        None
    }
    fn nick_for(&self, wish: &str) -> Option<Name> {
        Some(wish.into())
    }
    fn form(&self, _: Option<&Account>) -> Form {
        let nick = viaduct_bridge::Field {
            name: "nick",
            label: "Nickname".into(),
            kind: viaduct_bridge::FieldKind::Text,
            required: false,
            value: String::new(),
        };
        Form {
            fields: vec![nick],
            ..Form::default()
        }
    }
    fn log_in(&self, _: &str, _: Option<&Account>) -> Box<dyn LoginFlow> {
        struct Never;
        impl LoginFlow for Never {
            fn next(&mut self, _: Answers) -> BoxFuture<'_, Step> {
                let failure = Failure::transient("never");
                Box::pin(async move { Step::Failed { field: None, failure } })
            }
        }
        Box::new(Never)
    }
    fn open(&self, _: SessionContext) -> Box<dyn Session> {
        struct Nothing;
        impl Session for Nothing {
            fn submit(&self, _: Vec<viaduct_bridge::Command>) {}
            fn close(&self, _: Option<Name>) -> BoxFuture<'_, ()> {
                Box::pin(async {})
            }
        }
        Box::new(Nothing)
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        direct_messages: Level::Full,
        private_messages: Level::Full,
        emotes: Level::Full,
        styling: Level::Full,
        subject: Level::Full,
        nick_change: Level::Full,
        kick: Level::Full,
        ban: Level::Full,
        ranks: Level::Full,
        create_rooms: Level::Full,
        room_passwords: Level::Full,
        away: Level::Full,
        raw: Level::Full,
        watch: Level::Full,
        relations: Relations::NONE,
        resubmit: false,
        guests: true,
        max_message_bytes: 1000,
        max_nick_bytes: 30,
    }
}

/// The rules of a gateway that is as usual.
pub(crate) fn rules() -> Rules {
    let example = jid::BareJid::new("example").expect("a JID in the test");
    Rules {
        access: Access::new(vec![example], vec![]),
        registration: Registration::Optional,
        allow_unregister: true,
        history_default: 20,
        grace: GRACE,
    }
}

/// The desk.
pub(crate) struct Desk {
    login: Login,
    ctx: Arc<Context>,
    /// Marks of what was sent and not confirmed.
    pub(crate) marks: Vec<Mark>,
    /// What the clock says, here and on the network.
    pub(crate) now: Timestamp,
    folds: Arc<AtomicBool>,
}

impl Desk {
    pub(crate) fn new(loaded: Option<LoadedLogin>) -> Self {
        Self::made(Relations::NONE, loaded, |_| {})
    }

    /// The network can do this with older messages.
    pub(crate) fn able(relations: Relations, loaded: Option<LoadedLogin>) -> Self {
        Self::made(relations, loaded, |_| {})
    }

    /// A desk in a gateway that is not as usual.
    pub(crate) fn with(loaded: Option<LoadedLogin>, change: impl FnOnce(&mut Context)) -> Self {
        Self::made(Relations::NONE, loaded, change)
    }

    fn made(relations: Relations, loaded: Option<LoadedLogin>, change: impl FnOnce(&mut Context)) -> Self {
        let jid = |text: &str| jid::BareJid::new(text).expect("a JID in the test");
        let folds = Arc::new(AtomicBool::new(false));
        let mut ctx = Context {
            domain: "gw.example".into(),
            bridge: Arc::new(TestBridge {
                capabilities: Capabilities {
                    relations,
                    ..capabilities()
                },
                folds: Arc::clone(&folds),
            }),
            rules: RuleBook::new(rules()),
            ids: IdSource::new(100, Timestamp(0)),
            entropy: Box::new(NoEntropy),
            occupant_secret: [1; 32],
            version: "1.2.3",
            most_pending: MostPending {
                commands: 100,
                bytes: 20_000,
            },
            aftermath: None,
        };
        change(&mut ctx);
        let ctx = Arc::new(ctx);
        Self {
            login: Login::new(Arc::clone(&ctx), jid("me@example"), loaded),
            ctx,
            marks: Vec::new(),
            now: NOW,
            folds,
        }
    }

    /// From now on other rules hold.
    pub(crate) fn rules(&self, change: impl FnOnce(Rules) -> Rules) {
        let present = self.ctx.rules().clone();
        self.ctx.rules.replace(change(present));
    }

    /// From now on square brackets are curly ones.
    pub(crate) fn fold_brackets(&self) {
        self.folds.store(true, Ordering::Relaxed);
    }

    /// A desk whose login has started and whose link is up.
    pub(crate) fn ready() -> Self {
        let mut desk = Self::new(None);
        desk.input(Input::Start);
        desk.input(Input::LinkUp);
        desk
    }

    /// One input; its effects as lines.
    pub(crate) fn input(&mut self, input: Input) -> Vec<String> {
        let mut effects = Effects::default();
        self.login.handle(self.now, input, &mut effects);
        effects.0.into_iter().map(|effect| self.line(effect)).collect()
    }

    fn line(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Send { stanza, mark } => {
                self.marks.extend(mark);
                stanza.as_str().to_owned()
            }
            other => format!("{other:?}"),
        }
    }

    pub(crate) fn stanza(&mut self, xml: &str) -> Vec<String> {
        let element = xml
            .replacen(' ', " xmlns='jabber:component:accept' ", 1)
            .parse()
            .expect("well-formed XML");
        let incoming = Incoming::parse(element).expect("a usable stanza");
        self.input(Input::Stanza(Box::new(incoming)))
    }

    /// A stanza that refers to an older message: what is looked up for it, and its effects when that is found.
    pub(crate) fn refers(&mut self, xml: &str, found: Option<Found>) -> (Option<Lookup>, Vec<String>) {
        let element = xml
            .replacen(' ', " xmlns='jabber:component:accept' ", 1)
            .parse()
            .expect("well-formed XML");
        let incoming = Incoming::parse(element).expect("a usable stanza");
        let lookup = self.login.refers(Referring::Stanza(&incoming));
        let input = Input::Stanza(Box::new(incoming));
        let found = found.filter(|_| lookup.is_some());
        (
            lookup,
            self.input(Input::Related(Box::new(Related { found, input }))),
        )
    }

    /// The same for something that the network tells.
    pub(crate) fn tells(
        &mut self,
        event: RemoteEvent,
        found: Option<Found>,
    ) -> (Option<Lookup>, Vec<String>) {
        let lookup = self.login.refers(Referring::Remote(&event));
        let found = found.filter(|_| lookup.is_some());
        let input = Input::Remote(event);
        (
            lookup,
            self.input(Input::Related(Box::new(Related { found, input }))),
        )
    }

    pub(crate) fn room(&mut self, event: RoomEvent) -> Vec<String> {
        self.input(Input::Remote(RemoteEvent::Room {
            room: room_id(),
            event,
        }))
    }

    /// Confirms everything that was sent.
    pub(crate) fn confirm(&mut self) -> Vec<String> {
        let marks = std::mem::take(&mut self.marks);
        self.input(Input::Confirmed(marks))
    }

    /// Joins the room; `others` are there.
    pub(crate) fn join(&mut self, others: &[&str]) -> Vec<String> {
        self.stanza(&format!(
            "<presence from='{PHONE}' to='{ROOM}/me'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        self.room(joined(others))
    }

    pub(crate) fn says(&mut self, who: &str, body: &str) -> Vec<String> {
        self.room(RoomEvent::Message(viaduct_bridge::Message {
            ids: vec![],
            txn: None,
            sender: who.into(),
            nick: who.into(),
            at: self.now,
            content: viaduct_bridge::Content::plain(body),
            relation: None,
            missed: false,
        }))
    }
}

pub(crate) fn room_id() -> RoomId {
    RoomId {
        server: ServerId("srv".into()),
        room: "#room".into(),
    }
}

pub(crate) fn member(nick: &str) -> Member {
    Member {
        account: None,
        person: nick.to_lowercase().as_str().into(),
        nick: nick.into(),
        rank: Rank::NONE,
        away: false,
    }
}

pub(crate) fn joined(others: &[&str]) -> RoomEvent {
    let members = std::iter::once("me")
        .chain(others.iter().copied())
        .map(member)
        .collect();
    RoomEvent::Joined {
        me: "me".into(),
        members,
        topic: None,
        flags: RoomFlags::default(),
    }
}

/// The stanzas among the lines.
pub(crate) fn stanzas(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .filter(|line| line.starts_with('<'))
        .map(String::as_str)
        .collect()
}

/// Who is shown as there (`+`) or gone (`-`) by the presences among the lines, sorted.
pub(crate) fn shown(lines: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = stanzas(lines)
        .into_iter()
        .filter(|line| line.starts_with("<presence"))
        .map(|line| {
            let nick = line
                .split(&format!("{ROOM}/"))
                .nth(1)
                .and_then(|rest| rest.split('\'').next())
                .unwrap_or("?");
            format!(
                "{}{nick}",
                if line.contains("type='unavailable'") {
                    '-'
                } else {
                    '+'
                }
            )
        })
        .collect();
    shown.sort_unstable();
    shown
}

/// The record of a user who is registered and in no room.
pub(crate) fn registered() -> LoadedLogin {
    LoadedLogin {
        login: LoginRecord {
            id: LoginId(1),
            gateway: "gw.example".into(),
            user: "me@example".into(),
            account: Some(Account {
                name: "me".into(),
                ..Account::default()
            }),
            preferences: Preferences::default(),
        },
        settings: vec![],
        portals: Vec::new(),
        outbox: Vec::new(),
        warned: vec![],
        contacts: Vec::new(),
    }
}
