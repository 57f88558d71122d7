//! A real IRC server, a proxy that can be cut before it, and the bridge.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use viaduct_bridge::outgoing::OutgoingPolicy;
use viaduct_bridge::{Address, Bridge, Name, Notebook, PersonId, RoomId, ServerId};
use viaduct_contract::{Fault, Foreigner, Step, Subject, broken};
use viaduct_irc::{Flood, IrcBridge, IrcConfig, ServerConfig};
use viaduct_test_support::anyhow::Result;
use viaduct_test_support::certificate::{Authority, Certificate};
use viaduct_test_support::irc::IrcPeer;
use viaduct_test_support::patience::patience;
use viaduct_test_support::ports::Port;
use viaduct_test_support::proxy::{Flow, Proxy, Way};
use viaduct_test_support::scratch::Scratch;
use viaduct_test_support::servers::{IrcKind, IrcServerOptions, RealIrcServer};
use viaduct_test_support::transcript::Transcript;

use crate::peer::Peer;

const SERVER: &str = "irc.test";
const NOWHERE: &str = "nowhere.test";

/// What all servers of a test share.
pub(crate) struct Ground {
    kind: IrcKind,
    /// The certificate of the server and who signed it; without it everything is unencrypted.
    tls: Option<(Certificate, Authority)>,
    _scratch: Scratch,
}

impl Ground {
    /// Unencrypted servers.
    pub(crate) fn plain(kind: IrcKind) -> Result<Self> {
        let scratch = Scratch::new("contract")?;
        Ok(Self {
            kind,
            tls: None,
            _scratch: scratch,
        })
    }

    /// Servers that are reached by TLS, and whose certificate is checked.
    pub(crate) async fn with_tls(kind: IrcKind) -> Result<Self> {
        let scratch = Scratch::new("contract")?;
        let authority = Authority::new(scratch.path()).await?;
        let certificate = authority.issue(SERVER, &[SERVER]).await?;
        Ok(Self {
            kind,
            tls: Some((certificate, authority)),
            _scratch: scratch,
        })
    }
}

/// One server with one bridge to it.
pub(crate) struct Irc {
    bridge: IrcBridge,
    server: RealIrcServer,
    proxy: Proxy,
    transcript: Transcript,
    _closed: Port,
    _port: Port,
    _scratch: Scratch,
}

impl Irc {
    /// Starts a server, for one case.
    pub(crate) async fn start(ground: &Ground) -> Self {
        Self::try_start(ground).await.expect("a server starts")
    }

    async fn try_start(ground: &Ground) -> Result<Self> {
        let scratch = Scratch::new("contract")?;
        let options = IrcServerOptions {
            certificate: ground.tls.as_ref().map(|(certificate, _)| certificate.clone()),
            ..IrcServerOptions::default()
        };
        let server = RealIrcServer::new(ground.kind, &scratch, &options)?;
        server.start().await?;
        let (port, closed) = (Port::reserve()?, Port::reserve()?);
        let address = server.tls_addr().unwrap_or(server.plain_addr());
        let proxy = Proxy::start(port.addr(), address).await?;
        let here = |address: SocketAddr| ServerConfig {
            host: Some(address.ip().to_string()),
            ports: Some(vec![address.port()]),
            tls: Some(ground.tls.is_some()),
            ca_file: ground.tls.as_ref().map(|(_, authority)| authority.ca_file()),
            ..ServerConfig::default()
        };
        let config = IrcConfig {
            servers: BTreeMap::from([
                (SERVER.to_owned(), here(proxy.addr())),
                (NOWHERE.to_owned(), here(closed.addr())),
            ]),
            flood: Flood::Off,
            ..IrcConfig::default()
        };
        let bridge = IrcBridge::new(config, OutgoingPolicy::default(), Arc::new(Memory::default()))?;
        Ok(Self {
            bridge,
            server,
            proxy,
            transcript: Transcript::alone(),
            _closed: closed,
            _port: port,
            _scratch: scratch,
        })
    }
}

/// A notebook that is forgotten.
#[derive(Default)]
struct Memory(Mutex<HashMap<String, Name>>);

impl Notebook for Memory {
    fn get(&self, key: &str) -> Option<Name> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    fn put(&self, key: &str, value: &str) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.insert(key.to_owned(), Name::from(value));
    }
}

impl Subject for Irc {
    fn bridge(&self) -> &dyn Bridge {
        &self.bridge
    }

    fn server(&self) -> ServerId {
        ServerId(SERVER.into())
    }

    fn unknown_server(&self) -> ServerId {
        ServerId(NOWHERE.into())
    }

    fn room(&self, label: &str) -> RoomId {
        self.missing_room(label)
    }

    fn missing_room(&self, label: &str) -> RoomId {
        RoomId {
            server: self.server(),
            room: format!("#{label}").into(),
        }
    }

    fn person(&self, nick: &str) -> PersonId {
        PersonId {
            server: self.server(),
            person: nick.to_ascii_lowercase().into(),
        }
    }

    fn arrive<'a>(&'a self, nick: &'a str) -> Step<'a, Box<dyn Foreigner>> {
        Box::pin(async move {
            let voice = self.transcript.voice(nick);
            match IrcPeer::connect(self.server.plain_addr(), nick, voice).await {
                Ok(peer) => Ok(Box::new(Peer::new(peer, self.server())) as Box<dyn Foreigner>),
                Err(error) => broken(format!("{error:#}")),
            }
        })
    }

    fn switch(&self, fault: Fault, on: bool) -> Option<Step<'_>> {
        match (fault, on) {
            (Fault::Lost, true) => self.proxy.close(),
            (Fault::Lost, false) => self.proxy.open(),
            (Fault::Frozen, true) => {
                self.proxy.set(Way::Up, Flow::Stall);
                self.proxy.set(Way::Down, Flow::Stall);
            }
            (Fault::Frozen, false) => self.proxy.resume(),
        }
        Some(Box::pin(std::future::ready(Ok(()))))
    }

    fn odd_addresses(&self) -> Vec<Address> {
        let server = self.server();
        let room = |name: &str| {
            let (server, room) = (server.clone(), name.into());
            Address::Room(RoomId { server, room })
        };
        let person = |name: &str| {
            let (server, person) = (server.clone(), name.into());
            Address::Person(PersonId { server, person })
        };
        vec![
            Address::Server(server.clone()),
            room("#tea"),
            room("##"),
            room("&local"),
            room("#tea/time"),
            room("#a%b"),
            room("#50%irc.test"),
            room("#d'artagnan@\"home\"&<co>"),
            room(r"#a\20b"),
            room(r"#\5c20"),
            room("#日本"),
            room("#É"),
            room("#é"),
            room("#straße"),
            room("#e\u{301}"),
            room("#שa"),
            person("bob\u{200b}"),
            person("bob"),
            person("[]\\`_^{|}-9"),
            person(r"a\5c"),
        ]
    }

    fn typed(&self) -> Vec<(String, Address)> {
        let room = || Address::Room(self.missing_room("tea"));
        let person = || Address::Person(self.person("bob"));
        vec![
            ("#tea%irc.test".into(), room()),
            ("  #Tea@IRC.test ".into(), room()),
            ("irc://irc.test/tea".into(), room()),
            ("bob%irc.test".into(), person()),
            ("Bob@irc.TEST".into(), person()),
            ("irc.test".into(), Address::Server(self.server())),
        ]
    }

    fn nick_limit(&self) -> Option<usize> {
        // Both servers are configured so.
        Some(30)
    }

    fn patience(&self) -> Duration {
        patience()
    }
}
