//! The switches for faults, each in one test. What a bridge must do without faults is in the contract suite.

use std::sync::Arc;

use futures::FutureExt as _;

use super::{Collected, Driver, Echo, LoopbackBridge, LoopbackNetwork, LoopbackServer, Settings};
use crate::bridge::{Bridge, Session, SessionContext};
use crate::command::{Command, Recipient};
use crate::event::{Departure, Outcome, PersonEvent, RemoteEvent, RoomEvent, ServerEvent};
use crate::failure::{Failure, Refusal};
use crate::ids::{Name, TransactionId};
use crate::login::{Account, Answers, Step};
use crate::text::Content;

/// A network, and Alice who has a session there.
struct Scene {
    driver: Driver,
    network: LoopbackNetwork,
    bridge: LoopbackBridge,
    events: Arc<Collected>,
    alice: Box<dyn Session>,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        let driver = Driver::default();
        let network = LoopbackNetwork::new(settings);
        let bridge = LoopbackBridge::new(network.clone(), driver.spawner());
        let events = Arc::new(Collected::default());
        let alice = open(&bridge, "alice", &events, None);
        Self {
            driver,
            network,
            bridge,
            events,
            alice,
        }
    }

    /// Alice is in #tea, and has been told so.
    fn in_tea(settings: Settings) -> Self {
        let mut scene = Self::new(settings);
        scene.join("#tea");
        scene.told();
        scene
    }

    fn server(&self) -> LoopbackServer {
        self.network.server("loop.example")
    }

    fn join(&self, room: &str) {
        self.alice.submit(vec![Command::Join {
            room: self.network.room(room),
            nick: "alice".into(),
            key: None,
            since: None,
        }]);
    }

    fn say(&self, txn: i64, text: &str) {
        self.alice.submit(vec![Command::Send {
            txn: TransactionId(txn),
            to: Recipient::Room(self.network.room("#tea")),
            content: Content::plain(text),
            nick: "alice".into(),
            relation: None,
        }]);
    }

    /// What Alice has been told since the last time, in short.
    fn told(&mut self) -> Vec<String> {
        self.driver.run();
        self.events.take().iter().map(brief).collect()
    }
}

fn open(
    bridge: &LoopbackBridge,
    user: &str,
    sink: &Arc<Collected>,
    account: Option<Account>,
) -> Box<dyn Session> {
    bridge.open(SessionContext {
        user: Name::from(format!("{user}@example.org")),
        account,
        sink: Arc::clone(sink) as _,
    })
}

fn brief(event: &RemoteEvent) -> String {
    match event {
        RemoteEvent::Server { event, .. } => match event {
            ServerEvent::Online { me, .. } => format!("online as {me}"),
            ServerEvent::Offline { reason, .. } => format!("offline: {reason}"),
            ServerEvent::Failed { failure } => format!("failed: {failure}"),
            other => format!("{other:?}").to_lowercase(),
        },
        RemoteEvent::Room { room, event } => match event {
            RoomEvent::Joined { members, .. } => format!("in {} with {}", room.room, members.len() - 1),
            RoomEvent::Refused { failure } => format!("not in {}: {failure}", room.room),
            RoomEvent::Left {
                how: Departure::Lost, ..
            } => format!("lost {}", room.room),
            RoomEvent::Message(message) => {
                let txn = message.txn.map(|txn| format!(" ({})", txn.0)).unwrap_or_default();
                format!("{}: {}{txn}", message.sender, message.content.text.plain)
            }
            other => format!("{other:?}"),
        },
        RemoteEvent::Person { person, event } => match event {
            PersonEvent::Gone { .. } => format!("{} is gone", person.person),
            other => format!("{} {other:?}", person.person),
        },
        RemoteEvent::Outcome { txn, outcome } => match outcome {
            Outcome::Accepted { .. } => format!("{} accepted", txn.0),
            Outcome::Answered(reply) => format!("{} answered: {reply:?}", txn.0),
            Outcome::Failed(Failure::Uncertain { .. }) => format!("{} uncertain", txn.0),
            Outcome::Failed(Failure::Transient { .. }) => format!("{} transient", txn.0),
            Outcome::Failed(failure) => format!("{} failed: {failure}", txn.0),
        },
    }
}

#[test]
fn the_four_ways_to_acknowledge() {
    for (echo, told) in [
        (Echo::Never, vec!["1 accepted"]),
        (Echo::Alone, vec!["alice: hi (1)"]),
        (Echo::BeforeOutcome, vec!["alice: hi (1)", "1 accepted"]),
        (Echo::AfterOutcome, vec!["1 accepted", "alice: hi (1)"]),
    ] {
        let mut scene = Scene::in_tea(Settings {
            echo,
            ..Settings::default()
        });
        scene.say(1, "hi");
        assert_eq!(scene.told(), told, "{echo:?}");
    }
}

#[test]
fn a_refused_connection() {
    let mut scene = Scene::new(Settings::default());
    scene
        .server()
        .refuse_connections(Failure::refused(Refusal::Throttled, "too fast"));
    scene.join("#tea");
    scene.say(1, "hi");
    let refused = ["connecting", "not in #tea: too fast", "failed: too fast"];
    assert_eq!(
        scene.told(),
        [
            &refused[..],
            &["connecting", "1 failed: too fast", "failed: too fast"]
        ]
        .concat()
    );
}

#[test]
fn a_lost_connection_comes_back_with_what_was_missed() {
    let mut scene = Scene::in_tea(Settings {
        replay: true,
        ..Settings::default()
    });
    let bob = scene.network.person("bob");
    bob.join("#tea").expect("an open room");
    scene.told();
    scene.server().hold_answers();
    scene.say(1, "did it arrive?");
    scene.server().lose_connection_of("Alice", "cut");
    scene.say(2, "not now");
    bob.say("#tea", "meanwhile").expect("a member");
    assert_eq!(
        scene.told(),
        ["1 uncertain", "lost #tea", "offline: cut", "2 transient"]
    );
    assert_eq!(
        bob.heard().iter().map(brief).next_back().as_deref(),
        Some("alice is gone")
    );

    scene.server().release_answers();
    scene.server().restore();
    assert_eq!(
        scene.told(),
        [
            "connecting",
            "online as alice",
            "in #tea with 1",
            "bob: meanwhile"
        ]
    );
    scene.say(1, "did it arrive?");
    assert_eq!(scene.told(), ["1 accepted"]);
    assert_eq!(scene.server().history("#tea").len(), 2, "said once");
}

#[test]
fn a_server_that_is_down_is_tried_again() {
    let mut scene = Scene::in_tea(Settings::default());
    scene.server().lose_connections("down");
    scene.server().retry();
    assert_eq!(
        scene.told(),
        ["lost #tea", "offline: down", "connecting", "offline: down"]
    );
    scene.server().restore();
    assert_eq!(scene.told(), ["connecting", "online as alice", "in #tea with 0"]);
}

#[test]
fn a_frozen_server_does_it_all_later() {
    let mut scene = Scene::in_tea(Settings::default());
    let bob = scene.network.person("bob");
    scene.server().freeze();
    scene.say(1, "one");
    scene.join("#two");
    bob.join("#tea").expect("an open room");
    assert_eq!(scene.told(), [""; 0]);
    scene.server().thaw();
    let told = scene.told();
    assert!(told[0].starts_with("MemberJoined"), "{told:?}");
    assert_eq!(told[1..], ["1 accepted", "in #two with 0"]);
}

#[test]
fn what_a_frozen_server_never_saw_is_not_uncertain() {
    let mut scene = Scene::new(Settings::default());
    scene.server().freeze();
    scene.say(1, "one");
    scene.join("#tea");
    scene.server().lose_connections("cut");
    assert_eq!(scene.told(), ["connecting", "1 transient", "offline: cut"]);
    scene.server().thaw();
    scene.server().restore();
    assert_eq!(scene.told(), ["connecting", "online as alice", "in #tea with 0"]);
}

#[test]
fn refusals_are_used_up() {
    let mut scene = Scene::in_tea(Settings::default());
    scene
        .server()
        .refuse_next(Failure::refused(Refusal::Forbidden, "not you"));
    scene.say(1, "one");
    scene.say(2, "two");
    assert_eq!(scene.told(), ["1 failed: not you", "2 accepted"]);
}

#[test]
fn a_dropped_echo_leaves_a_command_open() {
    let mut scene = Scene::in_tea(Settings {
        echo: Echo::Alone,
        ..Settings::default()
    });
    scene.server().drop_next_echo();
    scene.say(1, "one");
    scene.say(2, "two");
    assert_eq!(scene.told(), ["alice: two (2)"]);
    scene.server().lose_connections("cut");
    assert_eq!(scene.told(), ["1 uncertain", "lost #tea", "offline: cut"]);
}

#[test]
fn an_unknown_server() {
    let mut scene = Scene::new(Settings::default());
    let server = crate::ids::ServerId("nowhere.example".into());
    let nick = "alice".into();
    scene.alice.submit(vec![Command::Connect { server, nick }]);
    assert_eq!(scene.told(), ["failed: there is no server nowhere.example"]);
}

#[test]
fn a_nickname_with_an_owner() {
    let mut scene = Scene::new(Settings::default());
    scene.server().set_password("Alice", "wonderland");
    let register = |password: &str| {
        let answers = [("nick", "Alice"), ("password", password)];
        let answers: Answers = answers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        scene
            .bridge
            .log_in("alice@example.org", None)
            .next(answers)
            .now_or_never()
            .expect("the network is in memory")
    };
    let wrong = register("oz");
    assert!(
        matches!(
            wrong,
            Step::Failed {
                field: Some("password"),
                ..
            }
        ),
        "{wrong:?}"
    );
    let Step::Done(account) = register("wonderland") else {
        panic!("this is the password");
    };

    scene.join("#tea");
    let guest = scene.told();
    assert_eq!(guest[1], "online as alice_");
    let connect = |session: &dyn Session| {
        let server = scene.network.home();
        let nick = "alice".into();
        session.submit(vec![Command::Connect { server, nick }]);
    };
    let owner = open(&scene.bridge, "alice", &scene.events, Some(account));
    connect(&*owner);
    scene.driver.run();
    let told: Vec<_> = scene.events.take().iter().map(brief).collect();
    assert_eq!(told, ["connecting", "online as alice"]);

    scene.server().set_password("alice", "changed");
    scene.server().lose_connection_of("alice", "cut");
    scene.server().restore();
    assert_eq!(
        scene.told(),
        ["offline: cut", "connecting", "failed: the password is wrong"]
    );
}

#[test]
fn guests_may_be_unwelcome() {
    let mut settings = Settings::default();
    settings.capabilities.guests = false;
    let mut scene = Scene::new(settings);
    scene.join("#tea");
    let told = scene.told();
    assert!(
        told[0].starts_with("not in #tea: you are not connected"),
        "{told:?}"
    );
}

#[test]
fn a_session_that_is_dropped_is_gone() {
    let scene = Scene::in_tea(Settings::default());
    let bob = scene.network.person("bob");
    bob.join("#tea").expect("an open room");
    drop(scene.alice);
    assert_eq!(
        bob.heard().iter().map(brief).next_back().as_deref(),
        Some("alice is gone")
    );
}
