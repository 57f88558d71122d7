//! Times as IRC writes them: IRCv3 server-time, seconds since 1970 in numerics, the answer to CTCP TIME.

use viaduct_bridge::Timestamp;

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;

/// Reads `YYYY-MM-DDThh:mm:ss.sssZ` (IRCv3 server-time). `None` if it is anything else.
#[must_use]
pub fn parse_server_time(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-');
    let year = digits(date.next()?, 4)?;
    let month = digits(date.next()?, 2).filter(|m| (1..=12).contains(m))?;
    let day = digits(date.next()?, 2).filter(|d| (1..=31).contains(d))?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':');
    let hour = digits(clock.next()?, 2).filter(|h| *h < 24)?;
    let minute = digits(clock.next()?, 2).filter(|m| *m < 60)?;
    let second = digits(clock.next()?, 2).filter(|s| *s <= 60)?;
    let mut micros = 0;
    let mut unit = 100_000;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        micros += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    let seconds = days_from_civil(year, month, day) * DAY + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * MICROS + micros))
}

/// Reads seconds since 1970 (numerics 329 and 333).
#[must_use]
pub fn parse_seconds(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok()?;
    (0..=253_402_300_799)
        .contains(&seconds)
        .then_some(Timestamp(seconds * MICROS))
}

/// Writes `YYYY-MM-DDThh:mm:ssZ`.
#[must_use]
pub fn format_utc(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(MICROS);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Writes `YYYY-MM-DDThh:mm:ss.sssZ` (IRCv3 server-time).
#[must_use]
pub fn format_millis(at: Timestamp) -> String {
    let millis = at.0.rem_euclid(MICROS) / 1000;
    let whole = format_utc(at);
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

fn digits(text: &str, width: usize) -> Option<i64> {
    (text.len() == width && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.bytes().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March so that the leap day comes last.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{format_utc, parse_seconds, parse_server_time};
    use proptest::prelude::*;
    use viaduct_bridge::Timestamp;

    #[test]
    fn server_time() {
        assert_eq!(
            parse_server_time("2011-10-19T16:40:51.620Z"),
            Some(Timestamp(1_319_042_451_620_000))
        );
        assert_eq!(parse_server_time("1970-01-01T00:00:00Z"), Some(Timestamp(0)));
        for bad in [
            "",
            "Z",
            "2011-10-19T16:40:51.620",
            "2011-13-19T16:40:51Z",
            "2011-10-19T16:40:51.6x0Z",
            "é-T",
        ] {
            assert_eq!(parse_server_time(bad), None, "{bad}");
        }
        assert_eq!(
            parse_seconds("1319042451"),
            Some(Timestamp(1_319_042_451_000_000))
        );
        assert_eq!(parse_seconds("-1"), None);
    }

    proptest! {
        #[test]
        fn round_trip(seconds in 0_i64..253_402_300_799) {
            let at = Timestamp(seconds * 1_000_000);
            prop_assert_eq!(parse_server_time(&format_utc(at)), Some(at));
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = (parse_server_time(&text), parse_seconds(&text));
        }
    }
}
