//! Which nickname to ask for when one was refused while logging in (numerics 432, 433, 436, 437).

/// How many nicknames are tried.
const MOST_TRIES: u8 = 8;
/// Every server takes nicknames of this length (RFC 1459 §1.2).
const SAFE_NICK: usize = 9;

/// What to ask for after `asked` was refused. `too_odd`: it was not merely taken.
pub(super) fn next_nick(wish: &str, asked: &str, tries: u8, too_odd: bool) -> Option<String> {
    if tries >= MOST_TRIES {
        return None;
    }
    if too_odd {
        // The one thing that commonly is too odd about a valid nickname is its length.
        let mut end = SAFE_NICK.min(asked.len());
        while !asked.is_char_boundary(end) {
            end -= 1;
        }
        return (end < asked.len()).then(|| asked[..end].to_owned());
    }
    if asked.len() < SAFE_NICK || (tries < 2 && asked == wish) {
        return Some(format!("{asked}_"));
    }
    // A server may cut what is too long for it without a word: no longer than it is, the end gives way to a number;
    // and at last so short that every server takes it.
    let whole = if tries < 4 {
        asked.len()
    } else {
        asked.len().min(SAFE_NICK)
    };
    let mut end = whole.saturating_sub(if tries < 2 { 1 } else { 2 });
    while !asked.is_char_boundary(end) {
        end -= 1;
    }
    let tail = if tries < 2 {
        "_".to_owned()
    } else {
        format!("_{}", tries % 10)
    };
    Some(format!("{}{tail}", &asked[..end]))
}

#[cfg(test)]
mod tests {
    use super::next_nick;

    #[test]
    fn nicknames_to_try() {
        let mut asked = "bob".to_owned();
        let mut tried = Vec::new();
        for tries in 1.. {
            match next_nick("bob", &asked, tries, false) {
                Some(next) => {
                    tried.push(next.clone());
                    asked = next;
                }
                None => break,
            }
        }
        assert_eq!(tried[..2], ["bob_", "bob__"]);
        let distinct: std::collections::HashSet<_> = tried.iter().collect();
        assert_eq!(distinct.len(), tried.len(), "{tried:?}");

        assert_eq!(
            next_nick("averylongnick", "averylongnick", 1, true).as_deref(),
            Some("averylong")
        );
        assert_eq!(
            next_nick("averylongnick", "averylong", 2, false).as_deref(),
            Some("averylo_2")
        );
        assert_eq!(
            next_nick("nine_char", "nine_char", 1, false).as_deref(),
            Some("nine_char_")
        );
        // Cut to nine by the server, it is another one all the same.
        assert_eq!(
            next_nick("nine_char", "nine_char_", 2, false).as_deref(),
            Some("nine_cha_2")
        );
        assert_eq!(
            next_nick("averylongnick", "averylongnic_3", 4, false).as_deref(),
            Some("averylo_4")
        );
        assert_eq!(next_nick("bob", "bob", 1, true), None);
    }
}
