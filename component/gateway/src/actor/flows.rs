//! Login flows: each in a task of its own, because it talks to the network between its steps.

use std::collections::HashMap;
use std::sync::Arc;

use jid::BareJid;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use viaduct_bridge::{Account, Answers, Failure, Refusal, Step};
use viaduct_core::effect::FlowId;

use super::mailbox::Mailbox;
use super::memory::Gateway;

/// How many flows one user may have at a time.
const MOST: usize = 4;

/// The flows of one login.
#[derive(Default)]
pub(super) struct Flows(HashMap<FlowId, Flow>);

struct Flow {
    answers: mpsc::Sender<Answers>,
    task: JoinHandle<()>,
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Flows {
    /// Begins a flow, or gives it the answers to its last step.
    pub(super) fn go_on(
        &mut self,
        id: FlowId,
        gateway: &Gateway,
        user: &BareJid,
        account: Option<Account>,
        answers: Answers,
        mailbox: &Arc<Mailbox>,
    ) {
        let flows = &mut self.0;
        if flows.len() >= MOST && !flows.contains_key(&id) {
            let words = "Too many logins are on their way; end one of them first.";
            let failure = Failure::refused(Refusal::Throttled, words);
            mailbox.step(id, Step::Failed { field: None, failure });
            return;
        }
        let flow = flows.entry(id).or_insert_with(|| {
            let machine = gateway.ctx.bridge.log_in(user.as_str(), account.as_ref());
            let (answers, mut asked) = mpsc::channel::<Answers>(1);
            let mailbox = Arc::clone(mailbox);
            let task = tokio::spawn(async move {
                let mut machine = machine;
                while let Some(answers) = asked.recv().await {
                    mailbox.step(id, machine.next(answers).await);
                }
            });
            Flow { answers, task }
        });
        if flow.answers.try_send(answers).is_err() {
            let failure = Failure::transient("The last step is still being worked on.");
            mailbox.step(id, Step::Failed { field: None, failure });
        }
    }

    /// A step has come. Whether anybody wants it; after the last, the flow is over.
    pub(super) fn answered(&mut self, id: FlowId, step: &Step) -> bool {
        let known = self.0.contains_key(&id);
        let last = matches!(step, Step::Done(_) | Step::Failed { .. });
        if last {
            self.end(id);
        }
        // A flow that was refused at its beginning is not known, but must be answered.
        known || last
    }

    /// Ends a flow.
    pub(super) fn end(&mut self, id: FlowId) {
        self.0.remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
