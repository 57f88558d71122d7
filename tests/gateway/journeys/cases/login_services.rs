//! A scripted IRC network with accounts: it takes any number of connections, checks passwords by SASL PLAIN, and
//! writes down who came and went.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::task::JoinHandle;
use viaduct_gateway_tests::prelude::*;
use viaduct_test_support::inbox::Inbox;
use viaduct_test_support::irc::IrcServer;
use viaduct_test_support::patience::patience;
use viaduct_test_support::transcript::Voice;
use viaduct_test_support::world::Slot;

use super::registration_support::removal;

/// Something that happened at the network; the number is that of the connection, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// A password was offered for an account, and was right or not.
    Password(usize, String, bool),
    /// Somebody has come in under this nickname.
    Online(usize, String),
    /// Somebody has left with these words.
    Quit(usize, String),
}

/// The network. Its connections end with it.
pub(crate) struct Services {
    slot: Slot,
    voice: Voice,
    state: Arc<State>,
    door: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    events: Inbox<Event>,
    accounts: Mutex<HashMap<String, String>>,
    /// What is sent to those who come, between the welcome and its end.
    greeting: Mutex<Vec<String>>,
    sessions: Mutex<Vec<Arc<IrcSession>>>,
    /// All connections, counted or not.
    arrivals: Mutex<Vec<Arc<IrcSession>>>,
    /// What the nicknames of this case end with. Places are used again, and users of earlier cases come back.
    suffix: String,
}

/// One connection on its way in.
#[derive(Default)]
struct Visitor {
    session: Weak<IrcSession>,
    /// The number of the connection, once it is known to be ours.
    number: usize,
    nick: String,
    named: bool,
    negotiated: bool,
    in_sasl: bool,
}

impl Visitor {
    /// Counts the connection.
    fn enter(&mut self, state: &State) {
        if self.number == 0
            && let Some(session) = self.session.upgrade()
        {
            let mut sessions = lock(&state.sessions);
            sessions.push(session);
            self.number = sessions.len();
        }
    }

    fn hang_up(&self) {
        if let Some(session) = self.session.upgrade() {
            // The reader from which this is called cannot end itself.
            tokio::spawn(async move { session.cut().await });
        }
    }
}

impl Services {
    /// Opens a network that knows this account.
    pub(crate) async fn open(t: &Ctx, account: &str, password: &str) -> Result<Self> {
        let slot = t.world().slot(SlotKind::Plain).await?;
        let this = Self {
            slot,
            voice: t.transcript().voice("server"),
            state: Arc::new(State {
                suffix: t.nick(""),
                ..State::default()
            }),
            door: Mutex::default(),
        };
        this.set_password(account, password);
        this.reopen().await?;
        Ok(this)
    }

    /// The name by which users address it.
    pub(crate) fn name(&self) -> &str {
        self.slot.name()
    }

    /// The JID of a person.
    pub(crate) fn person(&self, nick: &str) -> String {
        format!("{nick}%{}@{GATEWAY}", self.name())
    }

    /// The fields of a registration with it.
    pub(crate) fn fields<'a>(
        &'a self,
        nick: &'a str,
        account: &'a str,
        password: &'a str,
    ) -> [(&'a str, &'a str); 4] {
        [
            ("nick", nick),
            ("server", self.name()),
            ("username", account),
            ("password", password),
        ]
    }

    /// Unregisters the user, so that nobody comes to this place when it is another case's.
    pub(crate) async fn end(self, client: &Client) -> Result<()> {
        client.ok("set", GATEWAY, removal()).await?;
        Ok(())
    }

    /// Changes an account's password.
    pub(crate) fn set_password(&self, account: &str, password: &str) {
        lock(&self.state.accounts).insert(account.to_owned(), password.to_owned());
    }

    /// From now on these lines are sent to those who come, before the end of the welcome.
    pub(crate) fn greet(&self, lines: &[&str]) {
        *lock(&self.state.greeting) = lines.iter().map(|&line| line.to_owned()).collect();
    }

    /// Refuses new connections.
    pub(crate) async fn close_door(&self) {
        let door = lock(&self.door).take();
        if let Some(door) = door {
            door.abort();
            // The listener ends with the task.
            drop(door.await);
        }
    }

    /// Takes connections (again).
    pub(crate) async fn reopen(&self) -> Result<()> {
        let server = self.slot.open(self.voice.clone()).await?;
        let state = self.state.clone();
        *lock(&self.door) = Some(tokio::spawn(async move {
            loop {
                // That nobody comes for a while is not a failure here.
                if let Err(error) = let_in(&server, &state).await {
                    drop(error);
                }
            }
        }));
        Ok(())
    }

    /// Waits for something to happen.
    pub(crate) async fn expect(&self, what: &str, wanted: impl FnMut(&Event) -> bool) -> Result<Event> {
        let event = self.state.events.take(patience(), wanted).await;
        event.map_err(|gone| {
            let left = self.state.events.snapshot();
            self.voice
                .failure(format!("expected {what}: {gone}; what happened: {left:?}"))
        })
    }

    /// Waits until somebody comes in under this nickname; gives the connection and its number.
    pub(crate) async fn expect_online(&self, nick: &str) -> Result<(Arc<IrcSession>, usize)> {
        let what = format!("{nick} to come");
        let event = self
            .expect(
                &what,
                |event| matches!(event, Event::Online(_, came) if came == nick),
            )
            .await?;
        let Event::Online(number, _) = event else {
            bail!("this is another event: {event:?}")
        };
        Ok((self.session(number), number))
    }

    /// Waits until the connection of this number has left; gives the words.
    pub(crate) async fn expect_quit(&self, number: usize) -> Result<String> {
        let what = format!("QUIT on connection {number}");
        let event = self
            .expect(
                &what,
                |event| matches!(event, Event::Quit(left, _) if *left == number),
            )
            .await?;
        match event {
            Event::Quit(_, words) => Ok(words),
            other => bail!("this is another event: {other:?}"),
        }
    }

    /// Everything that has happened and that nobody has waited for.
    pub(crate) fn events(&self) -> Vec<Event> {
        self.state.events.snapshot()
    }

    /// Forgets what has happened.
    pub(crate) fn forget(&self) {
        self.state.events.take_all(|_| true);
    }

    /// The connection of this number.
    pub(crate) fn session(&self, number: usize) -> Arc<IrcSession> {
        lock(&self.state.sessions)[number - 1].clone()
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.state.sessions).len()
    }
}

/// Takes connections until one is of this case, up to its nickname.
pub(crate) async fn accept_own(t: &Ctx, server: &IrcServer) -> Result<IrcSession> {
    loop {
        let session = server.accept().await?;
        let nick = session
            .expect("a nickname", |line| line.command == "NICK")
            .await?;
        if nick.param(0).ends_with(&t.nick("")) {
            return Ok(session);
        }
        session.cut().await;
    }
}

/// Takes connections until one is of this case, and takes it through registration.
pub(crate) async fn welcome_own(t: &Ctx, server: &IrcServer) -> Result<IrcSession> {
    loop {
        let session = server.accept().await?;
        if session.welcome(&Welcome::default()).await?.ends_with(&t.nick("")) {
            return Ok(session);
        }
        session.cut().await;
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(door) = lock(&self.door).take() {
            door.abort();
        }
    }
}

async fn let_in(server: &IrcServer, state: &Arc<State>) -> Result<()> {
    let session = Arc::new(server.accept().await?);
    let visitor = Visitor {
        session: Arc::downgrade(&session),
        ..Visitor::default()
    };
    let visitor = Arc::new(Mutex::new(visitor));
    let (shared, of_session) = (state.clone(), visitor.clone());
    session.respond_and_pong(move |line| answer(&shared, &mut lock(&of_session), line));
    lock(&state.arrivals).push(session.clone());
    // What came before the script was there.
    for line in session.take_all(|_| true) {
        let answers = answer(state, &mut lock(&visitor), &line);
        for answer in answers.unwrap_or_default() {
            session.send(answer).await?;
        }
    }
    Ok(())
}

/// What the network says to a line; none leaves the line to the case.
fn answer(state: &State, visitor: &mut Visitor, line: &Line) -> Option<Vec<String>> {
    let say = |text: String| Some(vec![format!(":irc.test {text}")]);
    match (line.command.as_str(), line.param(0)) {
        ("CAP", "LS") => say("CAP * LS :sasl=PLAIN server-time message-tags".into()),
        ("CAP", "REQ") => say(format!("CAP * ACK :{}", line.last())),
        ("CAP", "END") => {
            visitor.negotiated = true;
            Some(welcome(state, visitor))
        }
        ("NICK", nick) if !visitor.named || !visitor.negotiated => {
            if !nick.ends_with(&state.suffix) {
                // Somebody of another case who was here before us.
                visitor.hang_up();
                return Some(Vec::new());
            }
            visitor.nick = nick.to_owned();
            visitor.enter(state);
            Some(welcome(state, visitor))
        }
        ("USER", _) => {
            visitor.named = true;
            Some(welcome(state, visitor))
        }
        ("AUTHENTICATE", "PLAIN") => {
            visitor.in_sasl = true;
            Some(vec!["AUTHENTICATE +".into()])
        }
        ("AUTHENTICATE", secret) if visitor.in_sasl => {
            visitor.in_sasl = false;
            let plain = String::from_utf8(decode_base64(secret)).unwrap_or_default();
            let mut parts = plain.split('\0').skip(1);
            let (account, password) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let right = lock(&state.accounts)
                .get(account)
                .is_some_and(|known| known == password);
            state
                .events
                .push(Event::Password(visitor.number, password.to_owned(), right));
            match right {
                true => say(format!("903 {} :SASL authentication successful", visitor.nick)),
                false => say(format!("904 {} :SASL authentication failed", visitor.nick)),
            }
        }
        ("QUIT", words) => {
            state.events.push(Event::Quit(visitor.number, words.to_owned()));
            visitor.hang_up();
            Some(Vec::new())
        }
        ("PASS" | "MODE" | "WHO", _) => Some(Vec::new()),
        _ => None,
    }
}

fn welcome(state: &State, visitor: &Visitor) -> Vec<String> {
    let nick = &visitor.nick;
    if nick.is_empty() || !visitor.named || !visitor.negotiated {
        return Vec::new();
    }
    state.events.push(Event::Online(visitor.number, nick.clone()));
    let isupport = Welcome::default().isupport.join(" ");
    let mut lines = vec![
        format!(":irc.test 001 {nick} :Welcome, {nick}"),
        format!(":irc.test 005 {nick} {isupport} :are supported"),
    ];
    let greeting = lock(&state.greeting);
    lines.extend(greeting.iter().map(|line| line.replace("NICK", nick)));
    lines.push(format!(":irc.test 422 {nick} :There is no message of the day"));
    lines
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder of this lock panics")
}

/// RFC 4648 §4, for what our own gateway sends.
fn decode_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text
        .bytes()
        .filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut bits, mut held, mut bytes) = (0_usize, 0, Vec::new());
    for digit in digits {
        bits = (bits << 6) | digit;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).expect("eight bits"));
            bits &= (1 << held) - 1;
        }
    }
    bytes
}
