//! What the operating system says to us, and what we say to systemd.

use std::io;
use std::os::unix::net::UnixDatagram;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGXFSZ, on all architectures of Linux that Rust is built for but MIPS (where this is SIGCONT, which does no harm).
const FILE_TOO_LARGE: i32 = 25;

/// The signals that end the process.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens for them. From now on a file that may not grow any more (`LimitFSIZE=`, a quota) is an error like a full disk,
    /// which is told and recovered from, and not the end of the process.
    pub(super) fn new() -> io::Result<Self> {
        // What is listened for once does not end the process any more.
        drop(signal(SignalKind::from_raw(FILE_TOO_LARGE))?);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Resolves with the name of the next one.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Tells systemd, where it asked for that (`Type=notify`, sd_notify(3)).
pub(super) fn tell_systemd(state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told = UnixDatagram::unbound().and_then(|own| {
        match socket.to_str().and_then(|name| name.strip_prefix('@')) {
            Some(name) => {
                use std::os::linux::net::SocketAddrExt as _;
                own.send_to_addr(
                    state.as_bytes(),
                    &std::os::unix::net::SocketAddr::from_abstract_name(name)?,
                )
            }
            None => own.send_to(state.as_bytes(), &socket),
        }
    });
    if let Err(error) = told {
        tracing::debug!(%error, "systemd could not be told");
    }
}
