//! A room as one user sees it (XEP-0045), split by concern.
//!
//! [`Room`] is the state; what can happen to it is in the modules: somebody wants in ([`join`]), the network tells
//! who is there ([`members`]), something is said ([`message`]) and refers to what was said ([`relations`]), the subject
//! ([`subject`]), nicknames ([`nick`]), moderation ([`moderation`]), settings ([`config`]), leaving ([`leave`]), and
//! coming back after a link was lost ([`resync`]). What a room
//! sends is written in [`presence`].

pub mod config;
pub mod join;
pub mod leave;
pub mod members;
pub mod message;
pub mod moderation;
pub mod moved;
pub mod nick;
pub mod occupants;
pub mod presence;
pub mod read;
pub mod relations;
pub mod resync;
pub mod subject;
pub mod typing;

use std::collections::VecDeque;

use viaduct_bridge::{Name, Recipient, RoomFlags, RoomId, Secret, Timestamp, Topic, Typing};

use crate::context::Context;
use crate::effect::Effects;
use crate::options::Chosen;
use crate::records::{LoadedPortal, LoginId, PortalId, PortalRecord, Position, Write};
use occupants::{Occupant, Occupants};

/// Whether the user is in the room on the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// No.
    Outside,
    /// The network has been asked.
    Entering,
    /// Yes.
    Inside,
}

/// A resource of the user that is in the room.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The resource.
    pub resource: Name,
    /// Its full JID.
    pub jid: Name,
    /// The nickname under which it knows itself.
    pub nick: Name,
    /// Everything up to here has been processed by the user's server.
    pub cursor: Position,
    /// Whether it gets messages as they come; otherwise it is being sent what it missed.
    pub live: bool,
    /// Set until the user's server has processed all that belongs to the join: how it was asked for.
    pub entering: Option<Box<Waiting>>,
}

/// A resource that waits for the network to let the user in.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The resource.
    pub resource: Name,
    /// Its full JID.
    pub jid: Name,
    /// The occupant JID that it asked for.
    pub asked: Name,
    /// The nickname that it asked for.
    pub nick: Name,
    /// The `id` of its presence.
    pub id: Option<String>,
    /// The history that it wants.
    pub history: join::HistoryWish,
}

/// A room as one user sees it.
#[derive(Debug)]
pub struct Room {
    /// The portal's id.
    pub id: PortalId,
    /// Whose view it is.
    pub login: LoginId,
    /// Which room.
    pub room: RoomId,
    /// Its JID.
    pub jid: Name,
    /// The localpart under which it was first seen.
    pub local: Name,
    /// The nickname that the user asked for.
    pub wish: Name,
    /// The room's password.
    pub key: Option<Secret>,
    /// Whether the user is in it.
    pub place: Place,
    /// The user's folded name there.
    pub me: Name,
    /// Who is in it, as the network last told.
    pub occupants: Occupants,
    /// What the clients have been shown, where that is not what is. `None` while they see every change at once.
    pub shown: Option<Occupants>,
    /// Changes that were shown but not confirmed yet: the count of the change, who, and whether they are gone.
    pub unconfirmed: VecDeque<(u64, Name, bool)>,
    /// Counts the changes that were shown.
    pub changes: u64,
    /// How many changes have been stored since the last snapshot.
    pub stored_changes: usize,
    /// The subject.
    pub topic: Option<Topic>,
    /// Whether the subject that the clients were shown is another one.
    pub topic_stale: bool,
    /// How the room is.
    pub flags: RoomFlags,
    /// What the user's presence in the room says, beside the room's own elements.
    pub my_payload: Name,
    /// The resources that are in it.
    pub joined: Vec<Joined>,
    /// The resources that wait.
    pub waiting: Vec<Waiting>,
    /// The newest position.
    pub last: Position,
    /// The time of the newest message.
    pub last_at: Timestamp,
    /// Whether there are messages from before the first live one.
    older: bool,
    /// Whether the portal is on record.
    pub recorded: bool,
    /// Whether the network has put the user in while no client is: the room was moved here.
    pub unseen: bool,
    /// Up to when the user has read it, as far as anybody was told.
    pub read_upto: Timestamp,
    /// Who is believed to be typing, or to have paused, and until when.
    pub typists: Vec<(Name, Typing, Timestamp)>,
    /// When the newest message was said that was told before the network was last entered.
    pub told_upto: Timestamp,
    /// What the user has chosen for it.
    pub chosen: Chosen,
    /// Whether the user stays in it without any client.
    pub kept: bool,
    /// How often in a row it could not be entered, though it may be later.
    pub refusals: u8,
}

impl Room {
    /// A room that nobody has entered yet, under the localpart by which somebody asks for it: that one it keeps.
    #[must_use]
    pub fn new(ctx: &Context, login: LoginId, room: RoomId, local: Name, wish: Name) -> Self {
        Self {
            id: ctx.ids.portal(),
            login,
            jid: format!("{local}@{}", ctx.domain).into(),
            room,
            local,
            wish,
            key: None,
            place: Place::Outside,
            me: "".into(),
            occupants: Occupants::default(),
            shown: None,
            unconfirmed: VecDeque::new(),
            changes: 0,
            stored_changes: 0,
            topic: None,
            topic_stale: false,
            flags: RoomFlags::default(),
            my_payload: "".into(),
            joined: Vec::new(),
            waiting: Vec::new(),
            last: Position(0),
            older: false,
            last_at: Timestamp(0),
            recorded: false,
            unseen: false,
            read_upto: Timestamp(0),
            typists: Vec::new(),
            told_upto: Timestamp(0),
            chosen: Chosen::by_default(ctx.rules().history_default),
            kept: false,
            refusals: 0,
        }
    }

    /// A room as it was before a restart: its clients believe to see what they were shown last.
    #[must_use]
    pub fn restore(ctx: &Context, user: &str, room: RoomId, loaded: LoadedPortal) -> Self {
        let mut shown = Occupants::default();
        for bytes in &loaded.shown {
            shown.apply_bytes(bytes);
        }
        let record = loaded.portal;
        let joined = loaded.joined.into_iter().map(|row| Joined {
            jid: format!("{user}/{}", row.resource).into(),
            resource: row.resource,
            nick: row.nick,
            cursor: row.cursor,
            live: false,
            entering: None,
        });
        let joined: Vec<Joined> = joined.collect();
        Self {
            id: record.id,
            jid: format!("{}@{}", record.local, ctx.domain).into(),
            local: record.local,
            key: record.key,
            shown: (!joined.is_empty()).then_some(shown),
            topic: record.topic,
            joined,
            last: loaded.last,
            last_at: loaded.last_at,
            older: loaded.older,
            recorded: true,
            kept: record.kept,
            ..Self::new(ctx, record.login, room, "".into(), record.nick)
        }
    }

    /// The portal as it is to be remembered.
    #[must_use]
    pub fn record(&self) -> Write {
        Write::Portal(Box::new(PortalRecord {
            id: self.id,
            login: self.login,
            with: Recipient::Room(self.room.clone()),
            local: self.local.clone(),
            nick: self.wish.clone(),
            key: self.key.clone(),
            topic: self.topic.clone(),
            kept: self.kept,
        }))
    }

    /// When the newest message was said that is in the archive.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        (self.last_at.0 > 0).then_some(self.last_at)
    }

    /// The user's own occupant, while the user is inside.
    #[must_use]
    pub fn myself(&self) -> Option<&Occupant> {
        self.occupants.get(&self.me)
    }

    /// The nickname under which the clients know the user.
    #[must_use]
    pub fn my_nick(&self) -> Name {
        self.myself()
            .map_or_else(|| self.wish.clone(), |me| me.nick.clone())
    }

    /// A joined resource.
    #[must_use]
    pub fn joined(&self, resource: &str) -> Option<&Joined> {
        self.joined
            .iter()
            .find(|joined| joined.resource.as_str() == resource)
    }

    /// Whether the clients see changes as they come.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.shown.is_none()
    }

    /// Whether the user is to be in the room although nobody waits for it: clients believe to be in, or it is kept.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.kept || !self.joined.is_empty()
    }

    /// Whether nothing holds the user in the room.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.joined.is_empty() && self.waiting.is_empty() && !self.kept
    }

    /// From now on the user stays in the room, clients or not.
    pub fn keep(&mut self, out: &mut Effects) {
        if !std::mem::replace(&mut self.kept, true) {
            out.write(self.record());
        }
    }

    /// From now on the user stays only as long as a client does.
    pub fn let_go(&mut self, out: &mut Effects) {
        if std::mem::take(&mut self.kept) {
            out.write(self.record());
        }
    }

    /// Where no archive is wanted, messages go as soon as all clients have them.
    pub fn forget_seen(&self, out: &mut Effects) {
        if self.chosen.history || !self.has_history() {
            return;
        }
        let seen = self.joined.iter().map(|joined| joined.cursor).min();
        let upto = seen.unwrap_or(self.last);
        if upto.0 > 0 || self.older {
            let portal = self.id;
            out.write(Write::Prune { portal, upto });
        }
    }

    /// Whether anything was ever said here.
    fn has_history(&self) -> bool {
        self.last.0 > 0 || self.older
    }

    /// Whether there may be something in the archive for the user to see.
    #[must_use]
    pub fn has_archive(&self) -> bool {
        self.chosen.history && self.has_history()
    }

    /// The newest message that is in the archive for the user to see.
    #[must_use]
    pub fn archived_upto(&self) -> Position {
        if self.chosen.history {
            self.last
        } else {
            // Before all history, however far down that counts.
            Position(i64::MIN)
        }
    }

    /// Somebody's occupant-id (XEP-0421): that of their account, which stays theirs over connections and names, or of the
    /// name under which they came.
    #[must_use]
    pub fn occupant_id(&self, ctx: &Context, person: &str, occupant: Option<&Occupant>) -> Name {
        if let Some(account) = occupant.and_then(|occupant| occupant.account.as_deref()) {
            // No name begins so: an account and a nickname of the same name may be two people.
            return ctx.occupant_id(&self.jid, &format!("\u{1d}{account}"));
        }
        let identity = occupant
            .and_then(|occupant| occupant.identity.as_deref())
            .unwrap_or(person);
        ctx.occupant_id(&self.jid, identity)
    }

    /// Stores what the clients are shown, anew.
    pub fn store_snapshot(&mut self, out: &mut Effects) {
        self.stored_changes = 0;
        out.write(Write::Shown {
            portal: self.id,
            data: self.occupants.to_bytes(),
        });
    }

    /// Stores one change to what the clients are shown; a new snapshot where the changes have become many.
    pub fn store_change(&mut self, person: &str, out: &mut Effects) {
        if self.stored_changes > self.occupants.len().max(64) {
            self.store_snapshot(out);
            return;
        }
        self.stored_changes += 1;
        out.write(Write::ShownChange {
            portal: self.id,
            seq: i64::try_from(self.changes).unwrap_or(i64::MAX),
            data: occupants::change_bytes(person, self.occupants.get(person)),
        });
    }
}
