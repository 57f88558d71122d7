//! One turn of an actor: what is there is handled, input by input, and becomes a batch that waits for its commit.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

use tokio::time::Instant;
use viaduct_bridge::Timestamp;
use viaduct_core::effect::{Effect, Input};

use super::errands::Told;
use super::mailbox::Item;
use super::memory::Remembering;
use super::mind::{Actor, Fault};
use super::receipt::Receipt;
use super::release::Pending;
use crate::link::Link;

/// How many inputs an actor handles before others have their turn.
const TURN: usize = 256;
/// How many effects may wait for commits before an actor stops handling.
const AHEAD: usize = 16 * 1024;
/// How many batches may.
const BATCHES: usize = 1000;

impl Actor {
    /// One turn: handles what there is, and releases what may be. Whether there may be more at once.
    pub(super) fn turn(&mut self) -> bool {
        self.look_at_link();
        let mut left = TURN;
        let may_handle = self.may_run_ahead();
        while may_handle && left > 0 && self.fault.is_none() && self.resolving.is_none() {
            if self.mail.is_empty() {
                let mut items = Vec::from(std::mem::take(&mut self.mail));
                self.mailbox.drain(left, &mut items);
                self.mail = VecDeque::from(items);
            }
            let Some(item) = self.mail.pop_front() else { break };
            left -= 1;
            self.take(item);
        }
        if self.mail.is_empty() && self.mail.capacity() > TURN {
            self.mail = VecDeque::new();
        }
        let now = Instant::now();
        while self.fault.is_none()
            && let Some(timer) = self.timers.due(now)
        {
            self.handle(Input::Timer(timer));
        }
        self.close_batch();
        self.release();
        self.look_up();
        left == 0
    }

    pub(super) fn may_run_ahead(&self) -> bool {
        self.pending.len() < BATCHES
            && self
                .pending
                .iter()
                .map(|batch| batch.effects.len())
                .sum::<usize>()
                < AHEAD
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Stanza(incoming, _) => {
                let Some(incoming) = self.put_aside(incoming) else {
                    return;
                };
                let receipt = Receipt::of(&incoming);
                self.handle(Input::Stanza(incoming));
                self.keep_receipt(receipt);
            }
            Item::Events(events, session) => {
                if self.sessions.listens_to(session) {
                    let mut events = events.into_iter();
                    while self.fault.is_none()
                        && let Some(event) = events.next()
                    {
                        let Some(event) = self.put_event_aside(event) else {
                            // What comes after it waits for it.
                            self.mail.push_front(Item::Events(events.collect(), session));
                            return;
                        };
                        self.handle(Input::Remote(event));
                    }
                }
            }
            Item::Errand(slip) => {
                let (id, errand) = self.errands.take_on(*slip);
                self.handle(Input::Errand { id, errand });
            }
            Item::Told(told) => {
                let (request, told) = *told;
                self.handle(match told {
                    Told::Reached(gathered) => Input::Reached { request, gathered },
                    Told::Obeyed(result) => Input::Obeyed { request, result },
                });
            }
            Item::Step(step) => {
                let (flow, step) = *step;
                if self.flows.answered(flow, &step) {
                    self.handle(Input::LoginStep { flow, step });
                }
            }
        }
    }

    /// Lets the core handle one input, behind a fence.
    pub(super) fn handle(&mut self, input: Input) {
        let now = Timestamp::from_system(SystemTime::now());
        let before = self.effects.0.len();
        let fenced = catch_unwind(AssertUnwindSafe(|| {
            self.core.handle(now, input, &mut self.effects)
        }));
        if fenced.is_err() {
            self.effects.0.truncate(before);
            self.fault = Some(Fault::Panic);
        }
    }

    /// Tells the core what has changed about the link.
    pub(super) fn look_at_link(&mut self) {
        // In this order: what is confirmed then belongs to this era or an earlier one, and not to a later stream.
        let newest = self.gateway.link.confirmed();
        let era = self.gateway.link.era();
        if era != self.view.era {
            self.view.era = era;
            self.view.gap = true;
            self.view.blocked = false;
            self.view.asked = 0;
            self.marks.clear();
        }
        if self.view.gap {
            self.view.gap = false;
            if self.view.attached {
                self.view.attached = false;
                self.handle(Input::LinkDown);
            }
        }
        if !self.marks.is_empty() {
            let confirmed = self.marks.confirmed(newest);
            if !confirmed.is_empty() {
                self.handle(Input::Confirmed(confirmed));
            }
        }
        if self.view.attached || self.fault.is_some() || !Link::is_up_in(era) {
            return;
        }
        if self.view.not_before.is_some_and(|at| at > Instant::now()) {
            return;
        }
        if self.view.blocked && !self.gateway.link.has_room() {
            return;
        }
        // What was made before the core knows of the link must not be sent with a mark after it.
        self.close_batch();
        self.view.blocked = false;
        self.view.not_before = None;
        self.view.attached = true;
        self.view.window += 1;
        self.handle(Input::LinkUp);
    }

    /// Hands the writes of the present turn to the store, and puts the other effects behind their commit.
    pub(super) fn close_batch(&mut self) {
        let receipts = std::mem::take(&mut self.receipts);
        if self.effects.0.is_empty() {
            return;
        }
        let mut effects = std::mem::take(&mut self.effects.0);
        let window = self.view.window;
        let Some(first) = effects
            .iter()
            .position(|effect| matches!(effect, Effect::Write(_)))
        else {
            self.pending.push_back(Pending {
                ticket: None,
                effects: effects.into_iter(),
                receipts: Vec::new(),
                window,
            });
            return;
        };
        let after = effects.split_off(first);
        if !effects.is_empty() {
            self.pending.push_back(Pending {
                ticket: None,
                effects: effects.into_iter(),
                receipts: Vec::new(),
                window,
            });
        }
        let (mut writes, mut rest) = (
            Vec::with_capacity(after.len() / 2 + 1),
            Vec::with_capacity(after.len()),
        );
        for effect in after {
            match effect {
                Effect::Write(write) => writes.push(write),
                other => rest.push(other),
            }
        }
        let ticket: Remembering<()> = self.lane.write(writes);
        self.pending.push_back(Pending {
            ticket: Some(ticket),
            effects: rest.into_iter(),
            receipts,
            window,
        });
    }
}
