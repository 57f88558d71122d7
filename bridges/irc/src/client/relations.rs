//! What refers to older messages: the client-only tags `+draft/reply`, `+draft/react` and `+draft/unreact` (IRCv3 client
//! tags), and REDACT (draft/message-redaction). Only what this very server offers is used, and told.

use viaduct_bridge::{
    Failure, Level, MessageId, Name, PersonEvent, Reaction, Recipient, Refusal, Relation, Relations,
    Retraction, RoomEvent, ServerEvent, Target, TransactionId,
};

use crate::proto::caps::Cap;
use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::{Message, Source};

use super::book::PartId;
use super::messages::message_time;
use super::pending::{Piece, What};
use super::{Client, Now, is_sane};

/// The most bytes of a reaction that is taken from others.
const MOST_REACTION: usize = 256;
/// The most bytes of a message id.
pub(super) const MOST_ID: usize = 256;

/// The tags that name the message that is answered: as the draft had it, and as it was ratified.
const REPLY_TAGS: [&str; 2] = ["draft/reply", "reply"];

/// The id in a tag or a parameter, if it can be one.
pub(super) fn message_id(id: &str) -> Option<MessageId> {
    (is_sane(id) && id.len() <= MOST_ID).then(|| MessageId(Name::from(id)))
}

/// The message that a line answers.
pub(super) fn reply_of(message: &Message<'_>) -> Option<MessageId> {
    // Most lines answer nothing: that is seen at once.
    if !message.tags.mention("reply=") {
        return None;
    }
    let id = message
        .tags
        .get("+draft/reply")
        .or_else(|| message.tags.get("+reply"))?;
    message_id(&id)
}

impl Client {
    /// What messages can be referred to with on this connection.
    pub(super) fn relations(&self) -> Relations {
        let tags = self.caps.has(Cap::MessageTags);
        let can = |tag: &str| tags && self.isupport.tag_deny.allows(tag);
        let replies = REPLY_TAGS.into_iter().any(can);
        let level = |can: bool, otherwise| if can { Level::Full } else { otherwise };
        let redaction = level(self.caps.has(Cap::MessageRedaction), Level::Rejected);
        Relations {
            corrections: Level::Fallback,
            replies: level(replies, Level::Fallback),
            reactions: level(
                replies && can("draft/react") && can("draft/unreact"),
                Level::Rejected,
            ),
            retractions: redaction,
            moderation: redaction,
            typing: level(can("typing"), Level::Rejected),
            // A marker is the time of a message, which must be the server's.
            read: level(
                self.caps.has(Cap::ReadMarker) && self.caps.has(Cap::ServerTime),
                Level::Rejected,
            ),
        }
    }

    /// Tells what can be done, if it is something else than was told before. Nothing is told of nothing.
    pub(super) fn tell_relations(&mut self) {
        let able = self.relations();
        if std::mem::replace(&mut self.modern.told_relations, able) != able {
            self.tell_server(ServerEvent::Relations(able));
        }
    }

    /// Adds the tags that name an answered message.
    fn answering(&self, line: Line, to: &MessageId) -> Line {
        self.reply_tags()
            .fold(line, |line, tag| line.with_client_tag(tag, &to.0))
    }

    /// The tags that the server lets through for that.
    fn reply_tags(&self) -> impl Iterator<Item = &'static str> {
        let allows = |tag: &&'static str| self.isupport.tag_deny.allows(tag);
        REPLY_TAGS.into_iter().filter(allows)
    }

    /// Lets the first line of a message refer to an older one.
    pub(super) fn relate(&self, line: &mut Piece, relation: &Relation<Target>) -> Result<(), Failure> {
        let unsupported = |feature| Err(Failure::Unsupported { feature });
        match relation {
            Relation::Reply(target) if self.relations().replies >= Level::Partial => {
                target.ids.first().map_or_else(
                    || unsupported("an answer to a message without a name"),
                    |id| {
                        for tag in self.reply_tags() {
                            line.client_tag(tag, &id.0);
                        }
                        Ok(())
                    },
                )
            }
            Relation::Reply(_) => unsupported("an answer to one message"),
            Relation::Correction(_) => unsupported("a correction"),
        }
    }

    pub(super) fn react(
        &mut self,
        txn: TransactionId,
        to: &Recipient,
        target: &Target,
        (add, remove): (Vec<Name>, Vec<Name>),
    ) {
        let feature = "a reaction";
        let Some(of) = target
            .ids
            .first()
            .filter(|_| self.relations().reactions >= Level::Partial)
        else {
            return self.fail(txn, Failure::Unsupported { feature });
        };
        let name = name_of(to);
        // What goes is said first, so that nobody sees more reactions than there are.
        let marks: Vec<(bool, Name)> = remove
            .into_iter()
            .map(|text| (false, text))
            .chain(add.into_iter().map(|text| (true, text)))
            .collect();
        if marks
            .iter()
            .any(|(_, text)| text.is_empty() || text.len() > MOST_REACTION)
        {
            let words = "This is no reaction that IRC can carry.";
            return self.fail(txn, Failure::refused(Refusal::NotAcceptable, words));
        }
        let lines = marks.iter().map(|(new, text)| {
            let tag = if *new { "draft/react" } else { "draft/unreact" };
            self.answering(Line::command("TAGMSG").arg(name), of)
                .with_client_tag(tag, text)
        });
        let lines: Vec<Line> = lines.collect();
        let what = What::React {
            of: of.clone(),
            marks,
        };
        let target = self.fold(name);
        self.enter(txn, what, target, None, lines);
    }

    pub(super) fn retract(
        &mut self,
        txn: TransactionId,
        to: &Recipient,
        target: Target,
        reason: Option<&str>,
    ) {
        if !self.caps.has(Cap::MessageRedaction) {
            let feature = "taking a message back";
            return self.fail(txn, Failure::Unsupported { feature });
        }
        // A parameter cannot begin with a colon; a server that makes such ids cannot be told of them.
        let told = |id: &MessageId| message_id(&id.0).is_some() && !id.0.starts_with(':');
        if target.ids.is_empty() || !target.ids.iter().all(told) {
            let words = "The server has no name for this message.";
            return self.fail(txn, Failure::refused(Refusal::NotFound, words));
        }
        let name = name_of(to);
        let lines = target.ids.iter().map(|id| {
            let line = Line::command("REDACT").arg(name).arg(&id.0);
            match reason {
                Some(reason) => line.trailing(reason),
                None => line,
            }
        });
        let lines: Vec<Line> = lines.collect();
        let folded = self.fold(name);
        self.enter(txn, What::Retract { ids: target.ids }, folded, None, lines);
    }

    /// TAGMSG (message-tags): a message of nothing but tags.
    pub(super) fn on_tagmsg(&mut self, now: Now, message: &Message<'_>) {
        let Some((source, target)) = self.addressed(message) else {
            return;
        };
        if message.tags.mention("typing=") {
            self.on_typing(now, message, source, &target);
        }
        let value = |tag: &str| message.tags.get(tag).filter(|text| is_reaction(text));
        let (add, remove) = match (value("+draft/react"), value("+draft/unreact")) {
            (Some(text), None) => (Some(text), None),
            (None, Some(text)) => (None, Some(text)),
            // The two together mean nothing.
            _ => return,
        };
        let Some(of) = reply_of(message) else { return };
        let (nick, sender) = self.people.names(source, self.isupport.casemapping);
        let names = |text: Option<std::borrow::Cow<'_, str>>| -> Vec<Name> {
            text.iter().map(|text| Name::from(text.as_ref())).collect()
        };
        let reaction = Reaction {
            at: message_time(now, message),
            of,
            add: names(add),
            remove: names(remove),
            sender,
            nick,
        };
        if reaction.sender == self.me && self.is_own_reaction(&target, &reaction) {
            return;
        }
        self.tell_addressed(
            now,
            &target,
            &reaction.sender.clone(),
            RoomEvent::Reaction(reaction.clone()),
            PersonEvent::Reaction(reaction),
        );
    }

    /// REDACT: somebody took back a message.
    pub(super) fn on_redact(&mut self, now: Now, message: &Message<'_>) {
        let (Some((source, target)), Some(of)) = (self.addressed(message), message_id(message.param(1)))
        else {
            return;
        };
        let (nick, by) = self.people.names(source, self.isupport.casemapping);
        if by == self.me && self.is_own_redaction(&target, &of) {
            return;
        }
        let reason = message.params().get(2).map(|words| format::to_text(words).plain);
        let retraction = Retraction {
            at: message_time(now, message),
            of,
            reason: reason.filter(|words| !words.trim().is_empty()),
            nick,
            by: by.clone(),
        };
        self.tell_addressed(
            now,
            &target,
            &by,
            RoomEvent::Retraction(retraction.clone()),
            PersonEvent::Retraction(retraction),
        );
    }

    /// From whom a line is, and to which folded target: a channel, the user, or (from the user) somebody.
    fn addressed<'a>(&self, message: &Message<'a>) -> Option<(Source<'a>, Name)> {
        let source = message.source?;
        let target = self.isupport.without_status(message.param(0));
        let known = self.isupport.is_channel(target) || self.is_me(target) || self.is_me(source.nick);
        (known && is_sane(target)).then(|| (source, self.fold(target)))
    }

    pub(super) fn tell_addressed(
        &mut self,
        now: Now,
        target: &Name,
        who: &Name,
        room: RoomEvent,
        person: PersonEvent,
    ) {
        if self.isupport.is_channel(target) {
            self.tell_in_room(now, target, room);
        } else {
            let other = if *who == self.me { target } else { who };
            self.tell_person(other.clone(), person);
        }
    }

    /// Whether this is the echo of a reaction that was asked for here. Then that line was taken.
    fn is_own_reaction(&mut self, target: &Name, reaction: &Reaction) -> bool {
        let wanted = |new: bool, text: &Name| {
            let those = if new { &reaction.add } else { &reaction.remove };
            those.contains(text)
        };
        let found = self.book.find_part(|pending, part| match &pending.what {
            What::React { of, marks } if pending.target == *target && *of == reaction.of => {
                marks.get(part).is_some_and(|(new, text)| wanted(*new, text))
            }
            _ => false,
        });
        self.take_own(found)
    }

    fn is_own_redaction(&mut self, target: &Name, of: &MessageId) -> bool {
        let found = self.redacting(target, of);
        self.take_own(found)
    }

    /// The line that takes back this message.
    fn redacting(&self, target: &str, of: &MessageId) -> Option<PartId> {
        self.book.find_part(|pending, part| match &pending.what {
            What::Retract { ids } => pending.target.as_str() == target && ids.get(part) == Some(of),
            _ => false,
        })
    }

    fn take_own(&mut self, found: Option<PartId>) -> bool {
        if let Some(part) = found {
            self.book.accept(part, &mut self.events);
        }
        found.is_some()
    }

    /// `FAIL REDACT code target msgid [context…] :words` (draft/message-redaction, "Errors").
    pub(super) fn redact_failed(&self, message: &Message<'_>) -> (Option<PartId>, Failure) {
        let refusal = match message.param(1) {
            "UNKNOWN_MSGID" => Refusal::NotFound,
            "REDACT_FORBIDDEN" => Refusal::Forbidden,
            _ => Refusal::NotAllowed,
        };
        let part =
            message_id(message.param(3)).and_then(|id| self.redacting(&self.fold(message.param(2)), &id));
        let words = format::to_text(message.last()).plain;
        (part, Failure::refused(refusal, words.as_str()))
    }
}

pub(super) fn name_of(to: &Recipient) -> &Name {
    match to {
        Recipient::Room(room) => &room.room,
        Recipient::Person(person) => &person.person,
    }
}

fn is_reaction(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MOST_REACTION && !text.contains(char::is_control)
}
