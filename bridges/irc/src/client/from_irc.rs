//! What a line from the server means: which part of the client it goes to, and which command an error is about.

use viaduct_bridge::Name;

use crate::proto::format;
use crate::proto::message::Message;

use super::book::PartId;
use super::pending::{Pending, What};
use super::{Client, Now, Phase, is_sane, refusal};

/// The most batches that may be open.
const MOST_BATCHES: usize = 16;

impl Client {
    /// Takes one line from the server, without its end. PING is not among them: it is answered below, where the
    /// bytes come in, whatever the client is doing.
    pub(crate) fn line(&mut self, now: Now, raw: &str) {
        let Some(message) = Message::parse(raw) else {
            return;
        };
        if matches!(self.phase, Phase::Ended(_)) || self.register(now, &message) {
            return;
        }
        if message.source.is_some_and(|source| !is_sane(source.nick)) {
            return;
        }
        if self.on_history_line(now, &message) {
            return;
        }
        let own_label = message.tags.get("label").and_then(|label| read_label(&label));
        self.label = own_label.or_else(|| self.label_of_batch(&message));
        match message.command {
            "PRIVMSG" => self.on_message(now, &message, false),
            "NOTICE" => self.on_message(now, &message, true),
            "TAGMSG" => self.on_tagmsg(now, &message),
            "RENAME" => self.on_rename(&message),
            "REDACT" => self.on_redact(now, &message),
            "JOIN" => self.on_join(now, &message),
            "PART" => self.on_part(&message),
            "QUIT" => self.on_quit(&message),
            "NICK" => self.on_nick(&message),
            "KICK" => self.on_kick(now, &message),
            "MODE" if self.isupport.is_channel(message.param(0)) => self.on_mode(now, &message),
            "TOPIC" => self.on_topic(now, &message),
            "AWAY" => self.on_away(&message),
            "INVITE" => self.on_invite(&message),
            "CHGHOST" => self.on_chghost(&message),
            "PONG" => {
                self.book.pong(message.last(), now.at, &mut self.events);
            }
            "BATCH" => {
                if !self.on_history_batch(now, &message) {
                    self.on_batch(&message, own_label);
                }
            }
            "CAP" => self.on_late_cap(&message),
            "FAIL" => self.on_fail(now, &message),
            "WARN" | "NOTE" | "WALLOPS" => self.server_says(message.last()),
            "ERROR" => self.on_closing(message.last()),
            _ => {
                if let Some(code) = message.numeric() {
                    self.on_numeric(now, code, &message);
                }
            }
        }
        if let Some(label) = own_label
            && message.command != "BATCH"
        {
            self.book.accept(label, &mut self.events);
        }
        self.label = None;
    }

    fn on_numeric(&mut self, now: Now, code: u16, message: &Message<'_>) {
        match code {
            5 => {
                // Everything between the user's name and the closing words.
                let tokens = message.params();
                for token in tokens.get(1..tokens.len().saturating_sub(1)).unwrap_or_default() {
                    if self.isupport.apply(token) && self.is_online() {
                        self.rooms.rekey(self.isupport.casemapping);
                        self.people.clear();
                        self.me = self.fold(&self.nick);
                    }
                }
                if self.is_online() {
                    self.tell_relations();
                }
            }
            301 => {
                let person = self.fold(message.param(1));
                let text = format::to_text(message.last()).plain;
                self.is_away(person, Some(text));
            }
            324 | 331 | 332 | 333 | 353 | 366 => {
                self.on_description(now, code, message);
            }
            367 => self.on_ban_listed(message),
            368 => self.on_ban_list_end(message),
            code if refusal::is_error(code) => self.on_error(now, code, message),
            _ => {}
        }
    }

    /// An error: it is about the command with its label, a room being entered, the oldest command that it fits, or
    /// nothing that is known. Then the user reads it.
    fn on_error(&mut self, now: Now, code: u16, message: &Message<'_>) {
        if self.rooms_first(code) && self.room_refused(now, code, message) {
            return;
        }
        let about = self.label.or_else(|| self.refused_command(code, message));
        if let Some(part) = about {
            let failure = refusal::of_command(code, message.last());
            self.book.refuse(part, failure, &mut self.events);
            return;
        }
        if self.room_refused(now, code, message) {
            return;
        }
        // What is left says more with its parameters, such as "421 FOO :Unknown command".
        let words: Vec<&str> = message.params().iter().skip(1).copied().collect();
        self.server_says(&words.join(" "));
    }

    /// Errors that only entering a room can draw.
    fn rooms_first(&self, code: u16) -> bool {
        self.label.is_none()
            && matches!(
                code,
                403 | 405 | 437 | 470 | 471 | 473..=476 | 479 | 480 | 489 | 500 | 520
            )
    }

    /// The oldest command that an error fits, by what it names: a person, a room, or a command.
    fn refused_command(&self, code: u16, message: &Message<'_>) -> Option<PartId> {
        if self.book.is_empty() {
            return None;
        }
        let subject = message.param(1);
        let folded = self.fold(subject);
        let room = (message.params().len() > 3).then(|| self.fold(message.param(2)));
        let by_name = |pending: &Pending| match code {
            // The nickname that was asked for.
            431 | 432 | 433 | 435 | 436 | 438 | 447 => pending.what == What::Nick,
            437 => pending.what == What::Nick && pending.target == folded,
            // "441 nick #channel"
            441 => pending.person.as_deref() == Some(&folded) && Some(&pending.target) == room.as_ref(),
            404 => pending.what.is_message() && pending.target == folded,
            482 | 478 | 467 | 499 => !pending.what.says() && pending.target == folded,
            _ => pending.target == folded || pending.person.as_deref() == Some(&folded),
        };
        let by_verb = |pending: &Pending| pending.what.verb().eq_ignore_ascii_case(subject);
        let by_kind = |pending: &Pending| match code {
            411..=414 | 417 => pending.what.is_message(),
            472 | 501 | 502 | 696 => pending.what.verb() == "MODE",
            481 | 484 | 485 => !pending.what.says(),
            _ => false,
        };
        let named = self.book.oldest(by_name);
        let named = match code {
            401 | 441 => named.map(|part| self.book.about_person(part)),
            _ => named,
        };
        named
            .or_else(|| self.book.oldest(by_verb))
            .or_else(|| self.book.oldest(by_kind))
    }

    /// FAIL of IRCv3 standard-replies: `FAIL command code [context…] :words`.
    fn on_fail(&mut self, now: Now, message: &Message<'_>) {
        let verb = message.param(0);
        let words = format::to_text(message.last()).plain;
        if verb == "CHATHISTORY" {
            return self.history_failed(now, message);
        }
        if verb == "JOIN" {
            let context = message.params().get(2..).unwrap_or_default();
            for name in context {
                let folded = self.fold(name);
                let asked = self.rooms.get_mut(&folded).is_some_and(|room| !room.is_entered());
                if asked {
                    let failure = refusal::of_join(0, &words);
                    self.refuse_room(&folded, failure);
                    return;
                }
            }
        }
        let (named, failure) = if verb == "REDACT" {
            self.redact_failed(message)
        } else {
            (None, refusal::of_command(0, &words))
        };
        let about = self
            .label
            .or(named)
            .or_else(|| self.book.oldest(|pending| pending.what.verb() == verb));
        match about {
            Some(part) => {
                self.book.refuse(part, failure, &mut self.events);
            }
            None => self.notice(words),
        }
        let _ = now;
    }

    /// BATCH (IRCv3 batch): only those that answer a label mean something here.
    fn on_batch(&mut self, message: &Message<'_>, label: Option<PartId>) {
        let reference = message.param(0);
        if let Some(opened) = reference.strip_prefix('+') {
            if let Some(label) = label
                && self.batches.len() < MOST_BATCHES
            {
                self.batches.push((opened.into(), label));
            }
        } else if let Some(closed) = reference.strip_prefix('-')
            && let Some(at) = self.batches.iter().position(|(name, _)| **name == *closed)
        {
            let (_, label) = self.batches.swap_remove(at);
            self.book.accept(label, &mut self.events);
        }
    }

    fn label_of_batch(&self, message: &Message<'_>) -> Option<PartId> {
        if self.batches.is_empty() {
            return None;
        }
        let batch = message.tags.get("batch")?;
        self.batches
            .iter()
            .find(|(name, _)| **name == *batch)
            .map(|(_, label)| *label)
    }

    /// RPL_BANLIST, while the list is read to lift a ban.
    fn on_ban_listed(&mut self, message: &Message<'_>) {
        let (room, mask) = (self.fold(message.param(1)), message.param(2));
        let Some((seq, _)) = self.unban_of(&room) else {
            return;
        };
        let Self { book, people, .. } = self;
        let Some(pending) = book.get_mut(seq) else {
            return;
        };
        let person = pending.person.clone().unwrap_or_else(|| Name::from(""));
        if let What::Unban { masks, .. } = &mut pending.what
            && masks.len() < super::bans::MOST_LIFTED
            && super::bans::mask_hits(mask, &person, people.userhost(&person))
        {
            masks.push(mask.to_owned());
        }
    }

    /// RPL_ENDOFBANLIST.
    fn on_ban_list_end(&mut self, message: &Message<'_>) {
        let room = self.fold(message.param(1));
        if let Some((seq, _)) = self.unban_of(&room) {
            self.lift(seq);
        }
    }

    fn unban_of(&self, room: &str) -> Option<PartId> {
        self.book
            .oldest(|p| p.target.as_str() == room && matches!(p.what, What::Unban { listing: true, .. }))
    }
}

fn read_label(label: &str) -> Option<PartId> {
    let (seq, part) = label.split_once('.')?;
    Some((seq.parse().ok()?, part.parse().ok()?))
}
