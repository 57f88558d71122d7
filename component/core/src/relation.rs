//! Relations as stanzas write them: replies (XEP-0461), corrections (XEP-0308), reactions (XEP-0444), retractions
//! (XEP-0424, XEP-0425), and the text that stands in for them (XEP-0428).

use minidom::Element;
use viaduct_bridge::{Name, Reaction, Timestamp};

use crate::names;
use crate::ns;
use crate::refer::MOST_REACTIONS;
use crate::stanza::{Condition, Incoming, Kind, Problem};
use crate::time;
use crate::xml::Xml;

/// The longest reaction that is taken from a client. One emoji may have many code points.
const MOST_REACTION_BYTES: usize = 64;
/// The longest id that is looked up.
const MOST_ID_BYTES: usize = 1024;

/// What a stanza of a client wants of an older message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What.
    pub what: Wish,
    /// The id of the older message.
    pub id: Name,
}

/// What can be wanted of an older message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Answer it.
    Reply,
    /// Say something in its place.
    Correct,
    /// Have these reactions to it, and no others.
    React,
    /// Take it back.
    Retract,
    /// Take it back as a moderator.
    Moderate,
    /// Tell that everything up to it was read (XEP-0333).
    Read,
}

/// The older message that a stanza refers to, if it does.
#[must_use]
pub fn asked(stanza: &Incoming) -> Option<Asked> {
    if stanza.is_error() {
        return None;
    }
    let has_body = stanza.element.has_child("body", ns::COMPONENT);
    stanza.element.children().find_map(|child| {
        let what = match (stanza.kind, child.name()) {
            (Kind::Message, "reply") if child.has_ns(ns::REPLY) => Wish::Reply,
            (Kind::Message, "replace") if child.has_ns(ns::CORRECT) => Wish::Correct,
            (Kind::Message, "reactions") if child.has_ns(ns::REACTIONS) => Wish::React,
            (Kind::Message, "retract") if child.has_ns(ns::RETRACT) => Wish::Retract,
            // What is said besides counts, and not the marker.
            (Kind::Message, "displayed") if child.has_ns(ns::MARKERS) && !has_body => Wish::Read,
            (Kind::Iq, "moderate") if child.has_ns(ns::MODERATE) => Wish::Moderate,
            _ => return None,
        };
        let id = child.attr("id").filter(|id| id.len() <= MOST_ID_BYTES)?;
        Some(Asked { what, id: id.into() })
    })
}

/// The reactions that a client wants to have (XEP-0444 §3.2), each once.
///
/// # Errors
/// When there are too many, or one is no reaction.
pub fn reactions(stanza: &Incoming) -> Result<Vec<Name>, Problem> {
    let mut wanted: Vec<Name> = Vec::new();
    let all = stanza.element.get_child("reactions", ns::REACTIONS);
    for reaction in all.into_iter().flat_map(Element::children) {
        if !reaction.is("reaction", ns::REACTIONS) {
            continue;
        }
        let text = reaction.text();
        let text = text.trim();
        if text.is_empty() || text.len() > MOST_REACTION_BYTES || text.contains(char::is_control) {
            let words = "This is no reaction that can be carried.";
            return Err(Problem::because(Condition::NotAcceptable, words));
        }
        if !wanted.iter().any(|known| known.as_str() == text) {
            wanted.push(text.into());
        }
        if wanted.len() > MOST_REACTIONS {
            let words = format!("At most {MOST_REACTIONS} reactions to one message can be carried.");
            return Err(Problem::because(Condition::NotAcceptable, words));
        }
    }
    Ok(wanted)
}

/// The body without the part that stands in for a relation (XEP-0428 §3): what clients that know the relation show.
/// Positions count code points (XEP-0426).
#[must_use]
pub fn without_fallback(stanza: &Incoming, body: &str, namespace: &str) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for fallback in stanza.element.children() {
        if !fallback.is("fallback", ns::FALLBACK) || fallback.attr("for") != Some(namespace) {
            continue;
        }
        let mut parts = fallback
            .children()
            .filter(|part| part.is("body", ns::FALLBACK))
            .peekable();
        if parts.peek().is_none() && fallback.children().next().is_none() {
            return String::new();
        }
        for part in parts.take(8) {
            let position = |name: &str, otherwise| {
                part.attr(name)
                    .map_or(Some(otherwise), |text| text.parse::<usize>().ok())
            };
            if let (Some(start), Some(end)) = (position("start", 0), position("end", usize::MAX)) {
                ranges.push((start, end));
            }
        }
    }
    if ranges.is_empty() {
        return body.to_owned();
    }
    let kept = body
        .chars()
        .enumerate()
        .filter(|(at, _)| !ranges.iter().any(|(start, end)| (start..end).contains(&at)));
    kept.map(|(_, c)| c).collect()
}

/// A reply's element: whom it answers, and which message of theirs.
#[must_use]
pub fn reply(author: &str, id: &str) -> String {
    let mut xml = Xml::new("reply");
    xml.attr("xmlns", ns::REPLY).attr("to", author).attr("id", id);
    xml.finish_fragment()
}

/// The element that asks clients to tell when a message was read (XEP-0333 §4.1).
#[must_use]
pub fn markable() -> String {
    let mut xml = Xml::new("markable");
    xml.attr("xmlns", ns::MARKERS);
    xml.finish_fragment()
}

/// A correction's element.
#[must_use]
pub fn replace(id: &str) -> String {
    let mut xml = Xml::new("replace");
    xml.attr("xmlns", ns::CORRECT).attr("id", id);
    xml.finish_fragment()
}

/// Reactions as they are now. Without a body, so archives are told to keep them.
#[must_use]
pub fn reactions_payload(id: &str, texts: &[Name]) -> String {
    let mut xml = Xml::new("reactions");
    xml.attr("xmlns", ns::REACTIONS).attr("id", id);
    for text in texts {
        xml.leaf("reaction", text);
    }
    xml.finish_fragment() + &store_hint()
}

fn store_hint() -> String {
    let mut xml = Xml::new("store");
    xml.attr("xmlns", ns::HINTS);
    xml.finish_fragment()
}

/// Who took back what somebody else said, and why (XEP-0425).
#[derive(Clone, Copy, Debug)]
pub struct Moderated<'a> {
    /// The occupant JID.
    pub by: &'a str,
    /// The occupant-id.
    pub occupant: &'a str,
    /// Why.
    pub reason: Option<&'a str>,
}

impl Moderated<'_> {
    fn write(&self, xml: &mut Xml) {
        xml.start_ns("moderated", ns::MODERATE).attr("by", self.by);
        xml.start_ns("occupant-id", ns::OCCUPANT_ID)
            .attr("id", self.occupant)
            .end();
        xml.end();
        if let Some(reason) = self.reason {
            xml.leaf("reason", reason);
        }
    }
}

/// A retraction, with words for clients that do not know it (XEP-0424 §3).
#[must_use]
pub fn retract(id: &str, moderated: Option<Moderated<'_>>) -> String {
    let mut xml = Xml::new("retract");
    xml.attr("xmlns", ns::RETRACT).attr("id", id);
    let Some(moderated) = moderated else {
        let mut fallback = Xml::new("fallback");
        fallback.attr("xmlns", ns::FALLBACK).attr("for", ns::RETRACT);
        let mut body = Xml::new("body");
        body.text("/me retracted a previous message, but it's unsupported by your client.");
        return [
            xml.finish_fragment(),
            fallback.finish_fragment(),
            body.finish_fragment(),
            store_hint(),
        ]
        .concat();
    };
    moderated.write(&mut xml);
    xml.finish_fragment() + &store_hint()
}

/// What is left of a message that was taken back (XEP-0424 §4, XEP-0425 §4): `id` is that of the retraction's stanza.
#[must_use]
pub fn tombstone(at: Timestamp, id: &str, moderated: Option<Moderated<'_>>) -> String {
    let mut xml = Xml::new("retracted");
    xml.attr("xmlns", ns::RETRACT)
        .attr("stamp", &time::format(at))
        .attr("id", id);
    if let Some(moderated) = moderated {
        moderated.write(&mut xml);
    }
    xml.finish_fragment()
}

/// Whether a payload is what [`tombstone`] leaves.
#[must_use]
pub fn is_tombstone(payload: &str) -> bool {
    payload.starts_with("<retracted ")
}

/// What somebody's reactions to a message are when these have changed, and what was added that is no emoji: that has to be
/// said instead.
#[must_use]
pub fn reacted<'a>(before: &[Name], reaction: &'a Reaction) -> (Vec<Name>, Vec<&'a Name>) {
    let (emoji, words): (Vec<&Name>, Vec<&Name>) = reaction.add.iter().partition(|text| is_emoji(text));
    let mut texts = before.to_vec();
    texts.retain(|text| !reaction.remove.contains(text));
    for text in emoji {
        if !texts.contains(text) && texts.len() < MOST_REACTIONS {
            texts.push(text.clone());
        }
    }
    (texts, words)
}

/// Whether clients can show this as a reaction: one emoji (XEP-0444 §3.1 allows nothing else). Other networks allow any
/// text.
#[must_use]
pub fn is_emoji(text: &str) -> bool {
    let pictures = |c: char| {
        matches!(c,
            '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{2bff}'
            | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
    };
    let joining = |c: char| {
        matches!(
            c,
            '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{e0020}'..='\u{e007f}'
        )
    };
    let keycap =
        text.ends_with('\u{20e3}') && text.starts_with(|c: char| c.is_ascii_digit() || "#*".contains(c));
    text.len() <= MOST_REACTION_BYTES
        && (keycap || text.starts_with(pictures))
        && text.chars().skip(1).all(|c| pictures(c) || joining(c))
}

/// The occupant JID of somebody in a room.
#[must_use]
pub fn occupant_jid(room: &str, nick: &str) -> String {
    format!("{room}/{}", names::resource(nick))
}

#[cfg(test)]
mod tests {
    use super::{Wish, asked, is_emoji, reactions, without_fallback};
    use crate::ns;
    use crate::stanza::Incoming;

    fn message(children: &str) -> Incoming {
        let xml = format!(
            "<message xmlns='{}' from='a@b/c' to='d@e'>{children}</message>",
            ns::COMPONENT
        );
        Incoming::parse(xml.parse().expect("XML")).expect("a stanza")
    }

    #[test]
    fn what_is_asked() {
        let reply = asked(&message(
            "<body>x</body><reply xmlns='urn:xmpp:reply:0' id='i' to='a'/>",
        ));
        assert_eq!(
            reply.map(|asked| (asked.what, asked.id.to_string())),
            Some((Wish::Reply, "i".into()))
        );
        for nothing in [
            "<body>x</body>",
            "<reply xmlns='urn:xmpp:reply:0'/>",
            "<reply xmlns='other' id='i'/>",
        ] {
            assert_eq!(asked(&message(nothing)), None, "{nothing}");
        }
    }

    /// XEP-0426: code points, so that an emoji in the quotation shifts nothing.
    #[test]
    fn what_stands_in_is_cut_out() {
        let fallback = |body: &str| {
            format!("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'>{body}</fallback>")
        };
        for (marks, left) in [
            (fallback("<body start='0' end='6'/>"), "yes"),
            (fallback("<body/>"), ""),
            (fallback(""), ""),
            (fallback("<body start='x' end='6'/>"), "> 👍ö\n\nyes"),
            (fallback("<body start='6' end='99'/>"), "> 👍ö\n\n"),
            (String::new(), "> 👍ö\n\nyes"),
        ] {
            assert_eq!(
                without_fallback(&message(&marks), "> 👍ö\n\nyes", ns::REPLY),
                left,
                "{marks}"
            );
        }
        assert_eq!(
            without_fallback(&message(&fallback("<body/>")), "x", ns::RETRACT),
            "x",
            "for another"
        );
    }

    #[test]
    fn reactions_are_few_and_short() {
        let all = |texts: &[&str]| {
            let texts: String = texts
                .iter()
                .map(|text| format!("<reaction>{text}</reaction>"))
                .collect();
            reactions(&message(&format!(
                "<reactions xmlns='urn:xmpp:reactions:0' id='i'>{texts}</reactions>"
            )))
        };
        assert_eq!(all(&["👍", " 👍 ", "x"]).expect("fine").len(), 2);
        assert!(all(&[""]).is_err() && all(&[&"x".repeat(65)]).is_err() && all(&["a\nb"]).is_err());
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        assert!(all(&many.iter().map(String::as_str).collect::<Vec<_>>()).is_err());
    }

    #[test]
    fn emoji_and_words() {
        for emoji in ["👍", "❤️", "🇩🇪", "1️⃣", "👩‍💻", "☺"] {
            assert!(is_emoji(emoji), "{emoji}");
        }
        for word in ["lol", "", ":)", "1", "👍 yes", "é"] {
            assert!(!is_emoji(word), "{word}");
        }
    }
}
