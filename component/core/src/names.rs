//! Nicknames as JID resources, and texts that must not deceive.

use std::borrow::Cow;

use jid::ResourcePart;
use sha2::{Digest, Sha256};

/// The most bytes of a resource (RFC 7622 §3.4).
const MAX_RESOURCE: usize = 1023;

/// A nickname as the resource of an occupant's JID.
///
/// Most nicknames are their own resource. One that resourceprep changes or refuses (the jid crate knows Unicode 3.2)
/// gets a readable substitute: what is left of it, and four characters that depend on the whole of it, so that the
/// same person keeps the same substitute and two people do not share one.
#[must_use]
pub fn resource(nick: &str) -> Cow<'_, str> {
    if nick.len() <= MAX_RESOURCE && is_its_own(nick) {
        return Cow::Borrowed(nick);
    }
    let kept: String = nick
        .chars()
        .filter(|c| is_its_own(c.encode_utf8(&mut [0; 4])))
        .take(64)
        .collect();
    let kept = kept.trim();
    let hash = Sha256::digest(nick.as_bytes());
    let suffix: String = hash[..2].iter().map(|byte| format!("{byte:02x}")).collect();
    let readable = if kept.is_empty() { "nameless" } else { kept };
    let substitute = format!("{readable} ~{suffix}");
    // A mix of scripts can be refused as a whole although each character is allowed (RFC 3454 §6).
    if is_its_own(&substitute) {
        Cow::Owned(substitute)
    } else {
        Cow::Owned(format!("nameless ~{suffix}"))
    }
}

fn is_its_own(text: &str) -> bool {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte);
    if text.as_bytes().iter().all(plain) {
        return !text.trim().is_empty();
    }
    ResourcePart::new(text).is_ok_and(|prepared| prepared.as_str() == text) && !text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::resource;

    #[test]
    fn ordinary_nicks_are_kept() {
        for nick in ["bob", "[bob]", "Bob|away", "`_^{}\\", "Zoë", "日本"] {
            assert_eq!(resource(nick), nick);
        }
    }

    #[test]
    fn others_get_a_stable_readable_substitute() {
        let emoji = resource("Bob 🥳").into_owned();
        assert!(emoji.starts_with("Bob ~"), "{emoji}");
        assert_eq!(resource("Bob 🥳"), emoji);
        assert_ne!(resource("Bob 🥵"), emoji);
        assert!(resource("🥳").starts_with("nameless ~"));
        assert!(resource("   ").starts_with("nameless ~"));
        assert!(resource(&"x".repeat(5000)).len() < 1023);
        assert!(jid::ResourcePart::new(&resource("שלום abc")).is_ok());
    }
}
