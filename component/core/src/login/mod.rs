//! One user of one gateway: everything that belongs to them, and the one order in which it happens.
//!
//! *One input, then all its effects in order, then the next input.* [`Login::handle`] is the only way in.

mod archive;
mod asking;
mod chat_relations;
mod chats;
mod contacts;
mod directory;
mod errands;
mod gateway_presence;
mod invitations;
mod link;
mod listing;
mod lists;
mod messages;
mod outcomes;
mod owner;
mod pending;
mod people;
mod read;
mod refers;
mod register;
mod relations;
mod room_iq;
mod room_presence;
mod rooms;
mod rounds;
mod route;
mod search;
mod servers;
mod service;
mod settings;
mod signup;
mod spelling;
mod steps;
mod typing;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jid::BareJid;
use viaduct_bridge::{
    Account, Command, Failure, Name, PersonId, Recipient, RemoteEvent, RoomId, Scope, ServerId, Settings,
    Timestamp, TransactionId,
};

use crate::command::CommandDesk;
use crate::context::Context;
use crate::effect::{Effect, Effects, Input, Timer};
use crate::options::Options;
use crate::portal::Room;
use crate::records::{LoadedLogin, LoginId, LoginRecord, OutboxRecord, Preferences, Write};
use crate::refer::Found;
use chats::Chat;
use contacts::Contact;
use errands::Errands;
use gateway_presence::{Entry, Online};
use lists::Lists;
use pending::Unanswered;
use people::Profiles;
use register::Registrations;
use rounds::Rounds;
use servers::Server;

pub(crate) use errands::{Asking, cut};
pub(crate) use pending::Pending;
pub(crate) use people::describe;
pub use refers::Referring;
pub(crate) use register::{Asker, shown as shown_form};
pub(crate) use servers::Link;

/// One user of one gateway.
pub struct Login {
    pub(crate) ctx: Arc<Context>,
    pub(crate) user: BareJid,
    /// The bare JID as text.
    pub(crate) bare: Name,
    pub(crate) id: LoginId,
    /// Whether the login is on record.
    recorded: bool,
    pub(crate) account: Option<Account>,
    pub(crate) preferences: Preferences,
    /// What the user has set, by scope; nothing where all is at its default.
    settings: BTreeMap<Scope, (Options, Settings)>,
    /// Whether the link to the XMPP server takes stanzas.
    attached: bool,
    /// Whether the session with the network is open.
    session: bool,
    /// The resources that are available to the gateway or to somebody on it.
    online: Online,
    /// How the login by presence goes.
    entry: Entry,
    pub(crate) servers: HashMap<ServerId, Box<Server>>,
    /// Boxed, as a table has more places than rooms.
    pub(crate) rooms: HashMap<RoomId, Box<Room>>,
    chats: HashMap<PersonId, Chat>,
    /// The people whose presence the user has subscribed to.
    contacts: HashMap<PersonId, Contact>,
    pending: Unanswered,
    /// Messages that were not carried and whose senders may not know it yet.
    failed: HashMap<TransactionId, (Arc<OutboxRecord>, Failure)>,
    /// Whether the user is still to be told that the gateway ended without taking leave.
    aftermath: bool,
    /// The rooms of servers, as they were told lately.
    lists: Lists,
    profiles: Profiles,
    registrations: Registrations,
    pub(crate) desk: CommandDesk,
    /// What was asked of other logins, and is not answered.
    errands: Errands,
    /// Whether the user's clients told the network that the user is away.
    away: Option<Name>,
    /// The older message that the present input refers to.
    found: Option<Found>,
    /// What the user has said lately.
    rounds: Rounds,
    /// When the present input came.
    now: Timestamp,
    /// What the user was told about connections.
    warned: HashMap<ServerId, Name>,
}

impl Login {
    /// A login, as it is on record or new.
    #[must_use]
    pub fn new(ctx: Arc<Context>, user: BareJid, loaded: Option<LoadedLogin>) -> Self {
        let bare: Name = user.as_str().into();
        let mut login = Self {
            id: loaded
                .as_ref()
                .map_or_else(|| ctx.ids.login(), |loaded| loaded.login.id),
            ctx,
            user,
            bare,
            recorded: loaded.is_some(),
            account: None,
            preferences: Preferences::default(),
            settings: BTreeMap::new(),
            attached: false,
            session: false,
            online: Online::default(),
            entry: Entry::default(),
            servers: HashMap::new(),
            rooms: HashMap::new(),
            chats: HashMap::new(),
            contacts: HashMap::new(),
            aftermath: true,
            pending: Unanswered::default(),
            failed: HashMap::new(),
            lists: Lists::default(),
            profiles: Profiles::default(),
            registrations: Registrations::default(),
            desk: CommandDesk::default(),
            errands: Errands::default(),
            away: None,
            found: None,
            rounds: Rounds::default(),
            now: Timestamp(0),
            warned: HashMap::new(),
        };
        if let Some(loaded) = loaded {
            login.restore(loaded);
        }
        login
    }

    fn restore(&mut self, loaded: LoadedLogin) {
        self.account = loaded.login.account;
        self.preferences = loaded.login.preferences;
        let settings = loaded.settings.into_iter();
        self.settings = settings
            .map(|record| (record.scope, (record.options, record.network)))
            .collect();
        self.warned = loaded.warned.into_iter().collect();
        for portal in loaded.portals {
            match portal.portal.with.clone() {
                Recipient::Room(id) => {
                    let id = self.room_now(&portal.portal.local, id);
                    let mut room = Room::restore(&self.ctx, &self.bare, id, portal);
                    room.chosen = self.chosen_in(&room.room);
                    // Of two spellings that turned out to be one room, the one that somebody is in goes on.
                    let other = self.rooms.get(&room.room);
                    if other.is_none_or(|other| other.is_unused() && !room.is_unused()) {
                        self.rooms.insert(room.room.clone(), Box::new(room));
                    }
                }
                Recipient::Person(person) => {
                    let person = self.person_now(&portal.portal.local, person);
                    let chat = Chat::restore(&self.ctx, &person, portal);
                    self.chats.entry(person).or_insert(chat);
                }
            }
        }
        self.restore_contacts(loaded.contacts);
        // What the network had not answered for may have arrived, or not: it is never sent again.
        for record in loaded.outbox {
            let reason = "The gateway was restarted before the network confirmed this message. It may not have arrived.";
            self.failed.insert(
                record.txn,
                (
                    Arc::new(record),
                    Failure::Uncertain {
                        reason: reason.into(),
                    },
                ),
            );
        }
    }

    /// Whether nothing is going on: the login can be taken out of memory and comes back from its record.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.online.is_empty()
            && !self.session
            && self.pending.is_empty()
            && self.failed.is_empty()
            && self.registrations.is_empty()
            && self.desk.is_empty()
            && self.errands.is_empty()
            && self.rooms.values().all(|room| room.is_unused())
    }

    /// Takes one input and adds all its effects.
    pub fn handle(&mut self, now: Timestamp, input: Input, out: &mut Effects) {
        self.now = now;
        match input {
            Input::Start => self.start(out),
            Input::Stanza(stanza) => self.route(now, &stanza, out),
            Input::Remote(event) => self.remote(now, event, out),
            Input::LinkUp => self.link_up(now, out),
            Input::LinkDown => self.link_down(),
            Input::Confirmed(marks) => self.confirmed(marks, out),
            Input::Related(related) => {
                self.found = related.found;
                self.handle(now, related.input, out);
                self.found = None;
            }
            Input::Timer(timer) => self.timer(now, timer, out),
            Input::LoginStep { flow, step } => self.login_step(now, flow, step, out),
            Input::Errand { id, errand } => self.errand(id, errand, out),
            Input::Reached { request, gathered } => self.reached(request, gathered, out),
            Input::Obeyed { request, result } => self.obeyed(request, result, out),
            Input::Stopping => {
                if std::mem::take(&mut self.session) {
                    out.push(Effect::CloseSession { reason: None });
                }
            }
        }
    }

    /// Takes up what was going on before a restart: the user's rooms, and the network where presence alone asks for it.
    fn start(&mut self, out: &mut Effects) {
        // Who was shut out since then is told when the link is there.
        if self.shut_out().is_some() {
            return;
        }
        let mut again: Vec<Command> = Vec::new();
        for room in self.rooms.values_mut().filter(|room| !room.is_unused()) {
            room.place = crate::portal::Place::Entering;
            let (nick, key) = (room.wish.clone(), room.key.clone());
            again.push(Command::Join {
                room: room.room.clone(),
                nick,
                key,
                since: room.newest(),
            });
        }
        for command in again {
            if let Command::Join { room, .. } = &command {
                self.server(&room.server);
            }
            self.submit(command, out);
        }
        if self.account.is_some() && self.preferences.stay_connected {
            self.log_in(out);
        }
    }

    fn timer(&mut self, now: Timestamp, timer: Timer, out: &mut Effects) {
        match timer {
            Timer::Grace(portal) => self.grace_over(portal, out),
            Timer::Linger(server) => self.release(&ServerId(server), out),
            Timer::Join(portal) => self.join_timed_out(portal, out),
            Timer::Commands => {
                self.desk.expire(now, out);
                self.end_forsaken_flows(now, out);
            }
            Timer::Typing(portal) => self.typing_over(now, portal, out),
            Timer::Lists => self.lists_expire(now, out),
            Timer::LogIn => self.log_in_again(out),
            Timer::Kept(portal) => self.enter_kept(portal, out),
        }
    }

    fn remote(&mut self, now: Timestamp, event: RemoteEvent, out: &mut Effects) {
        let concerns = self.concerns(&event);
        match event {
            RemoteEvent::Server { server, event } => self.server_event(now, &server, event, out),
            RemoteEvent::Room { room, event } => self.room_event(now, &room, event, out),
            RemoteEvent::Person { person, event } => self.person_event(now, &person, event, out),
            RemoteEvent::Outcome { txn, outcome } => self.outcome(now, txn, outcome, out),
        }
        self.show_concerned(concerns, out);
    }

    /// Hands a command to the network, opening the session first where that is needed.
    pub(crate) fn submit(&mut self, command: Command, out: &mut Effects) {
        if !std::mem::replace(&mut self.session, true) {
            out.push(Effect::OpenSession(self.account.clone()));
            self.configure(out);
        }
        out.push(Effect::Submit(command));
    }

    /// Makes sure that the login is on record.
    fn ensure_recorded(&mut self, out: &mut Effects) {
        if !std::mem::replace(&mut self.recorded, true) {
            self.write_record(out);
        }
    }

    /// Whether anything is on record about the user, who need not be registered for that.
    pub(crate) fn is_on_record(&self) -> bool {
        self.recorded
    }

    /// Remembers the login as it is now.
    pub(crate) fn write_record(&mut self, out: &mut Effects) {
        self.recorded = true;
        out.write(Write::Login(Box::new(LoginRecord {
            id: self.id,
            gateway: self.ctx.domain.clone(),
            user: self.bare.clone(),
            account: self.account.clone(),
            preferences: self.preferences.clone(),
        })));
    }

    /// The nickname that the user has where nothing else was asked for.
    pub(crate) fn default_nick(&self) -> Name {
        let account = self
            .account
            .as_ref()
            .and_then(|account| self.ctx.bridge.nick_for(&account.name));
        let local = || {
            self.ctx
                .bridge
                .nick_for(self.user.node().map_or("user", |node| node.as_str()))
        };
        account.or_else(local).unwrap_or_else(|| "user".into())
    }
}
