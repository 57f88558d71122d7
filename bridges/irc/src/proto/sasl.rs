//! SASL on IRC (IRCv3 sasl-3.1 and 3.2; RFC 4616 PLAIN, RFC 4422 appendix A EXTERNAL; `scram` has RFC 7677).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::line::Line;

/// The most base64 characters of one AUTHENTICATE line.
const CHUNK: usize = 400;
/// The most base64 characters of a challenge. SCRAM's longest has a nonce, a salt and a number in it.
const MOST_CHALLENGE: usize = 4096;

/// How a user proves who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// With the certificate of the connection.
    External,
    /// By knowing the password, without showing it; the server shows that it knows it too.
    ScramSha256,
    /// With a password.
    Plain,
}

impl Mechanism {
    /// All of them, the strongest first.
    pub const ALL: [Self; 3] = [Self::External, Self::ScramSha256, Self::Plain];

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }

    /// Whether a server offers it. A server that names none (sasl-3.1) may have any that is older than SCRAM.
    #[must_use]
    pub fn offered_in(self, mechanisms: &str) -> bool {
        if mechanisms.is_empty() {
            return self != Self::ScramSha256;
        }
        mechanisms.split(',').any(|m| m.eq_ignore_ascii_case(self.name()))
    }
}

/// The AUTHENTICATE lines that carry PLAIN credentials.
#[must_use]
pub fn plain(account: &str, password: &str) -> Vec<Line> {
    let message = Zeroizing::new(format!("{account}\0{account}\0{password}"));
    let encoded = Zeroizing::new(STANDARD.encode(message.as_bytes()));
    chunks(&encoded)
}

/// The AUTHENTICATE line of EXTERNAL: the identity is that of the certificate.
#[must_use]
pub fn external() -> Vec<Line> {
    chunks("")
}

/// The AUTHENTICATE lines that carry an answer to a challenge.
#[must_use]
pub fn response(answer: &str) -> Vec<Line> {
    let encoded = Zeroizing::new(STANDARD.encode(answer.as_bytes()));
    chunks(&encoded)
}

/// A challenge that comes in pieces.
#[derive(Default)]
pub struct Challenge(String);

/// The server's challenge is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadChallenge;

impl Challenge {
    /// Takes the parameter of an AUTHENTICATE line; gives the challenge once it is whole.
    ///
    /// # Errors
    /// When it is too long or not base64.
    pub fn take(&mut self, chunk: &str) -> Result<Option<Vec<u8>>, BadChallenge> {
        if chunk.len() > CHUNK || self.0.len() + chunk.len() > MOST_CHALLENGE {
            return Err(BadChallenge);
        }
        if chunk != "+" {
            self.0.push_str(chunk);
        }
        if chunk.len() == CHUNK {
            return Ok(None);
        }
        let whole = std::mem::take(&mut self.0);
        STANDARD.decode(whole).map(Some).map_err(|_| BadChallenge)
    }
}

/// Cuts at 400 characters; a last chunk that is full is followed by an empty one.
fn chunks(encoded: &str) -> Vec<Line> {
    let authenticate = |chunk: &str| Line::command("AUTHENTICATE").arg(chunk);
    let mut lines = Vec::new();
    let mut rest = encoded;
    while rest.len() >= CHUNK {
        let (chunk, after) = rest.split_at(CHUNK);
        lines.push(authenticate(chunk));
        rest = after;
    }
    lines.push(authenticate(if rest.is_empty() { "+" } else { rest }));
    lines
}

#[cfg(test)]
mod tests {
    use super::{BadChallenge, Challenge, Mechanism, external, plain, response};

    fn lines(account: &str, password: &str) -> Vec<String> {
        plain(account, password)
            .iter()
            .map(|line| line.as_str().to_owned())
            .collect()
    }

    #[test]
    fn the_example_of_the_specification() {
        assert_eq!(
            lines("jilles", "sesame"),
            ["AUTHENTICATE amlsbGVzAGppbGxlcwBzZXNhbWU="]
        );
        assert_eq!(external()[0].as_str(), "AUTHENTICATE +");
    }

    #[test]
    fn long_credentials_are_cut_at_400() {
        // 2 + 298 bytes are exactly 400 characters of base64.
        let got = lines("", &"x".repeat(298));
        assert_eq!(got.len(), 2);
        assert_eq!(got[0].len(), "AUTHENTICATE ".len() + 400);
        assert_eq!(got[1], "AUTHENTICATE +");
        assert_eq!(lines("", &"x".repeat(299)).len(), 2);
        assert_eq!(lines("", &"x".repeat(295)).len(), 1);
    }

    #[test]
    fn mechanisms_on_offer() {
        assert!(Mechanism::Plain.offered_in("EXTERNAL,plain"));
        assert!(!Mechanism::External.offered_in("PLAIN"));
        assert!(Mechanism::External.offered_in(""));
        assert!(!Mechanism::ScramSha256.offered_in(""));
        assert!(Mechanism::ScramSha256.offered_in("PLAIN,SCRAM-SHA-256"));
        assert!(!Mechanism::ScramSha256.offered_in("SCRAM-SHA-256-PLUS"));
    }

    #[test]
    fn challenges_in_pieces() {
        let mut challenge = Challenge::default();
        assert_eq!(challenge.take("+"), Ok(Some(Vec::new())));
        assert_eq!(challenge.take("YWJj"), Ok(Some(b"abc".to_vec())));
        // What is written is read again, whatever its length.
        for long in [299, 300, 301, 600, 900] {
            let text = "x".repeat(long);
            let mut whole = None;
            for line in response(&text) {
                assert_eq!(whole, None, "{long}");
                let chunk = line.as_str().split(' ').nth(1).unwrap_or_default().to_owned();
                whole = challenge.take(&chunk).expect("well-formed");
            }
            assert_eq!(whole.as_deref(), Some(text.as_bytes()), "{long}");
        }
        assert_eq!(challenge.take("no base64!"), Err(BadChallenge));
        assert_eq!(challenge.take(&"x".repeat(401)), Err(BadChallenge));
        let mut endless = Challenge::default();
        let full = "x".repeat(400);
        assert!((0..100).any(|_| endless.take(&full) == Err(BadChallenge)));
    }
}
