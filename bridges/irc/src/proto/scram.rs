//! SCRAM-SHA-256, the client's side (RFC 5802, RFC 7677), without channel binding: the password itself is not sent,
//! and the server proves that it knows it.
//!
//! The primitives are those of the library that TLS uses. What is around them is here because a client must refuse
//! what a server could use against it: a foreign nonce, too few iterations (the password could be guessed from what
//! was sent), very many of them (they are ours to do), a signature that is missing or wrong.

use std::borrow::Cow;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use viaduct_bridge::Secret;
use zeroize::Zeroizing;

/// RFC 7677 §4: at least so many iterations.
const LEAST_ITERATIONS: u32 = 4096;
/// Nothing else is done on the thread meanwhile: so many take less than a tenth of a second. Servers have 4,096 to
/// 64,000 by default.
const MOST_ITERATIONS: u32 = 128_000;
/// The bytes of our nonce, before base64.
const NONCE: usize = 18;
/// The GS2 header "no channel binding" (RFC 5802 §7), and as base64.
const GS2: &str = "n,,";
const GS2_BASE64: &str = "biws";
/// The bytes of SHA-256.
const HASH: usize = 32;

/// Why an exchange came to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ScramError {
    /// The message of the server has not the form that it must have.
    #[error("the server's answer to SCRAM-SHA-256 makes no sense")]
    Malformed,
    /// The server's nonce does not continue ours.
    #[error("the server's answer belongs to another login")]
    ForeignNonce,
    /// So few that the password could be guessed.
    #[error("the server asks for {0} iterations, which would give the password away")]
    TooFew(u32),
    /// More than is done here. This alone says nothing against the server.
    #[error("the server asks for {0} iterations, which is too much")]
    TooMany(u32),
    /// The server does not know the password, or says nothing that shows it.
    #[error("the server did not prove that it knows the account; it may be somebody else's")]
    NotProven,
}

enum State {
    /// Nothing has been said.
    New,
    /// Our nonce has been said.
    Asked,
    /// Our proof has been given; the server's must be this.
    Proven {
        expected: hmac::Tag,
    },
    /// The server has proven itself.
    Done,
    Failed,
}

/// One login.
pub struct Scram {
    password: Secret,
    /// `client-first-message-bare`, and the nonce in it.
    first_bare: String,
    nonce: String,
    state: State,
}

impl Scram {
    /// Prepares a login.
    #[must_use]
    pub fn new(account: &str, password: &Secret) -> Self {
        let mut bytes = [0; NONCE];
        rand::fill(&mut bytes).expect("the operating system always has randomness after it has booted");
        Self::with_nonce(account, password, STANDARD.encode(bytes))
    }

    fn with_nonce(account: &str, password: &Secret, nonce: String) -> Self {
        let account = prepared(account).replace('=', "=3D").replace(',', "=2C");
        Self {
            password: Secret::new(prepared(password.reveal())),
            first_bare: format!("n={account},r={nonce}"),
            nonce,
            state: State::New,
        }
    }

    /// The answer to a challenge; the first challenge is empty.
    ///
    /// # Errors
    /// When the login must go no further.
    pub fn respond(&mut self, challenge: &[u8]) -> Result<String, ScramError> {
        let challenge = std::str::from_utf8(challenge).map_err(|_| ScramError::Malformed);
        let (state, answer) = match (std::mem::replace(&mut self.state, State::Failed), challenge?) {
            (State::New, "") => (State::Asked, format!("{GS2}{}", self.first_bare)),
            (State::Asked, first) => self.prove(first)?,
            (State::Proven { expected }, last) => {
                check(&expected, last)?;
                (State::Done, String::new())
            }
            _ => return Err(ScramError::Malformed),
        };
        self.state = state;
        Ok(answer)
    }

    /// Whether the server has proven that it knows the password.
    #[must_use]
    pub fn server_is_proven(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// The answer to `server-first-message` (RFC 5802 §3 and §7).
    fn prove(&self, first: &str) -> Result<(State, String), ScramError> {
        let mut fields = first.split(',');
        // An extension that is mandatory (`m=`) would come first, so that it is refused here as well.
        let mut field = |name| fields.next().and_then(|field| field.strip_prefix(name));
        let nonce = field("r=").ok_or(ScramError::Malformed)?;
        let salt = field("s=").ok_or(ScramError::Malformed)?;
        let iterations = field("i=").ok_or(ScramError::Malformed)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::ForeignNonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| ScramError::Malformed)?;
        let count = iterations
            .parse::<NonZeroU32>()
            .map_err(|_| ScramError::Malformed)?;
        if salt.is_empty() {
            return Err(ScramError::Malformed);
        }
        match count.get() {
            ..LEAST_ITERATIONS => return Err(ScramError::TooFew(count.get())),
            LEAST_ITERATIONS..=MOST_ITERATIONS => {}
            _ => return Err(ScramError::TooMany(count.get())),
        }

        let mut salted = Zeroizing::new([0; HASH]);
        let password = self.password.reveal().as_bytes();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, count, &salt, password, &mut *salted);
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let salted = key(&*salted);
        let client_key = hmac::sign(&salted, b"Client Key");
        let server_key = hmac::sign(&salted, b"Server Key");
        let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());

        let last_bare = format!("c={GS2_BASE64},r={nonce}");
        let all = format!("{},{first},{last_bare}", self.first_bare);
        let signature = hmac::sign(&key(stored_key.as_ref()), all.as_bytes());
        let proof: Vec<u8> = client_key
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(a, b)| a ^ b)
            .collect();
        let expected = hmac::sign(&key(server_key.as_ref()), all.as_bytes());
        let answer = format!("{last_bare},p={}", STANDARD.encode(proof));
        Ok((State::Proven { expected }, answer))
    }
}

/// Checks `server-final-message`.
fn check(expected: &hmac::Tag, last: &str) -> Result<(), ScramError> {
    let signature = last.split(',').next().and_then(|field| field.strip_prefix("v="));
    let signature = signature.and_then(|text| STANDARD.decode(text).ok());
    let same = signature.is_some_and(|signature| {
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), &signature).is_ok()
    });
    if same { Ok(()) } else { Err(ScramError::NotProven) }
}

/// SASLprep (RFC 4013). What it does not know (the emoji are younger than it) stays as it is: only the server can tell
/// whether that is the password.
fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
}

#[cfg(test)]
mod tests {
    use super::{Scram, ScramError};
    use proptest::prelude::*;
    use viaduct_bridge::Secret;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn scram(account: &str, password: &str) -> Scram {
        Scram::with_nonce(account, &Secret::new(password), NONCE.to_owned())
    }

    /// The example of RFC 7677 §3.
    #[test]
    fn the_example_of_the_rfc() {
        let mut scram = scram("user", "pencil");
        assert_eq!(
            scram.respond(b"").as_deref(),
            Ok("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        );
        assert_eq!(
            scram.respond(FIRST.as_bytes()).as_deref(),
            Ok("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
        );
        assert!(!scram.server_is_proven());
        assert_eq!(scram.respond(LAST.as_bytes()).as_deref(), Ok(""));
        assert!(scram.server_is_proven());
    }

    #[test]
    fn a_server_that_does_not_know_the_password() {
        for last in [
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=",
            "v=6rriTRBi23WpRR/wtup+mA==",
            "v=",
            "e=other-error",
            "",
        ] {
            let mut scram = scram("user", "pencil");
            assert!(scram.respond(b"").is_ok() && scram.respond(FIRST.as_bytes()).is_ok());
            assert_eq!(
                scram.respond(last.as_bytes()),
                Err(ScramError::NotProven),
                "{last}"
            );
            assert!(!scram.server_is_proven());
            assert!(
                scram.respond(LAST.as_bytes()).is_err(),
                "there is no second chance"
            );
        }
    }

    #[test]
    fn what_a_server_must_not_ask() {
        let refused = |first: String| {
            let mut scram = scram("user", "pencil");
            assert!(scram.respond(b"").is_ok());
            scram.respond(first.as_bytes()).expect_err(&first)
        };
        let nonce = format!("{NONCE}abc");
        let salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
        for (first, error) in [
            (format!("r=other,s={salt},i=4096"), ScramError::ForeignNonce),
            (format!("r={NONCE},s={salt},i=4096"), ScramError::ForeignNonce),
            (format!("r={nonce},s={salt},i=1"), ScramError::TooFew(1)),
            (
                format!("r={nonce},s={salt},i=128001"),
                ScramError::TooMany(128_001),
            ),
            (
                format!("r={nonce},s={salt},i=4294967295"),
                ScramError::TooMany(u32::MAX),
            ),
            (format!("r={nonce},s={salt},i=99999999999"), ScramError::Malformed),
            (format!("r={nonce},s={salt},i=0"), ScramError::Malformed),
            (format!("r={nonce},s=?,i=4096"), ScramError::Malformed),
            (format!("m=new,r={nonce},s={salt},i=4096"), ScramError::Malformed),
            (String::new(), ScramError::Malformed),
        ] {
            assert_eq!(refused(first.clone()), error, "{first}");
        }
    }

    #[test]
    fn names_are_prepared_and_escaped() {
        // SOFT HYPHEN is mapped to nothing (RFC 4013 §3), `=` and `,` are escaped (RFC 5802 §5.1).
        let mut scram = scram("I\u{ad}X=a,b", "x");
        assert_eq!(
            scram.respond(b"").as_deref(),
            Ok("n,,n=IX=3Da=2Cb,r=rOprNGfwEbeRWgbNEkqO")
        );
    }

    #[test]
    fn nonces_are_fresh() {
        let first = |()| Scram::new("user", &Secret::new("pencil")).respond(b"");
        assert_ne!(first(()), first(()));
    }

    proptest! {
        #[test]
        fn never_panics(challenges in proptest::collection::vec(any::<Vec<u8>>(), 0..4), first in "r=rOprNGfwEbeRWgbNEkqO[ -~]{0,8}(,[a-z]=[ -~]{0,8}){0,3}") {
            let mut scram = scram("user", "pencil");
            let _ = scram.respond(b"");
            let _ = scram.respond(first.as_bytes());
            for challenge in &challenges {
                let _ = scram.respond(challenge);
            }
        }
    }
}
