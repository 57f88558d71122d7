//! What the user wants, as transcripts write it.

use viaduct_bridge::{
    Command, Content, MessageKind, Name, PersonId, Probe, Question, Rank, Recipient, RoomChange, RoomId,
    Scope, Secret, ServerId, Settings, Text, TransactionId,
};

/// `join #c [key]`, `leave #c [words]`, `say 1 #c words`, `me 1 #c words`, `notice 1 #c words`, `topic 1 #c words`,
/// `nick 1 new`, `rank 1 #c bob +ov-h`, `kick 1 #c bob [words]`, `ban 1 #c bob [words]`, `unban 1 #c bob`,
/// `away [words]`, `connect`, `list 1 .`, `invite 1 #c bob`, `watch bob`, `unwatch bob`, `realname [words]`,
/// `bans 1 #c`, `set 1 #c +m -i +k=word`, `whois 1 bob`, `version 1 bob`, `ping 1 bob`, `time 1 bob`. In words, `\n` ends a line.
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
    let person = |name: &str| PersonId {
        server: ServerId(Name::from("irc.test")),
        person: Name::from(name),
    };
    if verb == "realname" {
        let mut settings = Settings::default();
        if !rest.is_empty() {
            settings.values.insert(verb.to_owned(), rest.to_owned());
        }
        let scope = Scope::Server(server);
        return Command::Configure { scope, settings };
    }
    if matches!(verb, "watch" | "unwatch") {
        let person = person(rest);
        return if verb == "watch" {
            Command::Watch { person }
        } else {
            Command::Unwatch { person }
        };
    }
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
        },
        "invite" => Command::Invite {
            txn,
            room: room(target),
            person: Name::from(person),
        },
        "whois" | "version" | "ping" | "time" => {
            let person = PersonId {
                server,
                person: Name::from(target),
            };
            let program = |what| Question::Program {
                person: person.clone(),
                what,
            };
            let question = match verb {
                "whois" => Question::Profile(person),
                "version" => program(Probe::Version),
                "ping" => program(Probe::Ping),
                _ => program(Probe::Time),
            };
            Command::Ask {
                txn,
                question,
                nick: None,
            }
        }
        "bans" => Command::Ask {
            txn,
            question: Question::Bans(room(target)),
            nick: None,
        },
        "set" => Command::SetRoom {
            txn,
            room: room(target),
            change: read_change(all),
        },
        "list" => Command::Ask {
            txn,
            question: Question::Rooms(server),
            nick: None,
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

/// `+m`, `-i`, `+t`, `+s`, `-s`, `+k=word`, `-k`, `+l=5`, `-l`, with spaces between.
fn read_change(text: &str) -> RoomChange {
    let mut change = RoomChange::default();
    for word in text.split(' ') {
        let set = word.starts_with('+');
        let (mode, value) = word[1..].split_once('=').unwrap_or((&word[1..], ""));
        match mode {
            "m" => change.moderated = Some(set),
            "i" => change.invite_only = Some(set),
            "t" => change.topic_locked = Some(set),
            "s" => change.hidden = Some(set),
            "k" => change.password = Some(set.then(|| Secret::new(value))),
            "l" => change.limit = Some(set.then(|| value.parse().expect("a number"))),
            _ => panic!("unknown mode {word}"),
        }
    }
    change
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
