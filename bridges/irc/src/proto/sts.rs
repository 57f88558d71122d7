//! The value of the capability `sts` (IRCv3 Strict Transport Security): a server that wants to be reached encrypted.
//!
//! What it means depends on the connection on which it is told: on one without TLS the port alone counts, on one with
//! TLS the duration alone.

/// No policy is kept for longer than this, so that a slip of an operator's pen does not last for ever: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// What a server says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sts {
    /// The port where it speaks TLS.
    pub port: Option<u16>,
    /// For how many seconds it wants to be reached encrypted; 0: no longer.
    pub duration: Option<u64>,
}

impl Sts {
    /// Reads the value. Keys that are not known are passed over, and values that make no sense are none.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let mut sts = Self::default();
        for token in value.split(',') {
            let (key, value) = token.split_once('=').unwrap_or((token, ""));
            match key {
                "port" => sts.port = value.parse().ok().filter(|port| *port > 0),
                "duration" => sts.duration = value.parse().ok().map(|seconds: u64| seconds.min(LONGEST)),
                _ => {}
            }
        }
        sts
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Sts};

    #[test]
    fn values() {
        for (value, port, duration) in [
            ("port=6697", Some(6697), None),
            ("duration=2592000,port=6697,preload", Some(6697), Some(2_592_000)),
            ("duration=0", None, Some(0)),
            ("port=0,duration=-1", None, None),
            ("port=65536,duration=", None, None),
            ("duration=18446744073709551615", None, Some(LONGEST)),
            ("", None, None),
        ] {
            assert_eq!(Sts::parse(value), Sts { port, duration }, "{value}");
        }
    }
}
