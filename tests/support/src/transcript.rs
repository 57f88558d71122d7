//! What every party of a test said and heard, in one order, for the reader of a failure.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many entries are kept; the oldest go first.
const CAPACITY: usize = 2_000;
/// How much of one entry is printed.
const WIDTH: usize = 1_500;
/// How many things an error lists that came instead of what was expected.
const LISTED: usize = 15;

/// A shared, growing record. Clones write into the same one.
#[derive(Clone, Debug)]
pub struct Transcript(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    start: Instant,
    shared: bool,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Entry>,
    dropped: usize,
}

#[derive(Debug)]
struct Entry {
    at: Duration,
    who: Arc<str>,
    direction: Direction,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Sent,
    Received,
    Note,
}

/// One party's pen: writes into the transcript under a name.
#[derive(Clone, Debug)]
pub struct Voice {
    transcript: Transcript,
    who: Arc<str>,
}

impl Transcript {
    /// A record for parties that are used alone: their errors carry it.
    pub fn alone() -> Self {
        Self::new(false)
    }

    /// A record that somebody else prints once when a test fails, so errors need not repeat it.
    pub fn shared() -> Self {
        Self::new(true)
    }

    fn new(shared: bool) -> Self {
        Self(Arc::new(Inner {
            start: Instant::now(),
            shared,
            entries: Mutex::default(),
        }))
    }

    /// A pen for the party of this name.
    pub fn voice(&self, who: &str) -> Voice {
        Voice {
            transcript: self.clone(),
            who: who.into(),
        }
    }

    /// Time since the record began.
    pub fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }

    fn write(&self, who: &Arc<str>, direction: Direction, text: String) {
        let entry = Entry {
            at: self.elapsed(),
            who: who.clone(),
            direction,
            text,
        };
        let mut entries = self.0.entries.lock().expect("no holder of this lock panics");
        if entries.kept.len() == CAPACITY {
            entries.kept.pop_front();
            entries.dropped += 1;
        }
        entries.kept.push_back(entry);
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.0.entries.lock().expect("no holder of this lock panics");
        if entries.dropped > 0 {
            writeln!(f, "  … {} earlier entries are not kept", entries.dropped)?;
        }
        let names = entries
            .kept
            .iter()
            .map(|entry| entry.who.len())
            .max()
            .unwrap_or(0);
        for Entry {
            at,
            who,
            direction,
            text,
        } in &entries.kept
        {
            let arrow = match direction {
                Direction::Sent => "→",
                Direction::Received => "←",
                Direction::Note => "·",
            };
            writeln!(
                f,
                "{:9.3} {who:names$} {arrow} {}",
                at.as_secs_f64(),
                Shortened(text, WIDTH)
            )?;
        }
        Ok(())
    }
}

/// Prints a text on one line, cut where it is too long to help anybody.
struct Shortened<'a>(&'a str, usize);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in self.0.chars().enumerate() {
            if index == self.1 {
                return write!(f, " … ({} bytes in all)", self.0.len());
            }
            match character {
                '\n' => f.write_str("⏎")?,
                '\r' => f.write_str("␍")?,
                other if other.is_control() => write!(f, "\\x{:02x}", u32::from(other))?,
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

impl Voice {
    /// The name under which this pen writes.
    pub fn name(&self) -> &str {
        &self.who
    }

    /// The record that this pen writes into.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Notes that this party sent something.
    pub fn sent(&self, text: impl Into<String>) {
        self.transcript.write(&self.who, Direction::Sent, text.into());
    }

    /// Notes that something reached this party.
    pub fn received(&self, text: impl Into<String>) {
        self.transcript.write(&self.who, Direction::Received, text.into());
    }

    /// Notes anything else, such as a closed connection.
    pub fn note(&self, text: impl Into<String>) {
        self.transcript.write(&self.who, Direction::Note, text.into());
    }

    /// The error of an expectation of this party, with the transcript unless it is printed anyway.
    pub fn failure(&self, what: impl fmt::Display) -> anyhow::Error {
        self.failure_with(what, std::iter::empty::<&str>())
    }

    /// Like [`Voice::failure`], with a list of what came instead of what was expected.
    pub fn failure_with<T: fmt::Display>(
        &self,
        what: impl fmt::Display,
        came: impl IntoIterator<Item = T>,
    ) -> anyhow::Error {
        self.note(format!("FAILED: {what}"));
        let mut story = format!("{}: {what}", self.who);
        let came: Vec<String> = came.into_iter().map(|item| item.to_string()).collect();
        if !came.is_empty() {
            story += "; what nobody asked for:";
        }
        for item in came.iter().take(LISTED) {
            story += &format!("\n      {}", Shortened(item, 300));
        }
        if came.len() > LISTED {
            story += &format!("\n      … and {} more", came.len() - LISTED);
        }
        if !self.transcript.0.shared {
            story += &format!("\n{}", self.transcript);
        }
        anyhow::anyhow!(story)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_party_carries_its_transcript_in_its_errors() {
        let voice = Transcript::alone().voice("phone");
        voice.sent("<presence/>\n");
        let error = voice.failure("nothing came").to_string();
        assert!(error.starts_with("phone: nothing came\n"), "{error}");
        assert!(error.contains("phone → <presence/>⏎"), "{error}");
        let shared = Transcript::shared()
            .voice("phone")
            .failure("nothing came")
            .to_string();
        assert_eq!(shared, "phone: nothing came");
    }
}
