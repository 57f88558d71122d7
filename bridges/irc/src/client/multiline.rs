//! Messages of several lines that come in (IRCv3 draft/multiline): put together, and taken like one long line.

use std::fmt::Write as _;

use crate::proto::message::Message;

use super::Client;

/// The most that are open at a time, and the most bytes that one may have.
const MOST_OPEN: usize = 16;
const MOST_BYTES: usize = 64 * 1024;
/// Stands for what is beyond that.
const CUT: &str = "\n[The rest is too long to be shown.]";

/// One that has begun.
pub(super) struct Open {
    reference: Box<str>,
    /// Its tags and its source, as they would stand in front of one line.
    head: Box<str>,
    target: Box<str>,
    notice: bool,
    text: Option<String>,
    cut: bool,
}

/// What a line is to such a message.
pub(super) enum Part {
    /// Nothing.
    None,
    /// A part that is kept.
    Kept,
    /// Its end. This is the message as one line, in which line ends stand for themselves.
    Whole(String),
}

impl Client {
    /// Takes what is a part of a message of several lines.
    pub(super) fn on_multiline(&mut self, message: &Message<'_>) -> Part {
        if message.command == "BATCH" {
            return self.on_multiline_batch(message);
        }
        if self.modern.open.is_empty() {
            return Part::None;
        }
        let Some(batch) = message.tags.get("batch") else {
            return Part::None;
        };
        let Some(open) = self.modern.open.iter_mut().find(|open| *open.reference == *batch) else {
            return Part::None;
        };
        if matches!(message.command, "PRIVMSG" | "NOTICE") {
            open.notice = message.command == "NOTICE";
            let rest = message.tags.get("draft/multiline-concat").is_some();
            open.add(message.last(), rest);
        }
        Part::Kept
    }

    fn on_multiline_batch(&mut self, message: &Message<'_>) -> Part {
        let reference = message.param(0);
        if let Some(opened) = reference.strip_prefix('+') {
            if message.param(1) != "draft/multiline" {
                return Part::None;
            }
            if self.modern.open.len() < MOST_OPEN {
                self.modern.open.push(Open {
                    reference: opened.into(),
                    head: head(message).into(),
                    target: message.param(2).into(),
                    notice: false,
                    text: None,
                    cut: false,
                });
            }
            return Part::Kept;
        }
        let closed = reference.strip_prefix('-');
        let at = closed.and_then(|closed| {
            self.modern
                .open
                .iter()
                .position(|open| *open.reference == *closed)
        });
        match at.map(|at| self.modern.open.swap_remove(at)) {
            Some(open) => open.whole().map_or(Part::Kept, Part::Whole),
            None => Part::None,
        }
    }
}

impl Open {
    fn add(&mut self, piece: &str, rest: bool) {
        let text = match &mut self.text {
            Some(text) if rest => text,
            Some(text) => {
                text.push('\n');
                text
            }
            None => self.text.insert(String::new()),
        };
        if text.len() + piece.len() <= MOST_BYTES {
            text.push_str(piece);
        } else if !std::mem::replace(&mut self.cut, true) {
            text.push_str(CUT);
        }
    }

    fn whole(self) -> Option<String> {
        let verb = if self.notice { "NOTICE" } else { "PRIVMSG" };
        let text = self.text?;
        Some(format!("{}{verb} {} :{text}", self.head, self.target))
    }
}

fn head(message: &Message<'_>) -> String {
    let mut head = String::new();
    if !message.tags.is_empty() {
        head.push('@');
        head.push_str(message.tags.as_str());
        head.push(' ');
    }
    if let Some(source) = message.source {
        head.push(':');
        head.push_str(source.nick);
        // Writing to a String cannot fail.
        if let Some(user) = source.user {
            let _ = write!(head, "!{user}");
        }
        if let Some(host) = source.host {
            let _ = write!(head, "@{host}");
        }
        head.push(' ');
    }
    head
}
