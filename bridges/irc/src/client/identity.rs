//! Who logs in to a server, and how well the connection keeps that to itself.

use viaduct_bridge::{Name, Secret};

use crate::proto::line::Line;

/// Who logs in.
#[derive(Clone)]
pub(crate) struct Identity {
    /// The nickname to ask for.
    pub(crate) nick: Name,
    /// The user name (ident).
    pub(crate) username: String,
    /// The real name.
    pub(crate) realname: String,
    /// How the user is presented, where the server trusts this gateway.
    pub(crate) webirc: Option<Webirc>,
    /// The password of the server itself.
    pub(crate) server_password: Option<Secret>,
    /// The account to log in to.
    pub(crate) credentials: Option<Credentials>,
    /// How the connection is protected.
    pub(crate) security: Security,
    /// Whether nothing is wanted but to be sent to where the server speaks TLS (by STS): unencrypted, logging in would
    /// be no use.
    pub(crate) only_upgrade: bool,
    /// What the user is told about this connection.
    pub(crate) warning: Option<Name>,
    /// Why the user is away, if they are.
    pub(crate) away: Option<Name>,
    /// Lines of the user's own that are sent once they are online.
    pub(crate) commands: Vec<Line>,
    /// Whether the user wants to read the message of the day.
    pub(crate) motd: bool,
}

/// How a user is presented to a server that trusts this gateway (IRCv3 WebIRC).
#[derive(Clone)]
pub(crate) struct Webirc {
    /// The password that was agreed with the server.
    pub(crate) password: Secret,
    /// The name of this gateway.
    pub(crate) gateway: String,
    /// The user's host name, or the address again.
    pub(crate) host: String,
    /// The user's address. It must not begin with a colon.
    pub(crate) ip: String,
}

/// How a connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Security {
    /// Not at all: the operator has chosen so for this very server.
    PlainByChoice,
    /// Not at all: the server's ports for TLS are closed.
    PlainByFallback,
    /// It is encrypted, but anybody's certificate is accepted.
    Unverified,
    /// It is encrypted, and the server's certificate was checked.
    Verified,
}

impl Security {
    /// Whether others on the way cannot read what is said.
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Self::Unverified | Self::Verified)
    }
}

/// How the user proves who they are. Only put into an [`Identity`] for the server that they were given for.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The account.
    pub(crate) account: String,
    /// Its password.
    pub(crate) password: Option<Secret>,
    /// Whether the connection shows a certificate of the user.
    pub(crate) certificate: bool,
}
