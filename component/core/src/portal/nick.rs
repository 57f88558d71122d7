//! Changes of nickname (XEP-0045 §7.6).

use viaduct_bridge::Name;

use super::Room;
use super::presence::{Parting, status};
use crate::context::Context;
use crate::effect::Effects;
use crate::records::{JoinedRecord, Write};

impl Room {
    /// Somebody, perhaps the user, has a new name. `assigned` when the user did not ask for just this one.
    pub fn renamed(
        &mut self,
        ctx: &Context,
        person: &Name,
        (to, nick): (&Name, &Name),
        assigned: bool,
        out: &mut Effects,
    ) {
        let Some(old) = self.occupants.remove(person) else {
            return;
        };
        let mut new = old.clone();
        new.nick = nick.clone();
        // Who they are does not change with the name; who gets their first name back is who they were.
        let identity = old.identity.clone().unwrap_or_else(|| person.clone());
        new.identity = (identity != *to).then_some(identity);
        self.occupants.insert(to.clone(), new);
        let is_self = *person == self.me;
        if self.is_in_step() {
            let parting = Parting {
                codes: vec![status::NICK_CHANGE],
                new_nick: Some(nick.clone()),
                ..Parting::default()
            };
            // The folded name may stay the same; the nickname that is shown does not.
            self.show_gone(ctx, person, &old, &parting, out);
        }
        if is_self {
            self.me = to.clone();
            self.wish = nick.clone();
            for joined in &mut self.joined {
                joined.nick = nick.clone();
                out.write(Write::Joined(Box::new(JoinedRecord {
                    portal: self.id,
                    resource: joined.resource.clone(),
                    nick: nick.clone(),
                    cursor: joined.cursor,
                })));
            }
            if self.recorded {
                out.write(self.record());
            }
        }
        if self.is_in_step() {
            let codes: &[&'static str] = if is_self && assigned {
                &[status::NICK_ASSIGNED]
            } else {
                &[]
            };
            self.show(ctx, to, codes, out);
        }
    }
}
