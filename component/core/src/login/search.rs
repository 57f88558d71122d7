//! Search for rooms (XEP-0055 1.3) on a server.

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
        let name = form.value("name").unwrap_or_default().trim().to_lowercase();
        let name = name.chars().take(200).collect();
        self.rooms_of(server, true, stanza, RoomsWish::Search { name, people }, out);
    }

    /// The hits of a search, those with the most people first.
    pub(super) fn hits(
        &self,
        server: &ServerId,
        rooms: &RoomList,
        name: &str,
        people: u32,
        mut xml: Xml,
    ) -> Stanza {
        let fits = |room: &ListedRoom<'_>| {
            let shown = room.shown.to_lowercase();
            room.people >= people && (shown.contains(name) || mask_fits(name, &shown))
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

/// Whether a mask with `*` and `?` fits a name.
fn mask_fits(mask: &str, name: &str) -> bool {
    let (mask, name): (Vec<char>, Vec<char>) = (mask.chars().collect(), name.chars().collect());
    let (mut m, mut n) = (0, 0);
    // Where the last star was, and up to where it has eaten.
    let mut back: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        match mask.get(m) {
            Some('*') => {
                back = Some((m, n));
                m += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == c => {
                m += 1;
                n += 1;
            }
            _ => {
                let Some((star, eaten)) = &mut back else {
                    return false;
                };
                *eaten += 1;
                (m, n) = (*star + 1, *eaten);
            }
        }
    }
    mask.iter().skip(m).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::mask_fits;

    #[test]
    fn masks() {
        for (mask, name, fits) in [
            ("#t*", "#tea", true),
            ("*ea", "#tea", true),
            ("#t?a", "#tea", true),
            ("#t?", "#tea", false),
            ("*e*x*", "#tea", false),
            ("**", "", true),
            ("", "x", false),
        ] {
            assert_eq!(mask_fits(mask, name), fits, "{mask} {name}");
        }
    }
}
