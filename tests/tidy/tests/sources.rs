//! What every source file must have, and must not.

use viaduct_tidy::{expect_none, texts};

/// The longest that a source file may be.
const LONGEST: usize = 600;

#[test]
fn every_file_says_what_it_is_for() {
    let broken = texts(".", "rs")
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name);
    expect_none("every source file begins with `//!`", &broken.collect::<Vec<_>>());
}

#[test]
fn no_file_is_the_conversation() {
    let lengths = texts(".", "rs")
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()));
    let broken = lengths
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name}: {lines} lines"));
    expect_none(
        &format!("no source file has more than {LONGEST} lines"),
        &broken.collect::<Vec<_>>(),
    );
}

#[test]
fn tests_wait_for_events_and_do_not_sleep() {
    let pause = &[concat!("sle", "ep(")];
    let broken = [
        find("tests/gateway", "rs", pause),
        find("tests/contract", "rs", pause),
    ]
    .concat();
    expect_none("the journeys and the contract suite do not sleep", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [
        concat!("to", "do!("),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("unim", "plemented!("),
    ];
    let mut broken = Vec::new();
    for extension in ["rs", "toml", "sql", "md", "lua", "yml"] {
        broken.extend(find(".", extension, &marks));
    }
    expect_none("what is not done is an issue, not a mark in a file", &broken);
}

/// All lines that have one of the words.
fn find(directory: &str, extension: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in texts(directory, extension) {
        for (number, line) in (1..).zip(text.lines()) {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    found
}
