//! What goes into a login and what comes out of it.

use std::time::Duration;

use viaduct_bridge::{Account, Answers, Command, Name, RemoteEvent, Step};

use crate::errand::{Errand, ErrandId, Gathered, Order, Reach, RequestId, Said};
use crate::records::{ArchiveQuery, PortalId, Position, Write};
use crate::refer::Found;
use crate::stanza::Incoming;
use crate::xml::Stanza;

/// Something that happened, for one login.
#[derive(Debug)]
pub enum Input {
    /// The login has been created or loaded; the first input.
    Start,
    /// The user (or somebody else's server, about the user's stanzas) sent this.
    Stanza(Box<Incoming>),
    /// The network tells this.
    Remote(RemoteEvent),
    /// The link to the XMPP server is there and takes stanzas.
    LinkUp,
    /// The link is gone, or takes no more until it is back.
    LinkDown,
    /// The user's server has processed everything up to these marks.
    Confirmed(Vec<Mark>),
    /// One of the above that refers to an older message, with that message.
    Related(Box<Related>),
    /// A timer has run out.
    Timer(Timer),
    /// A login flow has come to its next step.
    LoginStep {
        /// Which flow.
        flow: FlowId,
        /// The step.
        step: Step,
    },
    /// An administrator asks something of this login. It is answered with [`Effect::Said`] in the same turn.
    Errand {
        /// Its number here.
        id: ErrandId,
        /// What is asked.
        errand: Errand,
    },
    /// All that there is to know of those whom a request was for.
    Reached {
        /// Which request.
        request: RequestId,
        /// The answers.
        gathered: Gathered,
    },
    /// What became of an order to the process, in words.
    Obeyed {
        /// Which request.
        request: RequestId,
        /// What was done, or why it was not.
        result: Result<String, String>,
    },
    /// The gateway is about to stop; clients stay joined and go on after the restart.
    Stopping,
}

/// Something that refers to an older message, and what was found.
#[derive(Debug)]
pub struct Related {
    /// The message. `None` if there is none that this user may know.
    pub found: Option<Found>,
    /// What refers to it.
    pub input: Input,
}

/// Something to be done. Effects are done in their order; those after a [`Effect::Write`] wait for its commit.
#[derive(Debug)]
pub enum Effect {
    /// Send a stanza. With a mark, its processing by the server is reported as [`Input::Confirmed`].
    Send {
        /// The stanza.
        stanza: Stanza,
        /// What it confirms.
        mark: Option<Mark>,
    },
    /// Hand a command to the network.
    Submit(Command),
    /// Remember something.
    Write(Write),
    /// Send history at join, then go on.
    History(Box<HistoryRequest>),
    /// Answer an archive query.
    Archive(Box<ArchiveRequest>),
    /// Send what a resource has missed, with marks.
    Replay(Box<ReplayRequest>),
    /// Open the session with the network, with this account.
    OpenSession(Option<Account>),
    /// Leave the network.
    CloseSession {
        /// Parting words.
        reason: Option<Name>,
    },
    /// Go on with a login flow (the first time: begin it).
    Login {
        /// Which flow.
        flow: FlowId,
        /// The account that it changes.
        account: Option<Account>,
        /// The user's answers to the last step.
        answers: Answers,
    },
    /// End a login flow that is no longer wanted.
    EndLogin(FlowId),
    /// Ask other logins of this gateway something; the answers come as [`Input::Reached`].
    Reach {
        /// The request.
        request: RequestId,
        /// Whom, and what.
        reach: Reach,
    },
    /// Answer an errand.
    Said {
        /// Which.
        errand: ErrandId,
        /// The answer.
        said: Said,
    },
    /// Have the process do something; what became of it comes as [`Input::Obeyed`].
    Order {
        /// The request.
        request: RequestId,
        /// What.
        order: Order,
    },
    /// Put into the record of what administrators do who did this, and to whom.
    Audit {
        /// What was done.
        action: &'static str,
        /// To whom or what; no secrets.
        target: String,
    },
    /// Run a timer. A second one of the same name replaces the first.
    SetTimer {
        /// Its name.
        timer: Timer,
        /// How long.
        after: Duration,
    },
}

/// What is known to be processed when a stanza is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mark {
    /// A message of an archive.
    Cursor {
        /// The portal.
        portal: PortalId,
        /// The resource; empty for a direct chat.
        resource: Name,
        /// The place of the message.
        position: Position,
    },
    /// A change of a room's occupants, counted per room.
    Shown {
        /// The room.
        portal: PortalId,
        /// The count.
        change: u64,
    },
    /// All that a resource gets when it joins.
    Entered {
        /// The room.
        portal: PortalId,
        /// The resource.
        resource: Name,
    },
    /// The error that tells a user that a message was not carried.
    Failure {
        /// The message's transaction.
        txn: viaduct_bridge::TransactionId,
    },
}

/// Names a login flow of one user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FlowId(pub u64);

/// The timers of a login.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Timer {
    /// The last resource of a room was lost, and may come back.
    Grace(PortalId),
    /// A server may have no more use.
    Linger(Name),
    /// Somebody may have stopped typing without a word.
    Typing(PortalId),
    /// A room did not answer a join.
    Join(PortalId),
    /// Sessions of ad-hoc commands may have expired.
    Commands,
    /// A room in which the user stays is entered again.
    Kept(PortalId),
    /// Lists of a server's rooms may be out of date.
    Lists,
    /// A login that failed for the time being is tried again.
    LogIn,
}

/// History at join (XEP-0045 §7.2.13): the newest messages within all the limits that are given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryRequest {
    /// The room.
    pub portal: PortalId,
    /// Its JID.
    pub room: Name,
    /// Who gets it.
    pub to: Name,
    /// Nothing newer than this.
    pub upto: Position,
    /// The most messages.
    pub max_stanzas: u32,
    /// The most characters of XML.
    pub max_chars: Option<u64>,
    /// Nothing older than this.
    pub since: Option<viaduct_bridge::Timestamp>,
}

/// An archive query and to whom the answer goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArchiveRequest {
    /// What is wanted.
    pub query: ArchiveQuery,
    /// Whether the page is to be sent in reverse order (XEP-0313 §flip-page).
    pub flip: bool,
    /// Whether only the ends of the archive are wanted (XEP-0313 §metadata).
    pub metadata: bool,
    /// The room's JID.
    pub room: Name,
    /// Who asked.
    pub to: Name,
    /// The id of the request.
    pub iq_id: String,
    /// The `queryid` of the request.
    pub query_id: Option<String>,
}

/// What a resource (or, in a direct chat, the user) has missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayRequest {
    /// The portal.
    pub portal: PortalId,
    /// The JID from which messages come: the room, or the puppet.
    pub from: Name,
    /// Who gets them: a full JID in a room, the bare JID in a direct chat.
    pub to: Name,
    /// The resource; empty in a direct chat.
    pub resource: Name,
    /// What comes after this.
    pub after: Position,
    /// The last.
    pub upto: Position,
    /// The most messages at a time.
    pub limit: u32,
}

/// Collects the effects of one input.
#[derive(Debug, Default)]
pub struct Effects(pub Vec<Effect>);

impl Effects {
    /// Sends a stanza.
    pub fn send(&mut self, stanza: Stanza) {
        self.0.push(Effect::Send { stanza, mark: None });
    }

    /// Sends a stanza if there is one.
    pub fn send_opt(&mut self, stanza: Option<Stanza>) {
        if let Some(stanza) = stanza {
            self.send(stanza);
        }
    }

    /// Sends a stanza whose processing is to be reported.
    pub fn send_marked(&mut self, stanza: Stanza, mark: Mark) {
        self.0.push(Effect::Send {
            stanza,
            mark: Some(mark),
        });
    }

    /// Remembers something.
    pub fn write(&mut self, write: Write) {
        self.0.push(Effect::Write(write));
    }

    /// Adds any other effect.
    pub fn push(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}
