//! Referring to messages that were said before. What is declared for the bridge, or told for the connection, works; what
//! is not, is refused with a failure that says so. (Where it is a fallback, the readable text is made above the seam.)

use viaduct_bridge::{
    Command, Content, Level, Message, MessageId, Name, Reaction, Recipient, Relation, Relations, RemoteEvent,
    Retraction, RoomEvent, RoomId, ServerEvent, Target, TransactionId, Typing,
};

use super::declared::says_that_it_cannot;
use crate::finding::{Found, broken, ensure};
use crate::recorder::Entry;
use crate::scene::Scene;
use crate::user::{Ending, User};

/// Alice, who came first, and Bob; and what Alice's connection can do.
struct Talk<'a> {
    room: RoomId,
    alice: User<'a>,
    bob: User<'a>,
    able: Relations,
}

impl<'a> Talk<'a> {
    async fn begin(scene: &Scene<'a>) -> Found<Self> {
        let room = scene.subject.room("tea");
        let alice = scene.user_in("alice", &room).await?;
        let bob = scene.user_in("bob", &room).await?;
        let able = told(scene, &alice)?;
        Ok(Self {
            room,
            alice,
            bob,
            able,
        })
    }

    /// One of them says something, and the other hears it.
    async fn said(&self, by: &User<'a>, to: &User<'a>, text: &str) -> Found<(Message, Target)> {
        let txn = by.say(&self.room, text);
        by.done(txn).await?;
        let message = to.heard(&self.room, text).await?;
        let mut target = Target {
            ids: message.ids.clone(),
            at: message.at,
        };
        if target.ids.is_empty() {
            // A network without ids can refer to nothing; it must say so.
            target.ids.push(MessageId("nothing".into()));
        }
        Ok((message, target))
    }

    /// Alice says something that refers to an older message.
    fn say_related(&self, text: &str, relation: Relation<Target>) -> TransactionId {
        let (to, nick) = (Recipient::Room(self.room.clone()), self.alice.nick.clone());
        self.alice.ask(|txn| Command::Send {
            txn,
            to,
            content: Content::plain(text),
            nick,
            relation: Some(Box::new(relation)),
        })
    }

    fn retract(&self, target: Target) -> TransactionId {
        let to = Recipient::Room(self.room.clone());
        self.alice.ask(|txn| Command::Retract {
            txn,
            to,
            target: Box::new(target),
            reason: Some("a slip".into()),
        })
    }

    /// Whether a command of Alice was done, which must be as declared.
    async fn judge(&self, txn: TransactionId, feature: &str, level: Level) -> Found<bool> {
        match (level, self.alice.ending(txn).await?) {
            (Level::Full | Level::Partial, Ending::Done) => Ok(true),
            (Level::Fallback | Level::Rejected, Ending::Failed(failure)) if says_that_it_cannot(&failure) => {
                Ok(false)
            }
            (_, ending) => broken(format!(
                "{feature} is declared {level:?}, but the end of it was {ending:?}"
            )),
        }
    }

    async fn bob_saw_retraction(&self) -> Found<Retraction> {
        let retraction = |event: &RoomEvent| match event {
            RoomEvent::Retraction(retraction) => Some(retraction.clone()),
            _ => None,
        };
        self.bob.saw_in(&self.room, "retraction", retraction).await
    }
}

/// What a connection can do: as the bridge declares, or as the connection told. It cannot be more.
fn told(scene: &Scene<'_>, user: &User<'_>) -> Found<Relations> {
    let declared = scene.declared().relations;
    let mut able = declared.certain();
    for entry in user.record.entries() {
        if let Entry::Told(RemoteEvent::Server {
            event: ServerEvent::Relations(told),
            ..
        }) = entry
        {
            able = told;
        }
    }
    for (most, is) in [
        (declared.corrections, able.corrections),
        (declared.replies, able.replies),
        (declared.reactions, able.reactions),
        (declared.retractions, able.retractions),
        (declared.moderation, able.moderation),
        (declared.typing, able.typing),
    ] {
        ensure!(
            is <= most.max(Level::Fallback) || most == Level::Partial,
            "a connection can do {able:?}, which is more than {declared:?}"
        );
    }
    Ok(able)
}

/// An answer to one certain message.
pub(super) async fn replies(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let (question, target) = talk.said(&talk.bob, &talk.alice, "who?").await?;
    let txn = talk.say_related("I", Relation::Reply(target));
    if talk.judge(txn, "replies", talk.able.replies).await? {
        let answer = talk.bob.heard(&talk.room, "I").await?;
        let wanted = question.ids.first().cloned().map(Relation::Reply);
        ensure!(answer.relation == wanted, "{wanted:?} became {answer:?}");
    }
    Ok(())
}

/// A message in the place of an older one.
pub(super) async fn corrections(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let (slip, target) = talk.said(&talk.alice, &talk.bob, "tee").await?;
    let txn = talk.say_related("tea", Relation::Correction(target));
    if talk.judge(txn, "corrections", talk.able.corrections).await? {
        let right = talk.bob.heard(&talk.room, "tea").await?;
        let wanted = slip.ids.first().cloned().map(Relation::Correction);
        ensure!(right.relation == wanted, "{wanted:?} became {right:?}");
    }
    Ok(())
}

/// A reaction is there for others, and goes again.
pub(super) async fn reactions(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let (news, target) = talk.said(&talk.bob, &talk.alice, "tea is ready").await?;
    let some = |text: &str| vec![Name::from(text)];
    for (add, remove) in [(some("👍"), vec![]), (vec![], some("👍"))] {
        let (to, target) = (Recipient::Room(talk.room.clone()), target.clone());
        let (asked_add, asked_remove) = (add.clone(), remove.clone());
        let txn = talk.alice.ask(|txn| Command::React {
            txn,
            to,
            target: Box::new(target),
            add: asked_add,
            remove: asked_remove,
        });
        if !talk.judge(txn, "reactions", talk.able.reactions).await? {
            continue;
        }
        let reaction = |event: &RoomEvent| match event {
            RoomEvent::Reaction(reaction) => Some(reaction.clone()),
            _ => None,
        };
        let seen: Reaction = talk.bob.saw_in(&talk.room, "reaction", reaction).await?;
        let right = Some(&seen.of) == news.ids.first()
            && seen.sender == talk.alice.folded("alice")
            && (&seen.add, &seen.remove) == (&add, &remove);
        ensure!(right, "+{add:?} -{remove:?} to {:?} became {seen:?}", news.ids);
    }
    Ok(())
}

/// A message is taken back by who said it, and not by anybody else.
pub(super) async fn retractions(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let (slip, target) = talk.said(&talk.alice, &talk.bob, "secret").await?;
    let txn = talk.retract(target);
    if !talk.judge(txn, "retractions", talk.able.retractions).await? {
        return Ok(());
    }
    let seen = talk.bob_saw_retraction().await?;
    let right = Some(&seen.of) == slip.ids.first() && seen.by == talk.alice.folded("alice");
    ensure!(right, "{:?} was taken back as {seen:?}", slip.ids);

    let (_, target) = talk.said(&talk.alice, &talk.bob, "mine").await?;
    let to = Recipient::Room(talk.room.clone());
    let txn = talk.bob.ask(|txn| Command::Retract {
        txn,
        to,
        target: Box::new(target),
        reason: None,
    });
    talk.bob.failed(txn).await?;
    Ok(())
}

/// An operator takes back what somebody else said.
pub(super) async fn moderation(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let (rude, target) = talk.said(&talk.bob, &talk.alice, "no tea").await?;
    let txn = talk.retract(target);
    if talk.judge(txn, "moderation", talk.able.moderation).await? {
        let seen = talk.bob_saw_retraction().await?;
        let right = Some(&seen.of) == rude.ids.first() && seen.by == talk.alice.folded("alice");
        ensure!(right, "{:?} was taken back as {seen:?}", rude.ids);
        ensure!(seen.reason.as_deref() == Some("a slip"), "{seen:?}");
    }
    Ok(())
}

/// Others see that somebody is typing before the message comes, or do not.
pub(super) async fn typing(scene: &Scene<'_>) -> Found {
    let talk = Talk::begin(scene).await?;
    let to = Recipient::Room(talk.room.clone());
    let state = Typing::Active;
    talk.alice.submit(vec![Command::Typing { to, state }]);
    let txn = talk.alice.say(&talk.room, "here it is");
    talk.alice.done(txn).await?;
    talk.bob.heard(&talk.room, "here it is").await?;
    let seen = talk.bob.count(|event| {
        matches!(event, RemoteEvent::Room { event: RoomEvent::Typing { person, state: Typing::Active }, .. }
            if *person == talk.alice.folded("alice"))
    });
    let wanted = usize::from(talk.able.typing >= Level::Partial);
    ensure!(
        seen == wanted,
        "typing is declared {:?}, and was seen {seen} times",
        talk.able.typing
    );
    Ok(())
}
