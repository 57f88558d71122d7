//! Trying a login: connects, logs in, and leaves. Nothing of it is shown to the user but how it ended.

use std::sync::Arc;

use viaduct_bridge::{BoxFuture, Closed, EventSink, Failure, Notebook, Refusal, RemoteEvent, ServerId};

use crate::client::{Client, End, Identity, Rooms};
use crate::config::ServerPlan;

use super::dial::Dialled;
use super::drive::{self, Stop, Surroundings};
use super::inbox::Inbox;

/// A sink for events that nobody wants.
struct Nobody;

impl EventSink for Nobody {
    fn send(&self, _events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Logs in over a connection that was made, and leaves again.
pub(crate) async fn log_in(
    server: ServerId,
    plan: &ServerPlan,
    dialled: Dialled,
    identity: Identity,
    notebook: &dyn Notebook,
) -> Result<(), Failure> {
    let mut link = dialled.link;
    let inbox = Arc::new(Inbox::default());
    let mut client = Client::new(
        server.clone(),
        identity,
        plan.flood,
        Rooms::default(),
        drive::now(),
    );
    let around = Surroundings {
        inbox: &inbox,
        sink: &Nobody,
        charset: plan.charset,
        server: &server,
        notebook,
        only_log_in: true,
    };
    let stop = Box::pin(drive::drive(&mut link, &mut client, &around)).await;
    let result = match (stop, client.end()) {
        (Stop::Online, _) => Ok(()),
        (_, Some(End::Refused(failure))) => Err(failure.clone()),
        (_, Some(End::Lost(words))) => Err(Failure::refused(Refusal::Unreachable, words.clone())),
        (Stop::Gone(words), None) => {
            let words = format!("{server} ended the connection: {words}");
            Err(Failure::refused(Refusal::Unreachable, words))
        }
        (Stop::Left(_) | Stop::Closing(_), None) => Err(Failure::transient("the login was given up")),
    };
    Box::pin(drive::part(&mut link, &mut client, plan.charset, "logged in")).await;
    result
}
