//! Somebody with an IRC client of their own.

use viaduct_bridge::{MessageKind, Rank, RoomId, ServerId};
use viaduct_contract::{Door, Foreigner, Found, Heard, Step, broken};
use viaduct_test_support::anyhow::Result;
use viaduct_test_support::irc::{IrcPeer, Line};

/// A raw connection to the server.
pub(crate) struct Peer {
    peer: IrcPeer,
    server: ServerId,
}

impl Peer {
    pub(crate) fn new(peer: IrcPeer, server: ServerId) -> Self {
        Self { peer, server }
    }

    /// Sends a line, and fails if the server refuses it.
    async fn act(&self, line: String) -> Found {
        self.peer.take_all(is_error);
        found(self.peer.send(line).await)?;
        found(self.peer.fence().await)?;
        match self.peer.take_all(is_error).first() {
            Some(error) => broken(format!("the server refused: {error}")),
            None => Ok(()),
        }
    }
}

fn found<T>(result: Result<T>) -> Found<T> {
    result.or_else(|error| broken(format!("{error:#}")))
}

/// The numerics of errors (RFC 2812 §5.2).
fn is_error(line: &Line) -> bool {
    line.command
        .parse::<u16>()
        .is_ok_and(|numeric| (400..600).contains(&numeric))
}

impl Foreigner for Peer {
    fn join<'a>(&'a mut self, room: &'a RoomId) -> Step<'a> {
        Box::pin(async { self.act(format!("JOIN {}", room.room)).await })
    }

    fn part<'a>(&'a mut self, room: &'a RoomId, reason: &'a str) -> Step<'a> {
        Box::pin(async move { self.act(format!("PART {} :{reason}", room.room)).await })
    }

    fn quit<'a>(&'a mut self, reason: &'a str) -> Step<'a> {
        Box::pin(async move { found(self.peer.quit(reason).await) })
    }

    fn say<'a>(&'a mut self, room: &'a RoomId, kind: MessageKind, text: &'a str) -> Step<'a> {
        let room = &room.room;
        let line = match kind {
            MessageKind::Text => format!("PRIVMSG {room} :{text}"),
            MessageKind::Emote => format!("PRIVMSG {room} :\u{1}ACTION {text}\u{1}"),
            MessageKind::Notice => format!("NOTICE {room} :{text}"),
        };
        Box::pin(self.act(line))
    }

    fn tell<'a>(&'a mut self, nick: &'a str, text: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("PRIVMSG {nick} :{text}")))
    }

    fn rename<'a>(&'a mut self, nick: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("NICK {nick}")))
    }

    fn set_topic<'a>(&'a mut self, room: &'a RoomId, text: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("TOPIC {} :{text}", room.room)))
    }

    fn kick<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, reason: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("KICK {} {nick} :{reason}", room.room)))
    }

    fn promote<'a>(&'a mut self, room: &'a RoomId, nick: &'a str, rank: Rank, give: bool) -> Step<'a> {
        let mode = match rank {
            Rank::VOICE => 'v',
            Rank::HALF_OPERATOR => 'h',
            _ => 'o',
        };
        let sign = if give { '+' } else { '-' };
        Box::pin(self.act(format!("MODE {} {sign}{mode} {nick}", room.room)))
    }

    fn ban<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("MODE {} +b {nick}!*@*", room.room)))
    }

    fn invite<'a>(&'a mut self, room: &'a RoomId, nick: &'a str) -> Step<'a> {
        Box::pin(self.act(format!("INVITE {nick} {}", room.room)))
    }

    fn set_door<'a>(&'a mut self, room: &'a RoomId, door: Door) -> Step<'a> {
        let mode = match door {
            Door::Key(key) => format!("+k {key}"),
            Door::InviteOnly => "+i".to_owned(),
            Door::Limit(limit) => format!("+l {limit}"),
            Door::Moderated => "+m".to_owned(),
            Door::TopicLocked => "+t".to_owned(),
        };
        Box::pin(self.act(format!("MODE {} {mode}", room.room)))
    }

    fn heard(&mut self) -> Step<'_, Heard> {
        Box::pin(async {
            let said = |line: &Line| {
                let verb = line.command == "PRIVMSG" || line.command == "NOTICE";
                verb && line.source.contains('!')
            };
            let line = found(self.peer.expect("something that was said", said).await)?;
            let action = line.last().strip_prefix("\u{1}ACTION ");
            let (kind, text) = match (action, line.command.as_str()) {
                (Some(action), _) => (MessageKind::Emote, action.trim_end_matches('\u{1}')),
                (None, "NOTICE") => (MessageKind::Notice, line.last()),
                (None, _) => (MessageKind::Text, line.last()),
            };
            let target = line.param(0);
            let room = target.starts_with('#').then(|| RoomId {
                server: self.server.clone(),
                room: target.to_ascii_lowercase().into(),
            });
            Ok(Heard {
                nick: line.nick().to_owned(),
                room,
                kind,
                text: text.to_owned(),
            })
        })
    }

    fn sees_away<'a>(&'a mut self, nick: &'a str) -> Step<'a, bool> {
        Box::pin(async move {
            found(self.peer.send(format!("WHOIS {nick}")).await)?;
            found(self.peer.expect_command("318", &[]).await)?;
            Ok(!self.peer.take_all(|line| line.command == "301").is_empty())
        })
    }
}
