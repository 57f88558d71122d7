//! The notebook: small facts that bridges keep over restarts. Read from memory, written behind.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use viaduct_bridge::{Name, Notebook};

/// How much is kept. Servers named by users make notes, so somebody could name very many of them.
const MOST_NOTES: usize = 50_000;
const MOST_KEY_BYTES: usize = 512;
const MOST_VALUE_BYTES: usize = 4096;

/// All notes.
pub(crate) const LOAD: &str = "SELECT key, value FROM notebook ORDER BY key LIMIT $1";

/// The most that are loaded.
pub(crate) const LOAD_AT_MOST: i64 = MOST_NOTES as i64;

/// What is noted, and what the writer has not written yet.
#[derive(Debug)]
pub(crate) struct Notes {
    state: Mutex<State>,
    wake: Notify,
    closing: AtomicBool,
}

#[derive(Debug)]
struct State {
    notes: HashMap<Name, Name>,
    unwritten: HashMap<Name, Name>,
}

impl Notes {
    pub(crate) fn new(notes: HashMap<Name, Name>) -> Self {
        Self {
            state: Mutex::new(State {
                notes,
                unwritten: HashMap::new(),
            }),
            wake: Notify::new(),
            closing: AtomicBool::new(false),
        }
    }

    /// Resolves when the writer should look here.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    /// What is to be written.
    pub(crate) fn take(&self) -> Vec<(Name, Name)> {
        self.state().unwritten.drain().collect()
    }

    /// What could not be written is tried again with a later commit, unless there is something newer.
    pub(crate) fn put_back(&self, notes: Vec<(Name, Name)>) {
        let mut state = self.state();
        for (key, value) in notes {
            state.unwritten.entry(key).or_insert(value);
        }
    }

    /// Asks the writer to finish.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether the writer was asked to finish.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notebook for Notes {
    fn get(&self, key: &str) -> Option<Name> {
        self.state().notes.get(key).cloned()
    }

    fn put(&self, key: &str, value: &str) {
        if key.len() > MOST_KEY_BYTES
            || value.len() > MOST_VALUE_BYTES
            || key.contains('\0')
            || value.contains('\0')
        {
            tracing::warn!("a note was not kept: it is too long, or has a NUL in it");
            return;
        }
        let mut state = self.state();
        if state.notes.get(key).is_some_and(|known| known.as_str() == value) {
            return;
        }
        if state.notes.len() >= MOST_NOTES && !state.notes.contains_key(key) {
            tracing::warn!(notes = MOST_NOTES, "a note was not kept: the notebook is full");
            return;
        }
        let (key, value) = (Name::from(key), Name::from(value));
        state.notes.insert(key.clone(), value.clone());
        state.unwritten.insert(key, value);
        drop(state);
        self.wake.notify_one();
    }
}
