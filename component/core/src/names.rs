//! Nicknames as JID resources, and names that must not deceive.

use std::borrow::Cow;

use jid::ResourcePart;
use sha2::{Digest, Sha256};

/// The most bytes of a localpart or a resource (RFC 7622 §3.3.1, §3.4.1).
pub(crate) const MAX_PART: usize = 1023;
/// The most characters that a substitute keeps of a nickname.
const MOST_KEPT: usize = 64;
/// What stands between that and the mark of a substitute.
const SEPARATOR: &str = " ~";
/// How many characters the mark has, of five bits each.
const MARK_LEN: usize = 12;
/// The digits of a mark (those of RFC 4648 §6, in lower case).
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// The longest true name that is told beside a substitute.
const LONGEST_TOLD: usize = 256;

/// A nickname as the resource of an occupant's JID.
///
/// Most nicknames are their own resource. A readable substitute stands for one that resourceprep changes or refuses
/// (the jid crate knows Unicode 3.2), and for one that may pass for another: with characters that do not show, that
/// change the direction of what stands around them, or that belong to another script than their neighbours. It is what
/// is left of the nickname and a mark that depends on the whole of it, so that the same person keeps the same
/// substitute, two people do not share one, and what is left of a nickname is never mistaken for somebody who is
/// called just that.
#[must_use]
pub fn resource(nick: &str) -> Cow<'_, str> {
    if nick.len() <= MAX_PART && is_its_own(nick) {
        return Cow::Borrowed(nick);
    }
    let kept: String = nick
        .chars()
        .filter(|c| is_fit(c.encode_utf8(&mut [0; 4])) || *c == ' ')
        .take(MOST_KEPT)
        .collect();
    let kept = kept.trim();
    let mark = mark(nick);
    let readable = if kept.is_empty() { "nameless" } else { kept };
    let substitute = format!("{readable}{SEPARATOR}{mark}");
    // A mix of directions can be refused as a whole although each character is allowed (RFC 3454 §6).
    if is_prepared(&substitute) {
        Cow::Owned(substitute)
    } else {
        Cow::Owned(format!("nameless{SEPARATOR}{mark}"))
    }
}

/// The nickname as it really is, to be told beside its substitute (XEP-0172); `None` where there is no substitute, and
/// where the nickname may pass for another.
#[must_use]
pub fn true_name(nick: &str) -> Option<&str> {
    let told = nick.len() <= LONGEST_TOLD && !nick.trim().is_empty() && !may_deceive(nick);
    (told && !is_its_own(nick)).then_some(nick)
}

/// What stands for a localpart that is too long: its beginning, and a mark that depends on the whole of it.
#[must_use]
pub(crate) fn shortened(local: &str) -> String {
    let kept: String = local.chars().take(MOST_KEPT).filter(char::is_ascii).collect();
    format!("{kept}~{}", mark(local))
}

fn is_its_own(text: &str) -> bool {
    is_fit(text) && !is_marked(text)
}

/// Whether the text can be a resource as it is, and looks like nothing else.
fn is_fit(text: &str) -> bool {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte);
    if text.as_bytes().iter().all(plain) {
        return !text.is_empty() && !text.starts_with(' ') && !text.ends_with(' ');
    }
    is_prepared(text) && !may_deceive(text)
}

fn is_prepared(text: &str) -> bool {
    ResourcePart::new(text).is_ok_and(|prepared| prepared.as_str() == text)
}

fn may_deceive(text: &str) -> bool {
    text.trim() != text || text.chars().any(does_not_show) || mixes_scripts(text) || is_marked(text)
}

/// Whether the text ends as a substitute does.
fn is_marked(text: &str) -> bool {
    let mark = text.rsplit_once(SEPARATOR).map_or("", |(_, mark)| mark);
    mark.len() == MARK_LEN && mark.bytes().all(|byte| DIGITS.contains(&byte))
}

/// A mark that depends on the whole of a nickname: 60 bits of its hash, which nobody finds twice in passing.
fn mark(nick: &str) -> String {
    let hash = Sha256::digest(nick.as_bytes());
    let mut bits = hash
        .iter()
        .take(8)
        .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let mut mark = String::with_capacity(MARK_LEN);
    for _ in 0..MARK_LEN {
        mark.push(char::from(DIGITS[usize::try_from(bits >> 59).unwrap_or(0)]));
        bits <<= 5;
    }
    mark
}

/// Characters without a shape of their own: the default ignorable ones (Unicode 16, `Default_Ignorable_Code_Point`)
/// with the marks of direction among them, fillers, and white space other than the space.
fn does_not_show(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    ) || c != ' ' && (c.is_whitespace() || c.is_control())
}

/// Whether a word has letters of Latin and of a script whose letters look like those (Unicode Technical Standard 39
/// §5.1, for the scripts that are mistaken for Latin).
fn mixes_scripts(text: &str) -> bool {
    let latin = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
    let alike = |c: char| {
        matches!(
            c,
            '\u{370}'..='\u{3ff}'
                | '\u{400}'..='\u{52f}'
                | '\u{530}'..='\u{58f}'
                | '\u{13a0}'..='\u{13ff}'
                | '\u{1c80}'..='\u{1c8f}'
                | '\u{1f00}'..='\u{1fff}'
                | '\u{2c80}'..='\u{2cff}'
                | '\u{a640}'..='\u{a69f}'
                | '\u{ab70}'..='\u{abbf}'
        )
    };
    !text.is_ascii()
        && text
            .split(|c: char| !c.is_alphabetic())
            .any(|word| word.chars().any(latin) && word.chars().any(alike))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{MAX_PART, resource, shortened, true_name};

    #[test]
    fn ordinary_nicks_are_kept() {
        for nick in [
            "bob",
            "[bob]",
            "Bob|away",
            "`_^{}\\",
            "Zoë",
            "日本",
            "Анна",
            "Ελένη",
            "שלום",
            "anna|анна",
            "me ~too",
            "x ~abcdef",
        ] {
            assert_eq!(resource(nick), nick);
            assert_eq!(true_name(nick), None);
        }
    }

    #[test]
    fn others_get_a_stable_readable_substitute() {
        let emoji = resource("Bob 🥳").into_owned();
        assert!(emoji.starts_with("Bob ~"), "{emoji}");
        assert_eq!(resource("Bob 🥳"), emoji);
        assert_eq!(true_name("Bob 🥳"), Some("Bob 🥳"));
        assert_ne!(resource("Bob 🥵"), emoji);
        assert!(resource("🥳").starts_with("nameless ~"));
        assert!(resource("   ").starts_with("nameless ~"));
        assert!(resource(&"x".repeat(5000)).len() < 1023);
        assert!(jid::ResourcePart::new(&resource("שלום abc")).is_ok());
    }

    #[test]
    fn nobody_passes_for_somebody_else() {
        for nick in [
            "al\u{200b}ice",
            "alice\u{200d}",
            "\u{feff}alice",
            "al\u{ad}ice",
            "\u{202e}alice",
            "alice\u{2066}",
            "alice\u{3164}",
            "alice\u{1160}",
            "alice\u{2800}",
            "alice\u{e0061}",
            "alice\u{fe0f}",
            "alice\u{a0}",
            "alice ",
            // A Cyrillic letter, and a Greek one.
            "\u{430}lice",
            "alic\u{3b5}",
        ] {
            let shown = resource(nick);
            let visible = |c: char| !super::does_not_show(c);
            assert!(shown.chars().all(visible), "{nick:?} is shown as {shown:?}");
            assert!(
                shown.contains(" ~") && shown.len() > 13,
                "{nick:?} is shown as {shown:?}"
            );
            assert_eq!(true_name(nick), None, "{nick:?}");
        }
        // Nor for one who has a substitute.
        let taken = resource("Bob🥳").into_owned();
        assert_ne!(resource(&taken), taken);
        assert_eq!(true_name(&taken), None);
    }

    #[test]
    fn what_is_too_long_for_a_localpart_is_shortened() {
        let long = |last: char| format!("{}{last}", r"\c3\89".repeat(200));
        let (one, other) = (shortened(&long('a')), shortened(&long('b')));
        assert!(one != other && one.len() < MAX_PART, "{one}");
        assert!(jid::NodePart::new(&one).is_ok_and(|prepared| prepared.as_str() == one));
    }

    #[test]
    fn many_odd_nicks_are_as_many_occupants() {
        let nicks: Vec<String> = (0..100_000).map(|n| format!("🥳{n}🥳")).collect();
        let shown: HashSet<String> = nicks.iter().map(|nick| resource(nick).into_owned()).collect();
        assert_eq!(shown.len(), nicks.len());
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_can_be_a_resource_of_its_own(one in any::<String>(), other in any::<String>()) {
            let shown = resource(&one);
            prop_assert!(jid::ResourcePart::new(&shown).is_ok_and(|prepared| prepared.as_str() == shown));
            prop_assert!(one == other || resource(&other) != shown);
        }

        #[test]
        fn what_does_not_show_makes_a_difference(nick in "[a-z]{1,8}", hidden in "[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2064}\u{ad}]{1,3}", at in 0_usize..9) {
            let mut odd = nick.clone();
            odd.insert_str(at.min(nick.len()), &hidden);
            let shown = resource(&odd);
            prop_assert!(*shown != *nick && shown.starts_with(&nick), "{} is shown as {}", odd, shown);
        }
    }
}
