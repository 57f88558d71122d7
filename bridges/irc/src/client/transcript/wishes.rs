//! What the user wants, as transcripts write it.

use viaduct_bridge::{
    Command, Content, MessageKind, Name, PersonId, Rank, Recipient, RoomId, Secret, ServerId, Text,
    TransactionId,
};

/// `join #c [key]`, `leave #c [words]`, `say 1 #c words`, `me 1 #c words`, `notice 1 #c words`, `topic 1 #c words`,
/// `nick 1 new`, `rank 1 #c bob +ov-h`, `kick 1 #c bob [words]`, `ban 1 #c bob [words]`, `unban 1 #c bob`,
/// `away [words]`, `connect`. In words, `\n` ends a line.
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
    if matches!(verb, "join" | "leave" | "away" | "connect") {
        let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
        return match verb {
            "join" => Command::Join {
                room: room(name),
                nick,
                key: (!more.is_empty()).then(|| Secret::new(more)),
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
    match verb {
        "say" | "me" | "notice" => Command::Send {
            txn,
            to: if target.starts_with('#') {
                Recipient::Room(room(target))
            } else {
                Recipient::Person(PersonId {
                    server,
                    person: Name::from(target),
                })
            },
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
        "topic" => Command::SetTopic {
            txn,
            room: room(target),
            text: Name::from(all),
        },
        "nick" => Command::SetNick {
            txn,
            server,
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
