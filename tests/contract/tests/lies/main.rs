//! The suite finds bridges out: those that declare something else than they do, and those that do wrong.

mod wrapped;

use viaduct_bridge::loopback::{Echo, Settings};
use viaduct_bridge::{
    Capabilities, Departure, Failure, Level, Outcome, PersonEvent, Refusal, RemoteEvent, RoomEvent,
    ServerEvent,
};
use viaduct_contract::loopback::Loopback;
use viaduct_contract::{Case, Finding, cases, play, run};
use wrapped::Wrapped;

/// A change of what is declared, and the case that must notice.
type Lie = (&'static str, fn(&mut Capabilities));

const LIES: &[Lie] = &[
    ("declared::direct_messages", |declared| {
        declared.direct_messages = Level::Rejected
    }),
    ("declared::private_messages", |declared| {
        declared.direct_messages = Level::Rejected;
        declared.private_messages = Level::Rejected;
    }),
    ("declared::emotes", |declared| declared.emotes = Level::Rejected),
    ("declared::emotes", |declared| declared.emotes = Level::Fallback),
    ("declared::styling", |declared| declared.styling = Level::Rejected),
    ("declared::styling", |declared| declared.styling = Level::Fallback),
    ("declared::subject", |declared| declared.subject = Level::Rejected),
    ("declared::nick_change", |declared| {
        declared.nick_change = Level::Rejected
    }),
    ("declared::kick", |declared| declared.kick = Level::Rejected),
    ("declared::ban", |declared| declared.ban = Level::Rejected),
    ("declared::ranks", |declared| declared.ranks = Level::Rejected),
    ("declared::create_rooms", |declared| {
        declared.create_rooms = Level::Rejected
    }),
    ("declared::room_passwords", |declared| {
        declared.room_passwords = Level::Rejected
    }),
    ("declared::away", |declared| declared.away = Level::Rejected),
    ("declared::raw", |declared| declared.raw = Level::Full),
    ("declared::watch", |declared| declared.watch = Level::Rejected),
    ("declared::guests", |declared| declared.guests = false),
    ("declared::resubmit", |declared| declared.resubmit = false),
    ("relations::replies", |declared| {
        declared.relations.replies = Level::Fallback
    }),
    ("relations::corrections", |declared| {
        declared.relations.corrections = Level::Rejected
    }),
    ("relations::reactions", |declared| {
        declared.relations.reactions = Level::Rejected
    }),
    ("relations::retractions", |declared| {
        declared.relations.retractions = Level::Rejected
    }),
    ("relations::moderation", |declared| {
        declared.relations.moderation = Level::Rejected
    }),
    ("relations::typing", |declared| {
        declared.relations.typing = Level::Rejected
    }),
    ("limits::the_longest_message", |declared| {
        declared.max_message_bytes -= 1
    }),
    ("limits::the_longest_nickname", |declared| {
        declared.max_nick_bytes -= 1
    }),
];

fn case(name: &str) -> Case {
    let found = cases().into_iter().find(|case| case.name == name);
    found.unwrap_or_else(|| panic!("there is no case {name}"))
}

async fn is_broken(name: &str, subject: &Loopback) -> bool {
    matches!(play(&case(name), subject).await, Err(Finding::Broken(_)))
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_declares_less_than_it_does() {
    for (name, lie) in LIES {
        let subject = Loopback::behind(Settings::default(), |inner| {
            let mut wrapped = Wrapped::new(inner);
            lie(&mut wrapped.declared);
            Box::new(wrapped)
        });
        assert!(is_broken(name, &subject).await, "{name} did not notice");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bridge_that_declares_more_than_it_does() {
    for (name, lie) in LIES {
        let mut settings = Settings::default();
        lie(&mut settings.capabilities);
        let subject = Loopback::behind(settings, |inner| {
            let mut wrapped = Wrapped::new(inner);
            wrapped.declared = Settings::default().capabilities;
            Box::new(wrapped)
        });
        assert!(is_broken(name, &subject).await, "{name} did not notice");
    }
}

/// What a bridge does wrong with its events, and a case that must notice.
type Wrong = (&'static str, Echo, fn(Vec<RemoteEvent>) -> Vec<RemoteEvent>);

const WRONGS: &[Wrong] = &[
    ("talk::what_a_user_says_arrives", Echo::Never, |events| {
        twice(events, is_outcome)
    }),
    ("talk::what_a_user_says_arrives", Echo::Never, |events| {
        without(events, is_outcome)
    }),
    ("talk::what_a_user_says_arrives", Echo::Alone, |events| {
        twice(events, is_own_message)
    }),
    ("talk::what_a_user_says_arrives", Echo::Alone, |events| {
        without(events, is_own_message)
    }),
    ("moderation::a_user_kicks", Echo::Never, |events| {
        twice(events, is_outcome)
    }),
    ("topics::of_a_user", Echo::Never, |events| {
        without(events, is_outcome)
    }),
    ("talk::what_others_say_arrives", Echo::Never, |events| {
        twice(events, is_message)
    }),
    ("talk::what_others_say_arrives", Echo::Never, |events| {
        without(events, is_message)
    }),
    (
        "talk::two_hundred_messages_from_outside_keep_their_order",
        Echo::Never,
        backwards,
    ),
    (
        "talk::two_hundred_messages_keep_their_order",
        Echo::Never,
        backwards,
    ),
    ("nicks::of_somebody_else", Echo::Never, |events| {
        twice(events, is_new_name)
    }),
    ("nicks::ones_own", Echo::Never, |events| {
        without(events, is_new_name)
    }),
    ("rooms::to_leave_is_confirmed", Echo::Never, |events| {
        without(events, is_left)
    }),
    ("rooms::people_come_and_go", Echo::Never, |events| {
        twice(events, is_arrival)
    }),
    ("rooms::who_enters_sees_everybody", Echo::Never, without_oneself),
    ("topics::of_somebody_else", Echo::Never, |events| {
        without(events, is_topic)
    }),
    ("direct::from_a_person", Echo::Never, |events| {
        without(events, is_direct)
    }),
    (
        "connection::a_lost_connection_comes_back",
        Echo::Never,
        |events| without(events, is_offline),
    ),
    (
        "connection::a_lost_connection_comes_back",
        Echo::Never,
        all_for_good,
    ),
    ("doors::a_ban", Echo::Never, all_for_good),
    ("doors::a_password", Echo::Never, all_for_good),
    ("doors::an_invitation", Echo::Never, all_for_good),
    ("doors::a_full_room", Echo::Never, all_for_good),
    ("moderation::a_user_is_kicked", Echo::Never, all_by_themselves),
];

#[tokio::test(start_paused = true)]
async fn a_bridge_that_does_wrong() {
    for (number, (name, echo, wrong)) in WRONGS.iter().enumerate() {
        let echo = *echo;
        let settings = Settings {
            echo,
            ..Settings::default()
        };
        let subject = Loopback::behind(settings, |inner| {
            let mut wrapped = Wrapped::new(inner);
            wrapped.told = *wrong;
            Box::new(wrapped)
        });
        assert!(
            is_broken(name, &subject).await,
            "{name} did not notice wrong number {number}"
        );
    }
}

/// Without a lie, what stands between the suite and the bridge is not noticed.
#[tokio::test(start_paused = true)]
async fn an_honest_bridge() {
    let make = async || Loopback::behind(Settings::default(), |inner| Box::new(Wrapped::new(inner)));
    run(&cases(), 1, make).await.expect(&[]);
}

fn twice(events: Vec<RemoteEvent>, which: fn(&RemoteEvent) -> bool) -> Vec<RemoteEvent> {
    let copies = |event: RemoteEvent| vec![event.clone(); if which(&event) { 2 } else { 1 }];
    events.into_iter().flat_map(copies).collect()
}

fn without(mut events: Vec<RemoteEvent>, which: fn(&RemoteEvent) -> bool) -> Vec<RemoteEvent> {
    events.retain(|event| !which(event));
    events
}

fn backwards(mut events: Vec<RemoteEvent>) -> Vec<RemoteEvent> {
    events.reverse();
    events
}

fn without_oneself(mut events: Vec<RemoteEvent>) -> Vec<RemoteEvent> {
    for event in &mut events {
        if let RemoteEvent::Room {
            event: RoomEvent::Joined { me, members, .. },
            ..
        } = event
        {
            members.retain(|member| member.person != *me);
        }
    }
    events
}

fn all_for_good(mut events: Vec<RemoteEvent>) -> Vec<RemoteEvent> {
    for event in &mut events {
        match event {
            RemoteEvent::Outcome {
                outcome: Outcome::Failed(failure),
                ..
            }
            | RemoteEvent::Room {
                event: RoomEvent::Refused { failure },
                ..
            } => {
                *failure = Failure::refused(Refusal::NotAllowed, "no");
            }
            _ => {}
        }
    }
    events
}

fn all_by_themselves(mut events: Vec<RemoteEvent>) -> Vec<RemoteEvent> {
    for event in &mut events {
        if let RemoteEvent::Room {
            event: RoomEvent::Left { how, .. },
            ..
        } = event
        {
            *how = Departure::Left;
        }
    }
    events
}

fn is_outcome(event: &RemoteEvent) -> bool {
    matches!(event, RemoteEvent::Outcome { .. })
}

fn is_message(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Room {
            event: RoomEvent::Message(_),
            ..
        }
    )
}

fn is_own_message(event: &RemoteEvent) -> bool {
    matches!(event, RemoteEvent::Room { event: RoomEvent::Message(message), .. } if message.txn.is_some())
}

fn is_direct(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Person {
            event: PersonEvent::Message(_),
            ..
        }
    )
}

fn is_new_name(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Person {
            event: PersonEvent::Renamed { .. },
            ..
        }
    )
}

fn is_left(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Room {
            event: RoomEvent::Left { .. },
            ..
        }
    )
}

fn is_arrival(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Room {
            event: RoomEvent::MemberJoined(_),
            ..
        }
    )
}

fn is_topic(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Room {
            event: RoomEvent::TopicChanged(_),
            ..
        }
    )
}

fn is_offline(event: &RemoteEvent) -> bool {
    matches!(
        event,
        RemoteEvent::Server {
            event: ServerEvent::Offline { .. },
            ..
        }
    )
}
