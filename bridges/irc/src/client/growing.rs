//! Lists of rooms that are still coming in: they are large, and any user may ask any server for one, so there is a
//! bound to all of them together.

use std::sync::atomic::{AtomicUsize, Ordering};

use viaduct_bridge::{ListedRoom, RoomList};

/// The most bytes of the lists that come in for all users together.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// How many bytes they have now.
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// A list that is coming in.
pub(super) struct Growing {
    rooms: RoomList,
    /// What it adds to the sum.
    bytes: usize,
    /// The sum that it is part of, and what that may be at most.
    sum: &'static AtomicUsize,
    most: usize,
    /// There was no room for it. What still comes of it is passed over, so that it is not taken for another list.
    given_up: bool,
}

impl Growing {
    /// An empty list, if there is room for one.
    pub(super) fn new() -> Option<Self> {
        Self::within(&BYTES, MOST_BYTES)
    }

    fn within(sum: &'static AtomicUsize, most: usize) -> Option<Self> {
        (sum.load(Ordering::Relaxed) < most).then(|| Self {
            rooms: RoomList::default(),
            bytes: 0,
            sum,
            most,
            given_up: false,
        })
    }

    /// Adds a room.
    pub(super) fn push(&mut self, room: ListedRoom<'_>) {
        if self.given_up {
            return;
        }
        self.rooms.push(room);
        let more = self.rooms.size().saturating_sub(self.bytes);
        if more == 0 {
            return;
        }
        self.bytes += more;
        if self.sum.fetch_add(more, Ordering::Relaxed) + more > self.most {
            self.given_up = true;
            self.rooms = RoomList::default();
            self.count_out();
        }
    }

    /// The whole list, unless there was no room for it.
    pub(super) fn finish(mut self) -> Option<RoomList> {
        let mut rooms = std::mem::take(&mut self.rooms);
        rooms.finish();
        (!self.given_up).then_some(rooms)
    }

    fn count_out(&mut self) {
        self.sum
            .fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        self.count_out();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use viaduct_bridge::ListedRoom;

    use super::Growing;

    fn grow(list: &mut Growing, names: &[String]) {
        for name in names {
            list.push(ListedRoom {
                name,
                shown: name,
                people: 1,
                subject: "",
            });
        }
    }

    #[test]
    fn all_lists_together_are_bounded() {
        static SUM: AtomicUsize = AtomicUsize::new(0);
        let list = || Growing::within(&SUM, 64 * 1024);
        let names: Vec<String> = (0..600).map(|n| format!("#{n}")).collect();
        let mut first = list().expect("there is room");
        grow(&mut first, &names);
        let counted = SUM.load(Ordering::Relaxed);
        assert!(counted > 10_000, "{counted}");
        // One that grows too much is given up, and leaves the room that it took.
        let mut second = list().expect("there is room");
        for _ in 0..20 {
            grow(&mut second, &names);
        }
        assert_eq!(SUM.load(Ordering::Relaxed), counted);
        assert!(second.finish().is_none());
        // Where there is none at all none begins.
        assert!(Growing::within(&SUM, counted).is_none());
        assert_eq!(first.finish().map(|rooms| rooms.len()), Some(600));
        assert_eq!(SUM.load(Ordering::Relaxed), 0);
    }
}
