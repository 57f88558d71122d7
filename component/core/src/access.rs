//! Who may use a gateway, who may register with it and leave it by themselves, and who runs it.

use jid::BareJid;

/// Whether users register before anything else, and whether they still can (XEP-0077 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Registration {
    /// Who is not registered is a guest, where the network has guests.
    #[default]
    Optional,
    /// Nothing works without it.
    Required,
    /// The same, and nobody new is registered. Who is registered goes on, and may change what is on record.
    Closed,
}

/// Rules on whole domains and bare JIDs. A domain is matched as a whole: `example.org` admits neither
/// `sub.example.org` nor `example.org.attacker.example`.
#[derive(Clone, Debug, Default)]
pub struct Access {
    allow: Vec<BareJid>,
    admins: Vec<BareJid>,
    raw: Vec<BareJid>,
}

impl Access {
    /// Admits these domains and JIDs; these JIDs are administrators (and admitted).
    #[must_use]
    pub fn new(allow: Vec<BareJid>, admins: Vec<BareJid>) -> Self {
        let raw = Vec::new();
        Self { allow, admins, raw }
    }

    /// Lets these domains and JIDs speak a network's own language, beside the administrators.
    #[must_use]
    pub fn with_raw(self, raw: Vec<BareJid>) -> Self {
        Self { raw, ..self }
    }

    /// Whether this user may use the gateway.
    #[must_use]
    pub fn allows(&self, user: &BareJid) -> bool {
        self.is_admin(user) || matches(&self.allow, user)
    }

    /// Whether this user may speak a network's own language to its servers.
    #[must_use]
    pub fn allows_raw(&self, user: &BareJid) -> bool {
        self.is_admin(user) || (self.allows(user) && matches(&self.raw, user))
    }

    /// Whether this user is an administrator.
    #[must_use]
    pub fn is_admin(&self, user: &BareJid) -> bool {
        self.admins.iter().any(|admin| admin == user)
    }
}

fn matches(rules: &[BareJid], user: &BareJid) -> bool {
    rules.iter().any(|rule| match rule.node() {
        Some(_) => rule == user,
        None => rule.domain() == user.domain(),
    })
}

#[cfg(test)]
mod tests {
    use super::Access;
    use jid::BareJid;

    fn jid(text: &str) -> BareJid {
        BareJid::new(text).expect("a JID in the test")
    }

    #[test]
    fn domains_are_matched_as_a_whole() {
        let access = Access::new(
            vec![jid("example.org"), jid("guest@other.example")],
            vec![jid("root@far.example")],
        );
        for user in [
            "me@example.org",
            "ME@Example.ORG",
            "guest@other.example",
            "root@far.example",
        ] {
            assert!(access.allows(&jid(user)), "{user}");
        }
        for user in [
            "me@example.org.attacker.example",
            "me@sub.example.org",
            "me@attackerexample.org",
            "other@other.example",
            "guest@other.example.attacker.example",
        ] {
            assert!(!access.allows(&jid(user)), "{user}");
        }
        assert!(!access.is_admin(&jid("root@far.example.org")));
    }
}
