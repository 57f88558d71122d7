//! What stands for a user towards servers without saying who it is: the same always, and made with a key, so that
//! nobody who sees it can try which JID it belongs to.

use std::net::IpAddr;

use aws_lc_rs::{hmac, rand};
use tracing::warn;
use viaduct_bridge::{Name, Notebook};

use crate::client::Webirc;
use crate::config::{AddressPool, WebircConfig};

/// Where the key is noted.
const NOTE: &str = "irc/user-key";
const KEY: usize = 32;
/// As many characters as every server takes of a user name (RFC 2812 has no limit; 9 is the usual one).
const ID: usize = 9;
/// RFC 4648 §6, in lower case as user names are.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The key to what stands for users.
pub(crate) struct Users(hmac::Key);

impl Users {
    /// With the key that is noted, or with a new one that is noted from now on.
    pub(crate) fn new(notebook: &dyn Notebook) -> Self {
        let noted = notebook.get(NOTE);
        let bytes = noted.as_deref().and_then(read).unwrap_or_else(|| {
            if noted.is_some() {
                warn!("the note {NOTE} in the database is damaged: servers will take users for others than before");
            }
            let mut bytes = [0; KEY];
            rand::fill(&mut bytes).expect("the operating system always has randomness after it has booted");
            let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            notebook.put(NOTE, &text);
            bytes
        });
        Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }

    /// A user name that belongs to this bare JID alone: a letter, then letters and digits.
    pub(crate) fn id(&self, user: &str) -> Name {
        let digest = self.digest("id", user);
        let letters = digest.iter().take(ID).enumerate().map(|(at, byte)| {
            // Some servers want a letter first; there are 26 of them.
            let most = if at == 0 { 26 } else { 32 };
            char::from(BASE32[usize::from(*byte) % most])
        });
        Name::from(letters.collect::<String>())
    }

    /// The address of this bare JID among those of a kind.
    pub(crate) fn address(&self, user: &str, pool: &AddressPool, v6: bool) -> Option<IpAddr> {
        let digest = self.digest("address", user);
        let half = digest.first_chunk().expect("32 bytes have a first half");
        pool.nth(u128::from_be_bytes(*half), v6)
    }

    /// How this bare JID is presented to a server that trusts the gateway.
    pub(crate) fn webirc(&self, user: &str, config: &WebircConfig) -> Option<Webirc> {
        let either = |v6| self.address(user, &config.addresses, v6);
        let mut ip = either(true).or_else(|| either(false))?.to_string();
        // An address that begins with a colon would be taken for the last parameter.
        if ip.starts_with(':') {
            ip.insert(0, '0');
        }
        Some(Webirc {
            password: config.password.0.clone(),
            gateway: config.gateway.clone(),
            host: config.host(&self.id(user)).unwrap_or_else(|| ip.clone()),
            ip,
        })
    }

    fn digest(&self, purpose: &str, user: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(user.as_bytes());
        let tag = context.sign();
        tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

fn read(text: &str) -> Option<[u8; KEY]> {
    let mut bytes = [0; KEY];
    if text.len() != 2 * KEY {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use viaduct_bridge::Notebook as _;

    use super::{ID, Users};
    use crate::config::{AddressPool, WebircConfig};
    use crate::testing::Notes;

    #[derive(serde::Deserialize)]
    struct Pool {
        pool: AddressPool,
    }

    impl Pool {
        fn read(range: &str) -> AddressPool {
            let text = format!("pool = '{range}'");
            toml::from_str::<Self>(&text).expect("a range").pool
        }
    }

    #[test]
    fn addresses_for_servers() {
        let users = Users::new(&Notes::default());
        let webirc = |range: &str| {
            let text = format!("password = 'x'\naddresses = '{range}'");
            let config: WebircConfig = toml::from_str(&text).expect("valid");
            let webirc = users.webirc("alice@example.org", &config).expect("an address");
            (webirc.host, webirc.ip)
        };
        // IRCv3 WebIRC: an address that begins with a colon gets a zero, and stands for a name that is not there.
        assert_eq!(webirc("::7"), ("0::7".into(), "0::7".into()));
        assert_eq!(webirc("192.0.2.7"), ("192.0.2.7".into(), "192.0.2.7".into()));
    }

    #[test]
    fn ids_stay_and_tell_users_apart() {
        let notes = Notes::default();
        let users = Users::new(&notes);
        let alice = users.id("alice@example.org");
        assert_eq!(alice.len(), ID);
        assert!(alice.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(
            alice
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        );
        assert_ne!(alice, users.id("alice@example.com"));
        assert_eq!(
            Users::new(&notes).id("alice@example.org"),
            alice,
            "after a restart"
        );
        assert_ne!(
            Users::new(&Notes::default()).id("alice@example.org"),
            alice,
            "elsewhere"
        );
        let pool: AddressPool = Pool::read("2001:db8::/64");
        let address = |user: &str| users.address(user, &pool, true).expect("there is one");
        assert_eq!(address("alice@example.org"), address("alice@example.org"));
        assert_ne!(address("alice@example.org"), address("bob@example.org"));
        notes.put("irc/user-key", "damaged");
        let _ = Users::new(&notes).id("alice@example.org");
    }
}
