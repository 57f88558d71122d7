//! What a user wants, as lines (RFC 2812 §3).

use std::time::Instant;

use viaduct_bridge::{Command, Failure, Name, Outcome, Rank, Refusal, TransactionId};

use crate::proto::caps::Cap;
use crate::proto::line::Line;

use super::pending::{Piece, What, outcome};
use super::queue::{MOST_QUEUED, Queued};
use super::{Client, Now, bans};

/// How much is put together before it is written.
const MOST_BYTES: usize = 64 * 1024;
impl Client {
    /// Does one command. Only while online; connecting and leaving is the driver's.
    pub(crate) fn command(&mut self, now: Now, command: Command) {
        match command {
            Command::Connect { .. } => self.tell_online(),
            Command::Watch { person } => self.watch(now, &person.person),
            Command::Unwatch { person } => self.unwatch(&person.person),
            Command::Disconnect { .. } => {}
            Command::Join { room, key, since, .. } => self.join(now, room, key, since),
            Command::Leave { room, reason } => self.leave(room, reason.as_deref()),
            Command::SetAway { text } => self.set_away(text.as_deref()),
            Command::Ask { txn, question, .. } => self.ask(now, txn, question),
            Command::Send {
                txn,
                to,
                content,
                relation,
                ..
            } => self.say(txn, to, content, relation.as_deref()),
            Command::MarkRead { to, upto } => self.mark_read(now, &to, upto),
            Command::Typing { to, state } => self.typing(now, &to, state),
            Command::React {
                txn,
                to,
                target,
                add,
                remove,
            } => self.react(txn, &to, &target, (add, remove)),
            Command::Retract {
                txn,
                to,
                target,
                reason,
            } => self.retract(txn, &to, *target, reason.as_deref()),
            Command::Configure { settings, .. } => self.settings_changed(&settings),
            Command::Raw { txn, line, .. } => match Line::raw(&line) {
                Some(line) => {
                    let target = Name::from("");
                    self.enter(txn, What::Raw, target, None, vec![line]);
                }
                None => {
                    let words = "This is no line: it begins with a command, such as 'LUSERS'.";
                    self.fail(txn, Failure::refused(Refusal::NotAcceptable, words));
                }
            },
            Command::SignUp { txn, step, .. } => self.sign_up(now, txn, step),
            Command::SetTopic { txn, room, text } => {
                let line = Line::command("TOPIC").arg(&room.room).trailing(&text);
                let target = self.fold(&room.room);
                self.enter(txn, What::Topic, target, None, vec![line]);
            }
            Command::SetNick { txn, nick, .. } => {
                let target = self.fold(&nick);
                let line = Line::command("NICK").arg(&nick);
                self.enter(txn, What::Nick, target, None, vec![line]);
            }
            Command::SetRank {
                txn,
                room,
                person,
                grant,
                revoke,
            } => self.set_rank(txn, &room.room, &person, grant, revoke),
            Command::Kick {
                txn,
                room,
                person,
                reason,
            } => {
                let target = self.fold(&room.room);
                let line = kick(&room.room, &person, reason.as_deref());
                self.enter(txn, What::Kick, target, Some(person), vec![line]);
            }
            Command::SetRoom { txn, room, change } => self.configure(txn, &room, &change),
            Command::Invite { txn, room, person } => {
                let line = Line::command("INVITE").arg(&person).arg(&room.room);
                let target = self.fold(&room.room);
                self.enter(txn, What::Invite, target, Some(person), vec![line]);
            }
            Command::SetBan {
                txn,
                room,
                person,
                banned: true,
                reason,
            } => self.ban(txn, &room.room, person, reason.as_deref()),
            Command::SetBan {
                txn, room, person, ..
            } => {
                let line = Line::command("MODE").arg(&room.room).arg("+b");
                let target = self.fold(&room.room);
                let what = What::Unban {
                    masks: Vec::new(),
                    listing: true,
                };
                self.enter(txn, what, target, Some(person), vec![line]);
            }
        }
    }

    /// Tells the others that the user is away, or back.
    pub(super) fn set_away(&mut self, text: Option<&str>) {
        let line = Line::command("AWAY");
        let line = match text {
            // An empty reason would mean that the user is back.
            Some(text) => line.trailing(if text.trim().is_empty() { "away" } else { text }),
            None => line,
        };
        self.queue.push_away(line);
    }

    fn set_rank(&mut self, txn: TransactionId, room: &str, person: &Name, grant: Rank, revoke: Rank) {
        let letters = |ranks| {
            self.isupport.letters(ranks).map_err(|_| {
                let words = "This server has no such rank.";
                Failure::refused(Refusal::NotAllowed, words)
            })
        };
        let changes = match (letters(grant), letters(revoke)) {
            (Ok(grant), Ok(revoke)) => {
                let grant = grant.into_iter().map(|letter| ('+', letter));
                grant
                    .chain(revoke.into_iter().map(|letter| ('-', letter)))
                    .collect::<Vec<_>>()
            }
            (Err(failure), _) | (_, Err(failure)) => {
                self.fail(txn, failure);
                return;
            }
        };
        if changes.is_empty() {
            let nothing = Outcome::Accepted {
                ids: vec![],
                at: None,
            };
            self.events.push(outcome(txn, nothing));
            return;
        }
        let lines = changes
            .chunks(self.isupport.modes)
            .map(|chunk| {
                let mut modes = String::new();
                let mut last = ' ';
                for (sign, letter) in chunk {
                    if *sign != last {
                        modes.push(*sign);
                        last = *sign;
                    }
                    modes.push(*letter);
                }
                let line = Line::command("MODE").arg(room).arg(&modes);
                chunk.iter().fold(line, |line, _| line.arg(person))
            })
            .collect();
        let target = self.fold(room);
        self.enter(txn, What::Rank, target, Some(person.clone()), lines);
    }

    /// Sets the ban, and then removes the person if they are there: a ban alone lets them stay.
    fn ban(&mut self, txn: TransactionId, room: &str, person: Name, reason: Option<&str>) {
        let mask = bans::mask_of(&person, self.people.userhost(&person));
        self.own_bans
            .note(self.isupport.casemapping.fold(room), &mask, &person);
        let set = Line::command("MODE").arg(room).arg("+b").arg(&mask);
        let kick = kick(room, &person, reason);
        let target = self.fold(room);
        if let Some(seq) = self.enter(txn, What::Ban, target, Some(person), vec![set]) {
            let part = self.book.extend(seq, vec![kick], true);
            self.queue.push(Queued::Part { seq, part });
        }
    }

    /// Takes the masks that were found off the list of bans.
    pub(super) fn lift(&mut self, seq: u64) {
        let most = self.isupport.modes;
        let Some(pending) = self.book.get_mut(seq) else {
            return;
        };
        let What::Unban { masks, listing } = &mut pending.what else {
            return;
        };
        *listing = false;
        let masks = std::mem::take(masks);
        if masks.is_empty() {
            let words = "No ban on the list is about this person.";
            pending.refuse(Failure::refused(Refusal::NotFound, words));
            self.book.settle(seq, &mut self.events);
            return;
        }
        let room = pending.target.clone();
        let lines: Vec<Line> = masks
            .chunks(most)
            .map(|chunk| {
                let modes = format!("-{}", "b".repeat(chunk.len()));
                let line = Line::command("MODE").arg(&room).arg(&modes);
                chunk.iter().fold(line, |line, mask| line.arg(mask))
            })
            .collect();
        let count = lines.len();
        let first = self.book.extend(seq, lines, false);
        for part in (first..).take(count) {
            self.queue.push(Queued::Part { seq, part });
        }
    }

    /// Enters a command into the book and queues its lines, or refuses it when too many wait already.
    pub(super) fn enter(
        &mut self,
        txn: TransactionId,
        what: What,
        target: Name,
        person: Option<Name>,
        lines: Vec<impl Into<Piece>>,
    ) -> Option<u64> {
        let lines: Vec<Piece> = lines.into_iter().map(Into::into).collect();
        let count: usize = lines.iter().map(Piece::weight).sum();
        if count > MOST_QUEUED {
            let words = format!("This has {count} lines; IRC takes {MOST_QUEUED} at most.");
            self.fail(txn, Failure::refused(Refusal::NotAcceptable, words));
            return None;
        }
        if self.queue.is_full() {
            let reason = format!(
                "{} takes lines only slowly, and {} are waiting already. Try again in {} s.",
                self.server,
                self.queue.len(),
                self.pace.wait_for(self.queue.len()).as_secs().max(1)
            );
            self.fail(txn, Failure::refused(Refusal::Throttled, reason));
            return None;
        }
        let count = lines.len();
        let seq = self.book.enter(txn, what, target, person, lines);
        for part in (0..).take(count) {
            self.queue.push(Queued::Part { seq, part });
        }
        Some(seq)
    }

    pub(super) fn fail(&mut self, txn: TransactionId, failure: Failure) {
        self.events.push(outcome(txn, Outcome::Failed(failure)));
    }

    /// Appends lines that go before everything else, then queued ones as the pace permits.
    pub(crate) fn transmit_queue(&mut self, now: Now, out: &mut Vec<u8>) {
        for line in self.urgent.drain(..) {
            line.write_and_wipe(out);
        }
        if !self.is_online() {
            return;
        }
        while out.len() < MOST_BYTES && !self.queue.is_empty() && self.pace.take(now.at) {
            self.transmit_one(now, now.at, out);
        }
        while out.len() < MOST_BYTES
            && self.queue.is_empty()
            && !self.questions.is_empty()
            && self.pace.take_spare(now.at)
        {
            match self.questions.front_mut() {
                Some(Queued::Line(question)) => question.write(out),
                Some(Queued::Ask { txn, line }) if self.asks.write(*txn, now.at, self.book.next()) => {
                    line.write(out);
                    // With labels, an error without one is about a question.
                    let program = self.asks.program(*txn);
                    if let Some(ask) = program.filter(|_| !self.caps.has(Cap::LabeledResponse)) {
                        ask.fence = Some(self.book.write_fence(now.at, out));
                        self.pulse.asked(now.at);
                    }
                }
                _ => {}
            }
            self.questions.pop();
        }
    }

    fn transmit_one(&mut self, now: Now, at: Instant, out: &mut Vec<u8>) {
        let labels = self.caps.has(Cap::LabeledResponse);
        let echo = self.caps.has(Cap::EchoMessage);
        match self.queue.front_mut() {
            Some(Queued::Line(line) | Queued::Away(line)) => {
                line.write(out);
                self.queue.pop();
            }
            Some(Queued::Part { seq, part }) => {
                let lines = self.book.write((*seq, *part), labels, echo, at, out);
                self.pace.owe(lines.saturating_sub(1));
                self.queue.pop();
            }
            Some(Queued::Joins(names)) => {
                let mut names = std::mem::take(names);
                self.write_joins(now, &mut names, out);
                if names.is_empty() {
                    self.queue.pop();
                } else if let Some(Queued::Joins(rest)) = self.queue.front_mut() {
                    *rest = names;
                }
            }
            // Questions have a queue of their own.
            Some(Queued::Ask { .. }) => self.queue.pop(),
            None => {}
        }
    }
}

fn kick(room: &str, person: &str, reason: Option<&str>) -> Line {
    let line = Line::command("KICK").arg(room).arg(person);
    match reason {
        Some(reason) => line.trailing(reason),
        None => line,
    }
}
