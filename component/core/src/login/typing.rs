//! Who is typing (XEP-0085), to and from the network.

use viaduct_bridge::{Command, Level, PersonId, Recipient, Timestamp, Typing};

use super::Login;
use super::chats::Chat;
use crate::effect::{Effect, Effects, Timer};
use crate::ns;
use crate::portal::typing::{after, chat_state, lasts, until};
use crate::records::PortalId;
use crate::stanza::Incoming;
use crate::xml::Xml;

/// Whether a message without a body says that its sender is typing.
fn state_of(stanza: &Incoming) -> Option<Typing> {
    let state = stanza
        .element
        .children()
        .find(|child| child.has_ns(ns::CHAT_STATES))?;
    match state.name() {
        "composing" => Some(Typing::Active),
        "paused" => Some(Typing::Paused),
        "active" | "inactive" | "gone" => Some(Typing::Done),
        _ => None,
    }
}

impl Login {
    /// One of the user's clients says whether the user is typing. Where the network has no such thing, that ends here.
    pub(super) fn tell_typing(&mut self, to: Recipient, stanza: &Incoming, out: &mut Effects) {
        let Some(state) = state_of(stanza) else { return };
        // It is no reason to open a connection.
        if self.session && self.relations(to.server()).typing >= Level::Partial {
            self.submit(Command::Typing { to, state }, out);
        }
    }

    /// A person is typing to the user, or no longer is.
    pub(super) fn chat_typing(
        &mut self,
        now: Timestamp,
        person: &PersonId,
        state: Typing,
        out: &mut Effects,
    ) {
        let (bare, attached) = (self.bare.clone(), self.attached);
        // Who never spoke with the user does not begin by typing; and a talk with an occupant is not shown as another one
        // with the person.
        let Some(chat) = self.chats.get_mut(person).filter(|chat| chat.via.is_none()) else {
            return;
        };
        let then = after(now, lasts(state));
        let shown = chat.typing.map(|(state, _)| state);
        chat.typing = (state != Typing::Done).then_some((state, then));
        let changed = shown != chat.typing.map(|(state, _)| state);
        if changed && attached && chat.live {
            show(chat, &bare, state, out);
        }
        if chat.typing.is_some() {
            out.push(Effect::SetTimer {
                timer: Timer::Typing(chat.id),
                after: until(now, then),
            });
        }
    }

    /// Somebody may have stopped typing without a word.
    pub(super) fn typing_over(&mut self, now: Timestamp, portal: PortalId, out: &mut Effects) {
        if let Some(room) = self.rooms.values_mut().find(|room| room.id == portal) {
            return room.typing_over(now, out);
        }
        let (bare, attached) = (self.bare.clone(), self.attached);
        let Some(chat) = self.chats.values_mut().find(|chat| chat.id == portal) else {
            return;
        };
        if chat.typing.take_if(|(_, then)| *then <= now).is_some() && attached && chat.live {
            show(chat, &bare, Typing::Done, out);
        }
    }
}

fn show(chat: &Chat, bare: &str, state: Typing, out: &mut Effects) {
    let mut xml = Xml::stanza("message", &chat.jid, bare);
    xml.attr("type", "chat")
        .empty(chat_state(state), ns::CHAT_STATES)
        .empty("no-store", ns::HINTS);
    out.send(xml.finish());
}
