//! Result set management (XEP-0059).

use minidom::Element;

use crate::ns;
use crate::records::{PagePlace, PageRequest};
use crate::stanza::{Condition, Problem};
use crate::xml::Xml;

/// The most items of one page.
pub const MAX_PAGE: u32 = 250;
/// The items of a page where the client leaves it to us.
const DEFAULT_PAGE: u32 = 50;

/// Reads a `<set/>`.
///
/// # Errors
/// When the number of items cannot be read.
pub fn parse(set: &Element) -> Result<PageRequest, Problem> {
    let text = |name: &str| set.get_child(name, ns::RSM).map(Element::text);
    let max = match text("max") {
        None => DEFAULT_PAGE,
        Some(max) => match max.trim().parse::<u32>() {
            Ok(max) => max.min(MAX_PAGE),
            Err(_) => return Err(Problem::because(Condition::BadRequest, "'max' must be a number.")),
        },
    };
    let place = match (text("after"), text("before")) {
        (Some(after), None) if after.is_empty() => PagePlace::First,
        (Some(after), None) => PagePlace::After(after.into()),
        (None, Some(before)) if before.is_empty() => PagePlace::Last,
        (None, Some(before)) => PagePlace::Before(before.into()),
        (None, None) => PagePlace::First,
        (Some(_), Some(_)) => {
            return Err(Problem::because(
                Condition::BadRequest,
                "A page is either after or before something.",
            ));
        }
    };
    Ok(PageRequest { max, place })
}

/// Reads where a page begins by its place in the whole list (XEP-0059 §2.3), where a `<set/>` says it so.
///
/// # Errors
/// When it is no number.
pub fn index(set: &Element) -> Result<Option<usize>, Problem> {
    let index = set.get_child("index", ns::RSM).map(Element::text);
    index
        .map(|index| {
            let bad = |_| Problem::because(Condition::BadRequest, "'index' must be a number.");
            index.trim().parse().map_err(bad)
        })
        .transpose()
}

/// What a request without `<set/>` gets.
#[must_use]
pub fn unasked() -> PageRequest {
    PageRequest {
        max: DEFAULT_PAGE,
        place: PagePlace::First,
    }
}

/// Writes the `<set/>` of an answer.
pub fn write(xml: &mut Xml, ends: &Option<(String, String)>, first_index: usize, count: usize) {
    xml.start_ns("set", ns::RSM);
    if let Some((first, last)) = ends {
        xml.start("first")
            .attr_fmt("index", first_index)
            .text(first)
            .end();
        xml.leaf("last", last);
    }
    xml.leaf("count", &count.to_string()).end();
}
