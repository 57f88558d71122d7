//! Text encodings of what is read: UTF-8, else a fallback that the operator chooses.
//!
//! What is written is UTF-8, as a [`Line`](super::line::Line) is nothing else, unless the user has set another encoding
//! for the server or the channel: so there is nothing to be done for a server that takes only that (IRCv3 utf8-only).

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding};
use viaduct_bridge::Name;

/// How text is read and written on one connection: UTF-8 first, and what was set for the server or for a channel.
#[derive(Debug)]
pub struct Charsets {
    reading: &'static Encoding,
    writing: Option<&'static Encoding>,
    /// What differs for single channels, by their names in lower case.
    rooms: Vec<Room>,
}

/// A channel, its encoding for reading, and the one for writing.
type Room = (String, Option<&'static Encoding>, Option<&'static Encoding>);

impl Charsets {
    /// What was set for a server, and for some of its channels.
    pub fn new(
        reading: &'static Encoding,
        writing: Option<&'static Encoding>,
        rooms: impl Iterator<Item = (Name, Option<&'static Encoding>, Option<&'static Encoding>)>,
    ) -> Self {
        let rooms = rooms.filter(|(_, reading, writing)| reading.is_some() || writing.is_some());
        let rooms = rooms.map(|(name, reading, writing)| (name.to_ascii_lowercase(), reading, writing));
        Self {
            reading,
            writing,
            rooms: rooms.collect(),
        }
    }

    /// Reads a line's bytes: as UTF-8 where they are, else by what was set.
    #[must_use]
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let own = self.room_of(bytes).and_then(|room| room.1);
                own.unwrap_or(self.reading).decode_without_bom_handling(bytes).0
            }
        }
    }

    /// Writes the lines in `out` from `start` on, which are UTF-8, as was set. Characters that an encoding does not have
    /// become `?`.
    pub fn encode(&self, out: &mut Vec<u8>, start: usize) {
        let nothing_set = self.writing.is_none() && self.rooms.is_empty();
        if nothing_set || out.get(start..).is_none_or(<[u8]>::is_ascii) {
            return;
        }
        let written = out.split_off(start);
        for line in written.split_inclusive(|b| *b == b'\n') {
            let own = self.room_of(line).and_then(|room| room.2);
            match (own.or(self.writing), std::str::from_utf8(line)) {
                (Some(encoding), Ok(text)) if !line.is_ascii() => write_as(encoding, text, out),
                _ => out.extend_from_slice(line),
            }
        }
    }

    /// The channel that a line is for, where something was set for it: the first parameter.
    fn room_of(&self, line: &[u8]) -> Option<&Room> {
        if self.rooms.is_empty() {
            return None;
        }
        let mut words = line.split(|b| *b == b' ').filter(|word| !word.is_empty());
        let mut word = words.next()?;
        // Tags and a source stand before the command.
        while matches!(word.first(), Some(b'@' | b':')) {
            word = words.next()?;
        }
        let target = words.next()?;
        let target = target.strip_prefix(b":").unwrap_or(target).trim_ascii_end();
        self.rooms
            .iter()
            .find(|(name, ..)| name.as_bytes().eq_ignore_ascii_case(target))
    }
}

fn write_as(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    loop {
        let most = encoder.max_buffer_length_from_utf8_without_replacement(rest.len());
        out.reserve(most.unwrap_or(rest.len() * 4));
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        rest = rest.get(read..).unwrap_or_default();
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => out.push(b'?'),
        }
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
    use super::{Charsets, named};

    fn charsets(reading: &str, writing: Option<&str>) -> Charsets {
        let reading = named(reading).expect("a known label");
        let rooms = [("#Ru".into(), named("koi8-r"), named("koi8-r"))];
        Charsets::new(reading, writing.and_then(named), rooms.into_iter())
    }

    fn written(charsets: &Charsets, text: &str) -> Vec<u8> {
        let mut out = b"before ".to_vec();
        let start = out.len();
        out.extend_from_slice(text.as_bytes());
        charsets.encode(&mut out, start);
        assert!(out.starts_with(b"before "));
        out.split_off(start)
    }

    #[test]
    fn utf8_first_then_the_fallback() {
        let set = charsets("windows-1252", None);
        assert_eq!(set.decode("grün €".as_bytes()), "grün €");
        assert_eq!(set.decode(b"gr\xfcn \x80"), "grün €");
        assert_eq!(
            charsets("koi8-r", None).decode(b"\xf0\xd2\xc9\xd7\xc5\xd4"),
            "Привет"
        );
        assert!(named("utf-16").is_none());
        assert!(named("klingon").is_none());
    }

    #[test]
    fn a_channel_has_its_own() {
        let set = charsets("windows-1252", None);
        let line = b":bob!u@h PRIVMSG #ru :\xf0\xd2\xc9\xd7\xc5\xd4";
        assert_eq!(set.decode(line), ":bob!u@h PRIVMSG #ru :Привет");
        let line = b"@time=x :bob!u@h PRIVMSG #other :gr\xfcn";
        assert_eq!(set.decode(line), "@time=x :bob!u@h PRIVMSG #other :grün");
        assert_eq!(
            written(&set, "PRIVMSG #ru :Привет\r\nPRIVMSG #x :grün\r\n"),
            [
                &b"PRIVMSG #ru :\xf0\xd2\xc9\xd7\xc5\xd4\r\n"[..],
                "PRIVMSG #x :grün\r\n".as_bytes()
            ]
            .concat()
        );
    }

    #[test]
    fn what_an_encoding_lacks_becomes_a_question_mark() {
        let set = charsets("windows-1252", Some("windows-1252"));
        assert_eq!(
            written(&set, "PRIVMSG #x :grün 😀 漢!\r\n"),
            b"PRIVMSG #x :gr\xfcn ? ?!\r\n"
        );
    }
}
