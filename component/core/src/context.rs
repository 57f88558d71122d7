//! What all logins of one gateway share: who it is, what it may do, and where ids come from.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use sha2::{Digest, Sha256};
use viaduct_bridge::{Address, Bridge, Name, Timestamp, TransactionId};

use crate::access::{Access, Registration};
use crate::errand::RequestId;
use crate::records::{LoginId, PortalId};
use crate::xml::Stanza;
use crate::{names, ns};

/// One gateway: a component domain and the network behind it.
pub struct Context {
    /// The component domain.
    pub domain: Name,
    /// The network.
    pub bridge: Arc<dyn Bridge>,
    /// What the operator may change while it runs.
    pub rules: RuleBook,
    /// Where ids come from.
    pub ids: IdSource,
    /// Where randomness comes from.
    pub entropy: Box<dyn Entropy>,
    /// Makes occupant-ids that do not tell who they stand for. Kept over restarts.
    pub occupant_secret: [u8; 32],
    /// The version of the program, for XEP-0092.
    pub version: &'static str,
    /// How much of one user may be unanswered by the network.
    pub most_pending: MostPending,
    /// Set where the process before this one ended without taking leave: until then, whoever turns out to have been
    /// there is told. What the XMPP server had handed to that process and it had not read is gone, and nobody else
    /// knows of it.
    pub aftermath: Option<Timestamp>,
}

/// How much may be unanswered by the network at a time.
#[derive(Clone, Copy, Debug)]
pub struct MostPending {
    /// Commands of all kinds.
    pub commands: usize,
    /// Bytes of the messages among them. One message that begins below this is taken whole.
    pub bytes: usize,
}

/// What the operator may change while the gateway runs.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who may use it.
    pub access: Access,
    /// Whether users must register before anything else, and whether they can.
    pub registration: Registration,
    /// Whether users may unregister by themselves.
    pub allow_unregister: bool,
    /// The most messages of history that a join gets unasked.
    pub history_default: u32,
    /// How long a user's place in a room is kept after the last of their clients there was lost.
    pub grace: Duration,
}

/// The rules that hold now. They are asked with every stanza, so that reading them takes no lock.
#[derive(Debug)]
pub struct RuleBook(ArcSwap<Rules>);

impl RuleBook {
    /// With these rules.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self(ArcSwap::from_pointee(rules))
    }

    /// From now on these hold, all at once.
    pub fn replace(&self, rules: Rules) {
        self.0.store(Arc::new(rules));
    }
}

impl Context {
    /// The rules that hold at this moment.
    pub fn rules(&self) -> impl Deref<Target = Rules> {
        Inside(self.rules.0.load())
    }

    /// The JID of an address of the network. A name that is too long for a localpart gets one that is its own and
    /// leads nowhere: a stanza from an impossible JID could end the stream to the server.
    #[must_use]
    pub fn jid(&self, address: &Address) -> Name {
        match self.bridge.localpart(address) {
            Some(local) if local.len() > names::MAX_PART => {
                format!("{}@{}", names::shortened(&local), self.domain).into()
            }
            Some(local) => format!("{local}@{}", self.domain).into(),
            None => self.domain.clone(),
        }
    }

    /// The id of somebody in a room (XEP-0421): stable, different from room to room, and not to be turned back.
    #[must_use]
    pub fn occupant_id(&self, room: &str, identity: &str) -> Name {
        occupant_id(&self.occupant_secret, room, identity)
    }

    /// A text that nobody can guess.
    #[must_use]
    pub fn token(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.entropy.bytes())
    }
}

/// As [`Context::occupant_id`], with the gateway's secret.
#[must_use]
pub fn occupant_id(secret: &[u8; 32], room: &str, identity: &str) -> Name {
    use base64::Engine as _;
    let mut hash = Sha256::new();
    hash.update(secret);
    for part in [room, identity] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part.as_bytes());
    }
    base64::engine::general_purpose::URL_SAFE_NO_PAD
        .encode(&hash.finalize()[..18])
        .into()
}

/// The rules as long as somebody looks at them.
struct Inside(Guard<Arc<Rules>>);

impl Deref for Inside {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.0
    }
}

/// A source of randomness.
pub trait Entropy: Send + Sync {
    /// Bytes that nobody can guess.
    fn bytes(&self) -> [u8; 16];
}

/// Hands out ids that were never used before.
#[derive(Debug)]
pub struct IdSource(AtomicI64);

impl IdSource {
    /// Starts after the highest id on record, and not before the present time in microseconds, so that an id is not
    /// used again even where its row is gone.
    #[must_use]
    pub fn new(highest: i64, now: Timestamp) -> Self {
        Self(AtomicI64::new(highest.saturating_add(1).max(now.0)))
    }

    fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// A new login's id.
    pub fn login(&self) -> LoginId {
        LoginId(self.next())
    }

    /// A new portal's id.
    pub fn portal(&self) -> PortalId {
        PortalId(self.next())
    }

    /// A new request's id.
    pub fn request(&self) -> RequestId {
        RequestId(self.next())
    }

    /// A new command's id.
    pub fn txn(&self) -> TransactionId {
        TransactionId(self.next())
    }
}

/// A ping that comes back through the server: what the link's confirmation is made of (XEP-0199).
#[must_use]
pub fn fence(domain: &str, id: &str) -> Stanza {
    let mut xml = crate::xml::Xml::stanza("iq", domain, domain);
    xml.attr("type", "get").attr("id", id).empty("ping", ns::PING);
    xml.finish()
}
