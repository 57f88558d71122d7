//! The reader: takes every stanza off the stream, and never waits for anybody.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use futures::Stream;
use minidom::Element;
use tokio::task::yield_now;
use tokio_xmpp::xmlstream::{ReadError, XmlStream};
use viaduct_core::stanza::{Condition, Incoming, Kind, Problem, error};

use super::connect::{ConnectError, STREAM, stream_error};
use super::head::Head;
use super::limits::Dropped;
use super::queue::Link;
use super::wire::{Wire, WireEnds};

/// Who gets what comes from the XMPP server. Nothing here may block.
pub trait Upward: Send + Sync {
    /// A stanza to one of our addresses, from somebody else's, and how many bytes it had.
    fn stanza(&self, incoming: Box<Incoming>, size: usize);
    /// A stream has begun or ended.
    fn link_changed(&self);
}

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// With a stream error.
    #[error(transparent)]
    Error(ConnectError),
    /// In order.
    #[error("the XMPP server has ended the stream")]
    Footer,
    /// The connection broke, or what came was no XML.
    #[error("the connection to the XMPP server is lost: {0}")]
    Broken(String),
}

/// After how many stanzas the actors have their turn, should the server send without a pause.
const ROW: u32 = 64;

/// The longest address (RFC 7622 §3).
const MAX_JID: usize = 3071;

enum Next {
    Dropped(Vec<Dropped>),
    Item(Option<Result<Element, ReadError>>),
}

/// Reads until the stream ends.
pub(super) async fn read(
    stream: &mut XmlStream<Wire, Element>,
    ends: &WireEnds,
    link: &Link,
    upward: &dyn Upward,
) -> End {
    let mut seen = stream.get_stream().consumed();
    let mut row = 0;
    loop {
        row += 1;
        if row >= ROW {
            row = 0;
            yield_now().await;
        }
        let next = poll_fn(|cx| {
            let item = Pin::new(&mut *stream).poll_next(cx);
            // The guard works inside the poll, and may have taken something out whether or not anything is left.
            let dropped = ends.take_dropped();
            match item {
                Poll::Ready(item) => {
                    refuse(link, dropped);
                    Poll::Ready(Next::Item(item))
                }
                Poll::Pending if dropped.is_empty() => Poll::Pending,
                Poll::Pending => Poll::Ready(Next::Dropped(dropped)),
            }
        });
        let next = next.await;
        let consumed = stream.get_stream().consumed();
        let size = usize::try_from(consumed - seen).unwrap_or(usize::MAX);
        seen = consumed;
        match next {
            Next::Dropped(dropped) => refuse(link, dropped),
            Next::Item(Some(Ok(element))) if element.is("error", STREAM) => {
                return End::Error(stream_error(&element, link.domain()));
            }
            Next::Item(Some(Ok(element))) => take(link, upward, element, size),
            Next::Item(Some(Err(ReadError::SoftTimeout))) => link.probe(),
            Next::Item(Some(Err(ReadError::ParseError(error)))) => {
                tracing::debug!(%error, "an element of the stream was not understood");
            }
            Next::Item(Some(Err(ReadError::StreamFooterReceived))) => return End::Footer,
            Next::Item(Some(Err(ReadError::HardError(error)))) => return End::Broken(error.to_string()),
            Next::Item(None) => return End::Broken("closed without a word".to_owned()),
        }
    }
}

/// Answers what the guard took out, where that can be done.
fn refuse(link: &Link, dropped: Vec<Dropped>) {
    for Dropped { offence, head } in dropped {
        tracing::debug!(gateway = %link.domain(), ?offence, "a stanza was taken out of the stream");
        if let Some(head) = head {
            answer(
                link,
                &head,
                &Problem::because(Condition::NotAcceptable, offence.words()),
            );
        }
    }
}

/// Sends an error to whoever sent a stanza, by its addresses as they were written.
fn answer(link: &Link, head: &Head, problem: &Problem) {
    let answerable = match head.kind {
        Kind::Iq => !matches!(head.ty.as_deref(), Some("result" | "error")),
        Kind::Message | Kind::Presence => head.ty.as_deref() != Some("error"),
    };
    // An answer from an address that is not ours would end the stream, and one to ourselves would come back.
    let (from, to) = (head.to.as_str(), head.from.as_str());
    let between_us = is_ours(from, link.domain()) && !is_ours(to, link.domain());
    if answerable && between_us && (1..=MAX_JID).contains(&to.len()) {
        link.answer(error(head.kind, from, to, head.id.as_deref(), problem));
    }
}

/// Sorts one stanza.
fn take(link: &Link, upward: &dyn Upward, element: Element, size: usize) {
    let ours = element.attr("to").is_some_and(|to| is_ours(to, link.domain()));
    // The server may know characters in an address that we do not; its user must have an answer all the same.
    let strange = element.attr("from").is_some_and(|from| !from.is_ascii());
    let head = if strange { Head::of(&element) } else { None };
    let incoming = match Incoming::parse(element) {
        Ok(incoming) => incoming,
        Err(unusable) => {
            if let Some(reply) = unusable.reply.filter(|_| ours) {
                link.answer(reply);
            } else if let Some(head) = head {
                let words =
                    "The gateway does not know all characters of your address. Please try another resource.";
                answer(link, &head, &Problem::because(Condition::JidMalformed, words));
            }
            return;
        }
    };
    if !ours {
        tracing::debug!(gateway = %link.domain(), "a stanza to an address that is not ours was dropped");
        return;
    }
    if incoming.from.domain().as_str() == link.domain().as_str() {
        // Only what we sent ourselves comes from here: our fences, and what must not go round in circles.
        let fence =
            incoming.kind == Kind::Iq && incoming.id.as_deref().is_some_and(|id| link.fence_returned(id));
        if !fence {
            tracing::debug!(gateway = %link.domain(), "a stanza of ours came back and was dropped");
        }
        return;
    }
    upward.stanza(Box::new(incoming), size);
}

/// Whether an address, as it was written, is of this domain.
fn is_ours(address: &str, domain: &str) -> bool {
    let bare = address.split_once('/').map_or(address, |(bare, _)| bare);
    let host = bare.rsplit_once('@').map_or(bare, |(_, host)| host);
    host.eq_ignore_ascii_case(domain)
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_the_domain_counts() {
        for address in [
            "irc.example",
            "a@irc.example",
            "a@IRC.example/b@c/d",
            "irc.example/x@y",
        ] {
            assert!(is_ours(address, "irc.example"), "{address}");
        }
        for address in [
            "",
            "example",
            "a@irc.example.org",
            "irc.example@other",
            "x.irc.example",
            "a@b/irc.example",
        ] {
            assert!(!is_ours(address, "irc.example"), "{address}");
        }
    }
}
