//! The time as server-time shows it, formatted once a millisecond.

use std::cell::{Cell, RefCell};
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock that remembers its last answer.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    millis: Cell<u128>,
    text: RefCell<String>,
}

impl Clock {
    /// Appends `2026-11-20T15:40:00.123Z`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        if self.millis.replace(millis) != millis {
            *self.text.borrow_mut() = format(millis as u64);
        }
        out.extend_from_slice(self.text.borrow().as_bytes());
    }
}

/// Days to a civil date: the algorithm of Howard Hinnant's `civil_from_days`, for dates after 1970.
fn format(millis: u64) -> String {
    let (seconds, days) = (millis / 1000, millis / 86_400_000 + 719_468);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        millis % 1000
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::format(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(super::format(1_709_210_096_007), "2024-02-29T12:34:56.007Z");
    }
}
