//! What a line from the server means: which part of the client it goes to, and which command an error is about.

use crate::proto::format;
use crate::proto::message::Message;

use super::book::PartId;
use super::multiline::Part;
use super::pending::{Pending, What};
use super::{Client, Now, Phase, is_sane, refusal, whois};

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
        match self.on_multiline(&message) {
            Part::None => {}
            Part::Kept => return,
            Part::Whole(line) => return self.line(now, &line),
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
            "REGISTER" | "VERIFY" => self.on_signed_up(&message),
            "MARKREAD" => self.on_mark_read(now, &message),
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
            "ACCOUNT" => self.on_account(&message),
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
            "FAIL" | "WARN" | "NOTE" => self.on_standard_reply(now, &message),
            "WALLOPS" => self.server_says(message.last()),
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
                        self.watch.rekey(self.isupport.casemapping);
                        self.people.clear();
                        self.me = self.fold(&self.nick);
                        // Whoever keeps names has to fold them anew as well.
                        self.tell_online();
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
                self.on_whois(now, code, message);
            }
            324 | 331 | 332 | 333 | 353 | 366 => {
                self.on_description(now, code, message);
            }
            302 => self.on_userhost(message),
            303 => self.on_ison(now, message),
            315 => self.on_who_end(now),
            352 | 354 => self.on_who(code, message),
            322 => self.on_listed(now, message),
            323 => self.on_list_end(),
            code if whois::is_of_whois(code) => self.on_whois(now, code, message),
            341 => self.on_inviting(message),
            730 | 731 => self.on_monitored(now, code == 730, message),
            734 => self.on_monitor_full(now, message),
            367 => self.on_ban_listed(now, message),
            368 => self.on_ban_list_end(message),
            code if refusal::is_error(code) => self.on_error(now, code, message),
            // The user has asked for something in the server's own language, and reads the answer.
            _ if self.book.oldest(|pending| pending.what == What::Raw).is_some() => {
                let words: Vec<&str> = message.params().iter().skip(1).copied().collect();
                self.server_says(&words.join(" "));
            }
            _ => {}
        }
    }

    /// An error: it is about the command with its label, a room being entered, the oldest command that it fits, or
    /// nothing that is known. Then the user reads it.
    fn on_error(&mut self, now: Now, code: u16, message: &Message<'_>) {
        if self.who_refused(now, code, message)
            || self.watch_refused(now, code, message)
            || self.rooms_first(code) && self.room_refused(now, code, message)
        {
            return;
        }
        let about = self.label.or_else(|| self.refused_command(code, message));
        if self.question_refused(code, message, about) {
            return;
        }
        if let Some(part) = about {
            let invites = self.book.get_mut(part.0).is_some_and(|p| p.what == What::Invite);
            // To say something to nobody fails as to somebody who is away; to invite nobody is a mistake.
            let code = if invites && code == 401 { 402 } else { code };
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
            .or_else(|| self.book.oldest(|pending| pending.what == What::Raw))
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
}

fn read_label(label: &str) -> Option<PartId> {
    let (seq, part) = label.split_once('.')?;
    Some((seq.parse().ok()?, part.parse().ok()?))
}
