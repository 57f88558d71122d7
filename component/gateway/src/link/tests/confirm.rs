//! Order, confirmation, and what happens when there is no room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use viaduct_core::stanza::{Condition, Kind, Problem, error};

use super::server::{DOMAIN, World, message};
use crate::link::{Link, Listener, Patience, Refused, Room};

#[derive(Default)]
struct Bell(AtomicU32);

impl Listener for Bell {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn until(what: impl Fn() -> bool) {
    let waiting = async {
        while !what() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.expect("soon");
}

fn send(link: &Link, id: &str, bell: &Arc<Bell>) -> Result<u64, Refused> {
    let mut out = link.outgoing();
    let generation = out.send_marked(&message(id), link.era())?;
    out.when_confirmed(Arc::clone(bell) as Arc<dyn Listener>);
    Ok(generation)
}

#[tokio::test]
async fn a_message_is_confirmed_by_one_ping() {
    let world = World::new().await;
    let mut peer = world.accept().await;
    let (first, _) = peer.fence().await;
    peer.give_back(&first).await;
    world.until_up(true).await;
    let bell = Arc::new(Bell::default());
    let generation = send(&world.link, "m1", &bell).expect("room");
    let (fence, before) = peer.fence().await;
    assert!(before.contains("id='m1'"), "{before}");
    sleep(Duration::from_millis(120)).await;
    assert!(world.link.confirmed() < generation);
    // Forged ones confirm nothing.
    for id in ["viaduct-fence-x-9", "viaduct-fence--9", &format!("{fence}9")] {
        peer.give_back(id).await;
    }
    peer.say(&format!("<iq from='a@b' to='{DOMAIN}' type='get' id='{fence}'/>"))
        .await;
    world.heard.until(&fence).await;
    assert!(world.link.confirmed() < generation && bell.0.load(Ordering::SeqCst) == 0);
    // Its error confirms as well as its return.
    peer.say(&format!(
        "<iq from='{DOMAIN}' to='{DOMAIN}' type='error' id='{fence}'/>"
    ))
    .await;
    until(|| world.link.confirmed() >= generation).await;
    until(|| bell.0.load(Ordering::SeqCst) == 1).await;
    // Nothing more is asked while there is nothing to confirm.
    sleep(Duration::from_millis(150)).await;
    world.link.close();
    let rest = peer.until("</stream:stream>").await;
    assert!(!rest.contains("viaduct-fence"), "{rest}");
}

#[tokio::test]
async fn a_load_costs_few_pings_and_keeps_its_order() {
    let world = World::new().await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    let bell = Arc::new(Bell::default());
    let serve = async {
        let (mut fences, mut all) = (0, String::new());
        while !all.contains("id='m1999'") {
            let (fence, before) = peer.fence().await;
            peer.give_back(&fence).await;
            all.push_str(&before);
            fences += 1;
        }
        (fences, all)
    };
    let load = async {
        let mut last = 0;
        for number in 0..2000 {
            last = send(&world.link, &format!("m{number}"), &bell).expect("room");
            if number % 20 == 0 {
                sleep(Duration::from_millis(2)).await;
            }
        }
        last
    };
    let ((fences, all), last) = tokio::join!(serve, load);
    assert!(fences < 20, "{fences} pings for 2000 messages");
    let ids: Vec<usize> = all
        .split(" id='m")
        .skip(1)
        .map(|rest| {
            rest.split('\'')
                .next()
                .and_then(|id| id.parse().ok())
                .expect("a number")
        })
        .collect();
    assert_eq!(ids, (0..2000).collect::<Vec<_>>());
    until(|| world.link.confirmed() >= last).await;
}

#[tokio::test]
async fn answers_go_again_and_marked_stanzas_do_not() {
    let world = World::new().await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    let (first, _) = peer.fence().await;
    peer.give_back(&first).await;
    let bell = Arc::new(Bell::default());
    let generation = send(&world.link, "marked", &bell).expect("room");
    let refusal = Problem::new(Condition::Forbidden);
    world
        .link
        .answer(error(Kind::Message, DOMAIN, "a@b", Some("refused-1"), &refusal));
    world.link.answer(message("plain"));
    peer.fence().await;
    drop(peer);
    world.until_up(false).await;
    assert_eq!(send(&world.link, "late", &bell), Err(Refused::Gone));
    world
        .link
        .answer(error(Kind::Message, DOMAIN, "a@b", Some("refused-2"), &refusal));
    let mut peer = world.accept().await;
    let (fence, before) = peer.fence().await;
    let again: Vec<_> = before.match_indices("id='refused-").collect();
    assert_eq!(again.len(), 2, "{before}");
    assert!(
        !before.contains("marked") && !before.contains("plain") && !before.contains("late"),
        "{before}"
    );
    assert!(
        world.link.confirmed() < generation,
        "a lost stream confirms nothing"
    );
    peer.give_back(&fence).await;
    until(|| world.link.confirmed() > generation).await;
    drop(peer);
    world.until_up(false).await;
    let (_, before) = world.accept().await.fence().await;
    assert!(
        !before.contains("refused"),
        "what is confirmed does not go a third time: {before}"
    );
}

#[tokio::test]
async fn without_room_marked_stanzas_are_refused_and_answers_are_not() {
    let room = Room {
        soft: 100_000,
        hard: 10_000_000,
        ..Room::default()
    };
    let world = World::with(room, Patience::default()).await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    let bell = Arc::new(Bell::default());
    // The server does not read: the socket fills, then the queue.
    let mut sent = 0;
    let refused = loop {
        match send(&world.link, &format!("m{sent}"), &bell) {
            Ok(_) => sent += 1,
            Err(refused) => break refused,
        }
        if sent % 200 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
        assert!(sent < 1_000_000, "it must fill some time");
    };
    assert_eq!(refused, Refused::Blocked);
    let room_again = Arc::new(Bell::default());
    world
        .link
        .outgoing()
        .when_room(Arc::clone(&room_again) as Arc<dyn Listener>);
    assert!(!world.link.has_room());
    world.link.answer(message("answer"));
    peer.until("id='answer'").await;
    until(|| room_again.0.load(Ordering::SeqCst) == 1).await;
    assert!(world.link.has_room());
    send(&world.link, "again", &bell).expect("room again");
    peer.until("id='again'").await;
}

#[tokio::test]
async fn what_is_never_processed_ends_the_stream() {
    let patience = Patience {
        confirm: Duration::from_millis(200),
        ..Patience::default()
    };
    let world = World::with(Room::default(), patience).await;
    let mut peer = world.accept().await;
    world.until_up(true).await;
    // It talks, but it does not send the fence back.
    for number in 0..50 {
        peer.say(&format!("<message from='a@b' to='{DOMAIN}' id='{number}'/>"))
            .await;
        sleep(Duration::from_millis(10)).await;
        if !Link::is_up_in(world.link.era()) {
            break;
        }
    }
    world.until_up(false).await;
}
