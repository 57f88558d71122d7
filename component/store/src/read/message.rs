//! Messages by their place: replay, history, one by its archive id.

use std::collections::HashSet;
use std::sync::Arc;

use viaduct_bridge::{MessageId, Name, Timestamp};
use viaduct_core::records::{MessageRecord, PortalId, Position, Said, parse_placed_id};

use crate::db::{Bulk, Kind, Load, Reader, Row};

/// The columns of a message, in the order in which [`message`] takes them.
macro_rules! columns {
    () => {
        "m.portal, m.position, m.at, s.nick, s.occupant, s.payload, s.remote, m.client_id"
    };
}
pub(super) use columns;

/// Messages from a place on, in order.
const FORWARDS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM message m JOIN said s ON s.id = m.said \
     WHERE m.portal = $1 AND m.position BETWEEN $2 AND $3 ORDER BY m.position LIMIT $4"
);

/// Messages up to a place, the newest first.
const BACKWARDS: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM message m JOIN said s ON s.id = m.said \
     WHERE m.portal = $1 AND m.position <= $2 ORDER BY m.position DESC LIMIT $3"
);

/// The places of the messages that have a network id in common. More than one only if the network gave it twice.
const BY_REMOTE: &str = "SELECT min(m.position), max(m.position) FROM said s \
     JOIN message m ON m.portal = $1 AND m.said = s.id AND m.named = 1 \
     WHERE s.remote = $2 AND m.position <= $3";

/// Whether a place is taken by a message that has no network id, and so is named by its place.
const BY_PLACE: &str =
    "SELECT m.position FROM message m WHERE m.portal = $1 AND m.position = $2 AND m.named = 0";

/// The same for many network ids: each that is known, with its first place. In this order in any case: it is the only
/// one that finds everything by an index.
const BY_REMOTES: Bulk = Bulk {
    columns: &[("remote", Kind::Text), ("portal", Kind::Int), ("upto", Kind::Int)],
    then: "SELECT r.remote, min(m.position) FROM r CROSS JOIN said s CROSS JOIN message m \
           WHERE s.remote = r.remote AND m.portal = r.portal AND m.said = s.id AND m.named = 1 \
           AND m.position <= r.upto GROUP BY r.remote",
};

/// The same for many places.
const BY_PLACES: Bulk = Bulk {
    columns: &[("portal", Kind::Int), ("position", Kind::Int)],
    then: "SELECT m.position FROM r CROSS JOIN message m \
           WHERE m.portal = r.portal AND m.position = r.position AND m.named = 0",
};

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const BULK: &[&Bulk] = &[&BY_REMOTES, &BY_PLACES];

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[FORWARDS, BACKWARDS, BY_REMOTE, BY_PLACE];

pub(super) fn message(row: &Row) -> Result<MessageRecord, sqlx::Error> {
    Ok(MessageRecord {
        portal: PortalId(row.int(0)?),
        position: Position(row.int(1)?),
        at: Timestamp(row.int(2)?),
        said: Arc::new(Said {
            nick: row.text(3)?,
            occupant: row.text(4)?,
            payload: row.text(5)?,
        }),
        remote: row.maybe_text(6)?.map(MessageId),
        client_id: row.maybe_text(7)?,
    })
}

/// Messages of a range of places, in order.
pub(super) async fn range(
    reader: &Reader,
    portal: PortalId,
    from: i64,
    upto: i64,
    limit: i64,
) -> Result<Vec<MessageRecord>, sqlx::Error> {
    let values = [portal.0.into(), from.into(), upto.into(), limit.into()];
    reader
        .fetch(FORWARDS, &values)
        .await?
        .iter()
        .map(message)
        .collect()
}

pub(crate) async fn replay(
    reader: &Reader,
    portal: PortalId,
    after: Position,
    upto: Position,
    limit: u32,
) -> Result<Vec<MessageRecord>, sqlx::Error> {
    range(reader, portal, after.0.saturating_add(1), upto.0, limit.into()).await
}

pub(crate) async fn history(
    reader: &Reader,
    portal: PortalId,
    upto: Position,
    limit: u32,
    since: Option<Timestamp>,
) -> Result<Vec<MessageRecord>, sqlx::Error> {
    let values = [portal.0.into(), upto.0.into(), i64::from(limit).into()];
    let rows = reader.fetch(BACKWARDS, &values).await?;
    let mut messages: Vec<MessageRecord> = rows.iter().map(message).collect::<Result<_, _>>()?;
    // Times do not decrease along positions, so what is too old is at the end.
    if let Some(since) = since {
        messages.retain(|message| message.at >= since);
    }
    messages.reverse();
    Ok(messages)
}

pub(crate) async fn find(
    reader: &Reader,
    portal: PortalId,
    archive_id: &str,
) -> Result<Option<MessageRecord>, sqlx::Error> {
    let Some((first, _)) = places(reader, portal, Position(i64::MAX), archive_id).await? else {
        return Ok(None);
    };
    Ok(range(reader, portal, first, first, 1).await?.pop())
}

/// The first and the last place that an archive id names in an archive: the same, unless the network gave an id twice.
pub(super) async fn places(
    reader: &Reader,
    portal: PortalId,
    upto: Position,
    archive_id: &str,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    // An id made of a place names something in that portal alone.
    if let Some((owner, position)) = parse_placed_id(archive_id)
        && owner == portal
        && position <= upto
        && !reader
            .fetch(BY_PLACE, &[portal.0.into(), position.0.into()])
            .await?
            .is_empty()
    {
        return Ok(Some((position.0, position.0)));
    }
    let values = [portal.0.into(), archive_id.to_owned().into(), upto.0.into()];
    let rows = reader.fetch(BY_REMOTE, &values).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(row.maybe_int(0)?.zip(row.maybe_int(1)?))
}

/// The places that many archive ids name; `None` if one of them names nothing.
pub(super) async fn places_of(
    reader: &Reader,
    portal: PortalId,
    upto: Position,
    archive_ids: &[Name],
) -> Result<Option<Vec<i64>>, sqlx::Error> {
    let own = |id: &Name| {
        parse_placed_id(id)
            .filter(|(owner, position)| *owner == portal && *position <= upto)
            .map(|(_, place)| place.0)
    };
    let mut by_place = Load::new(&BY_PLACES);
    for place in archive_ids.iter().filter_map(own) {
        by_place.push([portal.0.into(), place.into()]);
    }
    let mut placed = HashSet::new();
    for row in reader.fetch_bulk(&by_place).await? {
        placed.insert(row.int(0)?);
    }
    let mut places: Vec<i64> = placed.iter().copied().collect();

    let others = archive_ids
        .iter()
        .filter(|id| own(id).is_none_or(|place| !placed.contains(&place)));
    let others: HashSet<&Name> = others.collect();
    let mut by_remote = Load::new(&BY_REMOTES);
    for id in &others {
        by_remote.push([(*id).into(), portal.0.into(), upto.0.into()]);
    }
    let found = reader.fetch_bulk(&by_remote).await?;
    if found.len() < others.len() {
        return Ok(None);
    }
    for row in found {
        places.push(row.int(1)?);
    }
    Ok(Some(places))
}
