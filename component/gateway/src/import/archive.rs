//! Lines of an archive become messages of the user's room, below all that is there: the newest line first, at the place
//! before the oldest message, and so on down. So positions have no gap whenever it ends, and a page costs what it costs
//! anywhere.
//!
//! A line keeps its archive id, so clients that have synchronised with Biboumi go on where they were. Times do not
//! decrease along positions: a line that claims to be later than its successor is as late as that one.

use std::collections::HashMap;
use std::io::Write as Out;
use std::sync::Arc;

use anyhow::Result;
use futures::TryStreamExt as _;
use viaduct_bridge::{
    Address, Bridge, Content, MessageId, MessageKind, Name, PersonId, RoomId, Scope, ServerId, Text,
    Timestamp,
};
use viaduct_core::context::occupant_id;
use viaduct_core::payload;
use viaduct_core::records::{MessageRecord, PortalId, Position, Said, Write};

use super::Import;
use super::source::Line;
use super::user::{User, imported};

/// How many lines are committed together.
const BATCH: usize = 1000;
/// The most bytes of a line: more was never said on IRC, and would not fit into a stanza.
const MOST_BYTES: usize = 64 * 1024;
/// The most bytes of an archive id.
const MOST_ID: usize = 100;
/// The most people of a room that are kept in mind.
const MOST_PEOPLE: usize = 10_000;

/// The place for the next line.
struct Below {
    portal: PortalId,
    position: i64,
    at: Timestamp,
}

impl<W: Out> Import<W> {
    /// Takes over the lines of a channel that were not taken before.
    pub(super) async fn archive(
        &mut self,
        user: &mut User,
        channel: &(String, String),
        room: &RoomId,
        about: &str,
    ) -> Result<()> {
        let Some(portal) = user.rooms.get(room) else {
            return Ok(());
        };
        let (portal, jid) = (portal.id, format!("{}@{}", portal.local, self.domain));
        let scope = Scope::Room(room.clone());
        let before = user.imported.get(&scope).copied().flatten();
        let edge = match &self.store {
            Some(store) => store.archive_edge(portal).await?,
            None => viaduct_store::ArchiveEdge {
                oldest: None,
                pruned: false,
            },
        };
        let (place, at) = edge.oldest.map_or((1, self.now), |(place, at)| (place.0, at));
        if edge.pruned || place > 1 {
            // Nothing older than what was given up is shown any more.
            if before.is_none() {
                let words = "the archive, because the one that is here was emptied";
                self.report.refused(about, words)?;
            }
            return Ok(());
        }
        let mut below = Below {
            portal,
            position: place - 1,
            at: at.min(self.now),
        };
        if let Some((newest, _)) = before {
            let newer = self.source.newer(&user.owner, channel, newest).await?;
            if newer > 0 {
                let words = format!("{newer} lines that came after those of an earlier run");
                self.report.refused(about, &words)?;
            }
        }

        let mut people = People {
            bridge: &*self.bridge,
            secret: &self.secret,
            room: &jid,
            server: &room.server,
            known: HashMap::new(),
        };
        let store = self.store.as_ref().filter(|_| !self.dry);
        let (mut took, mut skipped) = (0_u64, 0_u64);
        let mut reached = before;
        let mut batch: Vec<Write> = Vec::with_capacity(BATCH + 1);
        let mut lines = self.source.lines(
            &user.owner,
            channel,
            before.map_or(i64::MAX, |(_, oldest)| oldest),
        );
        loop {
            let line = lines.try_next().await?;
            let is_last = line.is_none();
            if let Some(line) = line {
                reached = Some((reached.map_or(line.id, |(newest, _)| newest), line.id));
                match below.message(line, &mut people) {
                    Some(message) => {
                        took += 1;
                        batch.push(message);
                    }
                    None => skipped += 1,
                }
            }
            if batch.len() >= BATCH || is_last {
                if reached != before
                    && let Some(store) = store
                {
                    batch.push(imported(user, &scope, reached));
                    store.write(std::mem::take(&mut batch)).await.await?;
                }
                batch.clear();
            }
            if is_last {
                break;
            }
        }
        drop(lines);
        if took > 0 {
            user.changed = true;
            self.report.totals.lines += took;
            self.report.done(about, &format!("{took} lines of its archive"))?;
        }
        if skipped > 0 {
            let words = format!("{skipped} lines that say nothing, come from nobody, or are too long");
            self.report.refused(about, &words)?;
        }
        Ok(())
    }
}

impl Below {
    /// The message that a line becomes, in the next place; `None` if it can be none.
    fn message(&mut self, line: Line, people: &mut People<'_>) -> Option<Write> {
        let body = line
            .body
            .filter(|body| !body.is_empty() && body.len() <= MOST_BYTES)?;
        let nick = line
            .nick
            .filter(|nick| !nick.is_empty() && nick.len() <= MOST_ID)?;
        let (nick, occupant) = people.who(&nick);
        let (kind, text) = match body.strip_prefix("/me ") {
            Some(action) => (MessageKind::Emote, action),
            None => (MessageKind::Text, &*body),
        };
        let content = Content {
            kind,
            text: Text::plain(text),
        };
        let said = line.date.and_then(|seconds| seconds.checked_mul(1_000_000));
        // A time that cannot be is none: it would make all older lines as old.
        self.at = said
            .filter(|at| *at > 0)
            .map_or(self.at, |at| self.at.min(Timestamp(at)));
        let position = Position(self.position);
        self.position -= 1;
        Some(Write::Message(Box::new(MessageRecord {
            portal: self.portal,
            position,
            at: self.at,
            said: Arc::new(Said {
                nick,
                occupant,
                payload: payload::from_network(&content).into(),
            }),
            remote: line
                .uuid
                .filter(|id| {
                    !id.is_empty() && id.len() <= MOST_ID && id.bytes().all(|b| b.is_ascii_graphic())
                })
                .map(|id| MessageId(id.into())),
            client_id: None,
        })))
    }
}

/// Who speaks in a room.
struct People<'a> {
    bridge: &'a dyn Bridge,
    secret: &'a [u8; 32],
    room: &'a str,
    server: &'a ServerId,
    known: HashMap<String, (Name, Name)>,
}

impl People<'_> {
    /// A nickname, and the occupant-id that it has here.
    fn who(&mut self, nick: &str) -> (Name, Name) {
        if let Some(known) = self.known.get(nick) {
            return known.clone();
        }
        let folded = nick.to_ascii_lowercase();
        let person = Address::Person(PersonId {
            server: self.server.clone(),
            person: folded.as_str().into(),
        });
        let local = self.bridge.localpart(&person).unwrap_or_default();
        let person = match self.bridge.parse(&local) {
            Ok(Address::Person(person)) => person.person,
            _ => folded.into(),
        };
        let who = (Name::from(nick), occupant_id(self.secret, self.room, &person));
        if self.known.len() >= MOST_PEOPLE {
            self.known.clear();
        }
        self.known.insert(nick.to_owned(), who.clone());
        who
    }
}
