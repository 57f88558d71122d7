//! What the user wants, as transcripts write it.

use viaduct_bridge::{
    Command, Content, MessageId, MessageKind, Name, PersonId, Probe, Question, Rank, Recipient, Relation,
    RoomChange, RoomId, Scope, Secret, ServerId, Settings, SignUp, Target, Text, Timestamp, TransactionId,
    Typing,
};

/// `join #c [key]`, `leave #c [words]`, `say 1 #c words`, `me 1 #c words`, `notice 1 #c words`, `topic 1 #c words`,
/// `nick 1 new`, `rank 1 #c bob +ov-h`, `kick 1 #c bob [words]`, `ban 1 #c bob [words]`, `unban 1 #c bob`,
/// `away [words]`, `connect`, `list 1 .`, `invite 1 #c bob`, `watch bob`, `unwatch bob`, `realname [words]`,
/// `bans 1 #c`, `set 1 #c +m -i +k=word`, `whois 1 bob`, `version 1 bob`, `ping 1 bob`, `time 1 bob`,
/// `reply 1 #c id words`, `react 1 #c id +yes -no`, `retract 1 #c id[,id] [words]`, `typing #c active`, `read #c microseconds`,
/// `join-since #c microseconds`, `signup 1 account e-mail password` (`*`: none), `verify 1 account code`. In words, `\n` ends a line.
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
    if verb == "read" {
        let (name, micros) = rest.split_once(' ').expect("a target and a time");
        return Command::MarkRead {
            to: if name.starts_with('#') {
                Recipient::Room(room(name))
            } else {
                Recipient::Person(person(name))
            },
            upto: Timestamp(micros.parse().expect("microseconds")),
        };
    }
    if verb == "typing" {
        let (name, state) = rest.split_once(' ').expect("a target and a state");
        return Command::Typing {
            to: if name.starts_with('#') {
                Recipient::Room(room(name))
            } else {
                Recipient::Person(person(name))
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
        "signup" => Command::SignUp {
            txn,
            server: server.clone(),
            step: SignUp::Begin {
                account: (target != "*").then(|| Name::from(target)),
                email: (person != "*").then(|| Name::from(person)),
                password: Secret::new(more),
            },
        },
        "verify" => Command::SignUp {
            txn,
            server: server.clone(),
            step: SignUp::Verify {
                account: Name::from(target),
                code: Secret::new(all),
            },
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
