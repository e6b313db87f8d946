//! Holds the code to its architecture: dependencies go one way, `domain ← store, ami ← dialer, cluster, progress ←
//! webhooks ← api ← cli`, no two files use one another, `domain` does no IO, and no file is longer than 500 lines.

#![allow(clippy::expect_used, reason = "a test")]

mod circles;
mod sources;
mod uses;

use sources::{below, rust_below};

/// The most lines of a file.
const MOST_LINES: usize = 500;

/// Where files are written by hand.
const BY_HAND: [&str; 10] =
    ["src", "tests", "benches", "build.rs", "build", "proto", "migrations", "bin", "fuzz/src", "fuzz/targets"];

/// Files that were recorded, or come from elsewhere.
const NOT_BY_HAND: [&str; 2] = ["tests/data/", "proto/google/"];

/// A module, and what none of its files may name.
const RULES: [(&str, &[&str]); 9] = [
    ("domain", &["tokio", "std::net", "std::fs", "std::io", "diesel", "tonic", "axum"]),
    (
        "ami",
        &[
            "crate::store",
            "crate::dialer",
            "crate::progress",
            "crate::webhooks",
            "crate::api",
            "crate::cli",
            "crate::pb",
        ],
    ),
    (
        "store",
        &["crate::ami", "crate::dialer", "crate::progress", "crate::webhooks", "crate::api", "crate::cli", "crate::pb"],
    ),
    ("cluster", &["crate::dialer", "crate::progress", "crate::webhooks", "crate::api", "crate::cli", "crate::pb"]),
    ("progress", &["crate::dialer", "crate::webhooks", "crate::api", "crate::cli", "crate::pb"]),
    ("dialer", &["crate::progress", "crate::webhooks", "crate::api", "crate::cli", "crate::pb"]),
    (
        "statistics",
        &["crate::ami", "crate::dialer", "crate::progress", "crate::webhooks", "crate::api", "crate::cli", "crate::pb"],
    ),
    ("webhooks", &["crate::ami", "crate::dialer", "crate::api", "crate::cli", "crate::sandbox", "crate::pb"]),
    ("api", &["crate::dialer", "crate::cli", "crate::sandbox"]),
];

#[test]
fn no_module_depends_on_one_above_it() {
    let mut broken = Vec::new();
    for (module, forbidden) in RULES {
        for source in rust_below(&format!("src/{module}")) {
            for line in source.text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for name in forbidden.iter().filter(|name| line.contains(**name)) {
                    broken.push(format!("{} names {name}: {line}", source.path));
                }
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn the_domain_uses_nothing_but_itself() {
    let uses = uses::between(&rust_below("src"));
    let of_domain = uses.iter().filter(|(path, _)| path.starts_with("src/domain/"));
    let broken: Vec<String> = of_domain
        .flat_map(|(path, used)| used.iter().map(move |(used, by)| (path, used, by)))
        .filter(|(_, used, _)| !used.starts_with("src/domain/"))
        .map(|(path, _, by)| format!("{path} uses {by}"))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn no_two_files_use_one_another() {
    let circles = circles::among(&uses::between(&rust_below("src")));
    assert!(circles.is_empty(), "files use one another:\n{}", circles.join("\n"));
}

#[test]
fn what_says_that_it_does_no_io_does_not_use_the_store() {
    let sources = rust_below("src");
    let uses = uses::between(&sources);
    let pure = sources.iter().filter(|source| says_no_io(&source.text));
    let broken: Vec<String> = pure
        .filter_map(|source| uses.get(&source.path).map(|used| (&source.path, used)))
        .flat_map(|(path, used)| used.iter().map(move |(used, by)| (path, used, by)))
        .filter(|(_, used, _)| used.starts_with("src/store/"))
        .map(|(path, _, by)| format!("{path} uses {by}"))
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}

fn says_no_io(text: &str) -> bool {
    text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("No IO"))
}

#[test]
fn no_file_that_is_written_by_hand_is_too_long() {
    let mut long: Vec<String> = Vec::new();
    for source in BY_HAND.iter().flat_map(|dir| below(dir)) {
        let lines = source.text.lines().count();
        if lines > MOST_LINES && !NOT_BY_HAND.iter().any(|dir| source.path.starts_with(dir)) {
            long.push(format!("{} has {lines} lines", source.path));
        }
    }
    assert!(long.is_empty(), "a file has at most {MOST_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn what_is_administered_is_changed_through_the_audit_alone() {
    let past: Vec<String> = rust_below("src/api/grpc/admin")
        .into_iter()
        .filter(|source| !source.path.ends_with("audit.rs") && source.text.contains("db.begin()"))
        .map(|source| source.path)
        .collect();
    assert_eq!(past, Vec::<String>::new(), "a transaction that leaves no line in the audit");
}
