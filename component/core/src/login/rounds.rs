//! Messages that come round: two bridges (or bots) that repeat each other's rooms would go on for ever.
//!
//! What identifies such a message is its text, since nothing else survives a foreign bridge: each round puts a name before
//! the former text (`<alice> hi` becomes `<bot> <alice> hi`). So a user who says, again and again within a short time, what
//! they said before with a name before it, is part of a loop. Where a loop leaves the text as it is, it cannot be told from
//! somebody who repeats themselves; such a one is bounded by the pace at which the network is spoken to.

use std::collections::VecDeque;

use viaduct_bridge::{Name, Timestamp};

/// How many rounds a message may make. People do quote themselves once or twice.
const ROUNDS: u8 = 4;
/// How much of what a user has said is kept in mind, and for how long.
const KEPT: usize = 16;
const KEPT_MICROS: u64 = 60_000_000;
/// Longer texts are not looked at: no network of ours carries them in one piece, so they do not come round whole.
const MOST_BYTES: usize = 1000;
/// Shorter ones are in many others by chance.
const LEAST_BYTES: usize = 3;

/// Whether this is what a bridge puts before somebody's words: a name, and something that sets it off. (Who laughs longer
/// and longer, or shows how far something has come, puts neither before.)
fn is_name(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
        && text.contains(|c: char| !c.is_alphanumeric() && !c.is_whitespace())
}

/// What a user has said lately, each with the number of rounds that it has made.
#[derive(Debug, Default)]
pub(super) struct Rounds(VecDeque<(Timestamp, Name, u8)>);

impl Rounds {
    /// The user is about to say something. Whether it has come round too often.
    pub(super) fn is_loop(&mut self, now: Timestamp, text: &Name) -> bool {
        if !(LEAST_BYTES..=MOST_BYTES).contains(&text.len()) {
            return false;
        }
        self.0.retain(|(at, ..)| now.0.abs_diff(at.0) <= KEPT_MICROS);
        let wraps = |said: &str| text.strip_suffix(said).is_some_and(is_name);
        let earlier = self.0.iter().filter(|(_, said, _)| wraps(said));
        let rounds = earlier.map(|(_, _, rounds)| rounds + 1).max().unwrap_or(0);
        let rounds = rounds.min(ROUNDS + 1);
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        // What is refused counts as well: as long as it comes, it goes no further.
        self.0.push_back((now, text.clone(), rounds));
        rounds > ROUNDS
    }
}

#[cfg(test)]
mod tests {
    use viaduct_bridge::{Name, Timestamp};

    use super::{ROUNDS, Rounds};

    const SECOND: i64 = 1_000_000;

    /// How many of these a user gets to say, one a second.
    fn said(texts: impl IntoIterator<Item = String>) -> usize {
        let mut rounds = Rounds::default();
        let texts = (0..).zip(texts);
        let said =
            texts.filter(|(at, text)| !rounds.is_loop(Timestamp(at * SECOND), &Name::from(text.as_str())));
        said.count()
    }

    #[test]
    fn what_is_wrapped_again_and_again_is_a_loop() {
        let wrapped = |count| {
            (0..count).scan("hi all".to_owned(), |text, _| {
                *text = format!("<bot> {text}");
                Some(text.clone())
            })
        };
        assert_eq!(said(wrapped(100)), usize::from(ROUNDS) + 1);
        // Whoever talks in between does not hide it.
        let busy = wrapped(100)
            .zip(0..)
            .flat_map(|(text, at)| [text, format!("other {at}"), "ok".to_owned()]);
        assert_eq!(said(busy), usize::from(ROUNDS) + 1 + 200);
    }

    #[test]
    fn what_people_and_machines_say_is_none() {
        for texts in [
            vec!["the same, again and again".to_owned(); 1000],
            (0..1000).map(|number| format!("message {number}")).collect(),
            (0..1000).map(|number| format!("{number} in front")).collect(),
            (0..1000).map(|number| number.to_string()).collect(),
            (1..50).map(|times| "ha".repeat(times)).collect(),
            (1..50).map(|times| "ha ".repeat(times)).collect(),
            (1..50)
                .map(|times| format!("[{:50}]", "#".repeat(times)))
                .collect(),
            (1..50).map(|times| "=".repeat(times) + ">").collect(),
        ] {
            assert_eq!(said(texts.clone()), texts.len(), "{:?}", &texts[..5]);
        }
    }

    #[test]
    fn what_is_long_ago_is_forgotten_also_when_the_clock_is_set_back() {
        let mut rounds = Rounds::default();
        let mut text = "hi all".to_owned();
        for at in (0..20).map(|round| if round % 2 == 0 { round * 61 } else { -round * 61 }) {
            text = format!("> {text}");
            assert!(!rounds.is_loop(Timestamp(at * SECOND), &Name::from(text.as_str())));
            assert_eq!(rounds.0.len(), 1);
        }
    }
}
