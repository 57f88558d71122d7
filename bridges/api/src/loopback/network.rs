//! The network and its servers as a test holds them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::fold;
use super::person::LoopbackPerson;
use super::server::Server;
use super::settings::Settings;
use super::world::World;
use crate::event::{Member, Message, RoomFlags};
use crate::ids::{Name, RoomId, ServerId, Timestamp};
use crate::secret::Secret;

/// The server that every loopback network has.
const HOME: &str = "loop.example";

/// A network in memory. Clones are the same network.
#[derive(Clone)]
pub struct LoopbackNetwork(Arc<Mutex<World>>);

impl LoopbackNetwork {
    /// A network with one server, `loop.example`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let network = Self(Arc::new(Mutex::new(World::new(settings))));
        network.server(HOME);
        network
    }

    /// The first server.
    #[must_use]
    pub fn home(&self) -> ServerId {
        ServerId(Name::from(HOME))
    }

    /// A server, which is built if it does not stand yet.
    pub fn server(&self, name: &str) -> LoopbackServer {
        let id = ServerId(fold(name));
        self.lock().found(&id);
        LoopbackServer {
            network: self.clone(),
            id,
        }
    }

    /// A room of the first server.
    #[must_use]
    pub fn room(&self, name: &str) -> RoomId {
        RoomId {
            server: self.home(),
            room: fold(name),
        }
    }

    /// Somebody on the first server.
    #[must_use]
    pub fn person(&self, nick: &str) -> LoopbackPerson {
        self.server(HOME).person(nick)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LoopbackNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<_> = self.lock().servers.keys().cloned().collect();
        f.debug_struct("LoopbackNetwork")
            .field("servers", &servers)
            .finish_non_exhaustive()
    }
}

/// One server of the network. Its faults are switched by the methods in `faults.rs`.
#[derive(Clone, Debug)]
pub struct LoopbackServer {
    network: LoopbackNetwork,
    id: ServerId,
}

impl LoopbackServer {
    /// The server's name.
    #[must_use]
    pub fn id(&self) -> &ServerId {
        &self.id
    }

    /// Somebody here, for a test to play. They are connected from the first thing that they do.
    #[must_use]
    pub fn person(&self, nick: &str) -> LoopbackPerson {
        LoopbackPerson::new(self.clone(), nick)
    }

    /// Gives a nickname to an owner: who connects with it as the account's name must know the password.
    pub fn set_password(&self, nick: &str, password: &str) {
        self.with(|server| server.passwords.insert(fold(nick), Secret::new(password)));
    }

    /// Sets the clock, which only the test and messages move.
    pub fn set_time(&self, time: Timestamp) {
        self.with(|server| server.clock = time);
    }

    /// Makes an empty room, for a network on which to enter one does not make it.
    pub fn make_room(&self, room: &str) {
        self.with(|server| {
            server.rooms.entry(fold(room)).or_default();
        });
    }

    /// Whether somebody is away.
    #[must_use]
    pub fn is_away(&self, nick: &str) -> bool {
        let who = fold(nick);
        self.with(|server| {
            server
                .people
                .get(&who)
                .is_some_and(|somebody| somebody.away.is_some())
        })
    }

    /// Everything that was said in a room.
    #[must_use]
    pub fn history(&self, room: &str) -> Vec<Message> {
        let room = fold(room);
        self.with(|server| {
            let room = server.rooms.get(&room);
            room.map(|room| room.history.clone()).unwrap_or_default()
        })
    }

    /// Who is in a room.
    #[must_use]
    pub fn members(&self, room: &str) -> Vec<Member> {
        let room = fold(room);
        self.with(|server| {
            let members = server.rooms.get(&room).map(|room| &room.members);
            let members = members.into_iter().flatten();
            members.map(|(who, rank)| server.member(who, *rank)).collect()
        })
    }

    /// How a room is.
    #[must_use]
    pub fn flags(&self, room: &str) -> RoomFlags {
        let room = fold(room);
        self.with(|server| server.rooms.get(&room).map(|room| room.flags).unwrap_or_default())
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        act(self.network.lock().found(&self.id))
    }
}
