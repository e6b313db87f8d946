//! Dependencies go one way: `domain ← store, ami ← dialer, cluster, progress ← webhooks ← api ← cli`, and `domain` does no
//! IO.

#![allow(clippy::expect_used, reason = "a test")]

use std::fs;
use std::path::Path;

/// A module, and what none of its files may name.
const RULES: [(&str, &[&str]); 8] = [
    ("domain", &["crate::", "tokio", "std::net", "std::fs", "std::io", "diesel", "tonic", "axum"]),
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
    ("webhooks", &["crate::ami", "crate::dialer", "crate::api", "crate::cli", "crate::sandbox", "crate::pb"]),
    ("api", &["crate::dialer", "crate::cli", "crate::sandbox"]),
];

#[test]
fn no_module_depends_on_one_above_it() {
    let mut broken = Vec::new();
    for (module, forbidden) in RULES {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
        let files = rust_files(&dir);
        assert!(!files.is_empty(), "{}", dir.display());
        for (path, text) in files {
            for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for name in forbidden.iter().filter(|name| line.contains(**name)) {
                    broken.push(format!("{path} names {name}: {line}"));
                }
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn what_is_administered_is_changed_through_the_audit_alone() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/grpc/admin");
    let past: Vec<String> = rust_files(&dir)
        .into_iter()
        .filter(|(path, text)| !path.ends_with("audit.rs") && text.contains("db.begin()"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(past, Vec::<String>::new(), "a transaction that leaves no line in the audit");
}

fn rust_files(dir: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.display().to_string(), fs::read_to_string(&path).expect("a text")));
        }
    }
    files
}
