//! Somebody wants in (XEP-0045 §7.2), and what they get: occupants, themselves, history, subject.

use std::time::Duration;

use viaduct_bridge::{Failure, Name, Refusal, Timestamp};

use minidom::Element;

use super::presence::status;
use super::{Joined, Place, Room, Waiting};
use crate::context::Context;
use crate::effect::{Effect, Effects, HistoryRequest, Mark, Timer};
use crate::ns;
use crate::records::{JoinedRecord, Write};
use crate::stanza::Problem;
use crate::time;

/// The most messages of history that a join gets. The archive has the others.
pub(crate) const MOST_HISTORY: u32 = 1_000;

/// How long to wait before a room in which the user is to be is entered again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(4);
const LONGEST_PAUSE: Duration = Duration::from_secs(240);

/// Whether it may be otherwise later, without anybody doing anything.
fn may_pass(failure: &Failure) -> bool {
    match failure {
        Failure::Transient { .. } | Failure::Uncertain { .. } => true,
        Failure::Permanent { refusal, .. } => *refusal == Refusal::Unreachable,
        _ => false,
    }
}

/// The history that a client asked for (XEP-0045 §7.2.14).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HistoryWish {
    /// The most messages.
    pub max_stanzas: Option<u32>,
    /// The most characters of XML.
    pub max_chars: Option<u64>,
    /// Only the last so many seconds.
    pub seconds: Option<u32>,
    /// Nothing older than this.
    pub since: Option<Timestamp>,
}

impl HistoryWish {
    /// Reads the `<history/>` of a join. What cannot be read limits nothing.
    #[must_use]
    pub fn parse(muc: &Element) -> Self {
        let Some(history) = muc.get_child("history", ns::MUC) else {
            return Self::default();
        };
        Self {
            max_stanzas: history.attr("maxstanzas").and_then(|text| text.parse().ok()),
            max_chars: history.attr("maxchars").and_then(|text| text.parse().ok()),
            seconds: history.attr("seconds").and_then(|text| text.parse().ok()),
            since: history.attr("since").and_then(time::parse),
        }
    }
}

impl Room {
    /// Lets in everybody who waits: the network has let the user in.
    pub fn admit(&mut self, ctx: &Context, now: Timestamp, out: &mut Effects) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.enter(ctx, now, waiting, out);
        }
    }

    /// Lets a resource in (also one that is in already: a full resync, XEP-0045 §17.3).
    pub fn enter(&mut self, ctx: &Context, now: Timestamp, waiting: Waiting, out: &mut Effects) {
        debug_assert_eq!(self.place, Place::Inside, "the network lets the user in first");
        let nick = self.my_nick();
        let first = self.joined.is_empty();
        self.joined.retain(|joined| joined.resource != waiting.resource);
        if !self.recorded || first {
            self.recorded = true;
            self.kept |= self.chosen.persistent;
            out.write(self.record());
        }
        if first {
            self.shown = None;
            self.unconfirmed.clear();
            self.store_snapshot(out);
        }
        let record = JoinedRecord {
            portal: self.id,
            resource: waiting.resource.clone(),
            nick: nick.clone(),
            cursor: self.last,
        };
        out.write(Write::Joined(Box::new(record)));
        self.joined.push(Joined {
            resource: waiting.resource.clone(),
            jid: waiting.jid.clone(),
            nick: nick.clone(),
            cursor: self.last,
            live: true,
            entering: Some(Box::new(waiting.clone())),
        });

        for (person, occupant) in self.occupants.iter().filter(|(person, _)| **person != self.me) {
            out.send(self.available(ctx, person, occupant, &waiting.jid, &[]));
        }
        let mut codes = vec![status::NON_ANONYMOUS, status::SELF];
        if crate::names::resource(&nick) != *crate::names::resource(&waiting.nick) {
            codes.push(status::NICK_ASSIGNED);
        }
        if let Some(me) = self.myself() {
            out.send(self.available(ctx, &self.me, me, &waiting.jid, &codes));
        }
        self.send_history(now, &waiting, out);
        let mark = Mark::Entered {
            portal: self.id,
            resource: waiting.resource,
        };
        out.send_marked(self.subject_stanza(ctx, &waiting.jid), mark);
    }

    /// The user's server has processed all that belongs to a resource's join.
    pub fn confirmed_entry(&mut self, resource: &str) {
        if let Some(joined) = self
            .joined
            .iter_mut()
            .find(|joined| joined.resource.as_str() == resource)
        {
            joined.entering = None;
        }
    }

    /// The link was lost in the middle of a join: what belongs to it is sent again from the beginning.
    pub fn enter_again(&mut self, ctx: &Context, now: Timestamp, out: &mut Effects) {
        let halfway: Vec<Waiting> = self
            .joined
            .iter_mut()
            .filter_map(|joined| joined.entering.take())
            .map(|waiting| *waiting)
            .collect();
        for waiting in halfway {
            self.enter(ctx, now, waiting, out);
        }
    }

    fn send_history(&self, now: Timestamp, waiting: &Waiting, out: &mut Effects) {
        let wish = waiting.history;
        // Who says where the history is to begin wants all of it from there.
        let begins = wish.since.is_some() || wish.seconds.is_some();
        let unasked = if begins {
            MOST_HISTORY
        } else {
            self.chosen.history_at_join
        };
        let most = wish.max_stanzas.unwrap_or(unasked).min(MOST_HISTORY);
        if most == 0 || wish.max_chars == Some(0) || self.archived_upto().0 == 0 {
            return;
        }
        let recent = wish
            .seconds
            .map(|seconds| Timestamp(now.0 - i64::from(seconds) * 1_000_000));
        out.push(Effect::History(Box::new(HistoryRequest {
            portal: self.id,
            room: self.jid.clone(),
            to: waiting.jid.clone(),
            upto: self.last,
            max_stanzas: most,
            max_chars: wish.max_chars,
            since: wish.since.max(recent),
        })));
    }

    /// The network does not let the user in: everybody who waits is told. Who believes to be in stays in as long as it
    /// may pass (a gateway that starts before the network's server must not throw its users out), and is taken out
    /// where it will not.
    pub fn refuse(&mut self, ctx: &Context, failure: &Failure, out: &mut Effects) {
        let problem = Problem::from(failure);
        self.fall_out_of_step();
        self.place = Place::Outside;
        for waiting in std::mem::take(&mut self.waiting) {
            out.send(Self::presence_error(
                &waiting.asked,
                &waiting.jid,
                waiting.id.as_deref(),
                &problem,
            ));
        }
        if may_pass(failure) {
            if self.is_wanted() {
                let doubled = FIRST_PAUSE * 2_u32.saturating_pow(self.refusals.into());
                self.refusals = self.refusals.saturating_add(1).min(16);
                out.push(Effect::SetTimer {
                    timer: Timer::Kept(self.id),
                    after: doubled.min(LONGEST_PAUSE),
                });
            }
            return;
        }
        self.let_go(out);
        let reason: Name = failure.to_string().into();
        self.expel(ctx, &[status::TECHNICAL], Some(&reason), out);
    }
}
