//! Merging: what many writes come to when they are committed together. Of an upsert only the last counts; a message of
//! the user that is settled already never reaches the disk; a new snapshot makes earlier changes void.
//!
//! A segment is applied kind by kind, in the order of its fields, not in the order in which the writes came. Where that
//! would make a difference, a new segment begins.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use viaduct_bridge::{MessageId, Name, Scope, ServerId, TransactionId};
use viaduct_core::records::{
    ImportedRecord, JoinedRecord, LoginId, LoginRecord, MessageRecord, OutboxRecord, PortalId, PortalRecord,
    Position, SettingsRecord, Write,
};
use viaduct_core::refer::{AliasRecord, ReactionsRecord};

/// Writes that can be applied kind by kind.
#[derive(Default, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) logins: HashMap<LoginId, &'a LoginRecord>,
    pub(crate) settings: HashMap<(LoginId, &'a Scope), &'a SettingsRecord>,
    /// Whether somebody is a contact from now on, or no longer.
    pub(crate) contacts: HashMap<(LoginId, &'a Name), bool>,
    pub(crate) imported: HashMap<(LoginId, &'a Scope), &'a ImportedRecord>,
    pub(crate) portals: HashMap<PortalId, &'a PortalRecord>,
    pub(crate) joined: HashMap<(PortalId, &'a Name), Presence<'a>>,
    pub(crate) shown: HashMap<PortalId, Shown<'a>>,
    pub(crate) messages: Vec<&'a MessageRecord>,
    /// Messages that hold something else now, after all messages were added.
    pub(crate) retracted: HashMap<(PortalId, Position), &'a MessageRecord>,
    pub(crate) aliases: HashMap<(PortalId, &'a MessageId), &'a AliasRecord>,
    pub(crate) reactions: HashMap<(PortalId, &'a Name, &'a Name), &'a ReactionsRecord>,
    pub(crate) outbox: HashMap<(LoginId, TransactionId), Pending<'a>>,
    pub(crate) warned: HashMap<(LoginId, &'a ServerId), Option<&'a Name>>,
    pub(crate) pruned: HashMap<PortalId, Position>,
    pub(crate) forgotten: Vec<LoginId>,
}

/// What becomes of a resource in a room.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Presence<'a> {
    /// It is in, like this.
    In {
        /// What is on record.
        record: &'a JoinedRecord,
        /// Its cursor, which may have moved since.
        cursor: Position,
    },
    /// It is where it was, but its cursor has moved.
    Moved(Position),
    /// It is out.
    Out,
}

/// What joined resources were shown.
#[derive(Default, PartialEq, Debug)]
pub(crate) struct Shown<'a> {
    /// A new snapshot, which replaces all that was there.
    pub(crate) snapshot: Option<&'a Arc<[u8]>>,
    /// Changes after it.
    pub(crate) changes: BTreeMap<i64, &'a Arc<[u8]>>,
}

/// What becomes of a message for which the network has not answered.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Pending<'a> {
    Kept(&'a OutboxRecord),
    Settled,
}

impl<'a> Segment<'a> {
    /// Merges writes, in their order, into as few segments as possible.
    pub(crate) fn merge(writes: impl IntoIterator<Item = &'a Write>) -> Vec<Self> {
        let mut segments = vec![Self::default()];
        for write in writes {
            let last = segments
                .last_mut()
                .expect("there is a segment from the beginning");
            if last.takes(write) {
                last.add(write);
            } else {
                let mut next = Self::default();
                next.add(write);
                segments.push(next);
            }
        }
        segments
    }

    /// Whether this write, applied with this segment, has the effect that it has after it.
    fn takes(&self, write: &Write) -> bool {
        match write {
            // Logins are forgotten last, so nothing else may come after.
            Write::ForgetLogin(_) => true,
            _ if !self.forgotten.is_empty() => false,
            // Messages are pruned after all messages were added.
            Write::Message(message) => self
                .pruned
                .get(&message.portal)
                .is_none_or(|upto| message.position > *upto),
            _ => true,
        }
    }

    fn add(&mut self, write: &'a Write) {
        match write {
            Write::Login(login) => {
                self.logins.insert(login.id, login);
            }
            Write::ForgetLogin(login) => self.forgotten.push(*login),
            Write::Settings(record) => {
                self.settings.insert((record.login, &record.scope), record);
            }
            Write::Contact { login, local } => {
                self.contacts.insert((*login, local), true);
            }
            Write::ForgetContact { login, local } => {
                self.contacts.insert((*login, local), false);
            }
            Write::Imported(record) => {
                self.imported.insert((record.login, &record.scope), record);
            }
            Write::Portal(portal) => {
                self.portals.insert(portal.id, portal);
            }
            Write::Joined(record) => {
                let cursor = record.cursor;
                self.joined
                    .insert((record.portal, &record.resource), Presence::In { record, cursor });
            }
            Write::Left { portal, resource } => {
                self.joined.insert((*portal, resource), Presence::Out);
            }
            Write::Cursor {
                portal,
                resource,
                position,
            } => self.move_cursor(*portal, resource, *position),
            Write::Shown { portal, data } => {
                let shown = self.shown.entry(*portal).or_default();
                shown.snapshot = Some(data);
                shown.changes.clear();
            }
            Write::ShownChange { portal, seq, data } => {
                self.shown.entry(*portal).or_default().changes.insert(*seq, data);
            }
            Write::Message(message) => self.messages.push(message),
            Write::Retracted(message) => {
                self.retracted.insert((message.portal, message.position), message);
            }
            Write::Alias(alias) => {
                self.aliases.insert((alias.portal, &alias.remote), alias);
            }
            Write::Reactions(record) => {
                self.reactions
                    .insert((record.portal, &record.known, &record.sender), record);
            }
            Write::Outbox(record) => {
                self.outbox
                    .insert((record.login, record.txn), Pending::Kept(record));
            }
            Write::Settled { login, txn } => {
                self.outbox.insert((*login, *txn), Pending::Settled);
            }
            Write::Warned { login, server, words } => {
                self.warned.insert((*login, server), words.as_ref());
            }
            Write::Prune { portal, upto } => {
                let pruned = self.pruned.entry(*portal).or_insert(*upto);
                *pruned = (*pruned).max(*upto);
            }
        }
    }

    /// Moving the cursor of a resource that is out does not bring it in.
    fn move_cursor(&mut self, portal: PortalId, resource: &'a Name, position: Position) {
        let presence = self
            .joined
            .entry((portal, resource))
            .or_insert(Presence::Moved(position));
        match presence {
            Presence::In { cursor, .. } | Presence::Moved(cursor) => *cursor = position,
            // The cursor of a direct chat is no presence: it is there as soon as it is set.
            Presence::Out if resource.is_empty() => *presence = Presence::Moved(position),
            Presence::Out => {}
        }
    }
}

/// The highest id in a write that must never be given to anything else.
pub(crate) fn highest_id(write: &Write) -> i64 {
    match write {
        Write::Login(login) => login.id.0,
        Write::Portal(portal) => portal.id.0,
        Write::Outbox(record) => record.txn.0,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use viaduct_bridge::{Name, Timestamp, TransactionId};
    use viaduct_core::records::{JoinedRecord, LoginId, MessageRecord, PortalId, Position, Said, Write};

    use super::{Pending, Presence, Segment};

    const ROOM: PortalId = PortalId(1);

    fn name(text: &str) -> Name {
        text.into()
    }

    fn joined(cursor: i64) -> Write {
        Write::Joined(Box::new(JoinedRecord {
            portal: ROOM,
            resource: name("phone"),
            nick: name("me"),
            cursor: Position(cursor),
        }))
    }

    fn cursor(resource: &str, position: i64) -> Write {
        Write::Cursor {
            portal: ROOM,
            resource: name(resource),
            position: Position(position),
        }
    }

    fn left(resource: &str) -> Write {
        Write::Left {
            portal: ROOM,
            resource: name(resource),
        }
    }

    fn message(position: i64) -> Write {
        let said = Said {
            nick: name("a"),
            occupant: name(""),
            payload: name("<body/>"),
        };
        Write::Message(Box::new(MessageRecord {
            portal: ROOM,
            position: Position(position),
            at: Timestamp(0),
            said: Arc::new(said),
            remote: None,
            client_id: None,
        }))
    }

    /// What becomes of one resource: "in" with its cursor, "moved" to a position, or "out".
    fn presence(writes: &[Write]) -> (&'static str, i64) {
        let segments = Segment::merge(writes);
        let [segment] = &segments[..] else {
            panic!("one segment is enough");
        };
        let mut all = segment.joined.values();
        let one = all.next().expect("one resource");
        assert!(all.next().is_none());
        match one {
            Presence::In { cursor, .. } => ("in", cursor.0),
            Presence::Moved(position) => ("moved", position.0),
            Presence::Out => ("out", 0),
        }
    }

    #[test]
    fn the_last_word_on_a_resource_counts() {
        assert_eq!(presence(&[joined(1), cursor("phone", 5)]), ("in", 5));
        assert_eq!(presence(&[cursor("phone", 5), joined(1)]), ("in", 1));
        assert_eq!(presence(&[cursor("phone", 5), cursor("phone", 4)]), ("moved", 4));
        assert_eq!(presence(&[joined(1), left("phone")]), ("out", 0));
        assert_eq!(presence(&[left("phone"), joined(1)]), ("in", 1));
    }

    #[test]
    fn a_cursor_does_not_bring_a_resource_back() {
        assert_eq!(presence(&[left("phone"), cursor("phone", 5)]), ("out", 0));
        assert_eq!(presence(&[left(""), cursor("", 5)]), ("moved", 5));
    }

    #[test]
    fn a_settled_message_is_not_kept() {
        let settled = Write::Settled {
            login: LoginId(1),
            txn: TransactionId(2),
        };
        let writes = [settled];
        let segments = Segment::merge(&writes);
        assert_eq!(
            segments[0].outbox[&(LoginId(1), TransactionId(2))],
            Pending::Settled
        );
    }

    #[test]
    fn a_snapshot_makes_earlier_changes_void() {
        let data: Arc<[u8]> = Arc::from(&b"x"[..]);
        let change = |seq| Write::ShownChange {
            portal: ROOM,
            seq,
            data: Arc::clone(&data),
        };
        let snapshot = Write::Shown {
            portal: ROOM,
            data: Arc::clone(&data),
        };
        let writes = [change(1), change(2), snapshot, change(3)];
        let segments = Segment::merge(&writes);
        let shown = &segments[0].shown[&ROOM];
        assert!(shown.snapshot.is_some());
        assert_eq!(shown.changes.keys().copied().collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn order_that_matters_begins_a_new_segment() {
        let forget = || Write::ForgetLogin(LoginId(1));
        let prune = |upto| Write::Prune {
            portal: ROOM,
            upto: Position(upto),
        };
        for (writes, segments) in [
            (vec![joined(1), forget(), forget()], 1),
            (vec![forget(), joined(1)], 2),
            (vec![message(5), prune(5), message(6)], 1),
            (vec![prune(5), message(5)], 2),
            (vec![prune(5), prune(3), message(4)], 2),
        ] {
            assert_eq!(Segment::merge(&writes).len(), segments, "{writes:?}");
        }
    }
}
