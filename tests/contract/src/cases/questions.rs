//! Questions and their answers.

use viaduct_bridge::{Command, Failure, Outcome, Question, Refusal, RemoteEvent, Reply};

use crate::finding::{Found, broken, ensure};
use crate::scene::Scene;
use crate::user::User;

/// Asks, and waits for the answer.
async fn answer(user: &User<'_>, question: Question) -> Found<Result<Reply, Failure>> {
    let txn = user.ask(|txn| Command::Ask {
        txn,
        question,
        nick: None,
    });
    user.saw("answer", |event| match event {
        RemoteEvent::Outcome { txn: of, outcome } if *of == txn => Some(match outcome {
            Outcome::Answered(reply) => Ok((**reply).clone()),
            Outcome::Failed(failure) => Err(failure.clone()),
            Outcome::Accepted { .. } => Err(Failure::transient("accepted is no answer")),
        }),
        _ => None,
    })
    .await
}

/// The rooms of a server, with the people in them, and sorted.
pub(super) async fn which_rooms_there_are(scene: &Scene<'_>) -> Found {
    let (tea, milk) = (scene.subject.room("tea"), scene.subject.room("milk"));
    let _bob = scene.foreigner_in("bob", &milk).await?;
    let alice = scene.user_in("alice", &tea).await?;
    let Ok(Reply::Rooms(rooms)) = answer(&alice, Question::Rooms(scene.subject.server())).await? else {
        return broken("the rooms of the server were not told");
    };
    for room in [&tea, &milk] {
        let listed = rooms.find(&room.room).ok().and_then(|at| rooms.get(at));
        let people = listed.map(|listed| listed.people);
        ensure!(people == Some(1), "{room:?} is listed with {people:?} people");
    }
    let names: Vec<&str> = rooms.iter().map(|room| room.name).collect();
    ensure!(names.is_sorted(), "the list is not sorted: {names:?}");
    Ok(())
}

/// Somebody who is there, and somebody who is not.
pub(super) async fn who_somebody_is(scene: &Scene<'_>) -> Found {
    let _bob = scene.foreigner("bob").await?;
    let alice = scene.user_in("alice", &scene.subject.room("tea")).await?;
    let Ok(Reply::Profile(profile)) = answer(&alice, Question::Profile(scene.subject.person("bob"))).await?
    else {
        return broken("who bob is was not told");
    };
    let nick = profile.nick.as_deref().unwrap_or_default();
    ensure!(nick.starts_with("bob"), "bob is {profile:?}");
    let nobody = answer(&alice, Question::Profile(scene.subject.person("nobody"))).await?;
    let not_found = Err(Some(Refusal::NotFound));
    let told = nobody.as_ref().map(|_| ()).map_err(kind);
    ensure!(
        told == not_found,
        "asked who nobody is, the answer was {nobody:?}"
    );
    Ok(())
}

fn kind(failure: &Failure) -> Option<Refusal> {
    match failure {
        Failure::Permanent { refusal, .. } => Some(*refusal),
        _ => None,
    }
}

/// The bans of a room, by person.
pub(super) async fn who_is_banned(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let alice = scene.user_in("alice", &room).await?;
    bob.ban(&room, "carol").await?;
    let Ok(Reply::Bans(bans)) = answer(&alice, Question::Bans(room)).await? else {
        return broken("the bans of the room were not told");
    };
    let carol = scene.subject.person("carol").person;
    let people: Vec<_> = bans.iter().filter_map(|ban| ban.person.clone()).collect();
    ensure!(people == [carol], "carol is banned, and the list is {bans:?}");
    Ok(())
}

/// A question that asks for no connection makes none, and is answered all the same.
pub(super) async fn without_a_connection(scene: &Scene<'_>) -> Found {
    let alice = scene.user("alice");
    let told = answer(&alice, Question::Rooms(scene.subject.server())).await?;
    ensure!(
        matches!(told, Err(Failure::NotLoggedIn { .. })),
        "without a connection the answer was {told:?}"
    );
    let events = alice.count(|event| matches!(event, RemoteEvent::Server { .. }));
    ensure!(events == 0, "a question made {events} events of a connection");
    Ok(())
}
