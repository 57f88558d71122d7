//! Planning: from merged writes to the statements of a transaction.

use std::collections::{HashMap, HashSet};

use viaduct_bridge::{Account, Name, ServerId, TransactionId};
use viaduct_core::records::{
    LoginId, LoginRecord, MessageRecord, OutboxRecord, PortalId, PortalRecord, Position, Write,
};

use super::contents::Contents;
use super::intern::Interner;
use super::segment::{Pending, Presence, Segment, Shown, highest_id};
use super::statements::{
    ALIASES, CONTACTS, CONTACTS_GONE, CURSORS, DIRECT_CURSORS, FORGOTTEN, FORGOTTEN_ERASED, IMPORTED, JOINED,
    LEFT, LOGINS, MESSAGES, NOTES, OUTBOX, PORTALS, PRUNED, PRUNED_ERASED, REACTIONS, REACTIONS_GONE,
    RETRACTED, RETRACTED_UNSEEN, RETRACTED_VIEWS, SETTINGS, SETTLED, SHOWN, SHOWN_CLEARED, UNSET, WARNED,
    WARNED_NO_MORE,
};
use crate::db::{Load, Value};
use crate::error::CommitError;
use crate::seal::{Place, SealingKey};
use crate::stored::settings::{options_to_json, scope_to_columns, settings_to_json};
use crate::stored::{account_to_json, content_to_json, recipient_to_columns};

/// The longest network id of a message that is taken: an index of PostgreSQL holds no more than 2,700 bytes.
const MAX_REMOTE_BYTES: usize = 1000;

/// What is to be done in one transaction.
#[derive(Default, Debug)]
pub(crate) struct Plan {
    pub(crate) loads: Vec<Load>,
    /// Rows of content that come into being; if the transaction fails, they have not.
    pub(crate) new_said: HashSet<i64>,
    /// The highest id that is written.
    pub(crate) highest: i64,
    /// Whether something is to be erased.
    pub(crate) erases: bool,
}

impl Plan {
    /// Plans these writes.
    pub(crate) fn new<'a>(
        writes: impl Iterator<Item = &'a Write> + Clone,
        interner: &mut Interner,
        key: &SealingKey,
    ) -> Result<Self, CommitError> {
        let mut plan = Self {
            highest: writes.clone().map(highest_id).max().unwrap_or(0),
            ..Self::default()
        };
        for segment in Segment::merge(writes) {
            if let Err(error) = plan.segment(segment, interner, key) {
                interner.forget(&plan.new_said);
                return Err(error);
            }
        }
        Ok(plan)
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.loads.iter().all(Load::is_empty)
    }

    /// How many rows of input there are.
    pub(crate) fn rows(&self) -> u64 {
        self.loads.iter().map(Load::rows).sum()
    }

    /// Adds what was noted.
    pub(crate) fn notes(&mut self, notes: &[(Name, Name)]) {
        let mut load = Load::new(&NOTES);
        for (key, value) in notes {
            load.push([key.into(), value.into()]);
        }
        self.loads.push(load);
    }

    fn segment(
        &mut self,
        segment: Segment<'_>,
        interner: &mut Interner,
        key: &SealingKey,
    ) -> Result<(), CommitError> {
        self.logins(&segment, key)?;
        self.settings(&segment, key)?;
        self.contacts(&segment.contacts);
        self.imported(&segment);
        self.portals(&segment, key)?;
        self.messages(&segment, interner)?;
        self.relations(&segment);
        self.joined(&segment.joined);
        self.shown(&segment.shown);
        self.outbox(&segment.outbox);
        self.warned(&segment.warned);
        self.goes(&segment.pruned, &segment.forgotten);
        Ok(())
    }

    fn logins(&mut self, segment: &Segment<'_>, key: &SealingKey) -> Result<(), CommitError> {
        let mut load = Load::new(&LOGINS);
        for login in segment.logins.values() {
            let account = login
                .account
                .as_ref()
                .map(|account| sealed_account(login, account, key))
                .transpose()?;
            load.push([
                login.id.0.into(),
                (&login.gateway).into(),
                (&login.user).into(),
                account.into(),
                i64::from(login.preferences.stay_connected).into(),
            ]);
        }
        self.loads.push(load);
        Ok(())
    }

    fn settings(&mut self, segment: &Segment<'_>, key: &SealingKey) -> Result<(), CommitError> {
        let mut kept = Load::new(&SETTINGS);
        let mut gone = Load::new(&UNSET);
        for record in segment.settings.values() {
            let login = record.login.0;
            let (server, room) = scope_to_columns(&record.scope);
            if record.options.is_empty() && record.network.is_empty() {
                gone.push([login.into(), server.to_owned().into(), room.to_owned().into()]);
                continue;
            }
            let place = Place::Settings { login, server, room };
            let json = settings_to_json(&record.network);
            let sealed = (!record.network.is_empty())
                .then(|| key.seal(&place, &json).map_err(no_random_bytes))
                .transpose()?;
            kept.push([
                login.into(),
                server.to_owned().into(),
                room.to_owned().into(),
                options_to_json(&record.options).into(),
                sealed.into(),
            ]);
        }
        self.loads.extend([kept, gone]);
        Ok(())
    }

    fn contacts(&mut self, contacts: &HashMap<(LoginId, &Name), bool>) {
        let mut kept = Load::new(&CONTACTS);
        let mut gone = Load::new(&CONTACTS_GONE);
        for (&(login, local), &is_kept) in contacts {
            let load = if is_kept { &mut kept } else { &mut gone };
            load.push([login.0.into(), local.into()]);
        }
        self.loads.extend([kept, gone]);
    }

    fn imported(&mut self, segment: &Segment<'_>) {
        let mut load = Load::new(&IMPORTED);
        for record in segment.imported.values() {
            let (server, room) = scope_to_columns(&record.scope);
            load.push([
                record.login.0.into(),
                server.to_owned().into(),
                room.to_owned().into(),
                record.lines.map(|(newest, _)| newest).into(),
                record.lines.map(|(_, oldest)| oldest).into(),
            ]);
        }
        self.loads.push(load);
    }

    fn portals(&mut self, segment: &Segment<'_>, key: &SealingKey) -> Result<(), CommitError> {
        let mut load = Load::new(&PORTALS);
        for portal in segment.portals.values() {
            load.push(portal_row(portal, key)?);
        }
        self.loads.push(load);
        Ok(())
    }

    fn messages(&mut self, segment: &Segment<'_>, interner: &mut Interner) -> Result<(), CommitError> {
        let messages = &segment.messages;
        let mut contents = Contents::default();
        let mut rows: Vec<(&MessageRecord, i64)> = Vec::with_capacity(messages.len());
        for message in messages {
            if let Some(remote) = message.remote.as_ref().filter(|id| id.0.len() > MAX_REMOTE_BYTES) {
                let reason = format!("the network's id of a message has {} bytes", remote.0.len());
                return Err(CommitError::Refused(reason.into()));
            }
            rows.push((message, contents.id_of(message, interner, &mut self.new_said)));
        }
        let mut held = [Load::new(&RETRACTED_VIEWS), Load::new(&RETRACTED_UNSEEN)];
        let mut retracted = Load::new(&RETRACTED);
        for ((portal, position), message) in &segment.retracted {
            let said = contents.id_of(message, interner, &mut self.new_said);
            for load in &mut held {
                load.push([portal.0.into(), position.0.into()]);
            }
            retracted.push([portal.0.into(), position.0.into(), said.into()]);
        }
        self.erases |= !segment.retracted.is_empty();
        let (said, views) = contents.loads();
        // In the order of the table: neighbours are written together, which halves the cost.
        rows.sort_unstable_by_key(|(message, _)| (message.portal, message.position));
        let mut load = Load::new(&MESSAGES);
        for (message, said) in rows {
            load.push([
                message.portal.0.into(),
                message.position.0.into(),
                message.at.0.into(),
                said.into(),
                i64::from(message.remote.is_some()).into(),
                message.client_id.as_ref().into(),
            ]);
        }
        self.loads.extend([said, views, load]);
        self.loads.extend(held);
        self.loads.push(retracted);
        Ok(())
    }

    fn relations(&mut self, segment: &Segment<'_>) {
        let mut aliases = Load::new(&ALIASES);
        for alias in segment.aliases.values() {
            if alias.remote.0.len() <= MAX_REMOTE_BYTES {
                aliases.push([
                    alias.portal.0.into(),
                    (&alias.remote.0).into(),
                    (&alias.known).into(),
                    alias.part.into(),
                    alias.at.0.into(),
                    i64::from(alias.mine).into(),
                ]);
            }
        }
        let (mut reactions, mut gone) = (Load::new(&REACTIONS), Load::new(&REACTIONS_GONE));
        for ((portal, known, sender), record) in &segment.reactions {
            let (portal, known, sender) = (Value::from(portal.0), Value::from(*known), Value::from(*sender));
            if record.texts.is_empty() {
                gone.push([portal, known, sender]);
            } else {
                let texts: Vec<&str> = record.texts.iter().map(Name::as_str).collect();
                reactions.push([portal, known, sender, texts.join("\n").into()]);
            }
        }
        self.loads.extend([aliases, reactions, gone]);
    }

    fn joined(&mut self, joined: &HashMap<(PortalId, &Name), Presence<'_>>) {
        let mut present = Load::new(&JOINED);
        let mut left = Load::new(&LEFT);
        let mut moved = Load::new(&CURSORS);
        let mut direct = Load::new(&DIRECT_CURSORS);
        for (&(portal, resource), presence) in joined {
            let portal = Value::from(portal.0);
            match presence {
                Presence::In { record, cursor } => {
                    present.push([portal, resource.into(), (&record.nick).into(), cursor.0.into()]);
                }
                Presence::Moved(cursor) if resource.is_empty() => direct.push([portal, cursor.0.into()]),
                Presence::Moved(cursor) => moved.push([portal, resource.into(), cursor.0.into()]),
                Presence::Out => left.push([portal, resource.into()]),
            }
        }
        self.loads.extend([present, left, moved, direct]);
    }

    fn shown(&mut self, shown: &HashMap<PortalId, Shown<'_>>) {
        let mut cleared = Load::new(&SHOWN_CLEARED);
        let mut data = Load::new(&SHOWN);
        for (portal, shown) in shown {
            if let Some(snapshot) = shown.snapshot {
                cleared.push([portal.0.into()]);
                data.push([portal.0.into(), 0.into(), snapshot.into()]);
            }
            for (seq, change) in &shown.changes {
                data.push([portal.0.into(), (*seq).into(), (*change).into()]);
            }
        }
        self.loads.extend([cleared, data]);
    }

    fn outbox(&mut self, outbox: &HashMap<(LoginId, TransactionId), Pending<'_>>) {
        let mut kept = Load::new(&OUTBOX);
        let mut settled = Load::new(&SETTLED);
        for ((login, txn), pending) in outbox {
            match pending {
                Pending::Kept(record) => kept.push(outbox_row(record)),
                Pending::Settled => settled.push([login.0.into(), txn.0.into()]),
            }
        }
        self.loads.extend([kept, settled]);
    }

    fn warned(&mut self, warned: &HashMap<(LoginId, &ServerId), Option<&Name>>) {
        let mut told = Load::new(&WARNED);
        let mut over = Load::new(&WARNED_NO_MORE);
        for ((login, server), words) in warned {
            match words {
                Some(words) => told.push([login.0.into(), (&server.0).into(), (*words).into()]),
                None => over.push([login.0.into(), (&server.0).into()]),
            }
        }
        self.loads.extend([told, over]);
    }

    fn goes(&mut self, pruned: &HashMap<PortalId, Position>, forgotten: &[LoginId]) {
        self.erases |= !pruned.is_empty() || !forgotten.is_empty();
        let mut marks = Load::new(&PRUNED);
        let mut erased = Load::new(&PRUNED_ERASED);
        for (portal, upto) in pruned {
            marks.push([portal.0.into(), upto.0.into()]);
            erased.push([portal.0.into(), upto.0.into()]);
        }
        let logins = || forgotten.iter().map(|login| login.0);
        self.loads.extend([
            marks,
            erased,
            Load::of(&FORGOTTEN_ERASED, logins()),
            Load::of(&FORGOTTEN, logins()),
        ]);
    }
}

fn sealed_account(login: &LoginRecord, account: &Account, key: &SealingKey) -> Result<Vec<u8>, CommitError> {
    let place = Place::Account {
        gateway: &login.gateway,
        user: &login.user,
    };
    key.seal(&place, &account_to_json(account))
        .map_err(no_random_bytes)
}

fn portal_row(portal: &PortalRecord, key: &SealingKey) -> Result<[Value; 12], CommitError> {
    let (kind, server, name) = recipient_to_columns(&portal.with);
    let place = Place::RoomKey { portal: portal.id.0 };
    let room_key = portal
        .key
        .as_ref()
        .map(|secret| {
            key.seal(&place, secret.reveal().as_bytes())
                .map_err(no_random_bytes)
        })
        .transpose()?;
    let topic = portal.topic.as_ref();
    Ok([
        portal.id.0.into(),
        portal.login.0.into(),
        kind.into(),
        server.into(),
        name.into(),
        (&portal.local).into(),
        (&portal.nick).into(),
        room_key.into(),
        topic.map(|topic| &topic.text).into(),
        topic.and_then(|topic| topic.by.as_ref()).into(),
        topic.and_then(|topic| topic.at).map(|at| at.0).into(),
        i64::from(portal.kept).into(),
    ])
}

fn outbox_row(record: &OutboxRecord) -> [Value; 10] {
    let (kind, server, name) = recipient_to_columns(&record.to);
    [
        record.login.0.into(),
        record.txn.0.into(),
        kind.into(),
        server.into(),
        name.into(),
        (&record.resource).into(),
        (&record.addressed).into(),
        record.client_id.as_ref().into(),
        (&record.payload).into(),
        content_to_json(&record.content).into(),
    ]
}

fn no_random_bytes(error: getrandom::Error) -> CommitError {
    CommitError::Unavailable(format!("the system gives no random bytes to seal with ({error})").into())
}
