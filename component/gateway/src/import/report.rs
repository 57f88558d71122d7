//! What was taken over and what was not, in words.

use std::fmt::Write as _;
use std::io::{self, Write};

/// What became of the settings of one scope.
#[derive(Default)]
pub(super) struct Taken {
    took: Vec<&'static str>,
    stays: Vec<&'static str>,
    refused: Vec<(&'static str, String)>,
}

impl Taken {
    /// A setting is taken over.
    pub(super) fn took(&mut self, field: &'static str) {
        self.took.push(field);
    }

    /// The user has set the same here.
    pub(super) fn same(&mut self) {}

    /// The user has set something else here.
    pub(super) fn stays(&mut self, field: &'static str) {
        self.stays.push(field);
    }

    /// A setting cannot be taken over.
    pub(super) fn refused(&mut self, field: &'static str, reason: String) {
        self.refused.push((field, reason));
    }
}

/// Totals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    pub(super) users: u64,
    pub(super) settings: u64,
    pub(super) rooms: u64,
    pub(super) lines: u64,
    pub(super) contacts: u64,
    pub(super) refused: u64,
}

/// Writes the report as it comes: it may be long.
pub(super) struct Report<W> {
    out: W,
    pub(super) totals: Totals,
    /// The user whose heading is still to be written.
    heading: Option<String>,
}

impl<W: Write> Report<W> {
    /// Begins.
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            totals: Totals::default(),
            heading: None,
        }
    }

    /// What follows is about this user.
    pub(super) fn user(&mut self, user: &str) {
        self.heading = Some(plain(user));
    }

    /// Something that was taken over or done.
    pub(super) fn done(&mut self, about: &str, words: &str) -> io::Result<()> {
        self.line(about, words)
    }

    /// Something that was not taken over.
    pub(super) fn refused(&mut self, about: &str, words: &str) -> io::Result<()> {
        self.totals.refused += 1;
        self.line(about, &format!("NOT taken: {words}"))
    }

    /// What became of settings.
    pub(super) fn settings(&mut self, about: &str, taken: &Taken) -> io::Result<()> {
        if !taken.took.is_empty() {
            self.totals.settings += taken.took.len() as u64;
            self.done(about, &format!("set {}", taken.took.join(", ")))?;
        }
        if !taken.stays.is_empty() {
            let fields = taken.stays.join(", ");
            self.line(about, &format!("{fields}: stays as it is set here already"))?;
        }
        for (field, reason) in &taken.refused {
            self.refused(about, &format!("{field}: {reason}"))?;
        }
        Ok(())
    }

    /// The totals.
    pub(super) fn end(&mut self, dry: bool) -> io::Result<()> {
        let Totals {
            users,
            settings,
            rooms,
            lines,
            contacts,
            refused,
        } = self.totals;
        let mut words = match (settings + rooms + lines + contacts, dry) {
            (0, _) => "Nothing changes".to_owned(),
            (_, true) => "A run without --dry-run takes over".to_owned(),
            (_, false) => "Taken over".to_owned(),
        };
        let _ = write!(
            words,
            ": {settings} settings, {rooms} persistent channels, {lines} lines, {contacts} contacts of {users} users; \
             {refused} things could not be taken."
        );
        writeln!(self.out, "{words}")?;
        self.out.flush()
    }

    fn line(&mut self, about: &str, words: &str) -> io::Result<()> {
        if let Some(user) = self.heading.take() {
            writeln!(self.out, "{user}")?;
        }
        writeln!(self.out, "  {}: {}", plain(about), plain(words))
    }
}

/// A text that cannot do anything to a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
