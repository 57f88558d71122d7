//! What refers to an older message waits here until that has been looked up: behind everything that came before it, so
//! that it finds what those have written, and before everything that comes after it, so that the order stays.

use std::time::Duration;

use tokio::time::Instant;
use viaduct_bridge::RemoteEvent;
use viaduct_core::effect::{Input, Related};
use viaduct_core::login::Referring;
use viaduct_core::refer::{Found, Lookup};
use viaduct_core::stanza::Incoming;

use super::memory::{Remembered, Remembering};
use super::mind::{Actor, Fault};
use super::receipt::Receipt;

/// How long to wait before the store is asked again after it could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

/// One input that refers to an older message.
pub(super) struct Resolving {
    lookup: Lookup,
    what: What,
    asked: Option<Remembering<Option<Found>>>,
    not_before: Option<Instant>,
}

enum What {
    Stanza(Box<Incoming>),
    Event(Box<RemoteEvent>),
}

impl Resolving {
    /// The stanza that waits, to be answered if it is lost.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        match &self.what {
            What::Stanza(incoming) => Receipt::of(incoming),
            What::Event(_) => None,
        }
    }

    /// When it is to be asked again.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }
}

impl Actor {
    /// Puts a stanza aside if it refers to an older message.
    pub(super) fn put_aside(&mut self, incoming: Box<Incoming>) -> Option<Box<Incoming>> {
        let Some(lookup) = self.core.refers(Referring::Stanza(&incoming)) else {
            return Some(incoming);
        };
        self.resolving = Some(Resolving {
            lookup,
            what: What::Stanza(incoming),
            asked: None,
            not_before: None,
        });
        None
    }

    /// Puts an event aside if it refers to an older message.
    pub(super) fn put_event_aside(&mut self, event: RemoteEvent) -> Option<RemoteEvent> {
        let Some(lookup) = self.core.refers(Referring::Remote(&event)) else {
            return Some(event);
        };
        self.resolving = Some(Resolving {
            lookup,
            what: What::Event(Box::new(event)),
            asked: None,
            not_before: None,
        });
        None
    }

    /// Begins to look, once everything before is settled.
    pub(super) fn look_up(&mut self) {
        if !self.is_settled() || !self.effects.0.is_empty() {
            return;
        }
        let Some(resolving) = &mut self.resolving else {
            return;
        };
        let due = resolving.not_before.is_none_or(|at| at <= Instant::now());
        if resolving.asked.is_none() && due {
            resolving.asked = Some(self.gateway.memory.find(resolving.lookup.clone()));
        }
    }

    /// Goes on with what was looked up.
    pub(super) fn looked_up(&mut self, found: Remembered<Option<Found>>) {
        let found = match found {
            Ok(found) => found,
            Err(trouble) => {
                tracing::warn!(error = %trouble, "an older message could not be looked up; it is tried again");
                if let Some(resolving) = &mut self.resolving {
                    resolving.asked = None;
                    resolving.not_before = Some(Instant::now() + AFTER_FAILURE);
                }
                return;
            }
        };
        let Some(resolving) = self.resolving.take() else {
            return;
        };
        let receipt = resolving.receipt();
        let input = match resolving.what {
            What::Stanza(incoming) => Input::Stanza(incoming),
            What::Event(event) => Input::Remote(*event),
        };
        self.handle(Input::Related(Box::new(Related { found, input })));
        self.keep_receipt(receipt);
    }

    /// Notes who is to be told if what was just handled is lost; tells at once if it is.
    pub(super) fn keep_receipt(&mut self, receipt: Option<Receipt>) {
        if !matches!(self.fault, Some(Fault::Panic)) {
            self.receipts.extend(receipt);
        } else if let Some(receipt) = receipt {
            // Its effects are gone; those of the inputs before it are not.
            self.gateway.link.answer(receipt.lost());
        }
    }
}

/// The answer that is waited for, if there is one.
pub(super) async fn answer(resolving: &mut Option<Resolving>) -> Remembered<Option<Found>> {
    match resolving.as_mut().and_then(|resolving| resolving.asked.as_mut()) {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    }
}
