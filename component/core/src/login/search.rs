//! Search for rooms (XEP-0055 1.3) on a server.

use std::str::Chars;

use viaduct_bridge::{ListedRoom, RoomList, ServerId};

use super::Login;
use super::listing::RoomsWish;
use crate::effect::Effects;
use crate::forms::{Shown, ShownField, Submission};
use crate::ns;
use crate::stanza::{Condition, Incoming, Problem};
use crate::xml::{Stanza, Xml};

/// The most hits of a search.
const MOST_HITS: usize = 200;
/// The most characters that are looked for: no network has longer names.
const MOST_LOOKED_FOR: usize = 100;
/// The most stars among them.
const MOST_STARS: usize = 4;

impl Login {
    /// Search (XEP-0055) on a server: what can be searched for.
    pub(super) fn search_form(&self, server: &ServerId, stanza: &Incoming, out: &mut Effects) {
        let form = Shown {
            title: format!("Search the rooms of {server}"),
            instructions: "Fill in what you know.".into(),
            form_type: Some(ns::SEARCH),
            fields: vec![
                ShownField::text("name", "A part of the name (* and ? stand for anything)", ""),
                ShownField::text("people", "At least so many people", ""),
            ],
        };
        let mut xml = stanza.result();
        xml.start_ns("query", ns::SEARCH)
            .leaf("instructions", &form.instructions);
        form.write(&mut xml, "form");
        out.send(xml.finish());
    }

    /// Search (XEP-0055) on a server.
    pub(super) fn search(&mut self, server: &ServerId, stanza: &Incoming, out: &mut Effects) {
        let form = stanza.payload().and_then(Submission::of).unwrap_or_default();
        let people = form.value("people").unwrap_or_default().trim();
        let people = match people.parse::<u32>() {
            Ok(people) => people,
            Err(_) if people.is_empty() => 0,
            Err(_) => {
                let text = format!("'{people}' is not a number (people).");
                return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
            }
        };
        let name = match Mask::parse(form.value("name").unwrap_or_default().trim()) {
            Ok(name) => name,
            Err(text) => {
                return out.send_opt(stanza.error(&Problem::because(Condition::NotAcceptable, text)));
            }
        };
        self.rooms_of(server, true, stanza, RoomsWish::Search { name, people }, out);
    }

    /// The hits of a search, those with the most people first.
    pub(super) fn hits(
        &self,
        server: &ServerId,
        rooms: &RoomList,
        name: &Mask,
        people: u32,
        mut xml: Xml,
    ) -> Stanza {
        let mut shown = String::new();
        let fits = |room: &ListedRoom<'_>| {
            room.people >= people && {
                shown.clear();
                shown.extend(lower(room.shown));
                name.fits(&shown)
            }
        };
        let mut hits: Vec<ListedRoom<'_>> = rooms.iter().filter(fits).collect();
        hits.sort_by_key(|room| std::cmp::Reverse(room.people));
        xml.start_ns("query", ns::SEARCH);
        xml.start_ns("x", ns::DATA).attr("type", "result");
        xml.start("field").attr("var", "FORM_TYPE").attr("type", "hidden");
        xml.leaf("value", ns::SEARCH).end().start("reported");
        for (var, label, ty) in COLUMNS {
            xml.start("field")
                .attr("var", var)
                .attr("label", label)
                .attr("type", ty)
                .end();
        }
        xml.end();
        for room in hits.iter().take(MOST_HITS) {
            xml.start("item");
            let values = [
                self.room_jid(server, room.name),
                room.shown.into(),
                room.people.to_string(),
                room.subject.into(),
            ];
            for ((var, _, _), value) in COLUMNS.into_iter().zip(values) {
                xml.start("field").attr("var", var).leaf("value", &value).end();
            }
            xml.end();
        }
        xml.finish()
    }
}

/// What a search shows of a room: field, label, type.
const COLUMNS: [(&str, &str, &str); 4] = [
    ("jid", "Address", "jid-single"),
    ("name", "Name", "text-single"),
    ("people", "People", "text-single"),
    ("subject", "Subject", "text-single"),
];

/// What the names of rooms are compared with, prepared once for all of them. Which case letters have does not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mask {
    /// A part of the name.
    part: String,
    /// The same, read as a mask for all of it.
    mask: Vec<char>,
}

impl Mask {
    /// Reads what somebody looks for.
    ///
    /// # Errors
    /// In words, when it would take long to compare.
    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > MOST_LOOKED_FOR {
            return Err(format!(
                "At most {MOST_LOOKED_FOR} characters of a name can be looked for."
            ));
        }
        let part: String = lower(text).collect();
        let mut mask: Vec<char> = part.chars().collect();
        mask.dedup_by(|a, b| (*a, *b) == ('*', '*'));
        if mask.iter().filter(|c| **c == '*').count() > MOST_STARS {
            return Err(format!("At most {MOST_STARS} '*' can be in what is looked for."));
        }
        Ok(Self { part, mask })
    }

    /// Whether a name, in lower case, has it as a part, or fits it with `*` and `?`.
    fn fits(&self, name: &str) -> bool {
        name.contains(&self.part) || self.fits_all_of(name)
    }

    fn fits_all_of(&self, name: &str) -> bool {
        let (mut m, mut rest) = (0, name.chars());
        // Where the last star was, and what it has not eaten.
        let mut back: Option<(usize, Chars<'_>)> = None;
        loop {
            let mut behind = rest.clone();
            let Some(c) = behind.next() else { break };
            match self.mask.get(m) {
                Some('*') => {
                    back = Some((m, rest.clone()));
                    m += 1;
                }
                Some(wanted) if *wanted == '?' || *wanted == c => {
                    m += 1;
                    rest = behind;
                }
                _ => {
                    let Some((star, left)) = &mut back else {
                        return false;
                    };
                    left.next();
                    (m, rest) = (*star + 1, left.clone());
                }
            }
        }
        self.mask.iter().skip(m).all(|c| *c == '*')
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::{MOST_LOOKED_FOR, Mask};

    #[test]
    fn masks() {
        for (mask, name, fits) in [
            ("#t*", "#tea", true),
            ("*ea", "#tea", true),
            ("#T?A", "#tea", true),
            ("#t?", "#tea", false),
            ("*e*x*", "#tea", false),
            ("**", "", true),
            ("", "x", true),
            ("é*é", "éaéaé", true),
            ("TE", "#tea", true),
        ] {
            let read = Mask::parse(mask).expect("a mask");
            assert_eq!(read.fits(name), fits, "{mask} {name}");
        }
    }

    #[test]
    fn masks_are_bounded() {
        assert!(Mask::parse("*a*b*c*").is_ok() && Mask::parse("a********b").is_ok());
        assert!(Mask::parse("*a*b*c*d*").is_err());
        assert!(Mask::parse(&"é".repeat(MOST_LOOKED_FOR)).is_ok());
        assert!(Mask::parse(&"é".repeat(MOST_LOOKED_FOR + 1)).is_err());
    }
}
