//! A message that something refers to: by the id that clients know, or by one of the network's.
//!
//! Every query names its portal, and the core names none but the user's own.

use viaduct_bridge::{MessageId, Name, Timestamp};
use viaduct_core::records::{MessageRecord, PortalId, Position, archive_id};
use viaduct_core::refer::{Found, Lookup, Which};

use super::{archive, message};
use crate::db::{Reader, Row};

/// The network ids of a message, in the order of its parts.
const ALIASES: &str = "SELECT a.remote, a.at, a.mine FROM alias a WHERE a.portal = $1 AND a.known = $2 ORDER BY a.part LIMIT $3";

/// The message that has this network id.
const KNOWN_AS: &str = "SELECT a.known FROM alias a WHERE a.portal = $1 AND a.remote = $2";

/// The newest message to which the user's client gave this id, of the last so many.
const BY_CLIENT: &str = "SELECT m.position FROM message m WHERE m.portal = $1 AND m.position > \
     (SELECT max(n.position) FROM message n WHERE n.portal = $1) - $3 AND m.client_id = $2 \
     ORDER BY m.position DESC LIMIT 1";

const REACTIONS: &str =
    "SELECT e.texts FROM reaction e WHERE e.portal = $1 AND e.known = $2 AND e.sender = $3";

/// The most parts of one message.
const MOST_PARTS: i64 = 500;

/// How far back a message is looked for by its client's id.
const CLIENT_REACH: i64 = 2000;

/// How many rows that say nothing are passed over in the search for a message by its time.
const TIME_REACH: i64 = 20;

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[ALIASES, KNOWN_AS, BY_CLIENT, REACTIONS];

pub(crate) async fn found(reader: &Reader, lookup: &Lookup) -> Result<Option<Found>, sqlx::Error> {
    let portal = lookup.portal;
    let mut found = match &lookup.which {
        Which::Known(id) => by_known(reader, portal, id).await?,
        Which::Client(id) => match by_client(reader, portal, id).await? {
            Some(message) => Some(of_archive(reader, message).await?),
            None => None,
        },
        Which::Upto(at) => match by_time(reader, portal, *at).await? {
            Some(message) => Some(of_archive(reader, message).await?),
            None => None,
        },
        Which::Remote(id) => match message::find(reader, portal, &id.0).await? {
            // An id of ours, made of a place, is none of the network's.
            Some(message) if message.remote.as_ref() == Some(id) && !is_direct(&message) => {
                Some(of_archive(reader, message).await?)
            }
            _ => match reader
                .fetch(KNOWN_AS, &[portal.0.into(), (&id.0).into()])
                .await?
                .first()
            {
                Some(row) => by_known(reader, portal, &row.text(0)?).await?,
                None => None,
            },
        },
    };
    if let (Some(found), Some(sender)) = (&mut found, &lookup.reactions_of) {
        let values = [portal.0.into(), (&found.known).into(), sender.into()];
        if let Some(row) = reader.fetch(REACTIONS, &values).await?.first() {
            found.reactions = row.text(0)?.lines().map(Name::from).collect();
        }
    }
    Ok(found)
}

async fn by_known(reader: &Reader, portal: PortalId, known: &Name) -> Result<Option<Found>, sqlx::Error> {
    match message::find(reader, portal, known).await? {
        Some(message) if !is_direct(&message) => Ok(Some(of_archive(reader, message).await?)),
        _ => by_aliases(reader, portal, known).await,
    }
}

/// A direct chat's archive is only on its way to the user's server: what it holds is in the aliases as well.
fn is_direct(message: &MessageRecord) -> bool {
    message.said.occupant.is_empty() && !message.said.nick.is_empty()
}

/// A message of a room, with the ids of its further parts.
async fn of_archive(reader: &Reader, message: MessageRecord) -> Result<Found, sqlx::Error> {
    let known = archive_id(&message);
    let mut ids: Vec<MessageId> = message.remote.iter().cloned().collect();
    for row in aliases(reader, message.portal, &known).await? {
        ids.push(MessageId(row.text(0)?));
    }
    Ok(Found {
        known,
        ids,
        at: message.at,
        mine: false,
        message: Some(message),
        reactions: Vec::new(),
    })
}

async fn by_aliases(reader: &Reader, portal: PortalId, known: &Name) -> Result<Option<Found>, sqlx::Error> {
    let rows = aliases(reader, portal, known).await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let ids = rows.iter().map(|row| row.text(0).map(MessageId));
    Ok(Some(Found {
        known: known.clone(),
        ids: ids.collect::<Result<_, _>>()?,
        at: Timestamp(first.int(1)?),
        mine: first.int(2)? != 0,
        message: None,
        reactions: Vec::new(),
    }))
}

async fn aliases(reader: &Reader, portal: PortalId, known: &Name) -> Result<Vec<Row>, sqlx::Error> {
    reader
        .fetch(ALIASES, &[portal.0.into(), known.into(), MOST_PARTS.into()])
        .await
}

/// The newest message until then. What only reacts or takes something back is none.
async fn by_time(
    reader: &Reader,
    portal: PortalId,
    at: Timestamp,
) -> Result<Option<MessageRecord>, sqlx::Error> {
    let Some(last) = archive::last_upto(reader, portal, at).await? else {
        return Ok(None);
    };
    let first = last.saturating_sub(TIME_REACH).max(1);
    let messages = message::range(reader, portal, first, last, TIME_REACH + 1).await?;
    let says = |message: &MessageRecord| message.said.payload.contains("<body");
    Ok(messages.into_iter().rev().find(says))
}

async fn by_client(
    reader: &Reader,
    portal: PortalId,
    id: &Name,
) -> Result<Option<MessageRecord>, sqlx::Error> {
    let values = [portal.0.into(), id.into(), CLIENT_REACH.into()];
    let rows = reader.fetch(BY_CLIENT, &values).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let at = Position(row.int(0)?).0;
    Ok(message::range(reader, portal, at, at, 1).await?.pop())
}
