//! What the messages of one commit say: each content once, with the number of messages that show it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use viaduct_bridge::MessageId;
use viaduct_core::records::{MessageRecord, Said};

use super::intern::{Interned, Interner};
use super::statements::{SAID, VIEWS};
use crate::db::Load;

/// What the messages of a segment say, each content once.
#[derive(Default)]
pub(super) struct Contents<'a> {
    all: Vec<Content<'a>>,
    /// Where a content is in `all`, by the id of its row.
    by_id: HashMap<i64, usize>,
    /// The same by where it lies in memory: users of one channel are given the very same, and to compare addresses is
    /// cheaper than to compare texts.
    by_address: HashMap<(*const Said, Option<&'a MessageId>), usize>,
}

struct Content<'a> {
    id: i64,
    /// A message that says it, if it has no row yet.
    new: Option<&'a MessageRecord>,
    /// How many messages show it.
    views: i64,
}

impl<'a> Contents<'a> {
    /// The row for what a message says.
    pub(super) fn id_of(
        &mut self,
        message: &'a MessageRecord,
        interner: &mut Interner,
        new: &mut HashSet<i64>,
    ) -> i64 {
        let address = (Arc::as_ptr(&message.said), message.remote.as_ref());
        let shared = Interner::is_shared(message);
        let at = match self.by_address.get(&address).filter(|_| shared) {
            Some(at) => *at,
            None => {
                let interned = interner.intern(message);
                let at = self.place(interned, message, new);
                if shared {
                    self.by_address.insert(address, at);
                }
                at
            }
        };
        self.all[at].views += 1;
        self.all[at].id
    }

    fn place(&mut self, interned: Interned, message: &'a MessageRecord, new: &mut HashSet<i64>) -> usize {
        let (id, first) = match interned {
            Interned::Known(id) => (id, None),
            Interned::New(id) => {
                new.insert(id);
                (id, Some(message))
            }
        };
        *self.by_id.entry(id).or_insert_with(|| {
            self.all.push(Content {
                id,
                new: first,
                views: 0,
            });
            self.all.len() - 1
        })
    }

    /// Rows that come into being, and rows that more messages show.
    pub(super) fn loads(self) -> (Load, Load) {
        let mut said = Load::new(&SAID);
        let mut views = Load::new(&VIEWS);
        for content in self.all {
            let Some(message) = content.new else {
                views.push([content.id.into(), content.views.into()]);
                continue;
            };
            said.push([
                content.id.into(),
                (&message.said.nick).into(),
                (&message.said.occupant).into(),
                (&message.said.payload).into(),
                message.remote.as_ref().map(|id| &id.0).into(),
                content.views.into(),
            ]);
        }
        (said, views)
    }
}
