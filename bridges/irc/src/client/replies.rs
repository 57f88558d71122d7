//! Standard replies (IRCv3 standard-replies): FAIL, WARN and NOTE say in words what became of a command, and which.
//!
//! `FAIL command code [context …] :words` refuses the command where it is one of the user's; everything else the user
//! reads, with what it is about. The context is for developers, but often names the room or the person.

use crate::proto::format;
use crate::proto::message::Message;

use super::book::PartId;
use super::pending::Pending;
use super::{Client, End, Now, Phase, refusal};

impl Client {
    /// FAIL, WARN or NOTE.
    pub(super) fn on_standard_reply(&mut self, now: Now, message: &Message<'_>) {
        let verb = message.param(0);
        let parameters = message.params();
        let context = parameters
            .get(2..parameters.len().saturating_sub(1))
            .unwrap_or_default();
        if message.command == "FAIL" && verb.eq_ignore_ascii_case("CHATHISTORY") {
            return self.history_failed(now, message);
        }
        if message.command == "FAIL" && verb.eq_ignore_ascii_case("MARKREAD") {
            // Nobody asked for it in words, and nobody can do anything about it.
            return;
        }
        if message.command == "FAIL" && self.sign_up_failed(message) {
            return;
        }
        let words = format::to_text(message.last()).plain;
        if message.command == "FAIL" && self.refused_by_reply(message, context, &words) {
            return;
        }
        let room = context.iter().find(|name| self.isupport.is_channel(name));
        self.notice(with_its_subject(verb, room.copied(), &words));
    }

    /// Whether a FAIL refuses something that is under way.
    fn refused_by_reply(&mut self, message: &Message<'_>, context: &[&str], words: &str) -> bool {
        let (verb, code) = (message.param(0), message.param(1));
        let mut failure = refusal::of_reply(code, words);
        if matches!(self.phase, Phase::Registering(_)) {
            // Of those that come before the welcome, this one alone is about all of it.
            let final_word = code.eq_ignore_ascii_case("ACCOUNT_REQUIRED_TO_CONNECT");
            if final_word {
                let reason = format!("{} refuses the connection: {words}", self.server);
                self.finish(End::Refused(refusal::of_reply(code, &reason)));
            }
            return final_word;
        }
        if verb.eq_ignore_ascii_case("JOIN") {
            for name in context {
                let folded = self.fold(name);
                if self.rooms.get_mut(&folded).is_some_and(|room| !room.is_entered()) {
                    self.refuse_room(&folded, failure);
                    return true;
                }
            }
        }
        let mut named = None;
        if verb.eq_ignore_ascii_case("REDACT") {
            (named, failure) = self.redact_failed(message);
        }
        let about = self.label.or(named).or_else(|| self.replied_to(verb, context));
        let Some(part) = about else {
            return false;
        };
        self.book.refuse(part, failure, &mut self.events);
        true
    }

    /// The oldest command of this name: about what the context names, if that is the target of any.
    fn replied_to(&self, verb: &str, context: &[&str]) -> Option<PartId> {
        let batch = verb.eq_ignore_ascii_case("BATCH");
        let same_verb = |pending: &Pending| {
            pending.what.verb().eq_ignore_ascii_case(verb) || batch && pending.is_multiline()
        };
        let named: Vec<_> = context.iter().map(|name| self.fold(name)).collect();
        self.book
            .oldest(|pending| same_verb(pending) && named.contains(&pending.target))
            .or_else(|| self.book.oldest(same_verb))
    }
}

/// The words, with what they are about.
fn with_its_subject(verb: &str, room: Option<&str>, words: &str) -> String {
    let verb = verb.to_ascii_uppercase();
    let subject = match verb.as_str() {
        "" | "*" => return words.to_owned(),
        "PRIVMSG" | "NOTICE" | "TAGMSG" => "your message",
        "JOIN" => "entering a channel",
        "PART" => "leaving a channel",
        "NICK" => "your nickname",
        "TOPIC" => "the topic",
        "MODE" => "a change of modes",
        "KICK" => "a kick",
        "INVITE" => "an invitation",
        "AWAY" => "your being away",
        "AUTHENTICATE" => "your login",
        "SETNAME" => "your real name",
        "REGISTER" | "VERIFY" => "your new account",
        other => other,
    };
    match room {
        Some(room) => format!("About {subject} ({room}): {words}"),
        None => format!("About {subject}: {words}"),
    }
}
