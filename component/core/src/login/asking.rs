//! Questions to the network on behalf of a client's request, and the answers: each request gets exactly one.

use viaduct_bridge::{Command, Failure, Outcome, Question, Reply, ServerId, Timestamp};

use super::Login;
use super::listing::RoomsWish;
use super::outcomes::{Pending, Request};
use super::servers::Link;
use crate::effect::Effects;
use crate::stanza::{Condition, Incoming, Problem};

/// The most requests that wait for one answer.
const MOST_WAITING: usize = 50;

/// A question that the network has not answered yet, and the requests that wait for it.
#[derive(Debug)]
pub(crate) struct Inquiry {
    question: Question,
    /// Whether a connection may have been made for it.
    connect: bool,
    waiting: Vec<(Request, Wish)>,
}

/// What a request wants of the answer.
#[derive(Debug)]
pub(super) enum Wish {
    /// Some of the rooms of a server.
    Rooms(RoomsWish),
}

impl Inquiry {
    /// Those who wait.
    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.waiting.iter().map(|(request, _)| request)
    }
}

impl Login {
    /// Whether there is a connection to a server now.
    pub(super) fn is_online(&self, server: &ServerId) -> bool {
        let link = self.servers.get(server).map(|server| &server.link);
        matches!(link, Some(Link::Online { .. }))
    }

    /// Asks the network something for a request. `connect`: also where that takes a new connection.
    pub(super) fn inquire(
        &mut self,
        question: Question,
        connect: bool,
        stanza: &Incoming,
        wish: Wish,
        out: &mut Effects,
    ) {
        if let Some(problem) = self.shut_out() {
            return out.send_opt(stanza.error(&problem));
        }
        let server = question.server();
        if !connect && !self.is_online(server) {
            let text = format!("You are not connected to {server}.");
            return out.send_opt(stanza.error(&Problem::because(Condition::RemoteServerTimeout, text)));
        }
        let request = Request::of(stanza);
        let crowded = self.pending.len() >= self.ctx.max_pending;
        let asked = self.pending.values_mut().find_map(|pending| match pending {
            Pending::Question(inquiry) if inquiry.question == question => Some(inquiry),
            _ => None,
        });
        let full = asked
            .as_ref()
            .map_or(crowded, |inquiry| inquiry.waiting.len() >= MOST_WAITING);
        if full {
            let text = "Too many of your requests wait for the network.";
            return out.send_opt(stanza.error(&Problem::because(Condition::ResourceConstraint, text)));
        }
        if let Some(inquiry) = asked {
            inquiry.waiting.push((request, wish));
            return;
        }
        let txn = self.ctx.ids.txn();
        let inquiry = Inquiry {
            question: question.clone(),
            connect,
            waiting: vec![(request, wish)],
        };
        self.pending.insert(txn, Pending::Question(Box::new(inquiry)));
        if connect {
            // The connection stays for a while: who looks around may want to go in.
            self.server(question.server()).spoke = true;
        }
        let nick = connect.then(|| self.default_nick());
        self.submit(Command::Ask { txn, question, nick }, out);
    }

    /// The network has answered, or will not.
    pub(super) fn answered(&mut self, now: Timestamp, inquiry: Inquiry, outcome: Outcome, out: &mut Effects) {
        let Inquiry {
            question,
            connect,
            waiting,
        } = inquiry;
        let answer = match outcome {
            Outcome::Answered(reply) => Ok(*reply),
            Outcome::Failed(failure) => Err(failure),
            // A bridge that confuses questions with commands has no answer for anybody.
            Outcome::Accepted { .. } => Err(Failure::transient("The network gave no answer.")),
        };
        match (&question, answer) {
            (Question::Rooms(server), Ok(Reply::Rooms(rooms))) => {
                self.keep_list(now, server, rooms, out);
                for (request, Wish::Rooms(wish)) in &waiting {
                    self.answer_rooms(server, request, wish, out);
                }
                self.lists.drop_spare(now);
            }
            (Question::Rooms(_), Err(failure)) => {
                for (request, Wish::Rooms(wish)) in &waiting {
                    self.refuse_rooms(request, wish, &failure, out);
                }
            }
        }
        if connect {
            self.release(question.server(), out);
        }
    }
}
