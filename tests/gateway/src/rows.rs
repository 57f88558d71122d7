//! The rows of the conformance checklist that must have a test, and which cases cover them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::case::Case;

/// One id per line; `#` begins a comment.
const REQUIRED: &str = include_str!("../rows.txt");

/// The name of the check, which counts as a case.
pub(crate) const CHECK: &str = "every_row_has_a_test";

fn required() -> impl Iterator<Item = &'static str> {
    REQUIRED
        .lines()
        .filter_map(|line| line.split('#').next())
        .map(str::trim)
        .filter(|row| !row.is_empty())
}

/// Fails if a required row has no case, or a case names a row that the checklist does not have.
pub(crate) fn check(cases: &[Case]) -> Result<()> {
    let covered = coverage(cases);
    let missing: Vec<&str> = required()
        .filter(|row| !covered.contains_key(&key(row)))
        .collect();
    let strange: Vec<&str> = cases
        .iter()
        .flat_map(Case::row_list)
        .filter(|row| key(row).1 == 0)
        .collect();
    if !strange.is_empty() {
        bail!("these are no rows: {}", strange.join(" "));
    }
    if !missing.is_empty() {
        bail!(
            "{} of {} rows have no test: {}",
            missing.len(),
            required().count(),
            missing.join(" ")
        );
    }
    Ok(())
}

/// Prints each required row with its cases, and then what is covered beyond.
pub(crate) fn print(cases: &[Case]) {
    let mut covered = coverage(cases);
    for row in required() {
        let names = covered.remove(&key(row)).unwrap_or_default();
        println!(
            "{row:5} {}",
            if names.is_empty() {
                "-".to_owned()
            } else {
                names.join(", ")
            }
        );
    }
    for ((part, number), names) in covered {
        println!(
            "{:5} {} (not required)",
            format!("{part}{number}"),
            names.join(", ")
        );
    }
}

/// Sorts `M9` before `M10`.
fn key(row: &str) -> (char, u32) {
    let mut characters = row.chars();
    let part = characters.next().unwrap_or(' ');
    (part, characters.as_str().parse().unwrap_or(0))
}

fn coverage(cases: &[Case]) -> BTreeMap<(char, u32), Vec<&'static str>> {
    let mut covered: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in cases {
        for row in case.row_list() {
            covered.entry(key(row)).or_default().push(case.name());
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_dropped() {
        let count = |part: char| required().filter(|row| row.starts_with(part)).count();
        // G1–G54, G69–G74 and G76 without G16, G22, G27, G53; M and C as listed. A row is added, and never dropped.
        assert_eq!((count('G'), count('M'), count('C')), (57, 96, 10));
        let mut rows: Vec<&str> = required().collect();
        rows.dedup();
        assert_eq!(rows.len(), required().count(), "no row is listed twice");
    }
}
