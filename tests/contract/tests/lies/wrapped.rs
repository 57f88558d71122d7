//! A bridge around a bridge, which can declare and tell something else.

use std::sync::Arc;

use viaduct_bridge::{
    Account, Address, BadAddress, BoxFuture, Bridge, Capabilities, Closed, EventSink, Form, LoginFlow, Name,
    RemoteEvent, ServerId, Session, SessionContext,
};

/// A bridge around a bridge.
pub(crate) struct Wrapped {
    inner: Box<dyn Bridge>,
    /// What it declares.
    pub(crate) declared: Capabilities,
    /// What it makes of events.
    pub(crate) told: fn(Vec<RemoteEvent>) -> Vec<RemoteEvent>,
}

impl Wrapped {
    /// Around this one, and just like it.
    pub(crate) fn new(inner: Box<dyn Bridge>) -> Self {
        Self {
            declared: inner.capabilities().clone(),
            inner,
            told: |events| events,
        }
    }
}

struct Sink {
    inner: Arc<dyn EventSink>,
    told: fn(Vec<RemoteEvent>) -> Vec<RemoteEvent>,
}

impl EventSink for Sink {
    fn send(&self, events: Vec<RemoteEvent>) -> BoxFuture<'_, Result<(), Closed>> {
        self.inner.send((self.told)(events))
    }
}

impl Bridge for Wrapped {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn title(&self) -> String {
        self.inner.title()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.declared
    }

    fn parse(&self, localpart: &str) -> Result<Address, BadAddress> {
        self.inner.parse(localpart)
    }

    fn localpart(&self, address: &Address) -> Option<String> {
        self.inner.localpart(address)
    }

    fn parse_typed(&self, text: &str) -> Result<Address, BadAddress> {
        self.inner.parse_typed(text)
    }

    fn prompt(&self) -> (&'static str, &'static str) {
        self.inner.prompt()
    }

    fn home_server(&self, account: Option<&Account>) -> Option<ServerId> {
        self.inner.home_server(account)
    }

    fn nick_for(&self, wish: &str) -> Option<Name> {
        self.inner.nick_for(wish)
    }

    fn form(&self, account: Option<&Account>) -> Form {
        self.inner.form(account)
    }

    fn log_in(&self, user: &str, account: Option<&Account>) -> Box<dyn LoginFlow> {
        self.inner.log_in(user, account)
    }

    fn start(&self) -> std::io::Result<()> {
        self.inner.start()
    }

    fn open(&self, mut context: SessionContext) -> Box<dyn Session> {
        let (inner, told) = (context.sink, self.told);
        context.sink = Arc::new(Sink { inner, told });
        self.inner.open(context)
    }
}
