//! Loopback ports that stay ours while a test needs them.
//!
//! A port is reserved, released by nobody until it is dropped, and used again when a server is killed and
//! started afresh. Two things follow. It lies *below* the range from which the kernel takes the source ports of
//! outgoing connections: otherwise some connection could take it while our server is down, and a client that
//! retries a connection to a dead port of that range will, sooner or later, connect to itself. And a lock on a
//! file named after the port keeps other test runs on the same machine away from it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;

use anyhow::{Result, bail};
use tokio::net::TcpSocket;

/// The lowest port that is given out.
const LOWEST: u16 = 10_000;
/// How many candidates are tried before giving up.
const ATTEMPTS: u16 = 5_000;

/// A reserved TCP port on `127.0.0.1`.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port that nothing listens on.
    pub fn reserve() -> Result<Self> {
        static NEXT: Mutex<Option<u16>> = Mutex::new(None);
        let highest = ephemeral_start().saturating_sub(1).max(LOWEST + ATTEMPTS);
        let mut next = NEXT.lock().expect("no holder of this lock panics");
        // Runs that start together begin at different places, which saves them trying one another's ports.
        let mut candidate = next.unwrap_or_else(|| LOWEST + spread() % (highest - LOWEST));
        for _ in 0..ATTEMPTS {
            candidate = if candidate >= highest {
                LOWEST
            } else {
                candidate + 1
            };
            if let Some(port) = Self::exactly(candidate) {
                *next = Some(candidate);
                return Ok(port);
            }
        }
        bail!("no free loopback port between {LOWEST} and {highest}")
    }

    /// Reserves the given port if it is free, else any other.
    pub fn prefer(number: u16) -> Result<Self> {
        match Self::exactly(number) {
            Some(port) => Ok(port),
            None => Self::reserve(),
        }
    }

    fn exactly(number: u16) -> Option<Self> {
        let lock = lock_file(number).ok()?;
        lock.try_lock().ok()?;
        is_free((Ipv4Addr::LOCALHOST, number).into())
            .ok()
            .map(|()| Self { number, _lock: lock })
    }

    /// The number of the port.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// The port on `127.0.0.1`.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }

    /// A loopback address that belongs to this port alone, for programs that insist on a port number of their
    /// own choice (all of 127.0.0.0/8 is loopback).
    pub fn private_ip(&self) -> Ipv4Addr {
        let [high, low] = self.number.to_be_bytes();
        Ipv4Addr::new(127, 77, high, low)
    }
}

/// Fails if something listens on the address.
///
/// It is bound, but never listened on: a program that another thread starts at this moment holds a copy of the
/// socket until it has been loaded, and a copy that listens would keep the port from its new owner.
fn is_free(addr: SocketAddr) -> io::Result<()> {
    let probe = TcpSocket::new_v4()?;
    probe.set_reuseaddr(true)?;
    probe.bind(addr)
}

/// Opens the lock of a port, which may have been made by another user.
fn lock_file(number: u16) -> io::Result<File> {
    let directory = std::env::temp_dir().join("viaduct-test-ports");
    let path = directory.join(number.to_string());
    // To lock a file one need not be able to write it.
    if let Ok(lock) = File::open(&path) {
        return Ok(lock);
    }
    fs::create_dir_all(&directory)?;
    // Like the temporary directory itself. Only its owner can do it, and only once is it needed.
    drop(fs::set_permissions(
        &directory,
        fs::Permissions::from_mode(0o1777),
    ));
    let lock = File::create(&path)?;
    drop(fs::set_permissions(&path, fs::Permissions::from_mode(0o644)));
    Ok(lock)
}

/// Where the kernel's own ports begin.
fn ephemeral_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(32_768)
}

fn spread() -> u16 {
    let id = std::process::id();
    u16::try_from(id.wrapping_mul(2_654_435_761) >> 18).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_come_back() {
        let first = Port::reserve().expect("a port");
        let second = Port::reserve().expect("another port");
        assert_ne!(first.number(), second.number());
        assert!(
            Port::exactly(first.number()).is_none(),
            "a reserved port is given out once"
        );
        let number = first.number();
        drop(first);
        assert!(Port::exactly(number).is_some(), "a dropped port is free again");
    }

    #[test]
    fn a_port_that_is_listened_on_is_not_free() {
        let port = Port::reserve().expect("a port");
        let probe = is_free(port.addr());
        assert!(probe.is_ok(), "{probe:?}");
        let listener = std::net::TcpListener::bind(port.addr()).expect("ours to listen on");
        assert!(is_free(port.addr()).is_err(), "somebody listens");
        drop(listener);
    }
}
