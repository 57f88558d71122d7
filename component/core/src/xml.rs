//! The one place that makes outgoing XML.
//!
//! Everything that leaves the gateway is written by [`Xml`], which escapes what must be escaped and replaces what XML
//! 1.0 §2.2 does not allow (control characters, U+FFFE, U+FFFF), so that whatever came from a network, the stream to
//! the XMPP server stays well-formed. Payloads of clients, which are copied, go through the same writer.

use std::fmt::{Display, Write as _};

use minidom::{Element, Node};

use crate::ns;

/// A stanza, well-formed and ready to be written to a component stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stanza(String);

impl Stanza {
    /// The XML.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Writes one XML element and what is inside it.
pub struct Xml {
    out: String,
    open: Vec<&'static str>,
    in_tag: bool,
}

impl Xml {
    /// Begins with this element. Stanzas take the namespace of the stream.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let mut xml = Self {
            out: String::with_capacity(320),
            open: Vec::with_capacity(6),
            in_tag: false,
        };
        xml.start(name);
        xml
    }

    /// A stanza from one JID to another.
    #[must_use]
    pub fn stanza(name: &'static str, from: &str, to: &str) -> Self {
        let mut xml = Self::new(name);
        xml.attr("from", from).attr("to", to);
        xml
    }

    /// Sets an attribute of the element that was just begun.
    pub fn attr(&mut self, name: &str, value: &str) -> &mut Self {
        debug_assert!(
            self.in_tag,
            "an attribute belongs to an element that was just begun"
        );
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("='");
        escape_into(&mut self.out, value, true);
        self.out.push('\'');
        self
    }

    /// Sets an attribute if there is a value for it.
    pub fn attr_opt(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// Sets an attribute to what a value displays as.
    pub fn attr_fmt(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.attr(name, &value.to_string())
    }

    /// Begins a child in the namespace of its parent.
    pub fn start(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// Begins a child in a namespace of its own.
    pub fn start_ns(&mut self, name: &'static str, namespace: &str) -> &mut Self {
        self.start(name).attr("xmlns", namespace)
    }

    /// Writes text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.close_tag();
        escape_into(&mut self.out, text, false);
        self
    }

    /// Writes what is well-formed already: the output of [`fragment`] or of this writer.
    pub fn raw(&mut self, xml: &str) -> &mut Self {
        if !xml.is_empty() {
            self.close_tag();
            self.out.push_str(xml);
        }
        self
    }

    /// Ends the innermost element.
    pub fn end(&mut self) -> &mut Self {
        let name = self.open.pop().expect("end() answers a start()");
        if self.in_tag {
            self.out.push_str("/>");
            self.in_tag = false;
        } else {
            let _ = write!(self.out, "</{name}>");
        }
        self
    }

    /// A child without attributes that holds text.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.start(name).text(text).end()
    }

    /// An empty child in a namespace of its own.
    pub fn empty(&mut self, name: &'static str, namespace: &str) -> &mut Self {
        self.start_ns(name, namespace).end()
    }

    /// Ends everything that is open and gives the stanza.
    #[must_use]
    pub fn finish(&mut self) -> Stanza {
        Stanza(self.finish_fragment())
    }

    /// Ends everything that is open and gives the XML, to stand inside something else.
    #[must_use]
    pub fn finish_fragment(&mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        std::mem::take(&mut self.out)
    }

    fn close_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

/// Whether XML 1.0 §2.2 allows the character. (Rust has no lone surrogates.)
fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn escape_into(out: &mut String, text: &str, attribute: bool) {
    // Most text needs nothing: find the next byte that does, and copy what is before it in one go. U+FFFE and U+FFFF
    // are the only ones above ASCII, and begin with the byte 0xEF.
    let needs = |byte: &u8| match byte {
        b'<' | b'>' | b'&' | 0..=8 | 11..=31 | 0xef => true,
        b'\'' | b'"' | b'\t' | b'\n' => attribute,
        _ => false,
    };
    let mut rest = text;
    while let Some(at) = first(rest.as_bytes(), needs) {
        out.push_str(&rest[..at]);
        let c = rest[at..].chars().next().expect("a position inside the text");
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xd;"),
            '\t' if attribute => out.push_str("&#x9;"),
            '\n' if attribute => out.push_str("&#xa;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
        rest = &rest[at + c.len_utf8()..];
    }
    out.push_str(rest);
}

/// Where the first such byte is. Looks at whole rows of bytes without a branch, which the compiler does in one go.
fn first(bytes: &[u8], is: impl Fn(&u8) -> bool) -> Option<usize> {
    const ROW: usize = 16;
    let any = |row: &[u8]| row.iter().fold(false, |any, byte| any | is(byte));
    let skipped = bytes.chunks_exact(ROW).take_while(|row| !any(row)).count() * ROW;
    let at = bytes[skipped..].iter().position(is)?;
    Some(skipped + at)
}

/// Copies an element of a client, to stand inside a stanza. Its namespace is declared unless it is the stream's own,
/// so that the copy fits into a component stream and into `jabber:client` alike.
#[must_use]
pub fn fragment(element: &Element) -> String {
    let mut out = String::with_capacity(128);
    write_element(&mut out, element, ns::COMPONENT);
    out
}

fn write_element(out: &mut String, element: &Element, parent_ns: &str) {
    let namespace = element.ns();
    out.push('<');
    out.push_str(element.name());
    if namespace != parent_ns {
        let _ = write!(out, " xmlns='");
        escape_into(out, &namespace, true);
        out.push('\'');
    }
    let mut prefixes = 0;
    for ((attr_ns, name), value) in element.attrs() {
        out.push(' ');
        if attr_ns.is_none() {
            out.push_str(name);
        } else if attr_ns.as_str() == "http://www.w3.org/XML/1998/namespace" {
            let _ = write!(out, "xml:{name}");
        } else {
            let _ = write!(out, "xmlns:a{prefixes}='");
            escape_into(out, attr_ns.as_str(), true);
            let _ = write!(out, "' a{prefixes}:{name}");
            prefixes += 1;
        }
        out.push_str("='");
        escape_into(out, value, true);
        out.push('\'');
    }
    let mut nodes = element.nodes().peekable();
    if nodes.peek().is_none() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    for node in nodes {
        match node {
            Node::Element(child) => write_element(out, child, &namespace),
            Node::Text(text) => escape_into(out, text, false),
        }
    }
    let _ = write!(out, "</{}>", element.name());
}

#[cfg(test)]
mod tests {
    use super::{Xml, fragment};
    use minidom::Element;

    #[test]
    fn what_xml_forbids_is_replaced() {
        let mut xml = Xml::new("message");
        xml.attr("id", "a'b\"<\u{1}\n")
            .leaf("body", "bold \u{2}x\u{2} & <tag> ]]> \u{ffff} \r \u{feff}é");
        let text = xml.finish();
        assert_eq!(
            text.as_str(),
            "<message id='a&apos;b&quot;&lt;\u{fffd}&#xa;'><body>bold \u{fffd}x\u{fffd} &amp; &lt;tag&gt; ]]&gt; \
             \u{fffd} &#xd; \u{feff}é</body></message>"
        );
    }

    #[test]
    fn what_must_be_escaped_is_found_wherever_it_stands() {
        for (before, after) in (0..40).flat_map(|before| (0..20).map(move |after| (before, after))) {
            let (before, after) = ("é".repeat(before), "x".repeat(after));
            let mut xml = Xml::new("a");
            xml.text(&format!("{before}<{after}&"));
            assert_eq!(xml.finish().as_str(), format!("<a>{before}&lt;{after}&amp;</a>"));
        }
    }

    #[test]
    fn a_copied_payload_keeps_its_namespaces() {
        let message: Element = "<message xmlns='jabber:component:accept'><body xml:lang='de'>a&amp;b</body>\
             <x xmlns='urn:x' a='1'><y xmlns='urn:y'/><z/></x></message>"
            .parse()
            .expect("well-formed");
        let copies: Vec<String> = message.children().map(fragment).collect();
        assert_eq!(copies[0], "<body xml:lang='de'>a&amp;b</body>");
        assert_eq!(copies[1], "<x xmlns='urn:x' a='1'><y xmlns='urn:y'/><z/></x>");
    }
}
