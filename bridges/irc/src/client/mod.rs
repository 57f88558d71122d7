//! One connection to one server, without its socket: lines and commands go in, lines and events come out.
//!
//! The driver (`conn`) calls, in this order and as often as it likes: [`Client::line`] for what the server sent,
//! [`Client::command`] for what the user wants (once [`Client::is_online`]), [`Client::tick`] when
//! [`Client::deadline`] has come, then [`Client::transmit`] for what is to be written and [`Client::take_events`] for
//! what is to be told. When the connection is gone, [`Client::lost`] answers everything that was still open.
//!
//! What people there are in a channel is told once, in the snapshot, and not kept: the core keeps it. So a
//! connection costs about the same in a room of ten and of ten thousand.

mod account;
mod accounts;
mod asking;
mod asks;
mod banlist;
mod bans;
mod book;
mod entering;
mod from_irc;
mod growing;
mod identity;
mod members;
mod messages;
mod missed;
mod modern;
mod multiline;
mod nicknames;
mod pending;
mod people;
mod pulse;
mod queue;
mod read;
mod realname;
mod refusal;
mod registration;
mod relations;
mod rename;
mod replies;
mod rooms;
mod settings;
mod signup;
mod snapshot;
mod speech;
mod to_irc;
#[cfg(test)]
mod transcript;
mod typing;
mod watch;
mod who;
mod whois;

use std::time::{Duration, Instant};

use viaduct_bridge::{
    Departure, Failure, Name, RemoteEvent, RoomEvent, RoomId, ServerEvent, ServerId, Timestamp,
};

use crate::config::Flood;
use crate::proto::caps::CapSet;
use crate::proto::casemap::Casemapping;
use crate::proto::isupport::Isupport;
use crate::proto::line::Line;

use asks::Asks;
use bans::{OwnBans, RecentBans};
use book::{Book, PartId};
pub(crate) use identity::{Credentials, Identity, Security, Webirc};
use modern::Modern;
use people::People;
use pulse::Pulse;
use queue::{Bucket, Queue};
use realname::RealName;
use registration::Registration;
pub(crate) use rooms::Rooms;
pub(crate) use speech::MAX_MESSAGE_BYTES;
use watch::Watch;
use who::Who;

/// The time, given in so that nothing here reads a clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// For intervals.
    pub(crate) at: Instant,
    /// For stamps.
    pub(crate) clock: Timestamp,
}

/// Why a connection is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The server will not have this user: trying again as it is would be no use.
    Refused(Failure),
    /// It was lost, in these words.
    Lost(String),
    /// The server wants to be reached encrypted, at this port.
    Upgrade {
        /// Where it speaks TLS.
        port: u16,
    },
}

/// How far a connection has come.
enum Phase {
    Registering(Box<Registration>),
    Online,
    Ended(End),
}

/// The state of one connection to one server.
pub(crate) struct Client {
    server: ServerId,
    /// The nickname as the server writes it, and folded.
    nick: Name,
    me: Name,
    /// The nickname to ask for at the next connection.
    wish: Name,
    real_name: Box<RealName>,
    phase: Phase,
    was_online: bool,
    caps: CapSet,
    security: Security,
    /// What the user should know of the connection.
    warning: Option<Name>,
    /// For how long the server wants to be reached encrypted, in seconds, until somebody has taken note of it.
    sts: Option<u64>,
    isupport: Box<Isupport>,
    rooms: Rooms,
    book: Book,
    queue: Queue,
    /// Questions about rooms: they go when nothing of the user waits, and only as far as lines can be spared.
    questions: Queue,
    pace: Bucket,
    /// Answers to CTCP requests are few.
    ctcp: Bucket,
    /// Lines that go before everything else and are not paced: those of the registration.
    urgent: Vec<Line>,
    people: People,
    who: Who,
    watch: Box<Watch>,
    recent_bans: RecentBans,
    asks: Asks,
    own_bans: OwnBans,
    pulse: Pulse,
    events: Vec<RemoteEvent>,
    /// Whether QUIT was said: what the server has to say to that is nobody's concern.
    leaving: bool,
    /// Open batches that answer a labelled command: reference and label.
    batches: Vec<(Box<str>, PartId)>,
    /// The label that the line at hand answers to.
    label: Option<PartId>,
    /// The bytes of our own `nick!user@host` behind the nick, once the server has shown it.
    own_userhost: Option<usize>,
    modern: Box<Modern>,
    /// A buffer for folded names.
    folded: String,
}

impl Client {
    /// Begins a connection: the first lines of the registration are ready to be written.
    pub(crate) fn new(server: ServerId, identity: Identity, flood: Flood, rooms: Rooms, now: Now) -> Self {
        let (wish, security) = (identity.nick.clone(), identity.security);
        let real_name = Box::new(RealName::of(&identity));
        let (registration, urgent) = Registration::begin(identity, now);
        Self {
            server,
            nick: wish.clone(),
            me: wish.clone(),
            wish,
            real_name,
            phase: Phase::Registering(Box::new(registration)),
            was_online: false,
            caps: CapSet::default(),
            security,
            warning: None,
            sts: None,
            isupport: Box::default(),
            rooms,
            book: Book::default(),
            queue: Queue::default(),
            questions: Queue::default(),
            pace: Bucket::new(flood, now.at),
            ctcp: Bucket::new(
                Flood::Rate {
                    burst: 3,
                    per_second: 0.2,
                },
                now.at,
            ),
            urgent,
            people: People::default(),
            who: Who::default(),
            watch: Box::default(),
            recent_bans: RecentBans::default(),
            asks: Asks::default(),
            own_bans: OwnBans::default(),
            pulse: Pulse::new(now.at),
            events: Vec::new(),
            leaving: false,
            batches: Vec::new(),
            label: None,
            own_userhost: None,
            modern: Box::default(),
            folded: String::new(),
        }
    }

    /// Whether the user is logged in.
    pub(crate) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online)
    }

    /// Whether the user was ever logged in on this connection.
    pub(crate) fn was_online(&self) -> bool {
        self.was_online
    }

    /// Why the connection is over, if it is.
    pub(crate) fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// How the server folds names.
    pub(crate) fn casemapping(&self) -> Casemapping {
        self.isupport.casemapping
    }

    /// The nickname to ask for at the next connection.
    pub(crate) fn wish(&self) -> &Name {
        &self.wish
    }

    /// For how many seconds the server wants to be reached encrypted, if it has said so since the last time. Only
    /// what was said on a connection that is worth it.
    pub(crate) fn take_sts(&mut self) -> Option<u64> {
        self.sts.take()
    }

    /// What has happened since the last time.
    pub(crate) fn take_events(&mut self) -> Vec<RemoteEvent> {
        std::mem::take(&mut self.events)
    }

    /// The server has sent something, whatever it is.
    pub(crate) fn heard(&mut self, now: Now) {
        self.pulse.heard(now.at);
    }

    /// When [`Client::tick`] is to be called next.
    pub(crate) fn deadline(&self) -> Instant {
        let mut first = self.pulse.deadline();
        let mut earlier = |at: Option<Instant>| {
            if let Some(at) = at {
                first = first.min(at);
            }
        };
        match &self.phase {
            Phase::Registering(registration) => earlier(Some(registration.deadline())),
            Phase::Online => {
                earlier(self.rooms.deadline());
                earlier(self.book.deadline());
                earlier(self.modern.typists.deadline());
                earlier(self.modern.marks.deadline());
                earlier(self.modern.sign_up.deadline());
                earlier(self.who.deadline());
                earlier(self.asks.deadline());
                if self.questions.is_empty() {
                    earlier(self.watch.deadline());
                }
                if !self.queue.is_empty() {
                    earlier(Some(self.pace.ready_at()));
                } else if !self.questions.is_empty() {
                    earlier(Some(self.pace.spare_at()));
                }
            }
            Phase::Ended(_) => {}
        }
        first
    }

    /// Does what is due by the clock.
    pub(crate) fn tick(&mut self, now: Now) {
        if let Phase::Registering(registration) = &mut self.phase {
            self.urgent.extend(registration.question(now.at));
            if registration.is_overdue(now.at) {
                let words = format!("{} did not complete the login in time", self.server);
                self.finish(End::Lost(words));
            }
        }
        if self.pulse.is_dead(now.at) || self.book.is_stuck(now.at) {
            self.finish(End::Lost(format!("{} no longer answers", self.server)));
        }
        self.asks.expire(&self.server, now.at, &mut self.events);
        self.rooms_tick(now);
        self.typing_tick(now);
        self.read_tick(now);
        self.sign_up_tick(now);
        if self.is_online() {
            self.who_tick(now);
            self.watch_tick(now);
        }
    }

    /// Appends what is to be written now: registration first, then the user's lines as fast as the pace permits, then
    /// one fence for all of them.
    pub(crate) fn transmit(&mut self, now: Now, out: &mut Vec<u8>) {
        self.transmit_queue(now, out);
        if !self.is_online() {
            return;
        }
        if self.book.fence_is_due(now.at, self.pace.is_tight(now.at)) {
            self.book.write_fence(now.at, out);
            self.pulse.asked(now.at);
        } else if self.pulse.should_ask(now.at) {
            Line::command("PING").trailing("viaduct").write(out);
            self.pulse.asked(now.at);
        }
    }

    /// The connection is gone. Answers what was still open and gives back the rooms, to be entered again.
    pub(crate) fn lost(mut self) -> (Vec<RemoteEvent>, Rooms) {
        self.book.lost(&self.server, &mut self.events);
        self.asks.lost(&self.server, &mut self.events);
        self.modern.sign_up.lost(&mut self.events);
        for (id, by_will) in self.rooms.lose() {
            let how = if by_will { Departure::Left } else { Departure::Lost };
            let reason = None;
            self.tell_room(id, RoomEvent::Left { how, reason });
        }
        (self.events, self.rooms)
    }

    /// The user has left the server. Answers what was still open.
    pub(crate) fn left(mut self, reason: Option<&Name>) -> Vec<RemoteEvent> {
        self.book.lost(&self.server, &mut self.events);
        self.asks.lost(&self.server, &mut self.events);
        self.modern.sign_up.lost(&mut self.events);
        for (id, _) in self.rooms.lose() {
            let (how, reason) = (Departure::Left, reason.cloned());
            self.tell_room(id, RoomEvent::Left { how, reason });
        }
        for id in self.rooms.take_awaited() {
            let failure = Failure::transient(format!("You left {}", self.server));
            self.tell_room(id, RoomEvent::Refused { failure });
        }
        self.events
    }

    /// The whole session is closed: answers what was still open. The rooms are no longer anybody's concern.
    pub(crate) fn closed(mut self) -> Vec<RemoteEvent> {
        self.book.lost(&self.server, &mut self.events);
        self.asks.lost(&self.server, &mut self.events);
        self.modern.sign_up.lost(&mut self.events);
        self.events
    }

    /// The user leaves the server: appends QUIT, behind a fence for what was written before it, and answers what has
    /// not been written.
    pub(crate) fn quit(&mut self, now: Now, reason: &str, out: &mut Vec<u8>) {
        self.book.drop_unwritten(&self.server, &mut self.events);
        self.queue.clear();
        self.questions.clear();
        self.leaving = true;
        if self.book.fence_is_due(now.at, false) {
            self.book.write_fence(now.at, out);
        }
        Line::command("QUIT").trailing(reason).write(out);
    }

    fn finish(&mut self, end: End) {
        if !matches!(self.phase, Phase::Ended(_)) {
            self.phase = Phase::Ended(end);
        }
    }

    fn tell_server(&mut self, event: ServerEvent) {
        self.events.push(RemoteEvent::Server {
            server: self.server.clone(),
            event,
        });
    }

    fn tell_room(&mut self, room: RoomId, event: RoomEvent) {
        self.events.push(RemoteEvent::Room { room, event });
    }

    fn notice(&mut self, text: impl Into<Name>) {
        let text = text.into();
        if !text.trim().is_empty() && !self.leaving {
            self.tell_server(ServerEvent::Notice { text });
        }
    }

    /// The folded form of a name.
    fn fold(&self, name: &str) -> Name {
        self.isupport.casemapping.fold(name)
    }

    /// Whether this name is the user's own.
    fn is_me(&self, nick: &str) -> bool {
        self.isupport.casemapping.same(nick, &self.me)
    }
}

/// Whether a name can be anybody's: servers at their worst send anything.
fn is_sane(name: &str) -> bool {
    !name.is_empty() && !name.bytes().any(|b| b <= b' ' || b == 0x7f)
}

/// How long after a NAMES reply a missing MODE reply is waited for.
const MODES_PATIENCE: Duration = Duration::from_secs(3);
