//! The rooms of a server: disco#items (XEP-0030 §4) in pages (XEP-0059). For search see `search`.
//!
//! A server of the network may have fifty thousand rooms, and tells them all or none. What it told is kept for a
//! while, for this login alone: a server shows hidden rooms to those who are in them, so one user's list is not for
//! another. Pages are cut by name, so that they fit together even where the list was asked for anew between two.

use minidom::Element;
use viaduct_bridge::{Address, Failure, Question, RoomId, RoomList, ServerId, Timestamp};

use super::Login;
use super::asking::Waiting;
use super::directory::Directory;
use super::pending::Request;
use super::search::Mask;
use crate::effect::{Effect, Effects, Timer};
use crate::ns;
use crate::records::PagePlace;
use crate::rsm;
use crate::stanza::{Incoming, Problem};

/// The rooms of a page that was not asked for as one.
const UNASKED: u32 = 100;

/// Which of the rooms a request wants.
#[derive(Debug)]
pub(super) enum RoomsWish {
    /// A page.
    Page {
        /// How many at most, and where.
        max: usize,
        place: PagePlace,
        /// Where, by its place in the whole list (XEP-0059 §2.3).
        index: Option<usize>,
        /// Whether it was asked for as a page, and not as all there is.
        asked: bool,
        /// Whether the user's own rooms come first.
        own_first: bool,
    },
    /// Those that fit.
    Search {
        /// A part of the name, or a mask with `*` and `?`.
        name: Mask,
        /// The least people.
        people: u32,
    },
}

impl RoomsWish {
    /// Reads a disco#items request.
    fn page(query: &Element, own_first: bool) -> Result<Self, Problem> {
        let set = query.get_child("set", ns::RSM);
        let page = set.map(rsm::parse).transpose()?;
        let index = set.map(rsm::index).transpose()?.flatten();
        let (max, place) = page.map_or((UNASKED, PagePlace::First), |page| (page.max, page.place));
        Ok(Self::Page {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            place,
            index,
            asked: set.is_some(),
            own_first,
        })
    }
}

impl Login {
    /// disco#items on the gateway: the user's own rooms, and on a network with one server its rooms after them. For
    /// these no connection is made: clients look at a service without being asked to.
    pub(super) fn gateway_rooms(&mut self, stanza: &Incoming, out: &mut Effects) {
        let only = self.ctx.bridge.home_server(self.account.as_ref());
        let only = only.filter(|server| {
            let address = Address::Server(server.clone());
            self.ctx.bridge.localpart(&address).is_none() && self.is_online(server)
        });
        let Some(query) = stanza.payload() else { return };
        let wish = match RoomsWish::page(query, true) {
            Ok(wish) => wish,
            Err(problem) => return out.send_opt(stanza.error(&problem)),
        };
        match only {
            Some(server) => self.rooms_of(&server, false, stanza, wish, out),
            None => self.answer_page(&Request::of(stanza), &wish, None, out),
        }
    }

    /// disco#items on a server: who asks for these wants to see its rooms, so a connection is made where there is
    /// none.
    pub(super) fn server_rooms(&mut self, server: &ServerId, stanza: &Incoming, out: &mut Effects) {
        let Some(query) = stanza.payload() else { return };
        match RoomsWish::page(query, false) {
            Ok(wish) => self.rooms_of(server, true, stanza, wish, out),
            Err(problem) => out.send_opt(stanza.error(&problem)),
        }
    }

    pub(super) fn rooms_of(
        &mut self,
        server: &ServerId,
        connect: bool,
        stanza: &Incoming,
        wish: RoomsWish,
        out: &mut Effects,
    ) {
        if self.lists.of(server).is_some() && self.shut_out().is_none() {
            return self.answer_rooms(server, &Request::of(stanza), &wish, out);
        }
        let question = Question::Rooms(server.clone());
        let waiting = Waiting::Rooms(Request::of(stanza), wish);
        self.inquire(question, connect, stanza, waiting, out);
    }

    /// The lists that are out of date are dropped.
    pub(super) fn lists_expire(&mut self, now: Timestamp, out: &mut Effects) {
        if let Some(after) = self.lists.expire(now) {
            let timer = Timer::Lists;
            out.push(Effect::SetTimer { timer, after });
        }
    }

    /// A list has come.
    pub(super) fn keep_list(
        &mut self,
        now: Timestamp,
        server: &ServerId,
        rooms: RoomList,
        out: &mut Effects,
    ) {
        self.lists.keep(now, server, rooms);
        self.lists_expire(now, out);
    }

    /// No list has come. The user's own rooms are there all the same.
    pub(super) fn refuse_rooms(
        &self,
        request: &Request,
        wish: &RoomsWish,
        failure: &Failure,
        out: &mut Effects,
    ) {
        match wish {
            RoomsWish::Page { own_first: true, .. } => self.answer_page(request, wish, None, out),
            _ => out.send(request.refuse(&Problem::from(failure))),
        }
    }

    /// Answers from a list.
    pub(super) fn answer_rooms(
        &self,
        server: &ServerId,
        request: &Request,
        wish: &RoomsWish,
        out: &mut Effects,
    ) {
        let Some(rooms) = self.lists.of(server) else {
            return;
        };
        match wish {
            RoomsWish::Page { .. } => self.answer_page(request, wish, Some((server, rooms)), out),
            RoomsWish::Search { name, people } => {
                out.send(self.hits(server, rooms, name, *people, request.result()));
            }
        }
    }

    fn answer_page(
        &self,
        request: &Request,
        wish: &RoomsWish,
        listed: Option<(&ServerId, &RoomList)>,
        out: &mut Effects,
    ) {
        let RoomsWish::Page {
            max,
            place,
            index,
            asked,
            own_first,
        } = wish
        else {
            return;
        };
        let own = if *own_first { self.own_rooms() } else { Vec::new() };
        let all = Directory::new(self, &own, listed);
        let (from, to) = all.range(*max, place, *index);
        let mut xml = request.result();
        xml.start_ns("query", ns::DISCO_ITEMS);
        let mut ends: Option<(String, String)> = None;
        for at in from..to {
            let Some(room) = all.get(at) else { continue };
            xml.start("item")
                .attr("jid", &room.jid)
                .attr("name", &room.name)
                .end();
            ends = Some((
                ends.map_or_else(|| room.key.clone(), |(first, _)| first),
                room.key,
            ));
        }
        if *asked || to - from < all.len() {
            rsm::write(&mut xml, &ends, from, all.len());
        }
        out.send(xml.finish());
    }

    /// The user's own rooms that are not hidden: JID and name, sorted by JID.
    fn own_rooms(&self) -> Vec<(&RoomId, &str)> {
        let mut rooms: Vec<(&RoomId, &str)> = self
            .rooms
            .values()
            .filter(|room| !room.joined.is_empty() && !room.flags.hidden)
            .map(|room| (&room.room, room.jid.as_str()))
            .collect();
        rooms.sort_unstable_by_key(|(_, jid)| *jid);
        rooms
    }
}
