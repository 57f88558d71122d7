//! A channel gets another name (draft/channel-rename). Its members stay, so the user is in it under the new name.

use viaduct_bridge::{Departure, Failure, Name, Refusal, RoomEvent, RoomId};

use crate::address::is_channel_name;
use crate::proto::format;
use crate::proto::line::Line;
use crate::proto::message::Message;

use super::Client;

impl Client {
    /// `RENAME old new :reason`.
    pub(super) fn on_rename(&mut self, message: &Message<'_>) {
        let (old, name) = (self.fold(message.param(0)), message.param(1));
        let new = self.fold(name);
        // Names that differ in their case alone are the same name.
        if old == new || !self.isupport.is_channel(name) || !is_channel_name(name) {
            return;
        }
        let Some(room) = self.rooms.get_mut(&old) else {
            return;
        };
        if room.leaving || !room.is_in() {
            // Nobody waits for it under the new name.
            let leaving = room.leaving;
            self.questions.push_provoked(Line::command("PART").arg(name));
            if leaving {
                self.on_own_leave(&old, Departure::Left, None);
            } else {
                let words = format!("The channel is called {name} now.");
                self.refuse_room(&old, Failure::refused(Refusal::NotAllowed, words));
            }
            return;
        }
        let Some(mut room) = self.rooms.remove(&old) else {
            return;
        };
        let id = RoomId {
            server: self.server.clone(),
            room: new.clone(),
        };
        let before = std::mem::replace(&mut room.id, id.clone());
        // What was being described anew is asked for again when it is entered under the new name.
        room.state = super::rooms::State::In;
        self.rooms.all.insert(new, room);
        let reason = message.params().get(2).map(|words| format::to_text(words).plain);
        let reason: Option<Name> = reason.filter(|words| !words.trim().is_empty());
        self.tell_room(before, RoomEvent::Moved { to: id, reason });
    }
}
