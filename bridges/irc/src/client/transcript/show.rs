//! Events in one line each, for transcripts.

use viaduct_bridge::{
    Departure, Failure, Level, Member, Message, MessageKind, Outcome, PersonEvent, Profile, Rank, Reaction,
    Relation, RemoteEvent, Reply, Retraction, RoomEvent, RoomFlags, ServerEvent, SignedUp, Topic,
};

pub(super) fn show(event: &RemoteEvent) -> String {
    match event {
        RemoteEvent::Server { event, .. } => server(event),
        RemoteEvent::Room { room, event } => format!("{} {}", room.room, room_event(event)),
        RemoteEvent::Person { person, event } => format!("{} {}", person.person, person_event(event)),
        RemoteEvent::Outcome { txn, outcome } => format!("{} {}", txn.0, show_outcome(outcome)),
    }
}

fn server(event: &ServerEvent) -> String {
    match event {
        ServerEvent::Online { nick, me, warning } => {
            let warning = warning.as_ref().map(|w| format!(" ({w})")).unwrap_or_default();
            format!("online as {nick} ({me}){warning}")
        }
        ServerEvent::Notice { text } => format!("notice: {text}"),
        ServerEvent::SignUp(None) => "no accounts any more".to_owned(),
        ServerEvent::SignUp(Some(rules)) => {
            let name = if rules.chooses_name { " name" } else { "" };
            let email = if rules.needs_email { " e-mail" } else { "" };
            format!("accounts:{name}{email}")
        }
        ServerEvent::NickOwned { nick } => format!("{nick} is owned"),
        ServerEvent::Invited { room, by, person } => format!("invited into {} by {by} ({person})", room.room),
        ServerEvent::Relations(able) => {
            let all = [
                ("replies", able.replies),
                ("reactions", able.reactions),
                ("retractions", able.retractions),
                ("moderation", able.moderation),
                ("typing", able.typing),
                ("markers", able.read),
            ];
            let can = all.iter().filter(|(_, level)| *level >= Level::Partial);
            let names: Vec<&str> = can.map(|(name, _)| *name).collect();
            format!("can do {}", names.join(" "))
        }
        other => format!("{other:?}"),
    }
}

fn room_event(event: &RoomEvent) -> String {
    match event {
        RoomEvent::Joined {
            me,
            members,
            topic,
            flags,
        } => {
            let members: Vec<String> = members.iter().map(member).collect();
            let topic = topic
                .as_ref()
                .map(|t| format!(" topic {}", show_topic(t)))
                .unwrap_or_default();
            format!(
                "joined as {me}: {}{}{topic}",
                members.join(" "),
                show_flags(*flags)
            )
        }
        RoomEvent::Refused { failure } => format!("refused {}", show_failure(failure)),
        RoomEvent::Left { how, reason } => format!("left {}", departure(how, reason.as_deref())),
        RoomEvent::Moved { to, reason } => {
            format!("is {} now: {}", to.room, reason.as_deref().unwrap_or_default())
        }
        RoomEvent::MemberJoined(m) => format!("+ {}", member(m)),
        RoomEvent::MemberLeft { person, how, reason } => {
            format!("- {person} {}", departure(how, reason.as_deref()))
        }
        RoomEvent::RankChanged {
            person,
            grant,
            revoke,
            by,
        } => format!(
            "rank of {person} +{} -{} by {}",
            signs(*grant),
            signs(*revoke),
            by.as_deref().unwrap_or("?")
        ),
        RoomEvent::FlagsChanged(flags) => format!("is{}", show_flags(*flags)),
        RoomEvent::TopicChanged(topic) => format!("topic {}", show_topic(topic)),
        RoomEvent::Message(message) => said(message),
        RoomEvent::Reaction(reaction) => reacted(reaction),
        RoomEvent::Retraction(retraction) => retracted(retraction),
        RoomEvent::Read { upto } => format!("read up to {}", upto.0 / 1_000_000),
        RoomEvent::Typing { person, state } => format!("{person} types: {state:?}"),
    }
}

fn person_event(event: &PersonEvent) -> String {
    match event {
        PersonEvent::Message(message) => said(message),
        PersonEvent::Reaction(reaction) => reacted(reaction),
        PersonEvent::Retraction(retraction) => retracted(retraction),
        PersonEvent::Typing(state) => format!("types: {state:?}"),
        PersonEvent::Renamed { to, nick } => format!("is now {to} ({nick})"),
        PersonEvent::Gone { reason } => format!("gone: {}", reason.as_deref().unwrap_or("")),
        PersonEvent::Online { nick } => format!("online as {nick}"),
        PersonEvent::Offline => "offline".to_owned(),
        PersonEvent::Away { text: Some(text) } if text.is_empty() => "away".to_owned(),
        PersonEvent::Away { text: Some(text) } => format!("away: {text}"),
        PersonEvent::Away { text: None } => "back".to_owned(),
        PersonEvent::Account {
            account: Some(account),
        } => format!("logged in as {account}"),
        PersonEvent::Bot => "is a bot".to_owned(),
        PersonEvent::Account { account: None } => "logged in to no account".to_owned(),
    }
}

fn reacted(reaction: &Reaction) -> String {
    let mut out = format!("{} reacts to {}", reaction.nick, reaction.of.0);
    for text in &reaction.add {
        out += &format!(" +{text}");
    }
    for text in &reaction.remove {
        out += &format!(" -{text}");
    }
    out
}

fn retracted(retraction: &Retraction) -> String {
    let mut out = format!("{} takes back {}", retraction.nick, retraction.of.0);
    if let Some(reason) = &retraction.reason {
        out += &format!(": {reason}");
    }
    out
}

fn said(message: &Message) -> String {
    let (open, close) = match message.content.kind {
        MessageKind::Text => ("<", ">"),
        MessageKind::Emote => ("* ", ""),
        MessageKind::Notice => ("-", "-"),
    };
    let mut out = format!(
        "{open}{}{close} {}",
        message.nick,
        message.content.text.plain.replace('\n', "\\n")
    );
    for span in &message.content.text.spans {
        out += &format!(" [{:?} {}..{}]", span.style, span.start, span.end);
    }
    if message.nick.to_lowercase() != message.sender.as_str() {
        out += &format!(" sender={}", message.sender);
    }
    if let Some(txn) = message.txn {
        out += &format!(" txn={}", txn.0);
    }
    for id in &message.ids {
        out += &format!(" id={}", id.0);
    }
    if message.missed {
        out += " missed";
    }
    match &message.relation {
        Some(Relation::Reply(to)) => out += &format!(" to={}", to.0),
        Some(Relation::Correction(of)) => out += &format!(" instead-of={}", of.0),
        None => {}
    }
    if message.at.0 % 1_000_000_000_000 != 0 {
        out += &format!(" at={}", message.at.0 / 1_000_000);
    }
    out
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { ids, .. } => {
            let ids: String = ids.iter().map(|id| format!(" id={}", id.0)).collect();
            format!("accepted{ids}")
        }
        Outcome::Answered(reply) => show_reply(reply),
        Outcome::Failed(failure) => format!("failed {}", show_failure(failure)),
    }
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::SignedUp(SignedUp { account, words, done }) => {
            let how = if *done { "has" } else { "waits for the code of" };
            format!("{how} account {account}: {words}")
        }
        Reply::Rooms(rooms) => {
            let rooms: Vec<String> = rooms
                .iter()
                .map(|room| format!("{}={}({}){}", room.name, room.shown, room.people, room.subject))
                .collect();
            format!("rooms: {}", rooms.join(", "))
        }
        Reply::Profile(profile) => {
            let Profile {
                nick,
                real_name,
                address,
                server,
                account,
                idle,
                since,
                away,
                rooms,
                notes,
            } = profile;
            let words = [nick, real_name, address, server, account, away];
            let words: Vec<&str> = words.iter().map(|word| word.as_deref().unwrap_or("-")).collect();
            let since = since.map(|since| since.0 / 1_000_000);
            let idle = idle.map(|idle| idle.as_secs());
            format!(
                "profile: {} idle={idle:?} since={since:?} rooms={rooms:?} notes={notes:?}",
                words.join("|")
            )
        }
        Reply::Bans(bans) => {
            let bans = bans.iter().map(|ban| match &ban.person {
                Some(person) => format!(" {}={person}", ban.mask),
                None => format!(" {}", ban.mask),
            });
            format!("bans:{}", bans.collect::<String>())
        }
        Reply::Version(text) => format!("version: {text}"),
        Reply::Pong => "pong".to_owned(),
        Reply::Clock { at, offset } => format!("clock: {} {offset:+}", at.0 / 1_000_000),
    }
}

fn show_failure(failure: &Failure) -> String {
    let kind = match failure {
        Failure::Transient { .. } => "Transient".to_owned(),
        Failure::Permanent { refusal, .. } => format!("{refusal:?}"),
        Failure::Uncertain { .. } => "Uncertain".to_owned(),
        Failure::NotLoggedIn { .. } => "NotLoggedIn".to_owned(),
        Failure::Unsupported { .. } => "Unsupported".to_owned(),
    };
    format!("{kind}: {failure}")
}

fn departure(how: &Departure, reason: Option<&str>) -> String {
    let by = |by: &Option<viaduct_bridge::Name>| by.as_deref().unwrap_or("?").to_owned();
    let how = match how {
        Departure::Left => "by will".to_owned(),
        Departure::Kicked { by: who } => format!("kicked by {}", by(who)),
        Departure::Banned { by: who } => format!("banned by {}", by(who)),
        Departure::Lost => "lost".to_owned(),
    };
    match reason {
        Some(reason) => format!("{how}: {reason}"),
        None => how,
    }
}

fn member(member: &Member) -> String {
    let away = if member.away { "(away)" } else { "" };
    let account = member.account.as_deref();
    let account = account.map_or_else(String::new, |account| format!("({account})"));
    format!("{}{}{account}{away}", signs(member.rank), member.nick)
}

fn signs(rank: Rank) -> String {
    [
        (Rank::OWNER, '~'),
        (Rank::ADMIN, '&'),
        (Rank::OPERATOR, '@'),
        (Rank::HALF_OPERATOR, '%'),
        (Rank::VOICE, '+'),
    ]
    .iter()
    .filter(|(r, _)| rank.contains(*r))
    .map(|(_, sign)| *sign)
    .collect()
}

fn show_flags(flags: RoomFlags) -> String {
    let mut out = String::new();
    for (set, word) in [
        (flags.moderated, " moderated"),
        (flags.invite_only, " invite-only"),
        (flags.password, " password"),
        (flags.hidden, " hidden"),
        (flags.topic_locked, " topic-locked"),
    ] {
        if set {
            out += word;
        }
    }
    if let Some(limit) = flags.limit {
        out += &format!(" limit={limit}");
    }
    out
}

fn show_topic(topic: &Topic) -> String {
    let at = topic
        .at
        .map_or(String::new(), |at| format!(" at {}", at.0 / 1_000_000));
    format!("'{}' by {}{at}", topic.text, topic.by.as_deref().unwrap_or("?"))
}
