//! How a channel is, changed by the user: MODE (RFC 2812 §3.2.3) with the modes that every server has.

use viaduct_bridge::{Failure, Outcome, Refusal, RoomChange, RoomId, Secret, TransactionId};

use crate::proto::line::Line;

use super::Client;
use super::pending::{What, outcome};

/// One change: set or taken away, the letter, its parameter.
type Mode = (bool, char, Option<String>);

impl Client {
    /// Changes how a channel is, in as few lines as the server's limit of parameters permits.
    pub(super) fn configure(&mut self, txn: TransactionId, room: &RoomId, change: &RoomChange) {
        let modes = match self.modes_of(&room.room, change) {
            Ok(modes) => modes,
            Err(words) => {
                let failure = Failure::refused(Refusal::NotAcceptable, words);
                self.events.push(outcome(txn, Outcome::Failed(failure)));
                return;
            }
        };
        if modes.is_empty() {
            let (ids, at) = (Vec::new(), None);
            self.events.push(outcome(txn, Outcome::Accepted { ids, at }));
            return;
        }
        let mut lines = Vec::new();
        let mut rest = modes.as_slice();
        while !rest.is_empty() {
            let mut params = 0;
            let fits = rest.iter().take_while(|(_, _, param)| {
                params += usize::from(param.is_some());
                params <= self.isupport.modes.max(1)
            });
            let (these, others) = rest.split_at(fits.count().max(1));
            lines.push(line(&room.room, these));
            rest = others;
        }
        let target = self.fold(&room.room);
        self.enter(txn, What::Settings, target, None, lines);
    }

    fn modes_of(&mut self, room: &str, change: &RoomChange) -> Result<Vec<Mode>, &'static str> {
        let folded = self.fold(room);
        let known = self.rooms.get_mut(&folded);
        let (flags, hiding, key) = known.map_or_else(Default::default, |room| {
            (room.modes.flags(), room.modes.hiding(), room.key.clone())
        });
        let mut modes: Vec<Mode> = Vec::new();
        let mut toggle = |letter, wanted: Option<bool>, is: bool| {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != is) {
                modes.push((wanted, letter, None));
            }
        };
        toggle('m', change.moderated, flags.moderated);
        toggle('i', change.invite_only, flags.invite_only);
        toggle('t', change.topic_locked, flags.topic_locked);
        match change.hidden {
            Some(true) if hiding.is_empty() => modes.push((true, 's', None)),
            Some(false) => modes.extend(hiding.into_iter().map(|letter| (false, letter, None))),
            _ => {}
        }
        match change.limit {
            Some(Some(limit)) if flags.limit != Some(limit) => {
                modes.push((true, 'l', Some(limit.to_string())))
            }
            Some(None) if flags.limit.is_some() => modes.push((false, 'l', None)),
            _ => {}
        }
        if let Some(password) = &change.password {
            if flags.password {
                // Some servers refuse a new key over an old one, and all take any word with which to remove it.
                let old = key.as_ref().map_or("*", Secret::reveal);
                modes.push((false, 'k', Some(old.to_owned())));
            }
            if let Some(new) = password {
                let text = new.reveal();
                if text.is_empty() || text.contains([' ', ',', ':', '\r', '\n', '\0']) {
                    return Err("A password of an IRC channel has no spaces, commas or colons.");
                }
                modes.push((true, 'k', Some(text.to_owned())));
            }
        }
        Ok(modes)
    }
}

fn line(room: &str, modes: &[Mode]) -> Line {
    let mut text = String::new();
    let mut last = None;
    for (set, letter, _) in modes {
        if last != Some(*set) {
            text.push(if *set { '+' } else { '-' });
            last = Some(*set);
        }
        text.push(*letter);
    }
    let line = Line::command("MODE").arg(room).arg(&text);
    modes
        .iter()
        .filter_map(|(_, _, param)| param.as_ref())
        .fold(line, |line, param| line.arg(param))
}
