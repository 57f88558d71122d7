//! Who is in a room, and what the user's clients have been shown of it.

use std::collections::HashMap;
use std::sync::Arc;

use viaduct_bridge::{Member, Name, Rank};

/// Separates the fields of a stored occupant; no name of any network has it.
const FIELD: char = '\u{1f}';
/// Ends a stored occupant.
const RECORD: char = '\u{1e}';

/// Somebody in a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occupant {
    /// The name for display.
    pub nick: Name,
    /// What they may do.
    pub rank: Rank,
    /// Why they are away, if they are; empty where nobody says why.
    pub away: Option<Name>,
    /// The name under which they came, where they changed it since: who they are (XEP-0421 wants the same
    /// occupant-id over changes of the nickname).
    pub identity: Option<Name>,
    /// The account to which they are logged in, as far as the network tells: who they are, before any name.
    pub account: Option<Name>,
    /// Whether they are a program.
    pub bot: bool,
}

impl Occupant {
    /// The occupant that a member is.
    #[must_use]
    pub fn of(member: &Member) -> Self {
        // A folded name that equals the nickname shares its memory.
        let nick = if member.nick == member.person {
            member.person.clone()
        } else {
            member.nick.clone()
        };
        Self {
            nick,
            rank: member.rank,
            away: member.away.then(|| "".into()),
            identity: None,
            account: member.account.clone(),
            bot: false,
        }
    }

    /// The affiliation that the rank amounts to (XEP-0045 §5.2).
    #[must_use]
    pub fn affiliation(&self) -> Affiliation {
        Affiliation::of(self.rank)
    }

    /// The role (XEP-0045 §5.1): the network's evidence, and whether one needs voice to speak.
    #[must_use]
    pub fn role(&self, moderated: bool) -> &'static str {
        let moderators = Rank::OWNER
            .with(Rank::ADMIN)
            .with(Rank::OPERATOR)
            .with(Rank::HALF_OPERATOR);
        if self.rank.without(moderators) != self.rank {
            "moderator"
        } else if self.rank.contains(Rank::VOICE) || !moderated {
            "participant"
        } else {
            "visitor"
        }
    }
}

/// The affiliations of XEP-0045 §5.2, in the order of their power.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[expect(missing_docs, reason = "the names are those of XEP-0045 §5.2")]
pub enum Affiliation {
    None,
    Member,
    Admin,
    Owner,
}

impl Affiliation {
    /// The affiliation that a rank amounts to.
    #[must_use]
    pub fn of(rank: Rank) -> Self {
        if rank.contains(Rank::OWNER) {
            Self::Owner
        } else if rank.contains(Rank::ADMIN) || rank.contains(Rank::OPERATOR) {
            Self::Admin
        } else if rank.contains(Rank::HALF_OPERATOR) || rank.contains(Rank::VOICE) {
            Self::Member
        } else {
            Self::None
        }
    }

    /// As XEP-0045 writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// Everybody in a room, by folded name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Occupants(HashMap<Name, Occupant>);

impl Occupants {
    /// Everybody of a snapshot. Who was known under the same name before keeps their identity, and their account until
    /// the network tells of another: a list of names does not tell of accounts.
    #[must_use]
    pub fn of(members: &[Member], before: &Self) -> Self {
        let occupant = |member: &Member| {
            let mut occupant = Occupant::of(member);
            if let Some(known) = before.get(&member.person) {
                occupant.identity.clone_from(&known.identity);
                occupant.account = occupant.account.or_else(|| known.account.clone());
            }
            (member.person.clone(), occupant)
        };
        Self(members.iter().map(occupant).collect())
    }

    /// Somebody, by folded name.
    #[must_use]
    pub fn get(&self, person: &str) -> Option<&Occupant> {
        self.0.get(person)
    }

    /// Somebody, to be changed.
    pub fn get_mut(&mut self, person: &str) -> Option<&mut Occupant> {
        self.0.get_mut(person)
    }

    /// Puts somebody in.
    pub fn insert(&mut self, person: Name, occupant: Occupant) {
        self.0.insert(person, occupant);
    }

    /// Takes somebody out.
    pub fn remove(&mut self, person: &str) -> Option<Occupant> {
        self.0.remove(person)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everybody, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Occupant)> {
        self.0.iter()
    }

    /// Somebody by the resource of their occupant JID.
    #[must_use]
    pub fn by_resource(&self, resource: &str) -> Option<(&Name, &Occupant)> {
        let quick = self.0.get_key_value(resource.to_ascii_lowercase().as_str());
        let is = |occupant: &Occupant| crate::names::resource(&occupant.nick) == resource;
        quick
            .filter(|(_, occupant)| is(occupant))
            .or_else(|| self.0.iter().find(|(_, occupant)| is(occupant)))
    }

    /// The form in which it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Arc<[u8]> {
        let mut out = String::with_capacity(self.len() * 24);
        for (person, occupant) in &self.0 {
            write_record(&mut out, '+', person, Some(occupant));
        }
        out.into_bytes().into()
    }

    /// Applies a stored snapshot or change. What cannot be read is passed over: it is a hint, not an authority.
    pub fn apply_bytes(&mut self, bytes: &[u8]) {
        for record in String::from_utf8_lossy(bytes)
            .split(RECORD)
            .filter(|record| !record.is_empty())
        {
            let mut fields = record.split(FIELD);
            let (Some(sign), Some(person)) = (fields.next(), fields.next()) else {
                continue;
            };
            if sign == "-" {
                self.0.remove(person);
                continue;
            }
            let (Some(nick), Some(rank), Some(away), Some(identity)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let occupant = Occupant {
                nick: nick.into(),
                rank: Rank::from_bits(rank.parse().unwrap_or_default()),
                away: away.strip_prefix('1').map(Name::from),
                identity: (!identity.is_empty()).then(|| identity.into()),
                // Not there in what older versions stored.
                account: fields
                    .next()
                    .filter(|account| !account.is_empty())
                    .map(Name::from),
                bot: fields.next() == Some("1"),
            };
            self.0.insert(person.into(), occupant);
        }
    }
}

/// A change in its stored form: somebody is as given, or gone.
#[must_use]
pub fn change_bytes(person: &str, occupant: Option<&Occupant>) -> Arc<[u8]> {
    let mut out = String::new();
    write_record(
        &mut out,
        if occupant.is_some() { '+' } else { '-' },
        person,
        occupant,
    );
    out.into_bytes().into()
}

fn write_record(out: &mut String, sign: char, person: &str, occupant: Option<&Occupant>) {
    let clean = |text: &str| text.replace([FIELD, RECORD], "");
    out.push(sign);
    out.push(FIELD);
    out.push_str(&clean(person));
    if let Some(occupant) = occupant {
        let identity = occupant.identity.as_deref().unwrap_or_default();
        let account = occupant.account.as_deref().unwrap_or_default();
        let away = occupant.away.as_deref();
        let away = away.map_or_else(|| "0".to_owned(), |words| format!("1{}", clean(words)));
        for field in [
            clean(&occupant.nick).as_str(),
            &occupant.rank.bits().to_string(),
            &away,
            &clean(identity),
            &clean(account),
            if occupant.bot { "1" } else { "" },
        ] {
            out.push(FIELD);
            out.push_str(field);
        }
    }
    out.push(RECORD);
}

#[cfg(test)]
mod tests {
    use super::{Affiliation, Occupant, Occupants, change_bytes};
    use viaduct_bridge::Rank;

    fn occupant(nick: &str, rank: Rank) -> Occupant {
        Occupant {
            nick: nick.into(),
            rank,
            away: None,
            identity: None,
            account: None,
            bot: false,
        }
    }

    #[test]
    fn what_is_stored_reads_back() {
        let mut occupants = Occupants::default();
        occupants.insert("bob".into(), occupant("Bob", Rank::OPERATOR));
        occupants.insert(
            "eve".into(),
            Occupant {
                identity: Some("mallory".into()),
                away: Some("at lunch".into()),
                account: Some("m".into()),
                bot: true,
                ..occupant("Eve", Rank::NONE)
            },
        );
        let mut read = Occupants::default();
        read.apply_bytes(&occupants.to_bytes());
        assert_eq!(read, occupants);
        // What was stored before accounts were known.
        read.apply_bytes("+\u{1f}old\u{1f}Old\u{1f}0\u{1f}0\u{1f}first\u{1e}".as_bytes());
        let old = read.remove("old").expect("it is read");
        assert_eq!((old.identity.as_deref(), old.account), (Some("first"), None));
        read.apply_bytes(&change_bytes("bob", None));
        read.apply_bytes(&change_bytes("zoe", Some(&occupant("zoë", Rank::VOICE))));
        occupants.remove("bob");
        occupants.insert("zoe".into(), occupant("zoë", Rank::VOICE));
        assert_eq!(read, occupants);
    }

    #[test]
    fn ranks_are_affiliations_and_roles() {
        let check = |rank: Rank, affiliation, role, moderated_role| {
            let somebody = occupant("x", rank);
            assert_eq!(
                (somebody.affiliation(), somebody.role(false)),
                (affiliation, role)
            );
            assert_eq!(somebody.role(true), moderated_role);
        };
        check(
            Rank::OWNER.with(Rank::OPERATOR),
            Affiliation::Owner,
            "moderator",
            "moderator",
        );
        check(Rank::ADMIN, Affiliation::Admin, "moderator", "moderator");
        check(
            Rank::OPERATOR.with(Rank::VOICE),
            Affiliation::Admin,
            "moderator",
            "moderator",
        );
        check(Rank::HALF_OPERATOR, Affiliation::Member, "moderator", "moderator");
        check(Rank::VOICE, Affiliation::Member, "participant", "participant");
        check(Rank::NONE, Affiliation::None, "participant", "visitor");
    }
}
