//! Messages of several lines (IRCv3 draft/multiline): a batch whose lines are put together again by who receives it.

use std::fmt;

use super::line::Line;
use super::split;

/// The most lines that we put into one batch, whatever the server permits.
const MOST_LINES: usize = 100;
/// The reference of our batches. Each is written in one piece, so that there is never a second one open.
const REFERENCE: &str = "m";
/// The tags of a line in one of them: as a line of its own, and as the rest of the line before.
const LINE: &str = "batch=m";
const REST: &str = "batch=m;draft/multiline-concat";

/// How much one batch may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of all texts together, with the line ends between them.
    pub bytes: usize,
    /// Lines.
    pub lines: usize,
}

impl Limits {
    /// Reads the value of the capability. `None` if it does not say how much: then nothing may be sent.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let number = |key: &str| {
            value.split(',').find_map(|token| {
                let (name, number) = token.split_once('=')?;
                (name == key).then(|| number.parse().ok()).flatten()
            })
        };
        let lines = number("max-lines").unwrap_or(MOST_LINES).min(MOST_LINES);
        Some(Self {
            bytes: number("max-bytes")?,
            lines,
        })
    }
}

/// One such batch on its way to a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    open: Line,
    lines: Vec<Line>,
    text: String,
}

impl Block {
    /// Lines of text as batches, as few as the limits permit; `room` is the most bytes of text that one line takes.
    #[must_use]
    pub fn of(
        verb: &'static str,
        target: &str,
        lines: &[impl AsRef<str>],
        room: usize,
        limits: Limits,
    ) -> Vec<Self> {
        let room = room.min(limits.bytes);
        let mut blocks: Vec<Self> = Vec::new();
        for line in lines {
            for (place, piece) in split::pieces(line.as_ref(), room).into_iter().enumerate() {
                let fits = |block: &&mut Self| {
                    block.lines.len() < limits.lines && block.text.len() + 1 + piece.len() <= limits.bytes
                };
                match blocks.last_mut().filter(fits) {
                    Some(block) => block.add(verb, target, piece, place > 0),
                    None => {
                        let open = Line::command("BATCH")
                            .arg(&format!("+{REFERENCE}"))
                            .arg("draft/multiline")
                            .arg(target);
                        let mut block = Self {
                            open,
                            lines: Vec::new(),
                            text: String::new(),
                        };
                        block.add(verb, target, piece, false);
                        blocks.push(block);
                    }
                }
            }
        }
        // A batch of nothing but empty lines is refused, and says nothing.
        blocks.retain(|block| !block.text.trim().is_empty());
        blocks
    }

    fn add(&mut self, verb: &'static str, target: &str, piece: &str, rest: bool) {
        if !rest && !self.lines.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(piece);
        let line = Line::command(verb).arg(target).trailing(piece);
        self.lines.push(line.tagged(if rest { REST } else { LINE }));
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many lines a server counts.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.lines.len() + 2
    }

    /// Adds a client-only tag, which belongs to the message as a whole.
    pub fn client_tag(&mut self, name: &'static str, value: &str) {
        self.open.client_tag(name, value);
    }

    /// Appends all of it: nothing else may come between.
    pub fn write(&self, label: Option<fmt::Arguments<'_>>, out: &mut Vec<u8>) {
        match label {
            Some(label) => self.open.write_labelled(label, out),
            None => self.open.write(out),
        }
        for line in &self.lines {
            line.write(out);
        }
        Line::command("BATCH").arg(&format!("-{REFERENCE}")).write(out);
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, Limits};

    fn written(lines: &[&str], room: usize, limits: Limits) -> Vec<String> {
        let blocks = Block::of("PRIVMSG", "#c", lines, room, limits);
        let write = |block: &Block| {
            let mut out = Vec::new();
            block.write(None, &mut out);
            String::from_utf8(out).expect("text").replace("\r\n", "|")
        };
        blocks.iter().map(write).collect()
    }

    #[test]
    fn limits_are_what_the_server_says() {
        assert_eq!(Limits::parse(""), None);
        assert_eq!(Limits::parse("max-lines=5"), None);
        let limits = |bytes, lines| Some(Limits { bytes, lines });
        assert_eq!(Limits::parse("max-bytes=4096"), limits(4096, 100));
        assert_eq!(Limits::parse("max-bytes=4096,max-lines=24,x=y"), limits(4096, 24));
    }

    #[test]
    fn lines_and_the_rest_of_long_lines_are_one_batch() {
        let wide = Limits {
            bytes: 100,
            lines: 10,
        };
        assert_eq!(
            written(&["one", "", "two three"], 4, wide),
            [
                "BATCH +m draft/multiline #c|@batch=m PRIVMSG #c :one|@batch=m PRIVMSG #c :|\
                 @batch=m PRIVMSG #c :two |@batch=m;draft/multiline-concat PRIVMSG #c :thre|\
                 @batch=m;draft/multiline-concat PRIVMSG #c :e|BATCH -m|"
            ]
        );
        let blocks = Block::of("PRIVMSG", "#c", &["one", "", "two three"], 4, wide);
        assert_eq!(blocks[0].text(), "one\n\ntwo three");
    }

    #[test]
    fn what_does_not_fit_begins_another() {
        let narrow = |bytes, lines| {
            let blocks = Block::of("PRIVMSG", "#c", &["aa", "bb", "cc"], 10, Limits { bytes, lines });
            let texts = blocks.iter().map(|block| block.text().to_owned());
            texts.collect::<Vec<_>>()
        };
        assert_eq!(narrow(100, 2), ["aa\nbb", "cc"]);
        assert_eq!(narrow(5, 10), ["aa\nbb", "cc"]);
        assert_eq!(narrow(4, 10), ["aa", "bb", "cc"]);
        assert!(Block::of("PRIVMSG", "#c", &["", " "], 10, Limits { bytes: 9, lines: 9 }).is_empty());
    }
}
