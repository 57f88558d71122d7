//! Moves bytes, commands and events while there is a connection.
//!
//! One turn: take lines from the link, take commands from the inbox, let the client write, hand the events over, then
//! wait for whichever of socket, inbox, sink and clock is first. While the sink has no room, lines stay in the link
//! (which still answers PING) and commands in the inbox; once the link is full too, reading stops, and the server is
//! kept content by unasked-for PONGs.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::{sleep_until, timeout};
use viaduct_bridge::{BoxFuture, Closed, Command, EventSink, Name, Notebook, ServerId, Timestamp};

use crate::client::{Client, Now};
use crate::proto::casemap::Casemapping;
use crate::proto::charset::Charsets;
use crate::proto::line::Line;

use super::dial::io_words;
use super::inbox::Inbox;
use super::link::{Link, Turn};
use super::sts;

/// How many lines are taken before the events of them are handed over.
const LINES: usize = 256;
/// Commands wait in the inbox while so much is not written.
const MOST_BACKLOG: usize = 64 * 1024;
/// How often a server is told that we live while nothing is read from it.
const UNASKED: Duration = Duration::from_secs(30);
/// The least time until the clock is looked at again, while the sink has no room and otherwise.
const STALLED: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(5);
/// How long parting takes at most.
const PARTING: Duration = Duration::from_secs(2);

/// Why driving stopped.
pub(crate) enum Stop {
    /// The connection ended; the words are the socket's, if the client has none.
    Gone(String),
    /// The user leaves the server.
    Left(Option<Name>),
    /// The session is closed, or nobody listens to it any more.
    Closing(Option<Name>),
    /// The user is online, and that was all that was asked.
    Online,
}

/// What driving needs beside the connection.
pub(crate) struct Surroundings<'a> {
    pub(crate) inbox: &'a Inbox,
    pub(crate) sink: &'a dyn EventSink,
    pub(crate) charsets: &'a Charsets,
    pub(crate) server: &'a ServerId,
    /// The port of the connection.
    pub(crate) port: u16,
    /// Where it is noted how the server folds names, and that it wants to be reached encrypted.
    pub(crate) notebook: &'a dyn Notebook,
    /// Whether the connection is made in the user's own way: what is seen on it is no rule for others.
    pub(crate) personal: bool,
    /// Whether to stop as soon as the user is online.
    pub(crate) only_log_in: bool,
}

impl Surroundings<'_> {
    fn note_sts(&self, seconds: u64) {
        if !self.personal {
            sts::note(self.notebook, self.server, self.port, seconds, SystemTime::now());
        }
    }
}

pub(crate) fn now() -> Now {
    Now {
        at: Instant::now(),
        clock: Timestamp::from_system(SystemTime::now()),
    }
}

/// Drives a connection until it stops. What the client still has to tell is left to the caller.
pub(crate) async fn drive(link: &mut Link, client: &mut Client, around: &Surroundings<'_>) -> Stop {
    let mut delivery: Option<Delivery<'_>> = None;
    let mut armed = Instant::now() + Duration::from_secs(3600);
    let mut timer = pin!(sleep_until(armed.into()));
    let mut noted = false;
    let mut wants_tls_for = None;
    let stop = loop {
        let time = now();
        let mut more = false;
        if delivery.is_none() {
            more = take_lines(link, client, around.charsets, time);
            if let Some(stop) = take_commands(link, client, around, time) {
                break stop;
            }
            client.tick(time);
        }
        if let Some(seconds) = client.take_sts() {
            wants_tls_for = Some(seconds);
            around.note_sts(seconds);
        }
        if let Some(reason) = around.inbox.closing() {
            break Stop::Closing(reason);
        }
        if client.is_online() {
            if !noted {
                note_casemapping(client.casemapping(), around);
                noted = true;
            }
            if around.only_log_in {
                break Stop::Online;
            }
        } else {
            link.wipe_output();
        }
        let written = link.output().len();
        client.transmit(time, link.output());
        around.charsets.encode(link.output(), written);
        if client.end().is_some() {
            break Stop::Gone(String::new());
        }
        if delivery.is_none() {
            let events = client.take_events();
            if !events.is_empty() {
                delivery = Some(around.sink.send(events));
            } else if more {
                continue;
            }
        }

        let stalled_full = delivery.is_some() && link.is_full();
        let due = match (stalled_full, delivery.is_some()) {
            (true, _) => time.at + UNASKED,
            (false, true) => client.deadline().max(time.at + STALLED),
            (false, false) => client.deadline().max(time.at + SOON),
        };
        // The timer is moved only to an earlier time: a deadline that has moved on is found when it fires.
        if due < armed || armed <= time.at {
            armed = due;
            timer.as_mut().reset(armed.into());
        }
        tokio::select! {
            biased;
            sent = deliver(&mut delivery) => {
                delivery = None;
                if sent.is_err() {
                    break Stop::Closing(None);
                }
            }
            turn = poll_fn(|cx| link.poll_turn(cx)) => match turn {
                Ok(Turn::Read) => client.heard(now()),
                Ok(Turn::Written) => {}
                Ok(Turn::Closed) => break Stop::Gone("it closed the connection".to_owned()),
                Err(error) => break Stop::Gone(io_words(&error)),
            },
            () = around.inbox.changed() => {}
            () = &mut timer => {
                armed = Instant::now();
                if stalled_full {
                    Line::command("PONG").trailing("viaduct").write(link.output());
                    client.heard(now());
                }
            }
        }
    };
    // What came before the end still counts, and what was told is heard.
    if matches!(stop, Stop::Gone(_)) {
        while take_lines(link, client, around.charsets, now()) {}
    }
    // A policy counts from the end of the connection (IRCv3 sts, "Rescheduling expiry on disconnect").
    if let Some(seconds) = client.take_sts().or(wants_tls_for) {
        around.note_sts(seconds);
    }
    if let Some(delivery) = delivery {
        tokio::select! {
            biased;
            _ = delivery => {}
            () = around.inbox.closed_for(PARTING) => {}
        }
    }
    stop
}

fn note_casemapping(rule: Casemapping, around: &Surroundings<'_>) {
    let key = format!("casemap/{}", around.server);
    let rule = rule.as_str();
    let noted = around.notebook.get(&key);
    // Somebody who reaches the server in a way of their own may have reached another one.
    let settled = noted.is_some() && around.personal;
    if !settled && noted.as_deref() != Some(rule) {
        around.notebook.put(&key, rule);
    }
}

/// Says QUIT and waits a moment for the server to have heard it. What was written before may be confirmed meanwhile.
pub(crate) async fn part(link: &mut Link, client: &mut Client, charsets: &Charsets, reason: &str) {
    let written = link.output().len();
    client.quit(now(), reason, link.output());
    charsets.encode(link.output(), written);
    let parting = async {
        while let Ok(Turn::Read | Turn::Written) = poll_fn(|cx| link.poll_turn(cx)).await {
            while take_lines(link, client, charsets, now()) {}
        }
    };
    let _ = timeout(PARTING, parting).await;
}

/// Gives lines to the client. True if more are there than one turn takes.
fn take_lines(link: &mut Link, client: &mut Client, charsets: &Charsets, time: Now) -> bool {
    for _ in 0..LINES {
        let Some(line) = link.next_line() else {
            return false;
        };
        client.line(time, &charsets.decode(line));
    }
    true
}

/// Gives commands to the client, as many as there is room for. Something else than nothing if the user leaves.
fn take_commands(link: &mut Link, client: &mut Client, around: &Surroundings<'_>, time: Now) -> Option<Stop> {
    let inbox = around.inbox;
    if !client.is_online() {
        return inbox.wants_out().then(|| match inbox.closing() {
            Some(reason) => Stop::Closing(reason),
            None => Stop::Left(None),
        });
    }
    while link.backlog() < MOST_BACKLOG {
        match inbox.pop()? {
            Command::Disconnect { reason, .. } => return Some(Stop::Left(reason)),
            command => {
                client.command(time, command);
                let written = link.output().len();
                client.transmit_queue(time, link.output());
                around.charsets.encode(link.output(), written);
            }
        }
    }
    None
}

/// Events on their way to the sink.
type Delivery<'a> = BoxFuture<'a, Result<(), Closed>>;

async fn deliver(delivery: &mut Option<Delivery<'_>>) -> Result<(), Closed> {
    match delivery {
        Some(delivery) => delivery.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use viaduct_bridge::{BoxFuture, Closed, EventSink, Name, Notebook as _, RemoteEvent, ServerId};

    use super::{Surroundings, note_casemapping};
    use crate::conn::inbox::Inbox;
    use crate::proto::casemap::Casemapping;
    use crate::proto::charset::Charsets;
    use crate::testing::Notes;

    struct Nobody;

    impl EventSink for Nobody {
        fn send(&self, _: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    /// Who has set other ports for a server may have reached another one, which must not make rules for all.
    #[test]
    fn what_is_seen_in_an_own_way_is_no_rule_for_others() {
        let (notes, inbox) = (Notes::default(), Inbox::default());
        let charsets = Charsets::new(encoding_rs::WINDOWS_1252, None, std::iter::empty());
        let server = ServerId(Name::from("irc.test"));
        let mut around = Surroundings {
            inbox: &inbox,
            sink: &Nobody,
            charsets: &charsets,
            server: &server,
            port: 7000,
            notebook: &notes,
            personal: true,
            only_log_in: false,
        };
        let folds = || notes.get("casemap/irc.test");
        around.note_sts(86_400);
        assert_eq!(notes.get("sts/irc.test"), None);
        // Until something better is known it is as good as nothing.
        note_casemapping(Casemapping::Ascii, &around);
        assert_eq!(folds().as_deref(), Some("ascii"));
        around.personal = false;
        note_casemapping(Casemapping::Rfc1459, &around);
        around.note_sts(86_400);
        assert_eq!(folds().as_deref(), Some("rfc1459"));
        assert!(notes.get("sts/irc.test").is_some());
        around.personal = true;
        note_casemapping(Casemapping::Ascii, &around);
        around.note_sts(0);
        assert_eq!(folds().as_deref(), Some("rfc1459"));
        assert_ne!(notes.get("sts/irc.test").as_deref(), Some(""));
    }
}
