//! Where commands wait for the task of their server.
//!
//! The caller of [`Session::submit`](viaduct_bridge::Session::submit) bounds how many commands are unanswered, so this
//! queue is bounded by it. It takes no memory while it is empty, which a channel would.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use viaduct_bridge::{Command, Name};

#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    /// How many of them ask to leave the server.
    leaving: usize,
    /// The session is closed, with these parting words.
    closing: Option<Option<Name>>,
    /// The task has ended.
    retired: bool,
}

impl Inbox {
    /// Adds a command. Gives it back if nobody reads here any more.
    pub(crate) fn push(&self, command: Command) -> Result<(), Command> {
        let mut state = self.lock();
        if state.retired {
            return Err(command);
        }
        state.leaving += usize::from(matches!(command, Command::Disconnect { .. }));
        state.commands.push_back(command);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The session is closed.
    pub(crate) fn close(&self, reason: Option<Name>) {
        self.lock().closing.get_or_insert(reason);
        self.wake.notify_one();
    }

    /// The next command.
    pub(crate) fn pop(&self) -> Option<Command> {
        let mut state = self.lock();
        let command = state.commands.pop_front()?;
        state.leaving -= usize::from(matches!(command, Command::Disconnect { .. }));
        if state.commands.is_empty() {
            state.commands = VecDeque::new();
        }
        Some(command)
    }

    /// The nickname that the next command would have a connection made with, if it is one that needs a connection. A
    /// command that asks for nothing more is done with that.
    pub(crate) fn next_nick(&self) -> Option<Name> {
        let mut state = self.lock();
        let (nick, done) = match state.commands.front()? {
            Command::Connect { nick, .. } => (nick.clone(), true),
            Command::Join { nick, .. }
            | Command::Send { nick, .. }
            | Command::Ask { nick: Some(nick), .. } => (nick.clone(), false),
            _ => return None,
        };
        if done {
            state.commands.pop_front();
        }
        Some(nick)
    }

    /// How many commands wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().commands.len()
    }

    /// Ends the inbox, whatever is in it, and gives that.
    pub(crate) fn abandon(&self) -> VecDeque<Command> {
        let mut state = self.lock();
        state.retired = true;
        std::mem::take(&mut state.commands)
    }

    /// Resolves when the session has been closed for so long.
    pub(crate) async fn closed_for(&self, long: Duration) {
        while self.closing().is_none() {
            self.changed().await;
        }
        tokio::time::sleep(long).await;
    }

    /// Whether the user wants to leave the server.
    pub(crate) fn wants_out(&self) -> bool {
        let state = self.lock();
        state.leaving > 0 || state.closing.is_some()
    }

    /// The parting words, if the session is closed.
    pub(crate) fn closing(&self) -> Option<Option<Name>> {
        self.lock().closing.clone()
    }

    /// Ends the inbox, if there is nothing in it.
    pub(crate) fn retire(&self) -> bool {
        let mut state = self.lock();
        let idle = state.commands.is_empty() || state.closing.is_some();
        state.retired |= idle;
        idle
    }

    /// Resolves when something has changed here since the last time.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if it did, the queue would still be whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
