//! The answer to CTCP TIME: people's programs write it as they like (modern IRC docs, CTCP TIME: "any text").

use viaduct_bridge::Timestamp;

use super::time::days_from_civil;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
/// The farthest that clocks are from UTC, in minutes.
const MOST_OFFSET: i64 = 14 * 60;

/// What has been recognised.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    /// Seconds of the day.
    clock: Option<i64>,
    /// Minutes ahead of UTC.
    zone: Option<i64>,
    afternoon: Option<bool>,
}

/// Reads a time: as RFC 5322 §3.3, ISO 8601 or C's `asctime` write it, and much that lies between. Gives it in UTC, and
/// how many minutes the clock there is ahead of it. Where no zone is said, the difference to `now` tells it.
#[must_use]
pub fn read_clock(text: &str, now: Timestamp) -> Option<(Timestamp, i32)> {
    let mut parts = Parts::default();
    for token in text
        .split([' ', ',', '(', ')'])
        .filter(|token| !token.is_empty())
        .take(16)
    {
        parts.take(token);
    }
    let mut clock = parts.clock?;
    match parts.afternoon {
        Some(true) if clock < 12 * 3600 => clock += 12 * 3600,
        Some(false) if clock >= 12 * 3600 => clock -= 12 * 3600,
        _ => {}
    }
    let (year, month, day) = (parts.year?, parts.month?, parts.day?);
    let local = days_from_civil(year, month, day) * 86_400 + clock;
    let zone = parts.zone.or_else(|| {
        let ahead = local - now.0.div_euclid(1_000_000);
        // Zones are whole quarters of an hour.
        Some((ahead + 450).div_euclid(900) * 15)
    })?;
    if zone.abs() > MOST_OFFSET {
        return None;
    }
    Some((
        Timestamp((local - zone * 60) * 1_000_000),
        i32::try_from(zone).ok()?,
    ))
}

impl Parts {
    fn take(&mut self, token: &str) {
        // ISO 8601: date and time in one, with or without a zone.
        if let Some((date, clock)) = token.split_once('T')
            && self.take_date(date)
        {
            return self.take_clock(clock);
        }
        if token.contains('-') && self.take_date(token) {
            return;
        }
        if token.contains(':') && token.starts_with(|c: char| c.is_ascii_digit()) {
            return self.take_clock(token);
        }
        let lower = token.to_ascii_lowercase();
        match lower.as_str() {
            "am" => self.afternoon = Some(false),
            "pm" => self.afternoon = Some(true),
            _ => {}
        }
        if let Some(zone) = read_zone(&lower) {
            self.zone = Some(zone);
        } else if let Some(month) = MONTHS.iter().position(|month| lower.starts_with(month)) {
            self.month = i64::try_from(month + 1).ok();
        } else if let Some(number) = number(token) {
            match token.len() {
                4 => self.year = Some(number).filter(|year| (1970..=9999).contains(year)),
                1 | 2 => self.day = Some(number).filter(|day| (1..=31).contains(day)),
                _ => {}
            }
        }
    }

    /// `2026-11-20`.
    fn take_date(&mut self, text: &str) -> bool {
        let fields: Vec<Option<i64>> = text.split('-').map(number).collect();
        let [Some(year), Some(month), Some(day)] = fields[..] else {
            return false;
        };
        let fits = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        if fits {
            (self.year, self.month, self.day) = (Some(year), Some(month), Some(day));
        }
        fits
    }

    /// `19:04:08`, perhaps with a fraction and a zone.
    fn take_clock(&mut self, text: &str) {
        let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
        let (clock, zone) = text.split_at(end);
        let clock = clock.split('.').next().unwrap_or_default();
        let mut fields = clock.split(':').map(number);
        let (Some(Some(hour)), Some(Some(minute))) = (fields.next(), fields.next()) else {
            return;
        };
        let second = match fields.next() {
            None => 0,
            Some(Some(second)) => second,
            Some(None) => return,
        };
        if hour < 24 && minute < 60 && second <= 60 {
            self.clock = Some(hour * 3600 + minute * 60 + second);
            self.zone = read_zone(&zone.to_ascii_lowercase()).or(self.zone);
        }
    }
}

/// `z`, `utc`, `gmt`, `+0100`, `-05:30`, `gmt+1`: minutes ahead of UTC.
fn read_zone(text: &str) -> Option<i64> {
    let rest = text.strip_prefix("utc").or_else(|| text.strip_prefix("gmt"));
    let rest = match (rest, text) {
        (_, "z") | (Some(""), _) => return Some(0),
        (Some(rest), _) => rest,
        (None, text) => text,
    };
    let (sign, rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let value = number(&digits)?;
    let minutes = match digits.len() {
        1 | 2 => value * 60,
        4 => value / 100 * 60 + value % 100,
        _ => return None,
    };
    Some(sign * minutes)
}

/// A number of a few digits.
fn number(text: &str) -> Option<i64> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::super::time::{format_utc, parse_server_time};
    use super::read_clock;
    use proptest::prelude::*;
    use viaduct_bridge::Timestamp;

    #[test]
    fn clocks_of_the_world() {
        let now = parse_server_time("2026-11-20T19:04:10Z").expect("a time");
        for (text, utc, offset) in [
            ("Fri, 20 Nov 2026 20:04:08 +0100", "2026-11-20T19:04:08Z", 60),
            ("Fri Nov 20 19:04:08 2026", "2026-11-20T19:04:08Z", 0),
            // No zone: India is five and a half hours ahead.
            ("Sat Nov 21 00:34:08 2026", "2026-11-20T19:04:08Z", 330),
            ("Fri Nov 20 11:04:08 2026", "2026-11-20T19:04:08Z", -480),
            ("2026-11-20T19:04:08Z", "2026-11-20T19:04:08Z", 0),
            ("2026-11-20T14:04:08.123-05:00", "2026-11-20T19:04:08Z", -300),
            ("2026-11-20 20:04:08 GMT+1", "2026-11-20T19:04:08Z", 60),
            ("Fri 20th Nov 2026 19:04", "", 0),
            ("20 November 2026 7:04:08 PM UTC", "2026-11-20T19:04:08Z", 0),
            ("five o'clock", "", 0),
            ("Fri Nov 20 19:04:08 2030", "", 0),
            ("", "", 0),
        ] {
            let read = read_clock(text, now).map(|(at, offset)| (format_utc(at), offset));
            let wanted = (!utc.is_empty()).then(|| (utc.to_owned(), offset));
            assert_eq!(read, wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in any::<String>(), now in any::<i32>()) {
            let _ = read_clock(&text, Timestamp(i64::from(now) * 1_000_000));
        }

        #[test]
        fn nearly_times_do_not_panic(text in "[0-9TZ:+ ,.-]{0,30}") {
            let _ = read_clock(&text, Timestamp(0));
        }
    }
}
