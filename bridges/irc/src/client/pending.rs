//! One command on its way: the lines that carry it, how far each has come, and what is reported in the end.

use viaduct_bridge::{
    Content, Failure, Message, MessageId, Name, Outcome, PersonEvent, Recipient, RemoteEvent, RoomEvent,
    Timestamp, TransactionId,
};

use crate::proto::line::Line;
use crate::proto::multiline::Block;

use super::book::Echo;

/// What a command is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Say {
        to: Recipient,
        notice: bool,
        /// What was said, kept where an echo is to come.
        content: Option<Box<Content>>,
    },
    /// Reactions to a message: each line gives (`true`) or takes back one.
    React {
        of: MessageId,
        marks: Vec<(bool, Name)>,
    },
    /// Takes back a message: a line for each of its ids.
    Retract {
        ids: Vec<MessageId>,
    },
    /// A line of the user's own making.
    Raw,
    Topic,
    Nick,
    Rank,
    Kick,
    Settings,
    Invite,
    Ban,
    Unban {
        /// The masks on the list that fit so far.
        masks: Vec<String>,
        /// Whether the list is still coming in.
        listing: bool,
    },
}

impl What {
    /// The IRC command that carries it.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Say { notice: false, .. } => "PRIVMSG",
            Self::Say { notice: true, .. } => "NOTICE",
            Self::React { .. } => "TAGMSG",
            Self::Retract { .. } => "REDACT",
            Self::Topic => "TOPIC",
            Self::Nick => "NICK",
            Self::Rank | Self::Settings | Self::Ban | Self::Unban { .. } => "MODE",
            Self::Kick => "KICK",
            Self::Raw => "",
            Self::Invite => "INVITE",
        }
    }

    /// Whether it says something.
    pub(super) fn says(&self) -> bool {
        matches!(self, Self::Say { .. })
    }

    /// Whether it goes to people, with or without words.
    pub(super) fn is_message(&self) -> bool {
        matches!(self, Self::Say { .. } | Self::React { .. })
    }
}

/// How far a line has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Queued,
    /// Written; this fence is the first behind it.
    Written {
        fence: u64,
    },
    Accepted,
    Refused,
}

impl State {
    /// Whether it is written and nothing is known about it yet.
    pub(super) fn is_waiting(self) -> bool {
        matches!(self, Self::Written { .. })
    }
}

/// What goes out in one piece.
pub(super) enum Piece {
    Line(Line),
    /// A message of several lines (IRCv3 draft/multiline).
    Block(Box<Block>),
}

impl From<Line> for Piece {
    fn from(line: Line) -> Self {
        Self::Line(line)
    }
}

impl Piece {
    /// What it says.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Line(line) => line.text(),
            Self::Block(block) => block.text(),
        }
    }

    /// Adds a client-only tag.
    pub(super) fn client_tag(&mut self, name: &'static str, value: &str) {
        match self {
            Self::Line(line) => line.client_tag(name, value),
            Self::Block(block) => block.client_tag(name, value),
        }
    }

    /// How many lines a server counts.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Line(_) => 1,
            Self::Block(block) => block.weight(),
        }
    }

    pub(super) fn write(&self, label: Option<std::fmt::Arguments<'_>>, out: &mut Vec<u8>) {
        match (self, label) {
            (Self::Line(line), Some(label)) => line.write_labelled(label, out),
            (Self::Line(line), None) => line.write(out),
            (Self::Block(block), label) => block.write(label, out),
        }
    }
}

/// One line of a command, or several that are one.
pub(super) struct Part {
    pub(super) line: Piece,
    pub(super) state: State,
    /// A refusal of this line does not matter to the command (the kick behind a ban).
    pub(super) optional: bool,
}

impl Part {
    pub(super) fn new(line: impl Into<Piece>, optional: bool) -> Self {
        Self {
            line: line.into(),
            state: State::Queued,
            optional,
        }
    }
}

/// One command on its way.
pub(super) struct Pending {
    pub(super) seq: u64,
    pub(super) txn: TransactionId,
    pub(super) what: What,
    /// The folded room; where there is none, the folded person or nickname.
    pub(super) target: Name,
    /// The folded person that it is about, where it names one in a room.
    pub(super) person: Option<Name>,
    pub(super) parts: Vec<Part>,
    refusal: Option<Failure>,
    ids: Vec<MessageId>,
    at: Option<Timestamp>,
    /// What the echo of a single line said, where the server changed it.
    altered: Option<Content>,
}

impl Pending {
    pub(super) fn new(
        seq: u64,
        txn: TransactionId,
        what: What,
        target: Name,
        person: Option<Name>,
        lines: Vec<impl Into<Piece>>,
    ) -> Self {
        Self {
            seq,
            txn,
            what,
            target,
            person,
            parts: lines.into_iter().map(|line| Part::new(line, false)).collect(),
            refusal: None,
            ids: Vec::new(),
            at: None,
            altered: None,
        }
    }

    /// Whether it goes out as a message of several lines.
    pub(super) fn is_multiline(&self) -> bool {
        let block = |part: &Part| matches!(part.line, Piece::Block(_));
        self.parts.iter().any(block)
    }

    /// Whether nothing of it has been written.
    pub(super) fn is_untouched(&self) -> bool {
        self.parts.iter().all(|part| part.state == State::Queued)
    }

    /// Whether the fate of all of it is known.
    pub(super) fn is_settled(&self) -> bool {
        let listing = matches!(self.what, What::Unban { listing: true, .. });
        (!listing || self.refusal.is_some())
            && self
                .parts
                .iter()
                .all(|part| matches!(part.state, State::Accepted | State::Refused))
    }

    /// A written line was taken, or refused for a reason.
    pub(super) fn decide(&mut self, part: u16, failure: Option<Failure>) {
        let Some(part) = self.parts.get_mut(usize::from(part)) else {
            return;
        };
        if !part.state.is_waiting() {
            return;
        }
        part.state = match &failure {
            Some(_) if !part.optional => State::Refused,
            _ => State::Accepted,
        };
        if part.state == State::Refused {
            self.refusal = self.refusal.take().or(failure);
            self.cancel();
        }
    }

    /// Everything written before this fence was taken.
    pub(super) fn pass_fence(&mut self, number: u64) {
        for part in &mut self.parts {
            if matches!(part.state, State::Written { fence } if fence <= number) {
                part.state = State::Accepted;
            }
        }
    }

    /// It cannot be done, whatever becomes of its lines.
    pub(super) fn refuse(&mut self, failure: Failure) {
        self.refusal.get_or_insert(failure);
        for part in &mut self.parts {
            if part.state.is_waiting() {
                part.state = State::Refused;
            }
        }
        self.cancel();
    }

    /// What has not been written yet will not be.
    fn cancel(&mut self) {
        for part in &mut self.parts {
            if part.state == State::Queued {
                part.state = State::Refused;
            }
        }
    }

    /// The echo of one of its lines. The event, if it was the last one and nothing was refused.
    pub(super) fn echoed(&mut self, part: u16, echo: &mut Option<Echo<'_>>) -> Option<RemoteEvent> {
        let single = self.parts.len() == 1;
        let part = self.parts.get_mut(usize::from(part))?;
        let echo = echo.take()?;
        if single && part.line.text() != echo.text {
            self.altered = Some(echo.content);
        }
        part.state = State::Accepted;
        self.ids.extend(echo.id);
        self.at = Some(echo.at);
        if !self.is_settled() || self.refusal.is_some() {
            return None;
        }
        let What::Say {
            to,
            content: Some(content),
            ..
        } = &mut self.what
        else {
            return None;
        };
        let empty = || Content::plain("");
        let message = Message {
            ids: std::mem::take(&mut self.ids),
            txn: Some(self.txn),
            sender: echo.me,
            nick: echo.nick,
            at: echo.at,
            content: match self.altered.take() {
                Some(altered) => altered,
                None => std::mem::replace(&mut **content, empty()),
            },
            relation: None,
            missed: false,
        };
        Some(match to.clone() {
            Recipient::Room(room) => RemoteEvent::Room {
                room,
                event: RoomEvent::Message(message),
            },
            Recipient::Person(person) => RemoteEvent::Person {
                person,
                event: PersonEvent::Message(message),
            },
        })
    }

    /// The end of a command that no echo ended.
    pub(super) fn finished(self) -> RemoteEvent {
        let Some(failure) = self.refusal else {
            let (ids, at) = (self.ids, self.at);
            return outcome(self.txn, Outcome::Accepted { ids, at });
        };
        let all = self.parts.len();
        let arrived = self
            .parts
            .iter()
            .filter(|part| part.state == State::Accepted)
            .count();
        let failure = match failure {
            Failure::Permanent { refusal, reason } if arrived > 0 && self.what.says() => {
                Failure::refused(refusal, format!("{reason} ({arrived} of {all} lines arrived)"))
            }
            failure => failure,
        };
        outcome(self.txn, Outcome::Failed(failure))
    }
}

pub(super) fn outcome(txn: TransactionId, outcome: Outcome) -> RemoteEvent {
    RemoteEvent::Outcome { txn, outcome }
}
