//! What a user says, as lines.

use std::borrow::Cow;

use viaduct_bridge::{
    Content, Failure, MessageKind, Recipient, Refusal, Relation, Target, Text, TransactionId,
};

use crate::proto::caps::Cap;
use crate::proto::line::Line;
use crate::proto::multiline::Block;
use crate::proto::{ctcp, format, split};

use super::Client;
use super::pending::{Piece, What};

/// The longest host name that servers show (RFC 1123 permits more; servers cut at 63 or 64).
const HOST_LEN: usize = 64;
/// The longest user name that servers show, with the `~` of an unanswered ident.
const USER_LEN: usize = 13;

/// The most bytes of text of one message. It goes out in lines, at the pace that the server allows.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024;

impl Client {
    /// Says something: in one line, in several, or in one message of several where the server takes that.
    pub(super) fn say(
        &mut self,
        txn: TransactionId,
        to: Recipient,
        content: Content,
        relation: Option<&Relation<Target>>,
    ) {
        if content.text.plain.len() > MAX_MESSAGE_BYTES {
            let words =
                format!("This message is too long: at most {MAX_MESSAGE_BYTES} bytes can be carried.");
            return self.fail(txn, Failure::refused(Refusal::NotAcceptable, words));
        }
        let notice = content.kind == MessageKind::Notice;
        let emote = content.kind == MessageKind::Emote;
        let verb = if notice { "NOTICE" } else { "PRIVMSG" };
        let name = match &to {
            Recipient::Room(room) => &room.room,
            Recipient::Person(person) => &person.person,
        };
        let framing = if emote { ctcp::ACTION_OVERHEAD } else { 0 };
        let around = split::overhead(self.prefix_len(), verb, name) + framing;
        let room = 512_usize.saturating_sub(around).max(40);
        let mut lines = if emote {
            Vec::new()
        } else {
            self.blocks(verb, name, &content.text, room)
        };
        if lines.is_empty() {
            for line in format::to_lines(&content.text) {
                for piece in format::cut(&line, room) {
                    let line = Line::command(verb).arg(name);
                    lines.push(Piece::Line(if emote {
                        line.trailing(&ctcp::frame("ACTION", &piece))
                    } else {
                        line.trailing(&piece)
                    }));
                }
            }
        }
        if lines.is_empty() {
            self.fail(
                txn,
                Failure::refused(Refusal::NotAcceptable, "There is no text in this message."),
            );
            return;
        }
        if let (Some(relation), Some(first)) = (relation, lines.first_mut())
            && let Err(failure) = self.relate(first, relation)
        {
            return self.fail(txn, failure);
        }
        let target = self.fold(name);
        self.typed(&target);
        let echoed = self.caps.has(Cap::EchoMessage);
        let what = What::Say {
            to,
            notice,
            content: echoed.then(|| Box::new(content)),
        };
        self.enter(txn, what, target, None, lines);
    }

    /// What is said as messages of several lines, where the server takes them and there is more than one line.
    fn blocks(&self, verb: &'static str, name: &str, text: &Text, room: usize) -> Vec<Piece> {
        let limits = self.modern.multiline.filter(|_| self.caps.has(Cap::Multiline));
        let Some(limits) = limits else {
            return Vec::new();
        };
        let lines = format::to_all_lines(text);
        let said = |line: &&Cow<'_, str>| !line.is_empty();
        let single = lines.iter().filter(said).count() == 1;
        if single && lines.iter().all(|line| line.len() <= room) {
            return Vec::new();
        }
        let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(0);
        let last = lines
            .iter()
            .rposition(|line| !line.is_empty())
            .map_or(0, |at| at + 1);
        let lines = lines.get(first..last).unwrap_or_default();
        let blocks = Block::of(verb, name, lines, room, limits);
        blocks
            .into_iter()
            .map(|block| Piece::Block(Box::new(block)))
            .collect()
    }

    /// The bytes of `nick!user@host`: as the server has shown it, else the most it can be.
    fn prefix_len(&self) -> usize {
        let userhost = self.own_userhost.unwrap_or_else(|| {
            let host = self.isupport.host_len.unwrap_or(HOST_LEN).max(HOST_LEN);
            let user = self
                .isupport
                .user_len
                .map_or(USER_LEN, |len| len + 1)
                .max(USER_LEN);
            user + 1 + host
        });
        self.nick.len() + 1 + userhost
    }
}
