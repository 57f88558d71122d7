//! Pages of an archive (XEP-0313, XEP-0059).
//!
//! Positions have no gap and times do not decrease along them. So the size of a result set is a difference of positions,
//! a time is found by halving, and a page costs the same wherever it is and however large the archive. Only a filter by
//! nickname has to look at all messages that are left; it does so a piece at a time, and one such query at a time, so that
//! other readers are not held up.

use tokio::sync::Semaphore;
use viaduct_bridge::{Name, Timestamp};
use viaduct_core::records::{
    ArchiveError, ArchivePage, ArchiveQuery, MessageRecord, PagePlace, PageRequest, PortalId, Position,
};

use super::message::{columns, message, places, places_of, range};
use crate::db::{Bulk, Kind, Load, Reader};
use crate::error::ArchiveReadError;

/// How many messages are looked at in one piece.
const PIECE: i64 = 10_000;

/// The first and the last place, and how much was given up.
const BOUNDS: &str = "SELECT \
     (SELECT m.position FROM message m WHERE m.portal = $1 ORDER BY m.position LIMIT 1), \
     (SELECT m.position FROM message m WHERE m.portal = $1 ORDER BY m.position DESC LIMIT 1), \
     (SELECT p.pruned FROM portal p WHERE p.id = $1)";

/// The first place from `$2` on, and before `$3`, whose time is not before `$4`; `$3` if there is none.
pub(super) const FIRST_SINCE: &str = "WITH RECURSIVE half (low, high) AS ( \
         SELECT CAST($2 AS BIGINT), CAST($3 AS BIGINT) \
         UNION ALL \
         SELECT CASE WHEN m.at >= $4 THEN half.low ELSE m.position + 1 END, \
                CASE WHEN m.at >= $4 THEN m.position ELSE half.high END \
         FROM half JOIN message m ON m.portal = $1 AND m.position = half.low + (half.high - half.low) / 2 \
         WHERE half.low < half.high \
     ) SELECT low FROM half WHERE low >= high";

/// Places in a range where a nickname spoke.
const SAID_BY: &str = "SELECT m.position FROM message m JOIN said s ON s.id = m.said \
     WHERE m.portal = $1 AND m.position BETWEEN $2 AND $3 AND s.nick = $4 ORDER BY m.position";

/// Messages by their places.
const AT: Bulk = Bulk {
    columns: &[("portal", Kind::Int), ("position", Kind::Int)],
    then: concat!(
        "SELECT ",
        columns!(),
        " FROM r CROSS JOIN message m CROSS JOIN said s \
         WHERE m.portal = r.portal AND m.position = r.position AND s.id = m.said ORDER BY m.position"
    ),
};

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const BULK: &[&Bulk] = &[&AT];

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[BOUNDS, FIRST_SINCE, SAID_BY, EDGE];

/// Where history that is older than all there is would follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArchiveEdge {
    /// The oldest message's place, and its time.
    pub oldest: Option<(Position, Timestamp)>,
    /// Whether messages were given up: nothing older than those is shown any more.
    pub pruned: bool,
}

const EDGE: &str = "SELECT p.pruned, \
     (SELECT m.position FROM message m WHERE m.portal = p.id ORDER BY m.position LIMIT 1), \
     (SELECT m.at FROM message m WHERE m.portal = p.id ORDER BY m.position LIMIT 1) \
     FROM portal p WHERE p.id = $1";

pub(crate) async fn edge(reader: &Reader, portal: PortalId) -> Result<ArchiveEdge, sqlx::Error> {
    let rows = reader.fetch(EDGE, &[portal.0.into()]).await?;
    let Some(row) = rows.first() else {
        return Ok(ArchiveEdge {
            oldest: None,
            pruned: false,
        });
    };
    let oldest = row.maybe_int(1)?.zip(row.maybe_int(2)?);
    Ok(ArchiveEdge {
        oldest: oldest.map(|(position, at)| (Position(position), Timestamp(at))),
        pruned: row.maybe_int(0)?.is_some(),
    })
}

/// A range of places, both ends included; empty when the first is after the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    first: i64,
    last: i64,
}

impl Range {
    fn len(self) -> u64 {
        u64::try_from(self.last.saturating_sub(self.first).saturating_add(1)).unwrap_or(0)
    }
}

pub(crate) async fn page(
    reader: &Reader,
    scans: &Semaphore,
    query: &ArchiveQuery,
) -> Result<ArchivePage, ArchiveReadError> {
    let range = filtered(reader, query).await?;
    let cut = cut(reader, query).await?;
    let chosen = chosen(reader, scans, query, range).await?;
    match chosen {
        None => dense_page(reader, query.portal, range, cut, &query.page).await,
        Some(places) => sparse_page(reader, query.portal, &places, cut, &query.page).await,
    }
}

/// The places that are left by everything but a choice of single messages.
async fn filtered(reader: &Reader, query: &ArchiveQuery) -> Result<Range, ArchiveReadError> {
    let portal = query.portal;
    let rows = reader.fetch(BOUNDS, &[portal.0.into()]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let first = row.maybe_int(0)?.unwrap_or(1);
    let last = row.maybe_int(1)?.unwrap_or(0).min(query.upto.0);
    let pruned = row.maybe_int(2)?.unwrap_or(i64::MIN);
    let mut range = Range {
        first: first.max(pruned.saturating_add(1)),
        last,
    };
    // Where an id was given twice, take the place that leaves less: a client that pages by it makes headway.
    if let Some(id) = &query.after_id {
        let (_, at) = known(reader, query, id).await?;
        range.first = range.first.max(at.saturating_add(1));
    }
    if let Some(id) = &query.before_id {
        let (at, _) = known(reader, query, id).await?;
        range.last = range.last.min(at.saturating_sub(1));
    }
    if let Some(start) = query.start {
        range.first = first_since(reader, portal, range, start).await?;
    }
    if let Some(end) = query.end {
        let after = Timestamp(end.0.saturating_add(1));
        range.last = first_since(reader, portal, range, after).await?.saturating_sub(1);
    }
    Ok(range)
}

/// The first place of a range that has this time or a later one; the place after the range if there is none.
async fn first_since(
    reader: &Reader,
    portal: PortalId,
    range: Range,
    at: Timestamp,
) -> Result<i64, ArchiveReadError> {
    if range.len() == 0 {
        return Ok(range.first);
    }
    let beyond = range.last.saturating_add(1);
    let values = [portal.0.into(), range.first.into(), beyond.into(), at.0.into()];
    let rows = reader.fetch(FIRST_SINCE, &values).await?;
    // Nothing comes back only if the messages went meanwhile.
    Ok(rows.first().map_or(Ok(beyond), |row| row.int(0))?)
}

/// The newest place, of those that are kept, whose time is not after this.
pub(super) async fn last_upto(
    reader: &Reader,
    portal: PortalId,
    at: Timestamp,
) -> Result<Option<i64>, sqlx::Error> {
    let rows = reader.fetch(BOUNDS, &[portal.0.into()]).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (Some(oldest), Some(newest)) = (row.maybe_int(0)?, row.maybe_int(1)?) else {
        return Ok(None);
    };
    let first = row
        .maybe_int(2)?
        .map_or(oldest, |pruned| oldest.max(pruned.saturating_add(1)));
    if newest < first {
        return Ok(None);
    }
    let beyond = newest.saturating_add(1);
    let after = at.0.saturating_add(1);
    let values = [portal.0.into(), first.into(), beyond.into(), after.into()];
    let rows = reader.fetch(FIRST_SINCE, &values).await?;
    let next = rows.first().map_or(Ok(beyond), |row| row.int(0))?;
    Ok((next > first).then(|| next - 1))
}

/// The places that an archive id names.
async fn known(reader: &Reader, query: &ArchiveQuery, id: &str) -> Result<(i64, i64), ArchiveReadError> {
    let found = places(reader, query.portal, query.upto, id).await?;
    Ok(found.ok_or(ArchiveError::NoSuchMessage)?)
}

/// Where the page begins or ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    First,
    Last,
    After(i64),
    Before(i64),
}

async fn cut(reader: &Reader, query: &ArchiveQuery) -> Result<Cut, ArchiveReadError> {
    Ok(match &query.page.place {
        PagePlace::First => Cut::First,
        PagePlace::Last => Cut::Last,
        PagePlace::After(id) => Cut::After(known(reader, query, id).await?.1),
        PagePlace::Before(id) => Cut::Before(known(reader, query, id).await?.0),
    })
}

/// The single places that the query is about, in order; `None` if it is about all.
async fn chosen(
    reader: &Reader,
    scans: &Semaphore,
    query: &ArchiveQuery,
    range: Range,
) -> Result<Option<Vec<i64>>, ArchiveReadError> {
    let by_id = match &query.ids {
        Some(ids) => Some(by_id(reader, query, ids, range).await?),
        None => None,
    };
    let Some(nick) = &query.with_nick else {
        return Ok(by_id);
    };
    let by_nick = by_nick(reader, scans, query.portal, range, nick).await?;
    Ok(Some(match by_id {
        Some(ids) => ids
            .into_iter()
            .filter(|place| by_nick.binary_search(place).is_ok())
            .collect(),
        None => by_nick,
    }))
}

async fn by_id(
    reader: &Reader,
    query: &ArchiveQuery,
    ids: &[Name],
    range: Range,
) -> Result<Vec<i64>, ArchiveReadError> {
    let found = places_of(reader, query.portal, query.upto, ids).await?;
    let mut found = found.ok_or(ArchiveError::NoSuchMessage)?;
    found.retain(|place| (range.first..=range.last).contains(place));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

async fn by_nick(
    reader: &Reader,
    scans: &Semaphore,
    portal: PortalId,
    range: Range,
    nick: &Name,
) -> Result<Vec<i64>, ArchiveReadError> {
    // It is never closed.
    let _turn = scans.acquire().await;
    let mut found = Vec::new();
    let mut from = range.first;
    while from <= range.last {
        let upto = range.last.min(from.saturating_add(PIECE - 1));
        let values = [portal.0.into(), from.into(), upto.into(), nick.into()];
        for row in reader.fetch(SAID_BY, &values).await? {
            found.push(row.int(0)?);
        }
        if upto == i64::MAX {
            break;
        }
        from = upto + 1;
    }
    Ok(found)
}

/// A page of a result set without gaps: all by arithmetic.
async fn dense_page(
    reader: &Reader,
    portal: PortalId,
    set: Range,
    cut: Cut,
    page: &PageRequest,
) -> Result<ArchivePage, ArchiveReadError> {
    let max = i64::from(page.max);
    let mut rest = set;
    match cut {
        Cut::After(place) => rest.first = rest.first.max(place.saturating_add(1)),
        Cut::Before(place) => rest.last = rest.last.min(place.saturating_sub(1)),
        Cut::First | Cut::Last => {}
    }
    let whole = rest.len() <= u64::from(page.max);
    let shown = match cut {
        _ if whole => rest,
        Cut::First | Cut::After(_) => Range {
            last: rest.first + max - 1,
            ..rest
        },
        Cut::Last | Cut::Before(_) => Range {
            first: rest.last - max + 1,
            ..rest
        },
    };
    let mut messages = Vec::new();
    if shown.len() > 0 {
        messages = range(reader, portal, shown.first, shown.last, max).await?;
    }
    Ok(ArchivePage {
        first_index: messages.first().map_or(0, |first| {
            Range {
                first: set.first,
                last: first.position.0 - 1,
            }
            .len()
        }),
        messages,
        complete: whole,
        count: set.len(),
    })
}

/// A page of chosen messages.
async fn sparse_page(
    reader: &Reader,
    portal: PortalId,
    set: &[i64],
    cut: Cut,
    page: &PageRequest,
) -> Result<ArchivePage, ArchiveReadError> {
    let max = usize::try_from(page.max).unwrap_or(usize::MAX);
    let (from, upto) = match cut {
        Cut::After(place) => (set.partition_point(|at| *at <= place), set.len()),
        Cut::Before(place) => (0, set.partition_point(|at| *at < place)),
        Cut::First | Cut::Last => (0, set.len()),
    };
    let whole = upto - from <= max;
    let (from, upto) = match cut {
        _ if whole => (from, upto),
        Cut::First | Cut::After(_) => (from, from + max),
        Cut::Last | Cut::Before(_) => (upto - max, upto),
    };
    let mut load = Load::new(&AT);
    for place in &set[from..upto] {
        load.push([portal.0.into(), (*place).into()]);
    }
    let rows = reader.fetch_bulk(&load).await?;
    let messages: Vec<MessageRecord> = rows.iter().map(message).collect::<Result<_, _>>()?;
    Ok(ArchivePage {
        first_index: if messages.is_empty() { 0 } else { from as u64 },
        messages,
        complete: whole,
        count: set.len() as u64,
    })
}
