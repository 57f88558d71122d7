//! Errands: what an administrator's login asks of others, and what others ask of this one (design §5, Actors).

use std::collections::HashMap;

use jid::BareJid;
use viaduct_bridge::{Name, RoomId, ServerId, Timestamp};

use super::gateway_presence::GATEWAY;
use super::{Asker, Link, Login};
use crate::effect::{Effect, Effects};
use crate::errand::{Errand, ErrandId, Gathered, Order, Reach, Report, RequestId, Said};
use crate::portal::presence::status;
use crate::records::LoadedLogin;
use crate::stanza::{Condition, Problem};
use crate::xml::Xml;

/// How many requests of one login may be unanswered.
const MOST_ASKED: usize = 20;
/// How many resources a report names.
const MOST_RESOURCES: usize = 50;
/// How many connections and rooms a report tells of.
const MOST_LINES: usize = 60;

/// The pause between two announcements of one administrator.
const BETWEEN_ANNOUNCEMENTS: i64 = 10_000_000;

/// What was asked of others, and who waits for the answer.
#[derive(Debug, Default)]
pub(super) struct Errands {
    asked: HashMap<RequestId, (Asker, Asking)>,
    /// When the last announcement went out.
    announced: Option<Timestamp>,
}

impl Errands {
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }
}

/// What the answers to a request are for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asking {
    /// The number of users who are at work.
    Number,
    /// Their JIDs.
    List,
    /// Their connections.
    Users,
    /// All about one user.
    Stats,
    /// Whether connections were ended.
    End,
    /// How many were told something.
    Announce,
    /// What became of an order.
    Order,
}

impl Login {
    /// Asks others something for a command.
    ///
    /// # Errors
    /// With the reason when it is not asked.
    pub(crate) fn reach(
        &mut self,
        asker: Asker,
        asking: Asking,
        reach: Reach,
        out: &mut Effects,
    ) -> Result<(), String> {
        let request = self.request(asker, asking)?;
        out.push(Effect::Reach { request, reach });
        Ok(())
    }

    /// Has the process do something for a command.
    ///
    /// # Errors
    /// With the reason when it is not asked.
    pub(crate) fn order(&mut self, asker: Asker, order: Order, out: &mut Effects) -> Result<(), String> {
        let request = self.request(asker, Asking::Order)?;
        out.push(Effect::Order { request, order });
        Ok(())
    }

    /// Notes that an announcement goes out now.
    ///
    /// # Errors
    /// When the last one was a moment ago: all users would be told, and more than once by somebody who clicks twice.
    pub(crate) fn may_announce(&mut self) -> Result<(), String> {
        let last = self.errands.announced.map_or(i64::MIN, |last| last.0);
        if self.now.0.saturating_sub(last) < BETWEEN_ANNOUNCEMENTS {
            return Err("An announcement went out a moment ago. Please wait ten seconds.".into());
        }
        self.errands.announced = Some(self.now);
        Ok(())
    }

    fn request(&mut self, asker: Asker, asking: Asking) -> Result<RequestId, String> {
        if self.errands.asked.len() >= MOST_ASKED {
            return Err("Too many of your commands wait for an answer.".into());
        }
        let request = self.ctx.ids.request();
        self.errands.asked.insert(request, (asker, asking));
        Ok(request)
    }

    /// The answers have come.
    pub(super) fn reached(&mut self, request: RequestId, gathered: Gathered, out: &mut Effects) {
        // A login that was built anew meanwhile has forgotten who asked.
        if let Some((asker, asking)) = self.errands.asked.remove(&request) {
            self.answer_gathered(asker, asking, gathered, out);
        }
    }

    pub(super) fn obeyed(&mut self, request: RequestId, result: Result<String, String>, out: &mut Effects) {
        if let Some((asker, _)) = self.errands.asked.remove(&request) {
            self.answer_command(asker, result, out);
        }
    }

    /// An administrator asks something of this login.
    pub(super) fn errand(&mut self, id: ErrandId, errand: Errand, out: &mut Effects) {
        let online = self.is_at_work();
        let yes_if = |yes: bool| if yes { Said::Yes } else { Said::No };
        let said = match errand {
            Errand::Count => yes_if(online),
            Errand::Report => Said::Report(Box::new(self.report())),
            Errand::End { resource, server } => yes_if(self.end(resource, server, out)),
            Errand::Announce(text) => {
                if online {
                    self.announce(&text, out);
                }
                yes_if(online)
            }
            Errand::Close(text) => {
                if online {
                    self.close(&text, out);
                }
                yes_if(online)
            }
        };
        out.push(Effect::Said { errand: id, said });
    }

    /// Whether the user has anything on the network, or is there to have it.
    fn is_at_work(&self) -> bool {
        self.session || !self.online.is_empty() || self.rooms.values().any(|room| !room.is_unused())
    }

    /// How the user is connected, as an operator may know it: no words that were said.
    pub(crate) fn report(&self) -> Report {
        let joined = self.rooms.values().flat_map(|room| &room.joined);
        let joined = joined.map(|joined| &joined.resource);
        let mut resources: Vec<Name> = self.online.resources().chain(joined).cloned().collect();
        resources.sort_unstable();
        resources.dedup();
        cut(&mut resources, MOST_RESOURCES, |more| {
            format!("and {more} more").into()
        });
        let mut servers: Vec<(&ServerId, &Link)> = self
            .servers
            .iter()
            .map(|(id, server)| (id, &server.link))
            .collect();
        servers.sort_unstable_by_key(|(id, _)| *id);
        let connections = servers
            .into_iter()
            .map(|(id, link)| (id.to_string(), link.to_string()));
        let rooms = self.rooms_in_words(&|_| true);
        let mut lines: Vec<(String, String)> = connections.chain(rooms).collect();
        cut(&mut lines, MOST_LINES, |more| {
            ("more".into(), format!("{more} more are left out"))
        });
        Report {
            online: self.is_at_work(),
            resources,
            contacts: self.contacts.len(),
            lines,
        }
    }

    /// The report of a login that is not at work, from its record.
    pub(crate) fn report_of(&self, user: BareJid, record: LoadedLogin) -> Report {
        Self::new(self.ctx.clone(), user, Some(record)).report()
    }

    /// Ends the user's connections, or some of them. Whether there were any.
    fn end(&mut self, resource: Option<Name>, server: Option<ServerId>, out: &mut Effects) -> bool {
        const WORDS: &str = "The operator of the gateway has ended your session.";
        match (resource, server) {
            (Some(resource), server) => self.end_resource(&resource, server.as_ref(), WORDS, out),
            (None, Some(server)) => self.leave_server(&server, WORDS, out),
            (None, None) => {
                let online = self.is_at_work();
                if online {
                    self.end_session(&[status::KICKED], WORDS, out);
                }
                online
            }
        }
    }

    /// Takes one resource out of its rooms (on a server).
    fn end_resource(
        &mut self,
        resource: &Name,
        server: Option<&ServerId>,
        words: &str,
        out: &mut Effects,
    ) -> bool {
        let rooms: Vec<RoomId> = self
            .rooms
            .values()
            .filter(|room| room.joined(resource).is_some())
            .map(|room| room.room.clone())
            .filter(|room| server.is_none_or(|server| room.server == *server))
            .collect();
        for room in &rooms {
            self.leave_room(room, resource, (Some(words.into()), true), out);
        }
        let available = server.is_none() && self.online.resources().any(|known| known == resource);
        if available {
            self.unavailable(resource, GATEWAY, out);
        }
        available || !rooms.is_empty()
    }

    /// Tells the user something from the operator (XEP-0133 §4.23): not as part of any conversation.
    fn announce(&self, text: &str, out: &mut Effects) {
        let mut xml = Xml::stanza("message", &self.ctx.domain, &self.bare);
        xml.attr("id", &self.ctx.token())
            .leaf("subject", "Announcement")
            .leaf("body", text);
        out.send(xml.finish());
    }

    /// The gateway stops and has said so: who is in a room is put out, and the gateway is no longer there. What the
    /// user wants of the network (rooms that are kept) stays on record.
    fn close(&mut self, text: &str, out: &mut Effects) {
        let refused = Problem::because(Condition::ServiceUnavailable, text);
        for room in self.rooms.values_mut() {
            room.refuse_waiting(&refused, out);
            room.expel(&self.ctx, &[status::SHUTDOWN], Some(text), out);
        }
        let mut xml = Xml::stanza("presence", &self.ctx.domain, &self.bare);
        xml.attr("type", "unavailable").leaf("status", text);
        out.send(xml.finish());
    }
}

/// Cuts a list, and says how many are left out.
pub(crate) fn cut<T>(list: &mut Vec<T>, most: usize, say: impl Fn(usize) -> T) {
    if let Some(more) = list.len().checked_sub(most).filter(|more| *more > 0) {
        list.truncate(most);
        list.push(say(more));
    }
}
