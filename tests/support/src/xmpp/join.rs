//! Joining a room, and what comes of it, in order.

use anyhow::Result;
use minidom::Element;

use super::client::Client;
use super::stanza::{StanzaExt as _, ns};
use super::xml::{Tag, tag};

/// A request to join a room.
#[derive(Debug, Clone)]
pub struct Join {
    room: String,
    nick: String,
    muc: Tag,
}

/// What a room sent between the request and its subject, which ends a join (XEP-0045 §7.1).
#[derive(Debug, Clone)]
pub struct Joined {
    /// Everything, in order of arrival.
    pub order: Vec<Element>,
    /// The presences of the others.
    pub occupants: Vec<Element>,
    /// The self-presence (110).
    pub me: Element,
    /// The messages that came before the subject.
    pub history: Vec<Element>,
    /// The subject message.
    pub subject: Element,
}

impl Join {
    /// A request without history limits or password.
    pub fn new(room: &str, nick: &str) -> Self {
        Self {
            room: room.to_owned(),
            nick: nick.to_owned(),
            muc: tag("x").ns(ns::MUC),
        }
    }

    /// With the room's password (an IRC key).
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.muc = self.muc.child(tag("password").text(password));
        self
    }

    /// With a limit on the history: `maxstanzas`, `maxchars`, `seconds` or `since`.
    #[must_use]
    pub fn history(mut self, limit: &str, value: &str) -> Self {
        self.muc = self.muc.child(tag("history").attr(limit, value));
        self
    }
}

impl Joined {
    /// The presence of the occupant with this nickname, if it was shown.
    pub fn occupant(&self, nick: &str) -> Option<&Element> {
        self.occupants.iter().find(|presence| presence.nick() == nick)
    }

    /// The nicknames of the others, sorted.
    pub fn nicks(&self) -> Vec<&str> {
        let mut nicks: Vec<&str> = self.occupants.iter().map(|presence| presence.nick()).collect();
        nicks.sort_unstable();
        nicks
    }

    /// The bodies of the history.
    pub fn bodies(&self) -> Vec<String> {
        self.history.iter().filter_map(|message| message.body()).collect()
    }
}

impl Client {
    /// Joins a room and waits for all that belongs to a join.
    pub async fn join(&self, room: &str, nick: &str) -> Result<Joined> {
        self.join_with(&Join::new(room, nick)).await
    }

    /// Joins a room with what the request says, and waits for all that belongs to a join.
    pub async fn join_with(&self, request: &Join) -> Result<Joined> {
        self.ask_to_join(request).await?;
        let mut order = Vec::new();
        loop {
            let of_room = |stanza: &Element| stanza.is_from(&request.room) && !stanza.is_iq();
            let what = format!(
                "more of the join of {} (so far {} stanzas)",
                request.room,
                order.len()
            );
            let stanza = self.expect(&what, of_room).await?;
            if let Some(error) = stanza.error() {
                return Err(self.voice().failure(format!("the join is refused: {error:?}")));
            }
            let last = stanza.is_subject_change();
            order.push(stanza);
            if last {
                return self.sort(order);
            }
        }
    }

    /// Asks to join and expects to be refused; gives the presence error.
    pub async fn join_refused(&self, request: &Join) -> Result<Element> {
        self.ask_to_join(request).await?;
        let answer = |stanza: &Element| {
            let of_room = stanza.is_presence() && stanza.is_from(&request.room);
            of_room && (stanza.kind() == "error" || stanza.has_status(110))
        };
        let answer = self
            .expect(&format!("a refusal from {}", request.room), answer)
            .await?;
        match answer.error() {
            Some(_) => Ok(answer),
            None => Err(self.voice().failure("the join should be refused, but we are in")),
        }
    }

    /// Sends the request to join and waits for nothing.
    pub async fn ask_to_join(&self, request: &Join) -> Result<()> {
        let to = format!("{}/{}", request.room, request.nick);
        self.send(
            tag("presence")
                .attr("id", self.fresh_id())
                .attr("to", to)
                .child(&request.muc),
        )
        .await
    }

    fn sort(&self, order: Vec<Element>) -> Result<Joined> {
        let (presences, messages): (Vec<_>, Vec<_>) =
            order.iter().cloned().partition(|stanza| stanza.is_presence());
        let (mut mine, occupants): (Vec<_>, Vec<_>) =
            presences.into_iter().partition(|stanza| stanza.has_status(110));
        let (subjects, history): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .partition(|stanza| stanza.is_subject_change());
        match (mine.pop(), subjects.into_iter().next()) {
            (Some(me), Some(subject)) if mine.is_empty() => Ok(Joined {
                order,
                occupants,
                me,
                history,
                subject,
            }),
            _ => Err(self
                .voice()
                .failure("a join has exactly one self-presence (110) before the subject")),
        }
    }
}
