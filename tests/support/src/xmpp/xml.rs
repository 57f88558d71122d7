//! Writing XML that cannot break.
//!
//! ```
//! use viaduct_test_support::xmpp::xml::tag;
//! let message = tag("message").attr("to", "a@b").child(tag("body").text("1 < 2"));
//! assert_eq!(message.to_string(), "<message to='a@b'><body>1 &lt; 2</body></message>");
//! ```

use std::fmt::{self, Display, Write as _};

/// An element that is being written.
#[derive(Debug, Clone)]
pub struct Tag {
    name: String,
    attributes: String,
    content: String,
}

/// Begins an element.
pub fn tag(name: &str) -> Tag {
    Tag {
        name: name.to_owned(),
        attributes: String::new(),
        content: String::new(),
    }
}

impl Tag {
    /// Adds an attribute.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl Display) -> Self {
        let value = escape(&value.to_string());
        write!(self.attributes, " {name}='{value}'").expect("a string takes everything");
        self
    }

    /// Adds the namespace declaration.
    #[must_use]
    pub fn ns(self, namespace: &str) -> Self {
        self.attr("xmlns", namespace)
    }

    /// Adds text.
    #[must_use]
    pub fn text(mut self, text: impl Display) -> Self {
        self.content += &escape(&text.to_string());
        self
    }

    /// Adds an element, or XML that is finished already.
    #[must_use]
    pub fn child(mut self, child: impl Display) -> Self {
        write!(self.content, "{child}").expect("a string takes everything");
        self
    }
}

impl Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            attributes,
            content,
        } = self;
        match content.as_str() {
            "" => write!(f, "<{name}{attributes}/>"),
            content => write!(f, "<{name}{attributes}>{content}</{name}>"),
        }
    }
}

/// Escapes text for use between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\'' => escaped += "&apos;",
            '"' => escaped += "&quot;",
            other => escaped.push(other),
        }
    }
    escaped
}
