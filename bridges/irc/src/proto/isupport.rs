//! What a server says about itself in numeric 005 (the ISUPPORT drafts; modern IRC docs, "RPL_ISUPPORT").

use viaduct_bridge::Rank;

use super::casemap::Casemapping;
use super::client_tags::TagDeny;

/// The parts of ISUPPORT that this bridge acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isupport {
    /// How names are folded.
    pub casemapping: Casemapping,
    /// The first characters of channel names.
    pub chantypes: Box<str>,
    /// Mode letters that give a rank, highest first, each with its sign in NAMES.
    pub prefixes: Box<[(char, char)]>,
    /// Modes that are lists (type A): they always have a parameter, or ask for the list without one.
    pub list_modes: Box<str>,
    /// Modes with a parameter always (type B).
    pub param_modes: Box<str>,
    /// Modes with a parameter when set (type C).
    pub set_param_modes: Box<str>,
    /// Signs that may stand before a channel name to reach only those with the rank.
    pub statusmsg: Box<str>,
    /// The most bytes of a nickname.
    pub nick_len: Option<usize>,
    /// The most bytes of a host name.
    pub host_len: Option<usize>,
    /// The most bytes of a user name.
    pub user_len: Option<usize>,
    /// The most changes with parameter in one MODE.
    pub modes: usize,
    /// The most channels in one JOIN.
    pub join_targets: Option<usize>,
    /// The client-only tags that are not relayed.
    pub tag_deny: TagDeny,
    /// The most messages in one answer to CHATHISTORY; 0 is no bound.
    pub chat_history: Option<usize>,
    /// How CHATHISTORY may name messages; empty where the server does not say.
    pub reference_types: Box<str>,
    /// How many people MONITOR takes; `None` where there is none.
    pub monitor: Option<usize>,
    /// The flag in WHO of those who are programs (bot-mode).
    pub bot: Option<char>,
    /// Whether WHO takes a choice of fields (WHOX).
    pub whox: bool,
}

impl Default for Isupport {
    /// What RFC 1459 and 2812 say of a server that says nothing.
    fn default() -> Self {
        Self {
            casemapping: Casemapping::default(),
            chantypes: "#&+!".into(),
            prefixes: [('o', '@'), ('v', '+')].into(),
            list_modes: "beI".into(),
            param_modes: "k".into(),
            set_param_modes: "l".into(),
            statusmsg: "".into(),
            nick_len: None,
            host_len: None,
            user_len: None,
            modes: 3,
            join_targets: None,
            tag_deny: TagDeny::default(),
            chat_history: None,
            reference_types: "".into(),
            monitor: None,
            bot: None,
            whox: false,
        }
    }
}

impl Isupport {
    /// Takes one token of numeric 005. True if it changed how names are folded.
    pub fn apply(&mut self, token: &str) -> bool {
        let default = || Self::default();
        let (name, value) = token.split_once('=').unwrap_or((token, ""));
        let value = unescape(value);
        let value = value.as_str();
        match name {
            "CASEMAPPING" => {
                let before = std::mem::replace(&mut self.casemapping, Casemapping::parse(value));
                return before != self.casemapping;
            }
            "CHANTYPES" => self.chantypes = value.into(),
            "-CHANTYPES" => self.chantypes = default().chantypes,
            "PREFIX" => self.prefixes = parse_prefixes(value),
            "-PREFIX" => self.prefixes = default().prefixes,
            "CHANMODES" => {
                let mut kinds = value.split(',').map(Box::from);
                self.list_modes = kinds.next().unwrap_or_default();
                self.param_modes = kinds.next().unwrap_or_default();
                self.set_param_modes = kinds.next().unwrap_or_default();
            }
            "STATUSMSG" => self.statusmsg = value.into(),
            "NICKLEN" => self.nick_len = number(value),
            "HOSTLEN" => self.host_len = number(value),
            "USERLEN" => self.user_len = number(value),
            "MODES" => self.modes = number(value).unwrap_or(12),
            "CHATHISTORY" => self.chat_history = value.parse().ok(),
            "MSGREFTYPES" => self.reference_types = value.into(),
            "CLIENTTAGDENY" => self.tag_deny = TagDeny::parse(value),
            "-CLIENTTAGDENY" => self.tag_deny = TagDeny::default(),
            "TARGMAX" => {
                self.join_targets = value
                    .split(',')
                    .find_map(|entry| entry.strip_prefix("JOIN:"))
                    .and_then(number);
            }
            // Without a number there is no limit.
            "MONITOR" => self.monitor = Some(number(value).unwrap_or(usize::MAX)),
            "-MONITOR" => self.monitor = None,
            "BOT" => self.bot = value.chars().next(),
            "-BOT" => self.bot = None,
            "WHOX" => self.whox = true,
            "-WHOX" => self.whox = false,
            _ => {}
        }
        false
    }

    /// Whether this is the name of a channel here.
    #[must_use]
    pub fn is_channel(&self, name: &str) -> bool {
        name.chars().next().is_some_and(|c| self.chantypes.contains(c))
    }

    /// The channel behind a target such as `@#chan` (STATUSMSG), or the target as it is.
    #[must_use]
    pub fn without_status<'a>(&self, target: &'a str) -> &'a str {
        let bare = target.trim_start_matches(|c| self.statusmsg.contains(c));
        if bare.len() < target.len() && self.is_channel(bare) {
            bare
        } else {
            target
        }
    }

    /// Whether CHATHISTORY may name messages in this way (draft/chathistory, MSGREFTYPES). Who says nothing takes all.
    #[must_use]
    pub fn refers_by(&self, way: &str) -> bool {
        self.reference_types.is_empty() || self.reference_types.split(',').any(|known| known == way)
    }

    /// The rank that a mode letter gives.
    #[must_use]
    pub fn rank_of_mode(&self, mode: char) -> Option<Rank> {
        self.prefixes
            .iter()
            .any(|(letter, _)| *letter == mode)
            .then(|| rank_of_letter(mode))
    }

    /// The rank that a sign in NAMES stands for.
    #[must_use]
    pub fn rank_of_sign(&self, sign: char) -> Option<Rank> {
        self.prefixes
            .iter()
            .find(|(_, s)| *s == sign)
            .map(|(letter, _)| rank_of_letter(*letter))
    }

    /// The letters of the ranks in this set, or the first rank that this server does not have.
    ///
    /// # Errors
    /// When the server has no mode for one of them.
    pub fn letters(&self, ranks: Rank) -> Result<Vec<char>, Rank> {
        let mut letters = Vec::new();
        for (rank, letter) in RANKS {
            if ranks.contains(rank) {
                if self.rank_of_mode(letter).is_none() {
                    return Err(rank);
                }
                letters.push(letter);
            }
        }
        Ok(letters)
    }
}

/// The ranks and their customary letters, highest first.
const RANKS: [(Rank, char); 5] = [
    (Rank::OWNER, 'q'),
    (Rank::ADMIN, 'a'),
    (Rank::OPERATOR, 'o'),
    (Rank::HALF_OPERATOR, 'h'),
    (Rank::VOICE, 'v'),
];

/// Letters beyond the customary five (network staff and the like) say nothing about rights in the room.
fn rank_of_letter(letter: char) -> Rank {
    RANKS
        .iter()
        .find(|(_, l)| *l == letter)
        .map_or(Rank::NONE, |(rank, _)| *rank)
}

fn number(value: &str) -> Option<usize> {
    value.parse().ok().filter(|n| *n > 0 && *n < 10_000)
}

/// Reads `(qaohv)~&@%+`.
fn parse_prefixes(value: &str) -> Box<[(char, char)]> {
    let Some((letters, signs)) = value.strip_prefix('(').and_then(|v| v.split_once(')')) else {
        return Box::new([]);
    };
    letters.chars().zip(signs.chars()).take(16).collect()
}

/// `\xHH` in values.
fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("\\x") {
        out.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = &after[2..];
            }
            None => {
                out.push_str("\\x");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::Isupport;
    use crate::proto::casemap::Casemapping;
    use proptest::prelude::*;
    use viaduct_bridge::Rank;

    fn of(tokens: &str) -> Isupport {
        let mut isupport = Isupport::default();
        for token in tokens.split(' ') {
            isupport.apply(token);
        }
        isupport
    }

    #[test]
    fn a_modern_server() {
        let i = of(
            "CASEMAPPING=ascii CHANTYPES=# PREFIX=(qaohv)~&@%+ CHANMODES=Ibeg,k,Hl,imnpst STATUSMSG=~&@%+ \
             NICKLEN=30 TARGMAX=JOIN:5,KICK:1 MODES=20 NETWORK=a\\x20b",
        );
        assert_eq!(i.casemapping, Casemapping::Ascii);
        assert!(i.is_channel("#a") && !i.is_channel("&a"));
        assert_eq!(i.rank_of_sign('%'), Some(Rank::HALF_OPERATOR));
        assert_eq!(i.rank_of_mode('q'), Some(Rank::OWNER));
        assert_eq!(i.rank_of_mode('b'), None);
        assert_eq!((i.nick_len, i.join_targets, i.modes), (Some(30), Some(5), 20));
        assert_eq!(i.without_status("@#a"), "#a");
        assert_eq!(i.without_status("#a"), "#a");
        assert_eq!(i.without_status("nick"), "nick");
        assert_eq!(i.letters(Rank::OPERATOR.with(Rank::VOICE)), Ok(vec!['o', 'v']));
    }

    #[test]
    fn a_silent_server() {
        let i = Isupport::default();
        assert_eq!(i.casemapping, Casemapping::Rfc1459);
        assert_eq!(i.letters(Rank::OWNER), Err(Rank::OWNER));
        assert_eq!(i.without_status("+chan"), "+chan");
        assert!(!of("PREFIX=").is_channel("x") && of("PREFIX=").prefixes.is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(tokens in proptest::collection::vec("(-?[A-Z]{3,11}=?)?[ -~é]{0,12}", 0..8), name in any::<String>()) {
            let mut i = Isupport::default();
            for token in &tokens {
                i.apply(token);
            }
            let _ = (i.is_channel(&name), i.without_status(&name), i.letters(Rank::from_bits(31)));
        }
    }
}
