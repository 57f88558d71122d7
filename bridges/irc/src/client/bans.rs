//! Bans: which mask stands for a person, which masks fit one, and whether a kick was part of a ban.

use std::time::{Duration, Instant};

use viaduct_bridge::Name;

use crate::proto::modes::mask_fits;

/// The mask that bans a person: by host where it is known (a nickname is changed in a second), else by nickname.
pub(super) fn mask_of(nick: &str, userhost: Option<&str>) -> String {
    match userhost.and_then(|userhost| userhost.rsplit_once('@')) {
        Some((_, host)) if !host.is_empty() => format!("*!*@{host}"),
        _ => format!("{nick}!*@*"),
    }
}

/// Whether a mask on a channel's list bans this person. With an unknown host only masks that name the nickname count.
pub(super) fn mask_hits(mask: &str, nick: &str, userhost: Option<&str>) -> bool {
    // Extended bans (`~a:account`, `m:mask`, `$a:account`) are about something else than a name.
    let Some((nick_mask, rest)) = mask.split_once('!') else {
        return false;
    };
    match userhost {
        Some(userhost) => mask_fits(mask, &format!("{nick}!{userhost}")),
        None => {
            nick_mask.bytes().any(|b| !matches!(b, b'*' | b'?'))
                && mask_fits(nick_mask, nick)
                && rest.bytes().all(|b| matches!(b, b'*' | b'?' | b'@' | b'~'))
        }
    }
}

/// The most masks that one command takes off a list.
pub(super) const MOST_LIFTED: usize = 32;

/// The bans that were set here, by the person for whom: a mask by host does not tell.
#[derive(Default)]
pub(super) struct OwnBans(Vec<(Name, Box<str>, Name)>);

impl OwnBans {
    /// The most that are kept in mind.
    const MOST: usize = 16;

    /// A ban is set for somebody.
    pub(super) fn note(&mut self, room: Name, mask: &str, person: &Name) {
        self.0.retain(|(known, own, _)| *known != room || **own != *mask);
        if self.0.len() >= Self::MOST {
            self.0.remove(0);
        }
        self.0.push((room, mask.into(), person.clone()));
    }

    /// For whom a ban was set.
    pub(super) fn person(&self, room: &str, mask: &str) -> Option<&Name> {
        let is_it = |(known, own, _): &&(Name, Box<str>, Name)| known.as_str() == room && **own == *mask;
        self.0.iter().find(is_it).map(|(_, _, person)| person)
    }
}

const MOST: usize = 4;
const WINDOW: Duration = Duration::from_secs(10);

/// The last bans that were set, for a moment: a kick by the same hand that follows is the ban taking effect.
#[derive(Default)]
pub(super) struct RecentBans(Vec<RecentBan>);

struct RecentBan {
    room: Name,
    by: Name,
    mask: Box<str>,
    at: Instant,
}

impl RecentBans {
    /// Somebody set a ban.
    pub(super) fn note(&mut self, room: Name, by: Name, mask: &str, now: Instant) {
        self.0.retain(|ban| ban.at + WINDOW > now);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(RecentBan {
            room,
            by,
            mask: mask.into(),
            at: now,
        });
    }

    /// Whether a kick is part of a ban.
    pub(super) fn explains(
        &self,
        room: &str,
        by: &str,
        nick: &str,
        userhost: Option<&str>,
        now: Instant,
    ) -> bool {
        self.0.iter().any(|ban| {
            ban.at + WINDOW > now
                && ban.room.as_str() == room
                && ban.by.as_str() == by
                && match userhost {
                    Some(userhost) => mask_fits(&ban.mask, &format!("{nick}!{userhost}")),
                    None => {
                        let nick_mask = ban.mask.split('!').next().unwrap_or_default();
                        mask_fits(nick_mask, nick)
                    }
                }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{RecentBans, mask_hits, mask_of};
    use std::time::{Duration, Instant};
    use viaduct_bridge::Name;

    #[test]
    fn masks_of_people() {
        assert_eq!(mask_of("bob", Some("u@h.example")), "*!*@h.example");
        assert_eq!(mask_of("bob", None), "bob!*@*");
        for (mask, userhost, hits) in [
            ("*!*@h.example", Some("u@h.example"), true),
            ("*!*@h.example", None, false),
            ("bob!*@*", None, true),
            ("b*!*@*", None, true),
            ("bob!*@other", None, false),
            ("*!*@*", None, false),
            ("$a:bob", Some("u@h"), false),
        ] {
            assert_eq!(mask_hits(mask, "bob", userhost), hits, "{mask}");
        }
    }

    #[test]
    fn a_kick_after_a_ban() {
        let now = Instant::now();
        let mut bans = RecentBans::default();
        bans.note(Name::from("#c"), Name::from("op"), "*!*@h", now);
        assert!(bans.explains("#c", "op", "bob", Some("u@h"), now));
        assert!(bans.explains("#c", "op", "bob", None, now));
        assert!(!bans.explains("#c", "op", "bob", Some("u@other"), now));
        assert!(!bans.explains("#c", "other", "bob", None, now));
        assert!(!bans.explains("#c", "op", "bob", None, now + Duration::from_secs(11)));
    }
}
