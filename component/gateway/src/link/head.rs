//! The head of a stanza that the parser must not see: as much of its start tag as an error reply needs.

use minidom::Element;
use viaduct_core::stanza::Kind;

/// The start tag of a stanza.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// Which kind of stanza.
    pub kind: Kind,
    /// The `from`, as it was written.
    pub from: String,
    /// The `to`, as it was written.
    pub to: String,
    /// The `id`.
    pub id: Option<String>,
    /// The `type`.
    pub ty: Option<String>,
}

impl Head {
    /// The head of a stanza that was parsed. `None` unless it has both addresses.
    #[must_use]
    pub fn of(element: &Element) -> Option<Self> {
        let attr = |name: &str| element.attr(name).map(str::to_owned);
        Some(Self {
            kind: kind(element.name())?,
            from: attr("from")?,
            to: attr("to")?,
            id: attr("id"),
            ty: attr("type"),
        })
    }

    /// Reads a start tag. `None` unless it is one of a stanza with both addresses.
    #[must_use]
    pub fn read(tag: &[u8]) -> Option<Self> {
        let tag = std::str::from_utf8(tag).ok()?;
        let tag = tag.strip_prefix('<')?.strip_suffix('>')?;
        let end = tag
            .find(|c: char| c.is_ascii_whitespace() || c == '/')
            .unwrap_or(tag.len());
        let kind = kind(&tag[..end])?;
        let (mut from, mut to, mut id, mut ty) = (None, None, None, None);
        let mut rest = &tag[end..];
        while let Some((name, value, after)) = attribute(rest) {
            match name {
                "from" => from = Some(unescape(value)?),
                "to" => to = Some(unescape(value)?),
                "id" => id = Some(unescape(value)?),
                "type" => ty = Some(unescape(value)?),
                _ => {}
            }
            rest = after;
        }
        Some(Self {
            kind,
            from: from?,
            to: to?,
            id,
            ty,
        })
    }
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "message" => Some(Kind::Message),
        "presence" => Some(Kind::Presence),
        "iq" => Some(Kind::Iq),
        _ => None,
    }
}

/// The first attribute of what is left of a tag, and what comes after it.
fn attribute(rest: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = rest.split_once('=')?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (value, rest) = rest[1..].split_once(quote)?;
    Some((name.trim(), value, rest))
}

/// Resolves the references that XMPP knows. `None` if there is another one.
fn unescape(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';')?;
        out.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "apos" => '\'',
            "quot" => '"',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::Head;
    use viaduct_core::stanza::Kind;

    #[test]
    fn reads_what_an_answer_needs() {
        let head = Head::read(
            b"<iq type='get' xml:lang=\"de\" from='a@b/c>d'\n to = \"x&amp;&#x41;@y\" id='&lt;1'/>",
        );
        let head = head.expect("a head");
        assert_eq!(head.kind, Kind::Iq);
        assert_eq!((head.from.as_str(), head.to.as_str()), ("a@b/c>d", "x&A@y"));
        assert_eq!(
            (head.id.as_deref(), head.ty.as_deref()),
            (Some("<1"), Some("get"))
        );
    }

    #[test]
    fn anything_else_is_no_head() {
        for tag in [
            "<iq from='a'>",
            "<x from='a' to='b'>",
            "<iq from='&bad;' to='b'>",
            "<iq",
            "<message a=b>",
        ] {
            assert_eq!(Head::read(tag.as_bytes()), None, "{tag}");
        }
    }
}
