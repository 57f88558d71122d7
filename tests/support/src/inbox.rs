//! Things that have arrived and that nobody has looked at yet.
//!
//! A test waits for the thing it expects, which is then taken out; what it did not ask for stays, in order, to
//! be asked for later or to be found at the end.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// A queue that is searched.
#[derive(Debug)]
pub struct Inbox<T> {
    state: Mutex<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: Option<String>,
}

/// Why what was waited for will not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It did not come in time.
    Deadline(Duration),
    /// The connection ended, for the reason given.
    Closed(String),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(time) => write!(f, "not within {} s", time.as_secs_f32()),
            Self::Closed(reason) => write!(f, "the connection ended first ({reason})"),
        }
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::new(),
                closed: None,
            }),
            changed: Notify::new(),
        }
    }
}

impl<T> Inbox<T> {
    /// Adds something at the end.
    pub fn push(&self, item: T) {
        self.lock().items.push_back(item);
        self.changed.notify_waiters();
    }

    /// Says that nothing more will come. What is there can still be taken.
    pub fn close(&self, reason: impl Into<String>) {
        self.lock().closed.get_or_insert(reason.into());
        self.changed.notify_waiters();
    }

    /// Waits for the first item that is picked, and takes it out.
    pub async fn take(&self, within: Duration, mut pick: impl FnMut(&T) -> bool) -> Result<T, Gone> {
        let deadline = Instant::now() + within;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.lock().take(&mut pick) {
                (Some(item), _) => return Ok(item),
                (None, Some(reason)) => return Err(Gone::Closed(reason)),
                (None, None) => {}
            }
            if timeout_at(deadline, changed).await.is_err() {
                return self.take_now(&mut pick).ok_or(Gone::Deadline(within));
            }
        }
    }

    /// Waits until the other side has ended the connection; gives its reason.
    pub async fn closed(&self, within: Duration) -> Result<String, Gone> {
        let deadline = Instant::now() + within;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(reason) = self.lock().closed.clone() {
                return Ok(reason);
            }
            if timeout_at(deadline, changed).await.is_err() {
                return Err(Gone::Deadline(within));
            }
        }
    }

    /// Takes the first item that is picked, if it is there already.
    pub fn take_now(&self, mut pick: impl FnMut(&T) -> bool) -> Option<T> {
        self.lock().take(&mut pick).0
    }

    /// Takes out all that is picked, in order.
    pub fn take_all(&self, mut pick: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut state = self.lock();
        let (taken, left) = state.items.drain(..).partition::<Vec<_>, _>(|item| pick(item));
        state.items = left.into();
        taken
    }
}

impl<T> State<T> {
    /// The first item that is picked, or else the reason why none will come.
    fn take(&mut self, pick: impl FnMut(&T) -> bool) -> (Option<T>, Option<String>) {
        let item = self
            .items
            .iter()
            .position(pick)
            .and_then(|index| self.items.remove(index));
        (item, self.closed.clone())
    }
}

impl<T> Inbox<T> {
    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T: Clone> Inbox<T> {
    /// A copy of everything that is there.
    pub fn snapshot(&self) -> Vec<T> {
        self.lock().items.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn takes_what_is_asked_for_and_leaves_the_rest_in_order() {
        let inbox = Inbox::default();
        for number in [1, 2, 3] {
            inbox.push(number);
        }
        assert_eq!(inbox.take(Duration::ZERO, |number| *number == 2).await, Ok(2));
        assert_eq!(inbox.snapshot(), [1, 3]);
        assert_eq!(
            inbox.take(Duration::ZERO, |number| *number == 2).await,
            Err(Gone::Deadline(Duration::ZERO))
        );
        inbox.close("bye");
        assert_eq!(
            inbox.take(Duration::from_secs(9), |number| *number == 3).await,
            Ok(3)
        );
        assert_eq!(
            inbox.take(Duration::from_secs(9), |number| *number == 3).await,
            Err(Gone::Closed("bye".into()))
        );
    }

    #[tokio::test]
    async fn a_waiter_wakes_up() {
        let inbox = std::sync::Arc::new(Inbox::default());
        let waiting = tokio::spawn({
            let inbox = inbox.clone();
            async move { inbox.take(Duration::from_secs(9), |number| *number == 7).await }
        });
        inbox.push(7);
        assert_eq!(waiting.await.expect("the task ends"), Ok(7));
    }
}
