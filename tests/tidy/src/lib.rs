//! Rules that the repository keeps, as tests that read it.
//!
//! `tests/imports.rs` holds which crate may use which, `tests/sources.rs` what every source file must and must
//! not have. A rule that a compiler lint can express belongs into `[workspace.lints]` or clippy.toml instead.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("this crate is in tests/tidy")
        .to_owned()
}

/// All files below a directory of the repository with this extension, as path and text, sorted, without what
/// cargo builds and hidden directories.
pub fn texts(directory: &str, extension: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(&root().join(directory), extension, &mut found);
    found.sort();
    found.iter().map(|path| (name(path), text(path))).collect()
}

fn collect(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
}

/// The path of a file from the root of the repository.
pub fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The text of a file.
pub fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", name(path)))
}

/// Fails with the list of what breaks a rule.
pub fn expect_none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}, but:\n  {}", broken.join("\n  "));
}
