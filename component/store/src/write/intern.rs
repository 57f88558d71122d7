//! Interning: what a hundred users of one channel see is stored once. The content of recent messages is remembered with
//! the id of its row; equality is exact, so nobody can change what another sees. A content that has been displaced from
//! this memory gets a second row, which does no harm.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use viaduct_bridge::MessageId;
use viaduct_core::records::{MessageRecord, Said};

/// How much content is remembered in one generation; there are two.
const GENERATION_BYTES: usize = 512 * 1024;

/// What one entry takes beside its text.
const ENTRY_BYTES: usize = 160;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Content {
    said: Arc<Said>,
    remote: Option<MessageId>,
}

/// The contents of recent messages and the ids of their rows.
#[derive(Debug)]
pub(crate) struct Interner {
    next: i64,
    young: HashMap<Content, i64>,
    young_bytes: usize,
    old: HashMap<Content, i64>,
}

/// Whether a content has a row already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interned {
    /// It has this one.
    Known(i64),
    /// It is to get this one.
    New(i64),
}

impl Interner {
    /// Begins with the given id for the next row.
    pub(crate) fn new(next: i64) -> Self {
        Self {
            next,
            young: HashMap::new(),
            young_bytes: 0,
            old: HashMap::new(),
        }
    }

    /// Whether others may see the same message: only rooms are seen by several users.
    pub(crate) fn is_shared(message: &MessageRecord) -> bool {
        !message.said.occupant.is_empty()
    }

    /// The row for what a message says.
    pub(crate) fn intern(&mut self, message: &MessageRecord) -> Interned {
        if !Self::is_shared(message) {
            return Interned::New(self.take_id());
        }
        let content = Content {
            said: Arc::clone(&message.said),
            remote: message.remote.clone(),
        };
        if let Some(id) = self.young.get(&content) {
            return Interned::Known(*id);
        }
        let known = self.old.remove(&content);
        let id = known.unwrap_or_else(|| self.take_id());
        self.remember(content, id);
        known.map_or(Interned::New(id), Interned::Known)
    }

    /// Forgets rows that are not (or no longer) there.
    pub(crate) fn forget(&mut self, ids: &HashSet<i64>) {
        if !ids.is_empty() {
            self.young.retain(|_, id| !ids.contains(id));
            self.old.retain(|_, id| !ids.contains(id));
        }
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&mut self) {
        self.young.clear();
        self.young_bytes = 0;
        self.old.clear();
    }

    fn remember(&mut self, content: Content, id: i64) {
        let said = &content.said;
        self.young_bytes += ENTRY_BYTES + said.nick.len() + said.occupant.len() + said.payload.len();
        self.young.insert(content, id);
        if self.young_bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }

    fn take_id(&mut self) -> i64 {
        let id = self.next;
        self.next += 1;
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use viaduct_bridge::{MessageId, Timestamp};
    use viaduct_core::records::{MessageRecord, PortalId, Position, Said};

    use super::{GENERATION_BYTES, Interned, Interner};

    fn message(occupant: &str, payload: &str, remote: Option<&str>) -> MessageRecord {
        MessageRecord {
            portal: PortalId(1),
            position: Position(1),
            at: Timestamp(1),
            said: Arc::new(Said {
                nick: "a".into(),
                occupant: occupant.into(),
                payload: payload.into(),
            }),
            remote: remote.map(|id| MessageId(id.into())),
            client_id: None,
        }
    }

    #[test]
    fn the_same_content_has_one_row() {
        let mut interner = Interner::new(5);
        assert_eq!(interner.intern(&message("o", "hi", None)), Interned::New(5));
        assert_eq!(interner.intern(&message("o", "hi", None)), Interned::Known(5));
        assert_eq!(interner.intern(&message("o", "ho", None)), Interned::New(6));
        assert_eq!(interner.intern(&message("p", "hi", None)), Interned::New(7));
        assert_eq!(interner.intern(&message("o", "hi", Some("m"))), Interned::New(8));
        assert_eq!(
            interner.intern(&message("o", "hi", Some("m"))),
            Interned::Known(8)
        );
    }

    #[test]
    fn direct_chats_share_nothing() {
        let mut interner = Interner::new(1);
        assert_eq!(interner.intern(&message("", "hi", None)), Interned::New(1));
        assert_eq!(interner.intern(&message("", "hi", None)), Interned::New(2));
    }

    #[test]
    fn rows_that_went_are_forgotten() {
        let mut interner = Interner::new(1);
        interner.intern(&message("o", "hi", None));
        interner.intern(&message("o", "ho", None));
        interner.forget(&HashSet::from([1]));
        assert_eq!(interner.intern(&message("o", "hi", None)), Interned::New(3));
        assert_eq!(interner.intern(&message("o", "ho", None)), Interned::Known(2));
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut interner = Interner::new(0);
        let favourite = message("o", "favourite", None);
        interner.intern(&favourite);
        let large = "x".repeat(1000);
        for at in 0..10_000 {
            interner.intern(&message("o", &format!("{large}{at}"), None));
            assert_eq!(interner.intern(&favourite), Interned::Known(0));
        }
        assert!(interner.young.len() + interner.old.len() <= 2 * GENERATION_BYTES / 1000);
    }
}
