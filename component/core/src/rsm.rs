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

/// A page of a list that is at hand.
#[derive(Debug)]
pub struct Cut<'a, T> {
    /// The items.
    pub items: &'a [T],
    /// The keys of the first and the last.
    pub ends: Option<(String, String)>,
    /// The place of the first in the whole list.
    pub first_index: usize,
    /// The length of the whole list.
    pub count: usize,
}

/// Cuts a page out of a sorted list. A key that is not in the list stands where it would be, so that paging goes on
/// while the list changes.
///
/// # Errors
/// Never for lists whose keys are sorted; the result leaves room for it.
pub fn cut<'a, T>(
    items: &'a [T],
    key: impl Fn(&T) -> &str,
    request: &PageRequest,
) -> Result<Cut<'a, T>, Problem> {
    let max = usize::try_from(request.max).unwrap_or(usize::MAX);
    let (from, to) = match &request.place {
        PagePlace::First => (0, max.min(items.len())),
        PagePlace::Last => (items.len().saturating_sub(max), items.len()),
        PagePlace::After(after) => {
            let from = items.partition_point(|item| key(item) <= after.as_str());
            (from, from.saturating_add(max).min(items.len()))
        }
        PagePlace::Before(before) => {
            let to = items.partition_point(|item| key(item) < before.as_str());
            (to.saturating_sub(max), to)
        }
    };
    let page = &items[from..to];
    let ends = page
        .first()
        .zip(page.last())
        .map(|(first, last)| (key(first).to_owned(), key(last).to_owned()));
    Ok(Cut {
        items: page,
        ends,
        first_index: from,
        count: items.len(),
    })
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
