//! Errands between logins: an administrator's login asks, others answer, and what comes together in bounded time goes
//! back as one input. Nobody waits inside a handler: the gathering is a task of its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jid::BareJid;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use viaduct_bridge::Name;
use viaduct_core::errand::{Errand, ErrandId, Gathered, Heard, Order, Reach, RequestId, Said};

use super::mind::Actor;
use super::router::Router;

/// How long the answers of other logins are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an order may take until the administrator is told that it takes longer.
const OBEYING: Duration = Duration::from_secs(30);

/// An errand on its way to a login, with the way back.
pub(crate) struct Slip {
    errand: Errand,
    user: Name,
    answer: mpsc::Sender<(Name, Said)>,
}

/// What became of something that a login asked for.
pub(crate) enum Told {
    /// The answers of others.
    Reached(Gathered),
    /// What the process did.
    Obeyed(Result<String, String>),
}

/// The errands that came to a login and are not answered.
#[derive(Default)]
pub(super) struct Errands {
    last: u64,
    open: HashMap<ErrandId, Slip>,
}

impl Errands {
    /// Gives an errand its number.
    pub(super) fn take_on(&mut self, slip: Slip) -> (ErrandId, Errand) {
        self.last += 1;
        let (id, errand) = (ErrandId(self.last), slip.errand.clone());
        self.open.insert(id, slip);
        (id, errand)
    }

    /// Answers one.
    pub(super) fn answer(&mut self, id: ErrandId, said: Said) {
        if let Some(Slip { answer, user, .. }) = self.open.remove(&id) {
            // There is room for the answer of each; who asked may have gone.
            let _ = answer.try_send((user, said));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Forgets all: who asked is told that there was no answer.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }
}

impl Actor {
    /// Asks other logins something; the answers come through the mailbox.
    pub(super) fn reach(&self, request: RequestId, reach: Reach) {
        let (router, mailbox) = (Arc::clone(&self.router), Arc::clone(&self.mailbox));
        tokio::spawn(async move {
            let gathered = router.reach(reach, PATIENCE).await;
            mailbox.told(request, Told::Reached(gathered));
        });
    }

    /// Has the process do something.
    pub(super) fn order(&self, request: RequestId, order: Order) {
        let (steward, mailbox) = (Arc::clone(&self.gateway.steward), Arc::clone(&self.mailbox));
        tokio::spawn(async move {
            let obeyed = timeout(OBEYING, steward.obey(order)).await;
            let late = || Err("This takes longer than usual; the log tells how it ends.".to_owned());
            mailbox.told(request, Told::Obeyed(obeyed.unwrap_or_else(|_| late())));
        });
    }

    /// Puts into the log what an administrator does.
    pub(super) fn audit(&self, action: &str, target: &str) {
        tracing::info!(
            target: "audit",
            admin = %self.user,
            gateway = %self.gateway.ctx.domain,
            action,
            on = target,
            "audit: an administrator runs a command"
        );
    }
}

impl Router {
    /// Asks logins something, and gathers what they answer within this time.
    pub(crate) async fn reach(&self, reach: Reach, patience: Duration) -> Gathered {
        let deadline = Instant::now() + patience;
        match reach {
            Reach::Everybody { errand, most } => self.ask_all(&errand, most, deadline).await,
            Reach::These(these) => {
                let mut gathered = Gathered::default();
                let asked: Vec<_> = these
                    .into_iter()
                    .map(|(user, errand)| {
                        let answer = self.ask(&user, errand);
                        (user, answer)
                    })
                    .collect();
                for (user, answer) in asked {
                    let heard = self.hear(&user, answer, deadline).await;
                    gathered.heard.push((user.as_str().into(), heard));
                }
                gathered
            }
        }
    }

    /// Asks one login, if it is at work.
    fn ask(&self, user: &BareJid, errand: Errand) -> Option<mpsc::Receiver<(Name, Said)>> {
        let mailbox = self.at_work(user.as_str())?;
        let (answer, heard) = mpsc::channel(1);
        let user = Name::from(user.as_str());
        let slip = Slip { errand, user, answer };
        mailbox.errand(Box::new(slip)).then_some(heard)
    }

    /// What there is to know of one user: what the login says, or what is on record.
    async fn hear(
        &self,
        user: &BareJid,
        asked: Option<mpsc::Receiver<(Name, Said)>>,
        deadline: Instant,
    ) -> Heard {
        if let Some(mut answer) = asked {
            return match timeout_at(deadline, answer.recv()).await {
                Ok(Some((_, said))) => Heard::Said(said),
                Ok(None) | Err(_) => Heard::Late,
            };
        }
        match timeout_at(deadline, self.gateway().memory.load(user)).await {
            Ok(Ok(Some(record))) => Heard::AtRest(record),
            Ok(Ok(None)) => Heard::Nobody,
            Ok(Err(trouble)) => {
                tracing::warn!(error = %trouble, "a user could not be looked up for an administrator");
                Heard::Late
            }
            Err(_) => Heard::Late,
        }
    }

    /// Asks everybody who is at work. Who answers that there is nothing is left out.
    async fn ask_all(&self, errand: &Errand, most: usize, deadline: Instant) -> Gathered {
        let all = self.all_at_work();
        let (answer, mut answers) = mpsc::channel(all.len().max(1));
        let mut late = 0;
        for (user, mailbox) in all {
            let slip = Slip {
                errand: errand.clone(),
                user,
                answer: answer.clone(),
            };
            if mailbox.errand(Box::new(slip)) {
                late += 1;
            }
        }
        drop(answer);
        let mut heard = BTreeMap::new();
        let mut more = 0;
        while let Ok(Some((user, said))) = timeout_at(deadline, answers.recv()).await {
            late -= 1;
            let at_work = match &said {
                Said::Yes => true,
                Said::No => false,
                Said::Report(report) => report.online,
            };
            if !at_work {
                continue;
            }
            heard.insert(user, Heard::Said(said));
            if heard.len() > most {
                heard.pop_last();
                more += 1;
            }
        }
        Gathered {
            heard: heard.into_iter().collect(),
            more,
            late,
        }
    }
}
