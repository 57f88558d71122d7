//! Releasing effects: in order, each when the writes before it are committed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use viaduct_bridge::Account;
use viaduct_core::effect::{ArchiveRequest, Effect, HistoryRequest, Mark, ReplayRequest};
use viaduct_core::records::{ArchiveError, ArchivePage, ArchiveQuery, MessageRecord, PagePlace, PageRequest};
use viaduct_core::render;
use viaduct_core::stanza::{Condition, Kind, Problem, error};
use viaduct_core::xml::Stanza;

use super::memory::{Memory, Remembered, Remembering};
use super::mind::Actor;
use super::receipt::Receipt;
use crate::link::{Listener, Refused};

/// How long the core is told that there is no link, after the store could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// The effects of one turn (or of a part of it).
pub(super) struct Pending {
    /// The commit that they wait for.
    pub(super) ticket: Option<Remembering<()>>,
    pub(super) effects: std::vec::IntoIter<Effect>,
    /// Who is to be told if the commit fails.
    pub(super) receipts: Vec<Receipt>,
    /// In which window they were made.
    pub(super) window: u64,
}

/// Something that the next effects wait for.
pub(super) type Reading = Pin<Box<dyn Future<Output = Read> + Send>>;

/// What it gives.
pub(super) enum Read {
    /// Stanzas to send.
    Stanzas(Vec<(Stanza, Option<Mark>)>, u64),
    /// What a resource has missed could not be read.
    ReplayFailed,
    /// The old session has gone; the new one may be opened.
    Open(Option<Account>),
    /// The session has left.
    Left,
}

impl Actor {
    /// Does everything that need not wait.
    pub(super) fn release(&mut self) {
        while self.reading.is_none() {
            let Some(batch) = self.pending.front_mut() else {
                break;
            };
            if batch.ticket.is_some() {
                break;
            }
            let window = batch.window;
            if matches!(batch.effects.as_slice().first(), Some(Effect::Send { .. })) {
                self.send_row();
                continue;
            }
            match batch.effects.next() {
                Some(effect) => self.perform(effect, window),
                None => {
                    self.pending.pop_front();
                }
            }
        }
        self.submit();
        if self.pending.is_empty() && self.pending.capacity() > 64 {
            self.pending.shrink_to(8);
        }
    }

    /// Sends the stanzas at the head of the first batch, with the queue opened once.
    fn send_row(&mut self) {
        let Some(mut batch) = self.pending.pop_front() else {
            return;
        };
        let row = std::iter::from_fn(|| {
            matches!(batch.effects.as_slice().first(), Some(Effect::Send { .. }))
                .then(|| batch.effects.next())?
        });
        let window = batch.window;
        self.send(
            row.filter_map(|effect| match effect {
                Effect::Send { stanza, mark } => Some((stanza, mark)),
                _ => None,
            }),
            window,
        );
        self.pending.push_front(batch);
    }

    fn send(&mut self, stanzas: impl Iterator<Item = (Stanza, Option<Mark>)>, window: u64) {
        let gateway = Arc::clone(&self.gateway);
        let mut out = gateway.link.outgoing();
        for (stanza, mark) in stanzas {
            let Some(mark) = mark else {
                out.send(stanza);
                continue;
            };
            let view = &mut self.view;
            if view.gap || !view.attached || view.window != window {
                continue;
            }
            match out.send_marked(&stanza, view.era) {
                Ok(generation) => {
                    self.marks.push(generation, mark);
                    if view.asked != generation {
                        view.asked = generation;
                        out.when_confirmed(Arc::clone(&self.mailbox) as Arc<dyn Listener>);
                    }
                }
                Err(refused) => {
                    view.gap = true;
                    if refused == Refused::Blocked {
                        view.blocked = true;
                        out.when_room(Arc::clone(&self.mailbox) as Arc<dyn Listener>);
                    }
                    self.mailbox.wake();
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect, window: u64) {
        match effect {
            // Both were taken out before.
            Effect::Send { stanza, mark } => self.send(std::iter::once((stanza, mark)), window),
            Effect::Write(_) => {}
            Effect::Submit(command) => self.commands.push(command),
            Effect::History(request) => self.reading = Some(self.history(request, window)),
            Effect::Archive(request) => self.reading = Some(self.archive(request, window)),
            Effect::Replay(request) => {
                if self.view.attached && self.view.window == window {
                    self.reading = Some(self.replay(request, window));
                }
            }
            Effect::OpenSession(account) => self.open_session(account),
            Effect::CloseSession { reason } => self.close_session(reason),
            Effect::Login {
                flow,
                account,
                answers,
            } => {
                self.flows
                    .go_on(flow, &self.gateway, &self.user, account, answers, &self.mailbox);
            }
            Effect::EndLogin(flow) => self.flows.end(flow),
            Effect::Reach { request, reach } => self.reach(request, reach),
            Effect::Said { errand, said } => self.errands.answer(errand, said),
            Effect::Order { request, order } => self.order(request, order),
            Effect::Audit { action, target } => self.audit(action, &target),
            Effect::SetTimer { timer, after } => self.timers.set(timer, after),
        }
    }

    fn history(&self, request: Box<HistoryRequest>, window: u64) -> Reading {
        let read =
            self.gateway
                .memory
                .history(request.portal, request.upto, request.max_stanzas, request.since);
        Box::pin(async move {
            let messages = messages_or_none(read.await, "history at join");
            let mut stanzas: Vec<_> = Vec::with_capacity(messages.len());
            let mut room = request.max_chars.unwrap_or(u64::MAX);
            for message in messages.iter().rev() {
                let stanza = render::history(message, &request.room, &request.to);
                match room.checked_sub(stanza.as_str().chars().count() as u64) {
                    Some(left) => room = left,
                    None => break,
                }
                stanzas.push((stanza, None));
            }
            stanzas.reverse();
            Read::Stanzas(stanzas, window)
        })
    }

    fn archive(&self, request: Box<ArchiveRequest>, window: u64) -> Reading {
        let memory = Arc::clone(&self.gateway.memory);
        Box::pin(async move {
            let page = if request.metadata {
                both_ends(&*memory, &request).await
            } else {
                memory.archive(request.query.clone()).await
            };
            let stanzas = match page {
                Ok(page) => render::archive_answer(&request, &page),
                Err(trouble) => {
                    tracing::warn!(error = %trouble, "an archive query could not be answered");
                    let problem = Problem::because(
                        Condition::InternalServerError,
                        "The archive cannot be read at the moment.",
                    );
                    vec![error(
                        Kind::Iq,
                        &request.room,
                        &request.to,
                        Some(&request.iq_id),
                        &problem,
                    )]
                }
            };
            Read::Stanzas(stanzas.into_iter().map(|stanza| (stanza, None)).collect(), window)
        })
    }

    fn replay(&self, request: Box<ReplayRequest>, window: u64) -> Reading {
        let read = self
            .gateway
            .memory
            .replay(request.portal, request.after, request.upto, request.limit);
        Box::pin(async move {
            let messages = match read.await {
                Ok(messages) => messages,
                Err(trouble) => {
                    tracing::warn!(error = %trouble, "what a client has missed could not be read; it is tried again");
                    return Read::ReplayFailed;
                }
            };
            let marked = |message: &MessageRecord| {
                let mark = Mark::Cursor {
                    portal: message.portal,
                    resource: request.resource.clone(),
                    position: message.position,
                };
                (render::replay(message, &request), Some(mark))
            };
            Read::Stanzas(messages.iter().map(marked).collect(), window)
        })
    }

    /// Goes on after something that was waited for.
    pub(super) fn finish_reading(&mut self, read: Read) {
        match read {
            Read::Stanzas(stanzas, window) => self.send(stanzas.into_iter(), window),
            Read::ReplayFailed => {
                self.view.gap = true;
                self.view.not_before = Some(Instant::now() + AFTER_FAILURE);
            }
            Read::Open(account) => self.open_session(account),
            Read::Left => {}
        }
    }
}

/// The first and the last message of an archive, as one page.
async fn both_ends(
    memory: &dyn Memory,
    request: &ArchiveRequest,
) -> Remembered<Result<ArchivePage, ArchiveError>> {
    let end = |place: PagePlace| {
        memory.archive(ArchiveQuery {
            page: PageRequest { max: 1, place },
            ..request.query.clone()
        })
    };
    let (first, last) = (end(PagePlace::First).await?, end(PagePlace::Last).await?);
    Ok(first.and_then(|mut page| {
        page.messages.extend(last?.messages);
        Ok(page)
    }))
}

fn messages_or_none(read: Remembered<Vec<MessageRecord>>, what: &str) -> Vec<MessageRecord> {
    read.unwrap_or_else(|trouble| {
        tracing::warn!(error = %trouble, "{what} could not be read");
        Vec::new()
    })
}
