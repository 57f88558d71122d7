//! Trying a login: connects, logs in, and leaves. Nothing of it is shown to the user but how it ended.

use std::sync::Arc;

use viaduct_bridge::{BoxFuture, Closed, EventSink, Failure, Notebook, RemoteEvent, ServerId};

use crate::client::{Client, End, Identity, Rooms};
use crate::config::ServerPlan;
use crate::proto::charset::Charsets;

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

/// Logs in over a connection that was made, and leaves again. The error is how it ended instead.
pub(crate) async fn log_in(
    server: &ServerId,
    plan: &ServerPlan,
    dialled: Dialled,
    identity: Identity,
    notebook: &dyn Notebook,
) -> Result<(), End> {
    let mut link = dialled.link;
    let inbox = Arc::new(Inbox::default());
    let mut client = Client::new(
        server.clone(),
        identity,
        plan.flood,
        Rooms::default(),
        drive::now(),
    );
    let charsets = Charsets::new(plan.charset, None, std::iter::empty());
    let around = Surroundings {
        inbox: &inbox,
        sink: &Nobody,
        charsets: &charsets,
        server,
        port: dialled.port,
        notebook,
        personal: plan.personal,
        only_log_in: true,
    };
    let stop = Box::pin(drive::drive(&mut link, &mut client, &around)).await;
    let result = match (stop, client.end()) {
        (Stop::Online, _) => Ok(()),
        (_, Some(end)) => Err(end.clone()),
        (Stop::Gone(words), None) => Err(End::Lost(format!("{server} ended the connection: {words}"))),
        (Stop::Left(_) | Stop::Closing(_), None) => {
            Err(End::Refused(Failure::transient("the login was given up")))
        }
    };
    if matches!(result, Err(End::Upgrade { .. })) {
        return result;
    }
    Box::pin(drive::part(&mut link, &mut client, &charsets, "logged in")).await;
    result
}
