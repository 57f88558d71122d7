//! What a bridge declares and what it does, feature by feature and in both directions: what is declared works as
//! declared, and what is declared not to work does not.
//!
//! [`Level::Full`] and [`Level::Partial`] demand the thing itself, [`Level::Fallback`] readable text in its place,
//! [`Level::Rejected`] a failure that says so.

use viaduct_bridge::{
    Command, Content, Failure, Level, MessageKind, Name, PersonEvent, PersonId, Rank, Recipient, Refusal,
    RemoteEvent, RoomEvent, RoomId, Span, Style, TransactionId,
};

use super::{moderation, nicks, rooms, topics};
use crate::finding::{Finding, Found, broken, ensure};
use crate::scene::Scene;
use crate::subject::Door;
use crate::user::{Ending, User};

/// How a feature was carried.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Carried {
    /// As itself.
    Whole,
    /// As readable text.
    AsText,
    /// Not at all.
    Not(Failure),
}

impl Carried {
    /// By the end of a command that has nothing in between.
    fn by(ending: Ending) -> Self {
        match ending {
            Ending::Done => Self::Whole,
            Ending::Failed(failure) => Self::Not(failure),
        }
    }

    /// Whether this is what was declared.
    fn judge(&self, feature: &str, declared: Level) -> Found {
        let agrees = match (declared, self) {
            (Level::Full | Level::Partial, Self::Whole) | (Level::Fallback, Self::AsText) => true,
            (Level::Rejected, Self::Not(failure)) => says_that_it_cannot(failure),
            _ => false,
        };
        ensure!(
            agrees,
            "{feature} is declared {declared:?}, but was carried {self:?}"
        );
        Ok(())
    }
}

pub(super) fn says_that_it_cannot(failure: &Failure) -> bool {
    let never = |refusal| matches!(refusal, Refusal::NotAllowed);
    match failure {
        Failure::Unsupported { .. } => true,
        Failure::Permanent { refusal, .. } => never(*refusal),
        _ => false,
    }
}

/// A direct message to somebody with whom one shares no room.
pub(super) async fn direct_messages(scene: &Scene<'_>) -> Found {
    let mut bob = scene.foreigner("bob").await?;
    let alice = scene.user("alice");
    let txn = alice.tell(scene.subject.person("bob"), "we have not met");
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("direct_messages", scene.declared().direct_messages)?;
    if carried == Carried::Whole {
        let heard = bob.heard().await?.text;
        ensure!(heard == "we have not met", "bob heard {heard:?}");
    }
    Ok(())
}

/// A message to one person in the same room. Where strangers can be written to, so can they.
pub(super) async fn private_messages(scene: &Scene<'_>) -> Found {
    let declared = scene.declared();
    if declared.private_messages == Level::Rejected && declared.direct_messages != Level::Rejected {
        return Ok(());
    }
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    rooms::somebody_came(&alice, &room, "bob").await?;
    let txn = alice.tell(scene.subject.person("bob"), "look over here");
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("private_messages", declared.private_messages)?;
    if carried == Carried::Whole {
        let heard = bob.heard().await?;
        let right = heard.room.is_none() && heard.text == "look over here";
        ensure!(right, "bob heard {heard:?}");
    }
    Ok(())
}

/// An action reaches others as an action, as text that has the words in it, or not at all.
pub(super) async fn emotes(scene: &Scene<'_>) -> Found {
    let content = Content {
        kind: MessageKind::Emote,
        ..Content::plain("pours tea")
    };
    let carried = carry(scene, content).await?;
    carried.judge("emotes", scene.declared().emotes)
}

/// Styled text reaches others with its styles, as text that has the words in it, or not at all.
pub(super) async fn styling(scene: &Scene<'_>) -> Found {
    let mut content = Content::plain("very hot");
    content.text.spans.push(Span {
        start: 0,
        end: 4,
        style: Style::Bold,
    });
    let carried = carry(scene, content).await?;
    carried.judge("styling", scene.declared().styling)
}

/// Says something to another user of the bridge, and looks at what they were told.
async fn carry(scene: &Scene<'_>, content: Content) -> Found<Carried> {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let commands = |txn| alice.saying(txn, Recipient::Room(room.clone()), content.clone());
    let txn = alice.ask(commands);
    if let Ending::Failed(failure) = alice.ending(txn).await? {
        return Ok(Carried::Not(failure));
    }
    let said = |event: &RoomEvent| match event {
        RoomEvent::Message(message) => Some(message.content.clone()),
        _ => None,
    };
    let heard = bob.saw_in(&room, "message", said).await?;
    if heard == content {
        return Ok(Carried::Whole);
    }
    let readable = heard.kind == MessageKind::Text && heard.text.plain.contains(&*content.text.plain);
    ensure!(readable, "{content:?} became {heard:?}");
    Ok(Carried::AsText)
}

/// A new subject is there for others, or is refused.
pub(super) async fn subject(scene: &Scene<'_>) -> Found {
    let (room, alice, bob) = operator_and_user(scene).await?;
    let txn = topics::set(&alice, &room, "Assam");
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("subject", scene.declared().subject)?;
    if carried == Carried::Whole {
        let topic = topics::changed(&bob, &room).await?.text;
        ensure!(*topic == *"Assam", "the subject is {topic:?}");
    }
    Ok(())
}

/// A new nickname is there for others, or is refused.
pub(super) async fn nick_change(scene: &Scene<'_>) -> Found {
    let (_, alice, bob) = operator_and_user(scene).await?;
    let txn = nicks::rename(scene, &alice, "alicia");
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("nick_change", scene.declared().nick_change)?;
    if carried == Carried::Whole {
        nicks::renamed(&bob, "alice").await?;
    }
    Ok(())
}

/// An operator removes somebody, or is told that nobody can.
pub(super) async fn kick(scene: &Scene<'_>) -> Found {
    let (room, alice, bob) = operator_and_user(scene).await?;
    let whom = scene.subject.person("bob").person;
    let txn = moderation::kick(&alice, &room, &whom, "go");
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("kick", scene.declared().kick)?;
    if carried == Carried::Whole {
        rooms::left(&bob, &room).await?;
    }
    Ok(())
}

/// An operator bans somebody, or is told that nobody can.
pub(super) async fn ban(scene: &Scene<'_>) -> Found {
    let (room, alice, bob) = operator_and_user(scene).await?;
    let whom = scene.subject.person("bob").person;
    let txn = moderation::set_ban(&alice, &room, &whom, true);
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("ban", scene.declared().ban)?;
    if carried == Carried::Whole {
        rooms::left(&bob, &room).await?;
        bob.kept_out(&room, None).await?;
    }
    Ok(())
}

/// An operator gives rights, or is told that nobody can.
pub(super) async fn ranks(scene: &Scene<'_>) -> Found {
    let (room, alice, bob) = operator_and_user(scene).await?;
    let whom = scene.subject.person("bob").person;
    let txn = moderation::set_rank(&alice, &room, &whom, Rank::VOICE, Rank::NONE);
    let carried = Carried::by(alice.ending(txn).await?);
    carried.judge("ranks", scene.declared().ranks)?;
    if carried == Carried::Whole {
        moderation::rank_changed(&bob, &room, "bob", Rank::VOICE, Rank::NONE).await?;
    }
    Ok(())
}

/// Alice, who came first, and Bob, both users.
async fn operator_and_user<'a>(scene: &Scene<'a>) -> Found<(RoomId, User<'a>, User<'a>)> {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    rooms::somebody_came(&alice, &room, "bob").await?;
    Ok((room, alice, bob))
}

/// A room that is not there is made, or is not found.
pub(super) async fn create_rooms(scene: &Scene<'_>) -> Found {
    let room = scene.subject.missing_room("new");
    let alice = scene.user("alice");
    alice.knock(&room, None);
    let entered = alice.let_in(&room).await?;
    let declared = scene.declared().create_rooms;
    match (declared, entered) {
        (Level::Full | Level::Partial, Ok(_)) => Ok(()),
        (Level::Rejected, Err(Failure::Permanent { refusal, .. })) => {
            let fits = matches!(
                refusal,
                Refusal::NotFound | Refusal::NotAllowed | Refusal::Forbidden
            );
            ensure!(fits, "a room that is not there is {refusal:?}");
            Ok(())
        }
        (_, entered) => broken(format!(
            "create_rooms is declared {declared:?}, but entering a new room gives {entered:?}"
        )),
    }
}

/// Rooms have passwords, or nobody can give them one.
pub(super) async fn room_passwords(scene: &Scene<'_>) -> Found {
    let declared = scene.declared().room_passwords;
    let room = scene.subject.room("tea");
    let mut bob = scene.foreigner_in("bob", &room).await?;
    match bob.set_door(&room, Door::Key("sesame")).await {
        Ok(()) => {}
        Err(Finding::Broken(_)) if declared == Level::Rejected => return Ok(()),
        Err(other) => return Err(other),
    }
    ensure!(
        declared != Level::Rejected,
        "room_passwords is declared Rejected, but a room has one"
    );
    let alice = scene.user("alice");
    alice.kept_out(&room, None).await?;
    alice.enter_with(&room, Some("sesame")).await?;
    Ok(())
}

/// Others are told that a user is away and is back, or nobody is.
pub(super) async fn away(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner_in("bob", &room).await?;
    let declared = scene.declared().away;
    for text in [Some(Name::from("at lunch")), None] {
        let wanted = text.is_some() && declared != Level::Rejected;
        alice.submit(vec![Command::SetAway { text }]);
        // Commands are done in order: when this is done, that is done too.
        let txn = alice.say(&room, "now");
        alice.done(txn).await?;
        let seen = bob.sees_away("alice").await?;
        ensure!(
            seen == wanted,
            "away is declared {declared:?}, but it is {seen} that alice is away"
        );
    }
    Ok(())
}

/// A server takes a line in its own language, or none is taken. (Every network that has one knows how to tell the time.)
pub(super) async fn raw(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let (txn, server, line) = (alice.txn(), room.server, Name::from("TIME"));
    alice.submit(vec![Command::Raw { txn, server, line }]);
    Carried::by(alice.ending(txn).await?).judge("raw", scene.declared().raw)
}

/// Users are told who is on the network, or of nobody.
pub(super) async fn watch(scene: &Scene<'_>) -> Found {
    let declared = scene.declared().watch;
    let room = scene.subject.room("tea");
    // Nobody shares a room with alice, so that nothing else tells of them.
    let alice = scene.user_in("alice", &room).await?;
    let mut bob = scene.foreigner("bob").await?;
    let watch = |nick: &str| {
        let person = scene.subject.person(nick);
        alice.submit(vec![Command::Watch { person }]);
    };
    if declared == Level::Rejected {
        watch("bob");
        watch("nobody");
        alice.done(alice.say(&room, "now")).await?;
        let told = alice.count(|event| presence(event).is_some());
        ensure!(
            told == 0,
            "watch is declared Rejected, but alice is told who is there"
        );
        return Ok(());
    }
    for (nick, there) in [("bob", true), ("nobody", false)] {
        watch(nick);
        is_seen(&alice, nick, there).await?;
    }
    if declared != Level::Full {
        // Changes are told as well, but perhaps not soon.
        return Ok(());
    }
    bob.quit("good night").await?;
    is_seen(&alice, "bob", false).await?;
    let person = scene.subject.person("nobody");
    alice.submit(vec![Command::Unwatch { person }]);
    alice.done(alice.say(&room, "now")).await?;
    for nick in ["nobody", "bob"] {
        scene.foreigner(nick).await?;
    }
    is_seen(&alice, "bob", true).await?;
    let unwatched = scene.subject.person("nobody");
    let told = alice.count(|event| presence(event) == Some((&unwatched, true)));
    ensure!(told == 0, "alice is told of somebody whom she no longer watches");
    Ok(())
}

/// Waits until a user is told that somebody is there, or is not.
async fn is_seen(user: &User<'_>, nick: &str, there: bool) -> Found {
    let seen = |event: &PersonEvent| match event {
        PersonEvent::Online { .. } => Some(true),
        PersonEvent::Offline => Some(false),
        _ => None,
    };
    let seen = user.saw_of(nick, "presence", seen).await?;
    ensure!(
        seen == there,
        "{nick} is told to be there: {seen}, and that is not so"
    );
    Ok(())
}

/// Of whom an event tells that they are there or not.
fn presence(event: &RemoteEvent) -> Option<(&PersonId, bool)> {
    match event {
        RemoteEvent::Person { person, event } => match event {
            PersonEvent::Online { .. } => Some((person, true)),
            PersonEvent::Offline => Some((person, false)),
            _ => None,
        },
        _ => None,
    }
}

/// Users without an account come in, or do not.
pub(super) async fn guests(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let guest = scene.user_with("guest", None);
    guest.knock(&room, None);
    let entered = guest.let_in(&room).await?;
    let declared = scene.declared().guests;
    match (declared, entered) {
        (true, Ok(_)) | (false, Err(Failure::NotLoggedIn { .. })) => Ok(()),
        (_, entered) => broken(format!(
            "guests is declared {declared}, but a guest gets {entered:?}"
        )),
    }
}

/// The same message under the same transaction id is said once where the network can tell, and else twice.
pub(super) async fn resubmit(scene: &Scene<'_>) -> Found {
    let room = scene.subject.room("tea");
    let alice = scene.user_in("alice", &room).await?;
    let bob = scene.user_in("bob", &room).await?;
    let first = alice.say(&room, "once");
    alice.done(first).await?;
    let again = alice.saying(first, Recipient::Room(room.clone()), Content::plain("once"));
    alice.submit(vec![again]);
    let second = alice.say(&room, "the end");
    alice.done(second).await?;
    bob.heard(&room, "the end").await?;
    let said = |event: &RemoteEvent| match event {
        RemoteEvent::Room {
            event: RoomEvent::Message(message),
            ..
        } => *message.content.text.plain == *"once",
        _ => false,
    };
    let times = bob.count(said);
    let refused = |event: &RemoteEvent| is_failure_of(event, first);
    let declared = scene.declared().resubmit;
    match (declared, times, alice.count(refused)) {
        (true, 1, 0) | (false, 2, _) | (false, 1, 1) => Ok(()),
        (_, times, _) => broken(format!(
            "resubmit is declared {declared}, but a message that was handed over twice was said {times} times"
        )),
    }
}

fn is_failure_of(event: &RemoteEvent, command: TransactionId) -> bool {
    use viaduct_bridge::Outcome::Failed;
    matches!(event, RemoteEvent::Outcome { txn, outcome: Failed(_) } if *txn == command)
}
