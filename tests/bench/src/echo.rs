//! The bound: a bare component on tokio-xmpp's low level that parses every stanza to an `Element`, swaps `from` and
//! `to`, and serialises it back; it flushes when nothing more has come.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use futures::{FutureExt, SinkExt, StreamExt};
use minidom::Element;
use minidom::rxml::Namespace;
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio_xmpp::xmlstream::{ReadError, StreamHeader, Timeouts, XmlStream, initiate_stream};

const NS: &str = "jabber:component:accept";

/// Echoes until the server goes away.
pub(crate) async fn run(server: SocketAddr) -> Result<()> {
    let socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    let header = StreamHeader {
        to: Some(crate::link::DOMAIN.into()),
        ..StreamHeader::default()
    };
    let pending = initiate_stream(BufStream::new(socket), NS, header, Timeouts::tight()).await?;
    let mut stream: XmlStream<_, Element> = pending.skip_features();
    // The driver checks no secret.
    let handshake = Element::builder("handshake", NS)
        .append("0000000000000000000000000000000000000000")
        .build();
    stream.send(&handshake).await?;
    let answer = next(&mut stream)
        .await?
        .context("the server refused the handshake")?;
    if !answer.is("handshake", NS) {
        bail!("no handshake but {answer:?}");
    }
    while let Some(stanza) = next(&mut stream).await? {
        stream.feed(&turned(stanza)).await?;
        while let Some(more) = next(&mut stream).now_or_never() {
            let Some(stanza) = more? else { return Ok(()) };
            stream.feed(&turned(stanza)).await?;
        }
        SinkExt::<&Element>::flush(&mut stream).await?;
    }
    Ok(())
}

async fn next<S: futures::Stream<Item = Result<Element, ReadError>> + Unpin>(
    stream: &mut S,
) -> Result<Option<Element>> {
    loop {
        match stream.next().await {
            Some(Ok(element)) => return Ok(Some(element)),
            Some(Err(ReadError::SoftTimeout)) => {}
            Some(Err(ReadError::StreamFooterReceived)) | None => return Ok(None),
            Some(Err(error)) => return Err(error.into()),
        }
    }
}

fn turned(mut stanza: Element) -> Element {
    let attrs = stanza.attrs_mut();
    let mut taken = |name: &str| attrs.get_mut(&Namespace::NONE, name).map(std::mem::take);
    let (from, to) = (taken("from"), taken("to"));
    for (name, value) in [("from", to), ("to", from)] {
        if let (Some(slot), Some(value)) = (attrs.get_mut(&Namespace::NONE, name), value) {
            *slot = value;
        }
    }
    stanza
}
