//! Imports run one way (`design.md` §2), and what must stay free of IO stays so.

use std::collections::BTreeSet;
use std::process::Command;

use viaduct_tidy::{expect_none, name, root, text};

/// Our crates, each with those of ours that it may import. What is missing here may not exist.
const MAY_IMPORT: &[(&str, &str, &[&str])] = &[
    ("bridges/api", "viaduct-bridge", &[]),
    ("bridges/irc", "viaduct-irc", &["viaduct-bridge"]),
    ("bridges/matrix", "viaduct-matrix", &["viaduct-bridge"]),
    ("component/core", "viaduct-core", &["viaduct-bridge"]),
    (
        "component/store",
        "viaduct-store",
        &["viaduct-core", "viaduct-bridge"],
    ),
    (
        "component/gateway",
        "viaduct",
        &[
            "viaduct-core",
            "viaduct-store",
            "viaduct-bridge",
            "viaduct-irc",
            "viaduct-matrix",
        ],
    ),
];

/// What the pure crates must not reach, at any depth.
const IO: &[&str] = &["tokio", "sqlx", "sqlx-core", "reqwest"];

fn manifest(directory: &str) -> Option<toml::Table> {
    let path = root().join(directory).join("Cargo.toml");
    if !path.is_file() {
        return None;
    }
    Some(
        text(&path)
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", name(&path))),
    )
}

/// The crates that a manifest imports, for ordinary use and for building.
fn imports(manifest: &toml::Table) -> BTreeSet<String> {
    let sections = ["dependencies", "build-dependencies"]
        .into_iter()
        .filter_map(|section| manifest.get(section));
    sections
        .filter_map(toml::Value::as_table)
        .flat_map(|section| section.keys().cloned())
        .collect()
}

#[test]
fn imports_run_one_way() {
    let mut broken = Vec::new();
    for (directory, _, allowed) in MAY_IMPORT {
        let Some(manifest) = manifest(directory) else {
            continue;
        };
        let ours = imports(&manifest)
            .into_iter()
            .filter(|name| name.starts_with("viaduct"));
        broken.extend(
            ours.filter(|name| !allowed.contains(&name.as_str()))
                .map(|name| format!("{directory} imports {name}")),
        );
    }
    expect_none(
        "irc, matrix → api; core → api; store → core, api; gateway → all of these",
        &broken,
    );
}

#[test]
fn every_crate_of_the_product_has_its_place() {
    let workspace = manifest(".").expect("the workspace has a manifest");
    let members = workspace["workspace"]["members"]
        .as_array()
        .expect("it lists its members");
    let members = members.iter().filter_map(toml::Value::as_str);
    let product = members.filter(|member| !member.starts_with("tests/"));
    let strange = product.filter(|member| !MAY_IMPORT.iter().any(|(directory, ..)| directory == member));
    let strange: Vec<String> = strange.map(str::to_owned).collect();
    expect_none(
        "a new crate belongs into the list in tests/tidy/tests/imports.rs",
        &strange,
    );
    for (directory, name, _) in MAY_IMPORT {
        if let Some(manifest) = manifest(directory) {
            assert_eq!(manifest["package"]["name"].as_str(), Some(*name), "{directory}");
        }
    }
}

#[test]
fn core_and_api_reach_no_io() {
    let mut broken = Vec::new();
    for package in ["viaduct-core", "viaduct-bridge"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let tree = Command::new(cargo)
            .args([
                "tree",
                "--offline",
                "-e",
                "normal",
                "--prefix",
                "none",
                "--format",
                "{p}",
                "-p",
                package,
            ])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        let names = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect::<BTreeSet<_>>();
        assert!(
            names.contains(package),
            "the tree of {package} begins with itself: {tree}"
        );
        broken.extend(
            IO.iter()
                .filter(|name| names.contains(*name))
                .map(|name| format!("{package} reaches {name}")),
        );
    }
    expect_none("core and api do no IO", &broken);
}
