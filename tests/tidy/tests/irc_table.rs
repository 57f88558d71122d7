//! What `docs/irc.md` says is there, is there.

use std::collections::BTreeSet;

use viaduct_tidy::{expect_none, root, text, texts};

/// The words in backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn table() -> String {
    text(&root().join("docs/irc.md"))
}

/// The names of the capabilities that the code may ask for: the strings of the list in `caps.rs`.
fn capabilities() -> Vec<String> {
    let source = text(&root().join("bridges/irc/src/proto/caps.rs"));
    let list = source.split("const NAMES").nth(1).expect("the list is there");
    let list = list.split("];").next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_capability_that_is_asked_for_has_its_row() {
    let table = table();
    let rows: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let asked = capabilities();
    assert!(asked.len() > 10, "the list is read: {asked:?}");
    let missing = asked.into_iter().filter(|name| !rows.contains(name.as_str()));
    expect_none(
        "docs/irc.md has a row for each capability",
        &missing.collect::<Vec<_>>(),
    );
}

#[test]
fn the_tests_that_are_named_exist() {
    let sources = [
        texts("tests/gateway/journeys", "rs"),
        texts("bridges/irc/tests", "rs"),
    ]
    .concat();
    let exists = |name: &str| {
        if name.ends_with(".txt") {
            return root().join("bridges/irc/tests/scenarios").join(name).is_file();
        }
        let Some((file, function)) = name.split_once("::") else {
            return true;
        };
        let (file, function) = (format!("/{file}.rs"), format!("fn {function}("));
        sources
            .iter()
            .any(|(path, text)| path.ends_with(&file) && text.contains(&function))
    };
    let table = table();
    let named: Vec<&str> = quoted(&table)
        .filter(|word| word.contains("::") || word.ends_with(".txt"))
        // How tests are named, in the words above the tables.
        .filter(|word| !["file::test", "name.txt"].contains(word))
        .collect();
    assert!(named.len() > 30, "the table is read: {named:?}");
    let missing = named.into_iter().filter(|name| !exists(name));
    let missing: Vec<String> = missing.map(str::to_owned).collect();
    expect_none("the tests that docs/irc.md names exist", &missing);
}
