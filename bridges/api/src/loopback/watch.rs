//! Whom sessions watch, and what they are told of them.

use super::link::{SessionId, State};
use super::server::Server;
use crate::capability::Level;
use crate::event::PersonEvent;
use crate::ids::Name;

impl Server {
    /// A session watches somebody from now on; it is told at once how they are.
    pub(super) fn watch(&mut self, session: SessionId, me: &Name, whom: &Name) {
        if self.settings.capabilities.watch == Level::Rejected {
            return;
        }
        if let Some(link) = self.links.get_mut(&session) {
            link.watched.insert(whom.clone());
        }
        let Some(somebody) = self.people.get(whom) else {
            return self.tell_of_person(me, whom, PersonEvent::Offline);
        };
        let (nick, text) = (somebody.nick.clone(), somebody.away.clone());
        self.tell_of_person(me, whom, PersonEvent::Online { nick });
        if text.is_some() {
            self.tell_of_person(me, whom, PersonEvent::Away { text });
        }
    }

    /// Tells everybody who watches a person, and does not share a room with them where `strangers`, what happened.
    pub(super) fn tell_watchers(&mut self, of: &Name, strangers: bool, event: &PersonEvent) {
        let together = |me: &Name| {
            let mut rooms = self.rooms.values().map(|room| &room.members);
            rooms.any(|members| members.contains_key(me) && members.contains_key(of))
        };
        let watchers: Vec<Name> = self
            .links
            .values()
            .filter(|link| link.watched.contains(of))
            .filter_map(|link| match &link.state {
                State::Online(me) => Some(me.clone()),
                State::New | State::Lost => None,
            })
            .filter(|me| !strangers || !together(me))
            .collect();
        for me in watchers {
            self.tell_of_person(&me, of, event.clone());
        }
    }
}
