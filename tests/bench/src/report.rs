//! Samples, and the tables and JSON that show them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::stats::median;
use crate::subject::Subject;

/// One line of the table.
struct Measure {
    key: &'static str,
    title: &'static str,
    unit: Unit,
    /// The program whose figure bounds ours.
    goal: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Rate,
    Percent,
    Millis,
    Mebibytes,
    Kibibytes,
}

const fn line(key: &'static str, title: &'static str, unit: Unit, goal: &'static str) -> Measure {
    Measure {
        key,
        title,
        unit,
        goal,
    }
}

const MEASURES: &[Measure] = &[
    line(
        "out.cpu",
        "1 user, to IRC: CPU s / 10,000 messages",
        Unit::Seconds,
        "3 × echo; 0.12",
    ),
    line("out.rate", "1 user, to IRC: messages / s", Unit::Rate, "40,000"),
    line(
        "in.cpu",
        "1 user, from IRC: CPU s / 10,000 messages",
        Unit::Seconds,
        "3 × echo; 0.10",
    ),
    line("in.rate", "1 user, from IRC: messages / s", Unit::Rate, "40,000"),
    line(
        "crowd.out.cpu",
        "crowd, to IRC: CPU s / 10,000 messages",
        Unit::Seconds,
        "1.0",
    ),
    line("crowd.out.rate", "crowd, to IRC: deliveries / s", Unit::Rate, ""),
    line(
        "crowd.in.cpu",
        "crowd, from IRC: CPU s / 10,000 messages",
        Unit::Seconds,
        "1.0",
    ),
    line("crowd.in.rate", "crowd, from IRC: deliveries / s", Unit::Rate, ""),
    line(
        "latency.out.p50",
        "single, to IRC until shown in the room: p50 ms",
        Unit::Millis,
        "",
    ),
    line(
        "latency.out.p99",
        "single, to IRC until shown in the room: p99 ms",
        Unit::Millis,
        "",
    ),
    line(
        "latency.wire.p50",
        "single, to IRC until IRC has it: p50 ms",
        Unit::Millis,
        "0.3",
    ),
    line(
        "latency.wire.p99",
        "single, to IRC until IRC has it: p99 ms",
        Unit::Millis,
        "1",
    ),
    line("latency.in.p50", "single, from IRC: p50 ms", Unit::Millis, "0.3"),
    line("latency.in.p99", "single, from IRC: p99 ms", Unit::Millis, "1"),
    line(
        "beside.calm.p50",
        "single, from IRC, nobody else: p50 ms",
        Unit::Millis,
        "",
    ),
    line(
        "beside.calm.p99",
        "single, from IRC, nobody else: p99 ms",
        Unit::Millis,
        "",
    ),
    line(
        "beside.flood.p50",
        "single, from IRC, another's room flooded: p50 ms",
        Unit::Millis,
        "",
    ),
    line(
        "beside.flood.p99",
        "single, from IRC, another's room flooded: p99 ms",
        Unit::Millis,
        "",
    ),
    line("beside.grown", "  p99 grows by: %", Unit::Percent, "50"),
    line(
        "join.cpu",
        "join of the large channel: CPU s",
        Unit::Seconds,
        "0.2",
    ),
    line("join.wall", "join of the large channel: s", Unit::Seconds, ""),
    line("memory.idle", "resident, no user: MiB", Unit::Mebibytes, "15"),
    line(
        "memory.idle.anonymous",
        "  of that anonymous: MiB",
        Unit::Mebibytes,
        "",
    ),
    line("memory.1", "resident, 1 user: MiB", Unit::Mebibytes, ""),
    line("memory.100", "resident, 100 users: MiB", Unit::Mebibytes, ""),
    line(
        "memory.many",
        "resident, 1,000 users (--users): MiB",
        Unit::Mebibytes,
        "",
    ),
    line(
        "memory.user",
        "resident, for each user beyond 100: KiB",
        Unit::Kibibytes,
        "15",
    ),
    line(
        "memory.join",
        "logins and joins: CPU s / 1,000 users",
        Unit::Seconds,
        "3",
    ),
    line(
        "out.driver",
        "the drivers' own share of a core, 1 user, to IRC: %",
        Unit::Percent,
        "",
    ),
    line("in.driver", "  1 user, from IRC: %", Unit::Percent, ""),
    line("crowd.out.driver", "  crowd, to IRC: %", Unit::Percent, ""),
    line("crowd.in.driver", "  crowd, from IRC: %", Unit::Percent, ""),
];

/// Everything that was measured, and everything that went wrong.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    values: BTreeMap<(&'static str, Subject), Vec<f64>>,
    problems: Vec<String>,
}

impl Samples {
    /// Adds one sample.
    pub(crate) fn add(&mut self, measure: &'static str, subject: Subject, value: f64) {
        self.values.entry((measure, subject)).or_default().push(value);
    }

    /// Notes that something went wrong, once.
    pub(crate) fn problem(&mut self, text: String) {
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    /// Whether all went well.
    pub(crate) fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    /// The table: medians, then the ratios of viaduct's to its bound's and its peers'.
    pub(crate) fn table(&self, subjects: &[Subject]) -> String {
        let ratios = [Subject::Echo, Subject::Biboumi, Subject::BiboumiHistory];
        let mut head = vec![String::new()];
        head.extend(subjects.iter().map(|subject| subject.name().to_owned()));
        head.extend(ratios.map(|peer| format!("÷ {}", peer.name())));
        head.push("goal".to_owned());
        let mut rows = vec![head];
        for measure in MEASURES {
            let value = |subject| self.median(measure.key, subject);
            if !subjects.iter().any(|subject| value(*subject).is_finite()) {
                continue;
            }
            let mut row = vec![measure.title.to_owned()];
            row.extend(subjects.iter().map(|subject| measure.unit.show(value(*subject))));
            for peer in ratios {
                let ratio = value(Subject::Viaduct) / value(peer);
                row.push(if ratio.is_finite() {
                    format!("{ratio:.2}")
                } else {
                    "–".to_owned()
                });
            }
            row.push(measure.goal.to_owned());
            rows.push(row);
        }
        let mut text = render(&rows);
        text.push_str("\nMedians over the rounds; ratios are viaduct's to that program's.\n");
        for problem in &self.problems {
            text.push_str(&format!("! {problem}\n"));
        }
        text
    }

    /// Every sample.
    pub(crate) fn json(&self) -> Value {
        let mut measures = serde_json::Map::new();
        for ((measure, subject), values) in &self.values {
            let entry = measures.entry(*measure).or_insert_with(|| json!({}));
            entry[subject.name()] = json!({ "median": median(values), "samples": values });
        }
        json!({ "measures": measures, "problems": self.problems })
    }

    fn median(&self, measure: &'static str, subject: Subject) -> f64 {
        self.values
            .get(&(measure, subject))
            .map_or(f64::NAN, |values| median(values))
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "–".to_owned(),
            Self::Seconds => format!("{value:.3}"),
            Self::Rate => thousands(value),
            Self::Percent => format!("{value:.0}"),
            Self::Millis => format!("{value:.3}"),
            Self::Mebibytes => format!("{:.1}", value / 1024.0 / 1024.0),
            Self::Kibibytes => format!("{:.1}", value / 1024.0),
        }
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn render(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let mut text = String::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let (fill, last) = (width(column) - cell.chars().count(), column + 1 == row.len());
            match column {
                0 => text.push_str(&format!("{cell}{}", " ".repeat(fill))),
                _ if last => text.push_str(&format!("  {cell}")),
                _ => text.push_str(&format!("  {}{cell}", " ".repeat(fill))),
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_medians_and_ratios() {
        let mut samples = Samples::default();
        for value in [0.4, 0.2, 0.3] {
            samples.add("out.cpu", Subject::Viaduct, value);
        }
        samples.add("out.cpu", Subject::Echo, 0.1);
        let table = samples.table(&[Subject::Viaduct, Subject::Echo]);
        let line = table.lines().nth(1).expect("one measure");
        assert!(
            line.contains("0.300") && line.contains("3.00") && line.contains("–"),
            "{line}"
        );
        assert_eq!(thousands(1_234_567.0), "1,234,567");
    }
}
