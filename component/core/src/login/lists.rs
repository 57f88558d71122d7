//! The rooms of servers as they were told lately, kept for a while for one login.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use viaduct_bridge::{RoomList, ServerId, Timestamp};

/// How long a list is kept.
const KEPT: Duration = Duration::from_secs(300);
/// The most lists of one user.
const MOST_LISTS: usize = 3;
/// The most bytes of the lists of all users together. Beyond it a list serves those who wait for it and is not kept.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// How many bytes are kept by all users together.
static KEPT_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The lists of one user that are kept.
#[derive(Debug, Default)]
pub(super) struct Lists(Vec<Kept>);

/// A list, and until when.
#[derive(Debug)]
struct Kept {
    server: ServerId,
    rooms: RoomList,
    until: Timestamp,
    /// What it adds to [`KEPT_BYTES`].
    bytes: usize,
}

impl Kept {
    fn new(server: &ServerId, rooms: RoomList, until: Timestamp) -> Self {
        let bytes = rooms.size();
        KEPT_BYTES.fetch_add(bytes, Ordering::Relaxed);
        Self {
            server: server.clone(),
            rooms,
            until,
            bytes,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT_BYTES.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Lists {
    pub(super) fn of(&self, server: &ServerId) -> Option<&RoomList> {
        let kept = self.0.iter().find(|kept| kept.server == *server)?;
        Some(&kept.rooms)
    }

    /// Keeps a list, instead of an older one.
    pub(super) fn keep(&mut self, now: Timestamp, server: &ServerId, rooms: RoomList) {
        let kept = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        self.0.retain(|kept| kept.server != *server);
        self.0
            .push(Kept::new(server, rooms, Timestamp(now.0.saturating_add(kept))));
    }

    /// Drops what is out of date. When the next one will be.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Duration> {
        self.0.retain(|kept| kept.until > now);
        let first = self.0.iter().map(|kept| kept.until.0).min()?;
        Some(Duration::from_micros(
            u64::try_from(first - now.0).unwrap_or_default(),
        ))
    }

    /// Drops what there is no room for, and lists without a room: the server may have had its reasons.
    pub(super) fn drop_spare(&mut self, now: Timestamp) {
        self.0.retain(|kept| !kept.rooms.is_empty() && kept.until > now);
        while self.0.len() > MOST_LISTS
            || KEPT_BYTES.load(Ordering::Relaxed) > MOST_BYTES && !self.0.is_empty()
        {
            self.0.remove(0);
        }
    }

    /// Forgets everything, as the user may be somebody else on the network from now on.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Lists};
    use viaduct_bridge::{ListedRoom, RoomList, ServerId, Timestamp};

    fn server(name: &str) -> ServerId {
        ServerId(name.into())
    }

    fn tea() -> RoomList {
        let room = ListedRoom {
            name: "#tea",
            shown: "#tea",
            people: 1,
            subject: "",
        };
        std::iter::once(room).collect()
    }

    #[test]
    fn a_list_is_kept_for_a_while() {
        let mut lists = Lists::default();
        lists.keep(Timestamp(0), &server("a"), tea());
        lists.drop_spare(Timestamp(0));
        assert!(lists.of(&server("a")).is_some() && lists.of(&server("b")).is_none());
        assert_eq!(lists.expire(Timestamp(0)), Some(KEPT));
        assert_eq!(lists.expire(Timestamp(KEPT.as_micros() as i64)), None);
        assert!(lists.of(&server("a")).is_none());
    }

    #[test]
    fn few_are_kept_and_none_that_is_empty() {
        let mut lists = Lists::default();
        for name in ["a", "b", "c", "d"] {
            lists.keep(Timestamp(0), &server(name), tea());
        }
        lists.keep(Timestamp(0), &server("e"), RoomList::default());
        lists.drop_spare(Timestamp(0));
        let there = ["a", "b", "c", "d", "e"].map(|name| lists.of(&server(name)).is_some());
        assert_eq!(there, [false, true, true, true, false]);
    }
}
