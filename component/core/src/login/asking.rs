//! Questions to the network on behalf of somebody who waits, and the answers: who waits gets exactly one.

use viaduct_bridge::{Command, Failure, Outcome, Question, Reply, ServerId, Timestamp};

use super::Login;
use super::listing::RoomsWish;
use super::owner::BansWish;
use super::pending::{Pending, Request};
use super::people::PersonWish;
use super::register::Asker;
use super::servers::Link;
use crate::effect::Effects;
use crate::stanza::{Condition, Incoming, Problem};

/// The most who wait for one answer.
const MOST_WAITING: usize = 50;

/// The most lists of rooms that come in at a time: they are large, and a user may name any server.
const MOST_LISTS: usize = 2;

/// A question that the network has not answered yet, and who waits for it.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub(super) question: Question,
    /// Whether a connection may have been made for it.
    connect: bool,
    waiting: Vec<Waiting>,
}

/// Somebody who waits for an answer.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A request for some of the rooms of a server.
    Rooms(Request, RoomsWish),
    /// A request for the bans of a room, or for its configuration.
    Bans(Request, BansWish),
    /// A request for something about somebody.
    Person(Request, PersonWish),
    /// A command.
    Command(Asker),
}

impl Inquiry {
    fn is_about_rooms(&self) -> bool {
        matches!(self.question, Question::Rooms(_))
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
        waiting: Waiting,
        out: &mut Effects,
    ) {
        if let Err(refused) = self.ask_network(question, connect, waiting, out) {
            out.send_opt(stanza.error(&refused));
        }
    }

    /// Asks the network something for a command, connecting where that is needed.
    ///
    /// # Errors
    /// With the reason when the question is not asked.
    pub(crate) fn inquire_for_command(
        &mut self,
        question: Question,
        asker: Asker,
        out: &mut Effects,
    ) -> Result<(), String> {
        self.ask_network(question, true, Waiting::Command(asker), out)
            .map_err(|refused| refused.text.unwrap_or_default())
    }

    /// Asks the network something, unless there is a reason why not.
    fn ask_network(
        &mut self,
        question: Question,
        connect: bool,
        waiting: Waiting,
        out: &mut Effects,
    ) -> Result<(), Box<Problem>> {
        if let Some(problem) = self.shut_out() {
            return Err(Box::new(problem));
        }
        let server = question.server();
        if !connect && !self.is_online(server) {
            let text = format!("You are not connected to {server}.");
            let problem = Problem::because(Condition::RemoteServerTimeout, text);
            return Err(Box::new(problem));
        }
        let lists = |pending: &&Pending| matches!(pending, Pending::Question(it) if it.is_about_rooms());
        let crowded = self.pending.room_for(1, self.ctx.most_pending).is_err()
            || matches!(question, Question::Rooms(_))
                && self.pending.iter().filter(lists).count() >= MOST_LISTS;
        let asked = self.pending.inquiry_mut(&question);
        let full = asked
            .as_ref()
            .map_or(crowded, |inquiry| inquiry.waiting.len() >= MOST_WAITING);
        if full {
            let text = "Too many of your requests wait for the network.";
            let problem = Problem::because(Condition::ResourceConstraint, text);
            return Err(Box::new(problem));
        }
        if let Some(inquiry) = asked {
            inquiry.waiting.push(waiting);
            return Ok(());
        }
        let txn = self.ctx.ids.txn();
        let inquiry = Inquiry {
            question: question.clone(),
            connect,
            waiting: vec![waiting],
        };
        self.pending.insert(txn, Pending::Question(Box::new(inquiry)));
        if connect {
            // The connection stays for a while: who looks around may want to go in.
            self.server(question.server()).spoke = true;
        }
        let nick = connect.then(|| self.default_nick());
        self.submit(Command::Ask { txn, question, nick }, out);
        Ok(())
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
        let answer = match (&question, answer) {
            (Question::Rooms(server), Ok(Reply::Rooms(rooms))) => {
                self.keep_list(now, server, rooms, out);
                Ok(Reply::Pong)
            }
            (Question::Profile(person), Ok(Reply::Profile(profile))) => {
                self.profiles.keep(now, person, &profile);
                Ok(Reply::Profile(profile))
            }
            (_, answer) => answer,
        };
        for waiting in waiting {
            match (waiting, &answer) {
                (Waiting::Rooms(request, wish), Ok(_)) => {
                    self.answer_rooms(question.server(), &request, &wish, out);
                }
                (Waiting::Rooms(request, wish), Err(failure)) => {
                    self.refuse_rooms(&request, &wish, failure, out);
                }
                (Waiting::Bans(request, wish), answer) => match (&question, wish, answer) {
                    (Question::Bans(room), wish, Ok(Reply::Bans(bans))) => {
                        self.answer_bans(room, &request, wish, bans, out);
                    }
                    // The rest of the form is there all the same, whyever the list did not come.
                    (Question::Bans(room), BansWish::Form, Err(_)) => {
                        self.answer_bans(room, &request, wish, &[], out);
                    }
                    (_, _, Err(failure)) => out.send(request.refuse(&Problem::from(failure))),
                    _ => out.send(request.refuse(&Problem::new(Condition::InternalServerError))),
                },
                (Waiting::Person(request, wish), Ok(reply)) => {
                    out.send(self.about_person(&request, wish, reply));
                }
                (Waiting::Person(request, _), Err(failure)) => {
                    out.send(request.refuse(&Problem::from(failure)));
                }
                (Waiting::Command(asker), answer) => {
                    let answer = answer.as_ref().map_err(ToString::to_string);
                    self.answer_whois(asker, answer, out);
                }
            }
        }
        self.lists.drop_spare(now);
        if connect {
            self.release(question.server(), out);
        }
    }

    /// There will be no answer, for this reason.
    pub(super) fn refuse_inquiry(&mut self, inquiry: Inquiry, problem: &Problem, out: &mut Effects) {
        for waiting in inquiry.waiting {
            match waiting {
                Waiting::Rooms(request, _) | Waiting::Bans(request, _) | Waiting::Person(request, _) => {
                    out.send(request.refuse(problem))
                }
                Waiting::Command(asker) => {
                    self.answer_command(asker, Err(problem.text.clone().unwrap_or_default()), out);
                }
            }
        }
    }
}
