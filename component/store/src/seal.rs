//! Sealing: what must not be read by who finds the database file or a backup of it. XChaCha20-Poly1305 under the key of
//! the operator's key file, bound to the row that it stands in, so that a sealed value cannot be moved to another row.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use thiserror::Error;
use zeroize::Zeroizing;

/// Says how a sealed value is made; the first byte of each.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// The key that seals secrets. It does not show itself, and copies of it share one place in memory.
#[derive(Clone)]
pub struct SealingKey(Arc<XChaCha20Poly1305>);

/// A text is no key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a key is 32 random bytes, written as 64 hexadecimal digits or as base64")]
pub struct BadKey;

/// A sealed value cannot be opened: it was sealed with another key, for another row, or it was altered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("it was sealed with another key, or altered")]
pub(crate) struct NotOurs;

impl SealingKey {
    /// Reads a key from its text: 64 hexadecimal digits, or base64 of 32 bytes. Space around it is ignored.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn from_text(text: &str) -> Result<Self, BadKey> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() == 64 {
            for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
                let digit = |at: usize| char::from(digits[at]).to_digit(16).ok_or(BadKey);
                *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| BadKey)?;
            }
        } else {
            let decoded = Zeroizing::new(STANDARD.decode(text).map_err(|_| BadKey)?);
            if decoded.len() != bytes.len() {
                return Err(BadKey);
            }
            bytes.copy_from_slice(&decoded);
        }
        Ok(Self(Arc::new(XChaCha20Poly1305::new((&*bytes).into()))))
    }

    /// Makes the text of a new key.
    pub(crate) fn new_text() -> Result<Zeroizing<String>, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Zeroizing::new(STANDARD.encode(*bytes)))
    }

    /// Seals a secret for one place.
    pub(crate) fn seal(&self, place: &Place<'_>, secret: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce)?;
        let payload = Payload {
            msg: secret,
            aad: &place.bytes(),
        };
        let sealed = self
            .0
            .encrypt(XNonce::from_slice(&nonce), payload)
            .expect("XChaCha20-Poly1305 seals everything that fits into memory");
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOurs> {
        let (version, rest) = sealed.split_first().ok_or(NotOurs)?;
        if *version != VERSION {
            return Err(NotOurs);
        }
        let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or(NotOurs)?;
        let payload = Payload {
            msg: ciphertext,
            aad: &place.bytes(),
        };
        self.0
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| NotOurs)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

/// The row that a sealed value belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// The one that shows whether the key is right.
    Check,
    /// The account of a login.
    Account {
        /// The gateway's domain.
        gateway: &'a str,
        /// The user's bare JID.
        user: &'a str,
    },
    /// The key of a room.
    RoomKey {
        /// The portal's id.
        portal: i64,
    },
    /// What a user has set within a scope.
    Settings {
        /// The login's id.
        login: i64,
        /// The server, or nothing.
        server: &'a str,
        /// The room, or nothing.
        room: &'a str,
    },
}

impl Place<'_> {
    /// The place as bytes, each part with its length before it, so that no two places are written the same.
    fn bytes(&self) -> Vec<u8> {
        let number;
        let parts: &[&[u8]] = match self {
            Self::Check => &[b"epoch", b"", b""],
            Self::Account { gateway, user } => &[b"login", gateway.as_bytes(), user.as_bytes()],
            Self::RoomKey { portal } => {
                number = portal.to_be_bytes();
                &[b"portal", &number, b""]
            }
            Self::Settings { login, server, room } => {
                number = login.to_be_bytes();
                &[b"setting", &number, server.as_bytes(), room.as_bytes()]
            }
        };
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{BadKey, NotOurs, Place, SealingKey};

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

    fn key(text: &str) -> SealingKey {
        SealingKey::from_text(text).expect("a key in the test")
    }

    #[test]
    fn both_spellings_are_the_same_key() {
        let place = Place::RoomKey { portal: 7 };
        let sealed = key(HEX).seal(&place, b"secret").expect("random bytes");
        assert_eq!(
            &**key(BASE64).open(&place, &sealed).expect("the same key"),
            b"secret"
        );
        for bad in ["", "short", &HEX[2..], &HEX.replace('0', "g"), "AAEC"] {
            assert_eq!(SealingKey::from_text(bad).expect_err("no key"), BadKey);
        }
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place() {
        let key = key(HEX);
        let place = Place::Account {
            gateway: "irc.example.org",
            user: "me@example.org",
        };
        let sealed = key.seal(&place, b"secret").expect("random bytes");
        let others = [
            Place::Check,
            Place::RoomKey { portal: 1 },
            Place::Account {
                gateway: "irc.example.orgm",
                user: "e@example.org",
            },
        ];
        for other in others {
            assert_eq!(key.open(&other, &sealed), Err(NotOurs));
        }
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(key.open(&place, &altered), Err(NotOurs));
            assert_eq!(key.open(&place, &sealed[..at]), Err(NotOurs));
        }
        let other_key = SealingKey::from_text(&SealingKey::new_text().expect("random bytes")).expect("a key");
        assert_eq!(other_key.open(&place, &sealed), Err(NotOurs));
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let key = key(HEX);
        let place = Place::Check;
        assert_ne!(
            key.seal(&place, b"secret").expect("random bytes"),
            key.seal(&place, b"secret").expect("random bytes")
        );
        assert_eq!(format!("{key:?}"), "SealingKey(…)");
    }
}
