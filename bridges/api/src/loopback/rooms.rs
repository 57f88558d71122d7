//! The rules of rooms: coming and going, rights, subjects.

use super::address::is_room;
use super::server::{Room, Server};
use crate::capability::Level;
use crate::command::RoomChange;
use crate::event::{Departure, Member, PersonEvent, Rank, RoomEvent, RoomFlags, Topic};
use crate::failure::{Failure, Refusal};
use crate::ids::Name;

const CAN_REMOVE: Rank = Rank::HALF_OPERATOR
    .with(Rank::OPERATOR)
    .with(Rank::ADMIN)
    .with(Rank::OWNER);
const CAN_CONFIGURE: Rank = Rank::OPERATOR.with(Rank::ADMIN).with(Rank::OWNER);
const PROTECTED: Rank = Rank::ADMIN.with(Rank::OWNER);

impl Server {
    /// Lets somebody into a room, or shows it again to who is in.
    pub(super) fn enter(&mut self, who: &Name, room: &Name, key: Option<&str>) -> Result<(), Failure> {
        self.may_enter(who, room, key)?;
        let place = self.rooms.entry(room.clone()).or_default();
        place.invited.remove(who);
        if !place.members.contains_key(who) {
            let alone = place.members.is_empty();
            let rank = if alone { Rank::OPERATOR } else { Rank::NONE };
            place.members.insert(who.clone(), rank);
            let member = self.member(who, rank);
            self.tell_room(room, Some(who), &RoomEvent::MemberJoined(member));
        }
        let joined = self.view(who, room);
        self.tell_of_room(who, room, joined);
        Ok(())
    }

    fn may_enter(&self, who: &Name, room: &Name, key: Option<&str>) -> Result<(), Failure> {
        let refuse = |refusal, why: &str| Err(Failure::refused(refusal, format!("{room}: {why}")));
        if !is_room(room) {
            return refuse(Refusal::NotAcceptable, "this cannot be the name of a room");
        }
        let Some(place) = self.rooms.get(room) else {
            return match self.settings.capabilities.create_rooms {
                Level::Rejected => refuse(Refusal::NotFound, "there is no such room"),
                _ => Ok(()),
            };
        };
        if place.members.contains_key(who) {
            return Ok(());
        }
        if place.banned.contains(who) {
            return refuse(Refusal::Banned, "you are banned");
        }
        if place.flags.invite_only && !place.invited.contains(who) {
            return refuse(Refusal::MembersOnly, "only invited people may enter");
        }
        if place.key.as_deref().is_some_and(|wanted| key != Some(wanted)) {
            return refuse(Refusal::NotAuthorized, "the password is wrong or missing");
        }
        let people = u32::try_from(place.members.len()).unwrap_or(u32::MAX);
        if place.flags.limit.is_some_and(|limit| people >= limit) {
            return refuse(Refusal::Full, "no more people fit in");
        }
        Ok(())
    }

    /// A room as somebody in it sees it.
    fn view(&self, me: &Name, room: &Name) -> RoomEvent {
        let place = self.rooms.get(room);
        let members = place.map(|place| &place.members).into_iter().flatten();
        RoomEvent::Joined {
            me: me.clone(),
            members: members
                .map(|(who, rank)| self.member(who, *rank))
                .collect::<Vec<Member>>(),
            topic: place.and_then(|place| place.topic.clone()),
            flags: place.map(|place| place.flags).unwrap_or_default(),
        }
    }

    /// Lets somebody out of a room.
    pub(super) fn leave(&mut self, who: &Name, room: &Name, reason: Option<Name>) -> Result<(), Failure> {
        self.membership(who, room)?;
        self.part(who, room, &Departure::Left, reason);
        Ok(())
    }

    /// Takes somebody out of a room and tells everybody, the one who is gone included.
    fn part(&mut self, who: &Name, room: &Name, how: &Departure, reason: Option<Name>) {
        if let Some(place) = self.rooms.get_mut(room) {
            place.members.remove(who);
        }
        if let Some(link) = self.link_of(who) {
            link.rooms.remove(room);
        }
        let gone = RoomEvent::MemberLeft {
            person: who.clone(),
            how: how.clone(),
            reason: reason.clone(),
        };
        self.tell_room(room, None, &gone);
        let how = how.clone();
        self.tell_of_room(who, room, RoomEvent::Left { how, reason });
    }

    /// Removes somebody else.
    pub(super) fn kick(
        &mut self,
        who: &Name,
        room: &Name,
        whom: &Name,
        reason: Option<Name>,
    ) -> Result<(), Failure> {
        let (place, rank) = self.membership(who, room)?;
        demand(rank, CAN_REMOVE)?;
        untouched(rank, target(place, whom)?)?;
        let by = Some(self.nick(who));
        self.part(whom, room, &Departure::Kicked { by }, reason);
        Ok(())
    }

    /// Bans somebody, in the room or not, or lifts the ban.
    pub(super) fn ban(
        &mut self,
        who: &Name,
        room: &Name,
        whom: &Name,
        banned: bool,
        reason: Option<Name>,
    ) -> Result<(), Failure> {
        let (place, rank) = self.membership(who, room)?;
        demand(rank, CAN_CONFIGURE)?;
        if !banned {
            place.banned.remove(whom);
            return Ok(());
        }
        let there = place.members.get(whom).copied();
        untouched(rank, there.unwrap_or_default())?;
        place.banned.insert(whom.clone());
        if there.is_some() {
            let by = Some(self.nick(who));
            self.part(whom, room, &Departure::Banned { by }, reason);
        }
        Ok(())
    }

    /// Gives and takes rights.
    pub(super) fn promote(
        &mut self,
        who: &Name,
        room: &Name,
        whom: &Name,
        grant: Rank,
        revoke: Rank,
    ) -> Result<(), Failure> {
        let (place, rank) = self.membership(who, room)?;
        demand(rank, CAN_CONFIGURE)?;
        let old = target(place, whom)?;
        if who != whom {
            untouched(rank, old)?;
        }
        place
            .members
            .insert(whom.clone(), old.with(grant).without(revoke));
        let changed = RoomEvent::RankChanged {
            person: whom.clone(),
            grant,
            revoke,
            by: Some(self.nick(who)),
        };
        self.tell_room(room, None, &changed);
        Ok(())
    }

    /// Changes the subject; an empty one clears it.
    pub(super) fn set_topic(&mut self, who: &Name, room: &Name, text: Name) -> Result<(), Failure> {
        let topic = Topic {
            text,
            by: Some(self.nick(who)),
            at: Some(self.tick()),
        };
        let (place, rank) = self.membership(who, room)?;
        if place.flags.topic_locked {
            demand(rank, CAN_REMOVE)?;
        }
        place.topic = Some(topic.clone());
        self.tell_room(room, None, &RoomEvent::TopicChanged(topic));
        Ok(())
    }

    /// Gives a room a password, or takes it away.
    pub(super) fn set_key(&mut self, who: &Name, room: &Name, key: Option<Name>) -> Result<(), Failure> {
        if self.settings.capabilities.room_passwords == Level::Rejected {
            let feature = "a room with a password";
            return Err(Failure::Unsupported { feature });
        }
        let password = key.is_some();
        let (place, rank) = self.membership(who, room)?;
        demand(rank, CAN_CONFIGURE)?;
        place.key = key;
        self.configure(who, room, |flags| flags.password = password)
    }

    /// Changes how a room is, as a session asks for it.
    pub(super) fn change(&mut self, who: &Name, room: &Name, change: &RoomChange) -> Result<(), Failure> {
        if let Some(password) = &change.password {
            let key = password.as_ref().map(|secret| Name::from(secret.reveal()));
            self.set_key(who, room, key)?;
        }
        self.configure(who, room, |flags| {
            let set = |flag: &mut bool, wanted: Option<bool>| *flag = wanted.unwrap_or(*flag);
            set(&mut flags.moderated, change.moderated);
            set(&mut flags.invite_only, change.invite_only);
            set(&mut flags.hidden, change.hidden);
            set(&mut flags.topic_locked, change.topic_locked);
            flags.limit = change.limit.unwrap_or(flags.limit);
        })
    }

    /// Changes how a room is.
    pub(super) fn configure(
        &mut self,
        who: &Name,
        room: &Name,
        change: impl FnOnce(&mut RoomFlags),
    ) -> Result<(), Failure> {
        let (place, rank) = self.membership(who, room)?;
        demand(rank, CAN_CONFIGURE)?;
        change(&mut place.flags);
        let flags = place.flags;
        self.tell_room(room, None, &RoomEvent::FlagsChanged(flags));
        Ok(())
    }

    /// Invites somebody; the invitation opens the room once.
    pub(super) fn invite(&mut self, who: &Name, room: &Name, whom: &Name) -> Result<(), Failure> {
        if !self.people.contains_key(whom) {
            return Err(nobody(whom));
        }
        let (place, rank) = self.membership(who, room)?;
        if place.flags.invite_only {
            demand(rank, CAN_CONFIGURE)?;
        }
        if place.members.contains_key(whom) {
            return Err(Failure::refused(
                Refusal::Conflict,
                format!("{whom} is in {room} already"),
            ));
        }
        place.invited.insert(whom.clone());
        self.tell_of_invitation(whom, room, who);
        Ok(())
    }

    /// Takes somebody off the server: out of all rooms, told once to everybody who shared one.
    pub(super) fn depart(&mut self, who: &Name, reason: Option<Name>) {
        self.tell_acquaintances(who, &PersonEvent::Gone { reason });
        for room in self.rooms_of(who) {
            if let Some(place) = self.rooms.get_mut(&room) {
                place.members.remove(who);
            }
        }
        if self.people.remove(who).is_some() {
            self.tell_watchers(who, false, &PersonEvent::Offline);
        }
    }
}

fn target(room: &Room, whom: &Name) -> Result<Rank, Failure> {
    let missing = || Failure::refused(Refusal::NotFound, format!("{whom} is not here"));
    room.members.get(whom).copied().ok_or_else(missing)
}

fn demand(rank: Rank, any_of: Rank) -> Result<(), Failure> {
    if rank.without(any_of) == rank {
        return Err(Failure::refused(Refusal::Forbidden, "you may not do that here"));
    }
    Ok(())
}

/// Nobody touches an admin or owner, but an owner.
fn untouched(rank: Rank, target: Rank) -> Result<(), Failure> {
    if target.without(PROTECTED) != target && !rank.contains(Rank::OWNER) {
        return Err(Failure::refused(
            Refusal::NotAllowed,
            "this person is out of your reach",
        ));
    }
    Ok(())
}

/// There is no such person.
pub(super) fn nobody(whom: &Name) -> Failure {
    Failure::refused(Refusal::NotFound, format!("there is no {whom}"))
}
