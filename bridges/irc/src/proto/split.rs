//! Cutting long texts so that the line still has 512 bytes when the server relays it with our prefix in front.

/// The bytes of a relayed line around the text: `:prefix COMMAND target :…` and CR LF.
#[must_use]
pub fn overhead(prefix: usize, command: &str, target: &str) -> usize {
    // ':' prefix ' ' command ' ' target ' ' ':' text CR LF
    1 + prefix + 1 + command.len() + 1 + target.len() + 2 + 2
}

/// Cuts a line of text into pieces of at most `room` bytes, at character borders and where possible behind a space.
/// The pieces put together are the text.
#[must_use]
pub fn pieces(text: &str, room: usize) -> Vec<&str> {
    // A character has up to four bytes: less room than that would never end.
    let room = room.max(4);
    let mut out = Vec::with_capacity(text.len() / room + 1);
    let mut rest = text;
    while rest.len() > room {
        let mut end = room;
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        // A word that is longer than half a line is better cut than the line left half empty.
        if let Some(space) = rest[..end].rfind(' ').filter(|at| *at >= end / 2) {
            end = space + 1;
        }
        let (piece, after) = rest.split_at(end);
        out.push(piece);
        rest = after;
    }
    out.push(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{overhead, pieces};
    use proptest::prelude::*;

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(pieces("hello wide world", 11), ["hello wide ", "world"]);
        assert_eq!(pieces("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(pieces("ééé", 5), ["éé", "é"]);
        assert_eq!(pieces("", 5), [""]);
        assert_eq!(
            overhead("n!u@h".len(), "PRIVMSG", "#c"),
            ":n!u@h PRIVMSG #c :\r\n".len()
        );
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_too_long(text in any::<String>(), room in 0_usize..80) {
            let got = pieces(&text, room);
            prop_assert_eq!(got.concat(), text.as_str());
            prop_assert!(got.iter().all(|piece| piece.len() <= room.max(4)));
            prop_assert!(got.len() == 1 || got.iter().all(|piece| !piece.is_empty()));
        }
    }
}
