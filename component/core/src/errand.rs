//! What one login asks of others of the same gateway, and of the gateway itself, and how the answers come back.
//!
//! A login never waits for another while it handles something. It emits [`Effect::Reach`](crate::effect::Effect) with a
//! number of its own; whoever is at work gets an [`Input::Errand`](crate::effect::Input) and answers it at once; who is not is
//! looked up in the store, and not started. What comes together within bounded time returns as one
//! [`Input::Reached`](crate::effect::Input).

use std::time::Duration;

use jid::BareJid;
use viaduct_bridge::{Name, ServerId};

use crate::records::LoadedLogin;

/// Names a request of one login.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(pub i64);

/// Names an errand at the login that it came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ErrandId(pub u64);

/// Whom a request is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach {
    /// These users, each with an errand.
    These(Vec<(BareJid, Errand)>),
    /// Everybody who is at work.
    Everybody {
        /// What is asked of each.
        errand: Errand,
        /// How many answers are kept, by the order of the JIDs; those beyond are counted.
        most: usize,
    },
}

/// What is asked of another login.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Whether the user is at work.
    Count,
    /// How the user is connected.
    Report,
    /// The user's connections end; the user may come back.
    End {
        /// Only the rooms of this resource.
        resource: Option<Name>,
        /// Only this server.
        server: Option<ServerId>,
    },
    /// The user is told something, if there is a session.
    Announce(Name),
    /// The gateway is about to stop: all clients are taken out, and told so (XEP-0045 §15.6.2: 332).
    Close(Name),
}

/// What a login answers to an errand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// It is done, or so it is.
    Yes,
    /// There was nothing to do: the user is not at work.
    No,
    /// How the user is connected.
    Report(Box<Report>),
}

/// How a user is connected. Long lists are cut, with a count of what is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// Whether the user is at work.
    pub online: bool,
    /// The resources that are available or in rooms.
    pub resources: Vec<Name>,
    /// How many people of the network are in the contact list.
    pub contacts: usize,
    /// Connections and rooms: label and value.
    pub lines: Vec<(String, String)>,
}

/// What there is to know of one user.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard {
    /// The login has answered.
    Said(Said),
    /// The login is not at work; this is on record of it.
    AtRest(Box<LoadedLogin>),
    /// There is no such user.
    Nobody,
    /// There was no answer in time.
    Late,
}

/// All answers to a request.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Gathered {
    /// By JID. Of everybody, only who is at work.
    pub heard: Vec<(Name, Heard)>,
    /// How many more are at work.
    pub more: usize,
    /// How many did not answer in time.
    pub late: usize,
}

/// What an administrator wants of the process as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// End, with an announcement.
    Stop {
        /// Whether whoever looks after the process is to start it again.
        again: bool,
        /// When.
        after: Duration,
        /// What users are told now.
        announcement: Name,
    },
    /// Read the configuration again.
    Reload,
}
