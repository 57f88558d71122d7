//! One program between the two drivers, and its users: started, joined, fed.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::irc::{HOST, Irc};
use crate::link::{DOMAIN, Link};
use crate::process::{Cpu, Process};
use crate::subject::Subject;

/// How long nothing may happen before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// Joins and forms under way at a time.
const AT_ONCE: usize = 32;

/// A running program, attached.
#[derive(Debug)]
pub(crate) struct World {
    /// Which one.
    pub(crate) subject: Subject,
    /// The XMPP server's end.
    pub(crate) link: Rc<Link>,
    /// The IRC server's end.
    pub(crate) irc: Rc<Irc>,
    process: RefCell<Process>,
    progress: Rc<Notify>,
    folder: RefCell<TempDir>,
}

impl World {
    /// Starts `subject` in a new folder under `parent`; to be called inside a `LocalSet`.
    pub(crate) async fn start(subject: Subject, parent: Option<&Path>) -> Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = tempfile::Builder::new()
            .prefix("viaduct-bench-")
            .tempdir_in(parent)?;
        let progress = Rc::new(Notify::new());
        let irc = Irc::listen(subject.caps(), Rc::clone(&progress)).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut process = subject.start(folder.path(), listener.local_addr()?.port(), irc.port)?;
        let accept = timeout(PATIENCE, Link::accept(&listener, Rc::clone(&progress)));
        let link = tokio::select! {
            link = accept => link.context("it did not connect in time")??,
            ended = until_ended(&mut process) => {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                bail!("it ended at once ({ended}): {}", log.trim_end().lines().last().unwrap_or("no output"));
            }
        };
        Ok(Self {
            subject,
            link,
            irc,
            process: RefCell::new(process),
            progress,
            folder: RefCell::new(folder),
        })
    }

    /// The full JID of a user.
    pub(crate) fn user(number: usize) -> String {
        format!("u{number}@localhost/r")
    }

    /// The bare JID of an IRC channel (given without `#`).
    pub(crate) fn room(channel: &str) -> String {
        format!("#{channel}%{HOST}@{DOMAIN}")
    }

    /// Brings users into channels, some at a time, and waits until each has its own presence and the subject.
    pub(crate) async fn enter(&self, joins: &[(usize, String)]) -> Result<()> {
        for some in joins.chunks(AT_ONCE) {
            for (number, channel) in some {
                self.join(*number, channel);
            }
            let all = || {
                some.iter()
                    .all(|(number, channel)| self.link.is_inside(&Self::room(channel), &Self::user(*number)))
            };
            self.until("a join", all).await?;
        }
        Ok(())
    }

    /// Fills in what the program wants from these users before they join.
    pub(crate) async fn prepare(&self, users: std::ops::Range<usize>) -> Result<()> {
        let users: Vec<usize> = users.collect();
        for (form, (to, fields)) in self.subject.forms(self.irc.port).iter().enumerate() {
            for some in users.chunks(AT_ONCE) {
                self.fill_in(form, some, to, fields).await?;
            }
        }
        Ok(())
    }

    /// Sends one presence to a channel.
    pub(crate) fn join(&self, number: usize, channel: &str) {
        let presence = format!(
            "<presence from='{}' to='{}/u{number}'><x xmlns='http://jabber.org/protocol/muc'>\
             <history maxstanzas='0'/></x></presence>",
            Self::user(number),
            Self::room(channel),
        );
        self.link.push(presence.as_bytes());
    }

    /// Waits until something holds; fails when the program is gone or silent.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) -> Result<()> {
        let seen = || (self.link.received.get(), self.irc.arrived.get());
        let (mut before, mut since) = (seen(), Instant::now());
        loop {
            if holds() {
                return Ok(());
            }
            self.link.check().with_context(|| format!("waiting for {what}"))?;
            let _ = timeout(Duration::from_millis(200), self.progress.notified()).await;
            if seen() != before {
                (before, since) = (seen(), Instant::now());
            } else if since.elapsed() > PATIENCE {
                let error = self.link.error.borrow();
                bail!("waited in vain for {what}; the last stanza error: {error:?}");
            }
        }
    }

    /// Rung when something has arrived at either driver.
    pub(crate) fn progress(&self) -> &Notify {
        &self.progress
    }

    /// Waits until the program has stopped working (at most three seconds), and gives its CPU time then.
    pub(crate) async fn rest(&self) -> Result<Cpu> {
        let mut before = self.process.borrow().cpu()?;
        for _ in 0..30 {
            sleep(Duration::from_millis(100)).await;
            let now = self.process.borrow().cpu()?;
            if now.since(&before) < 0.002 {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }

    /// Leaves its files where they are; gives the folder's name.
    pub(crate) fn keep_files(&self) -> String {
        let mut folder = self.folder.borrow_mut();
        folder.disable_cleanup(true);
        folder.path().display().to_string()
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<crate::process::Memory> {
        self.process.borrow().memory()
    }

    async fn fill_in(&self, form: usize, users: &[usize], to: &str, fields: &str) -> Result<()> {
        let mut sessions = Vec::new();
        for number in users {
            let payload = "node='configure' action='execute'/>";
            self.command(&format!("e{form}-{number}"), *number, to, payload);
        }
        for number in users {
            let answer = self.answer(&format!("e{form}-{number}")).await?;
            let start = answer
                .find("sessionid='")
                .with_context(|| format!("no form: {answer}"))?
                + 11;
            let length = answer[start..].find('\'').context("an open quote")?;
            sessions.push((number, answer[start..start + length].to_owned()));
        }
        for (number, session) in &sessions {
            let payload = format!(
                "node='configure' sessionid='{session}' action='complete'>\
                 <x xmlns='jabber:x:data' type='submit'>{fields}</x></command>"
            );
            self.command(&format!("c{form}-{number}"), **number, to, &payload);
        }
        for number in users {
            let answer = self.answer(&format!("c{form}-{number}")).await?;
            if !answer.contains("completed") {
                bail!("the form was refused: {answer}");
            }
        }
        Ok(())
    }

    fn command(&self, id: &str, number: usize, to: &str, payload: &str) {
        let iq = format!(
            "<iq type='set' id='{id}' from='{}' to='{to}'>\
             <command xmlns='http://jabber.org/protocol/commands' {payload}</iq>",
            Self::user(number),
        );
        self.link.push(iq.as_bytes());
    }

    async fn answer(&self, id: &str) -> Result<String> {
        self.until("the answer to a form", || self.link.has_answer(id))
            .await?;
        let answer = self.link.answer(id).context("the answer was there")?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

async fn until_ended(process: &mut Process) -> String {
    loop {
        if let Some(how) = process.ended() {
            return how;
        }
        sleep(Duration::from_millis(50)).await;
    }
}
