//! XEP-0393 (Message Styling 1.1.1) ⇄ styled spans.
//!
//! Inline styles are read and written. Blocks (quotations, preformatted lines) stay as they are typed: they are
//! readable on every network.

use viaduct_bridge::{Name, Span, Style, Text};

/// The style of a directive.
fn style_of(directive: char) -> Option<Style> {
    match directive {
        '*' => Some(Style::Bold),
        '_' => Some(Style::Italic),
        '~' => Some(Style::Strike),
        '`' => Some(Style::Code),
        _ => None,
    }
}

/// The directive of a style that can stand within a line.
fn directive_of(style: Style) -> Option<char> {
    match style {
        Style::Bold => Some('*'),
        Style::Italic => Some('_'),
        Style::Strike => Some('~'),
        Style::Code => Some('`'),
        Style::CodeBlock | Style::Quote => None,
    }
}

/// Reads a body: the text without its directives, and what they say.
#[must_use]
pub fn read(body: &str) -> Text {
    if !body.contains(['*', '_', '~', '`']) {
        return Text::plain(body);
    }
    let mut plain = String::with_capacity(body.len());
    let mut spans = Vec::new();
    let mut preformatted = false;
    for line in body.split_inclusive('\n') {
        if line.starts_with("```") {
            preformatted = !preformatted;
            plain.push_str(line);
        } else if preformatted {
            plain.push_str(line);
        } else {
            read_line(line, &mut plain, &mut spans);
        }
    }
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    Text {
        plain: plain.into(),
        spans,
    }
}

fn read_line(line: &str, plain: &mut String, spans: &mut Vec<Span>) {
    let mut rest = line;
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let opens = before.is_none_or(|before| before.is_whitespace() || style_of(before).is_some());
        if let (Some(style), true) = (style_of(c), opens)
            && let Some(inner) = styled(&rest[1..], c)
        {
            // An outer span stands before the ones inside it, also where they cover the same text.
            let (start, slot) = (plain.len(), spans.len());
            spans.push(Span {
                start,
                end: start,
                style,
            });
            if style == Style::Code {
                plain.push_str(inner);
            } else {
                read_line(inner, plain, spans);
            }
            spans[slot].end = plain.len();
            rest = &rest[inner.len() + 2..];
            before = Some(c);
            continue;
        }
        plain.push(c);
        before = Some(c);
        rest = &rest[c.len_utf8()..];
    }
}

/// The text between an opening directive, which stands just before `rest`, and its closing one (§6.2: neither is
/// next to white space on the inside, and there is something between them).
fn styled(rest: &str, directive: char) -> Option<&str> {
    if rest.starts_with(char::is_whitespace) {
        return None;
    }
    for (at, _) in rest.match_indices(directive) {
        let inner = &rest[..at];
        if inner.contains('\n') {
            return None;
        }
        if !inner.is_empty() && !inner.ends_with(char::is_whitespace) {
            return Some(inner);
        }
        if inner.is_empty() {
            return None;
        }
    }
    None
}

/// A directive in its place.
struct Directive {
    at: usize,
    closes: bool,
    /// Where the span begins or ends otherwise.
    other: usize,
    /// Which span it is.
    order: usize,
    directive: char,
}

/// Writes a text with directives where its spans can have them.
#[must_use]
pub fn write(text: &Text) -> Name {
    if text.spans.is_empty() {
        return text.plain.clone();
    }
    let plain: &str = &text.plain;
    let mut marks: Vec<Directive> = Vec::new();
    for (order, span) in text.spans.iter().enumerate() {
        let (Some(directive), Some(inner)) = (directive_of(span.style), plain.get(span.start..span.end))
        else {
            continue;
        };
        if inner.trim().is_empty() || inner.contains('\n') {
            continue;
        }
        let start = span.start + (inner.len() - inner.trim_start().len());
        let end = span.end - (inner.len() - inner.trim_end().len());
        let opens = plain[..start].chars().next_back().is_none_or(|before| {
            before.is_whitespace() || marks.iter().any(|mark| mark.at == start && !mark.closes)
        });
        if opens {
            marks.push(Directive {
                at: start,
                closes: false,
                other: end,
                order,
                directive,
            });
            marks.push(Directive {
                at: end,
                closes: true,
                other: start,
                order,
                directive,
            });
        }
    }
    // At one place: first what ends (the innermost first), then what begins (the outermost first).
    marks.sort_by_key(|mark| {
        let depth = if mark.closes {
            usize::MAX - mark.order
        } else {
            mark.order
        };
        (mark.at, !mark.closes, std::cmp::Reverse(mark.other), depth)
    });
    let mut out = String::with_capacity(plain.len() + marks.len());
    let mut done = 0;
    for mark in marks {
        out.push_str(&plain[done..mark.at]);
        out.push(mark.directive);
        done = mark.at;
    }
    out.push_str(&plain[done..]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use viaduct_bridge::Style;

    fn check(body: &str, plain: &str, styles: &[(&str, Style)]) {
        let text = read(body);
        assert_eq!(&*text.plain, plain, "plain text of {body:?}");
        let found: Vec<(&str, Style)> = text
            .spans
            .iter()
            .map(|span| (&text.plain[span.start..span.end], span.style))
            .collect();
        assert_eq!(found, styles, "styles of {body:?}");
        assert_eq!(&*write(&text), body, "written again");
    }

    #[test]
    fn styles_are_read_and_written() {
        check("plain", "plain", &[]);
        check("a *strong* word", "a strong word", &[("strong", Style::Bold)]);
        check(
            "_*both*_",
            "both",
            &[("both", Style::Italic), ("both", Style::Bold)],
        );
        check(
            "~gone~ `a*b*`",
            "gone a*b*",
            &[("gone", Style::Strike), ("a*b*", Style::Code)],
        );
        check(
            "*one* *two*",
            "one two",
            &[("one", Style::Bold), ("two", Style::Bold)],
        );
    }

    #[test]
    fn what_merely_looks_like_it_is_left_alone() {
        for body in [
            "2 * 3 * 4",
            "snake_case_name",
            "* item",
            "**",
            "*no end",
            "a*b*c",
            "~ ~",
            "```\n*code*\n```",
            "é*x*",
        ] {
            check(body, body, &[]);
        }
    }
}
