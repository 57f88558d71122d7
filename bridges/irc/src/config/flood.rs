//! The pace of users' lines, as the configuration says it.

use serde::Deserialize;

/// How fast lines of a user are sent: a burst at once, then so many per second. Servers cut off who is faster than
/// they like; the default suits ngircd, InspIRCd, UnrealIRCd and Libera Chat as they ship.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(try_from = "FloodForm")]
pub enum Flood {
    /// No pacing: for servers that exempt this gateway.
    Off,
    /// A token bucket.
    Rate {
        /// So many lines at once after a pause.
        burst: u32,
        /// So many lines per second from then on.
        per_second: f64,
    },
}

impl Default for Flood {
    fn default() -> Self {
        Self::Rate {
            burst: 8,
            per_second: 0.5,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FloodForm {
    Word(String),
    Rate(FloodRate),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FloodRate {
    burst: u32,
    per_second: f64,
}

impl TryFrom<FloodForm> for Flood {
    type Error = &'static str;

    fn try_from(form: FloodForm) -> Result<Self, Self::Error> {
        match form {
            FloodForm::Word(word) if word == "off" => Ok(Self::Off),
            FloodForm::Rate(FloodRate { burst, per_second })
                if burst > 0 && per_second > 0.0 && per_second.is_finite() =>
            {
                Ok(Self::Rate { burst, per_second })
            }
            _ => Err("flood is \"off\" or { burst = 8, per_second = 0.5 }, both above zero"),
        }
    }
}
