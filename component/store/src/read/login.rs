//! Logins with all that belongs to them, as after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use viaduct_bridge::{Name, Secret, ServerId, Settings, Timestamp, Topic, TransactionId};
use viaduct_core::records::{
    JoinedRecord, LoadedLogin, LoadedPortal, LoginId, LoginRecord, OutboxRecord, PortalId, PortalRecord,
    Position, Preferences, SettingsRecord,
};

use crate::db::{Reader, Row, Value};
use crate::error::StoreError;
use crate::seal::{Place, SealingKey};
use crate::stored::settings::{options_from_json, scope_from_columns, settings_from_json};
use crate::stored::{account_from_json, content_from_json, recipient_from_columns};

/// A login, as far as it matters when the gateway starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoginSummary {
    /// Its id.
    pub id: LoginId,
    /// The user's bare JID.
    pub user: Name,
    /// Whether the user is registered; a guest is not.
    pub has_account: bool,
    /// Whether a resource of the user is in a room, or the user stays in one without any.
    pub has_joined: bool,
    /// Whether the user wants to stay on the network.
    pub stay_connected: bool,
    /// Whether the user is still to be told something: what became of a message, or what somebody has said directly.
    pub has_unsettled: bool,
}

const LOGIN: &str = "SELECT id, account, stay_connected FROM login WHERE gateway = $1 AND jid = $2";

/// With LIMIT where EXISTS would say the same: PostgreSQL answers an EXISTS for many rows by reading the tables whole, which
/// costs each page what all users cost; this it looks up in the indexes, login by login.
const SUMMARIES: &str = "SELECT l.id, l.jid, CAST(CASE WHEN l.account IS NULL THEN 0 ELSE 1 END AS BIGINT), \
     CAST(coalesce((SELECT 1 FROM portal p JOIN joined j ON j.portal = p.id \
                    WHERE p.login = l.id AND j.resource <> '' LIMIT 1), \
                   (SELECT 1 FROM portal p WHERE p.login = l.id AND p.kept = 1 LIMIT 1), 0) AS BIGINT), \
     l.stay_connected, \
     CAST(coalesce((SELECT 1 FROM outbox o WHERE o.login = l.id LIMIT 1), \
                   (SELECT 1 FROM portal p JOIN joined j ON j.portal = p.id AND j.resource = '' \
                    JOIN message m ON m.portal = p.id AND m.position > j.confirmed \
                    WHERE p.login = l.id LIMIT 1), 0) AS BIGINT) \
     FROM login l WHERE l.gateway = $1 AND l.jid > $2 ORDER BY l.jid LIMIT $3";

const PORTALS: &str = "SELECT p.id, p.kind, p.server, p.name, p.localpart, p.nick, p.room_key, \
     p.topic, p.topic_by, p.topic_at, p.kept, \
     coalesce((SELECT m.position FROM message m WHERE m.portal = p.id ORDER BY m.position DESC LIMIT 1), p.pruned), \
     coalesce((SELECT m.at FROM message m WHERE m.portal = p.id ORDER BY m.position DESC LIMIT 1), p.pruned_at) \
     FROM portal p WHERE p.login = $1 ORDER BY p.id";

const JOINED: &str = "SELECT j.portal, j.resource, j.nick, j.confirmed \
     FROM portal p JOIN joined j ON j.portal = p.id WHERE p.login = $1 ORDER BY p.id, j.resource";

const SHOWN: &str = "SELECT s.portal, s.data \
     FROM portal p JOIN shown s ON s.portal = p.id WHERE p.login = $1 ORDER BY p.id, s.seq";

const SETTINGS: &str =
    "SELECT server, room, options, network FROM setting WHERE login = $1 ORDER BY server, room";

const OUTBOX: &str = "SELECT txn, kind, server, name, resource, addressed, client_id, payload, content \
     FROM outbox WHERE login = $1 ORDER BY txn";

const WARNED: &str = "SELECT server, words FROM warned WHERE login = $1 ORDER BY server";

const CONTACTS: &str = "SELECT localpart FROM contact WHERE login = $1 ORDER BY localpart";

/// For the test that looks at their plans.
#[cfg(test)]
pub(super) const QUERIES: &[&str] = &[
    LOGIN, SUMMARIES, PORTALS, SETTINGS, JOINED, SHOWN, OUTBOX, WARNED, CONTACTS,
];

pub(crate) async fn summaries(
    reader: &Reader,
    gateway: &str,
    after: Option<&Name>,
    limit: u32,
) -> Result<Vec<LoginSummary>, sqlx::Error> {
    // No JID is empty, so all come after that.
    let after = after.map_or_else(|| "".into(), Value::from);
    let values = [gateway.to_owned().into(), after, i64::from(limit).into()];
    let rows = reader.fetch(SUMMARIES, &values).await?;
    let summary = |row: &Row| {
        Ok(LoginSummary {
            id: LoginId(row.int(0)?),
            user: row.text(1)?,
            has_account: row.int(2)? != 0,
            has_joined: row.int(3)? != 0,
            stay_connected: row.int(4)? != 0,
            has_unsettled: row.int(5)? != 0,
        })
    };
    rows.iter().map(summary).collect()
}

pub(crate) async fn load(
    reader: &Reader,
    key: &SealingKey,
    gateway: &Name,
    user: &Name,
) -> Result<Option<LoadedLogin>, StoreError> {
    let rows = reader.fetch(LOGIN, &[gateway.into(), user.into()]).await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let login = login(row, key, gateway, user)?;
    let owner = [login.id.0.into()];

    let mut joined: HashMap<PortalId, Vec<JoinedRecord>> = HashMap::new();
    for row in reader.fetch(JOINED, &owner).await? {
        let record = JoinedRecord {
            portal: PortalId(row.int(0)?),
            resource: row.text(1)?,
            nick: row.text(2)?,
            cursor: Position(row.int(3)?),
        };
        joined.entry(record.portal).or_default().push(record);
    }
    let mut shown: HashMap<PortalId, Vec<Arc<[u8]>>> = HashMap::new();
    for row in reader.fetch(SHOWN, &owner).await? {
        shown
            .entry(PortalId(row.int(0)?))
            .or_default()
            .push(row.bytes(1)?);
    }
    let mut portals = Vec::new();
    for row in reader.fetch(PORTALS, &owner).await? {
        let portal = portal(&row, key, login.id)?;
        portals.push(LoadedPortal {
            joined: joined.remove(&portal.id).unwrap_or_default(),
            shown: shown.remove(&portal.id).unwrap_or_default(),
            last: Position(row.maybe_int(11)?.unwrap_or(0).max(0)),
            last_at: Timestamp(row.maybe_int(12)?.unwrap_or(0)),
            portal,
        });
    }
    let rows = reader.fetch(OUTBOX, &owner).await?;
    let outbox = rows
        .iter()
        .map(|row| outbox(row, login.id))
        .collect::<Result<_, _>>()?;
    let mut set = Vec::new();
    for row in reader.fetch(SETTINGS, &owner).await? {
        set.push(settings(&row, key, login.id)?);
    }
    let mut warned = Vec::new();
    for row in reader.fetch(WARNED, &owner).await? {
        warned.push((ServerId(row.text(0)?), row.text(1)?));
    }
    let rows = reader.fetch(CONTACTS, &owner).await?;
    let contacts = rows.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    Ok(Some(LoadedLogin {
        login,
        settings: set,
        portals,
        outbox,
        warned,
        contacts,
    }))
}

fn login(row: &Row, key: &SealingKey, gateway: &Name, user: &Name) -> Result<LoginRecord, StoreError> {
    let unreadable = |reason: String| StoreError::Row {
        table: "login",
        reason,
    };
    let place = Place::Account { gateway, user };
    let account = match row.maybe_bytes(1)? {
        Some(sealed) => {
            let json = key
                .open(&place, &sealed)
                .map_err(|error| unreadable(error.to_string()))?;
            Some(account_from_json(&json).map_err(unreadable)?)
        }
        None => None,
    };
    Ok(LoginRecord {
        id: LoginId(row.int(0)?),
        gateway: gateway.clone(),
        user: user.clone(),
        account,
        preferences: Preferences {
            stay_connected: row.int(2)? != 0,
        },
    })
}

fn settings(row: &Row, key: &SealingKey, login: LoginId) -> Result<SettingsRecord, StoreError> {
    let unreadable = |reason: String| StoreError::Row {
        table: "setting",
        reason,
    };
    let (server, room) = (row.text(0)?, row.text(1)?);
    let place = Place::Settings {
        login: login.0,
        server: &server,
        room: &room,
    };
    let network = match row.maybe_bytes(3)? {
        Some(sealed) => {
            let json = key
                .open(&place, &sealed)
                .map_err(|error| unreadable(error.to_string()))?;
            settings_from_json(&json).map_err(unreadable)?
        }
        None => Settings::default(),
    };
    Ok(SettingsRecord {
        login,
        options: options_from_json(&row.text(2)?).map_err(unreadable)?,
        network,
        scope: scope_from_columns(server, room),
    })
}

fn portal(row: &Row, key: &SealingKey, login: LoginId) -> Result<PortalRecord, StoreError> {
    let unreadable = |reason: String| StoreError::Row {
        table: "portal",
        reason,
    };
    let id = row.int(0)?;
    let room_key = match row.maybe_bytes(6)? {
        Some(sealed) => {
            let secret = key
                .open(&Place::RoomKey { portal: id }, &sealed)
                .map_err(|error| unreadable(error.to_string()))?;
            let text = std::str::from_utf8(&secret).map_err(|error| unreadable(error.to_string()))?;
            Some(Secret::new(text))
        }
        None => None,
    };
    let topic = match row.maybe_text(7)? {
        Some(text) => Some(Topic {
            text,
            by: row.maybe_text(8)?,
            at: row.maybe_int(9)?.map(Timestamp),
        }),
        None => None,
    };
    Ok(PortalRecord {
        id: PortalId(id),
        login,
        with: recipient_from_columns(&row.text(1)?, row.text(2)?, row.text(3)?).map_err(unreadable)?,
        local: row.text(4)?,
        nick: row.text(5)?,
        key: room_key,
        topic,
        kept: row.int(10)? != 0,
    })
}

fn outbox(row: &Row, login: LoginId) -> Result<OutboxRecord, StoreError> {
    let unreadable = |reason: String| StoreError::Row {
        table: "outbox",
        reason,
    };
    Ok(OutboxRecord {
        txn: TransactionId(row.int(0)?),
        login,
        to: recipient_from_columns(&row.text(1)?, row.text(2)?, row.text(3)?).map_err(unreadable)?,
        resource: row.text(4)?,
        addressed: row.text(5)?,
        client_id: row.maybe_text(6)?,
        payload: row.text(7)?,
        content: content_from_json(&row.text(8)?).map_err(unreadable)?,
    })
}
