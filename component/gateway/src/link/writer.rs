//! The writer: everything that is queued goes out in one write; fences follow when they are due.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{Instant, sleep_until};

use super::queue::Link;

/// A buffer that has grown beyond this is not kept.
const KEEP: usize = 1 << 20;

/// Writes until the link is closed (then with the end of the stream) or something fails.
pub(super) async fn write(link: &Link, socket: &mut OwnedWriteHalf, confirm: Duration) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let taken = link.take(&mut bytes);
        let late = taken.oldest_fence.map(|sent| sent + confirm);
        if bytes.is_empty() {
            if taken.closing {
                socket.write_all(b"</stream:stream>").await?;
                return socket.shutdown().await;
            }
            if late.is_some_and(|late| late <= Instant::now()) {
                return Err(unconfirmed(confirm));
            }
            tokio::select! {
                () = link.ring.notified() => {}
                () = sleep(taken.fence_due) => {}
                () = sleep(late) => {}
            }
            continue;
        }
        tokio::select! {
            biased;
            result = socket.write_all(&bytes) => result?,
            () = sleep(late) => return Err(unconfirmed(confirm)),
        }
        bytes.clear();
        if bytes.capacity() > KEEP {
            bytes = Vec::new();
        }
    }
}

fn unconfirmed(confirm: Duration) -> io::Error {
    let text = format!("it has not processed what was sent for {} s", confirm.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

/// Sleeps until then, or for ever.
async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}
