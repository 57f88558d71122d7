//! What clients ask about people of the network, and of their programs: vcard-temp (XEP-0054), last activity
//! (XEP-0012), and, passed on to the person's own program, version (XEP-0092), ping (XEP-0199) and time (XEP-0202).
//!
//! Clients ask for the cards of all their contacts by themselves, so none of this makes a connection, and what was
//! told of somebody is remembered for a minute.

use std::time::Duration;

use viaduct_bridge::{Address, PersonId, Probe, Profile, Question, Reply, Timestamp};

use super::Login;
use super::asking::Waiting;
use super::pending::Request;
use crate::effect::Effects;
use crate::ns;
use crate::service::person_info;
use crate::stanza::{Condition, Incoming, Problem};
use crate::time;
use crate::xml::Stanza;

/// How long a profile is remembered.
const FRESH: Duration = Duration::from_secs(60);
/// The most profiles of one user.
const MOST: usize = 32;

/// Who people are, as was told lately.
#[derive(Debug, Default)]
pub(super) struct Profiles(Vec<(PersonId, Timestamp, Profile)>);

impl Profiles {
    pub(super) fn keep(&mut self, now: Timestamp, person: &PersonId, profile: &Profile) {
        self.0
            .retain(|(known, at, _)| known != person && is_fresh(now, *at));
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((person.clone(), now, profile.clone()));
    }

    /// Who somebody is, and since when that is known.
    fn of(&self, now: Timestamp, person: &PersonId) -> Option<Profile> {
        let (_, at, profile) = self.0.iter().find(|(known, _, _)| known == person)?;
        let mut profile = profile.clone();
        let since = Duration::from_micros(u64::try_from(now.0 - at.0).unwrap_or_default());
        // They may have said something since; what is told is as good as asking a minute ago.
        profile.idle = profile.idle.map(|idle| idle.saturating_add(since));
        is_fresh(now, *at).then_some(profile)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn is_fresh(now: Timestamp, at: Timestamp) -> bool {
    now.0.saturating_sub(at.0) < i64::try_from(FRESH.as_micros()).unwrap_or(i64::MAX)
}

/// What a request wants to know of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PersonWish {
    Card,
    Last,
    Version,
    Ping,
    Time,
}

impl Login {
    /// A request to a person, by their own address or as an occupant of a room.
    pub(super) fn ask_about(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        name: &str,
        stanza: &Incoming,
        out: &mut Effects,
    ) {
        let payload = stanza.payload().filter(|_| stanza.is_request());
        let asked = payload.map(|payload| (payload.name().to_owned(), payload.ns()));
        let asked = asked
            .as_ref()
            .map(|(name, namespace)| (stanza.ty(), name.as_str(), namespace.as_str()));
        let wish = match asked {
            Some(("get", "vCard", ns::VCARD)) => PersonWish::Card,
            Some(("set", "vCard", ns::VCARD)) => {
                let text = "The card of somebody else cannot be changed.";
                return out.send_opt(stanza.error(&Problem::because(Condition::Forbidden, text)));
            }
            Some(("get", "query", ns::LAST)) => PersonWish::Last,
            Some(("get", "query", ns::VERSION)) => PersonWish::Version,
            Some(("get", "ping", ns::PING)) => PersonWish::Ping,
            Some(("get", "time", ns::TIME)) => PersonWish::Time,
            _ => {
                let able = self.relations(&person.server);
                return self.disco_or(now, stanza, || person_info(name, able), out);
            }
        };
        let request = Request::of(stanza);
        let program = |what| Question::Program {
            person: person.clone(),
            what,
        };
        let question = match wish {
            PersonWish::Card | PersonWish::Last => {
                if let Some(known) = self.profiles.of(now, person) {
                    return out.send(self.about_person(&request, wish, &Reply::Profile(known)));
                }
                Question::Profile(person.clone())
            }
            PersonWish::Version => program(Probe::Version),
            PersonWish::Ping => program(Probe::Ping),
            PersonWish::Time => program(Probe::Time),
        };
        self.inquire(question, false, stanza, Waiting::Person(request, wish), out);
    }

    /// The answer to a request about somebody.
    pub(super) fn about_person(&self, request: &Request, wish: PersonWish, reply: &Reply) -> Stanza {
        let mut xml = request.result();
        match (wish, reply) {
            (PersonWish::Card, Reply::Profile(profile)) => {
                let nick = profile.nick.as_deref().unwrap_or_default();
                let name = profile
                    .real_name
                    .as_deref()
                    .filter(|name| !name.trim().is_empty());
                xml.start_ns("vCard", ns::VCARD)
                    .leaf("FN", name.unwrap_or(nick))
                    .leaf("NICKNAME", nick);
                let lines = describe(profile);
                let lines: Vec<String> = lines
                    .into_iter()
                    .map(|(label, value)| format!("{label}: {value}"))
                    .collect();
                xml.leaf("DESC", &lines.join("\n"));
                xml.finish()
            }
            (PersonWish::Last, Reply::Profile(Profile { idle: Some(idle), .. })) => {
                xml.start_ns("query", ns::LAST)
                    .attr_fmt("seconds", idle.as_secs());
                xml.finish()
            }
            (PersonWish::Last, Reply::Profile(_)) => {
                let text = "The network does not tell since when this person is idle.";
                request.refuse(&Problem::because(Condition::ServiceUnavailable, text))
            }
            (PersonWish::Version, Reply::Version(text)) => {
                let (name, version) = split_version(text);
                xml.start_ns("query", ns::VERSION)
                    .leaf("name", name)
                    .leaf("version", version);
                xml.finish()
            }
            (PersonWish::Ping, Reply::Pong) => xml.finish(),
            (PersonWish::Time, Reply::Clock { at, offset }) => {
                let sign = if *offset < 0 { '-' } else { '+' };
                let ahead = offset.unsigned_abs();
                xml.start_ns("time", ns::TIME)
                    .leaf("tzo", &format!("{sign}{:02}:{:02}", ahead / 60, ahead % 60))
                    .leaf("utc", &time::format(*at));
                xml.finish()
            }
            // A bridge that answers something else.
            _ => request.refuse(&Problem::new(Condition::InternalServerError)),
        }
    }

    /// Whom an address that somebody has typed means.
    pub(crate) fn person_typed(&self, text: &str) -> Result<PersonId, String> {
        match self.ctx.bridge.parse_typed(text) {
            Ok(Address::Person(person)) => Ok(person),
            Ok(_) => Err(format!("'{text}' is not the address of a person.")),
            Err(bad) => Err(bad.reason),
        }
    }
}

/// What is known of somebody, line by line.
pub(crate) fn describe(profile: &Profile) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let mut add = |label, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            lines.push((label, value));
        }
    };
    let text = |name: &Option<viaduct_bridge::Name>| name.as_ref().map(ToString::to_string);
    add("Nickname", text(&profile.nick));
    add("Name", text(&profile.real_name));
    add("From", text(&profile.address));
    add("Server", text(&profile.server));
    add("Account", text(&profile.account));
    add("Away", text(&profile.away));
    add("Idle for", profile.idle.map(in_words));
    add("Connected since", profile.since.map(time::format));
    let rooms: Vec<&str> = profile.rooms.iter().map(|room| room.as_str()).collect();
    add("Rooms", Some(rooms.join(" ")));
    let notes: Vec<&str> = profile.notes.iter().map(|note| note.as_str()).collect();
    add("More", Some(notes.join("; ")));
    lines
}

/// `2 d 3 h`, `4 min 5 s`: the two largest units.
fn in_words(long: Duration) -> String {
    let seconds = long.as_secs();
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = units[first..]
        .iter()
        .take(2)
        .filter(|(count, unit)| *count > 0 || (first == 3 && *unit == "s"));
    let shown: Vec<String> = shown.map(|(count, unit)| format!("{count} {unit}")).collect();
    shown.join(" ")
}

/// A program's name and its version, which IRC has in one text: the version begins at the first word with a digit in
/// front (`HexChat 2.16.1 / Linux`).
fn split_version(text: &str) -> (&str, &str) {
    let is_version = |word: &str| {
        let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
        word.starts_with(|c: char| c.is_ascii_digit())
    };
    let starts = text.match_indices(' ').map(|(at, _)| at + 1);
    let at = starts
        .into_iter()
        .find(|at| text.get(*at..).is_some_and(is_version));
    match at {
        Some(at) => (text[..at].trim_end(), &text[at..]),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::{Profiles, in_words, split_version};
    use std::time::Duration;
    use viaduct_bridge::{PersonId, Profile, ServerId, Timestamp};

    #[test]
    fn nobody_is_idle_for_longer_than_can_be_counted() {
        let person = PersonId {
            server: ServerId("srv".into()),
            person: "bob".into(),
        };
        let profile = Profile {
            idle: Some(Duration::MAX),
            ..Profile::default()
        };
        let mut profiles = Profiles::default();
        profiles.keep(Timestamp(0), &person, &profile);
        let known = profiles.of(Timestamp(1_000_000), &person).expect("it is fresh");
        assert_eq!(known.idle, Some(Duration::MAX));
    }

    #[test]
    fn versions() {
        for (text, name, version) in [
            ("HexChat 2.16.1 / Linux", "HexChat", "2.16.1 / Linux"),
            ("WeeChat v4.1", "WeeChat", "v4.1"),
            ("mIRC", "mIRC", ""),
            ("", "", ""),
            ("3 é 4", "3 é", "4"),
        ] {
            assert_eq!(split_version(text), (name, version), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (seconds, words) in [
            (0, "0 s"),
            (61, "1 min 1 s"),
            (120, "2 min"),
            (90_061, "1 d 1 h"),
            (3600, "1 h"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
