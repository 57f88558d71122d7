//! Who of the people whom the user watches is on the server: by MONITOR where there is one
//! (<https://ircv3.net/specs/extensions/monitor>), for all others by ISON (RFC 1459 §5.8, RFC 2812 §4.9) from time to
//! time. Neither says who is away; USERHOST does (RFC 2812 §4.8), and is asked about those who are there, unless the
//! server tells that by itself (away-notify with extended-monitor).
//!
//! What is asked goes as all questions do: one line at a time, behind what the user says.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use viaduct_bridge::{Name, PersonEvent};

use crate::proto::caps::Cap;
use crate::proto::casemap::Casemapping;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::{Client, Now, is_sane};

/// The most people who are watched on one connection.
const MOST_WATCHED: usize = 1000;
/// The pause between two rounds of questions.
const PAUSE: Duration = Duration::from_secs(60);
/// How long those who have come wait to be asked about: several often come at once.
const SOON: Duration = Duration::from_secs(2);
/// How long the answers of a round are waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most bytes of names in one line.
const MOST_BYTES: usize = 400;
/// The most names that USERHOST takes.
const MOST_HOSTS: usize = 5;

/// Whom the user watches.
#[derive(Default)]
pub(super) struct Watch {
    people: BTreeMap<Name, Watched>,
    /// What is still to be asked, in this order.
    asking: VecDeque<Question>,
    /// What was asked and not answered, and until when that may take.
    asked: VecDeque<Question>,
    until: Option<Instant>,
    /// When the next round begins.
    next: Option<Instant>,
    /// When those who are new are asked about, before the next round.
    soon: Option<Instant>,
    /// When this was looked at last.
    looked: Option<Instant>,
    /// The server has no MONITOR after all, or no more room in it.
    full: bool,
    /// The server has no ISON, or no USERHOST.
    no_ison: bool,
    no_userhost: bool,
}

/// Somebody who is watched.
#[derive(Default)]
struct Watched {
    /// Whether the server tells of them by itself.
    monitored: bool,
    /// Whether they were never asked about.
    fresh: bool,
    /// Whether they have just come, so that it is not known whether they are away.
    new: bool,
    online: Option<bool>,
    away: bool,
}

/// A line that asks about people, by folded name.
enum Question {
    Monitor(Vec<Name>),
    Ison(Vec<Name>),
    Userhost(Vec<Name>),
}

impl Watch {
    /// When something is to be done, if no other question waits.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.people.is_empty() {
            None
        } else if self.asking.is_empty() {
            self.next.into_iter().chain(self.soon).chain(self.until).min()
        } else {
            self.looked
        }
    }

    /// Somebody is seen to be there, or to be gone, or to have another name: not a matter of these questions, and told
    /// already.
    pub(super) fn noted(&mut self, person: &str, online: bool) {
        if let Some(watched) = self.people.get_mut(person) {
            watched.online = Some(online);
            watched.away &= online;
        }
    }

    /// Somebody is away or back, and that was told.
    pub(super) fn noted_away(&mut self, person: &str, away: bool) {
        if let Some(watched) = self.people.get_mut(person) {
            watched.away = away;
        }
    }

    /// Names are folded anew.
    pub(super) fn rekey(&mut self, fold: Casemapping) {
        let people = std::mem::take(&mut self.people).into_iter();
        self.people = people
            .map(|(name, watched)| (fold.fold_name(&name), watched))
            .collect();
    }

    fn in_lines(names: Vec<Name>, most: usize, make: fn(Vec<Name>) -> Question) -> Vec<Question> {
        let (mut lines, mut line, mut bytes) = (Vec::new(), Vec::new(), 0);
        for name in names {
            if !line.is_empty() && (bytes + name.len() > MOST_BYTES || line.len() >= most) {
                lines.push(make(std::mem::take(&mut line)));
                bytes = 0;
            }
            bytes += name.len() + 1;
            line.push(name);
        }
        if !line.is_empty() {
            lines.push(make(line));
        }
        lines
    }
}

impl Client {
    /// The user wants to know whether somebody is there.
    pub(super) fn watch(&mut self, now: Now, person: &Name) {
        let folded = self.fold(person);
        if !is_sane(&folded) || folded.contains(',') || self.watch.people.len() >= MOST_WATCHED {
            return;
        }
        if let Some(watched) = self.watch.people.get(&folded) {
            match watched.online {
                Some(true) => self.tell_person(folded.clone(), PersonEvent::Online { nick: folded }),
                Some(false) => self.tell_person(folded, PersonEvent::Offline),
                None => {}
            }
            return;
        }
        let monitored = self.watch.people.values().filter(|w| w.monitored).count();
        let limit = self.isupport.monitor.unwrap_or(0);
        let watched = Watched {
            monitored: !self.watch.full && monitored < limit,
            fresh: true,
            ..Watched::default()
        };
        self.watch.people.insert(folded, watched);
        self.watch.soon = Some(now.at);
        self.watch.next.get_or_insert(now.at + PAUSE);
    }

    /// The user no longer wants to know.
    pub(super) fn unwatch(&mut self, person: &Name) {
        let folded = self.fold(person);
        let watched = self.watch.people.remove(&folded);
        for question in &mut self.watch.asking {
            let (Question::Monitor(names) | Question::Ison(names) | Question::Userhost(names)) = question;
            names.retain(|name| *name != folded);
        }
        self.watch.asking.retain(|question| {
            let (Question::Monitor(names) | Question::Ison(names) | Question::Userhost(names)) = question;
            !names.is_empty()
        });
        if watched.is_some_and(|watched| watched.monitored && !watched.fresh) {
            let line = Line::command("MONITOR").arg("-").arg(&folded);
            self.questions.push_provoked(line);
        }
    }

    /// Asks what is due.
    pub(super) fn watch_tick(&mut self, now: Now) {
        if self.watch.people.is_empty() || !self.questions.is_empty() {
            return;
        }
        self.watch.looked = Some(now.at);
        if self.watch.until.is_some_and(|until| until <= now.at) {
            // The answers are lost; the next round asks again.
            self.watch.asked.clear();
            self.watch.until = None;
        }
        let full = self.watch.next.is_some_and(|next| next <= now.at);
        if full || self.watch.soon.is_some_and(|soon| soon <= now.at) {
            let over = self.watch.asking.is_empty() && self.watch.asked.is_empty();
            self.begin_round(full && over);
            self.watch.soon = None;
        }
        if full {
            self.watch.next = Some(now.at + PAUSE);
        }
        let Some(question) = self.watch.asking.pop_front() else {
            return;
        };
        let line = match &question {
            Question::Monitor(names) => Line::command("MONITOR").arg("+").arg(&names.join(",")),
            // One parameter with spaces: a command has no more than fifteen.
            Question::Ison(names) => Line::command("ISON").trailing(&names.join(" ")),
            Question::Userhost(names) => {
                let line = Line::command("USERHOST");
                names.iter().fold(line, |line, name| line.arg(name))
            }
        };
        if !matches!(question, Question::Monitor(_)) {
            self.watch.asked.push_back(question);
            self.watch.until = Some(now.at + PATIENCE);
        }
        self.questions.push_provoked(line);
    }

    /// Puts together what is to be asked: whom to monitor, who is there of the others, and who of those that are there
    /// is away; in a full round about everybody, else about those who are new.
    fn begin_round(&mut self, full: bool) {
        let watch = &mut self.watch;
        let told = self.caps.has(Cap::AwayNotify) && self.caps.has(Cap::ExtendedMonitor);
        let names = |wanted: &dyn Fn(&Watched) -> bool| -> Vec<Name> {
            let people = watch.people.iter().filter(|(_, watched)| wanted(watched));
            people.map(|(name, _)| name.clone()).collect()
        };
        let monitor = names(&|w| w.monitored && w.fresh);
        let ison = names(&|w| !w.monitored && !watch.no_ison && (full || w.fresh));
        let away = names(&|w| {
            let moot = watch.no_userhost || told && w.monitored;
            !moot && w.online == Some(true) && (full || w.new)
        });
        for watched in watch.people.values_mut() {
            (watched.fresh, watched.new) = (false, false);
        }
        let mut asking = Watch::in_lines(monitor, usize::MAX, Question::Monitor);
        asking.extend(Watch::in_lines(ison, usize::MAX, Question::Ison));
        asking.extend(Watch::in_lines(away, MOST_HOSTS, Question::Userhost));
        watch.asking.extend(asking);
    }

    /// RPL_MONONLINE (730) and RPL_MONOFFLINE (731).
    pub(super) fn on_monitored(&mut self, now: Now, online: bool, message: &Message<'_>) {
        for target in message.last().split(',') {
            let nick = target.split('!').next().unwrap_or(target).trim();
            self.is_there(now, nick, online);
        }
    }

    /// ERR_MONLISTFULL (734): of these people the server will not tell.
    pub(super) fn on_monitor_full(&mut self, now: Now, message: &Message<'_>) {
        self.watch.full = true;
        for nick in message.param(2).split(',') {
            let folded = self.fold(nick);
            if let Some(watched) = self.watch.people.get_mut(&folded) {
                (watched.monitored, watched.fresh) = (false, true);
                self.watch.soon = Some(now.at);
            }
        }
    }

    /// RPL_ISON (303).
    pub(super) fn on_ison(&mut self, now: Now, message: &Message<'_>) {
        let Some(Question::Ison(names)) = self.watch_answered(|q| matches!(q, Question::Ison(_))) else {
            return;
        };
        let there: Vec<Name> = message
            .last()
            .split_ascii_whitespace()
            .map(|nick| self.fold(nick))
            .collect();
        for nick in message.last().split_ascii_whitespace() {
            self.is_there(now, nick, true);
        }
        for name in names.iter().filter(|name| !there.contains(name)) {
            self.is_there(now, name, false);
        }
    }

    /// RPL_USERHOST (302): `nick*=-user@host`, with `*` for a server operator and `-` for away.
    pub(super) fn on_userhost(&mut self, message: &Message<'_>) {
        if self
            .watch_answered(|q| matches!(q, Question::Userhost(_)))
            .is_none()
        {
            return;
        }
        for entry in message.last().split_ascii_whitespace() {
            let Some((nick, host)) = entry.split_once('=') else {
                continue;
            };
            let (person, away) = (self.fold(nick.trim_end_matches('*')), host.starts_with('-'));
            let known = self.watch.people.get(&person).map(|watched| watched.away);
            if known.is_some_and(|known| known != away) {
                self.is_away(person, away.then(|| Name::from("")));
            }
        }
    }

    /// An error that answers one of the questions. True if it was one.
    pub(super) fn watch_refused(&mut self, now: Now, code: u16, message: &Message<'_>) -> bool {
        let unknown = code == 421;
        match message.param(1) {
            "MONITOR" if self.isupport.monitor.is_some() => {
                self.watch.full = true;
                for watched in self.watch.people.values_mut() {
                    watched.fresh |= watched.monitored && watched.online.is_none();
                    watched.monitored = false;
                }
                self.watch.soon = Some(now.at);
            }
            "ISON" if self.watch_answered(|q| matches!(q, Question::Ison(_))).is_some() => {
                self.watch.no_ison |= unknown;
            }
            "USERHOST"
                if self
                    .watch_answered(|q| matches!(q, Question::Userhost(_)))
                    .is_some() =>
            {
                self.watch.no_userhost |= unknown;
            }
            _ => return false,
        }
        true
    }

    /// Takes the oldest question of a kind out of those that wait for their answer.
    fn watch_answered(&mut self, is: impl Fn(&Question) -> bool) -> Option<Question> {
        let at = self.watch.asked.iter().position(is)?;
        let question = self.watch.asked.remove(at);
        if self.watch.asked.is_empty() {
            self.watch.until = None;
        }
        question
    }

    /// Somebody is there, or is not. If they are watched and that is news, it is told.
    fn is_there(&mut self, now: Now, nick: &str, online: bool) {
        let person = self.fold(nick);
        let Some(watched) = self.watch.people.get_mut(&person) else {
            return;
        };
        let news = watched.online != Some(online);
        watched.online = Some(online);
        watched.new = news && online;
        watched.away &= online;
        if !news {
            return;
        }
        let event = if online {
            self.watch.soon.get_or_insert(now.at + SOON);
            let nick = Name::from(nick);
            PersonEvent::Online { nick }
        } else {
            PersonEvent::Offline
        };
        self.tell_person(person, event);
    }
}
