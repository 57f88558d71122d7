//! What the server's processing of a stanza will mean to the login, until it is confirmed.

use std::collections::VecDeque;

use viaduct_core::effect::Mark;

/// Marks in the order in which their stanzas were sent, each with its generation.
#[derive(Default)]
pub(super) struct Marks(VecDeque<(u64, Mark)>);

/// How far back a mark looks for an older one that it replaces.
const LOOK_BACK: usize = 8;

impl Marks {
    /// Adds the mark of a stanza of this generation. An older one of the same thing in the same generation is replaced:
    /// both will be confirmed together, and the newer says more.
    pub(super) fn push(&mut self, generation: u64, mark: Mark) {
        let recent = self
            .0
            .iter_mut()
            .rev()
            .take(LOOK_BACK)
            .take_while(|(other, _)| *other == generation);
        for (_, old) in recent {
            if is_newer(&mark, old) {
                *old = mark;
                return;
            }
        }
        self.0.push_back((generation, mark));
    }

    /// Takes out what is confirmed with this generation, the newest of each thing.
    pub(super) fn confirmed(&mut self, generation: u64) -> Vec<Mark> {
        let mut confirmed: Vec<Mark> = Vec::new();
        while self.0.front().is_some_and(|(own, _)| *own <= generation) {
            let Some((_, mark)) = self.0.pop_front() else {
                break;
            };
            match confirmed.iter_mut().rev().find(|old| is_newer(&mark, old)) {
                Some(old) => *old = mark,
                None => confirmed.push(mark),
            }
        }
        if self.0.is_empty() && self.0.capacity() > 64 {
            self.0 = VecDeque::new();
        }
        confirmed
    }

    /// Forgets all: what was sent may never have arrived.
    pub(super) fn clear(&mut self) {
        self.0 = VecDeque::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a mark, sent later, says all that the other does.
fn is_newer(new: &Mark, old: &Mark) -> bool {
    match (new, old) {
        (
            Mark::Cursor {
                portal,
                resource,
                position,
            },
            Mark::Cursor {
                portal: old_portal,
                resource: old_resource,
                position: old_position,
            },
        ) => portal == old_portal && position >= old_position && resource == old_resource,
        (
            Mark::Shown { portal, change },
            Mark::Shown {
                portal: old_portal,
                change: old_change,
            },
        ) => portal == old_portal && change >= old_change,
        (Mark::Failure { txn }, Mark::Failure { txn: old }) => txn == old,
        (Mark::Cursor { .. } | Mark::Shown { .. } | Mark::Entered { .. } | Mark::Failure { .. }, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use viaduct_core::effect::Mark;
    use viaduct_core::records::{PortalId, Position};

    use super::Marks;

    fn cursor(portal: i64, resource: &str, position: i64) -> Mark {
        Mark::Cursor {
            portal: PortalId(portal),
            resource: resource.into(),
            position: Position(position),
        }
    }

    #[test]
    fn the_newest_of_each_is_confirmed_with_its_generation() {
        let mut marks = Marks::default();
        for position in 1..100 {
            marks.push(1, cursor(1, "a", position));
            marks.push(1, cursor(1, "b", position));
        }
        marks.push(
            1,
            Mark::Shown {
                portal: PortalId(1),
                change: 4,
            },
        );
        marks.push(2, cursor(1, "a", 100));
        assert_eq!(marks.0.len(), 4);
        let confirmed = marks.confirmed(1);
        assert_eq!(
            confirmed,
            [
                cursor(1, "a", 99),
                cursor(1, "b", 99),
                Mark::Shown {
                    portal: PortalId(1),
                    change: 4
                }
            ]
        );
        assert_eq!(marks.confirmed(5), [cursor(1, "a", 100)]);
        assert!(marks.is_empty());
    }
}
