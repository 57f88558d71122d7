//! A few people who were seen lately: their names are made once for many messages, and bans find their hosts.

use viaduct_bridge::Name;

use crate::proto::casemap::Casemapping;
use crate::proto::message::Source;

/// Small on purpose: every connection has one.
const MOST: usize = 8;

#[derive(Default)]
pub(super) struct People(Vec<Person>);

struct Person {
    nick: Name,
    folded: Name,
    userhost: Option<Box<str>>,
    /// The account that was told last, if any was told.
    account: Option<Option<Name>>,
}

impl People {
    /// The names of who a line comes from: for display, and folded.
    pub(super) fn names(&mut self, source: Source<'_>, fold: Casemapping) -> (Name, Name) {
        let at = match self.0.iter().position(|p| p.nick.as_str() == source.nick) {
            Some(at) => at,
            None => self.add(source.nick, fold),
        };
        let person = &mut self.0[at];
        if let (Some(user), Some(host)) = (source.user, source.host) {
            let known = person.userhost.as_deref().is_some_and(|known| {
                known.len() == user.len() + 1 + host.len() && known.starts_with(user) && known.ends_with(host)
            });
            if !known {
                person.userhost = Some(format!("{user}@{host}").into());
            }
        }
        (person.nick.clone(), person.folded.clone())
    }

    /// The `user@host` of somebody, by the folded name.
    pub(super) fn userhost(&self, folded: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|p| p.folded.as_str() == folded)
            .and_then(|p| p.userhost.as_deref())
    }

    /// Somebody who was seen with this host.
    pub(super) fn at_host(&self, host: &str) -> Option<&Name> {
        let is_there = |person: &&Person| {
            let seen = person.userhost.as_deref().and_then(|seen| seen.rsplit_once('@'));
            seen.is_some_and(|(_, seen)| seen.eq_ignore_ascii_case(host))
        };
        self.0.iter().find(is_there).map(|person| &person.folded)
    }

    /// Somebody is logged in to this account or to none. Whether that is news, as far as anybody remembers.
    pub(super) fn note_account(&mut self, folded: &str, account: Option<&Name>) -> bool {
        let person = self.0.iter_mut().find(|p| p.folded.as_str() == folded);
        let Some(person) = person else {
            return true;
        };
        let known = person.account.as_ref();
        let news = known.is_none_or(|known| known.as_ref() != account);
        if news {
            person.account = Some(account.cloned());
        }
        news
    }

    /// Forgets somebody who is gone, or who goes by another name or host from now on.
    pub(super) fn forget(&mut self, folded: &str) {
        self.0.retain(|p| p.folded.as_str() != folded);
    }

    /// Forgets everybody, when names are folded anew.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn add(&mut self, nick: &str, fold: Casemapping) -> usize {
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        let nick = Name::from(nick);
        let folded = fold.fold_name(&nick);
        self.0.retain(|p| p.folded != folded);
        self.0.push(Person {
            nick,
            folded,
            userhost: None,
            account: None,
        });
        self.0.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::People;
    use crate::proto::casemap::Casemapping;
    use crate::proto::message::Source;

    #[test]
    fn the_last_few_are_remembered() {
        let mut people = People::default();
        let mut see = |who: &str| people.names(Source::parse(who), Casemapping::Rfc1459);
        let (nick, folded) = see("Bob[]!u@one.example");
        assert_eq!((nick.as_str(), folded.as_str()), ("Bob[]", "bob{}"));
        see("Bob[]!u@two.example");
        see("Bob[]");
        assert_eq!(people.userhost("bob{}"), Some("u@two.example"));
        for n in 0..9 {
            people.names(Source::parse(&format!("n{n}!u@h")), Casemapping::Ascii);
        }
        assert_eq!(people.userhost("bob{}"), None);
    }
}
