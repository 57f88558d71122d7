//! The commands that the network has not answered yet. How much may wait is bounded here, for all kinds of them.

use std::collections::HashMap;
use std::sync::Arc;

use viaduct_bridge::{Name, Question, RoomId, Secret, ServerId, TransactionId};

use super::asking::Inquiry;
use super::register::Asker;
use super::settings::OwnSettings;
use crate::context::MostPending;
use crate::portal::Room;
use crate::records::OutboxRecord;
use crate::refer::{Found, ReactionsRecord};
use crate::stanza::{Condition, Incoming, Kind, Problem, error};
use crate::xml::{Stanza, Xml};

/// A command for which the network has not answered yet.
#[derive(Debug)]
pub(crate) enum Pending {
    /// A message.
    Message {
        /// What is on record of it.
        record: Arc<OutboxRecord>,
        /// Whether the client asked for a receipt (XEP-0184).
        receipt: bool,
        /// What it is.
        act: Act,
    },
    /// A moderator takes back what somebody said.
    Moderation {
        /// The IQ.
        request: Request,
        /// Where.
        room: RoomId,
        /// What was said.
        found: Box<Found>,
        /// Why.
        reason: Option<Name>,
    },
    /// A question, and who waits for the answer.
    Question(Box<Inquiry>),
    /// A change of nickname.
    Nick {
        /// What was asked for.
        wish: Name,
        /// The presence that asked.
        request: Request,
    },
    /// A message that is no message: a change of subject.
    Stanza(Request),
    /// What a command of the user (XEP-0050, or in the chat) asked for.
    Asked {
        /// Who waits.
        asker: Asker,
        /// What they are told when it is done.
        done: String,
    },
    /// A step of the registration of an account with a server.
    SignUp {
        /// Who waits.
        asker: Asker,
        /// Where.
        server: ServerId,
        /// The password of the account that is to be.
        password: Option<Secret>,
    },
    /// One of several commands that are one request.
    Part {
        /// Who waits for all of them.
        whom: Awaiting,
        /// Its other commands that are not done yet.
        rest: Vec<TransactionId>,
        /// The password of a room that this command sets or takes away.
        key: Option<(RoomId, Option<Secret>)>,
        /// What the user sets beside it, when all is done.
        then: Option<Arc<OwnSettings>>,
    },
}

/// Who waits for several commands together.
#[derive(Clone, Debug)]
pub(crate) enum Awaiting {
    /// The sender of a stanza.
    Stanza(Request),
    /// Who has run a command of ours.
    Command {
        /// The session.
        asker: Asker,
        /// What is told when all is done.
        done: String,
    },
}

/// What a message of a client does.
#[derive(Debug)]
pub(crate) enum Act {
    /// It says something.
    Say,
    /// It reacts: what the reactions are then.
    React(Option<ReactionsRecord>),
    /// It takes this back.
    Retract(Box<Found>),
}

/// As much of a stanza as its answer needs.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    kind: Kind,
    from: Name,
    to: Name,
    id: Option<String>,
}

impl Request {
    pub(super) fn of(stanza: &Incoming) -> Self {
        Self {
            kind: stanza.kind,
            from: stanza.from.as_str().into(),
            to: stanza.to.as_str().into(),
            id: stanza.id.clone(),
        }
    }

    pub(super) fn refuse(&self, problem: &Problem) -> Stanza {
        match self.kind {
            Kind::Presence => Room::presence_error(&self.to, &self.from, self.id.as_deref(), problem),
            kind => error(kind, &self.to, &self.from, self.id.as_deref(), problem),
        }
    }

    /// Begins the result of an IQ.
    pub(super) fn result(&self) -> Xml {
        let mut xml = Xml::stanza("iq", &self.to, &self.from);
        xml.attr("type", "result")
            .attr("id", self.id.as_deref().unwrap_or_default());
        xml
    }

    /// What is said when it is done: of anything but an IQ nothing.
    pub(super) fn done(&self) -> Option<Stanza> {
        (self.kind == Kind::Iq).then(|| self.result().finish())
    }
}

/// What waits, by transaction.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    by_txn: HashMap<TransactionId, Pending>,
    /// What the messages among them take.
    bytes: usize,
}

impl Unanswered {
    /// Whether so many more may wait.
    pub(super) fn room_for(&self, more: usize, most: MostPending) -> Result<(), Problem> {
        if self.by_txn.len() + more <= most.commands && self.bytes < most.bytes {
            return Ok(());
        }
        let text = "Too much of yours waits for the network. Try again in a moment.";
        Err(Problem::because(Condition::ResourceConstraint, text))
    }

    pub(super) fn insert(&mut self, txn: TransactionId, pending: Pending) {
        self.bytes += pending.bytes();
        self.by_txn.insert(txn, pending);
    }

    pub(super) fn remove(&mut self, txn: &TransactionId) -> Option<Pending> {
        let pending = self.by_txn.remove(txn)?;
        self.bytes -= pending.bytes();
        Some(pending)
    }

    /// Takes any of them.
    pub(super) fn take_one(&mut self) -> Option<Pending> {
        let txn = *self.by_txn.keys().next()?;
        self.remove(&txn)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_txn.is_empty()
    }

    pub(super) fn contains(&self, txn: &TransactionId) -> bool {
        self.by_txn.contains_key(txn)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.by_txn.values()
    }

    /// The inquiry that asks this already.
    pub(super) fn inquiry_mut(&mut self, question: &Question) -> Option<&mut Inquiry> {
        self.by_txn.values_mut().find_map(|pending| match pending {
            Pending::Question(inquiry) if inquiry.question == *question => Some(&mut **inquiry),
            _ => None,
        })
    }
}

impl Pending {
    /// The bytes that may be many; that each of them takes some beside, the number of them bounds.
    fn bytes(&self) -> usize {
        match self {
            Self::Message { record, .. } => record.content.text.plain.len() + record.payload.len(),
            _ => 0,
        }
    }
}
