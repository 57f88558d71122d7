//! SASL on IRC (IRCv3 sasl-3.1 and 3.2; RFC 4616 PLAIN, RFC 4422 appendix A EXTERNAL).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::line::Line;

/// The most base64 characters of one AUTHENTICATE line.
const CHUNK: usize = 400;

/// How a user proves who they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// With the certificate of the connection.
    External,
    /// With a password.
    Plain,
}

impl Mechanism {
    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::External => "EXTERNAL",
            Self::Plain => "PLAIN",
        }
    }

    /// Whether a server offers it. A server that names none may have any.
    #[must_use]
    pub fn offered_in(self, mechanisms: &str) -> bool {
        mechanisms.is_empty() || mechanisms.split(',').any(|m| m.eq_ignore_ascii_case(self.name()))
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
    use super::{Mechanism, external, plain};

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
    }
}
