//! The IRC servers that the gateway is told of.

use std::net::SocketAddr;

use super::slots::Slots;
use crate::certificate::Authority;
use crate::gateway::KnownServer;
use crate::ports::Port;
use crate::servers::RealIrcServer;

/// How fast lines are sent to the server `paced.test`; to all others they go as they come.
const PACE: &str = "{ burst = 4, per_second = 4.0 }";

/// All of them:
/// - the real one in plain text, which is also the one of the domain with a fixed server;
/// - the real one with TLS: `tls.test` as it should be, `untrusted.test` with a certificate of an authority that
///   is not trusted, `wrongname.test` with a name that is not in the certificate;
/// - `closed.test`, where nobody listens;
/// - `paced.test`, the real one again, to which lines are sent slowly;
/// - the places for scripted servers.
pub(super) fn servers(
    irc_name: &str,
    irc_addr: SocketAddr,
    irc: &RealIrcServer,
    authority: &Authority,
    slots: &Slots,
    closed: &Port,
) -> Vec<KnownServer> {
    let tls = irc.tls_addr().unwrap_or(irc_addr);
    let mut servers = vec![
        KnownServer::plain(irc_name, irc_addr),
        KnownServer {
            ca_file: Some(authority.ca_file()),
            ..KnownServer::tls("tls.test", tls)
        },
        KnownServer::tls("untrusted.test", tls),
        KnownServer {
            ca_file: Some(authority.ca_file()),
            ..KnownServer::tls("wrongname.test", tls)
        },
        KnownServer::plain("closed.test", closed.addr()),
        KnownServer {
            flood: Some(PACE.to_owned()),
            ..KnownServer::plain("paced.test", irc_addr)
        },
    ];
    servers.extend(slots.known_servers(authority));
    servers
}
