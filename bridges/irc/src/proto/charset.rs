//! Text encodings of what is read: UTF-8, else a fallback that the operator chooses.
//!
//! What is written is always UTF-8, as a [`Line`](super::line::Line) is nothing else, whatever the fallback: so there
//! is nothing to be done for a server that takes only that (IRCv3 utf8-only).

use std::borrow::Cow;

use encoding_rs::Encoding;

/// Reads a line's bytes: as UTF-8 where they are, else by the fallback.
#[must_use]
pub fn decode<'a>(bytes: &'a [u8], fallback: &'static Encoding) -> Cow<'a, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => fallback.decode_without_bom_handling(bytes).0,
    }
}

/// The encoding of this name (WHATWG Encoding, "Names and labels"), if it can be a fallback: ASCII must mean ASCII
/// in it.
#[must_use]
pub fn named(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.trim().as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}

#[cfg(test)]
mod tests {
    use super::{decode, named};

    #[test]
    fn utf8_first_then_the_fallback() {
        let fallback = named("windows-1252").expect("a known label");
        assert_eq!(decode("grün €".as_bytes(), fallback), "grün €");
        assert_eq!(decode(b"gr\xfcn \x80", fallback), "grün €");
        let cyrillic = named("koi8-r").expect("a known label");
        assert_eq!(decode(b"\xf0\xd2\xc9\xd7\xc5\xd4", cyrillic), "Привет");
        assert!(named("utf-16").is_none());
        assert!(named("klingon").is_none());
    }
}
