//! What the user wants, as transcripts write it.

use viaduct_bridge::{
    Command, Content, MessageId, MessageKind, Name, PersonId, Rank, Recipient, Relation, RoomId, Secret,
    ServerId, Target, Text, Timestamp, TransactionId, Typing,
};

/// `join #c [key]`, `leave #c [words]`, `say 1 #c words`, `me 1 #c words`, `notice 1 #c words`, `topic 1 #c words`,
/// `nick 1 new`, `rank 1 #c bob +ov-h`, `kick 1 #c bob [words]`, `ban 1 #c bob [words]`, `unban 1 #c bob`,
/// `away [words]`, `connect`, `reply 1 #c id words`, `react 1 #c id +yes -no`, `retract 1 #c id[,id] [words]`,
/// `typing #c active`,
/// `join-since #c microseconds`. In words, `\n` ends a line.
pub(super) fn command(text: &str) -> Command {
    let text = text.replace("\\n", "\n");
    let mut words = text.splitn(2, ' ');
    let verb = words.next().unwrap_or_default();
    let rest = words.next().unwrap_or_default();
    let nick = Name::from("alice");
    let server = ServerId(Name::from("irc.test"));
    let room = |name: &str| RoomId {
        server: ServerId(Name::from("irc.test")),
        room: Name::from(name),
    };
    let some = |words: &str| (!words.is_empty()).then(|| Name::from(words));
    if verb == "typing" {
        let (name, state) = rest.split_once(' ').expect("a target and a state");
        return Command::Typing {
            to: if name.starts_with('#') {
                Recipient::Room(room(name))
            } else {
                let person = Name::from(name);
                Recipient::Person(PersonId { server, person })
            },
            state: match state {
                "active" => Typing::Active,
                "paused" => Typing::Paused,
                _ => Typing::Done,
            },
        };
    }
    if matches!(verb, "join" | "join-since" | "leave" | "away" | "connect") {
        let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
        return match verb {
            "join" | "join-since" => Command::Join {
                room: room(name),
                nick,
                key: (verb == "join" && !more.is_empty()).then(|| Secret::new(more)),
                since: (verb != "join").then(|| Timestamp(more.parse().expect("microseconds"))),
            },
            "leave" => Command::Leave {
                room: room(name),
                reason: some(more),
            },
            "away" => Command::SetAway { text: some(rest) },
            _ => Command::Connect { server, nick },
        };
    }
    let mut parts = rest.splitn(4, ' ');
    let txn = TransactionId(
        parts
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a transaction id"),
    );
    let target = parts.next().expect("a target");
    let person = parts.next().unwrap_or_default();
    let more = parts.next().unwrap_or_default();
    let all = rest.splitn(3, ' ').nth(2).unwrap_or_default();
    let recipient = |target: &str| {
        if target.starts_with('#') {
            Recipient::Room(room(target))
        } else {
            Recipient::Person(PersonId {
                server: server.clone(),
                person: Name::from(target),
            })
        }
    };
    match verb {
        "say" | "me" | "notice" => Command::Send {
            txn,
            to: recipient(target),
            content: Content {
                kind: match verb {
                    "say" => MessageKind::Text,
                    "me" => MessageKind::Emote,
                    _ => MessageKind::Notice,
                },
                text: Text::plain(all),
            },
            nick,
            relation: None,
        },
        "reply" => Command::Send {
            txn,
            to: recipient(target),
            content: Content::plain(rest.splitn(4, ' ').nth(3).unwrap_or_default()),
            nick,
            relation: Some(Box::new(Relation::Reply(read_target(person)))),
        },
        "react" => {
            let marks = |sign: char| {
                let those = more.split(' ').filter_map(|mark| mark.strip_prefix(sign));
                those.map(Name::from).collect()
            };
            Command::React {
                txn,
                to: recipient(target),
                target: Box::new(read_target(person)),
                add: marks('+'),
                remove: marks('-'),
            }
        }
        "retract" => Command::Retract {
            txn,
            to: recipient(target),
            target: Box::new(read_target(person)),
            reason: some(more),
        },
        "topic" => Command::SetTopic {
            txn,
            room: room(target),
            text: Name::from(all),
        },
        "nick" => Command::SetNick {
            txn,
            server: server.clone(),
            nick: Name::from(target),
        },
        "rank" => {
            let (grant, revoke) = read_ranks(more);
            Command::SetRank {
                txn,
                room: room(target),
                person: Name::from(person),
                grant,
                revoke,
            }
        }
        "kick" => Command::Kick {
            txn,
            room: room(target),
            person: Name::from(person),
            reason: some(more),
        },
        "ban" | "unban" => Command::SetBan {
            txn,
            room: room(target),
            person: Name::from(person),
            banned: verb == "ban",
            reason: some(more),
        },
        _ => panic!("unknown command {verb}"),
    }
}

/// The ids of a message, with commas between.
fn read_target(ids: &str) -> Target {
    Target {
        ids: ids.split(',').map(|id| MessageId(Name::from(id))).collect(),
        at: Timestamp(1_000_000_000_000_000),
    }
}

fn read_ranks(text: &str) -> (Rank, Rank) {
    let (mut grant, mut revoke, mut set) = (Rank::NONE, Rank::NONE, true);
    for c in text.chars() {
        let rank = match c {
            '+' | '-' => {
                set = c == '+';
                continue;
            }
            'q' => Rank::OWNER,
            'a' => Rank::ADMIN,
            'o' => Rank::OPERATOR,
            'h' => Rank::HALF_OPERATOR,
            _ => Rank::VOICE,
        };
        if set {
            grant = grant.with(rank);
        } else {
            revoke = revoke.with(rank);
        }
    }
    (grant, revoke)
}
