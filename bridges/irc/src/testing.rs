//! What the tests of this crate share.

use std::collections::HashMap;
use std::sync::Mutex;

use viaduct_bridge::{Name, Notebook};

/// A notebook in memory.
#[derive(Default)]
pub(crate) struct Notes(Mutex<HashMap<String, Name>>);

impl Notebook for Notes {
    fn get(&self, key: &str) -> Option<Name> {
        self.0
            .lock()
            .expect("no test panics while it holds this")
            .get(key)
            .cloned()
    }

    fn put(&self, key: &str, value: &str) {
        let mut notes = self.0.lock().expect("no test panics while it holds this");
        notes.insert(key.to_owned(), Name::from(value));
    }
}
