//! MODE lines of channels (RFC 1459 §4.2.3.1, ISUPPORT `CHANMODES` and `PREFIX`).

use viaduct_bridge::{Rank, RoomFlags};

use super::isupport::Isupport;

/// One change of a MODE line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// Set, or taken away.
    pub set: bool,
    /// Which mode.
    pub mode: char,
    /// Its parameter, where it has one.
    pub param: Option<&'a str>,
}

/// Reads the changes of a MODE line: `modes` such as `+o-l`, and the parameters after it.
pub fn changes<'a>(
    isupport: &'a Isupport,
    modes: &'a str,
    params: &'a [&'a str],
) -> impl Iterator<Item = Change<'a>> {
    let mut params = params.iter().copied();
    let mut set = true;
    modes.chars().filter_map(move |mode| {
        match mode {
            '+' => set = true,
            '-' => set = false,
            _ => {
                let takes = isupport.rank_of_mode(mode).is_some()
                    || isupport.list_modes.contains(mode)
                    || isupport.param_modes.contains(mode)
                    || set && isupport.set_param_modes.contains(mode);
                let param = if takes { params.next() } else { None };
                return Some(Change { set, mode, param });
            }
        }
        None
    })
}

/// The modes of a channel that show in [`RoomFlags`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ChannelModes {
    flags: RoomFlags,
    /// `+p` and `+s` both hide a channel, and each can be taken away alone.
    private: bool,
    secret: bool,
}

impl ChannelModes {
    /// What the modes mean, network words aside.
    #[must_use]
    pub fn flags(&self) -> RoomFlags {
        RoomFlags {
            hidden: self.private || self.secret,
            ..self.flags
        }
    }

    /// The letters of the modes that hide the channel and are set.
    #[must_use]
    pub fn hiding(&self) -> Vec<char> {
        let set = [('p', self.private), ('s', self.secret)];
        set.iter()
            .filter(|(_, set)| *set)
            .map(|(letter, _)| *letter)
            .collect()
    }

    /// Takes one change. Modes that show nowhere are let pass.
    pub fn apply(&mut self, change: Change<'_>) {
        let set = change.set;
        match change.mode {
            'm' => self.flags.moderated = set,
            'i' => self.flags.invite_only = set,
            'k' => self.flags.password = set,
            't' => self.flags.topic_locked = set,
            'p' => self.private = set,
            's' => self.secret = set,
            'l' => self.flags.limit = change.param.filter(|_| set).and_then(|n| n.parse().ok()),
            _ => {}
        }
    }
}

/// What a change does to somebody's rank, as (given, taken).
#[must_use]
pub fn rank_change(isupport: &Isupport, change: Change<'_>) -> Option<(Rank, Rank)> {
    let rank = isupport.rank_of_mode(change.mode)?;
    Some(if change.set {
        (rank, Rank::NONE)
    } else {
        (Rank::NONE, rank)
    })
}

/// Whether a ban mask such as `nick!*@host` fits a name of the same form. `*` and `?` stand for anything; letters
/// fold as in ASCII.
#[must_use]
pub fn mask_fits(mask: &str, name: &str) -> bool {
    let (mask, name) = (mask.as_bytes(), name.as_bytes());
    let (mut m, mut n) = (0, 0);
    // Where the last star was, and up to where it has eaten: one way back is enough for globs.
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match mask.get(m) {
            Some(b'*') => {
                back = Some((m, n));
                m += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&name[n]) => {
                m += 1;
                n += 1;
            }
            _ => match &mut back {
                Some((star, eaten)) => {
                    *eaten += 1;
                    m = *star + 1;
                    n = *eaten;
                }
                None => return false,
            },
        }
    }
    mask[m..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::{Change, ChannelModes, changes, mask_fits};
    use crate::proto::isupport::Isupport;
    use proptest::prelude::*;

    #[test]
    fn parameters_go_where_chanmodes_says() {
        let mut isupport = Isupport::default();
        isupport.apply("CHANMODES=beI,k,lj,imnpst");
        isupport.apply("PREFIX=(ohv)@%+");
        let params = ["alice", "5", "*!*@x", "key", "bob"];
        let got: Vec<_> = changes(&isupport, "+oml-b+k-lv", &params).collect();
        let change = |set, mode, param| Change { set, mode, param };
        assert_eq!(
            got,
            [
                change(true, 'o', Some("alice")),
                change(true, 'm', None),
                change(true, 'l', Some("5")),
                change(false, 'b', Some("*!*@x")),
                change(true, 'k', Some("key")),
                change(false, 'l', None),
                change(false, 'v', Some("bob")),
            ]
        );
    }

    #[test]
    fn flags_of_a_channel() {
        let isupport = Isupport::default();
        let mut modes = ChannelModes::default();
        for change in changes(&isupport, "+imsptlk", &["50", "key"]) {
            modes.apply(change);
        }
        let flags = modes.flags();
        assert!(flags.moderated && flags.invite_only && flags.hidden && flags.topic_locked && flags.password);
        assert_eq!(flags.limit, Some(50));
        for change in changes(&isupport, "-pl", &[]) {
            modes.apply(change);
        }
        assert!(modes.flags().hidden, "still secret");
        assert_eq!(modes.flags().limit, None);
    }

    #[test]
    fn masks() {
        for (mask, name, fits) in [
            ("*!*@*.example", "bob!u@a.example", true),
            ("bob!*@*", "BOB!u@h", true),
            ("bo?!*@*", "bob!u@h", true),
            ("*!*@other", "bob!u@h", false),
            ("*", "", true),
            ("", "a", false),
            ("a*b*c", "axxbyybzzc", true),
            ("**a", "bba", true),
        ] {
            assert_eq!(mask_fits(mask, name), fits, "{mask} {name}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(modes in "[-+a-zA-Zé]{0,20}", params in proptest::collection::vec("[a-z*!@]{0,5}", 0..6)) {
            let isupport = Isupport::default();
            let params: Vec<&str> = params.iter().map(String::as_str).collect();
            let mut channel = ChannelModes::default();
            for change in changes(&isupport, &modes, &params) {
                channel.apply(change);
            }
        }

        #[test]
        fn every_name_fits_itself_and_the_star(name in "[a-z!@.]{0,20}") {
            prop_assert!(mask_fits(&name, &name));
            prop_assert!(mask_fits("*", &name));
        }
    }
}
