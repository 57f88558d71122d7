//! Times as XMPP writes them (XEP-0082).

use chrono::{DateTime, SecondsFormat};
use viaduct_bridge::Timestamp;

/// A time in UTC, with milliseconds.
#[must_use]
pub fn format(at: Timestamp) -> String {
    DateTime::from_timestamp_micros(at.0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Reads any form that XEP-0082 §3.2 allows.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    // RFC 3339 is more generous than XEP-0082, which wants the `T`.
    text.contains('T').then(|| Timestamp(at.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::{format, parse};
    use viaduct_bridge::Timestamp;

    #[test]
    fn all_legal_forms_are_read() {
        let moment = Some(Timestamp(1_260_921_900_000_000));
        for text in [
            "2009-12-16T00:05:00Z",
            "2009-12-16T00:05:00.000000Z",
            "2009-12-15T18:05:00-06:00",
        ] {
            assert_eq!(parse(text), moment, "{text}");
        }
        assert_eq!(parse("2009-12-16 00:05:00Z"), None);
        assert_eq!(parse("yesterday"), None);
        assert_eq!(
            format(Timestamp(1_260_921_900_123_456)),
            "2009-12-16T00:05:00.123Z"
        );
    }
}
