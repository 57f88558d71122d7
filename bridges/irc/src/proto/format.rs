//! mIRC formatting (modern IRC docs, "Formatting") to styled text and back.
//!
//! Bold, italic, strikethrough and monospace survive. Colours, underline and reverse have no counterpart and are
//! dropped, as are all other control characters.

use std::borrow::Cow;

use viaduct_bridge::{Name, Span, Style, Text};

use super::split;

const BOLD: char = '\u{2}';
const COLOUR: char = '\u{3}';
const HEX_COLOUR: char = '\u{4}';
const RESET: char = '\u{f}';
const MONOSPACE: char = '\u{11}';
const ITALIC: char = '\u{1d}';
const STRIKE: char = '\u{1e}';

/// The styles that have a code, in the order in which codes are written.
const CODES: [(Style, char); 4] = [
    (Style::Bold, BOLD),
    (Style::Italic, ITALIC),
    (Style::Strike, STRIKE),
    (Style::Code, MONOSPACE),
];

/// The most bytes of codes with which a piece of a cut line begins.
const MOST_CODES: usize = CODES.len();

/// Reads what somebody on IRC wrote. Spans come out nested, never crossing.
#[must_use]
pub fn to_text(raw: &str) -> Text {
    if !raw.bytes().any(|b| b < 0x20 || b == 0x7f) {
        return Text::plain(raw);
    }
    let mut reader = Reader::default();
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            COLOUR => {
                if digits(&mut chars) {
                    // A comma belongs to the colour only if a digit follows it.
                    let mut ahead = chars.clone();
                    if ahead.next() == Some(',') && ahead.next().is_some_and(|c| c.is_ascii_digit()) {
                        chars.next();
                        digits(&mut chars);
                    }
                }
            }
            HEX_COLOUR => {
                if hex(&mut chars) {
                    let mut ahead = chars.clone();
                    if ahead.next() == Some(',') && hex(&mut ahead) {
                        chars = ahead;
                    }
                }
            }
            RESET => reader.close_all(),
            // Between the lines of a message of several (IRCv3 draft/multiline); each begins without formatting.
            '\n' => {
                reader.close_all();
                reader.plain.push('\n');
            }
            c => match CODES.iter().find(|(_, code)| *code == c) {
                Some((style, _)) => reader.toggle(*style),
                None if c.is_ascii_control() && c != '\t' => {}
                None => reader.plain.push(c),
            },
        }
    }
    reader.finish()
}

/// Takes one or two digits, or nothing.
fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let some = chars.next_if(char::is_ascii_digit).is_some();
    if some {
        chars.next_if(char::is_ascii_digit);
    }
    some
}

/// Takes six hex digits, or nothing.
fn hex(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    let mut ahead = chars.clone();
    let six = (0..6).all(|_| ahead.next().is_some_and(|c| c.is_ascii_hexdigit()));
    if six {
        *chars = ahead;
    }
    six
}

#[derive(Default)]
struct Reader {
    plain: String,
    /// What is on, outermost first, with where it began.
    open: Vec<(Style, usize)>,
    spans: Vec<Span>,
}

impl Reader {
    fn toggle(&mut self, style: Style) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == style) else {
            self.open.push((style, self.plain.len()));
            return;
        };
        // What was opened inside ends here too and goes on behind, so that spans never cross.
        let end = self.plain.len();
        for (open, start) in &mut self.open[at..] {
            push(&mut self.spans, *open, *start, end);
            *start = end;
        }
        self.open.remove(at);
    }

    fn close_all(&mut self) {
        let end = self.plain.len();
        for (style, start) in self.open.drain(..) {
            push(&mut self.spans, style, start, end);
        }
    }

    fn finish(mut self) -> Text {
        self.close_all();
        self.spans
            .sort_by_key(|span| (span.start, std::cmp::Reverse(span.end), span.style));
        Text {
            plain: Name::from(self.plain),
            spans: self.spans,
        }
    }
}

fn push(spans: &mut Vec<Span>, style: Style, start: usize, end: usize) {
    if start < end {
        spans.push(Span { start, end, style });
    }
}

/// Writes a text as lines for IRC, without the empty ones. Quoted lines begin with `> `, code blocks are monospace.
#[must_use]
pub fn to_lines(text: &Text) -> Vec<Cow<'_, str>> {
    let mut lines = to_all_lines(text);
    lines.retain(|line| !line.is_empty());
    lines
}

/// The same with the empty ones.
#[must_use]
pub fn to_all_lines(text: &Text) -> Vec<Cow<'_, str>> {
    let edges = edges(text);
    let mut next_edge = 0;
    let mut depth = [0_usize; 6];
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.plain.split('\n') {
        let end = start + line.len();
        if edges.is_empty() {
            lines.push(if line.trim().is_empty() {
                Cow::Borrowed("")
            } else {
                clean(line)
            });
        } else {
            let mut out = String::with_capacity(line.len() + 8);
            let mut at = start;
            let mut shown = 0;
            while let Some(edge) = edges.get(next_edge).filter(|edge| edge.at <= end) {
                // Edges from hostile hands may lie anywhere; only those at character borders cut the text.
                if edge.at > at && text.plain.is_char_boundary(edge.at) {
                    say(&mut out, &mut shown, &depth, &text.plain[at..edge.at]);
                    at = edge.at;
                }
                let slot = &mut depth[edge.style as usize];
                *slot = if edge.opens {
                    *slot + 1
                } else {
                    slot.saturating_sub(1)
                };
                next_edge += 1;
            }
            if at < end {
                say(&mut out, &mut shown, &depth, &text.plain[at..end]);
            }
            if line.trim().is_empty() {
                out.clear();
            }
            lines.push(Cow::Owned(out));
        }
        start = end + 1;
    }
    lines
}

/// Appends a part of a line in the styles that are on; quoted lines begin with `> `.
fn say(out: &mut String, shown: &mut u8, depth: &[usize; 6], part: &str) {
    if out.is_empty() && depth[Style::Quote as usize] > 0 {
        out.push_str("> ");
    }
    switch(out, shown, wanted(depth));
    out.push_str(&clean(part));
}

/// Cuts a line into pieces of at most `room` bytes, each beginning with the codes of what is still on.
#[must_use]
pub fn cut(line: &str, room: usize) -> Vec<Cow<'_, str>> {
    if line.len() <= room {
        return vec![Cow::Borrowed(line)];
    }
    if !line.bytes().any(|b| b < 0x20) {
        return split::pieces(line, room).into_iter().map(Cow::Borrowed).collect();
    }
    let mut on = 0;
    split::pieces(line, room.saturating_sub(MOST_CODES))
        .into_iter()
        .map(|piece| {
            let mut out = String::with_capacity(piece.len() + MOST_CODES);
            let mut nothing = 0;
            switch(&mut out, &mut nothing, on);
            out.push_str(piece);
            for c in piece.chars() {
                if let Some(bit) = CODES.iter().position(|(_, code)| *code == c) {
                    on ^= 1 << bit;
                }
            }
            Cow::Owned(out)
        })
        .collect()
}

/// Where a span begins or ends.
struct Edge {
    at: usize,
    opens: bool,
    style: Style,
}

fn edges(text: &Text) -> Vec<Edge> {
    let mut edges: Vec<Edge> = text
        .spans
        .iter()
        .filter(|span| span.start < span.end && span.end <= text.plain.len())
        .flat_map(|&Span { start, end, style }| {
            [
                Edge {
                    at: start,
                    opens: true,
                    style,
                },
                Edge {
                    at: end,
                    opens: false,
                    style,
                },
            ]
        })
        .collect();
    // What ends somewhere ends before what begins there.
    edges.sort_by_key(|edge| (edge.at, edge.opens));
    edges
}

/// The codes that should be on, as bits in the order of [`CODES`].
fn wanted(depth: &[usize; 6]) -> u8 {
    let mut bits = 0;
    for (bit, (style, _)) in CODES.iter().enumerate() {
        let block = *style == Style::Code && depth[Style::CodeBlock as usize] > 0;
        if depth[*style as usize] > 0 || block {
            bits |= 1 << bit;
        }
    }
    bits
}

fn switch(out: &mut String, shown: &mut u8, wanted: u8) {
    for (bit, (_, code)) in CODES.iter().enumerate() {
        if (*shown ^ wanted) & (1 << bit) != 0 {
            out.push(*code);
        }
    }
    *shown = wanted;
}

/// Without control characters: what a user writes is text, never a code or a CTCP frame.
fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c.is_ascii_control() && c != '\t';
    if text.contains(bad) {
        Cow::Owned(text.chars().filter(|c| !bad(*c)).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, to_lines, to_text};
    use proptest::prelude::*;
    use viaduct_bridge::{Name, Span, Style, Text};

    fn styled(plain: &str, spans: &[(usize, usize, Style)]) -> Text {
        Text {
            plain: Name::from(plain),
            spans: spans
                .iter()
                .map(|&(start, end, style)| Span { start, end, style })
                .collect(),
        }
    }

    #[test]
    fn codes_become_spans() {
        let read = |raw, plain, spans: &[_]| assert_eq!(to_text(raw), styled(plain, spans), "{raw:?}");
        read("plain", "plain", &[]);
        read("a \u{2}b\u{2} c", "a b c", &[(2, 3, Style::Bold)]);
        read("\u{1d}i\u{f}x", "ix", &[(0, 1, Style::Italic)]);
        read("\u{11}code", "code", &[(0, 4, Style::Code)]);
        read("\u{3}04,12red\u{3} \u{3}5x\u{3}1,y", "red x,y", &[]);
        read("\u{4}ff0000,00ff00hex\u{4}zz", "hexzz", &[]);
        read("\u{1f}u\u{16}r\u{7}", "ur", &[]);
        read("\u{2}\u{2}", "", &[]);
        read(
            "\u{2}b\u{1d}bi\u{2}i\u{1d}",
            "bbii",
            &[(0, 3, Style::Bold), (1, 3, Style::Italic), (3, 4, Style::Italic)],
        );
    }

    #[test]
    fn spans_become_codes() {
        let write = |text: &Text, lines: &[&str]| assert_eq!(to_lines(text), lines);
        write(&Text::plain("one\n\n two\r\n"), &["one", " two"]);
        write(&Text::plain("\u{1}ACTION x\u{1}"), &["ACTION x"]);
        write(&styled("a b c", &[(2, 3, Style::Bold)]), &["a \u{2}b\u{2} c"]);
        write(
            &styled("ab", &[(0, 2, Style::Bold), (0, 1, Style::Italic)]),
            &["\u{2}\u{1d}a\u{1d}b"],
        );
        write(
            &styled("x\nlet a;\nlet b;\ny", &[(2, 15, Style::CodeBlock)]),
            &["x", "\u{11}let a;", "\u{11}let b;", "y"],
        );
        write(
            &styled("said\nmore\nno", &[(0, 9, Style::Quote)]),
            &["> said", "> more", "no"],
        );
        write(
            &styled("bold\nstill", &[(0, 10, Style::Bold)]),
            &["\u{2}bold", "\u{2}still"],
        );
    }

    #[test]
    fn a_cut_line_goes_on_in_its_style() {
        let line = format!("\u{2}{}\u{2}{}", "b".repeat(12), "p".repeat(12));
        let got = cut(&line, 12);
        assert_eq!(got.len(), 4);
        assert!(got[1].starts_with('\u{2}') && got.iter().all(|piece| piece.len() <= 12));
        let plain: String = got.iter().map(|piece| to_text(piece).plain.to_string()).collect();
        assert_eq!(plain, to_text(&line).plain.as_str());
    }

    proptest! {
        #[test]
        fn reading_anything(raw in any::<String>()) {
            let text = to_text(&raw);
            prop_assert!(!text.plain.chars().any(|c| c.is_ascii_control() && c != '\t'));
            for (at, span) in text.spans.iter().enumerate() {
                prop_assert!(span.start < span.end);
                prop_assert!(text.plain.is_char_boundary(span.start) && text.plain.is_char_boundary(span.end));
                for other in &text.spans[at + 1..] {
                    prop_assert!(other.start >= span.end || other.end <= span.end, "{:?} crosses {:?}", other, span);
                }
            }
        }

        #[test]
        fn codes_round_trip(raw in "([a-zé \u{2}\u{1d}\u{1e}\u{11}]){0,40}") {
            let text = to_text(&raw);
            prop_assume!(!text.plain.trim().is_empty());
            let lines = to_lines(&text);
            prop_assert_eq!(lines.len(), 1);
            let again = to_text(&lines[0]);
            prop_assert_eq!(&again.plain, &text.plain);
            for style in [Style::Bold, Style::Italic, Style::Strike, Style::Code] {
                let covered = |text: &Text| -> Vec<bool> {
                    (0..text.plain.len())
                        .map(|at| text.spans.iter().any(|s| s.style == style && s.start <= at && at < s.end))
                        .collect()
                };
                prop_assert_eq!(covered(&again), covered(&text));
            }
        }

        #[test]
        fn writing_anything(plain in any::<String>(), spans in proptest::collection::vec((0_usize..60, 0_usize..60, 0_u8..6), 0..6), room in 0_usize..50) {
            let styles = [Style::Bold, Style::Italic, Style::Strike, Style::Code, Style::CodeBlock, Style::Quote];
            let spans: Vec<_> = spans.iter().map(|(s, e, k)| (*s, *e, styles[usize::from(*k)])).collect();
            for line in to_lines(&styled(&plain, &spans)) {
                let framing = line.contains(['\n', '\r', '\0', '\u{1}']);
                prop_assert!(!framing);
                let got = cut(&line, room);
                let whole: String = got.iter().map(|piece| to_text(piece).plain.to_string()).collect();
                let expected = to_text(&line);
                prop_assert_eq!(whole.as_str(), expected.plain.as_str());
                prop_assert!(got.iter().all(|piece| piece.len() <= room.max(8)));
            }
        }
    }
}
